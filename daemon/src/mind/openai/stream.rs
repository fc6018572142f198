//! Chunks of a chat completion into deltas: pure, but for the stream around it.

use std::collections::{BTreeMap, VecDeque};

use futures_util::{StreamExt, stream};
use jarvis_core::mind::args::MAX_ARGS_BYTES;
use jarvis_core::mind::assemble::MAX_BLOCKS;
use jarvis_core::mind::error::Fault;
use jarvis_core::mind::estimate;
use jarvis_core::mind::message::{CallId, Delta, ModelId, StopReason, Trimmed, Usage};
use serde::Deserialize;
use serde_json::Value;

use super::super::DeltaStream;
use super::super::http::Events;
use super::tags::{Piece, Tags};
use super::{fault, said_in};

/// Where what is thought, what is said and what is called stand in the message.
const THOUGHT: u32 = 0;
const SPEECH: u32 = 1;
const CALLS: u32 = 2;

/// The deltas of `events`; `prompt_tokens` stand in for servers that don't count.
pub(super) fn deltas(events: Events, model: ModelId, trimmed: Trimmed, prompt_tokens: u64) -> DeltaStream {
    let mut ready = VecDeque::from([Delta::Begin { model }]);
    if !trimmed.is_nothing() {
        ready.push_back(Delta::Trimmed(trimmed));
    }
    let state = State { events, translator: Translator::new(prompt_tokens), ready, over: false };
    stream::unfold(state, |mut state| async {
        loop {
            if let Some(delta) = state.ready.pop_front() {
                return Some((Ok(delta), state));
            }
            if state.over {
                return None;
            }
            let translated = match state.events.next().await {
                Ok(Some(event)) if event.data.trim() == "[DONE]" => Ok(state.translator.done()),
                Ok(Some(event)) => state.translator.chunk(&event.data),
                // Some servers end without a word, once they gave a reason.
                Ok(None) if state.translator.has_ended() => Ok(state.translator.done()),
                Ok(None) => Err((Fault::BrokenStream, "the stream ended before the answer".to_owned())),
                Err(error) => {
                    state.over = true;
                    return Some((Err(error), state));
                }
            };
            match translated {
                Ok(deltas) => {
                    state.over = deltas.iter().any(|delta| matches!(delta, Delta::Stop(_)));
                    state.ready.extend(deltas);
                }
                Err((fault, detail)) => {
                    state.over = true;
                    return Some((Err(state.events.error(fault, &detail)), state));
                }
            }
        }
    })
    .boxed()
}

struct State {
    events: Events,
    translator: Translator,
    ready: VecDeque<Delta>,
    over: bool,
}

/// What can't be translated, and what was seen.
type Untranslatable = (Fault, String);

/// Turns chunks into deltas.
pub(super) struct Translator {
    prompt_tokens: u64,
    tags: Tags,
    calls: BTreeMap<u32, Call>,
    /// The call to which a piece without a number belongs.
    last_call: Option<u32>,
    answer_id: String,
    thought: bool,
    spoke: bool,
    written: u64,
    usage: Option<Usage>,
    stop: Option<StopReason>,
}

/// A call whose name may still be missing.
#[derive(Default)]
struct Call {
    id: String,
    name: String,
    waiting: String,
    begun: bool,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Chunk {
    id: Option<String>,
    choices: Vec<Choice>,
    usage: Option<WireUsage>,
    error: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Choice {
    index: u32,
    delta: Option<WireDelta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireDelta {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<WireCall>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireCall {
    index: Option<u32>,
    id: Option<String>,
    function: Option<WireFunction>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireFunction {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<WireDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireDetails {
    cached_tokens: Option<u64>,
}

impl WireUsage {
    fn usage(&self) -> Usage {
        let cached =
            self.prompt_tokens_details.as_ref().and_then(|d| d.cached_tokens).unwrap_or(0).min(self.prompt_tokens);
        Usage {
            input: self.prompt_tokens - cached,
            output: self.completion_tokens,
            cache_read: cached,
            ..Usage::default()
        }
    }
}

impl Translator {
    pub(super) fn new(prompt_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            tags: Tags::default(),
            calls: BTreeMap::new(),
            last_call: None,
            answer_id: String::new(),
            thought: false,
            spoke: false,
            written: 0,
            usage: None,
            stop: None,
        }
    }

    /// Whether the server gave a reason for the end.
    pub(super) fn has_ended(&self) -> bool {
        self.stop.is_some()
    }

    /// The deltas of one chunk.
    pub(super) fn chunk(&mut self, data: &str) -> Result<Vec<Delta>, Untranslatable> {
        let chunk: Chunk = serde_json::from_str(data).map_err(|e| (Fault::Garbage, e.to_string()))?;
        if let Some(error) = chunk.error {
            let status =
                error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
            let said = said_in(&error);
            return Err((fault(status, &said, None, true), said.message));
        }
        if let Some(id) = chunk.id.filter(|_| self.answer_id.is_empty()) {
            self.answer_id = id;
        }
        let mut deltas = Vec::new();
        if let Some(usage) = chunk.usage {
            let usage = usage.usage();
            self.usage = Some(usage);
            deltas.push(Delta::Usage(usage));
        }
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            // After its end nothing is awaited but the count.
            if self.has_ended() {
                break;
            }
            if let Some(delta) = choice.delta {
                self.delta(delta, &mut deltas)?;
            }
            if let Some(reason) = choice.finish_reason {
                self.end(&reason, &mut deltas);
            }
        }
        Ok(deltas)
    }

    /// The deltas of the end.
    pub(super) fn done(&mut self) -> Vec<Delta> {
        let mut deltas = Vec::new();
        if !self.has_ended() {
            self.end("", &mut deltas);
        }
        if self.usage.is_none() {
            deltas.push(Delta::Usage(Usage { input: self.prompt_tokens, output: self.written, ..Usage::default() }));
        }
        deltas.extend(self.stop.clone().map(Delta::Stop));
        deltas
    }

    fn delta(&mut self, delta: WireDelta, deltas: &mut Vec<Delta>) -> Result<(), Untranslatable> {
        for thought in
            [delta.reasoning_content, delta.reasoning].into_iter().flatten().filter(|t| !t.is_empty()).take(1)
        {
            self.think(thought, deltas);
        }
        for words in [delta.content, delta.refusal].into_iter().flatten() {
            let pieces = self.tags.push(&words).map_err(|_| too_much())?;
            self.pieces(pieces, deltas)?;
        }
        delta.tool_calls.into_iter().flatten().try_for_each(|call| self.call(call, deltas))
    }

    fn think(&mut self, text: String, deltas: &mut Vec<Delta>) {
        self.thought = true;
        self.written += estimate::text(&text);
        deltas.push(Delta::Thinking { index: THOUGHT, text });
    }

    fn pieces(&mut self, pieces: Vec<Piece>, deltas: &mut Vec<Delta>) -> Result<(), Untranslatable> {
        for piece in pieces {
            match piece {
                Piece::Speech(text) => {
                    self.spoke = true;
                    self.written += estimate::text(&text);
                    deltas.push(Delta::Text { index: SPEECH, text });
                }
                Piece::Thought(text) => self.think(text, deltas),
                Piece::Call(text) => match written_call(&text) {
                    Some((name, args)) => {
                        let index = self.calls.keys().next_back().map_or(0, |last| last.saturating_add(1));
                        let function = Some(WireFunction { name: Some(name), arguments: Some(Value::String(args)) });
                        self.call(WireCall { index: Some(index), id: None, function }, deltas)?;
                    }
                    // Nobody knows what was meant; it is not spoken.
                    None => self.think(text, deltas),
                },
            }
        }
        Ok(())
    }

    fn call(&mut self, wire: WireCall, deltas: &mut Vec<Delta>) -> Result<(), Untranslatable> {
        let id = wire.id.unwrap_or_default();
        let number = match (wire.index, self.last_call) {
            (Some(index), _) => index,
            // Without a number a new id begins a new call.
            (None, Some(last)) if id.is_empty() || self.calls.get(&last).is_some_and(|call| call.id == id) => last,
            (None, last) => last.map_or(0, |last| last.saturating_add(1)),
        };
        if usize::try_from(number).map_or(true, |n| n >= MAX_BLOCKS - 2) {
            return Err((Fault::TooMuch(format!("{} calls", MAX_BLOCKS - 2)), String::new()));
        }
        self.last_call = Some(number);
        let function = wire.function.unwrap_or_default();
        let (name, args) = (function.name.unwrap_or_default(), function.arguments.map(arguments).unwrap_or_default());
        self.written += estimate::text(&args);
        let call = self.calls.entry(number).or_default();
        if call.begun {
            // Some servers repeat name and id with every piece.
            if !args.is_empty() {
                deltas.push(Delta::ToolArgs { index: CALLS + number, json: args });
            }
            return Ok(());
        }
        call.id.push_str(&id);
        call.name.push_str(&name);
        call.waiting.push_str(&args);
        if call.waiting.len() > MAX_ARGS_BYTES {
            return Err(too_much());
        }
        if !call.name.is_empty() {
            Self::begin(number, call, &self.answer_id, deltas);
        }
        Ok(())
    }

    fn begin(number: u32, call: &mut Call, answer_id: &str, deltas: &mut Vec<Delta>) {
        let index = CALLS + number;
        call.begun = true;
        let id = if call.id.is_empty() { format!("{answer_id}-{number}") } else { call.id.clone() };
        deltas.push(Delta::ToolBegin { index, id: CallId(id), name: call.name.clone() });
        if !call.waiting.is_empty() {
            deltas.push(Delta::ToolArgs { index, json: std::mem::take(&mut call.waiting) });
        }
    }

    fn end(&mut self, reason: &str, deltas: &mut Vec<Delta>) {
        let pieces = self.tags.finish();
        if self.pieces(pieces, deltas).is_err() {
            // A call more than there may be, at the very end: the others stand.
            tracing::debug!("a tool call at the end of an answer is over the limit");
        }
        for (number, call) in &mut self.calls {
            if !call.begun {
                Self::begin(*number, call, &self.answer_id, deltas);
            }
        }
        let calls = self.calls.keys().map(|number| CALLS + number);
        let said = [(self.thought, THOUGHT), (self.spoke, SPEECH)]
            .into_iter()
            .filter(|(there, _)| *there)
            .map(|(_, index)| index);
        deltas.extend(said.chain(calls).map(|index| Delta::BlockEnd { index }));
        self.stop = Some(match reason {
            "length" => StopReason::MaxTokens,
            "content_filter" => StopReason::Refusal { why: None },
            // Several servers say `stop` and mean the calls.
            "tool_calls" | "function_call" | "stop" | "" if !self.calls.is_empty() => StopReason::ToolUse,
            "stop" => StopReason::EndTurn,
            "" => StopReason::Unknown("none given".to_owned()),
            other => StopReason::Unknown(other.chars().take(40).collect()),
        });
    }
}

fn too_much() -> Untranslatable {
    (Fault::TooMuch(format!("{MAX_ARGS_BYTES} bytes for a call's arguments")), String::new())
}

/// Arguments are a text, though some servers send the object itself.
fn arguments(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A call as a model writes it by itself.
fn written_call(text: &str) -> Option<(String, String)> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    let name = value.get("name")?.as_str()?.to_owned();
    let args = value.get("arguments").or_else(|| value.get("parameters")).cloned().unwrap_or(Value::Null);
    Some((name, arguments(args)))
}
