//! Answers: which reads a request needs, and what is said of what they brought.

pub(crate) mod ask;
mod backup;
mod cluster;
mod guest;
mod guests;
mod ha;
mod measure;
pub mod memory;
mod node;
mod own;
mod storage;
mod strings;
mod task;
mod view;

use serde::{Deserialize, Serialize};

pub(crate) use measure::Local;

use crate::ids::{ApprovalId, UnixSeconds};
use crate::intent::Intent;
use crate::names::Names;
use crate::tool::{Facts, Read};
use view::View;

/// Who asks, where and when.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The present time.
    pub now: UnixSeconds,
    /// Local time minus UTC, in seconds.
    pub local_offset_s: i32,
    /// The room that asks.
    pub room: &'a str,
    /// Rooms whose satellites are connected.
    pub rooms: &'a [String],
    /// When the daemon started.
    pub started: UnixSeconds,
    /// What was heard in the turn before, in this room.
    pub last_heard: Option<&'a str>,
    /// What was answered in the turn before, in this room.
    pub last_reply: Option<&'a str>,
    /// How that turn was answered: route and reason in words.
    pub last_route: Option<&'a str>,
    /// Live names.
    pub names: &'a Names,
    /// Picks among phrasings.
    pub seed: u64,
    /// Whether the acoustic model was never tried on people.
    pub demo_ear: bool,
}

/// What the shell does beside speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Be silent at once.
    Stop,
    /// Forget the request.
    Cancel,
    /// Say the last reply again.
    Repeat,
    /// Louder by a step.
    Louder,
    /// Quieter by a step.
    Quieter,
    /// To a percentage.
    Volume(u8),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// Short, for the ear: plain text with digits, units and names as written. Empty where nothing is to be said.
    pub speech: String,
    /// Longer matter, for the page.
    pub page: Option<String>,
    /// The fact it turns on (`61`, `pve2`, `running`).
    pub key: Option<String>,
    /// What to do beside speaking.
    pub act: Option<Act>,
    /// It is a question: the room listens once for the answer, without a wake word.
    #[serde(default)]
    pub listen: bool,
    /// The question about a change that it ends with.
    #[serde(default)]
    pub asks: Option<ApprovalId>,
}

/// What went wrong with a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The recogniser died or hung.
    EarLost,
    /// The recogniser heard other rooms all the while.
    EarBusy,
    /// The microphone went away.
    MicLost,
    /// The utterance was too long.
    TooLong,
    /// The cluster could not be asked at all.
    ClusterUnknown,
    /// The link to the satellite broke.
    LinkLost,
    /// What was to be shown or said could not be written down first.
    NoRecords,
    /// A fault of Jarvis's own.
    Internal,
}

/// A phrasing of `key` in the file of spoken words; `seed` picks among several.
pub fn phrase(key: &str, seed: u64, values: &[(&str, &str)]) -> String {
    strings::say(key, seed, values)
}

/// Whether there are words for `key`: for what may have words of its own, and has others where it has not.
pub fn has_phrase(key: &str) -> bool {
    strings::has(key)
}

/// The reads that a request needs; none for those that Jarvis answers of himself.
pub fn reads(intent: &Intent) -> Vec<Read> {
    let node = intent.slots.node.clone();
    let guest = intent.slots.guest;
    let mut reads = match intent.kind.as_str() {
        "cluster.problems" => vec![Read::Cluster, Read::Tasks, Read::Ha, Read::Replication],
        "cluster.version" => vec![Read::Version],
        "cluster.ha" => vec![Read::Ha, Read::Cluster],
        "cluster.hottest" => vec![Read::Temperatures { nodes: Vec::new() }, Read::Cluster],
        "tasks.recent" | "tasks.running" | "tasks.failed" | "tasks.today" => {
            vec![Read::Tasks, Read::Cluster]
        }
        "backup.last" => vec![Read::Backups, Read::Cluster],
        "backup.status" => vec![Read::Tasks, Read::Backups, Read::Cluster],
        "backup.missing" => vec![Read::NotBackedUp, Read::Cluster],
        "backup.schedule" => vec![Read::BackupJobs],
        "replication.status" => vec![Read::Replication, Read::Cluster],
        kind if kind.starts_with("cluster.")
            || kind.starts_with("node.")
            || kind.starts_with("guest.")
            || kind.starts_with("guests.")
            || kind.starts_with("storage.") =>
        {
            vec![Read::Cluster]
        }
        _ => Vec::new(),
    };
    match (intent.kind.as_str(), node, guest) {
        ("node.temperature", Some(node), _) => {
            reads.push(Read::Temperatures { nodes: vec![node] });
        }
        ("node.version" | "node.load", Some(node), _) => reads.push(Read::NodeStatus { node }),
        ("guest.config", _, Some(vmid)) => reads.push(Read::GuestConfig { vmid }),
        ("guest.snapshots", _, Some(vmid)) => reads.push(Read::Snapshots { vmid }),
        _ => {}
    }
    reads
}

/// The answer to a request, of these facts. What is not known is said as unknown.
pub fn answer(intent: &Intent, facts: &Facts, asker: &Asker<'_>) -> Reply {
    let view = View { facts, asker, slots: &intent.slots };
    let (family, what) = intent.kind.split_once('.').unwrap_or(("", ""));
    let reply = match family {
        "cluster" => cluster::answer(&view, what),
        "node" => node::answer(&view, what),
        "guest" => guest::answer(&view, what),
        "guests" => guests::answer(&view, what),
        "storage" => storage::answer(&view, what),
        "tasks" => task::answer(&view, what),
        "backup" => backup::answer(&view, what),
        "replication" => backup::replication(&view),
        "memory" => memory::answer(&view, what),
        _ => own::answer(&view, &intent.kind),
    };
    reply.unwrap_or_else(|| view.reply("own.no_answer", &[("kind", &intent.kind)], None))
}

/// The answer to what was not understood.
pub fn not_understood(heard: &str, asker: &Asker<'_>) -> Reply {
    let heard = heard.trim();
    let key = if heard.is_empty() {
        "own.heard_nothing"
    } else if asker.demo_ear {
        "own.not_understood_demo"
    } else {
        "own.not_understood"
    };
    Reply { speech: strings::say(key, asker.seed, &[("heard", heard)]), ..Reply::default() }
}

/// The answer to a turn that failed.
pub fn sorry(trouble: Trouble, asker: &Asker<'_>) -> Reply {
    let key = match trouble {
        Trouble::EarLost => "sorry.ear",
        Trouble::EarBusy => "sorry.ear_busy",
        Trouble::MicLost => "sorry.mic",
        Trouble::TooLong => "sorry.too_long",
        Trouble::ClusterUnknown => "sorry.cluster",
        Trouble::LinkLost => "sorry.link",
        Trouble::NoRecords => "sorry.records",
        Trouble::Internal => "sorry.internal",
    };
    Reply { speech: strings::say(key, asker.seed, &[]), ..Reply::default() }
}

#[cfg(test)]
mod tests;
