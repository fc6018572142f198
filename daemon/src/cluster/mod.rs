//! The cluster: a typed client of the Proxmox VE API and of the nodes' temperature sensors.
//!
//! [`ClusterClient::run`] answers a turn's reads within [`RUN_LIMIT`] (or `[cluster] wait_ms`), whatever the nodes do: what did not come in
//! time is a gap that names the node. [`ClusterClient::change`] carries out what the safety gate cleared, once. Only GET is ever sent twice.
//!
//! `config` is the section of the TOML, `pin` the TLS, `api` one GET with its failover, `heard` an answer read to its end, `wire` the
//! JSON as it comes, `convert` what it means, `upid` a task's identifier, `sensors` the temperatures, `reads` how each read is put
//! together, `cache` what is kept for how long, `change` a change from its request to the look at what became of it, `rights` what the
//! token may.

mod api;
mod cache;
mod change;
mod config;
mod convert;
mod heard;
mod pin;
mod reads;
mod rights;
mod sensors;
mod upid;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use jarvis_core::cluster::Cluster;
use jarvis_core::gate::Cleared;
use jarvis_core::ids::{NodeName, UnixSeconds, WallMillis};
use jarvis_core::tool::{Facts, Gap, GapReason, Read};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::event::ToolRun;

pub use change::{ChangeLimits, Found, Outcome};
pub use config::{ClusterConfig, Fingerprint, NodeConfig, SensorsConfig};
pub use rights::{Lacking, Part};

/// The longest a turn waits for the cluster: of the 2 s within which an answer begins, half a second is left for the words.
pub const RUN_LIMIT: Duration = Duration::from_millis(1_500);
/// How long names are fresh, in seconds.
const NAMES_FRESH_S: i64 = 10;
/// A node that has not answered by then is late, and the next one is asked beside it.
const LATE: Duration = Duration::from_millis(300);
/// The longest a check of one node takes: the API delays its answer to a wrong token by about 3 s.
const CHECK_LIMIT: Duration = Duration::from_secs(8);

/// The cluster as the daemon reaches it. Cheap to clone; clones share connections and cache.
#[derive(Clone)]
pub struct ClusterClient {
    reader: Arc<reads::Reader>,
    last_seen: Arc<Mutex<Option<Cluster>>>,
}

/// How long the client waits. Tests on a busy machine wait longer than people would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest a turn waits.
    pub run: Duration,
    /// A node that has not answered by then is late, and the next one is asked beside it.
    pub late: Duration,
    /// How long a change is waited for.
    pub change: ChangeLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self { run: RUN_LIMIT, late: LATE, change: ChangeLimits::default() }
    }
}

impl Limits {
    /// A read is over before the turn stops waiting for it.
    fn read(self) -> Duration {
        self.run * 14 / 15
    }

    /// The cluster's own state, which most reads need first, leaves them time.
    fn view(self) -> Duration {
        self.run * 3 / 5
    }

    /// How much longer other nodes are asked whether they are in the majority.
    fn majority(self) -> Duration {
        self.run / 5
    }

    /// The longest a turn waits for names; older ones serve then.
    fn names(self) -> Duration {
        self.run / 3
    }
}

/// Why a client cannot be made; each text names the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(pub(crate) String);

/// How a node was at its last answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeHealth {
    /// Which.
    pub node: NodeName,
    /// Where it is asked.
    pub address: String,
    /// Whether its last answer was one; `None` before the first question.
    pub answers: Option<bool>,
    /// Since when that is so.
    pub since: Option<UnixSeconds>,
    /// Why it does not answer, with a remedy where one is known.
    pub trouble: Option<String>,
}

/// What a check of one node found, for `jarvisctl doctor` and `jarvisd --check`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeCheck {
    /// Which.
    pub node: NodeName,
    /// Version of its API, or what is wrong and what to do.
    pub api: Result<String, String>,
    /// Its hottest sensor in degrees Celsius, or what is wrong and what to do.
    pub sensors: Result<Option<f64>, String>,
}

impl ClusterClient {
    /// Reads the secrets that `config` names. No node is asked yet.
    ///
    /// # Errors
    /// Where a secret cannot be read or a node is described wrongly.
    pub fn new(config: &ClusterConfig) -> Result<Self, SetupError> {
        let run = config.wait_ms.map_or(config.limits.run, |ms| Duration::from_millis(ms.into()));
        let limits = Limits { run, ..config.limits };
        let api = Arc::new(api::Api::new(config, limits)?);
        let sensors = sensors::Sensors::new(config)?.map(Arc::new);
        Ok(Self { reader: Arc::new(reads::Reader::new(api, sensors, limits)), last_seen: Arc::default() })
    }

    /// The longest a turn waits for the cluster: [`RUN_LIMIT`], or what the owner set in its place.
    pub fn patience(&self) -> Duration {
        self.reader.limits.run
    }

    /// Runs `reads` side by side within [`RUN_LIMIT`], or what the owner set in its place. What is not known by then is in [`Facts::gaps`].
    pub async fn run(&self, reads: Vec<Cleared<Read>>) -> (Facts, Vec<ToolRun>) {
        self.run_by(&self.reader, reads).await
    }

    async fn run_by(&self, reader: &Arc<reads::Reader>, reads: Vec<Cleared<Read>>) -> (Facts, Vec<ToolRun>) {
        let runs = reads.into_iter().map(|cleared| async {
            let tier = cleared.tier();
            let read = cleared.into_args();
            let begun = Instant::now();
            let late = || Gap {
                read: read.name().to_owned(),
                node: None,
                reason: GapReason::NodeUnknown,
                detail: "no answer in time".to_owned(),
            };
            let fetched = timeout(reader.limits.run, reader.read(read.clone())).await;
            let facts =
                fetched.map_or_else(|_| Facts { gaps: vec![late()], ..Facts::default() }, |facts| (*facts).clone());
            let run = ToolRun {
                name: read.name().to_owned(),
                args: arguments(&read),
                tier,
                outcome: outcome(&facts.gaps),
                ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            };
            (facts, run)
        });
        let mut all = Facts::default();
        let mut tools = Vec::new();
        for (facts, run) in join_all(runs).await {
            self.remember(facts.cluster.as_ref());
            all = joined(all, facts);
            tools.push(run);
        }
        (all, tools)
    }

    /// What can be named now: at most 10 s old, or the last known where nobody answers at once; `None` where nobody ever did.
    ///
    /// Calling it when a turn opens makes the reads that follow faster: they share its answer.
    pub async fn names(&self) -> Option<Cluster> {
        let known = self.last_seen();
        if let Some(cluster) = &known
            && now().0 - cluster.at.0 < NAMES_FRESH_S
        {
            return known;
        }
        match timeout(self.reader.limits.names(), self.reader.view()).await {
            Ok(Ok(view)) => {
                self.remember(Some(&view.cluster));
                Some(view.cluster.clone())
            }
            Ok(Err(_)) | Err(_) => known,
        }
    }

    /// How each node answered last.
    pub fn health(&self) -> Vec<NodeHealth> {
        self.reader.api.health()
    }

    /// Asks every node for itself, past the cache and with patience.
    pub async fn check(&self) -> Vec<NodeCheck> {
        let reader = &self.reader;
        let checks = reader.api.nodes().map(|node| async move {
            let deadline = Instant::now() + CHECK_LIMIT;
            let (api, sensors) = tokio::join!(reader.api.get_from(node, "/version", deadline), async {
                match &reader.sensors {
                    Some(sensors) => sensors.hottest(node, deadline).await.map_err(|e| e.detail),
                    None => Err("there is no [cluster.sensors]".to_owned()),
                }
            },);
            let version = |data: serde_json::Value| {
                let version = data.get("version").and_then(|v| v.as_str());
                version.unwrap_or("of unknown version").to_owned()
            };
            NodeCheck { node: node.clone(), api: api.map(version).map_err(|error| error.detail), sensors }
        });
        join_all(checks).await
    }

    fn last_seen(&self) -> Option<Cluster> {
        let seen = self.last_seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, cluster: Option<&Cluster>) {
        if let Some(cluster) = cluster {
            let mut seen = self.last_seen.lock().unwrap_or_else(PoisonError::into_inner);
            *seen = Some(cluster.clone());
        }
    }
}

/// Each field from the read that brought it.
fn joined(a: Facts, b: Facts) -> Facts {
    Facts {
        cluster: a.cluster.or(b.cluster),
        node_status: a.node_status.or(b.node_status),
        temperatures: a.temperatures.or(b.temperatures),
        guest_config: a.guest_config.or(b.guest_config),
        snapshots: a.snapshots.or(b.snapshots),
        tasks: a.tasks.or(b.tasks),
        backups: a.backups.or(b.backups),
        backup_jobs: a.backup_jobs.or(b.backup_jobs),
        not_backed_up: a.not_backed_up.or(b.not_backed_up),
        ha: a.ha.or(b.ha),
        replication: a.replication.or(b.replication),
        version: a.version.or(b.version),
        gaps: a.gaps.into_iter().chain(b.gaps).collect(),
    }
}

/// The read's arguments, without its name.
fn arguments(read: &Read) -> serde_json::Value {
    let mut value = serde_json::to_value(read).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("read");
    }
    value
}

fn outcome(gaps: &[Gap]) -> String {
    if gaps.is_empty() {
        return "ok".to_owned();
    }
    let unknown: Vec<_> = gaps
        .iter()
        .map(|gap| match &gap.node {
            Some(node) => format!("{node}: {}", gap.detail),
            None => gap.detail.clone(),
        })
        .collect();
    format!("unknown: {}", unknown.join("; "))
}

fn now() -> UnixSeconds {
    UnixSeconds(wall().0.div_euclid(1000))
}

fn wall() -> WallMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_says_how_long_a_turn_waits_and_nothing_else_changes() {
        let limits = |wait_ms| {
            let config = ClusterConfig { wait_ms, ..ClusterConfig::default() };
            ClusterClient::new(&config).unwrap().reader.limits
        };
        assert_eq!(limits(None), Limits::default());
        assert_eq!(limits(Some(4_000)), Limits { run: Duration::from_secs(4), ..Limits::default() });
    }
}
