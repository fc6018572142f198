//! What is asked: instructions, tools, the conversation, and wishes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Message;

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
