//! Servers and their tools as `jarvisctl` shows them, and why one was not approved.

use jarvis_core::foreign::{Pin, Standing};
use jarvis_core::tool::Tier;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::UnixMillis;

/// A server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerLine {
    /// What its owner calls it.
    pub name: String,
    /// Where it is: its URL, or its command.
    pub url: String,
    /// When it was looked at last; `None`: not since the daemon's start.
    pub looked: Option<UnixMillis>,
    /// Why it could not be asked then.
    pub trouble: Option<String>,
    /// Its tools, by name.
    pub tools: Vec<ToolLine>,
    /// What was left out of its list, and why.
    pub left_out: Vec<String>,
}

impl ServerLine {
    /// Tools that wait for their owner.
    pub fn waiting(&self) -> impl Iterator<Item = &ToolLine> {
        self.tools.iter().filter(|tool| tool.standing.waits())
    }
}

/// A tool of a server. Its texts were written by strangers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolLine {
    /// Its name there.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// What it needs.
    pub tier: Tier,
    /// Of what the server says of it now; of what was approved, where it is gone.
    pub pin: Pin,
    /// What it is said to do.
    pub about: String,
    /// JSON schema of what it takes.
    pub schema: Map<String, Value>,
    /// What it was said to do when it was approved, where that differs.
    pub about_then: Option<String>,
    /// The same of its schema.
    pub schema_then: Option<Map<String, Value>>,
}

/// A tool as it was shown to whoever approves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Its name.
    pub tool: String,
    /// Of what was shown.
    pub pin: Pin,
}

/// Why tools were not approved.
#[derive(Debug, thiserror::Error)]
pub enum NotApproved {
    /// There is no such server.
    #[error("there is no server \"{0}\" in [[mcp.servers]]")]
    NoServer(String),
    /// It cannot be asked.
    #[error("{server} cannot be asked: {why}")]
    Away {
        /// Which.
        server: String,
        /// Why.
        why: String,
    },
    /// It has no such tool.
    #[error("{server} has no tool \"{tool}\"")]
    NoTool {
        /// Which server.
        server: String,
        /// Which tool.
        tool: String,
    },
    /// It is not what was shown.
    #[error("{tool} of {server} was changed since it was shown; nothing was approved")]
    Changed {
        /// Which server.
        server: String,
        /// Which tool.
        tool: String,
    },
}
