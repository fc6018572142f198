//! What goes wrong in the middle, in both protocols: limits, time, hanging up, errors within a stream.

use std::time::Duration;

use jarvis_core::mind::error::{Fault, Waited};
use jarvis_core::mind::message::Delta;
use jarvis_tests::model_server::{ModelServer, Script, Step};
use jarvisd::mind::Event;
use serde_json::{Value, json};

use super::{KINDS, Kind, Minded, ask, question};

/// A beginning of `words`, then `rest`.
fn begun(kind: Kind, words: &str, rest: impl IntoIterator<Item = Step>) -> Script {
    Script::stream(kind.begin().into_iter().chain([kind.words(words)]).chain(rest))
}

fn call_begins(kind: Kind) -> Step {
    match kind {
        Kind::Claude => {
            let block = json!({"type": "tool_use", "id": "a", "name": "logs", "input": {}});
            Step::event(&json!({"type": "content_block_start", "index": 1, "content_block": block}))
        }
        Kind::OpenAi => {
            let call = json!({"index": 0, "id": "a", "function": {"name": "logs", "arguments": ""}});
            Step::chunk(&json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}))
        }
    }
}

fn arguments(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Claude => {
            json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": text}})
        }
        Kind::OpenAi => {
            json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}]})
        }
    }
}

fn bytes(step: Step) -> Vec<u8> {
    let Step::Bytes(bytes) = step else { panic!("bytes were due, not {step:?}") };
    bytes
}

fn step(kind: Kind, data: &Value) -> Step {
    if kind == Kind::Claude { Step::event(data) } else { Step::chunk(data) }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_longer_heard_is_hung_up_on() {
    for kind in KINDS {
        let server = ModelServer::start([begun(kind, "Node one ", [Step::Hang])]).await.unwrap();
        let minded = Minded::new(kind, &server.url(), "");
        let mut stream = minded.provider.ask(std::sync::Arc::new(question("x"))).await.unwrap();
        while let Some(delta) = futures_util::StreamExt::next(&mut stream).await {
            if matches!(delta.unwrap(), Delta::Text { text, .. } if !text.is_empty()) {
                break;
            }
        }
        drop(stream);
        server.hung_up(1).await.unwrap_or_else(|e| panic!("{kind:?}: {e:#}"));
        // A question that is taken back before its answer begins is hung up on as well.
        let server = ModelServer::start([Script::stream([Step::Hang])]).await.unwrap();
        let minded = Minded::new(kind, &server.url(), "");
        let mut answering = jarvisd::mind::Answering::new(minded.provider.clone(), question("x"));
        tokio::select! {
            event = async { loop { match answering.next().await { Some(Ok(Event::Delta(Delta::Begin { .. }))) => {} other => break other } } } => panic!("{kind:?}: {event:?}"),
            () = async { while server.asked().is_empty() { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
        }
        drop(answering);
        server.hung_up(1).await.unwrap_or_else(|e| panic!("{kind:?}, before the answer: {e:#}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_arguments_without_end_are_bounded_and_hung_up_on() {
    let long = "x".repeat(64 * 1024);
    for kind in KINDS {
        let words = Step::Forever(bytes(kind.words("again and again ")));
        let args = Step::Forever(bytes(step(kind, &arguments(kind, &long))));
        let line = Step::Forever(long.clone().into_bytes());
        for (limit, rest) in
            [("text", vec![words]), ("arguments", vec![call_begins(kind), args]), ("event", vec![line])]
        {
            let server = ModelServer::start([begun(kind, "", rest)]).await.unwrap();
            let minded = Minded::new(kind, &server.url(), "");
            let outcome = ask(&minded.provider, question("x")).await;
            assert!(
                matches!(&outcome.error().fault, Fault::TooMuch(told) if told.contains(limit)),
                "{kind:?}: {}",
                outcome.error()
            );
            server.hung_up(1).await.unwrap_or_else(|e| panic!("{kind:?} {limit}: {e:#}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_arguments_at_once_are_refused() {
    for kind in KINDS {
        let huge = format!("{{\"node\": \"{}\"}}", "x".repeat(10 << 20));
        let server = ModelServer::start([begun(kind, "", [call_begins(kind), step(kind, &arguments(kind, &huge))])])
            .await
            .unwrap();
        let minded = Minded::new(kind, &server.url(), "");
        let outcome = ask(&minded.provider, question("x")).await;
        assert!(matches!(outcome.error().fault, Fault::TooMuch(_)), "{kind:?}: {}", outcome.error());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn first_byte_next_byte_and_the_whole_have_their_time() {
    let ping = Step::Bytes(b": still here\n\n".to_vec());
    for kind in KINDS {
        let cases = [
            ("first_byte_ms = 150", Script::stream([Step::Hang]), Fault::Timeout(Waited::FirstByte)),
            (
                "first_byte_ms = 150",
                Script::stream(kind.says("late")).after(Duration::from_secs(30)),
                Fault::Timeout(Waited::FirstByte),
            ),
            ("idle_ms = 150", begun(kind, "Node", [Step::Hang]), Fault::Timeout(Waited::Idle)),
        ];
        for (wait, script, fault) in cases {
            let server = ModelServer::start([script]).await.unwrap();
            let minded = Minded::new(kind, &server.url(), &format!("wait = {{ {wait} }}"));
            let outcome = ask(&minded.provider, question("x")).await;
            assert_eq!((&outcome.error().fault, outcome.again()), (&fault, 0), "{kind:?} {wait}");
        }
        let pings = begun(
            kind,
            "Node",
            std::iter::repeat_n([ping.clone(), Step::Wait(Duration::from_millis(20))], 1_000).flatten(),
        );
        let server = ModelServer::start([pings]).await.unwrap();
        let minded = Minded::new(kind, &server.url(), "wait = { idle_ms = 5000, total_ms = 400 }");
        let outcome = ask(&minded.provider, question("x")).await;
        assert!(
            matches!(&outcome.error().fault, Fault::TooMuch(told) if told.contains("400 ms")),
            "{kind:?}: {}",
            outcome.error()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_single_bytes_is_the_same_answer() {
    for kind in KINDS {
        let whole = kind.says("Good evening, sir: 61 °C.").into_iter().flat_map(bytes);
        let drip = whole.map(|byte| Step::Bytes(vec![byte]));
        let server = ModelServer::start([Script::stream(drip)]).await.unwrap();
        let minded = Minded::new(kind, &server.url(), "");
        assert_eq!(
            ask(&minded.provider, question("x")).await.reply().message.text(),
            "Good evening, sir: 61 °C.",
            "{kind:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_within_the_stream_is_tried_again_only_before_a_word_was_heard() {
    for kind in KINDS {
        let error = match kind {
            Kind::Claude => json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            Kind::OpenAi => json!({"error": {"code": 503, "type": "unavailable_error", "message": "Loading model"}}),
        };
        let early = Script::stream([step(kind, &error)]);
        let server = ModelServer::start([early, Script::stream(kind.says("Well."))]).await.unwrap();
        let minded = Minded::new(kind, &server.url(), "");
        let outcome = ask(&minded.provider, question("x")).await;
        assert_eq!((outcome.spoken().as_str(), outcome.again()), ("Well.", 1), "{kind:?}");
        let server = ModelServer::start([begun(kind, "Node one ", [step(kind, &error)])]).await.unwrap();
        let minded = Minded::new(kind, &server.url(), "");
        let outcome = ask(&minded.provider, question("x")).await;
        assert!(matches!(outcome.error().fault, Fault::Overloaded { .. }), "{kind:?}: {}", outcome.error());
        assert_eq!((outcome.again(), outcome.so_far.as_str(), server.asked().len()), (0, "Node one ", 1), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_servers_page_is_told_as_such() {
    for kind in KINDS {
        let page = Script::stream([Step::Bytes(b"data: <!DOCTYPE html><html>It works!</html>\n\n".to_vec())]);
        let silent = Script::stream([Step::Bytes(b"<!DOCTYPE html><html>It works!</html>\n\n".to_vec())]);
        let honest = Script::refusal(200, &json!("<html>It works!</html>"));
        for (script, fault) in [(page, Fault::Garbage), (silent, Fault::BrokenStream), (honest, Fault::Garbage)] {
            let server = ModelServer::start([script]).await.unwrap();
            let minded = Minded::new(kind, &server.url(), "");
            let outcome = ask(&minded.provider, question("x")).await;
            assert_eq!(outcome.error().fault, fault, "{kind:?}: {}", outcome.error());
        }
    }
}
