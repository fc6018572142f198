use jarvis_core::mind::args::ToolArgs;
use jarvis_core::mind::assemble::Assembler;
use jarvis_core::mind::message::{
    Block, CacheHint, Delta, Message, Reply, Role, StopReason, SystemPart, Thinking, ThinkingWish, ToolResult,
    ToolSpec, ToolUse,
};
use jarvis_core::mind::models::{Display, Models};
use jarvis_core::mind::sse::{SseEvent, SseParser};
use serde_json::{Value, json};

use super::super::tests::recorded;
use super::stream::Translator;
use super::*;

fn model(id: &str) -> Model {
    Models::built_in().unwrap().get(&id.into()).unwrap().clone()
}

fn tool(name: &str) -> ToolSpec {
    ToolSpec { name: name.to_owned(), about: "about".to_owned(), schema: json!({"type": "object"}) }
}

fn system(text: &str, cache: CacheHint) -> SystemPart {
    SystemPart { text: text.to_owned(), cache }
}

fn body(ask: &Ask, id: &str) -> Value {
    let known = model(id);
    request::body(ask, &id.into(), Some(&known), &Manner::new(Some(&known), ask.thinking, false), true)
}

/// Every `cache_control` in order of the prompt, and where it stands.
fn marks(body: &Value) -> Vec<(String, String)> {
    let mut marks = Vec::new();
    let mut note = |place: &str, blocks: &Value| {
        for (n, block) in blocks.as_array().into_iter().flatten().enumerate() {
            if let Some(mark) = block.get("cache_control") {
                marks.push((format!("{place} {n}"), mark["ttl"].as_str().unwrap_or("5m").to_owned()));
            }
        }
    };
    note("tool", &body["tools"]);
    note("system", &body["system"]);
    for (n, message) in body["messages"].as_array().into_iter().flatten().enumerate() {
        note(&format!("message {n}"), &message["content"]);
    }
    marks
}

#[test]
fn at_most_four_beginnings_are_marked_the_longer_lived_first() {
    use CacheHint::{FiveMinutes, None, OneHour};
    let hints = [OneHour, FiveMinutes, None, OneHour, FiveMinutes, None];
    let ask = Ask {
        system: hints.iter().map(|hint| system("part", *hint)).collect(),
        tools: vec![tool("a"), tool("b")],
        messages: vec![Message::user("one"), Message::user("two")],
        max_tokens: 100,
        ..Ask::default()
    };
    let place = |place: &str, ttl: &str| (place.to_owned(), ttl.to_owned());
    let expected =
        [place("tool 1", "1h"), place("system 3", "1h"), place("system 4", "5m"), place("message 1 0", "5m")];
    assert_eq!(marks(&body(&ask, "claude-opus-5-5")), expected);
    let plain = Ask {
        system: vec![system("part", None)],
        messages: vec![Message::user("one")],
        max_tokens: 1,
        ..Ask::default()
    };
    assert_eq!(marks(&body(&plain, "claude-opus-5-5")), [place("message 0 0", "5m")]);
}

#[test]
fn a_conversation_goes_back_as_it_came_and_thinking_to_its_own_model_alone() {
    let raw = json!({"type": "thinking", "thinking": "", "signature": "Eq+/=="});
    let thinking =
        |model: &str| Block::Thinking(Thinking { model: model.into(), text: String::new(), raw: Some(raw.clone()) });
    let call =
        ToolUse { id: "toolu_1".into(), name: "logs".to_owned(), args: ToolArgs::read("{\"node\": \"pve1\"}", true) };
    let torn = ToolUse { id: "toolu_2".into(), name: "logs".to_owned(), args: ToolArgs::read("{\"node\": \"pv", true) };
    let ask = Ask {
        messages: vec![
            Message::user("why?"),
            Message {
                role: Role::Assistant,
                blocks: vec![
                    thinking("claude-opus-5-5-20261001"),
                    thinking("claude-sonnet-5-5"),
                    Block::Text { text: " \n".to_owned() },
                    Block::ToolUse(call),
                    Block::ToolUse(torn),
                ],
            },
            Message::results(vec![
                ToolResult { id: "toolu_1".into(), content: String::new(), is_error: false },
                ToolResult { id: "toolu_2".into(), content: String::new(), is_error: true },
            ]),
        ],
        max_tokens: 1_000_000,
        effort: Some(Effort::Max),
        ..Ask::default()
    };
    let body = body(&ask, "claude-opus-5-5");
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "why?"}]},
        {"role": "assistant", "content": [
            raw,
            {"type": "tool_use", "id": "toolu_1", "name": "logs", "input": {"node": "pve1"}},
            {"type": "tool_use", "id": "toolu_2", "name": "logs", "input": {"unreadable": "{\"node\": \"pv"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1"},
            {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": "It failed and did not say why.",
             "cache_control": {"type": "ephemeral"}},
        ]},
    ]);
    assert_eq!(body["messages"], expected);
    assert_eq!(
        (&body["max_tokens"], &body["output_config"], &body["stream"]),
        (&json!(128_000), &json!({"effort": "max"}), &json!(true))
    );
    assert_eq!(
        (body.get("tool_choice"), body.get("temperature")),
        (None, None),
        "both are refused by the present models"
    );
}

#[test]
fn thinking_is_asked_for_as_each_model_takes_it() {
    use ThinkingWish::{Auto, Least};
    let adaptive = |display: &str| json!({"type": "adaptive", "display": display, "block_binding": {"prefix_mismatch_behavior": "drop_block"}});
    let cases = [
        ("claude-opus-5-5", Auto, adaptive("updates"), true),
        ("claude-opus-5-5", Least, adaptive("updates"), true),
        ("claude-sonnet-5-5", Auto, adaptive("updates"), true),
        ("claude-sonnet-5-5", Least, json!({"type": "between_tools"}), true),
        ("claude-haiku-5-5", Auto, adaptive("summarized"), false),
        ("claude-haiku-5-5", Least, json!({"type": "disabled"}), false),
    ];
    for (id, thinking, expected, notes) in cases {
        let ask = Ask { thinking, effort: Some(Effort::Max), max_tokens: 1, ..Ask::default() };
        assert_eq!(body(&ask, id)["thinking"], expected, "{id} {thinking:?}");
        assert_eq!(Manner::new(Some(&model(id)), thinking, false).notes_stand_apart(), notes, "{id} {thinking:?}");
    }
    let least = Ask { thinking: Least, effort: Some(Effort::Max), max_tokens: 1, ..Ask::default() };
    assert_eq!(
        body(&least, "claude-haiku-5-5")["output_config"],
        json!({"effort": "high"}),
        "without thinking no more is taken"
    );
    let plain = Manner::new(Some(&model("claude-opus-5-5")), Auto, true);
    assert_eq!((plain, plain.betas()), (Manner::Adaptive { display: Display::Summarized, betas: false }, None));
    assert_eq!(Manner::new(None, Auto, false), Manner::Unsaid);
}

fn events(text: &str) -> Vec<SseEvent> {
    let (mut parser, mut rest, mut events) = (SseParser::default(), text.as_bytes(), Vec::new());
    while let Some(event) = parser.next(&mut rest).unwrap() {
        events.push(event);
    }
    events
}

fn translate(text: &str, notes: bool) -> Result<Vec<Delta>, (Fault, String)> {
    let mut translator = Translator::new("asked".into(), notes);
    let deltas: Result<Vec<_>, _> = events(text).iter().map(|event| translator.event(event)).collect();
    Ok(deltas?.into_iter().flatten().collect())
}

fn reply(text: &str, notes: bool) -> Reply {
    let mut assembler = Assembler::new("asked".into());
    for delta in translate(text, notes).unwrap() {
        assembler.push(&delta).unwrap();
    }
    assembler.finish().expect("it has ended")
}

fn written(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

#[test]
fn a_recorded_stream_of_llama_cpp_comes_out_whole() {
    let reply = reply(&recorded("llama-claude-calls.sse"), false);
    assert_eq!(
        (reply.stop, reply.usage.input, reply.usage.cache_read, reply.usage.output),
        (StopReason::ToolUse, 1, 573, 21)
    );
    let [Block::Thinking(thinking), Block::ToolUse(call)] = &reply.message.blocks[..] else {
        panic!("{:?}", reply.message)
    };
    assert_eq!(thinking.text, "The owner asks about node one. I will look at it.\n");
    assert_eq!(thinking.raw, Some(json!({"type": "thinking", "thinking": thinking.text, "signature": ""})));
    assert_eq!((call.name.as_str(), call.args.json()), ("node_status", Some("{\"node\": \"pve1\"}")));
}

#[test]
fn notes_between_tools_are_told_apart_from_thinking() {
    let stream = written(&[
        json!({"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": {"input_tokens": 5, "output_tokens": 1,
            "cache_creation_input_tokens": 300, "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "AA=="}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "thinking_delta", "thinking": "Asking pve two."}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "signature_delta", "signature": "BB=="}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "content_block_start", "index": 2, "content_block": {"type": "redacted_thinking", "data": "CC=="}}),
        json!({"type": "content_block_stop", "index": 2}),
        json!({"type": "something_new", "index": "not even a number"}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 77}}),
        json!({"type": "message_stop"}),
    ]);
    let deltas = translate(&stream, true).unwrap();
    let notes: Vec<_> = deltas
        .iter()
        .filter_map(|d| match d {
            Delta::Progress { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(notes, ["Asking pve two."]);
    assert!(translate(&stream, false).unwrap().iter().all(|delta| !matches!(delta, Delta::Progress { .. })));
    let reply = reply(&stream, true);
    let raws: Vec<_> = reply
        .message
        .blocks
        .iter()
        .filter_map(|b| match b {
            Block::Thinking(t) => t.raw.clone(),
            _ => None,
        })
        .collect();
    let expected = [
        json!({"type": "thinking", "thinking": "", "signature": "AA=="}),
        json!({"type": "thinking", "thinking": "Asking pve two.", "signature": "BB=="}),
        json!({"type": "redacted_thinking", "data": "CC=="}),
    ];
    assert_eq!(raws, expected, "each goes back as it came");
    let usage = reply.usage;
    assert_eq!((usage.input, usage.cache_write_5m, usage.cache_write_1h, usage.output), (5, 100, 200, 77));
}

#[test]
fn every_stop_reason_has_its_meaning() {
    let stop = |delta: Value| {
        let stream = written(&[json!({"type": "message_delta", "delta": delta}), json!({"type": "message_stop"})]);
        reply(&stream, false).stop
    };
    let plain = |reason: &str| stop(json!({"stop_reason": reason}));
    assert_eq!(plain("end_turn"), StopReason::EndTurn);
    assert_eq!(plain("max_tokens"), StopReason::MaxTokens);
    assert_eq!(plain("stop_sequence"), StopReason::StopSequence);
    assert_eq!(plain("tool_use"), StopReason::ToolUse);
    assert_eq!(plain("pause_turn"), StopReason::PauseTurn);
    assert_eq!(plain("model_context_window_exceeded"), StopReason::ContextExceeded);
    assert_eq!(plain("refusal"), StopReason::Refusal { why: None });
    let refusal = json!({"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "cyber", "explanation": "No."}});
    assert_eq!(stop(refusal), StopReason::Refusal { why: Some("No.".to_owned()) });
    assert_eq!(plain("novel"), StopReason::Unknown("novel".to_owned()));
}

#[test]
fn blocks_of_other_kinds_and_whole_inputs_survive() {
    let server = json!({"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}});
    let stream = written(&[
        json!({"type": "content_block_start", "index": 0, "content_block": server}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"query\":"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "\"pve\"}"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "a", "name": "x", "input": {"n": 1}}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "pause_turn"}}),
        json!({"type": "message_stop"}),
    ]);
    let reply = reply(&stream, false);
    let [Block::Foreign { raw, .. }, Block::ToolUse(call)] = &reply.message.blocks[..] else {
        panic!("{:?}", reply.message)
    };
    assert_eq!(raw["input"], json!({"query": "pve"}));
    assert_eq!(call.args.json(), Some("{\"n\":1}"));
}

#[test]
fn nonsense_and_errors_in_the_middle_are_told() {
    let error = |kind: &str| written(&[json!({"type": "error", "error": {"type": kind, "message": "Overloaded"}})]);
    let (fault, detail) = translate(&error("overloaded_error"), false).unwrap_err();
    assert_eq!((fault, detail.as_str()), (Fault::Overloaded { retry_after_ms: None }, "Overloaded"));
    assert_eq!(translate(&error("api_error"), false).unwrap_err().0, Fault::Failed { status: 500 });
    for text in [
        "event: message_start\ndata: {\"type\": \n\n",
        "data: <html>\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n",
    ] {
        assert_eq!(translate(text, false).unwrap_err().0, Fault::Garbage, "{text}");
    }
}

#[test]
fn refusals_are_told_apart() {
    let refusal = |status, body: Value| Refusal { status, retry_after_ms: Some(7), body: body.to_string() };
    let error = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
    let spent = json!({"error": {"type": "rate_limit_error", "message": "x", "details": {"error_code": "enforced_spend_limit_reached"}}});
    let cases = [
        (refusal(401, error("authentication_error", "invalid x-api-key")), Fault::WrongKey),
        (refusal(403, error("permission_error", "")), Fault::Forbidden),
        (refusal(404, error("not_found_error", "model: x")), Fault::NoSuchModel),
        (
            refusal(429, error("rate_limit_error", "requests per minute")),
            Fault::RateLimited { retry_after_ms: Some(7) },
        ),
        (refusal(429, spent), Fault::SpendLimit),
        (
            refusal(429, error("rate_limit_error", "This request would exceed your account's monthly spend limit.")),
            Fault::SpendLimit,
        ),
        (
            refusal(400, error("invalid_request_error", "You have reached your specified API usage limits.")),
            Fault::SpendLimit,
        ),
        (refusal(400, error("invalid_request_error", "Your credit balance is too low")), Fault::SpendLimit),
        (refusal(402, error("billing_error", "")), Fault::SpendLimit),
        (
            refusal(400, error("invalid_request_error", "prompt is too long: 1000001 tokens > 1000000 maximum")),
            Fault::ContextExceeded,
        ),
        (refusal(413, Value::Null), Fault::ContextExceeded),
        (refusal(400, error("invalid_request_error", "messages: bad")), Fault::BadRequest),
        (refusal(529, error("overloaded_error", "Overloaded")), Fault::Overloaded { retry_after_ms: Some(7) }),
        (refusal(529, Value::Null), Fault::Overloaded { retry_after_ms: Some(7) }),
        (refusal(500, error("api_error", "")), Fault::Failed { status: 500 }),
        (refusal(502, json!("<html>bad gateway</html>")), Fault::Failed { status: 502 }),
    ];
    for (refusal, fault) in cases {
        assert_eq!(refusal.claude_fault(), fault, "{refusal:?}");
    }
}
