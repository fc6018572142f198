//! `make demo MIC=1`: this machine's own microphone and loudspeaker, a person in front of them, and the simulated cluster.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use jarvis_satellite::cli::{Cli, Command};
use jarvis_satellite::environment::Environment;
use jarvis_satellite::wake;
use jarvisd::ear::EarModel;
use jarvisd::event::EventKind;
use jarvisd::model_fetch::{self, VOSK_SMALL_EN_US};
use tokio::signal::unix::{SignalKind, signal};

use super::entry::{self, Entry};
use super::tell::Teller;
use crate::house::{House, HouseConfig, model};
use crate::place::Devices;

/// The wake word that is taught.
const PHRASE: &str = "hey jarvis";
/// Takes of it.
const TAKES: usize = 5;
/// How long an event is waited for before the keyboard is looked at again.
const LOOK: Duration = Duration::from_millis(50);
/// Presses of Enter that wait; more are forgotten.
const PRESSES_MAX: usize = 4;
/// A line of progress is printed each time so much has come.
const PROGRESS_BYTES: u64 = 4 << 20;

/// What `make demo MIC=1` was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Workspace.
    pub root: PathBuf,
    /// Where the programs lie.
    pub programs: PathBuf,
    /// Where it writes; cleared first. What was taught and fetched is kept beside it, in `people`.
    pub dir: PathBuf,
    /// Seed of the cluster's state.
    pub seed: u64,
    /// Folder of a Vosk model; without one the small official one is offered.
    pub model: Option<PathBuf>,
    /// Name of the microphone; empty is the system's default.
    pub microphone: String,
    /// Name of the loudspeaker; empty is the system's default.
    pub loudspeaker: String,
}

/// Runs until Ctrl-C.
pub async fn run(live: &Live) -> Result<()> {
    let devices = Devices::find(&live.microphone, &live.loudspeaker)?;
    println!("Jarvis. Four simulated nodes, seed {}, and this machine's {devices}.\n", live.seed);
    super::clear(&live.dir)?;
    let mut config = HouseConfig::new(live.root.clone(), live.programs.clone(), live.dir.clone(), live.seed);
    (config.model, config.tried_on_people) = choose_model(live).await?;
    // People speak here: what a model makes of their words that was never tried on any approves nothing.
    config.untried_ear_approves = false;
    let taught = teach(live, &config, &devices)?;
    let mut house = House::around(devices, config).await?;
    println!("\nThe satellite listens. The page: {}", house.page());
    match taught {
        true => println!("Say \"{PHRASE}\" and what you want to know, or press Enter and say it. Ctrl-C ends.\n"),
        false => println!("Press Enter, then say what you want to know. Ctrl-C ends.\n"),
    }
    let turns = converse(&mut house, &live.dir.join("turns.json"))?;
    println!("\n{turns} turns: {}", live.dir.join("turns.json").display());
    Ok(())
}

/// Folder of the model, and whether it is known to understand people.
async fn choose_model(live: &Live) -> Result<(PathBuf, Option<bool>)> {
    if let Some(folder) = &live.model {
        let folder = folder.canonicalize().with_context(|| format!("MODEL={}", folder.display()))?;
        EarModel::read(&folder, None)?;
        println!("Recognition model: {}", folder.display());
        return Ok((folder, None));
    }
    let people = live.people();
    let official = VOSK_SMALL_EN_US;
    if !people.join(official.name).is_dir() {
        println!(
            "The recognition model that comes with Jarvis knows synthetic voices only. One for people can be fetched:\n"
        );
        print!("{}\nFetch it? [y/N] ", official.offer(&people));
        std::io::stdout().flush()?;
        if !model_fetch::agreed(&mut std::io::stdin().lock())? {
            println!(
                "\nNothing was fetched. MODEL=folder names a Vosk model that you have. Going on with the one for synthetic voices: \
                 it will make requests of whatever you say."
            );
            return Ok((model(&live.root), None));
        }
    }
    let mut shown = 0;
    let folder = model_fetch::fetch(&official, &people, |came| {
        if came - shown >= PROGRESS_BYTES || came == official.bytes {
            shown = came;
            println!("  {came} of {} bytes", official.bytes);
        }
    })
    .await?;
    println!("Recognition model: {}", folder.display());
    Ok((folder, Some(true)))
}

/// Teaches the satellite the wake word by five takes, or by those of an earlier run; whether it was taught.
fn teach(live: &Live, config: &HouseConfig, devices: &Devices) -> Result<bool> {
    let kept = wake::learnt_path(&live.people(), PHRASE);
    let again = kept.is_file();
    println!("\nThe wake word is \"{PHRASE}\". Jarvis learns how you say it from {TAKES} takes.");
    match again {
        true => println!("Enter keeps the takes of last time; t and Enter begins anew; s and Enter goes on without."),
        false => println!("Enter begins; s and Enter goes on without (then Enter opens a turn)."),
    }
    let mut line = String::new();
    ensure!(std::io::stdin().read_line(&mut line)? > 0, "nobody is at the keyboard: MIC=1 needs a terminal");
    let learn = match (line.trim(), again) {
        ("s", _) => return Ok(false),
        ("", true) => false,
        _ => true,
    };
    if learn {
        let cli = Cli {
            config: Some(config.satellite_file(devices)?),
            check: false,
            list_devices: false,
            command: Some(Command::Learn {
                phrase: PHRASE.to_owned(),
                out: Some(kept.clone()),
                takes: TAKES,
                files: Vec::new(),
            }),
        };
        jarvis_satellite::tool::carry_out(cli, &Environment::default())?;
    }
    let place = wake::learnt_path(&config.satellite_state(), PHRASE);
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(&kept, &place).with_context(|| format!("copy {} to {}", kept.display(), place.display()))?;
    Ok(true)
}

/// Tells turns as they happen and lets Enter open them, until Ctrl-C; gives their number.
fn converse(house: &mut House<Devices>, file: &Path) -> Result<usize> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let presses = presses()?;
    let mut turns = Vec::new();
    let mut teller = Teller::new();
    let mut keyboard = true;
    while interrupt.recv().now_or_never().is_none() && terminate.recv().now_or_never().is_none() {
        match presses.try_recv() {
            Ok(()) => {
                if let Err(error) = house.room.press() {
                    println!("  (no turn was opened: {error:#})");
                }
            }
            Err(TryRecvError::Disconnected) if keyboard => {
                keyboard = false;
                println!("  (the keyboard is gone: only the wake word opens turns)");
            }
            Err(TryRecvError::Disconnected | TryRecvError::Empty) => {}
        }
        let Some(event) = house.event(LOOK)? else { continue };
        if let EventKind::Wake { .. } = event.kind {
            teller = Teller::new();
        }
        teller.tell(&event);
        if let EventKind::TurnDone(turn) = event.kind {
            house.room.release();
            turns.push(Entry::unrecorded(*turn));
            entry::write(file, &turns)?;
            println!();
        }
    }
    Ok(turns.len())
}

/// Every press of Enter, from a thread that ends with the keyboard or the program.
fn presses() -> Result<Receiver<()>> {
    let (sender, presses) = sync_channel(PRESSES_MAX);
    std::thread::Builder::new().name("keyboard".into()).spawn(move || {
        let lines = std::io::stdin().lock().lines();
        for _ in lines.map_while(Result::ok) {
            if let Err(std::sync::mpsc::TrySendError::Disconnected(())) = sender.try_send(()) {
                return;
            }
        }
    })?;
    Ok(presses)
}

impl Live {
    /// Where models and takes are kept from run to run.
    fn people(&self) -> PathBuf {
        self.dir.with_file_name("people")
    }
}
