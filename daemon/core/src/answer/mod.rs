//! Answers: which reads a request needs, and what is said of what they brought.

pub(crate) mod ask;
mod strings;

use serde::{Deserialize, Serialize};

use crate::ids::UnixSeconds;
use crate::intent::Intent;
use crate::names::Names;
use crate::tool::{Facts, Read};

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
}

/// What went wrong with a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The recogniser died or hung.
    EarLost,
    /// The microphone went away.
    MicLost,
    /// The utterance was too long.
    TooLong,
    /// The cluster could not be asked at all.
    ClusterUnknown,
    /// The link to the satellite broke.
    LinkLost,
    /// A fault of Jarvis's own.
    Internal,
}

/// The reads that a request needs; none for those that Jarvis answers of himself.
pub fn reads(_intent: &Intent) -> Vec<Read> {
    Vec::new()
}

/// The answer to a request, of these facts. What is not known is said as unknown.
pub fn answer(_intent: &Intent, _facts: &Facts, _asker: &Asker<'_>) -> Reply {
    Reply::default()
}

/// The answer to what was not understood.
pub fn not_understood(heard: &str, _asker: &Asker<'_>) -> Reply {
    Reply { speech: format!("I heard {heard}, and do not know what to make of it."), ..Reply::default() }
}

/// The answer to a turn that failed.
pub fn sorry(_trouble: Trouble, _asker: &Asker<'_>) -> Reply {
    Reply { speech: "I am sorry; something went wrong.".to_owned(), ..Reply::default() }
}
