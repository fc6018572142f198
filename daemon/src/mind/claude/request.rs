//! A question as the Messages API takes it.

use jarvis_core::mind::message::{
    Ask, Block, CacheHint, Effort, Message, ModelId, Role, SystemPart, ThinkingWish, ToolResult, ToolSpec,
};
use jarvis_core::mind::models::{Display, Model, ThinkingKind};
use serde_json::{Map, Value, json};

/// Marks that a request may have.
const MARKS_MAX: usize = 4;
/// Asks for the notes between tool calls.
const BETA_UPDATES: &str = "thinking-display-updates-2026-08-18";
/// Lets thinking be dropped whose conversation was trimmed, instead of refusing the request.
const BETA_BINDING: &str = "thinking-binding-controls-2026-08-01";

/// How thinking is asked for in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Nothing is said of it.
    Unsaid,
    /// None.
    Off,
    /// Between tools only: all of it are notes.
    BetweenTools,
    /// As the model finds right; what of it can be read.
    Adaptive {
        /// `None` where the server does not know any.
        display: Display,
        /// The server knows the beta headers.
        betas: bool,
    },
}

impl Manner {
    pub(super) fn new(model: Option<&Model>, wish: ThinkingWish, plain: bool) -> Self {
        let adaptive = |display| {
            let display = if plain { Display::Summarized } else { display };
            Self::Adaptive { display, betas: !plain }
        };
        match model.map(|model| (model.thinking, model.display)) {
            // An unknown model may know none of it, and answers without.
            None | Some((ThinkingKind::Never, _)) => Self::Unsaid,
            Some((ThinkingKind::Optional, _)) if wish == ThinkingWish::Least => Self::Off,
            Some((ThinkingKind::BetweenTools, _)) if wish == ThinkingWish::Least => Self::BetweenTools,
            Some((_, display)) => adaptive(display),
        }
    }

    pub(super) fn has_betas(self) -> bool {
        matches!(self, Self::Adaptive { betas: true, .. })
    }

    /// The header that asks for them.
    pub(super) fn betas(self) -> Option<String> {
        match self {
            Self::Adaptive { betas: true, display: Display::Updates } => Some(format!("{BETA_BINDING},{BETA_UPDATES}")),
            Self::Adaptive { betas: true, display: Display::Summarized } => Some(BETA_BINDING.to_owned()),
            _ => None,
        }
    }

    /// Whether every word in a thinking block is a note for whoever waits.
    pub(super) fn notes_stand_apart(self) -> bool {
        matches!(self, Self::BetweenTools | Self::Adaptive { display: Display::Updates, .. })
    }

    fn value(self) -> Option<Value> {
        match self {
            Self::Unsaid => None,
            Self::Off => Some(json!({"type": "disabled"})),
            Self::BetweenTools => Some(json!({"type": "between_tools"})),
            Self::Adaptive { display, betas } => {
                let display = match display {
                    Display::Updates => "updates",
                    Display::Summarized => "summarized",
                };
                let mut value = json!({"type": "adaptive", "display": display});
                if betas {
                    value["block_binding"] = json!({"prefix_mismatch_behavior": "drop_block"});
                }
                Some(value)
            }
        }
    }
}

/// The body of `POST /v1/messages`.
pub(super) fn body(ask: &Ask, id: &ModelId, known: Option<&Model>, manner: &Manner, tools: bool) -> Value {
    let most = known.map_or(u64::from(ask.max_tokens), |model| model.output_tokens);
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(id));
    body.insert("max_tokens".to_owned(), json!(u64::from(ask.max_tokens).min(most)));
    body.insert("stream".to_owned(), json!(true));
    let marks = Marks::new(&ask.system);
    if !ask.system.is_empty() {
        let parts = ask.system.iter().zip(&marks.system);
        let parts = parts.filter(|(part, _)| !part.text.trim().is_empty());
        body.insert("system".to_owned(), parts.map(|(part, mark)| marked(text(&part.text), *mark)).collect());
    }
    if tools && !ask.tools.is_empty() {
        body.insert("tools".to_owned(), tool_list(&ask.tools, marks.tools));
    }
    body.insert("messages".to_owned(), messages(&ask.messages, id));
    if let Some(thinking) = manner.value() {
        body.insert("thinking".to_owned(), thinking);
    }
    if let Some(effort) = ask.effort.and_then(|wish| effort(wish, known, *manner)) {
        body.insert("output_config".to_owned(), json!({"effort": effort.as_str()}));
    }
    Value::Object(body)
}

/// The effort nearest to `wish` that the model takes.
fn effort(wish: Effort, known: Option<&Model>, manner: Manner) -> Option<Effort> {
    let takes = &known?.efforts;
    // Without thinking the highest efforts are refused.
    let wish = if manner == Manner::Off { wish.min(Effort::High) } else { wish };
    takes.iter().rev().find(|effort| **effort <= wish).or(takes.first()).copied()
}

/// Which beginnings are marked for the cache. The API wants at most four marks, and the longer-lived before the shorter.
struct Marks {
    tools: CacheHint,
    system: Vec<CacheHint>,
}

impl Marks {
    fn new(system: &[SystemPart]) -> Self {
        // One mark is for the tools, one for the conversation; the last hints cover what the earlier ones do.
        let mut left = MARKS_MAX - 2;
        let mut longest = CacheHint::FiveMinutes;
        let mut marks: Vec<CacheHint> = system
            .iter()
            .rev()
            .map(|part| {
                longest = longest.max(part.cache);
                if part.cache == CacheHint::None || left == 0 {
                    return CacheHint::None;
                }
                left -= 1;
                longest
            })
            .collect();
        marks.reverse();
        Self { tools: longest, system: marks }
    }
}

fn marked(mut block: Value, hint: CacheHint) -> Value {
    match hint {
        CacheHint::None => {}
        CacheHint::FiveMinutes => block["cache_control"] = json!({"type": "ephemeral"}),
        CacheHint::OneHour => block["cache_control"] = json!({"type": "ephemeral", "ttl": "1h"}),
    }
    block
}

fn tool_list(tools: &[ToolSpec], mark: CacheHint) -> Value {
    let last = tools.len() - 1;
    let list = tools.iter().enumerate().map(|(n, tool)| {
        let value = json!({"name": tool.name, "description": tool.about, "input_schema": tool.schema});
        marked(value, if n == last { mark } else { CacheHint::None })
    });
    list.collect()
}

/// The conversation, its end marked for the cache.
fn messages(messages: &[Message], id: &ModelId) -> Value {
    let mut list: Vec<Value> = messages.iter().filter_map(|message| self::message(message, id)).collect();
    let blocks = list.last_mut().and_then(|message| message["content"].as_array_mut());
    // Thinking takes no mark, and neither may what is not known here.
    let takes = |block: &&mut Value| matches!(block["type"].as_str(), Some("text" | "tool_use" | "tool_result"));
    if let Some(block) = blocks.and_then(|blocks| blocks.last_mut()).filter(takes) {
        *block = marked(block.take(), CacheHint::FiveMinutes);
    }
    Value::Array(list)
}

fn message(message: &Message, id: &ModelId) -> Option<Value> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let content: Vec<Value> = message.blocks.iter().filter_map(|block| self::block(block, id)).collect();
    (!content.is_empty()).then(|| json!({"role": role, "content": content}))
}

fn block(block: &Block, id: &ModelId) -> Option<Value> {
    match block {
        // Blank text is refused.
        Block::Text { text: words } => (!words.trim().is_empty()).then(|| text(words)),
        Block::Thinking(thinking) => thinking.raw.clone().filter(|_| same_model(&thinking.model, id)),
        Block::Foreign { model, raw } => Some(raw.clone()).filter(|_| same_model(model, id)),
        Block::ToolUse(call) => {
            Some(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.args.to_value()}))
        }
        Block::ToolResult(result) => Some(tool_result(result)),
    }
}

fn text(words: &str) -> Value {
    json!({"type": "text", "text": words})
}

fn tool_result(result: &ToolResult) -> Value {
    let mut value = json!({"type": "tool_result", "tool_use_id": result.id});
    if !result.content.trim().is_empty() {
        value["content"] = json!(result.content);
    } else if result.is_error {
        value["content"] = json!("It failed and did not say why.");
    }
    if result.is_error {
        value["is_error"] = json!(true);
    }
    value
}

/// Whether both name one model, one of them perhaps with its date.
fn same_model(a: &ModelId, b: &ModelId) -> bool {
    fn undated(id: &ModelId) -> &str {
        let dated = |date: &str| date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit());
        id.as_str().rsplit_once('-').filter(|(_, date)| dated(date)).map_or(id.as_str(), |(name, _)| name)
    }
    undated(a) == undated(b)
}
