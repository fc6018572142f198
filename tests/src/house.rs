//! The whole house on one machine: simulated nodes, `jarvisd`, a room, and a satellite in it. Demo, benches and end-to-end tests
//! all build this one; `make demo MIC=1` builds it around real devices instead of a simulated room.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jarvis_core::ids::TurnId;
use jarvisd::event::{Event, EventKind, TurnRecord};

use crate::owner;
use crate::place::Place;
use crate::ports::free_port;
use crate::process::{self, Process, wait_for};
use crate::pve::Simulator;
use crate::room::{Recording, Room, RoomConfig};
use crate::sound::{self, RATE_HZ};

/// Events read ahead of whoever takes them; `jarvisctl` waits when it is full.
const EVENTS_MAX: usize = 4096;
/// Longest time from the end of what is said to the end of its turn.
const TURN_LIMIT: Duration = Duration::from_secs(40);
/// Longest time from the end of a request to its wake; past it nobody heard.
const WAKE_LIMIT: Duration = Duration::from_secs(30);
/// Silence at the loudspeaker that ends an answer's recording.
const QUIET: Duration = Duration::from_millis(700);
/// Longest time for anything that real processes do.
const LIMIT: Duration = Duration::from_secs(60);
/// What the satellite of the house is called.
pub const ROOM: &str = "study";

/// How the house is built.
#[derive(Debug, Clone)]
pub struct HouseConfig {
    /// Workspace.
    pub root: PathBuf,
    /// Where the programs lie.
    pub programs: PathBuf,
    /// Where it may write.
    pub dir: PathBuf,
    /// Of the cluster's state.
    pub seed: u64,
    /// The room, where it is a simulated one.
    pub room: RoomConfig,
    /// Folder of the ear's model.
    pub model: PathBuf,
    /// Whether people were understood with it; only a model without a description of its own needs to be vouched for.
    pub tried_on_people: Option<bool>,
    /// Whether a "yes" counts that was heard by a model that was never tried on people: only where none speak.
    pub untried_ear_approves: bool,
    /// How long a turn waits for the cluster, in milliseconds; without it as long as where people wait.
    pub wait_ms: Option<u32>,
    /// Models that can be asked: further sections of the daemon's file.
    pub minds: String,
}

impl HouseConfig {
    /// A house with the embedded model and a quiet echo (-10 dB).
    pub fn new(root: PathBuf, programs: PathBuf, dir: PathBuf, seed: u64) -> Self {
        let room = RoomConfig { echo_db: Some(-10.0), seed, late: Duration::ZERO };
        let model = model(&root);
        let (tried_on_people, untried_ear_approves) = (None, true);
        let (wait_ms, minds) = (None, String::new());
        Self { model, tried_on_people, untried_ear_approves, wait_ms, minds, root, programs, dir, seed, room }
    }

    /// Where the satellite keeps its key and the wake words it learnt.
    pub fn satellite_state(&self) -> PathBuf {
        self.dir.join("satellite")
    }

    /// Writes the configuration of a satellite in `room` and gives its path.
    pub fn satellite_file(&self, room: &impl Place) -> Result<PathBuf> {
        let file = self.dir.join("satellite.toml");
        std::fs::write(&file, format!("state_dir = {:?}\n\n{}", self.satellite_state(), room.satellite_toml()))?;
        Ok(file)
    }
}

/// A running house around a simulated room, or around real devices.
pub struct House<P: Place = Room> {
    /// The satellite's process.
    pub satellite: Process,
    /// The daemon's process.
    pub daemon: Process,
    /// The room.
    pub room: P,
    /// The cluster.
    pub cluster: Simulator,
    config: HouseConfig,
    page: String,
    events: Receiver<Event>,
    follower: Child,
}

/// A request and what became of it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The turn; `None` if nobody woke.
    pub turn: Option<TurnRecord>,
    /// From the request's first sample on.
    pub recording: Recording,
    /// Last sample said, in ms of the recording.
    pub speech_end_ms: f64,
    /// First sample of the answer, in ms of the recording.
    pub first_audio_ms: Option<f64>,
}

impl<P: Place> House<P> {
    /// Builds the house around `room` and waits until its satellite listens.
    pub async fn around(room: P, config: HouseConfig) -> Result<Self> {
        std::fs::create_dir_all(&config.dir)?;
        let cluster = Simulator::start(config.seed).await?;
        let page = format!("127.0.0.1:{}", free_port()?);
        std::fs::write(config.dir.join("jarvisd.toml"), daemon_toml(&config, &cluster, &page, &config.model)?)?;
        let daemon = start_daemon(&config, "jarvisd.log")?;
        let (follower, events) = follow(&config)?;
        let satellite = satellite(&config, &room)?;
        let mut house = Self { satellite, daemon, room, cluster, config, page, events, follower };
        house.wait_connected()?;
        Ok(house)
    }

    /// Address of the status page.
    pub fn page(&self) -> String {
        format!("http://{}/", self.page)
    }

    /// The two words of a question, as its owner sees them who is signed in at the page.
    pub async fn words(&self, id: i64) -> Result<Vec<String>> {
        owner::words(&self.page(), &self.config.dir.join("state"), id).await
    }

    /// Confirms the words that were spoken with a question, as its owner does who is signed in at the page.
    pub async fn confirm(&self, id: i64, words: &str) -> Result<()> {
        owner::confirm(&self.page(), &self.config.dir.join("state"), id, words).await
    }

    /// What a turn said aloud, from its rows: elsewhere it is shown without the words, which are for those who were in the room.
    pub fn said(&self, turn: TurnId) -> Result<String> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(self.config.dir.join("state/jarvis.db"), flags)?;
        let all = "select coalesce(group_concat(text, ' '), '') from (select text from sentences where turn_id = ?1 order by seq)";
        Ok(db.query_row(all, [i64::try_from(turn.0)?], |row| row.get(0))?)
    }

    /// Runs `jarvisctl` and gives its output.
    pub fn ctl(&self, arguments: &[&str]) -> Result<Output> {
        ctl(&self.config, arguments)
    }

    /// `jarvisctl`, ready to be run by somebody else.
    pub fn ctl_command(&self, arguments: &[&str]) -> Command {
        ctl_command(&self.config, arguments)
    }

    /// Runs `jarvisctl ... --json` and gives what it printed.
    pub fn ctl_json(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        let output = self.ctl(&[arguments, &["--json"]].concat())?;
        ensure!(
            output.status.success(),
            "jarvisctl {arguments:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).with_context(|| format!("jarvisctl {arguments:?}"))
    }

    /// The next event within `limit`.
    pub fn event(&mut self, limit: Duration) -> Result<Option<Event>> {
        match self.events.recv_timeout(limit) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => self.check().map(|()| None),
            Err(RecvTimeoutError::Disconnected) => {
                self.check()?;
                bail!("jarvisctl turns --follow ended")
            }
        }
    }

    /// An error if any part has ended.
    pub fn check(&mut self) -> Result<()> {
        self.daemon.check()?;
        self.satellite.check()?;
        self.room.check()
    }

    /// Starts the daemon anew, after it was stopped or killed.
    pub fn restart_daemon(&mut self) -> Result<()> {
        self.daemon = start_daemon(&self.config, "jarvisd.again.log")?;
        self.follower.kill()?;
        self.follower.wait()?;
        (self.follower, self.events) = follow(&self.config)?;
        self.wait_connected()
    }

    /// Waits until every worker of the ear has its model loaded: one that loads is busy, and hears nobody.
    pub fn wait_hearing(&mut self) -> Result<()> {
        wait_for("the ear to hear", LIMIT, || {
            self.check()?;
            let ear = self.ctl_json(&["model", "status"])?;
            Ok((ear["loaded"].is_u64() && ear["loaded"] == ear["workers"]).then_some(()))
        })
    }

    fn wait_connected(&mut self) -> Result<()> {
        wait_for("the satellite to connect and to listen", LIMIT, || {
            self.check()?;
            let rooms = self.ctl_json(&["rooms"])?;
            Ok((rooms.to_string().contains("\"connected\":true") && self.room.is_listened_to()?).then_some(()))
        })
    }
}

impl House {
    /// Builds the house around the simulated room that `config` describes.
    pub async fn start(config: HouseConfig) -> Result<Self> {
        let room = Room::open(&config.dir.join("room"), &config.room)?;
        let mut house = Self::around(room, config).await?;
        // A microphone that has just been opened hears the room for a moment before anybody speaks.
        house.wait_quiet()?;
        Ok(house)
    }

    /// Says something in the room and follows the turn that hears it to its end; `tell` sees each event as it happens.
    pub fn ask(&mut self, samples: &[i16], mut tell: impl FnMut(&Event)) -> Result<Asked> {
        self.wait_hearing()?;
        while self.events.try_recv().is_ok() {}
        let from = self.room.now()?;
        self.room.say(samples)?;
        let length = Duration::from_millis(samples.len() as u64 * 1000 / u64::from(RATE_HZ));
        let started = Instant::now();
        let mut turn = None;
        let mut woken = false;
        loop {
            let limit = length + if woken { TURN_LIMIT } else { WAKE_LIMIT };
            let Some(left) = limit.checked_sub(started.elapsed()) else { break };
            let Some(event) = self.event(left.min(Duration::from_millis(500)))? else { continue };
            tell(&event);
            match event.kind {
                EventKind::Wake { .. } => woken = true,
                // One without a frame of the microphone said something by itself, and what is said now may have ended it.
                EventKind::TurnDone(record) if record.marks_ms.first_frame.is_some() => {
                    turn = Some(*record);
                    break;
                }
                _ => {}
            }
        }
        self.wait_quiet()?;
        let recording = self.room.recording(from)?;
        let ms = |sample: usize| sample as f64 * 1000.0 / f64::from(RATE_HZ);
        let end = sound::last_audible(&recording.said).context("what was said is not in the recording")?;
        let first = sound::first_audible(&recording.heard[end..]).map(|n| ms(end + n));
        Ok(Asked { turn, recording, speech_end_ms: ms(end), first_audio_ms: first })
    }

    /// Waits until the loudspeaker has been silent for a while.
    pub fn wait_quiet(&mut self) -> Result<()> {
        let window = RATE_HZ as usize * QUIET.as_millis() as usize / 1000;
        let begun = self.room.now()?;
        wait_for("the loudspeaker to fall silent", LIMIT, || {
            let now = self.room.now()?;
            if now < begun + window {
                return Ok(None);
            }
            let last = self.room.recording(now - window)?;
            Ok(sound::first_audible(&last.heard).is_none().then_some(()))
        })
    }
}

impl<P: Place> Drop for House<P> {
    fn drop(&mut self) {
        if let Err(error) = self.follower.kill().and_then(|()| self.follower.wait()) {
            eprintln!("could not end jarvisctl turns --follow: {error}");
        }
    }
}

/// Starts the daemon with the configuration that was written for it, and waits until it answers its owner.
pub(crate) fn start_daemon(config: &HouseConfig, log: &str) -> Result<Process> {
    let mut command = Command::new(config.programs.join("jarvisd"));
    // Its log goes to a file, which has no times of its own.
    command.arg("--config").arg(config.dir.join("jarvisd.toml")).env_remove("JOURNAL_STREAM");
    let mut daemon = Process::start("jarvisd", &mut command, &config.dir.join(log))?;
    wait_for("jarvisd's control socket", LIMIT, || {
        daemon.check()?;
        Ok(ctl(config, &["status", "--json"])?.status.success().then_some(()))
    })?;
    Ok(daemon)
}

pub(crate) fn daemon_toml(config: &HouseConfig, cluster: &Simulator, page: &str, model: &Path) -> Result<String> {
    let link = format!("127.0.0.1:{}", free_port()?);
    Ok(format!(
        "[daemon]\nstate_dir = {state:?}\n\n[link]\nlisten = \"{link}\"\n\n[page]\nlisten = \"{page}\"\n\n\
         [ear]\nworker = {ear:?}\nmodel = {model:?}\nlibrary_dir = {library:?}\n{tried}\n\
         [speech]\nworker = {voice:?}\n\n\
         # True only where no people speak: what the ear hears may approve then, though it was never tried on them.\n\
         [safety]\nown_guest = 100\nuntried_ear_approves = {approves}\n\n{minds}\n{cluster}",
        minds = config.minds,
        state = config.dir.join("state"),
        ear = config.programs.join("jarvis-ear"),
        tried = config.tried_on_people.map(|word| format!("tried_on_people = {word}\n")).unwrap_or_default(),
        approves = config.untried_ear_approves,
        library = library(&config.root),
        voice = config.programs.join("jarvis-voice"),
        cluster = match config.wait_ms {
            Some(ms) => cluster.toml()?.replacen("[cluster]\n", &format!("[cluster]\nwait_ms = {ms}\n"), 1),
            None => cluster.toml()?,
        },
    ))
}

/// The embedded model.
pub fn model(root: &Path) -> PathBuf {
    root.join("daemon/models/en-commands")
}

/// Where libvosk lies.
pub fn library(root: &Path) -> PathBuf {
    root.join("target/native")
}

pub(crate) fn ctl(config: &HouseConfig, arguments: &[&str]) -> Result<Output> {
    ctl_command(config, arguments).output().context("start jarvisctl")
}

fn ctl_command(config: &HouseConfig, arguments: &[&str]) -> Command {
    let mut command = Command::new(config.programs.join("jarvisctl"));
    command.arg("--config").arg(config.dir.join("jarvisd.toml")).args(arguments);
    command
}

pub(crate) fn follow(config: &HouseConfig) -> Result<(Child, Receiver<Event>)> {
    let mut command = Command::new(config.programs.join("jarvisctl"));
    command.arg("--config").arg(config.dir.join("jarvisd.toml")).args(["turns", "--follow", "--json"]);
    let mut child = process::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let out = child.stdout.take().context("jarvisctl's output")?;
    let mut lines = BufReader::new(out).lines();
    // Its first line is the past; once that is there, nothing that follows is missed.
    lines.next().context("jarvisctl turns --follow said nothing")??;
    let (sender, events) = sync_channel(EVENTS_MAX);
    std::thread::Builder::new().name("events".into()).spawn(move || {
        for line in lines {
            let Ok(line) = line else { return };
            match serde_json::from_str::<Event>(&line) {
                Ok(event) => {
                    if sender.send(event).is_err() {
                        return;
                    }
                }
                Err(error) => eprintln!("not an event ({error}): {line}"),
            }
        }
    })?;
    Ok((child, events))
}

fn satellite(config: &HouseConfig, room: &impl Place) -> Result<Process> {
    let output = ctl(config, &["enrol", ROOM, "--json"])?;
    ensure!(output.status.success(), "jarvisctl enrol: {}", String::from_utf8_lossy(&output.stderr));
    let enrolled: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let code = enrolled["code"].as_str().context("a code")?;
    let file = config.satellite_file(room)?;
    let program = config.programs.join("jarvis-satellite");
    let output = Command::new(&program).arg("--config").arg(&file).arg("enrol").arg(code).output()?;
    ensure!(output.status.success(), "jarvis-satellite enrol: {}", String::from_utf8_lossy(&output.stderr));
    let mut command = Command::new(&program);
    command.arg("--config").arg(&file).envs(room.environment());
    Process::start("jarvis-satellite", &mut command, &config.dir.join("satellite.log"))?.sounds()
}
