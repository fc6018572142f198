//! A question as chat completions take it.

use jarvis_core::mind::message::{Ask, Block, Message, Role, ThinkingWish, ToolSpec};
use serde_json::{Map, Value, json};

use super::OpenAiConfig;

/// The body of `POST /v1/chat/completions`.
pub(super) fn body(ask: &Ask, config: &OpenAiConfig) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(config.model));
    body.insert("stream".to_owned(), json!(true));
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    body.insert("max_tokens".to_owned(), json!(ask.max_tokens));
    body.extend(prompt(ask, config));
    Value::Object(body)
}

/// Those parts of it that become the prompt.
pub(super) fn prompt(ask: &Ask, config: &OpenAiConfig) -> Map<String, Value> {
    let mut prompt = Map::new();
    prompt.insert("messages".to_owned(), Value::Array(messages(ask)));
    if config.tools && !ask.tools.is_empty() {
        prompt.insert("tools".to_owned(), ask.tools.iter().map(tool).collect());
    }
    if config.template_switches && ask.thinking == ThinkingWish::Least {
        prompt.insert("chat_template_kwargs".to_owned(), json!({"enable_thinking": false}));
    }
    prompt
}

fn tool(tool: &ToolSpec) -> Value {
    json!({"type": "function", "function": {"name": tool.name, "description": tool.about, "parameters": tool.schema}})
}

fn messages(ask: &Ask) -> Vec<Value> {
    let system: Vec<&str> = ask.system.iter().map(|part| part.text.as_str()).collect();
    let system = (!system.is_empty()).then(|| json!({"role": "system", "content": system.join("\n\n")}));
    system.into_iter().chain(ask.messages.iter().flat_map(message)).collect()
}

/// One message is several here: each tool's result stands alone.
fn message(message: &Message) -> Vec<Value> {
    let text = message.text();
    match message.role {
        Role::User => {
            let results = message.blocks.iter().filter_map(|block| match block {
                Block::ToolResult(result) => {
                    let content =
                        if result.is_error { format!("Error: {}", result.content) } else { result.content.clone() };
                    Some(json!({"role": "tool", "tool_call_id": result.id, "content": content}))
                }
                _ => None,
            });
            let words = (!text.trim().is_empty()).then(|| json!({"role": "user", "content": text}));
            results.chain(words).collect()
        }
        Role::Assistant => {
            // Thinking is left out: these models' templates drop it, and it would fill the window.
            let calls: Vec<Value> = message
                .calls()
                .map(|call| {
                    let args = call.args.json().map_or_else(|| call.args.to_value().to_string(), str::to_owned);
                    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": args}})
                })
                .collect();
            if text.trim().is_empty() && calls.is_empty() {
                return vec![];
            }
            let mut value = json!({"role": "assistant", "content": text});
            if !calls.is_empty() {
                value["tool_calls"] = Value::Array(calls);
            }
            vec![value]
        }
    }
}
