//! A message out of the pieces it streams in: pure, bounded, whatever the order of the blocks.
//!
//! Providers interleave: llama.cpp opens block 1 before block 0 has ended, and an OpenAI-compatible server may write the arguments of
//! several calls in turn. Here a block is its index; its pieces are put together as they come.

use std::collections::BTreeMap;

use serde_json::Value;

use super::args::{MAX_ARGS_BYTES, ToolArgs};
use super::message::{
    Block, CallId, Delta, Message, ModelId, Reply, Role, StopReason, Thinking, ToolUse, Trimmed, Usage,
};

/// Longest text of one answer, in bytes: over an hour of speech.
pub const MAX_TEXT_BYTES: usize = 128 * 1024;
/// Longest thinking of one answer, its raw form included, in bytes.
pub const MAX_THINKING_BYTES: usize = 4 << 20;
/// Most blocks of one answer.
pub const MAX_BLOCKS: usize = 64;
/// Longest name or number of a call, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// A stream that makes no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// A limit is passed; it is named.
    #[error("the answer is over the limit of {0}")]
    TooMuch(String),
    /// Pieces that don't fit each other.
    #[error("the pieces of the answer don't fit: {0}")]
    Confused(&'static str),
}

/// A block that is being written.
#[derive(Debug, Clone, PartialEq)]
enum Open {
    Text(String),
    Thinking { text: String, raw: Option<Value> },
    Tool { id: CallId, name: String, args: String, ended: bool },
    Foreign(Value),
}

/// Puts an answer together.
#[derive(Debug, Clone)]
pub struct Assembler {
    model: ModelId,
    blocks: BTreeMap<u32, Open>,
    usage: Usage,
    stop: Option<StopReason>,
    trimmed: Trimmed,
    text_bytes: usize,
    thinking_bytes: usize,
}

impl Assembler {
    /// For an answer by `model`, unless the stream names another.
    pub fn new(model: ModelId) -> Self {
        Self {
            model,
            blocks: BTreeMap::new(),
            usage: Usage::default(),
            stop: None,
            trimmed: Trimmed::default(),
            text_bytes: 0,
            thinking_bytes: 0,
        }
    }

    /// Takes the next piece.
    pub fn push(&mut self, delta: &Delta) -> Result<(), AssembleError> {
        if self.stop.is_some() {
            return Err(AssembleError::Confused("something after the end"));
        }
        match delta {
            Delta::Begin { model } => {
                check(model.as_str().len() <= MAX_NAME_BYTES, "the model's name", MAX_NAME_BYTES)?;
                self.model = model.clone();
            }
            Delta::Trimmed(trimmed) => self.trimmed = *trimmed,
            Delta::Usage(usage) => self.usage = *usage,
            Delta::Stop(reason) => self.stop = Some(reason.clone()),
            Delta::BlockEnd { index } => {
                if let Some(Open::Tool { ended, .. }) = self.blocks.get_mut(index) {
                    *ended = true;
                }
            }
            Delta::Text { index, text } => {
                self.text_bytes = self.text_bytes.saturating_add(text.len());
                check(self.text_bytes <= MAX_TEXT_BYTES, "text", MAX_TEXT_BYTES)?;
                match self.open(*index, || Open::Text(String::new()))? {
                    Open::Text(so_far) => so_far.push_str(text),
                    _ => return Err(AssembleError::Confused("text in a block of another kind")),
                }
            }
            Delta::Thinking { index, text } | Delta::Progress { index, text } => {
                self.count_thinking(text.len())?;
                match self.open(*index, || Open::Thinking { text: String::new(), raw: None })? {
                    Open::Thinking { text: so_far, .. } => so_far.push_str(text),
                    _ => return Err(AssembleError::Confused("thinking in a block of another kind")),
                }
            }
            Delta::ThinkingRaw { index, raw } => {
                self.count_thinking(weight(raw))?;
                match self.open(*index, || Open::Thinking { text: String::new(), raw: None })? {
                    Open::Thinking { raw: so_far, .. } => *so_far = Some(raw.clone()),
                    _ => return Err(AssembleError::Confused("thinking in a block of another kind")),
                }
            }
            Delta::Foreign { index, raw } => {
                self.count_thinking(weight(raw))?;
                self.begin(*index, Open::Foreign(raw.clone()))?;
            }
            Delta::ToolBegin { index, id, name } => {
                check(id.as_str().len().max(name.len()) <= MAX_NAME_BYTES, "a call's name", MAX_NAME_BYTES)?;
                let tool = Open::Tool { id: id.clone(), name: name.clone(), args: String::new(), ended: false };
                self.begin(*index, tool)?;
            }
            Delta::ToolArgs { index, json } => match self.blocks.get_mut(index) {
                Some(Open::Tool { args, ended: false, .. }) => {
                    check(args.len() + json.len() <= MAX_ARGS_BYTES, "a call's arguments", MAX_ARGS_BYTES)?;
                    args.push_str(json);
                }
                _ => return Err(AssembleError::Confused("arguments without a call")),
            },
        }
        Ok(())
    }

    fn count_thinking(&mut self, bytes: usize) -> Result<(), AssembleError> {
        self.thinking_bytes = self.thinking_bytes.saturating_add(bytes);
        check(self.thinking_bytes <= MAX_THINKING_BYTES, "thinking", MAX_THINKING_BYTES)
    }

    fn open(&mut self, index: u32, new: impl FnOnce() -> Open) -> Result<&mut Open, AssembleError> {
        let room = self.blocks.len() < MAX_BLOCKS || self.blocks.contains_key(&index);
        if !room {
            return Err(AssembleError::TooMuch(format!("{MAX_BLOCKS} blocks")));
        }
        Ok(self.blocks.entry(index).or_insert_with(new))
    }

    fn begin(&mut self, index: u32, new: Open) -> Result<(), AssembleError> {
        if self.blocks.contains_key(&index) {
            return Err(AssembleError::Confused("a block begins twice"));
        }
        self.open(index, || new).map(|_| ())
    }

    /// Tokens so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// What was left out of the conversation.
    pub fn trimmed(&self) -> Trimmed {
        self.trimmed
    }

    /// What there is of an answer that broke off: for whoever goes on in its place. Calls that had not ended are not in it.
    pub fn so_far(&self) -> Message {
        let mut part = self.clone();
        part.blocks.retain(|_, block| !matches!(block, Open::Tool { ended: false, .. }));
        part.message(true)
    }

    /// The answer; `None` if it has not ended.
    pub fn finish(self) -> Option<Reply> {
        let stop = self.stop.clone()?;
        // Where the provider cut it off, the last call may be half a call: it is not mended.
        let whole = !matches!(stop, StopReason::MaxTokens | StopReason::ContextExceeded);
        let (usage, model) = (self.usage, self.model.clone());
        Some(Reply { message: self.message(whole), stop, usage, model })
    }

    fn message(self, whole: bool) -> Message {
        let last = self.blocks.keys().next_back().copied();
        let model = self.model;
        let blocks = self.blocks.into_iter().filter_map(|(index, block)| match block {
            // Providers refuse empty text.
            Open::Text(text) if text.trim().is_empty() => None,
            Open::Text(text) => Some(Block::Text { text }),
            Open::Thinking { text, raw } => Some(Block::Thinking(Thinking { model: model.clone(), text, raw })),
            Open::Tool { id, name, args, ended } => {
                let args = ToolArgs::read(&args, ended && (whole || Some(index) != last));
                Some(Block::ToolUse(ToolUse { id, name, args }))
            }
            Open::Foreign(raw) => Some(Block::Foreign { model: model.clone(), raw }),
        });
        Message { role: Role::Assistant, blocks: blocks.collect() }
    }
}

fn check(within: bool, what: &str, limit: usize) -> Result<(), AssembleError> {
    if within { Ok(()) } else { Err(AssembleError::TooMuch(format!("{limit} bytes for {what}"))) }
}

/// About the bytes of a value.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(weight).fold(2, usize::saturating_add),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| key.len() + 4 + weight(value)).fold(2, usize::saturating_add)
        }
        _ => 8,
    }
}

#[cfg(test)]
mod tests;
