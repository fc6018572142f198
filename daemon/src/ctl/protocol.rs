//! What client and daemon write to each other.

use jarvis_core::mind::date::Day;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mcp::{Scope, Shown};
use crate::store::By;

/// Longest line either way, in bytes, line break included.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// A client's question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What the parts say of themselves.
    Status {},
    /// The newest turns, newest last; then, with `follow`, every event as it happens.
    Turns {
        /// How many.
        limit: u32,
        /// Whether to go on.
        follow: bool,
    },
    /// A typed turn.
    Ask {
        /// The request.
        text: String,
        /// Where it counts as asked.
        room: Option<String>,
    },
    /// Words to be spoken.
    Say {
        /// The words.
        text: String,
        /// Where; every room without one.
        room: Option<String>,
    },
    /// Enrolled satellites.
    Rooms {},
    /// A code for a new satellite.
    Enrol {
        /// Its room.
        room: String,
    },
    /// Takes a satellite's key away.
    Revoke {
        /// Its room.
        room: String,
    },
    /// About the ear's model.
    Model {
        /// What.
        what: ModelQuestion,
    },
    /// What was told and is kept.
    Memory {
        /// What.
        what: MemoryQuestion,
    },
    /// What was spent on models.
    Costs {
        /// By what the figures are put together.
        by: By,
        /// Since this day; without it since the first of the month.
        since: Option<Day>,
    },
    /// Findings that only the running daemon can have.
    Doctor {},
    /// Questions that are open, and the newest that are not.
    Approvals {},
    /// Says yes to a question, as it was shown.
    Approve {
        /// Which.
        id: i64,
        /// The seal that was shown with it.
        seal: String,
        /// The words that were spoken with it, where it has some.
        words: Option<String>,
    },
    /// Says no to a question, or takes a yes back that has not begun.
    Deny {
        /// Which.
        id: i64,
    },
    /// Lets changes run again after the kill switch.
    Resume {},
    /// The newest entries of the audit log.
    Audit {
        /// How many.
        limit: u32,
    },
    /// Checks the audit log from its first entry to its last.
    AuditVerify {},
    /// About other programs.
    Mcp {
        /// What.
        what: McpQuestion,
    },
    /// Speaks MCP from the next line on, until the client hangs up.
    McpServe {
        /// What the program at the other end may ask for.
        scope: Scope,
    },
}

/// What can be asked of the memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum MemoryQuestion {
    /// The newest, newest first.
    List {
        /// How many.
        limit: u32,
        /// Superseded ones as well.
        all: bool,
    },
    /// What answers a question.
    About {
        /// The question.
        text: String,
    },
    /// Forgets one, and what it had made obsolete.
    Forget {
        /// Its number.
        id: u64,
    },
    /// Lines of an export.
    Export {
        /// After this number; 0 for the beginning.
        after: u64,
    },
    /// Takes lines of an export.
    Import {
        /// At most [`crate::memory::LINES_MAX`].
        lines: Vec<String>,
    },
}

/// What can be asked about other programs, and about the owner's other servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum McpQuestion {
    /// What it says of itself, its tokens among that.
    Status {},
    /// A new token.
    AddToken {
        /// Of the program.
        name: String,
        /// What it may ask for.
        scope: Scope,
    },
    /// Takes a token away.
    RevokeToken {
        /// Of the program.
        name: String,
    },
    /// The owner's other servers, and how their tools stand.
    Servers {
        /// Whether they are asked first.
        look: bool,
    },
    /// Lets a model use tools of a server, where each still is what was shown.
    ApproveTools {
        /// The server.
        server: String,
        /// What was shown.
        shown: Vec<Shown>,
    },
    /// Takes back what was approved of a server.
    ForgetTools {
        /// The server.
        server: String,
    },
}

/// What can be asked of the ear's model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelQuestion {
    /// Which one it is, and whether it works.
    Status,
    /// The words of the live cluster's names that it must know.
    Words,
    /// Every request the grammar knows, for its language model.
    Sentences,
    /// What the live cluster's nodes, guests and storages are called.
    Names,
}

/// A line of the daemon's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The answer; its shape is the request's.
    Ok(Value),
    /// One event of a stream.
    Event(Value),
    /// Events that a slow client lost.
    Lost(u64),
    /// It can't be done.
    Error(Trouble),
}

impl From<Result<Value, Trouble>> for Answer {
    fn from(answered: Result<Value, Trouble>) -> Self {
        answered.map_or_else(Self::Error, Self::Ok)
    }
}

/// Why something can't be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Trouble {
    /// From its two halves.
    pub fn new(what: impl ToString, remedy: impl ToString) -> Self {
        Self { what: what.to_string(), remedy: remedy.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_keep_their_written_form() {
        let turns = Request::Turns { limit: 5, follow: true };
        let written = r#"{"do":"turns","limit":5,"follow":true}"#;
        assert_eq!(serde_json::to_string(&turns).unwrap(), written);
        assert_eq!(serde_json::from_str::<Request>(written).unwrap(), turns);
        assert!(serde_json::from_str::<Request>(r#"{"do":"status","sudo":true}"#).is_err());
        let trouble = Answer::Error(Trouble::new("no", "yes"));
        assert_eq!(serde_json::to_string(&trouble).unwrap(), r#"{"error":{"what":"no","remedy":"yes"}}"#);
    }
}
