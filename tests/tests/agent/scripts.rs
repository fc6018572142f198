//! What a server of the test's own streams, in the form of OpenAI's servers.

use jarvis_tests::model_server::{Script, Step};
use serde_json::{Value, json};

fn chunk(delta: Value) -> Step {
    Step::chunk(&json!({"choices": [{"index": 0, "delta": delta}]}))
}

fn end(reason: &str) -> [Step; 2] {
    [Step::chunk(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})), Step::done()]
}

/// Calls a tool, after these words.
pub(super) fn looks(words: &str, tool: &str, args: &Value) -> Script {
    let function = json!({"name": tool, "arguments": args.to_string()});
    let call = json!({"index": 0, "id": "call_0", "type": "function", "function": function});
    let words = (!words.is_empty()).then(|| chunk(json!({"content": words})));
    Script::stream(words.into_iter().chain([chunk(json!({"tool_calls": [call]}))]).chain(end("tool_calls")))
}

/// Says this.
pub(super) fn speaks(words: &str) -> Script {
    Script::stream([chunk(json!({"content": words}))].into_iter().chain(end("stop")))
}
