//! Tools of the owner's other servers (MCP): what a server says of them, what its owner approved, and what a difference means.
//!
//! Names, descriptions and schemas are written by strangers, and a model would read them. So each is bounded ([`take()`]), pinned by
//! SHA-256 ([`Described::pin`]), and offered to a model only while it is, byte for byte, what the owner approved ([`standing`]).
//! Which servers a request calls for is decided by the owner's words alone ([`calls_for`]).

mod canonical;
mod choose;
mod take;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::context::fence;
use crate::hex::{from_hex, hex};
use crate::mind::message::ToolSpec;
use crate::redact::redact;
use crate::tool::Tier;

pub use canonical::canonical;
pub use choose::{OFFERED_MAX, OFFERED_SMALL, calls_for, fitting};
pub use take::{ABOUT_BYTES_MAX, Listed, SCHEMA_BYTES_MAX, TOOLS_MAX, Taken, take};

/// Longest name of a server, in characters.
pub const SERVER_CHARS_MAX: usize = 20;
/// Longest name under which a model knows a tool, in characters: what every provider takes.
pub const NAME_CHARS_MAX: usize = 64;
/// What stands between a server's name and its tool's. No server's name has it.
const BETWEEN: &str = "__";

/// Whether a text can be a server's name: it is spoken, shown, and part of its tools' names.
pub fn is_server(name: &str) -> bool {
    (1..=SERVER_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether a text can be a tool's name at that server.
pub fn is_tool(server: &str, name: &str) -> bool {
    !name.is_empty()
        && server.len() + BETWEEN.len() + name.len() <= NAME_CHARS_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The name under which a model knows a tool: `notes__search`.
pub fn known_as(server: &str, tool: &str) -> String {
    format!("{server}{BETWEEN}{tool}")
}

/// Server and tool of such a name; `None` where it is none.
pub fn meant_by(name: &str) -> Option<(&str, &str)> {
    name.split_once(BETWEEN).filter(|(server, tool)| is_server(server) && is_tool(server, tool))
}

/// SHA-256 over the canonical JSON of a tool's name, description and schema.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pin(pub [u8; 32]);

impl Pin {
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> Self {
        pin.to_string()
    }
}

impl TryFrom<String> for Pin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        from_hex(&text).map(Self).ok_or("64 hexadecimal digits are wanted")
    }
}

/// A tool as its server describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// What it is said to do; empty where nothing is said.
    pub about: String,
    /// JSON schema of its arguments.
    pub schema: Map<String, Value>,
}

impl Described {
    /// Its canonical JSON: what is pinned, and kept once it is approved.
    pub fn text(&self) -> String {
        canonical(&serde_json::json!({"name": self.name, "description": self.about, "inputSchema": self.schema}))
    }

    /// Pins every byte of it that a model would read.
    pub fn pin(&self) -> Pin {
        Pin::of(&self.text())
    }

    /// As a model is told of it: the description fenced, what nobody sees taken out of its texts, and no secrets.
    pub fn spec(&self, server: &str) -> ToolSpec {
        let told = fence::fenced(server, &redact(&self.about).text);
        let about = format!("A tool of the owner's server {server}. What that server says of it: {told}");
        let mut schema = Value::Object(self.schema.clone());
        plain_words(&mut schema);
        ToolSpec { name: known_as(server, &self.name), about, schema }
    }
}

/// Cleans the texts of a schema that are there to be read; names and values of arguments stay as they are.
fn plain_words(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if matches!(key.as_str(), "description" | "title") => {
                        *text = fence::plain(&redact(text).text);
                    }
                    other => plain_words(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain_words),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What the owner approved.
#[derive(Debug, Clone, PartialEq)]
pub struct Approved {
    /// The tool, as it was described then.
    pub described: Described,
    /// Of that.
    pub pin: Pin,
    /// Where its server was.
    pub address: String,
}

impl Approved {
    /// From what was kept: [`Described::text`], and the pin it was approved by. `None` where the one is not the other's.
    pub fn kept(text: &str, pin: Pin, address: String) -> Option<Self> {
        #[derive(Deserialize)]
        struct Kept {
            name: String,
            description: String,
            #[serde(rename = "inputSchema")]
            schema: Map<String, Value>,
        }
        let Kept { name, description, schema } = serde_json::from_str(text).ok().filter(|_| Pin::of(text) == pin)?;
        Some(Self { described: Described { name, about: description, schema }, pin, address })
    }
}

/// A part of a tool that can differ from what was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What it is said to do.
    Description,
    /// What it takes.
    Schema,
    /// Where its server is.
    Address,
}

impl Part {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Description => "its description",
            Self::Schema => "what it takes",
            Self::Address => "its server's address",
        }
    }
}

/// How a tool stands with the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Standing {
    /// It is what was approved.
    Approved,
    /// It was never approved.
    New,
    /// It is not what was approved any more.
    Changed {
        /// What differs; never empty.
        parts: Vec<Part>,
    },
    /// It was approved, and its server has it no more.
    Gone,
}

impl Standing {
    /// Whether it waits for its owner, who may approve it.
    pub fn waits(&self) -> bool {
        matches!(self, Self::New | Self::Changed { .. })
    }
}

/// Compares what was approved with what the server, now at `address`, says. `None` where there is neither.
pub fn standing(approved: Option<&Approved>, now: Option<&Described>, address: &str) -> Option<Standing> {
    let (then, now) = match (approved, now) {
        (None, None) => return None,
        (None, Some(_)) => return Some(Standing::New),
        (Some(_), None) => return Some(Standing::Gone),
        (Some(then), Some(now)) => (then, now),
    };
    let mut parts = Vec::new();
    if then.pin != now.pin() {
        let other_words = then.described.about != now.about;
        parts.extend(other_words.then_some(Part::Description));
        // Whatever differs beside the description is the schema: the name is what they were found by.
        parts.extend((!other_words || then.described.schema != now.schema).then_some(Part::Schema));
    }
    if then.address != address {
        parts.push(Part::Address);
    }
    Some(if parts.is_empty() { Standing::Approved } else { Standing::Changed { parts } })
}

/// A tool of another server, as the gate judges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its server.
    pub server: String,
    /// Its name there.
    pub tool: String,
    /// Of what the owner approved, where he did; else of what its server says.
    pub pin: Pin,
    /// What the owner's configuration says of it: YELLOW where it says nothing.
    pub tier: Tier,
    /// How it stands.
    pub standing: Standing,
}

#[cfg(test)]
mod tests;
