//! Results in words: bounded, and without secrets.

use jarvis_core::redact::redact;
use jarvis_core::tool::Facts;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::Value;

/// Longest result, in bytes of text.
pub(super) const RESULT_BYTES_MAX: usize = 128 << 10;

/// What a read brought, as JSON. What is not known is left out, and `gaps` says why.
pub(super) fn facts(facts: &Facts) -> CallToolResult {
    let mut value = serde_json::to_value(facts).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| !value.is_null());
    }
    clean(&mut value);
    CallToolResult::success(vec![ContentBlock::text(bounded(value.to_string()))])
}

/// A fact that is no failure.
pub(super) fn said(text: &str) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(bounded(redact(text).text))])
}

/// Why nothing was done.
pub(super) fn refused(text: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(bounded(redact(text).text))])
}

/// Takes secrets out of every text in a value.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            let redacted = redact(text);
            if !redacted.findings.is_empty() {
                *text = redacted.text;
            }
        }
        Value::Array(all) => all.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > RESULT_BYTES_MAX {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(RESULT_BYTES_MAX));
        text.push_str(&format!("\n(cut here: {whole} bytes in all; ask for less at once)"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(result: &CallToolResult) -> String {
        serde_json::to_value(result).unwrap()["content"][0]["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_result_is_bounded_and_says_so() {
        let long = said(&"häuser ".repeat(RESULT_BYTES_MAX));
        let text = text(&long);
        assert!(text.len() < RESULT_BYTES_MAX + 100 && text.ends_with("ask for less at once)"));
    }

    #[test]
    fn secrets_stay_here_and_what_is_unknown_is_left_out() {
        let mut found = Facts::default();
        found.gaps.push(jarvis_core::tool::Gap {
            read: "tasks".into(),
            node: None,
            reason: jarvis_core::tool::GapReason::Failed,
            detail: "qm set 104 --cipassword Wint3r!Garden".into(),
        });
        let text = text(&facts(&found));
        assert!(text.contains("[secret: password]") && !text.contains("Wint3r"), "{text}");
        assert!(!text.contains("snapshots"), "{text}");
    }
}
