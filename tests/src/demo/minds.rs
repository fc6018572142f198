//! `make demo MIND=aimock|llama`: requests that the grammar does not understand, carried by a model that follows a script. A YELLOW change with
//! its question and the spoken yes, then a RED one whose words are confirmed at the second channel. What must be heard of each answer is judged
//! from the recording, as in the demo without a model.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jarvisd::event::{RouteKind, TurnRecord};
use serde_json::{Value, json};

use super::entry::{self, Entry};
use super::referee::{Referee, lacking};
use super::request::{Request, VOICE};
use super::tell::Teller;
use crate::aimock::Aimock;
use crate::crash::GUEST;
use crate::desk::{self, Kind};
use crate::house::{House, HouseConfig};
use crate::llama::{Llama, LlamaConfig};
use crate::owner;
use crate::process::wait_for;
use crate::pve::expected::Figure;
use crate::sound;

/// A request that no pattern of the grammar fits, and that the embedded ear hears rightly.
pub const STRANGE: &str = "hey jarvis, kindly wake vm one one two";
/// The same, for something grave.
const GRAVE: &str = "hey jarvis, take care of vm one one two forcibly and quickly";
/// How long a change may take until it is seen.
const CHANGE_MAX: Duration = Duration::from_secs(60);

/// Tokens of llama-server's window. Its scripted models spell in bytes: what Qwen reads in a fifth of it takes all of it.
const WINDOW: u64 = 32_768;

/// Whose server carries the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mind {
    /// `llmock`, a stand-in that others wrote.
    Aimock,
    /// A real llama-server with a scripted model: it thinks, and calls a tool.
    Llama,
}

impl std::str::FromStr for Mind {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "aimock" => Ok(Self::Aimock),
            "llama" => Ok(Self::Llama),
            _ => bail!("MIND is aimock (a stand-in) or llama (a real llama-server); both follow a script"),
        }
    }
}

/// What `make demo MIND=` was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minded {
    /// Whose server.
    pub mind: Mind,
    /// Workspace.
    pub root: PathBuf,
    /// Where the programs lie.
    pub programs: PathBuf,
    /// Where it writes; cleared first.
    pub dir: PathBuf,
    /// Seed of the cluster's state.
    pub seed: u64,
}

/// What the model does: our own script, played by `llmock`.
fn script() -> Value {
    let call = |tool: &str| json!([{"id": "call_0", "name": tool, "arguments": {"vmid": GUEST}}]);
    json!([
        {"match": {"userMessage": "care"}, "response": {"content": "With regret, sir.", "toolCalls": call("guest_stop")}, "chunkSize": 6},
        {"match": {"systemMessage": "Jarvis"}, "response": {"content": "Certainly, sir.", "toolCalls": call("guest_start")}, "chunkSize": 6},
    ])
}

/// The running server.
enum Server {
    Aimock { _mock: Aimock },
    Llama(Llama),
}

impl Server {
    /// Starts it, and gives the section of the daemon's file that names it.
    fn start(demo: &Minded) -> Result<(Self, String)> {
        match demo.mind {
            Mind::Aimock => {
                let (mock, section) = desk::mind(&demo.dir, &script(), Kind::Local)?;
                Ok((Self::Aimock { _mock: mock }, section))
            }
            Mind::Llama => {
                let llama = Llama::start(&llama(demo, "start", &demo.dir.join("llama-start.log")))?;
                let section = format!(
                    "[[minds.providers]]\nkind = \"openai\"\nname = \"llama\"\nurl = \"{}\"\nmodel = \"scripted\"\nwindow_tokens = {WINDOW}\n",
                    llama.url()
                );
                Ok((Self::Llama(llama), section))
            }
        }
    }

    /// A scripted GGUF calls one tool, whatever is asked: the next request has the next model, at the same address.
    fn turn_grave(self, demo: &Minded) -> Result<Self> {
        match self {
            Self::Aimock { .. } => Ok(self),
            Self::Llama(llama_server) => {
                let port = llama_server.stop();
                Ok(Self::Llama(Llama::at(&llama(demo, "stop", &demo.dir.join("llama-stop.log")), port)?))
            }
        }
    }
}

fn llama<'a>(demo: &'a Minded, model: &'a str, log: &'a std::path::Path) -> LlamaConfig<'a> {
    LlamaConfig { root: &demo.root, model, window: WINDOW, log }
}

/// Runs it; `Ok(true)` if everything was as it must be, else it says what was not.
pub async fn run(demo: &Minded) -> Result<bool> {
    super::clear(&demo.dir)?;
    let who = match demo.mind {
        Mind::Aimock => "llmock",
        Mind::Llama => "a scripted GGUF in a real llama-server",
    };
    println!("Jarvis, with a model that follows a script ({who}). Four simulated nodes, one room, seed {}.", demo.seed);
    println!("{}\n", super::UNTRIED_EAR);
    let (server, section) = Server::start(demo)?;
    let mut config = HouseConfig::new(demo.root.clone(), demo.programs.clone(), demo.dir.clone(), demo.seed);
    config.minds = section;
    let mut house = House::start(config).await?;
    house.cluster.calm();
    set(&house, false);
    println!("The satellite listens. The page: {}", house.page());
    let referee = Referee::new(&demo.root, &demo.programs)?;
    let mut turns = Turns { referee, file: demo.dir.join("turns.json"), entries: Vec::new() };
    let outcome = converse(demo, server, &mut house, &mut turns).await;
    // Also where something was not heard: there it is to be looked for.
    house.room.save(&demo.dir.join("room.wav"))?;
    println!("{}\n{}", turns.file.display(), demo.dir.join("room.wav").display());
    outcome.map(|()| true)
}

/// Both changes, and what is shown of them afterwards.
async fn converse(demo: &Minded, server: Server, house: &mut House, turns: &mut Turns) -> Result<()> {
    yellow(house, turns)?;
    let _server = server.turn_grave(demo)?;
    red(house, turns)?;
    both_shown(house).await?;
    println!("\nThe audit log:");
    print!("{}", text(house, &["audit", "-n", "12"])?);
    print!("{}", text(house, &["audit", "verify"])?);
    Ok(())
}

/// A change that the room's own yes allows.
fn yellow(house: &mut House, turns: &mut Turns) -> Result<()> {
    let asked = turns.say(house, STRANGE, |_, _| Ok(vec![any(&["start"]), guest()]))?;
    minded(&asked)?;
    ensure!(!running(house), "it ran before anybody said yes");
    let from = house.room.now()?;
    // Without the wake word: the room was asked. What it must hold is judged below: a slow machine is told later how it ended.
    turns.say(house, "yes", |_, _| Ok(Vec::new()))?;
    wait_for("the guest to run", CHANGE_MAX, || Ok(running(house).then_some(())))?;
    println!("\n  VM {GUEST} runs, as the cluster says.");
    turns.until_heard(house, from, &[guest(), any(&["up", "running"])])
}

/// A change that takes its two words at a second channel.
fn red(house: &mut House, turns: &mut Turns) -> Result<()> {
    let mut words = None;
    let asked = turns.say(house, GRAVE, |house, turn| {
        words = challenge(&house.said(turn.turn_id)?);
        let told = words.iter().flatten().map(|word| any(&[word]));
        Ok([any(&["plug"]), guest()].into_iter().chain(told).collect())
    })?;
    minded(&asked)?;
    let Some([one, other]) = words else {
        bail!("the two words were not told in the room, but on the page alone, as if nobody were there to hear them");
    };
    let id = house.ctl_json(&["approvals"])?[0]["id"].to_string();
    println!(
        "\n  A voice alone will not do. This demo now does what a person would: at a terminal it confirms the words it heard,"
    );
    println!("  jarvisctl approve {id} {one} {other}");
    let from = house.room.now()?;
    print!("  {}", text(house, &["approve", &id, &one, &other])?);
    ensure!(!running(house), "the guest still runs");
    println!("  VM {GUEST} is off, as the cluster says.");
    // Nobody there waited for its end: it is announced.
    turns.until_heard(house, from, &[guest(), any(&["off"])])
}

/// The two words that a question tells; `None` where it tells none, since they are on the page alone.
fn challenge(question: &str) -> Option<[String; 2]> {
    let (_, rest) = question.split_once("the words ")?;
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some([words.next()?, words.next()?])
}

/// One of these words must be heard.
fn any(words: &[&str]) -> Figure {
    Figure::any(words.iter().map(|word| (*word).to_owned()))
}

/// The guest, by its number.
fn guest() -> Figure {
    Figure::any([GUEST.to_string()])
}

/// Both changes as `jarvisctl` and the page show them: done, and seen to be done.
async fn both_shown(house: &House) -> Result<()> {
    println!("\nWhat jarvisctl shows:");
    print!("{}", text(house, &["approvals"])?);
    let page = owner::shown(&house.page()).await?;
    let on_page: Vec<_> = page.as_array().into_iter().flatten().map(|a| (&a["tier"], &a["stage"])).collect();
    let wanted = [(&json!("RED"), &json!("done")), (&json!("YELLOW"), &json!("done"))];
    ensure!(on_page == wanted, "the page does not show both as done: {page}");
    let listed = house.ctl_json(&["approvals"])?;
    ensure!(listed == page, "jarvisctl shows something else than the page: {listed}, {page}");
    println!("The page shows the same two, done.");
    Ok(())
}

/// The turns so far, written each time one is over, and who judges them.
struct Turns {
    referee: Referee,
    file: PathBuf,
    entries: Vec<Entry>,
}

impl Turns {
    /// Says something in the room, tells what happens, and fails where the answer is not heard. What must be heard of it is known once
    /// the turn is over.
    fn say(
        &mut self,
        house: &mut House,
        words: &str,
        wanted: impl FnOnce(&House, &TurnRecord) -> Result<Vec<Figure>>,
    ) -> Result<TurnRecord> {
        let said = Request::Spoken { voice: VOICE.to_owned(), text: words.to_owned() };
        println!("\n── {said}");
        let mut teller = Teller::new();
        let asked = house.ask(&said.sound()?, |event| teller.tell(event))?;
        let turn = asked.turn.clone();
        let wanted = match &turn {
            Some(turn) => wanted(&*house, turn)?,
            None => Vec::new(),
        };
        let judged = self.referee.listen(&said, asked, wanted)?;
        teller.close(&judged);
        let miss = judged.miss.clone();
        self.entries.push(Entry::judged(&said, judged));
        entry::write(&self.file, &self.entries)?;
        match miss {
            Some(miss) => bail!("{words:?}: {miss}"),
            None => turn.context("nobody woke"),
        }
    }

    /// Waits until the room has heard this at one go since sample `from`, in whichever turn it is said.
    fn until_heard(&mut self, house: &mut House, mut from: usize, wanted: &[Figure]) -> Result<()> {
        let mut lacks = None;
        let heard = wait_for("what came of it to be heard", CHANGE_MAX, || {
            house.wait_quiet()?;
            let sound = house.room.recording(from)?.heard;
            from += sound.len();
            let said = sound::trim(&sound);
            if said.is_empty() {
                return Ok(None);
            }
            let heard = self.referee.hear_sound(&said)?;
            lacks = lacking(wanted, &heard);
            Ok(lacks.is_none().then_some(heard))
        });
        let heard = heard.with_context(|| lacks.unwrap_or_else(|| "nothing was heard".to_owned()))?;
        println!("  Heard in the room: {heard:?}");
        Ok(())
    }
}

fn minded(turn: &TurnRecord) -> Result<()> {
    let kind = turn.route.as_ref().map(|route| route.kind);
    ensure!(kind == Some(RouteKind::LocalModel), "no model answered: {turn:?}");
    Ok(())
}

fn running(house: &House) -> bool {
    house.cluster.state().guests.iter().any(|guest| guest.vmid == GUEST && guest.running)
}

fn set(house: &House, running: bool) {
    house.cluster.change(|state| {
        if let Some(guest) = state.guest_mut(GUEST) {
            guest.running = running;
        }
    });
}

fn text(house: &House, arguments: &[&str]) -> Result<String> {
    let output = house.ctl(arguments)?;
    ensure!(output.status.success(), "jarvisctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_question_are_those_that_it_tells() {
        let told = "Should you mean it, confirm the words acorn falcon on the page or with jarvisctl.";
        assert_eq!(challenge(told), Some(["acorn".to_owned(), "falcon".to_owned()]));
        assert_eq!(
            challenge("Should you mean it, sign in to the page, which shows two words, and confirm them."),
            None
        );
    }
}
