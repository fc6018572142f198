//! What Jarvis was told and keeps: facts with a lifetime, a time of validity, and a source that never becomes authority.
//!
//! Three lifetimes (hours, weeks, until superseded), exact to the millisecond. A fact is never overwritten: a newer one about the same
//! attribute of the same subject *closes* it, so that "you told me .10 in May" can still be said. What was remembered is data: a model
//! gets it quoted and with its source ([`crate::context`]), and what came of untrusted text only where it asks, which taints it.
//!
//! Pure, like all of this crate: the present time, the live names and the redaction of secrets are arguments. The shell keeps the rows
//! (`daemon/src/memory/`).

mod after;
mod extract;
mod lifetime;
mod model;
mod question;
mod rank;
mod secret;
mod subject;
mod supersede;
mod synonyms;

use serde::{Deserialize, Serialize};

use crate::ids::{NodeName, StorageName, TurnId, Vmid};

pub use after::{ANSWER_TOKENS_MAX, ask_after, of_the_owner};
pub use extract::Reader;
pub use lifetime::{EPISODIC_MS, WORKING_MS, expiry};
pub use model::{ANSWER_BYTES_MAX, Extraction, ModelAnswerError, from_model};
pub use question::{Part, Question, TERMS_MAX, Term};
pub use rank::{Candidate, Hit, RECALLED_MAX, Ranked, TermHits, preselect, rank};
pub use secret::{Secret, without_secrets};
pub use subject::{Alias, topic_key};
pub use supersede::{Plan, plan};

/// Longest text of a memory, in characters.
pub const TEXT_CHARS_MAX: usize = 300;
/// Longest value of a memory, in characters.
pub const VALUE_CHARS_MAX: usize = 120;
/// Longest topic, name or attribute, in characters.
pub const KEY_CHARS_MAX: usize = 60;
/// Most things that one memory names; more words name nothing more.
pub const MENTIONS_MAX: usize = 8;
/// The most important that a memory can be; 1 is the least.
pub const IMPORTANCE_MAX: u8 = 5;
/// What is told without more has this importance.
pub const IMPORTANCE_USUAL: u8 = 3;

/// A memory's number. Never used twice, not even after it was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemoryId(pub u64);

impl std::fmt::Display for MemoryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The moment `ms` milliseconds later.
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`; zero where that is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// Hours: what is true for now.
    Working,
    /// Weeks: what happened.
    Episodic,
    /// Until something supersedes it.
    Lasting,
}

impl Lifetime {
    /// All, shortest first.
    pub const ALL: [Self; 3] = [Self::Working, Self::Episodic, Self::Lasting];

    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Episodic => "episodic",
            Self::Lasting => "lasting",
        }
    }
}

/// What a memory is about: something of the cluster, or a topic. Never a person: "my daughter's laptop" is about a laptop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A node.
    Node(NodeName),
    /// A guest.
    Guest(Vmid),
    /// A storage.
    Storage(StorageName),
    /// Anything else, as [`topic_key`] writes it: "router".
    Topic(String),
}

impl Subject {
    /// The one word that every wording of a thing of the cluster shares in the index (`guest104`); `None` for a topic, which is found by
    /// its own words.
    pub fn key(&self) -> Option<String> {
        let (sort, name) = match self {
            Self::Node(name) => ("node", name.as_str().to_owned()),
            Self::Guest(vmid) => ("guest", vmid.to_string()),
            Self::Storage(name) => ("storage", name.as_str().to_owned()),
            Self::Topic(_) => return None,
        };
        let plain = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
        Some(sort.chars().chain(plain).collect())
    }
}

/// Where a memory comes from. None of these gives it authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The owner asked for it to be remembered.
    Said,
    /// The owner stated it, and a rule took it up.
    ByRule,
    /// A model took it out of a conversation.
    ByModel,
    /// It came with a file.
    Imported,
}

impl Source {
    /// All.
    pub const ALL: [Self; 4] = [Self::Said, Self::ByRule, Self::ByModel, Self::Imported];

    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Said => "said",
            Self::ByRule => "by_rule",
            Self::ByModel => "by_model",
            Self::Imported => "imported",
        }
    }
}

/// What is known, apart from when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub subject: Subject,
    /// How the subject was called when it was told ("media-server", "router").
    pub label: String,
    /// Which of the subject's attributes it gives ("address", "place", "relays through"); `None` where nothing can contradict it.
    pub attribute: Option<String>,
    /// The sentence, as it was told.
    pub text: String,
    /// What the attribute is ("192.168.1.1").
    pub value: Option<String>,
    /// Whether the attribute has one value at a time, so that this one makes an earlier one obsolete; else both may be true.
    pub single: bool,
    /// Other things of the cluster that the text names.
    pub mentions: Vec<Subject>,
    /// Where it comes from.
    pub source: Source,
    /// Whether untrusted text had a part in it (a note, a log, a web page, a model that had read one).
    pub tainted: bool,
    /// How long it is kept.
    pub lifetime: Lifetime,
    /// 1 to [`IMPORTANCE_MAX`].
    pub importance: u8,
}

/// Something to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What.
    pub fact: Fact,
    /// From when it is over; `None` for a lasting one.
    pub expires: Option<UnixMillis>,
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// It was known already.
    Known(Memory),
    /// It is kept now.
    Kept {
        /// As it is kept.
        memory: Memory,
        /// What it made obsolete, the newest first.
        closed: Vec<Memory>,
        /// What it contradicts and could not make obsolete.
        beside: Vec<Memory>,
    },
}

/// When a fact held, and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// From this millisecond on.
    pub from: UnixMillis,
    /// Not any more from this one on, because something newer holds.
    pub closed: Option<Closed>,
    /// Not any more from this one on, because its lifetime is over.
    pub expires: Option<UnixMillis>,
}

/// The end of a fact that something superseded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: UnixMillis,
    /// By what; `None` where that was forgotten since.
    pub by: Option<MemoryId>,
}

/// What a fact is worth at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does not hold yet.
    Ahead,
    /// It holds.
    Current,
    /// Something newer holds.
    Superseded,
    /// Its time is over: it is not recalled, and its row goes.
    Expired,
}

impl Validity {
    /// What it says of `now`.
    pub fn standing(&self, now: UnixMillis) -> Standing {
        if self.expires.is_some_and(|end| now >= end) {
            Standing::Expired
        } else if self.closed.is_some_and(|closed| now >= closed.at) {
            Standing::Superseded
        } else if now < self.from {
            Standing::Ahead
        } else {
            Standing::Current
        }
    }
}

/// A fact that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Its number.
    pub id: MemoryId,
    /// What.
    pub fact: Fact,
    /// The room in which it was told; empty where none was.
    pub room: String,
    /// The turn in which it was told.
    pub turn: Option<TurnId>,
    /// When it was told.
    pub told: UnixMillis,
    /// When it holds.
    pub validity: Validity,
    /// How often it was of use.
    pub uses: u32,
    /// When it was last.
    pub last_used: Option<UnixMillis>,
}

#[cfg(test)]
pub(crate) mod testing;
