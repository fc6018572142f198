//! What Jarvis knows of the cluster: domain types, apart from the wire (the API's JSON) and from the database.
//!
//! A value that was not heard is `None`, never zero: a node that does not answer is unknown.

use serde::{Deserialize, Serialize};

use crate::ids::{NodeName, StorageName, UnixSeconds, Upid, Vmid};

/// The cluster at one moment, from `/cluster/resources` and `/cluster/status`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Cluster {
    /// When it was read.
    pub at: UnixSeconds,
    /// The cluster's name; `None` for a single node.
    pub name: Option<String>,
    /// Whether a majority of votes is present; `None` where nobody said.
    pub quorate: Option<bool>,
    /// Nodes, by name.
    pub nodes: Vec<Node>,
    /// Virtual machines and containers, by VMID; templates left out.
    pub guests: Vec<Guest>,
    /// Storages; one entry per node for storage that is not shared.
    pub storages: Vec<Storage>,
}

/// What can be said of a node's presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is a member and answers.
    Online,
    /// The cluster says that it is gone.
    Offline,
    /// Nobody could say.
    Unknown,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Whether it is there.
    pub presence: Presence,
    /// Processor use, 0.0 to 1.0 of all its cores.
    pub cpu: Option<f64>,
    /// Logical cores.
    pub cores: Option<u32>,
    /// Memory in bytes.
    pub memory: Option<Usage>,
    /// Root file system in bytes.
    pub root: Option<Usage>,
    /// Seconds since it started.
    pub uptime_s: Option<u64>,
}

/// Bytes used of bytes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// In use.
    pub used: u64,
    /// In all.
    pub total: u64,
}

impl Usage {
    /// Bytes left.
    pub fn free(self) -> u64 {
        self.total.saturating_sub(self.used)
    }

    /// Share in use, 0.0 to 1.0; 0.0 of nothing.
    pub fn ratio(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.used as f64 / self.total as f64 }
    }
}

/// A virtual machine or a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestKind {
    /// QEMU/KVM.
    Vm,
    /// LXC.
    Container,
}

/// A guest's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestState {
    /// It runs.
    Running,
    /// It is stopped.
    Stopped,
    /// It is paused or suspended.
    Paused,
    /// Its node does not say.
    Unknown,
}

/// One guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    /// Its number.
    pub vmid: Vmid,
    /// Its name; containers and VMs may lack one.
    pub name: Option<String>,
    /// What it is.
    pub kind: GuestKind,
    /// Where it is configured.
    pub node: NodeName,
    /// Whether it runs.
    pub state: GuestState,
    /// Processor use, 0.0 to 1.0 of its cores; `None` when stopped or unknown.
    pub cpu: Option<f64>,
    /// Cores given.
    pub cores: Option<f64>,
    /// Memory in bytes, of what it was given.
    pub memory: Option<Usage>,
    /// Disk in bytes; for a VM `used` is 0 where no agent tells.
    pub disk: Option<Usage>,
    /// Seconds since it started.
    pub uptime_s: Option<u64>,
    /// A lock such as `backup`.
    pub lock: Option<String>,
    /// State that HA gives it, where it is managed.
    pub ha: Option<String>,
}

/// One storage on one node, or a shared one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Storage {
    /// Its name.
    pub name: StorageName,
    /// The node that reports it.
    pub node: NodeName,
    /// `dir`, `zfspool`, `nfs`, `pbs`, ...
    pub kind: String,
    /// Whether every node sees the same.
    pub shared: bool,
    /// Whether it is available; `None` where its node does not say.
    pub available: Option<bool>,
    /// Bytes.
    pub usage: Option<Usage>,
}

/// A task from `/cluster/tasks` or a node's list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its identifier.
    pub upid: Upid,
    /// Where it ran.
    pub node: NodeName,
    /// `qmstart`, `vzdump`, ...
    pub kind: String,
    /// Its object, mostly a VMID.
    pub object: Option<String>,
    /// Who started it.
    pub user: String,
    /// Start.
    pub started: UnixSeconds,
    /// How it ended.
    pub end: TaskEnd,
}

/// How a task ended. `unexpected status` is unknown, never success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEnd {
    /// It still runs.
    Running,
    /// `OK`.
    Ok(UnixSeconds),
    /// `WARNINGS: n`: done, with something to read.
    Warnings(UnixSeconds, u32),
    /// Any other text.
    Failed(UnixSeconds, String),
    /// Ended, nobody knows how.
    Unknown(UnixSeconds),
}
