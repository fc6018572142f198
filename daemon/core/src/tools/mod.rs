//! The tools: everything a turn, a model or another program may ask Jarvis to do, one file each, one line each in [`TOOLS`].
//!
//! A tool is pure. Its arguments are a type whose JSON schema models are shown; of live state it says what it needs to know
//! ([`Tool::needs`]), how dangerous it is ([`Tool::tier`]), how it is asked about aloud ([`Tool::summary`]), what is to be done
//! ([`Tool::effect`]) and how that is taken back ([`Tool::inverse`]). The shell only carries effects out, and only those that the
//! [gate](crate::gate) cleared.

pub mod asked;
mod call;
mod effect;
mod guest;
mod read;
mod ruling;

mod ask_server;
mod guest_reboot;
mod guest_shutdown;
mod guest_start;
mod guest_stop;
mod memory_about;
mod memory_forget;
mod memory_remember;
mod page_note;
mod read_backup_jobs;
mod read_backups;
mod read_cluster;
mod read_guest_config;
mod read_ha;
mod read_node_status;
mod read_not_backed_up;
mod read_replication;
mod read_snapshots;
mod read_tasks;
mod read_temperatures;
mod read_version;
mod snapshot_create;
mod snapshot_delete;
mod snapshot_rollback;

#[cfg(test)]
mod tests;

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::gate::Situation;
use crate::ids::Vmid;
use crate::tool::Read;

pub use ask_server::AskServer;
use call::Of;
pub use call::{AnyTool, BadCall, Call, find, parse};
pub use effect::{Change, Effect, ForeignCall, MemoryEffect, Method, Wanted};
pub use guest_reboot::GuestReboot;
pub use guest_shutdown::GuestShutdown;
pub use guest_start::GuestStart;
pub use guest_stop::GuestStop;
pub use memory_about::MemoryAbout;
pub use memory_forget::MemoryForget;
pub use memory_remember::MemoryRemember;
pub use page_note::PageNote;
pub use read_backup_jobs::ReadBackupJobs;
pub use read_backups::ReadBackups;
pub use read_cluster::ReadCluster;
pub use read_guest_config::ReadGuestConfig;
pub use read_ha::ReadHa;
pub use read_node_status::ReadNodeStatus;
pub use read_not_backed_up::ReadNotBackedUp;
pub use read_replication::ReadReplication;
pub use read_snapshots::ReadSnapshots;
pub use read_tasks::ReadTasks;
pub use read_temperatures::ReadTemperatures;
pub use read_version::ReadVersion;
pub use ruling::{OWN_UNKNOWN_REMEDY, Reason, Ruling};
pub use snapshot_create::SnapshotCreate;
pub use snapshot_delete::SnapshotDelete;
pub use snapshot_rollback::SnapshotRollback;

/// Every tool. A new one is a new file and one line here.
pub static TOOLS: &[&dyn AnyTool] = &[
    &Of::<GuestStart>::NEW,
    &Of::<GuestShutdown>::NEW,
    &Of::<GuestReboot>::NEW,
    &Of::<GuestStop>::NEW,
    &Of::<SnapshotCreate>::NEW,
    &Of::<SnapshotDelete>::NEW,
    &Of::<SnapshotRollback>::NEW,
    &Of::<ReadCluster>::NEW,
    &Of::<ReadNodeStatus>::NEW,
    &Of::<ReadTemperatures>::NEW,
    &Of::<ReadGuestConfig>::NEW,
    &Of::<ReadSnapshots>::NEW,
    &Of::<ReadTasks>::NEW,
    &Of::<ReadBackups>::NEW,
    &Of::<ReadBackupJobs>::NEW,
    &Of::<ReadNotBackedUp>::NEW,
    &Of::<ReadHa>::NEW,
    &Of::<ReadReplication>::NEW,
    &Of::<ReadVersion>::NEW,
    &Of::<MemoryRemember>::NEW,
    &Of::<MemoryForget>::NEW,
    &Of::<MemoryAbout>::NEW,
    &Of::<PageNote>::NEW,
    &Of::<AskServer>::NEW,
];

/// Longest arguments of a call, in bytes of JSON.
pub const ARGS_BYTES_MAX: usize = 16 << 10;

/// What a tool touches; decides what taint and the kill switch mean for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Looks at the cluster or at Jarvis's own memory. Runs even while the kill switch is set.
    Read,
    /// Changes the cluster.
    Change,
    /// Changes what Jarvis remembers.
    Memory,
    /// Shows something to the owner.
    Note,
    /// Calls a tool of another server of the owner's.
    Foreign,
}

/// What a call acts on, as it is named in a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Nothing of the cluster's.
    Nothing,
    /// One guest.
    Guest(Vmid),
}

/// How a call is told to a person. Every question about a change names verb, target and node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// `shut down`, in words that follow "shall I".
    pub verb: String,
    /// `media-server, VM 104`.
    pub target: String,
    /// `pve2`; `None` where no node is touched, or where nobody knows.
    pub node: Option<String>,
    /// What is good to know before saying yes; empty where there is nothing.
    pub consequence: String,
}

impl Summary {
    /// `shut down media-server, VM 104, on pve2`.
    pub fn sentence(&self) -> String {
        let node = self.node.as_ref().map_or(String::new(), |node| format!(", on {node}"));
        format!("{} {}{node}", self.verb, self.target).trim().to_owned()
    }
}

/// How a call is taken back.
#[derive(Debug, Clone, PartialEq)]
pub enum Inverse {
    /// By this call.
    Call(Box<Call>),
    /// It can't be, for this reason.
    Never(&'static str),
}

/// An example that tests run: these arguments, in that [situation](crate::gate::situations), are of that tier.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// JSON.
    pub args: &'static str,
    /// A name from [`crate::gate::situations::ALL`].
    pub situation: &'static str,
    /// What the tool itself says, before policy and taint.
    pub tier: crate::tool::Tier,
}

/// A tool: the type is its arguments.
pub trait Tool: Serialize + DeserializeOwned + JsonSchema + Clone + PartialEq + Debug + Send + Sync + 'static {
    /// Its stable name: `guest_shutdown`.
    const NAME: &'static str;
    /// Grows when the meaning of stored arguments changes: an approval of another version is void.
    const VERSION: u16;
    /// What it does, for a model that chooses among tools.
    const ABOUT: &'static str;
    /// What it touches.
    const KIND: Kind;
    /// Tried by tests.
    const EXAMPLES: &'static [Example];

    /// What the type cannot hold: lengths, characters. The text names the remedy.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// What must be read of the cluster before it can be judged.
    fn needs(&self) -> Vec<Read>;

    /// What it acts on.
    fn target(&self) -> Target;

    /// How dangerous it is with these arguments in this situation. What is not known makes it more dangerous, never less.
    fn tier(&self, situation: &Situation<'_>) -> Ruling;

    /// How it is told to a person.
    fn summary(&self, situation: &Situation<'_>) -> Summary;

    /// What is to be done; the text says why it cannot be.
    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String>;

    /// How it is taken back, seen from the situation before it ran.
    fn inverse(&self, situation: &Situation<'_>) -> Inverse;
}
