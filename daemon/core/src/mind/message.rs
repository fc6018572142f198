//! A conversation with a model, as no provider writes it: what is asked, what streams back, and what is kept.
//!
//! Everything here can be stored and read back, so that a conversation goes on after a restart. A history only grows: providers cache
//! its beginning and bind thinking to it, so changing an earlier message costs the cache and loses the thinking.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::args::ToolArgs;

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

/// A tool, as a model is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to use it.
    pub about: String,
    /// JSON schema of its arguments, an object.
    pub schema: Value,
}

/// One request to a model.
///
/// The same `system` and `tools`, byte for byte, and a `messages` that only grew, are read from the provider's cache at a fraction of the
/// price. What changes from turn to turn (the time, the cluster's state) belongs in the last message or the last system part.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ask {
    /// Instructions, the most lasting first.
    pub system: Vec<SystemPart>,
    /// Tools it may call.
    pub tools: Vec<ToolSpec>,
    /// The conversation, which ends with a message of the user's.
    pub messages: Vec<Message>,
    /// Tokens the answer may have, thinking included.
    pub max_tokens: u32,
    /// Whether to think first.
    pub thinking: ThinkingWish,
    /// How much work to spend; `None` for the model's own default. A change costs the cache.
    pub effort: Option<Effort>,
}

/// A part of the instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemPart {
    /// Its text.
    pub text: String,
    /// How long everything up to its end is likely to be asked again.
    pub cache: CacheHint,
}

/// How long a beginning is worth keeping at the provider. A hint: providers that cache by themselves, or not at all, ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum CacheHint {
    /// Not marked.
    #[default]
    None,
    /// Five minutes since the last use.
    FiveMinutes,
    /// An hour since the last use; writing costs more.
    OneHour,
}

/// Whether a model should think before it answers. A wish: some models can't be stopped, some can't think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThinkingWish {
    /// As it likes.
    #[default]
    Auto,
    /// As little as it can: a hearer waits.
    Least,
}

/// How much work a model should spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Very much.
    Xhigh,
    /// All it can.
    Max,
}

impl Effort {
    /// Its name in requests and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }
}

/// A piece of an answer as it streams. Blocks are told apart by `index`; they may interleave, and the order of the indexes is the
/// order in the message.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// The provider answers; before every other.
    Begin {
        /// The model that answers, which may be more exactly named than the one asked.
        model: ModelId,
    },
    /// Earlier parts of the conversation were left out or shortened to fit the model's window.
    Trimmed(Trimmed),
    /// Words of the answer: these are spoken.
    Text {
        /// Which block.
        index: u32,
        /// The next words.
        text: String,
    },
    /// A note on what it does, meant for whoever waits: may be spoken. It stays part of the thinking block `index`.
    Progress {
        /// Which block.
        index: u32,
        /// The next words.
        text: String,
    },
    /// What it thinks: never spoken.
    Thinking {
        /// Which block.
        index: u32,
        /// The next words; may be empty.
        text: String,
    },
    /// The provider's own form of the thinking block `index`, to be kept for replay.
    ThinkingRaw {
        /// Which block.
        index: u32,
        /// The block.
        raw: Value,
    },
    /// A whole block of an unknown kind.
    Foreign {
        /// Which block.
        index: u32,
        /// The block.
        raw: Value,
    },
    /// It calls a tool; the arguments follow.
    ToolBegin {
        /// Which block.
        index: u32,
        /// The call's number.
        id: CallId,
        /// The tool's name.
        name: String,
    },
    /// A piece of a call's arguments, which are JSON only when whole.
    ToolArgs {
        /// Which block.
        index: u32,
        /// The next bytes.
        json: String,
    },
    /// A block is complete.
    BlockEnd {
        /// Which.
        index: u32,
    },
    /// Tokens so far: each value replaces the one before.
    Usage(Usage),
    /// It ends, and why; after every other.
    Stop(StopReason),
}

/// What was left out of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trimmed {
    /// Messages left out.
    pub messages: u32,
    /// Tool results shortened.
    pub results: u32,
}

impl Trimmed {
    /// Whether nothing was.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said what it had to.
    EndTurn,
    /// The request's `max_tokens`: what there is, is a beginning.
    MaxTokens,
    /// A text at which it was told to stop.
    StopSequence,
    /// It waits for its tools.
    ToolUse,
    /// The provider interrupted a long turn; the same conversation with this message at its end goes on.
    PauseTurn,
    /// It declines to answer.
    Refusal {
        /// In the provider's words, where it gave any.
        why: Option<String>,
    },
    /// The conversation filled the model's window.
    ContextExceeded,
    /// A reason nobody knows here.
    Unknown(String),
}

/// Tokens of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Read afresh, at the full price.
    pub input: u64,
    /// Written, thinking included.
    pub output: u64,
    /// Put into the cache for five minutes.
    pub cache_write_5m: u64,
    /// Put into the cache for an hour.
    pub cache_write_1h: u64,
    /// Read from the cache.
    pub cache_read: u64,
}

impl Usage {
    /// Tokens of the whole prompt, from wherever they were read. This is what price bands go by.
    pub fn prompt(self) -> u64 {
        [self.input, self.cache_write_5m, self.cache_write_1h, self.cache_read]
            .iter()
            .fold(0, |a, b| a.saturating_add(*b))
    }

    /// Share of the prompt that was read from the cache, in thousandths; `None` without a prompt.
    pub fn hit_rate_permille(self) -> Option<u32> {
        let prompt = u128::from(self.prompt());
        let share = (u128::from(self.cache_read) * 1000).checked_div(prompt)?;
        u32::try_from(share.min(1000)).ok()
    }

    /// Both together, for answers that took several requests.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_write_5m: self.cache_write_5m.saturating_add(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            cache_read: self.cache_read.saturating_add(other.cache_read),
        }
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// What it said; goes to the end of the conversation.
    pub message: Message,
    /// Why it ended.
    pub stop: StopReason,
    /// What it took.
    pub usage: Usage,
    /// Who answered.
    pub model: ModelId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_rate_counts_the_whole_prompt() {
        let usage = Usage { input: 100, output: 7, cache_write_5m: 50, cache_write_1h: 50, cache_read: 800 };
        assert_eq!((usage.prompt(), usage.hit_rate_permille()), (1000, Some(800)));
        assert_eq!(Usage::default().hit_rate_permille(), None);
        let most = Usage { input: u64::MAX, cache_read: u64::MAX, ..Usage::default() };
        assert_eq!(most.hit_rate_permille(), Some(1000));
    }

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
