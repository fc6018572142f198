//! A house of safety that is killed: real store, real client, a simulated cluster; the daemon's part of it dropped at any moment and
//! begun anew. Whatever the moment, nothing may run twice, and what is said of a change must be what happened.
//!
//! Length: what is killed, where, and how it is judged belong together.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jarvis_core::approval::Channel;
use jarvis_core::gate::{Ask, Asker, Origin, Voice};
use jarvis_core::ids::{ApprovalId, TurnId};
use jarvis_core::tools::parse;
use jarvisd::cluster::{ChangeLimits, ClusterClient, ClusterConfig, Limits};
use jarvisd::ctl::Typed;
use jarvisd::event::Bus;
use jarvisd::mcp::{McpConfig, Servers};
use jarvisd::safety::{Approval, MemoryWork, Proposed, RECONCILE_EVERY, Runs, RunsConfig, Safety, SafetyConfig};
use jarvisd::store::{ApprovalRow, Probe, Store};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::pve::{Dice, Options, Simulator};

/// The VM that is started and shut down.
pub const GUEST: u32 = 112;
/// The room that asks.
pub const ROOM: &str = "study";
/// For what must come: so long that the machine's other work decides nothing.
const PATIENT: Duration = Duration::from_secs(120);
/// How long a lost task may take to turn up in the simulator's list.
const SETTLE: Duration = Duration::from_millis(500);
/// A task takes so long.
const PACE: Duration = Duration::from_millis(15);
/// Announcements that are kept for a test to count.
const ANNOUNCED_MAX: usize = 256;

#[derive(Deserialize)]
struct File {
    cluster: ClusterConfig,
}

/// The cluster, and what of the daemon survives a kill.
pub struct Bed {
    /// The cluster.
    pub simulator: Simulator,
    /// What the daemon keeps.
    pub dir: tempfile::TempDir,
    /// How often a daemon looks for what it does not know.
    pub look_every: Duration,
    config: ClusterConfig,
}

/// The part of the daemon that is killed.
pub struct Daemon {
    // Let go of first: the store's thread may stand still at it.
    wire: Option<Wire>,
    /// Its handle.
    pub safety: Safety,
    /// Its store.
    pub store: Store,
    /// Where it tells of what happens.
    pub bus: Bus,
    /// Stages of the changes whose end was announced in a room, in their order.
    pub announced: mpsc::Receiver<String>,
    runs: JoinHandle<()>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.runs.abort();
    }
}

impl Bed {
    /// A cluster in which nothing stands in a change's way.
    pub async fn new(seed: u64) -> Result<Self> {
        let quick = Options { sensors: false, pace: PACE, proxy_delay: Duration::ZERO, ..Options::seed(seed) };
        let simulator = Simulator::with(quick).await?;
        simulator.calm();
        let config = toml::from_str::<File>(&simulator.toml()?).context("the simulator's section")?.cluster;
        Ok(Self { simulator, dir: tempfile::tempdir()?, look_every: RECONCILE_EVERY, config })
    }

    /// A daemon on what the last one left.
    pub async fn start(&self) -> Result<Daemon> {
        self.start_with(&safety_config()).await
    }

    /// The same with another `[safety]`.
    pub async fn start_with(&self, config: &SafetyConfig) -> Result<Daemon> {
        self.begin(config, None).await
    }

    async fn begin(&self, config: &SafetyConfig, wire: Option<Wire>) -> Result<Daemon> {
        let change = ChangeLimits {
            answer: PATIENT,
            poll_first: Duration::from_millis(5),
            poll_longest: Duration::from_millis(50),
            read_back: PATIENT,
            settle: SETTLE,
            task: PATIENT,
        };
        let limits = Limits { run: PATIENT, change, ..Limits::default() };
        let cluster = ClusterClient::new(&ClusterConfig { limits, ..self.config.clone() })?;
        let store = open(&self.database(), wire.as_ref()).await?;
        let bus = Bus::new();
        let servers = Servers::new(&McpConfig::default(), store.clone(), bus.clone());
        let (safety, runs) =
            Safety::open(self.dir.path(), config, store.clone(), cluster, servers, bus.clone()).await?;
        let (announce, announced) = mpsc::channel(ANNOUNCED_MAX);
        let runs = tokio::spawn(work(runs, self.look_every, announce));
        Ok(Daemon { wire, safety, store, bus, announced, runs })
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("jarvis.db")
    }

    /// The stage of an approval, while no daemon runs.
    fn stage(&self, id: i64) -> Result<String> {
        let db = rusqlite::Connection::open(self.database())?;
        Ok(db.query_row("select stage from approvals where id = ?1", [id], |row| row.get(0))?)
    }

    /// How often the guest was really started or stopped so far.
    pub fn deeds(&self) -> usize {
        self.simulator.state().works.history.iter().filter(|deed| deed.vmid == GUEST).count()
    }

    /// Whether the guest runs.
    pub fn running(&self) -> bool {
        self.simulator.state().guests.iter().any(|guest| guest.vmid == GUEST && guest.running)
    }
}

async fn work(runs: Runs, look_every: Duration, announce: mpsc::Sender<String>) {
    let (typed, mut announcements) = mpsc::channel(ANNOUNCED_MAX);
    let hear = async {
        while let Some(told) = announcements.recv().await {
            if let Typed::Announce { text, .. } = told
                && announce.try_send(text).is_err()
            {
                tracing::debug!("nobody counts announcements");
            }
        }
    };
    let words = |row: &ApprovalRow| row.row.stage.name().to_owned();
    let memory: MemoryWork = Arc::new(|_, _| Box::pin(async { Err("nobody does it here".to_owned()) }));
    tokio::join!(runs.run(RunsConfig { typed, words, look_every, memory }), hear);
}

/// The database; a daemon that was just killed may hold its lock for a moment.
async fn open(path: &Path, wire: Option<&Wire>) -> Result<Store> {
    let begun = Instant::now();
    loop {
        match Store::open_observed(path, wire.map(Wire::probe).unwrap_or_default()) {
            Ok((store, _)) => return Ok(store),
            Err(error) if begun.elapsed() < PATIENT => {
                tracing::debug!("{error}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Jarvis is guest 100.
pub fn safety_config() -> SafetyConfig {
    SafetyConfig { own_guest: Some(100), ..SafetyConfig::default() }
}

/// Who asks aloud in the room, heard by a model tried on people.
pub fn asker() -> Asker {
    Asker { room: Some(ROOM.to_owned()), voice: Voice::Tried }
}

/// The words of a question, as bare as they get.
pub fn question(ask: &Ask, words: Option<&str>) -> String {
    format!("Shall I {}? {}", ask.work.summary.sentence(), words.unwrap_or_default()).trim().to_owned()
}

impl Daemon {
    /// Proposes a call in the owner's own words, in a turn that speaks the question to its end; the question that is asked.
    pub async fn ask(&self, tool: &str, args: &str) -> Result<Approval> {
        static TURNS: AtomicU64 = AtomicU64::new(1);
        let turn = TurnId(TURNS.fetch_add(1, Ordering::Relaxed));
        let proposed = self.safety.propose(parse(tool, args)?, Origin::Owner, asker(), Some(turn), question).await?;
        let Proposed::Asked(asked) = proposed else { bail!("{tool} {args}: {proposed:?}") };
        self.safety.turn_over(turn, Some(asked.id)).await?;
        self.find(asked.id).await
    }

    /// An approval as it stands.
    pub async fn find(&self, id: ApprovalId) -> Result<Approval> {
        let past = self.safety.past(200).await?;
        past.into_iter().find(|approval| approval.id == id.0).context("the approval")
    }

    /// Says yes at a second channel.
    pub async fn approve(&self, approval: &Approval, words: Option<&str>) -> Result<()> {
        let words = words.map(str::to_owned);
        self.safety.approve_second(ApprovalId(approval.id), Channel::Ctl, &approval.seal, words).await?;
        Ok(())
    }
}

/// Counts what the store did, and makes it stand still once so much was done: what comes after it is then never begun.
struct Wire {
    done: Arc<AtomicU64>,
    /// Where it stands still; 0 while it does not.
    at: Arc<AtomicU64>,
    tell: mpsc::Sender<()>,
    reached: mpsc::Receiver<()>,
    held: Arc<Mutex<Receiver<()>>>,
    // Dropped with the wire, which lets the store's thread go: to its end.
    _hold: SyncSender<()>,
}

impl Wire {
    fn new() -> Self {
        let (tell, reached) = mpsc::channel(1);
        let (hold, held) = sync_channel(1);
        let held = Arc::new(Mutex::new(held));
        Self { done: Arc::default(), at: Arc::default(), tell, reached, held, _hold: hold }
    }

    fn probe(&self) -> Probe {
        let (done, at, tell, held) = (self.done.clone(), self.at.clone(), self.tell.clone(), self.held.clone());
        let committed = move || {
            if done.fetch_add(1, Ordering::SeqCst) + 1 != at.load(Ordering::SeqCst) {
                return;
            }
            if tell.try_send(()).is_ok() {
                // An error: it was let go.
                held.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
            }
            // What was committed is; nobody is ever told of it.
            std::panic::resume_unwind(Box::new("killed"));
        };
        Probe { committing: None, committed: Some(Box::new(committed)) }
    }

    fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }
}

/// Where a daemon is killed in the middle of a change.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// After so many calls of its store, each of which is a step: committed, and nothing after it begun.
    Step(u64),
    /// After so much time: at whatever await of it that is.
    After(Duration),
}

/// What a run of kills came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kills {
    /// How often the daemon was killed with a change approved, or about to be, and not over.
    pub kills: usize,
    /// Of those, how many between two calls of the store; the others at a moment.
    pub at_steps: usize,
    /// In which stage the change was on disk at its death.
    pub stages: BTreeMap<String, usize>,
    /// Changes that ran more than once.
    pub double: usize,
    /// Changes of which something else was said than happened.
    pub wrong: usize,
}

impl fmt::Display for Kills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, at_steps, stages, .. } = self;
        write!(
            f,
            "{kills} kills, {at_steps} of them between two steps, the others at any moment; on disk the change was {stages:?}"
        )
    }
}

/// Approves a change, kills the daemon at a point drawn from `seed`, begins a new one, and compares what it says with what happened, until
/// that many were killed in the middle. Whatever stays unanswered is no harm; what runs twice is.
pub async fn kills(count: usize, seed: u64) -> Result<Kills> {
    let bed = Bed::new(seed).await?;
    let mut whole = bed.whole().await?;
    // The quickest of three: one that the machine's other work held up would put most moments after a change's end.
    for _ in 0..2 {
        whole.micros = whole.micros.min(bed.whole().await?.micros);
    }
    let mut dice = Dice::new(seed, "kills");
    let mut found = Kills::default();
    let mut survived = 0;
    while found.kills < count {
        // As many of one kind as of the other, however many changes are over before their moment comes.
        let cut = match found.at_steps * 2 <= found.kills {
            true => Cut::Step(dice.between(1, whole.steps)),
            false => Cut::After(Duration::from_micros(dice.between(0, whole.micros))),
        };
        if !one_kill(&bed, cut, &mut found).await? {
            survived += 1;
            ensure!(survived <= 10 + count, "{survived} changes were over before they could be cut: {found}");
        }
    }
    Ok(found)
}

/// What a change takes that nobody cuts off.
struct Whole {
    steps: u64,
    micros: u64,
}

impl Bed {
    /// The change that there is to do: what it is called.
    fn change(&self) -> &'static str {
        if self.running() { "guest_shutdown" } else { "guest_start" }
    }

    async fn whole(&self) -> Result<Whole> {
        let wire = Wire::new();
        let daemon = self.begin(&safety_config(), Some(wire)).await?;
        let asked = daemon.ask(self.change(), &format!(r#"{{"vmid":{GUEST}}}"#)).await?;
        let done = || daemon.wire.as_ref().map(Wire::done).context("the wire");
        let (steps, begun) = (done()?, Instant::now());
        daemon.approve(&asked, None).await?;
        daemon.safety.wait(ApprovalId(asked.id), PATIENT).await?;
        let micros = u64::try_from(begun.elapsed().as_micros())?;
        Ok(Whole { steps: done()? - steps, micros })
    }
}

impl Daemon {
    /// As SIGKILL does it: nothing of it goes on.
    async fn die(mut self) {
        self.runs.abort();
        // Ended by being aborted.
        (&mut self.runs).await.ok();
    }
}

/// One kill; false where the change was over before.
async fn one_kill(bed: &Bed, cut: Cut, found: &mut Kills) -> Result<bool> {
    let before = bed.deeds();
    let mut daemon = bed.begin(&safety_config(), Some(Wire::new())).await?;
    let asked = daemon.ask(bed.change(), &format!(r#"{{"vmid":{GUEST}}}"#)).await?;
    let mut wire = daemon.wire.take().context("the wire")?;
    if let Cut::Step(step) = cut {
        wire.at.store(wire.done() + step, Ordering::SeqCst);
    }
    let whole = async {
        daemon.approve(&asked, None).await?;
        daemon.safety.wait(ApprovalId(asked.id), PATIENT).await?;
        Ok::<_, anyhow::Error>(())
    };
    let killed = async {
        match cut {
            Cut::Step(_) => {
                wire.reached.recv().await;
            }
            Cut::After(time) => tokio::time::sleep(time).await,
        }
    };
    let cut_off = tokio::select! {
        biased;
        () = killed => true,
        done = whole => done.map(|()| false)?,
    };
    daemon.wire = Some(wire);
    daemon.die().await;
    if !cut_off {
        return Ok(false);
    }
    found.kills += 1;
    found.at_steps += usize::from(matches!(cut, Cut::Step(_)));
    *found.stages.entry(bed.stage(asked.id)?).or_default() += 1;
    let daemon = bed.start().await?;
    let stage = settled(&daemon, asked.id).await?;
    let deeds = bed.deeds() - before;
    found.double += usize::from(deeds > 1);
    let told_truly = match stage.as_str() {
        "done" => deeds == 1,
        "failed" | "cancelled" | "expired" | "pending" => deeds == 0,
        other => bail!("nothing was found out: {other}"),
    };
    if !told_truly {
        eprintln!("killed at {cut:?}: said {stage}, happened {deeds} times");
        found.wrong += 1;
    }
    // The next round begins with the guest as this one left it.
    if stage == "pending" {
        daemon.safety.refuse(ApprovalId(asked.id), "bench").await?;
    }
    Ok(true)
}

/// Waits until an approval is neither under way nor unknown.
async fn settled(daemon: &Daemon, id: i64) -> Result<String> {
    let begun = Instant::now();
    loop {
        let stage = daemon.find(ApprovalId(id)).await?.stage;
        if !["started", "unknown", "approved"].contains(&stage.as_str()) {
            return Ok(stage);
        }
        ensure!(begun.elapsed() < PATIENT, "approval {id} stays {stage}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
