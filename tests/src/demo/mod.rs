//! `make demo`: spoken sentences through the whole house, told as they happen, judged from the recording.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::house::{House, HouseConfig};
use crate::room::RoomConfig;

pub mod entry;
pub mod live;
pub mod minds;
pub mod referee;
pub mod request;
pub mod tell;
pub mod variables;

use entry::Entry;
use referee::Referee;
use request::Request;
use tell::Teller;

/// What nobody may overlook where what a synthetic voice says starts a change.
const UNTRIED_EAR: &str = "The embedded ear was never tried on people. Here, where none speak, its \"yes\" counts: untried_ear_approves = true.";

/// What `make demo` was asked for.
#[derive(Debug, Clone, PartialEq)]
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

/// Runs the demo; `Ok(true)` if every turn was answered and every answer held its figure.
pub async fn run(demo: &Demo) -> Result<bool> {
    let dir = demo.dir.clone();
    clear(&dir)?;
    println!("Jarvis. Four simulated nodes, one room, seed {}.\n{UNTRIED_EAR}", demo.seed);
    let mut config = HouseConfig::new(demo.root.clone(), demo.programs.clone(), dir.clone(), demo.seed);
    config.room = RoomConfig { echo_db: Some(demo.echo_db), seed: demo.seed, late: Duration::ZERO };
    let mut house = House::start(config).await?;
    println!("The satellite listens. The page: {}\n", house.page());
    let mut referee = Referee::new(&demo.root, &demo.programs)?;
    let mut entries = Vec::new();
    for request in &demo.requests {
        println!("── {request}");
        let mut teller = Teller::new();
        let judged = referee.ask(&mut house, request, |event| teller.tell(event))?;
        teller.close(&judged);
        println!();
        entries.push(Entry::judged(request, judged));
        entry::write(&dir.join("turns.json"), &entries)?;
    }
    house.room.save(&dir.join("room.wav"))?;
    let misses: Vec<&Entry> = entries.iter().filter(|e| e.miss().is_some()).collect();
    for entry in &misses {
        println!("miss: {} - {}", entry.request(), entry.miss().unwrap_or_default());
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
