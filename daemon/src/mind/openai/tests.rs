use jarvis_core::mind::args::{ArgsFault, ToolArgs};
use jarvis_core::mind::assemble::Assembler;
use jarvis_core::mind::message::{
    Block, CacheHint, Delta, Message, Reply, Role, StopReason, SystemPart, Thinking, ThinkingWish, ToolResult,
    ToolSpec, ToolUse, Usage,
};
use serde_json::json;

use super::super::tests::recorded;
use super::stream::Translator;
use super::*;

fn config() -> OpenAiConfig {
    toml::from_str("url = 'http://127.0.0.1:1/v1'\nmodel = 'qwen'").unwrap()
}

fn ask() -> Ask {
    let raw = json!({"type": "thinking"});
    let thinking = Thinking { model: "claude".into(), text: "Hm.".to_owned(), raw: Some(raw) };
    let call = |id: &str, args: &str| {
        Block::ToolUse(ToolUse { id: id.into(), name: "logs".to_owned(), args: ToolArgs::read(args, true) })
    };
    let part = |text: &str| SystemPart { text: text.to_owned(), cache: CacheHint::OneHour };
    Ask {
        system: vec![part("You are a butler."), part("Two nodes.")],
        tools: vec![ToolSpec {
            name: "logs".to_owned(),
            about: "Reads logs.".to_owned(),
            schema: json!({"type": "object"}),
        }],
        messages: vec![
            Message::user("why?"),
            Message {
                role: Role::Assistant,
                blocks: vec![Block::Thinking(thinking), call("a", "{\"n\": 1,}"), call("b", "{\"n\": \"to")],
            },
            Message::results(vec![
                ToolResult { id: "a".into(), content: "full".to_owned(), is_error: false },
                ToolResult { id: "b".into(), content: "no such node".to_owned(), is_error: true },
            ]),
        ],
        max_tokens: 300,
        thinking: ThinkingWish::Least,
        effort: None,
    }
}

#[test]
fn a_conversation_as_chat_completions_take_it() {
    let body = request::body(&ask(), &config());
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "logs", "arguments": arguments}});
    let expected = json!({
        "model": "qwen", "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 300,
        "chat_template_kwargs": {"enable_thinking": false},
        "tools": [{"type": "function", "function": {"name": "logs", "description": "Reads logs.", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "You are a butler.\n\nTwo nodes."},
            {"role": "user", "content": "why?"},
            {"role": "assistant", "content": "", "tool_calls": [call("a", "{\"n\": 1}"), call("b", "{\"unreadable\":\"{\\\"n\\\": \\\"to\"}")]},
            {"role": "tool", "tool_call_id": "a", "content": "full"},
            {"role": "tool", "tool_call_id": "b", "content": "Error: no such node"},
        ],
    });
    assert_eq!(body, expected);
    let silent = OpenAiConfig { tools: false, template_switches: false, ..config() };
    let body = request::body(&ask(), &silent);
    assert_eq!((body.get("tools"), body.get("chat_template_kwargs")), (None, None));
}

fn translate(chunks: &[Value]) -> Result<Vec<Delta>, (Fault, String)> {
    let mut translator = Translator::new(1_000);
    let deltas: Result<Vec<_>, _> = chunks.iter().map(|chunk| translator.chunk(&chunk.to_string())).collect();
    let mut deltas: Vec<_> = deltas?.into_iter().flatten().collect();
    deltas.extend(translator.done());
    Ok(deltas)
}

fn assembled(deltas: &[Delta]) -> Reply {
    let mut assembler = Assembler::new("qwen".into());
    deltas.iter().for_each(|delta| assembler.push(delta).unwrap());
    assembler.finish().expect("it has ended")
}

fn delta(delta: Value) -> Value {
    json!({"id": "chat-7", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

/// A piece of a call: its fields only where they are given.
fn piece(index: Option<u32>, id: Option<&str>, name: Option<&str>, args: Option<&str>) -> Value {
    let call = json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": args}});
    delta(json!({"tool_calls": [call]}))
}

/// Number, name and arguments of every call.
fn calls(reply: &Reply) -> Vec<(&str, &str, &str)> {
    reply.message.calls().map(|c| (c.id.as_str(), c.name.as_str(), c.args.json().unwrap_or("refused"))).collect()
}

#[test]
fn a_recorded_stream_of_llama_cpp_comes_out_whole() {
    let text = recorded("llama-openai-calls.sse");
    let chunks = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let chunks: Vec<Value> = chunks.map(|data| serde_json::from_str(data).unwrap()).collect();
    let reply = assembled(&translate(&chunks).unwrap());
    assert_eq!((reply.stop, reply.usage), (StopReason::ToolUse, Usage { input: 574, output: 21, ..Usage::default() }));
    let [Block::Thinking(thinking), Block::ToolUse(call)] = &reply.message.blocks[..] else {
        panic!("{:?}", reply.message)
    };
    assert_eq!(thinking.text, "The owner asks about node one. I will look at it.\n");
    assert_eq!(
        (call.id.as_str(), call.name.as_str(), call.args.json()),
        ("zBMjWNrxH6i2SMehznyoGB2yFlsEvMgR", "node_status", Some("{\"node\": \"pve1\"}"))
    );
}

#[test]
fn parallel_calls_in_pieces_whatever_the_server_leaves_out() {
    // Woven together, as vLLM may send them.
    let woven = [
        piece(Some(0), Some("a"), Some("logs"), Some("{\"n\"")),
        piece(Some(1), Some("b"), Some("temps"), None),
        piece(Some(1), None, None, Some("{}")),
        piece(Some(0), None, None, Some(":1}")),
        finish("tool_calls"),
    ];
    let expected = vec![("a", "logs", "{\"n\":1}"), ("b", "temps", "{}")];
    let reply = assembled(&translate(&woven).unwrap());
    assert_eq!((calls(&reply), &reply.stop), (expected.clone(), &StopReason::ToolUse));
    // Without numbers, one after another, the end called `stop`.
    let bare = [
        piece(None, Some("a"), Some("logs"), Some("{\"n\":")),
        piece(None, None, None, Some("1}")),
        piece(None, Some("b"), Some("temps"), Some("{}")),
        finish("stop"),
    ];
    let reply = assembled(&translate(&bare).unwrap());
    assert_eq!((calls(&reply), &reply.stop), (expected.clone(), &StopReason::ToolUse));
    // Name and id in every piece, and the arguments before the name.
    let repeating = [
        piece(Some(0), Some("a"), None, Some("{\"n\"")),
        piece(Some(0), None, Some("logs"), Some(":1")),
        piece(Some(0), Some("a"), Some("logs"), Some("}")),
        piece(Some(1), Some("b"), Some("temps"), Some("{}")),
        finish("tool_calls"),
    ];
    assert_eq!(calls(&assembled(&translate(&repeating).unwrap())), expected);
    // No id at all: it is made of the answer's. Arguments as an object.
    let object = delta(json!({"tool_calls": [{"index": 0, "function": {"name": "logs", "arguments": {"n": 1}}}]}));
    assert_eq!(
        calls(&assembled(&translate(&[object, finish("tool_calls")]).unwrap())),
        [("chat-7-0", "logs", "{\"n\":1}")]
    );
}

#[test]
fn malformed_arguments_are_mended_or_refused() {
    let args = |args: &str, reason: &str| {
        let reply =
            assembled(&translate(&[piece(Some(0), Some("a"), Some("logs"), Some(args)), finish(reason)]).unwrap());
        reply.message.calls().next().cloned().unwrap().args
    };
    assert_eq!(
        args("{\"node\": \"pve1\",}", "tool_calls"),
        ToolArgs::Mended { json: "{\"node\": \"pve1\"}".to_owned() }
    );
    assert!(matches!(args("node=pve1", "tool_calls"), ToolArgs::Refused { fault: ArgsFault::NotJson, .. }));
    assert!(matches!(args("{\"node\": \"pve1\",", "length"), ToolArgs::Refused { fault: ArgsFault::CutOff, .. }));
}

#[test]
fn reasoning_never_becomes_speech() {
    for field in ["reasoning_content", "reasoning"] {
        let chunks =
            [delta(json!({field: "Hm.", "content": null})), delta(json!({"content": "Well."})), finish("stop")];
        let reply = assembled(&translate(&chunks).unwrap());
        assert_eq!((reply.message.text().as_str(), reply.stop), ("Well.", StopReason::EndTurn));
        assert!(
            matches!(&reply.message.blocks[0], Block::Thinking(thinking) if thinking.text == "Hm." && thinking.raw.is_none())
        );
    }
    let text = "<think>\nHm.</think>Asking.<tool_call>\n{\"name\": \"logs\", \"arguments\": {\"n\": 1}}\n</tool_call>";
    let chunks: Vec<Value> =
        text.chars().map(|c| delta(json!({"content": c.to_string()}))).chain([finish("stop")]).collect();
    let reply = assembled(&translate(&chunks).unwrap());
    assert_eq!((reply.message.text().as_str(), calls(&reply)), ("Asking.", vec![("chat-7-0", "logs", "{\"n\":1}")]));
    let chunks = [delta(json!({"content": "<tool_call>what?</tool_call>"})), finish("stop")];
    assert_eq!(assembled(&translate(&chunks).unwrap()).message.text(), "");
}

#[test]
fn ends_and_counts() {
    let one = |reason: &str| assembled(&translate(&[delta(json!({"content": "x"})), finish(reason)]).unwrap());
    assert_eq!(one("length").stop, StopReason::MaxTokens);
    assert_eq!(one("content_filter").stop, StopReason::Refusal { why: None });
    assert_eq!(one("novel").stop, StopReason::Unknown("novel".to_owned()));
    let counted = json!({"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 20}}});
    let reply = assembled(&translate(&[delta(json!({"content": "x"})), finish("stop"), counted]).unwrap());
    assert_eq!(reply.usage, Usage { input: 30, output: 3, cache_read: 20, ..Usage::default() });
    assert_eq!(
        one("stop").usage,
        Usage { input: 1_000, output: 1, ..Usage::default() },
        "an estimate where the server is silent"
    );
}

#[test]
fn nonsense_and_errors_in_the_middle_are_told() {
    let mut translator = Translator::new(0);
    assert_eq!(translator.chunk("<html>").unwrap_err().0, Fault::Garbage);
    let error =
        |code: u64, message: &str| translate(&[json!({"error": {"code": code, "message": message}})]).unwrap_err();
    assert_eq!(error(503, "Loading model"), (Fault::Overloaded { retry_after_ms: None }, "Loading model".to_owned()));
    assert_eq!(error(500, "the request exceeds the available context size").0, Fault::ContextExceeded);
    let many: Vec<_> = (0..100).map(|n| piece(Some(n), Some("a"), Some("x"), None)).collect();
    assert!(matches!(translate(&many).unwrap_err().0, Fault::TooMuch(_)));
    let endless: Vec<_> = (0..300).map(|_| piece(Some(0), Some("a"), None, Some(&"x".repeat(1024)))).collect();
    assert!(matches!(translate(&endless).unwrap_err().0, Fault::TooMuch(_)), "arguments whose name never comes");
}

#[test]
fn refusals_are_told_apart_however_the_server_writes_them() {
    let cases = [
        (
            401,
            "{\"error\": {\"message\": \"Invalid API Key\", \"type\": \"authentication_error\", \"code\": 401}}",
            Fault::WrongKey,
        ),
        (404, "{\"error\": \"model 'qwen' not found\"}", Fault::NoSuchModel),
        (
            400,
            "{\"error\": {\"type\": \"exceed_context_size_error\", \"message\": \"request (5000 tokens) exceeds\"}}",
            Fault::ContextExceeded,
        ),
        (
            400,
            "{\"object\": \"error\", \"message\": \"This model's maximum context length is 4096 tokens.\"}",
            Fault::ContextExceeded,
        ),
        (400, "{\"detail\": \"bad\"}", Fault::BadRequest),
        (429, "{\"error\": {\"code\": \"insufficient_quota\", \"message\": \"\"}}", Fault::SpendLimit),
        (429, "", Fault::RateLimited { retry_after_ms: Some(5) }),
        (
            503,
            "{\"error\": {\"code\": 503, \"message\": \"Loading model\"}}",
            Fault::Overloaded { retry_after_ms: Some(5) },
        ),
        (500, "oh", Fault::Failed { status: 500 }),
    ];
    for (status, body, expected) in cases {
        assert_eq!(fault(status, &said(body), Some(5), true), expected, "{status} {body}");
    }
    assert_eq!(fault(401, &said(""), None, false), Fault::NoKey, "a server that wants a key, and none is configured");
    assert_eq!(said("plain text").message, "plain text");
}
