//! A window of 4,096 tokens is never overflowed, however the server counts.

use jarvis_core::mind::args::ToolArgs;
use jarvis_core::mind::error::Fault;
use jarvis_core::mind::message::{Block, Delta, Message, Role, SystemPart, ToolResult, ToolUse};
use jarvis_tests::bench::window::{WINDOW, conversation};
use jarvis_tests::model_server::{ModelServer, Script, Tokenizer};
use jarvisd::mind::Event;
use serde_json::json;

use super::{Kind, Minded, ask, question};

#[tokio::test(flavor = "multi_thread")]
async fn long_conversations_never_pass_the_window() {
    for tokenizer in [Tokenizer::LlamaCpp, Tokenizer::Vllm, Tokenizer::None] {
        let server = ModelServer::with([Script::stream(Kind::OpenAi.says("Well."))], tokenizer, WINDOW).await.unwrap();
        let minded = Minded::new(Kind::OpenAi, &server.url(), "window_tokens = 4096");
        let mut trimmed = 0;
        for seed in 0..70 {
            let outcome = ask(&minded.provider, conversation(1 + seed % 14, seed)).await;
            assert_eq!(outcome.reply().message.text(), "Well.", "{tokenizer:?} {seed}");
            trimmed += usize::from(outcome.events.iter().any(|event| matches!(event, Event::Delta(Delta::Trimmed(_)))));
        }
        assert_eq!(server.overflows(), 0, "{tokenizer:?}");
        assert!(trimmed > 30, "{tokenizer:?}: only {trimmed} were too long at all");
        // Where the server counts, the window is used well.
        if tokenizer != Tokenizer::None {
            assert!(server.longest_prompt() > WINDOW / 2, "{tokenizer:?}: {}", server.longest_prompt());
        }
        for asked in server.asked() {
            let last = asked.body["messages"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(
                last,
                json!({"role": "user", "content": "and what of it now?"}),
                "the present question is always whole"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_five_megabytes_is_condensed() {
    for tokenizer in [Tokenizer::LlamaCpp, Tokenizer::None] {
        let server =
            ModelServer::with([Script::stream(Kind::OpenAi.says("Long, sir."))], tokenizer, WINDOW).await.unwrap();
        let minded = Minded::new(Kind::OpenAi, &server.url(), "");
        let mut asked = question("read me the log");
        let call = ToolUse { id: "a".into(), name: "logs".to_owned(), args: ToolArgs::read("{}", true) };
        let content = format!("first line\n{}last line", "pve1 kernel: something happened\n".repeat(160_000));
        assert!(content.len() > 5_000_000);
        asked.messages.push(Message { role: Role::Assistant, blocks: vec![Block::ToolUse(call)] });
        asked.messages.push(Message::results(vec![ToolResult { id: "a".into(), content, is_error: false }]));
        let outcome = ask(&minded.provider, asked).await;
        assert_eq!(outcome.spoken(), "Long, sir.");
        let sent = server.asked()[0].body["messages"][2]["content"].as_str().unwrap().to_owned();
        assert!(
            sent.starts_with("first line") && sent.ends_with("last line") && sent.contains("bytes left out"),
            "{sent}"
        );
        assert_eq!(server.overflows(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_smaller_than_configured_is_found_out_or_told() {
    // vLLM says how large its window is.
    let server = ModelServer::with([Script::stream(Kind::OpenAi.says("Well."))], Tokenizer::Vllm, 2048).await.unwrap();
    let minded = Minded::new(Kind::OpenAi, &server.url(), "window_tokens = 32768");
    assert_eq!(minded.provider.abilities().window_tokens, 32_768);
    // The first count brings it; from then on nothing passes it.
    assert_eq!(ask(&minded.provider, question("x")).await.spoken(), "Well.");
    assert_eq!(minded.provider.abilities().window_tokens, 2048);
    assert_eq!(ask(&minded.provider, conversation(8, 3)).await.spoken(), "Well.");
    assert_eq!(server.overflows(), 0);
    // A question that can't be made to fit is not sent at all.
    let mut hopeless = question("x");
    hopeless.system = vec![SystemPart { text: "word ".repeat(10_000), cache: Default::default() }];
    let before = server.asked().len();
    let outcome = ask(&minded.provider, hopeless).await;
    assert_eq!((&outcome.error().fault, server.asked().len()), (&Fault::ContextExceeded, before));
}
