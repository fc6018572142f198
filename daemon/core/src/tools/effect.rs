//! What a cleared call does, as data that the shell carries out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cluster::{GuestKind, GuestState};
use crate::foreign::Pin;
use crate::ids::{NodeName, Vmid};
use crate::tool::Read;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Look at the cluster.
    Read(Read),
    /// Change the cluster, then read back.
    Change(Change),
    /// Remember, forget or recall.
    Memory(MemoryEffect),
    /// Put text on the page.
    Note {
        /// The text.
        text: String,
    },
    /// Call a tool of another server, once.
    Foreign(ForeignCall),
}

/// One call of a tool of another server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForeignCall {
    /// The server, as the owner configured it.
    pub server: String,
    /// Its tool.
    pub tool: String,
    /// What the server must still say of that tool when it is called.
    pub pin: Pin,
    /// What the tool takes.
    pub arguments: Map<String, Value>,
}

/// How a change is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Most changes.
    Post,
    /// Takes no body: the API answers 501 to a DELETE with one.
    Delete,
}

/// One change of the cluster: one request, one task, one thing to see afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where the guest is.
    pub node: NodeName,
    /// How it is sent.
    pub method: Method,
    /// Beneath `/api2/json`: `/nodes/pve2/qemu/104/status/shutdown`.
    pub path: String,
    /// Form fields.
    pub params: Vec<(String, String)>,
    /// What must be seen before it counts as done.
    pub wanted: Wanted,
    /// The guest that is touched.
    pub vmid: Vmid,
    /// What it is.
    pub kind: GuestKind,
    /// Longest the task may take, in seconds; past it the outcome is unknown.
    pub limit_s: u32,
}

/// What is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The guest is in this state.
    State(GuestState),
    /// The guest runs, and has been up for less time than since the change was sent.
    Rebooted,
    /// This snapshot is there.
    SnapshotThere(String),
    /// This snapshot is gone.
    SnapshotGone(String),
    /// The guest's present state descends from this snapshot.
    RolledBackTo(String),
}

/// What is to be done with Jarvis's own memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryEffect {
    /// Keep this.
    Remember {
        /// The fact, in words.
        text: String,
    },
    /// Forget these.
    Forget {
        /// Their numbers.
        ids: Vec<u64>,
    },
    /// Recall what is known about this.
    About {
        /// The subject, in words.
        about: String,
    },
}
