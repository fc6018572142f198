//! The conversation, as far as it fits.

use crate::mind::estimate;
use crate::mind::message::{Message, SystemPart, ToolSpec, Trimmed};
use crate::mind::trim::shrink;

/// Times that a conversation is shortened.
const ROUNDS: usize = 64;

/// A conversation that fits, and what was left out of it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// It.
    pub messages: Vec<Message>,
    /// What was left out.
    pub trimmed: Trimmed,
    /// About how many tokens prompt and conversation have together.
    pub tokens: u64,
}

/// Shortens `messages` until they, the instructions and the tools have at most `budget` tokens, by estimate: what is oldest goes first, the
/// present request stays. What must never go stands in `system`, memories among it.
pub fn fit(mut messages: Vec<Message>, system: &[SystemPart], tools: &[ToolSpec], budget: u64) -> History {
    let preamble = estimate::preamble(system, tools);
    let total = |messages: &[Message]| messages.iter().map(estimate::message).fold(preamble, u64::saturating_add);
    let mut trimmed = Trimmed::default();
    for _ in 0..ROUNDS {
        let excess = total(&messages).saturating_sub(budget);
        if excess == 0 {
            break;
        }
        let Some(gone) = shrink(&mut messages, excess) else { break };
        trimmed.messages = trimmed.messages.saturating_add(gone.messages);
        trimmed.results = trimmed.results.saturating_add(gone.results);
    }
    let tokens = total(&messages);
    History { messages, trimmed, tokens }
}
