//! `make demo MIND=aimock`: requests that the grammar does not understand, carried by a model that follows a script. A YELLOW change with its
//! question and the spoken yes, then a RED one whose words are confirmed at the second channel.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jarvisd::event::{RouteKind, TurnRecord};
use serde_json::{Value, json};

use super::request::VOICE;
use super::tell::Teller;
use crate::crash::GUEST;
use crate::desk::{self, Kind};
use crate::house::{Asked, House, HouseConfig};
use crate::process::wait_for;
use crate::sound;

/// A request that no pattern of the grammar fits, and that the embedded ear hears rightly.
pub const STRANGE: &str = "hey jarvis, kindly wake vm one one two";
/// The same, for something grave.
const GRAVE: &str = "hey jarvis, take care of vm one one two forcibly and quickly";
/// How long a change may take until it is seen.
const CHANGE_MAX: Duration = Duration::from_secs(60);

/// What `make demo MIND=` was asked for.
#[derive(Debug, Clone)]
pub struct Minded {
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

/// Runs it; `Ok(true)` if everything was as it must be, else it says what was not.
pub async fn run(demo: &Minded) -> Result<bool> {
    super::clear(&demo.dir)?;
    println!(
        "Jarvis, with a model that follows a script (llmock). Four simulated nodes, one room, seed {}.",
        demo.seed
    );
    println!(
        "The embedded ear was never tried on people. Here, where none speak, its \"yes\" counts: untried_ear_approves = true.\n"
    );
    let (_mock, section) = desk::mind(&demo.dir, &script(), Kind::Local)?;
    let mut config = HouseConfig::new(demo.root.clone(), demo.programs.clone(), demo.dir.clone(), demo.seed);
    config.minds = section;
    let mut house = House::start(config).await?;
    house.cluster.calm();
    set(&house, false);
    println!("The satellite listens. The page: {}", house.page());
    yellow(&mut house)?;
    red(&mut house)?;
    println!("\nThe audit log:");
    print!("{}", text(&house, &["audit", "-n", "12"])?);
    print!("{}", text(&house, &["audit", "verify"])?);
    house.room.save(&demo.dir.join("room.wav"))?;
    println!("{}", demo.dir.join("room.wav").display());
    Ok(true)
}

/// A change that the room's own yes allows.
fn yellow(house: &mut House) -> Result<()> {
    let asked = say(house, STRANGE)?;
    let question = minded(&asked)?.reply.clone().unwrap_or_default();
    ensure!(question.contains("start") && question.contains(&GUEST.to_string()), "no question: {question}");
    ensure!(!running(house), "it ran before anybody said yes");
    // Without the wake word: the room was asked.
    let answered = say(house, "yes")?;
    let turn = answered.turn.context("nobody heard the yes")?;
    wait_for("the guest to run", CHANGE_MAX, || Ok(running(house).then_some(())))?;
    println!("\n  VM {GUEST} runs, as the cluster says. Jarvis said: {}", turn.reply.unwrap_or_default());
    Ok(())
}

/// A change that takes its two words at a second channel.
fn red(house: &mut House) -> Result<()> {
    let asked = say(house, GRAVE)?;
    let question = minded(&asked)?.reply.clone().unwrap_or_default();
    let words: Vec<&str> = match question.split_once("the words ") {
        Some((_, rest)) => rest.split_whitespace().take(2).collect(),
        None => bail!("no words were spoken: {question}"),
    };
    let open = house.ctl_json(&["approvals"])?;
    let id = open[0]["id"].to_string();
    println!(
        "\n  A voice alone will not do. This demo now does what a person would: at a terminal it confirms the words it heard,"
    );
    println!("  jarvisctl approve {id} {}", words.join(" "));
    print!("  {}", text(house, &["approve", &id, words[0], words[1]])?);
    ensure!(!running(house), "the guest still runs");
    println!("  VM {GUEST} is off, as the cluster says.");
    house.wait_quiet()
}

/// Says something in the room, and tells what happens.
fn say(house: &mut House, words: &str) -> Result<Asked> {
    println!("\n── {VOICE}: \"{words}\"");
    let samples = sound::scaled(&sound::espeak(VOICE, words)?, 9000);
    let teller = std::cell::RefCell::new(Teller::new());
    house.ask(&samples, |event| teller.borrow_mut().tell(event))
}

fn minded(asked: &Asked) -> Result<&TurnRecord> {
    let turn = asked.turn.as_ref().context("nobody woke")?;
    let kind = turn.route.as_ref().map(|route| route.kind);
    ensure!(kind == Some(RouteKind::LocalModel), "no model answered: {turn:?}");
    Ok(turn)
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
