//! `make demo`: spoken sentences through the whole house, told as they happen, judged from the recording.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use jarvis_core::intent::{Grammar, Intent, Understood};
use jarvis_core::names::Names;
use serde::Serialize;

use crate::bench::intents::frozen;
use crate::fleet;
use crate::house::{Asked, House, HouseConfig, library, model};
use crate::judge::{self, Judge};
use crate::pve::expected::Figure;
use crate::room::RoomConfig;
use crate::sound::RATE_HZ;
use jarvisd::event::TurnRecord;

pub mod live;
pub mod minds;
pub mod request;
pub mod tell;

use request::Request;
use tell::Teller;

/// What `make demo` was asked for.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Workspace.
    pub root: PathBuf,
    /// Where the programs lie.
    pub programs: PathBuf,
    /// Where it writes; cleared first.
    pub dir: PathBuf,
    /// Seed of the cluster's state.
    pub seed: u64,
    /// Energy of the path from loudspeaker to microphone, in decibels.
    pub echo_db: f64,
    /// What is said.
    pub requests: Vec<Request>,
    /// Leave the house standing at the end.
    pub stay: bool,
}

/// One entry of `target/demo/turns.json`: the program's own record, and what was measured from outside.
#[derive(Debug, Serialize)]
pub struct Entry {
    #[serde(flatten)]
    turn: Option<TurnRecord>,
    /// Measured from the recording, in ms from the request's first sample.
    heard_ms: Heard,
    /// What was said into the room.
    request: String,
    /// Figures that must be heard, each in one of its ways, from the simulator's state; empty where the request has none.
    wanted: Vec<Figure>,
    /// What the second recogniser heard of the answer.
    heard: [String; 2],
    /// Why this turn is no success; `None` if it is one.
    miss: Option<String>,
}

#[derive(Debug, Serialize)]
struct Heard {
    speech_end: f64,
    first_audio: Option<f64>,
}

/// Runs the demo; `Ok(true)` if every turn was answered and every answer held its figure.
pub async fn run(demo: &Demo) -> Result<bool> {
    let dir = demo.dir.clone();
    clear(&dir)?;
    println!("Jarvis. Four simulated nodes, one room, seed {}.", demo.seed);
    let mut config = HouseConfig::new(demo.root.clone(), demo.programs.clone(), dir.clone(), demo.seed);
    config.room = RoomConfig { echo_db: Some(demo.echo_db), seed: demo.seed };
    let mut house = House::start(config).await?;
    println!("The satellite listens. The page: {}\n", house.page());
    let mut judge = Judge::start(&demo.programs.join("jarvis-ear"), &model(&demo.root), &library(&demo.root))?;
    let script = Script::new(demo)?;
    let mut entries = Vec::new();
    for request in &demo.requests {
        let entry = turn(&mut house, &mut judge, &script, request)?;
        println!();
        entries.push(entry);
    }
    std::fs::write(dir.join("turns.json"), serde_json::to_string_pretty(&entries)?)?;
    house.room.save(&dir.join("room.wav"))?;
    let misses: Vec<&Entry> = entries.iter().filter(|e| e.miss.is_some()).collect();
    for entry in &misses {
        println!("miss: {} - {}", entry.request, entry.miss.as_deref().unwrap_or_default());
    }
    println!("{} of {} answered rightly.", entries.len() - misses.len(), entries.len());
    println!("{}\n{}", dir.join("turns.json").display(), dir.join("room.wav").display());
    println!("The page: {}", house.page());
    if demo.stay {
        println!("The house stands until Ctrl-C.");
        tokio::signal::ctrl_c().await?;
    }
    Ok(misses.is_empty())
}

/// Makes an empty folder of `dir`.
fn clear(dir: &Path) -> Result<()> {
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("clear {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))
}

/// What is known of the requests before anybody hears them.
struct Script {
    frozen: Vec<crate::bench::intents::Frozen>,
    grammar: Grammar,
    names: Names,
    words: Vec<String>,
}

impl Script {
    fn new(demo: &Demo) -> Result<Self> {
        let cluster = fleet::cluster();
        Ok(Self {
            frozen: frozen(&demo.root)?,
            grammar: Grammar::embedded().map_err(|e| anyhow::anyhow!("{e}"))?,
            names: Names::from_cluster(&cluster),
            words: judge::every_word(&model(&demo.root))?,
        })
    }

    /// The one right kind of a request: from the frozen list, else as the grammar reads the very text that was said.
    fn intent(&self, asked: &str) -> Option<Intent> {
        if let Some(known) = self.frozen.iter().find(|f| f.text == asked) {
            return Some(Intent { kind: known.kind.clone(), slots: known.slots.clone() });
        }
        match self.grammar.understand(asked, &self.names) {
            Understood::Intent { intent, .. } => Some(intent),
            _ => None,
        }
    }
}

fn turn(house: &mut House, judge: &mut Judge, script: &Script, request: &Request) -> Result<Entry> {
    let sound = request.sound()?;
    println!("── {request}");
    let mut teller = Teller::new();
    let asked = house.ask(&sound, |event| teller.tell(event))?;
    let text = request.asked().or_else(|| asked.turn.as_ref().and_then(|t| t.transcript.clone()));
    let intent = text.as_deref().and_then(|t| script.intent(t));
    let wanted = intent.as_ref().map(|i| expected(house, i)).unwrap_or_default();
    let heard = hear(judge, script, &asked)?;
    let miss = miss(&asked, intent.as_ref(), &wanted, &heard);
    teller.close(&asked, &wanted, &heard, miss.as_deref());
    Ok(Entry {
        turn: asked.turn,
        heard_ms: Heard { speech_end: asked.speech_end_ms, first_audio: asked.first_audio_ms },
        request: request.to_string(),
        wanted,
        heard,
        miss,
    })
}

/// Figures that an answer must hold, from the simulator's state.
fn expected(house: &House, intent: &Intent) -> Vec<Figure> {
    let slots = &intent.slots;
    let guest = slots.guest.map(|g| g.to_string());
    let given = [
        ("node", slots.node.as_ref().map(|n| n.as_str())),
        ("guest", guest.as_deref()),
        ("storage", slots.storage.as_ref().map(|s| s.as_str())),
    ];
    let given: Vec<(&str, &str)> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    house.cluster.expected(&intent.kind, &given)
}

/// What the second recogniser hears after the request's last sample.
fn hear(judge: &mut Judge, script: &Script, asked: &Asked) -> Result<[String; 2]> {
    let from = (asked.first_audio_ms.unwrap_or(asked.speech_end_ms) / 1000.0 * f64::from(RATE_HZ)) as usize;
    ensure!(from <= asked.recording.heard.len(), "the recording is shorter than its own marks");
    let answer = &asked.recording.heard[from..];
    judge.hear_both(answer, &script.words)
}

/// Why a turn is no success.
fn miss(asked: &Asked, intent: Option<&Intent>, wanted: &[Figure], heard: &[String; 2]) -> Option<String> {
    let Some(turn) = &asked.turn else { return Some("nobody woke".into()) };
    if let Some(error) = &turn.error {
        return Some(format!("the turn failed: {error}"));
    }
    let Some(route) = &turn.route else { return Some("nobody answered".into()) };
    if route.kind != jarvisd::event::RouteKind::Intent {
        return Some(format!("not understood: heard {:?}", turn.transcript.as_deref().unwrap_or_default()));
    }
    if asked.first_audio_ms.is_none() {
        return Some("nothing was heard from the loudspeaker".into());
    }
    let Some(intent) = intent else { return Some("nobody knows what this request wants".into()) };
    if !route.reason.starts_with(&intent.kind) {
        return Some(format!("taken for {} instead of {}", route.reason, intent.kind));
    }
    let lacking: Vec<String> =
        wanted.iter().filter(|figure| !figure.is_in(heard)).map(|figure| format!("({figure})")).collect();
    if !lacking.is_empty() {
        return Some(format!("the answer should hold {}, heard {heard:?}", lacking.join(" and ")));
    }
    None
}
