//! What only the Messages API does, on a server that does it as documented.

use jarvis_core::mind::error::Fault;
use jarvis_core::mind::message::{Block, CacheHint, Delta, Message, StopReason, SystemPart, ToolResult};
use jarvis_tests::model_server::{ModelServer, Script, Step};
use jarvisd::mind::Event;
use serde_json::{Value, json};

use super::{Kind, Minded, ask, question};

fn stream(events: &[Value]) -> Script {
    Script::stream(events.iter().map(Step::event))
}

fn start(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn piece(index: u32, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 40}}),
        json!({"type": "message_stop"}),
    ]
}

fn begin(usage: Value) -> Value {
    json!({"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": usage}})
}

/// An answer that thinks in silence, leaves a note, and calls a tool.
fn thinks_and_calls() -> Script {
    let thinking = || json!({"type": "thinking", "thinking": "", "signature": ""});
    let mut events = vec![
        begin(json!({"input_tokens": 20, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 80})),
        json!({"type": "ping"}),
        start(0, thinking()),
        piece(0, json!({"type": "signature_delta", "signature": "Eq+secret/="})),
        stop(0),
        start(1, thinking()),
        piece(1, json!({"type": "thinking_delta", "thinking": "Asking node one "})),
        piece(1, json!({"type": "thinking_delta", "thinking": "for its logs."})),
        piece(1, json!({"type": "signature_delta", "signature": "Es8=="})),
        stop(1),
        start(2, json!({"type": "tool_use", "id": "toolu_1", "name": "logs", "input": {}})),
        piece(2, json!({"type": "input_json_delta", "partial_json": ""})),
        piece(2, json!({"type": "input_json_delta", "partial_json": "{\"node\": \"pve1\"}"})),
        stop(2),
    ];
    events.extend(end("tool_use"));
    stream(&events)
}

fn says(text: &str, reason: &str) -> Script {
    let mut events = vec![begin(json!({"input_tokens": 5})), start(0, json!({"type": "text", "text": ""}))];
    events.extend([piece(0, json!({"type": "text_delta", "text": text})), stop(0)]);
    events.extend(end(reason));
    stream(&events)
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_goes_back_exactly_as_it_came_and_notes_are_heard() {
    let server = ModelServer::start([thinks_and_calls(), says("Two lines, sir.", "end_turn")]).await.unwrap();
    let minded = Minded::new(Kind::Claude, &server.url(), "");
    let mut asked = question("which logs?");
    asked.system = vec![SystemPart { text: "You are a butler.".to_owned(), cache: CacheHint::OneHour }];
    let outcome = ask(&minded.provider, asked.clone()).await;
    let notes = outcome.events.iter().filter_map(|event| match event {
        Event::Delta(Delta::Progress { text, .. }) => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(notes.collect::<String>(), "Asking node one for its logs.", "no silence between tools");
    let reply = outcome.reply().clone();
    assert_eq!((&reply.stop, reply.usage.hit_rate_permille()), (&StopReason::ToolUse, Some(900)));
    asked.messages.push(reply.message);
    asked.messages.push(Message::results(vec![ToolResult {
        id: "toolu_1".into(),
        content: "a\nb".to_owned(),
        is_error: false,
    }]));
    assert_eq!(ask(&minded.provider, asked).await.spoken(), "Two lines, sir.");

    let requests = server.asked();
    assert_eq!(
        requests[0].headers["anthropic-beta"],
        "thinking-binding-controls-2026-08-01,thinking-display-updates-2026-08-18"
    );
    assert_eq!(requests[0].body["thinking"]["display"], "updates");
    assert_eq!(requests[0].body["system"], requests[1].body["system"], "what is cached stays, byte for byte");
    assert_eq!(requests[0].body["system"][0]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
    assert_eq!(requests[0].body["tools"][1]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
    let sent = &requests[1].body["messages"];
    let expected = json!([
        {"type": "thinking", "thinking": "", "signature": "Eq+secret/="},
        {"type": "thinking", "thinking": "Asking node one for its logs.", "signature": "Es8=="},
        {"type": "tool_use", "id": "toolu_1", "name": "logs", "input": {"node": "pve1"}},
    ]);
    assert_eq!(sent[1], json!({"role": "assistant", "content": expected}));
    assert_eq!(
        sent[2]["content"][0]["cache_control"],
        json!({"type": "ephemeral"}),
        "the end of the conversation is marked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_turn_is_sent_back_and_gone_on_with() {
    let search = start(0, json!({"type": "server_tool_use", "id": "srv_1", "name": "search", "input": {}}));
    let mut paused = vec![
        begin(json!({"input_tokens": 5})),
        search,
        piece(0, json!({"type": "input_json_delta", "partial_json": "{\"q\":1}"})),
        stop(0),
    ];
    paused.extend(end("pause_turn"));
    let server = ModelServer::start([stream(&paused), says("Found it, sir.", "end_turn")]).await.unwrap();
    let minded = Minded::new(Kind::Claude, &server.url(), "");
    let outcome = ask(&minded.provider, question("search")).await;
    assert!(outcome.events.contains(&Event::Resumed));
    let reply = outcome.reply();
    assert_eq!(
        (reply.message.text().as_str(), &reply.stop, reply.usage.output),
        ("Found it, sir.", &StopReason::EndTurn, 80)
    );
    assert!(matches!(reply.message.blocks[0], Block::Foreign { .. }));
    let sent = &server.asked()[1].body["messages"];
    assert_eq!(sent[1]["content"][0]["input"], json!({"q": 1}));
    assert_eq!(sent.as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_window_is_cleared_once_and_a_refusal_is_told() {
    let full = || {
        let mut events = vec![begin(json!({"input_tokens": 999_000}))];
        events.extend(end("model_context_window_exceeded"));
        stream(&events)
    };
    let mut long = question("and now?");
    let old = [
        Message::user("an old question"),
        Message {
            role: jarvis_core::mind::message::Role::Assistant,
            blocks: vec![Block::Text { text: "old".to_owned() }],
        },
    ];
    long.messages = old.into_iter().chain(long.messages).collect();
    let too_long = Script::refusal(
        400,
        &json!({"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 1000400 tokens > 1000000 maximum"}}),
    );
    for first in [full(), too_long] {
        let server = ModelServer::start([first, says("Now, sir.", "end_turn")]).await.unwrap();
        let minded = Minded::new(Kind::Claude, &server.url(), "");
        let outcome = ask(&minded.provider, long.clone()).await;
        assert_eq!(outcome.spoken(), "Now, sir.");
        assert!(outcome.events.iter().any(|event| matches!(event, Event::Shortened(trimmed) if trimmed.messages == 2)));
        assert_eq!(server.asked()[1].body["messages"].as_array().map(Vec::len), Some(1));
    }
    let server = ModelServer::start([full()]).await.unwrap();
    let minded = Minded::new(Kind::Claude, &server.url(), "");
    let outcome = ask(&minded.provider, long).await;
    assert_eq!((&outcome.reply().stop, server.asked().len()), (&StopReason::ContextExceeded, 2), "once, and no more");

    let refusal = json!({"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": {"category": "cyber", "explanation": "I can't help with that."}}});
    let server =
        ModelServer::start([stream(&[begin(json!({})), refusal, json!({"type": "message_stop"})])]).await.unwrap();
    let minded = Minded::new(Kind::Claude, &server.url(), "");
    let outcome = ask(&minded.provider, question("x")).await;
    assert_eq!(outcome.reply().stop, StopReason::Refusal { why: Some("I can't help with that.".to_owned()) });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_beta_headers_is_asked_without_from_then_on() {
    let unknown = Script::refusal(
        400,
        &json!({"type": "error", "error": {"type": "invalid_request_error", "message": "Unexpected value(s) for the `anthropic-beta` header"}}),
    );
    let server = ModelServer::start([unknown, says("One.", "end_turn"), says("Two.", "end_turn")]).await.unwrap();
    let minded = Minded::new(Kind::Claude, &server.url(), "");
    assert_eq!(ask(&minded.provider, question("x")).await.spoken(), "One.");
    assert_eq!(ask(&minded.provider, question("x")).await.spoken(), "Two.");
    let asked = server.asked();
    let betas: Vec<_> = asked.iter().map(|asked| asked.headers.contains_key("anthropic-beta")).collect();
    assert_eq!(betas, [true, false, false]);
    assert_eq!(asked[1].body["thinking"], json!({"type": "adaptive", "display": "summarized"}), "and never in silence");
    let bad = Script::refusal(
        400,
        &json!({"type": "error", "error": {"type": "invalid_request_error", "message": "messages: roles must alternate"}}),
    );
    let server = ModelServer::start([bad]).await.unwrap();
    let minded = Minded::new(Kind::Claude, &server.url(), "");
    assert_eq!(ask(&minded.provider, question("x")).await.error().fault, Fault::BadRequest);
    assert_eq!(server.asked().len(), 1);
}
