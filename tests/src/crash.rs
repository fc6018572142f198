//! A house of safety that is killed: real store, real client, a simulated cluster; the daemon's part of it dropped at any moment and
//! begun anew. Whatever the moment, nothing may run twice, and what is said of a change must be what happened.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jarvis_core::approval::Channel;
use jarvis_core::gate::{Ask, Asker, Origin, Voice};
use jarvis_core::ids::ApprovalId;
use jarvis_core::tools::parse;
use jarvisd::cluster::{ChangeLimits, ClusterClient, ClusterConfig, Limits};
use jarvisd::event::Bus;
use jarvisd::mcp::{McpConfig, Servers};
use jarvisd::safety::{Approval, Proposed, Runs, RunsConfig, Safety, SafetyConfig};
use jarvisd::store::Store;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::pve::{Options, Simulator};

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
    config: ClusterConfig,
}

/// The part of the daemon that is killed.
pub struct Daemon {
    /// Its handle.
    pub safety: Safety,
    /// Its store.
    pub store: Store,
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
        let quick = Options { sensors: false, pace: PACE, ..Options::seed(seed) };
        let simulator = Simulator::with(quick).await?;
        calm(&simulator);
        let config = toml::from_str::<File>(&simulator.toml()?).context("the simulator's section")?.cluster;
        Ok(Self { simulator, dir: tempfile::tempdir()?, config })
    }

    /// A daemon on what the last one left.
    pub async fn start(&self) -> Result<Daemon> {
        self.start_with(&safety_config()).await
    }

    /// The same with another `[safety]`.
    pub async fn start_with(&self, config: &SafetyConfig) -> Result<Daemon> {
        let change = ChangeLimits {
            answer: PATIENT,
            poll_first: Duration::from_millis(5),
            poll_longest: Duration::from_millis(50),
            read_back: PATIENT,
            settle: SETTLE,
            task: PATIENT,
        };
        let cluster = ClusterClient::with_limits(&self.config, Limits { run: PATIENT, change, ..Limits::default() })?;
        let path = self.dir.path().join("jarvis.db");
        let store = open(&path).await?;
        let servers = Servers::new(&McpConfig::default(), store.clone(), Bus::new());
        let (safety, runs) = Safety::open(self.dir.path(), config, store.clone(), cluster, servers, Bus::new()).await?;
        Ok(Daemon { safety, store, runs: tokio::spawn(work(runs)) })
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

/// Nothing stands in a change's way.
pub fn calm(simulator: &Simulator) {
    simulator.change(|state| {
        state.ha.clear();
        for node in &mut state.nodes {
            node.memory.0 = node.memory.1 / 4;
        }
        for storage in &mut state.storages {
            storage.bytes.0 = storage.bytes.1 / 4;
        }
        for guest in &mut state.guests {
            guest.protection = guest.vmid == 100;
        }
    });
}

async fn work(runs: Runs) {
    // Nobody is in the room to hear announcements.
    let (typed, _announcements) = mpsc::channel(64);
    runs.run(RunsConfig { typed, words: |_| String::new() }).await;
}

/// The database; a daemon that was just killed may hold its lock for a moment.
async fn open(path: &Path) -> Result<Store> {
    let begun = Instant::now();
    loop {
        match Store::open(path) {
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
    /// Proposes a call in the owner's own words; the question that is asked.
    pub async fn ask(&self, tool: &str, args: &str) -> Result<Approval> {
        let proposed = self.safety.propose(parse(tool, args)?, Origin::Owner, asker(), None, question).await?;
        let Proposed::Asked(asked) = proposed else { bail!("{tool} {args}: {proposed:?}") };
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

/// What a run of kills came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kills {
    /// How often the daemon was killed.
    pub kills: usize,
    /// Kills with a change begun and not over.
    pub in_the_middle: usize,
    /// Changes that ran more than once.
    pub double: usize,
    /// Changes of which something else was said than happened.
    pub wrong: usize,
}

/// Approves a change, kills the daemon after a moment drawn from `seed`, begins a new one, and compares what it says with what
/// happened; `count` times. Whatever stays unanswered is no harm; what runs twice is.
pub async fn kills(count: usize, seed: u64) -> Result<Kills> {
    let bed = Bed::new(seed).await?;
    let mut found = Kills::default();
    let mut random = seed | 1;
    for _ in 0..count {
        // xorshift64 (Marsaglia 2003).
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        one_kill(&bed, Duration::from_micros(random % 90_000), &mut found).await?;
    }
    Ok(found)
}

async fn one_kill(bed: &Bed, after: Duration, found: &mut Kills) -> Result<()> {
    let (before, ran) = (bed.deeds(), bed.running());
    let tool = if ran { "guest_shutdown" } else { "guest_start" };
    let daemon = bed.start().await?;
    let args = format!(r#"{{"vmid":{GUEST}}}"#);
    let asked = daemon.ask(tool, &args).await?;
    {
        let whole = async {
            daemon.approve(&asked, None).await?;
            daemon.safety.wait(ApprovalId(asked.id), PATIENT).await?;
            Ok::<_, anyhow::Error>(())
        };
        // Cut at any await of it, as a kill cuts.
        if let Ok(done) = tokio::time::timeout(after, whole).await {
            done?;
        }
    }
    let middle = daemon.find(ApprovalId(asked.id)).await?.stage == "started";
    drop(daemon);
    found.kills += 1;
    found.in_the_middle += usize::from(middle);
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
        eprintln!("killed after {after:?}: said {stage}, happened {deeds} times");
        found.wrong += 1;
    }
    // The next round begins with the guest as this one left it.
    if stage == "pending" {
        daemon.safety.refuse(ApprovalId(asked.id), "bench").await?;
    }
    Ok(())
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
