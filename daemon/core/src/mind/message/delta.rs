//! What comes back: an answer in pieces, and whole.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallId, Message, ModelId};

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
}
