//! What goes into the store and comes out of it. These are database types: the wire's and the page's are others.

use jarvis_core::ids::{SatelliteId, TurnId};
use jarvis_core::tool::Tier;

/// How a turn came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Spoken at a satellite.
    Voice,
    /// Typed (`jarvisctl ask`).
    Typed,
    /// Words given to be spoken (`jarvisctl say`).
    Said,
}

impl Source {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Typed => "typed",
            Self::Said => "said",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Voice, Self::Typed, Self::Said].into_iter().find(|s| s.as_str() == text)
    }
}

/// The wake that opened a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct WakeRow {
    /// Phrase.
    pub phrase: String,
    /// 0.0 to 1.0.
    pub score: f32,
    /// What the second look said; `None` while it looks.
    pub check: Option<String>,
}

/// A turn that begins.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTurn {
    /// Where.
    pub room: String,
    /// The satellite that heard it, if one did.
    pub satellite: Option<SatelliteId>,
    /// How it came about.
    pub source: Source,
    /// Milliseconds since 1970-01-01 UTC.
    pub started_ms: i64,
    /// What opened it, if a wake word did.
    pub wake: Option<WakeRow>,
}

/// A tool that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolRow {
    /// Its name.
    pub name: String,
    /// Its arguments, as JSON.
    pub args: serde_json::Value,
    /// The tier it was judged.
    pub tier: Tier,
    /// How it went.
    pub outcome: String,
    /// How long it took.
    pub ms: u64,
}

/// A sentence that was given to the voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentenceRow {
    /// Its place in the answer it belongs to.
    pub place: u16,
    /// What was said.
    pub text: String,
}

/// A mark: its name and its moment on the turn's own scale, in milliseconds.
pub type Mark = (String, i64);

/// A turn as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnRow {
    /// Which.
    pub id: TurnId,
    /// The conversation it belongs to.
    pub conversation: u64,
    /// Where.
    pub room: String,
    /// The satellite that heard it, if one did.
    pub satellite: Option<SatelliteId>,
    /// How it came about.
    pub source: Source,
    /// Milliseconds since 1970-01-01 UTC.
    pub started_ms: i64,
    /// What opened it.
    pub wake: Option<WakeRow>,
    /// What was heard; `None` before it is known and after it was forgotten.
    pub transcript: Option<String>,
    /// Who answered, and why.
    pub route: Option<(String, String)>,
    /// Tools that ran.
    pub tools: Vec<ToolRow>,
    /// Sentences given to the voice, in order, replaced ones included.
    pub sentences: Vec<SentenceRow>,
    /// All that was said.
    pub reply: Option<String>,
    /// What of the answer is read rather than heard.
    pub page: Option<String>,
    /// Marks, by name.
    pub marks: Vec<Mark>,
    /// When it ended; `None` while it runs, or where the daemon ended first.
    pub finished_ms: Option<i64>,
    /// What went wrong.
    pub error: Option<String>,
    /// When its words were forgotten.
    pub forgotten_ms: Option<i64>,
}

/// A turn that was over before another of its conversation began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierRow {
    /// What was heard.
    pub transcript: String,
    /// What was said; `None` where strangers may have written some of it.
    pub untainted_reply: Option<String>,
    /// Tools that ran, each once.
    pub tools: Vec<String>,
    /// Whether a model elsewhere answered.
    pub by_cloud: bool,
}

/// Something the house went through.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Counts up.
    pub id: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// `satellite.connected`, `part.degraded`, ...
    pub kind: String,
    /// Whom it is about.
    pub subject: String,
    /// More of it.
    pub detail: serde_json::Value,
}

/// How long words and traces are kept, in milliseconds; see [`super::Store::retain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Words of a turn: transcript, reply, page, sentences, arguments of tools.
    pub words_ms: i64,
    /// What remains of a turn: times, route, outcome.
    pub turns_ms: i64,
    /// Events.
    pub events_ms: i64,
}

/// What [`super::Store::retain`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retained {
    /// Turns whose words were forgotten.
    pub forgotten: u64,
    /// Turns deleted.
    pub deleted: u64,
    /// Events deleted.
    pub events: u64,
    /// Entries of the audit log whose content was forgotten.
    pub contents: u64,
}
