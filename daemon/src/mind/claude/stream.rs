//! Events of the Messages API into deltas: pure, but for the stream around it.

use std::collections::{BTreeMap, VecDeque};

use futures_util::{StreamExt, stream};
use jarvis_core::mind::assemble::{MAX_BLOCKS, MAX_THINKING_BYTES};
use jarvis_core::mind::error::Fault;
use jarvis_core::mind::message::{CallId, Delta, ModelId, StopReason, Usage};
use jarvis_core::mind::sse::SseEvent;
use serde::Deserialize;
use serde_json::Value;

use super::super::DeltaStream;
use super::super::http::Events;
use super::{ErrorPart, fault};

/// The deltas of `events`; `notes` says that thinking which can be read is meant to be read out.
pub(super) fn deltas(events: Events, model: ModelId, notes: bool) -> DeltaStream {
    let state = State { events, translator: Translator::new(model, notes), ready: VecDeque::new(), over: false };
    stream::unfold(state, |mut state| async {
        loop {
            if let Some(delta) = state.ready.pop_front() {
                return Some((Ok(delta), state));
            }
            if state.over {
                return None;
            }
            let error = match state.events.next().await {
                Ok(Some(event)) => match state.translator.event(&event) {
                    Ok(deltas) => {
                        state.over = deltas.iter().any(|delta| matches!(delta, Delta::Stop(_)));
                        state.ready.extend(deltas);
                        continue;
                    }
                    Err((fault, detail)) => state.events.error(fault, &detail),
                },
                Ok(None) => state.events.error(Fault::BrokenStream, "the stream ended before the answer"),
                Err(error) => error,
            };
            state.over = true;
            return Some((Err(error), state));
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

/// Turns events into deltas.
pub(super) struct Translator {
    model: ModelId,
    notes: bool,
    open: BTreeMap<u32, Open>,
    usage: Usage,
    stop: Option<StopReason>,
    kept_bytes: usize,
}

/// A block whose own form must be kept until it ends.
enum Open {
    /// A thinking block as it will be replayed.
    Thinking(Value),
    /// A call; its arguments may have come whole at its beginning.
    Tool {
        whole: Option<String>,
    },
    /// A block of an unknown kind, and the input that streams into it.
    Foreign {
        raw: Value,
        input: String,
    },
    Text,
}

/// What can't be translated, and what was seen.
type Untranslatable = (Fault, String);

#[derive(Deserialize)]
struct Wire {
    r#type: String,
    #[serde(default)]
    index: u32,
    #[serde(default)]
    message: Option<WireMessage>,
    #[serde(default)]
    content_block: Value,
    #[serde(default)]
    delta: WireDelta,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    error: ErrorPart,
}

#[derive(Deserialize)]
struct WireMessage {
    #[serde(default)]
    model: Option<ModelId>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireDelta {
    r#type: String,
    text: String,
    thinking: String,
    signature: String,
    partial_json: String,
    stop_reason: Option<String>,
    stop_details: Option<WireStop>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireStop {
    explanation: Option<String>,
    category: Option<String>,
}

/// Each value replaces the one before, and one that is missing leaves it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct WireUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<WireCreation>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

impl Translator {
    pub(super) fn new(model: ModelId, notes: bool) -> Self {
        Self { model, notes, open: BTreeMap::new(), usage: Usage::default(), stop: None, kept_bytes: 0 }
    }

    /// The deltas of one event.
    pub(super) fn event(&mut self, event: &SseEvent) -> Result<Vec<Delta>, Untranslatable> {
        // Events of kinds that will be added later need not even be JSON of this shape.
        const KNOWN: [&str; 7] = [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "error",
        ];
        let wire: Wire = match serde_json::from_str(&event.data) {
            Ok(wire) => wire,
            Err(_) if event.name != "message" && !KNOWN.contains(&event.name.as_str()) => return Ok(vec![]),
            Err(e) => return Err((Fault::Garbage, format!("{}: {e}", event.name))),
        };
        let index = wire.index;
        match wire.r#type.as_str() {
            "message_start" => Ok(self.begin(wire)),
            "content_block_start" => self.block_start(index, wire.content_block),
            "content_block_delta" => self.block_delta(index, wire.delta),
            "content_block_stop" => Ok(self.block_stop(index)),
            "message_delta" => {
                if let Some(reason) = wire.delta.stop_reason {
                    self.stop = Some(stop(reason, wire.delta.stop_details));
                }
                Ok(wire.usage.map(|usage| self.count(usage)).into_iter().collect())
            }
            "message_stop" => {
                let stop = self.stop.take().unwrap_or_else(|| StopReason::Unknown("none given".to_owned()));
                Ok(vec![Delta::Stop(stop)])
            }
            "error" => Err((fault(None, &wire.error, None), wire.error.message)),
            _ => Ok(vec![]),
        }
    }

    fn begin(&mut self, wire: Wire) -> Vec<Delta> {
        let message = wire.message.unwrap_or(WireMessage { model: None, usage: None });
        let model = message.model.unwrap_or_else(|| self.model.clone());
        let mut deltas = vec![Delta::Begin { model }];
        deltas.extend(message.usage.map(|usage| self.count(usage)));
        deltas
    }

    fn count(&mut self, wire: WireUsage) -> Delta {
        let usage = &mut self.usage;
        usage.input = wire.input_tokens.unwrap_or(usage.input);
        usage.output = wire.output_tokens.unwrap_or(usage.output);
        usage.cache_read = wire.cache_read_input_tokens.unwrap_or(usage.cache_read);
        if let Some(parts) = wire.cache_creation {
            usage.cache_write_5m = parts.ephemeral_5m_input_tokens;
            usage.cache_write_1h = parts.ephemeral_1h_input_tokens;
        } else if let Some(written) = wire.cache_creation_input_tokens {
            usage.cache_write_5m = written.saturating_sub(usage.cache_write_1h);
        }
        Delta::Usage(*usage)
    }

    fn keep(&mut self, bytes: usize) -> Result<(), Untranslatable> {
        self.kept_bytes = self.kept_bytes.saturating_add(bytes);
        let room = self.kept_bytes <= MAX_THINKING_BYTES && self.open.len() <= MAX_BLOCKS;
        if room {
            Ok(())
        } else {
            Err((Fault::TooMuch(format!("{MAX_THINKING_BYTES} bytes for thinking")), String::new()))
        }
    }

    fn block_start(&mut self, index: u32, block: Value) -> Result<Vec<Delta>, Untranslatable> {
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (open, deltas) = match text("type").as_str() {
            "text" => (Open::Text, vec![Delta::Text { index, text: text("text") }]),
            "thinking" => {
                let shown = self.thought(index, text("thinking"));
                (Open::Thinking(block), vec![shown])
            }
            "redacted_thinking" => (Open::Thinking(block), vec![]),
            "tool_use" => {
                let input = block.get("input").filter(|input| input.as_object().is_some_and(|o| !o.is_empty()));
                let whole = input.map(Value::to_string);
                let begin = Delta::ToolBegin { index, id: CallId(text("id")), name: text("name") };
                (Open::Tool { whole }, vec![begin])
            }
            "" => return Err((Fault::Garbage, "a block without a type".to_owned())),
            _ => (Open::Foreign { raw: block, input: String::new() }, vec![]),
        };
        self.open.insert(index, open);
        self.keep(0)?;
        Ok(deltas)
    }

    fn thought(&self, index: u32, text: String) -> Delta {
        if self.notes && !text.is_empty() { Delta::Progress { index, text } } else { Delta::Thinking { index, text } }
    }

    fn block_delta(&mut self, index: u32, delta: WireDelta) -> Result<Vec<Delta>, Untranslatable> {
        self.keep(delta.thinking.len() + delta.signature.len())?;
        let shown = self.thought(index, delta.thinking.clone());
        match (self.open.get_mut(&index), delta.r#type.as_str()) {
            (None, _) => Err((Fault::Garbage, "a piece of a block that did not begin".to_owned())),
            (Some(_), "text_delta") => Ok(vec![Delta::Text { index, text: delta.text }]),
            (Some(Open::Thinking(raw)), "thinking_delta") => {
                append(raw, "thinking", &delta.thinking);
                Ok(vec![shown])
            }
            (Some(Open::Thinking(raw)), "signature_delta") => {
                append(raw, "signature", &delta.signature);
                Ok(vec![])
            }
            (Some(Open::Tool { whole }), "input_json_delta") => {
                if !delta.partial_json.is_empty() {
                    *whole = None;
                }
                Ok(vec![Delta::ToolArgs { index, json: delta.partial_json }])
            }
            (Some(Open::Foreign { input, .. }), "input_json_delta") => {
                input.push_str(&delta.partial_json);
                let bytes = delta.partial_json.len();
                self.keep(bytes)?;
                Ok(vec![])
            }
            // Citations and whatever comes later.
            _ => Ok(vec![]),
        }
    }

    fn block_stop(&mut self, index: u32) -> Vec<Delta> {
        let end = Delta::BlockEnd { index };
        match self.open.remove(&index) {
            Some(Open::Thinking(raw)) => vec![Delta::ThinkingRaw { index, raw }, end],
            Some(Open::Tool { whole: Some(json) }) => vec![Delta::ToolArgs { index, json }, end],
            Some(Open::Foreign { mut raw, input }) => {
                if let Ok(input) = serde_json::from_str::<Value>(&input)
                    && raw.is_object()
                {
                    raw["input"] = input;
                }
                vec![Delta::Foreign { index, raw }, end]
            }
            Some(Open::Tool { whole: None } | Open::Text) => vec![end],
            None => vec![],
        }
    }
}

/// Appends to a text field of a block, which is made where it is missing.
fn append(raw: &mut Value, field: &str, piece: &str) {
    let Some(fields) = raw.as_object_mut() else { return };
    match fields.get_mut(field) {
        Some(Value::String(so_far)) => so_far.push_str(piece),
        _ => {
            fields.insert(field.to_owned(), Value::String(piece.to_owned()));
        }
    }
}

fn stop(reason: String, details: Option<WireStop>) -> StopReason {
    match reason.as_str() {
        "end_turn" => StopReason::EndTurn,
        "max_tokens" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence,
        "tool_use" => StopReason::ToolUse,
        "pause_turn" => StopReason::PauseTurn,
        "refusal" => {
            let details = details.unwrap_or_default();
            StopReason::Refusal { why: details.explanation.or(details.category) }
        }
        "model_context_window_exceeded" => StopReason::ContextExceeded,
        _ => StopReason::Unknown(reason),
    }
}
