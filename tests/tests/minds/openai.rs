//! What only chat completions do, on a server that does it as documented.

use jarvis_core::mind::message::StopReason;
use jarvis_tests::model_server::{ModelServer, Script, Step};
use serde_json::json;

use super::{Kind, Minded, ask, question};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_without_a_word_has_ended_all_the_same() {
    let chunk = |data: serde_json::Value| Step::chunk(&data);
    let words = chunk(json!({"id": "1", "choices": [{"index": 0, "delta": {"content": "Well."}}]}));
    let reason = chunk(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
    let server = ModelServer::start([Script::stream([words, reason])]).await.unwrap();
    let minded = Minded::new(Kind::OpenAi, &server.url(), "");
    let outcome = ask(&minded.provider, question("x")).await;
    assert_eq!((outcome.spoken().as_str(), &outcome.reply().stop), ("Well.", &StopReason::EndTurn));
    assert!(outcome.reply().usage.input > 50, "an estimate: {:?}", outcome.reply().usage);
}
