//! The reads that the local intents ask of the cluster, and what comes back.
//!
//! A [`Read`] is data: the shell runs it and answers with [`Facts`]. A read that failed leaves its facts `None` and says why in
//! [`Facts::gaps`], so that the answer can name what is unknown.

use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, Task};
use crate::ids::{NodeName, UnixSeconds, Vmid};

/// The four safety tiers (docs/safety.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Tier {
    /// Reads: at once.
    Green,
    /// Reversible, or a brief graceful interruption of one unprotected guest.
    Yellow,
    /// Destroys, forces, or interrupts what matters.
    Red,
    /// Never, whoever asks.
    Black,
}

impl Tier {
    /// As it is written and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Green => "GREEN",
            Self::Yellow => "YELLOW",
            Self::Red => "RED",
            Self::Black => "BLACK",
        }
    }
}

/// One read of the cluster. `name()` is what turns, the page and the audit show.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "read", rename_all = "snake_case")]
pub enum Read {
    /// Nodes, guests, storages, quorum: `/cluster/resources`, `/cluster/status`.
    Cluster,
    /// Version, kernel and load of a node: `/nodes/{node}/status`.
    NodeStatus {
        /// Which.
        node: NodeName,
    },
    /// Hottest sensor of each node named: `sensors -j` over SSH.
    Temperatures {
        /// Which; empty for all.
        nodes: Vec<NodeName>,
    },
    /// Configuration of a guest: `/nodes/{node}/{qemu|lxc}/{vmid}/config`.
    GuestConfig {
        /// Which.
        vmid: Vmid,
    },
    /// Snapshots of a guest: `/nodes/{node}/{qemu|lxc}/{vmid}/snapshot`.
    Snapshots {
        /// Which.
        vmid: Vmid,
    },
    /// Tasks of the whole cluster: `/cluster/tasks`.
    Tasks,
    /// Backups found on the storages: `/nodes/{node}/storage/{storage}/content?content=backup`.
    Backups,
    /// Backup jobs: `/cluster/backup`.
    BackupJobs,
    /// Guests that no job covers: `/cluster/backup-info/not-backed-up`.
    NotBackedUp,
    /// HA manager: `/cluster/ha/status/current`.
    Ha,
    /// Replication of each node: `/nodes/{node}/replication`.
    Replication,
    /// Version of the API: `/version`.
    Version,
}

impl Read {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::NodeStatus { .. } => "node_status",
            Self::Temperatures { .. } => "temperatures",
            Self::GuestConfig { .. } => "guest_config",
            Self::Snapshots { .. } => "snapshots",
            Self::Tasks => "tasks",
            Self::Backups => "backups",
            Self::BackupJobs => "backup_jobs",
            Self::NotBackedUp => "not_backed_up",
            Self::Ha => "ha",
            Self::Replication => "replication",
            Self::Version => "version",
        }
    }

    /// Reads change nothing.
    pub fn tier(&self) -> Tier {
        Tier::Green
    }
}

/// What the reads of one turn brought.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// From [`Read::Cluster`].
    pub cluster: Option<Cluster>,
    /// From [`Read::NodeStatus`].
    pub node_status: Option<NodeStatus>,
    /// From [`Read::Temperatures`]: node and degrees Celsius; `None` where the node did not say.
    pub temperatures: Option<Vec<(NodeName, Option<f64>)>>,
    /// From [`Read::GuestConfig`].
    pub guest_config: Option<GuestConfig>,
    /// From [`Read::Snapshots`], oldest first, `current` left out.
    pub snapshots: Option<Vec<Snapshot>>,
    /// From [`Read::Tasks`], newest first.
    pub tasks: Option<Vec<Task>>,
    /// From [`Read::Backups`], newest first.
    pub backups: Option<Vec<Backup>>,
    /// From [`Read::BackupJobs`].
    pub backup_jobs: Option<Vec<BackupJob>>,
    /// From [`Read::NotBackedUp`].
    pub not_backed_up: Option<Vec<Vmid>>,
    /// From [`Read::Ha`].
    pub ha: Option<Vec<HaEntry>>,
    /// From [`Read::Replication`].
    pub replication: Option<Vec<Replication>>,
    /// From [`Read::Version`]: `9.2.3`.
    pub version: Option<String>,
    /// What could not be learnt.
    pub gaps: Vec<Gap>,
}

/// Something that could not be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// [`Read::name`] of the read.
    pub read: String,
    /// The node that did not answer, where one is to name.
    pub node: Option<NodeName>,
    /// Why.
    pub reason: GapReason,
    /// In words for the journal and the page; never spoken.
    pub detail: String,
}

/// Why something is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The node is dead or cannot be reached (595 to 599, connection refused, time-out).
    NodeUnknown,
    /// The API forbade it.
    Forbidden,
    /// The thing does not exist (any more).
    Missing,
    /// No SSH access is configured for sensors.
    NotConfigured,
    /// Anything else.
    Failed,
}

/// `/nodes/{node}/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Which.
    pub node: NodeName,
    /// `9.2.3`.
    pub pve_version: Option<String>,
    /// `6.14.8-2-pve`.
    pub kernel: Option<String>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
}

/// What a guest was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuestConfig {
    /// Which.
    pub vmid: Vmid,
    /// Cores times sockets.
    pub cores: Option<u32>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Started with its node.
    pub on_boot: Option<bool>,
    /// Protected against removal; `None` where the configuration does not say, which the API means as not.
    pub protection: Option<bool>,
    /// Digest of the configuration: another one means that it was changed.
    pub digest: Option<String>,
    /// When it was created; the API keeps it for VMs alone.
    pub created: Option<UnixSeconds>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// When it was taken.
    pub taken: Option<UnixSeconds>,
}

/// A backup on a storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Of which guest.
    pub vmid: Vmid,
    /// When.
    pub taken: UnixSeconds,
    /// Bytes.
    pub size: Option<u64>,
    /// Where.
    pub storage: crate::ids::StorageName,
}

/// A backup job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupJob {
    /// Its id.
    pub id: String,
    /// `02:30`, `sat 03:00`, as systemd calendar events.
    pub schedule: Option<String>,
    /// Next run.
    pub next_run: Option<UnixSeconds>,
    /// Whether it is on.
    pub enabled: bool,
    /// Guests: empty for all.
    pub vmids: Vec<Vmid>,
}

/// A line of the HA manager's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaEntry {
    /// `quorum`, `master`, `lrm`, `service`.
    pub kind: String,
    /// `vm:104`, node name, ...
    pub id: String,
    /// Its state in the manager's words.
    pub state: String,
}

/// A replication job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// `104-0`.
    pub id: String,
    /// From where.
    pub source: NodeName,
    /// To where.
    pub target: NodeName,
    /// Last success.
    pub last_sync: Option<UnixSeconds>,
    /// Failures since.
    pub failures: u32,
    /// The manager's text.
    pub error: Option<String>,
}
