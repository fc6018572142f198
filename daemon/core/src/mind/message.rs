//! A conversation with a model, as no provider writes it: what is asked, what streams back, and what is kept.
//!
//! Everything here can be stored and read back, so that a conversation goes on after a restart. A history only grows: providers cache
//! its beginning and bind thinking to it, so changing an earlier message costs the cache and loses the thinking.

mod ask;
mod delta;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::args::ToolArgs;

pub use ask::{Ask, CacheHint, Effort, SystemPart, ThinkingWish, ToolSpec};
pub use delta::{Delta, Reply, StopReason, Trimmed, Usage};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub String);

        impl $type {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name!(
    /// A model, as its provider names it (`claude-sonnet-5-5`, `qwen3-4b`).
    ModelId
);
name!(
    /// One call of a tool, as the model numbered it. Unique within a conversation.
    CallId
);

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The owner, and tools, which answer in his place.
    User,
    /// The model.
    Assistant,
}

/// One message: what one side said at one go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What, in order.
    pub blocks: Vec<Block>,
}

impl Message {
    /// Words of the owner.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, blocks: vec![Block::Text { text: text.into() }] }
    }

    /// What tools answered, all calls of one message together: apart, models learn not to call in parallel.
    pub fn results(results: Vec<ToolResult>) -> Self {
        Self { role: Role::User, blocks: results.into_iter().map(Block::ToolResult).collect() }
    }

    /// All text in it, as one.
    pub fn text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The tools it calls, in order.
    pub fn calls(&self) -> impl Iterator<Item = &ToolUse> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolUse(call) => Some(call),
            _ => None,
        })
    }
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "block", rename_all = "snake_case")]
pub enum Block {
    /// Words.
    Text {
        /// Them.
        text: String,
    },
    /// What the model thought.
    Thinking(Thinking),
    /// It calls a tool.
    ToolUse(ToolUse),
    /// What the tool answered.
    ToolResult(ToolResult),
    /// A block of a kind that is not known here, such as a provider's own tools: kept and replayed as it came.
    Foreign {
        /// Which model wrote it.
        model: ModelId,
        /// The block as it came.
        raw: Value,
    },
}

/// What a model thought. It is never spoken and carries no authority.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thinking {
    /// Which model thought it; to another it means nothing and is not sent.
    pub model: ModelId,
    /// What of it may be shown; often nothing.
    pub text: String,
    /// The provider's own block, to be replayed exactly as it came; `None` where the provider wants nothing back.
    pub raw: Option<Value>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolUse {
    /// Its number, which the result repeats.
    pub id: CallId,
    /// The tool's name, as the model wrote it: it need not exist.
    pub name: String,
    /// With what.
    pub args: ToolArgs,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Which call it answers.
    pub id: CallId,
    /// Text for the model.
    pub content: String,
    /// It failed, or was refused; the text says why.
    pub is_error: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_from_storage_as_it_was() {
        let raw = serde_json::json!({"type": "thinking", "thinking": "", "signature": "Eq/+="});
        let message = Message {
            role: Role::Assistant,
            blocks: vec![
                Block::Thinking(Thinking { model: "m".into(), text: String::new(), raw: Some(raw) }),
                Block::Text { text: "One moment.".to_owned() },
                Block::ToolUse(ToolUse {
                    id: "1".into(),
                    name: "x".to_owned(),
                    args: ToolArgs::read("{\"a\":1,}", true),
                }),
                Block::Foreign { model: "m".into(), raw: serde_json::json!({"type": "new"}) },
            ],
        };
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
        assert_eq!((message.text().as_str(), message.calls().count()), ("One moment.", 1));
    }
}
