//! Steps of a run as they are stored: secrets taken out, thoughts left out, long texts cut.

use jarvis_core::agent::Step;
use jarvis_core::mind::trim::condense;
use jarvis_core::redact::redact;
use serde_json::Value;

/// Longest text of a step that is stored, in bytes.
const TEXT_BYTES_MAX: usize = 8_000;
/// Blocks that are not stored: what a model thought, and what only its provider can read.
const LEFT_OUT: [&str; 2] = ["thinking", "foreign"];

/// JSON of a step for the store.
pub(super) fn stored(step: &Step) -> String {
    let mut value = serde_json::to_value(step).unwrap_or_default();
    if let Some(blocks) = value.pointer_mut("/message/blocks").and_then(Value::as_array_mut) {
        blocks.retain(|block| !block["block"].as_str().is_some_and(|kind| LEFT_OUT.contains(&kind)));
    }
    clean(&mut value);
    value.to_string()
}

/// Arguments as they are shown and stored.
pub(super) fn shown(args: &str) -> Value {
    let mut value = serde_json::from_str(args).unwrap_or_default();
    clean(&mut value);
    value
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = condense(&redact(text).text, TEXT_BYTES_MAX),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use jarvis_core::mind::args::ToolArgs;
    use jarvis_core::mind::message::{Block, Message, Role, StopReason, Thinking, ToolUse, Usage};

    use super::*;

    #[test]
    fn neither_secrets_nor_thoughts_are_stored_and_nothing_is_long() {
        let secret = "password=Wint3r!Garden-77x";
        let thinking = Thinking { model: "m".into(), text: "Hm, a secret thought.".into(), raw: None };
        let args = ToolArgs::read(&format!(r#"{{"text":"{secret} {}"}}"#, "x".repeat(100_000)), true);
        let message = Message {
            role: Role::Assistant,
            blocks: vec![
                Block::Thinking(thinking),
                Block::Text { text: format!("It is {secret}, sir.") },
                Block::ToolUse(ToolUse { id: "1".into(), name: "page_note".into(), args }),
            ],
        };
        let text = stored(&Step::Said { message, stop: StopReason::ToolUse, usage: Usage::default() });
        assert!(
            !text.contains("Wint3r") && !text.contains("secret thought") && text.contains("[secret"),
            "{text:.300}"
        );
        assert!(text.len() < 2 * TEXT_BYTES_MAX, "{}", text.len());
        assert!(serde_json::from_str::<Step>(&text).is_ok(), "it can be read back: {text:.300}");
    }
}
