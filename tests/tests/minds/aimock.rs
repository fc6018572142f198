//! Both protocols against `llmock`, a process that others wrote.

use std::path::Path;

use jarvis_core::mind::args::ToolArgs;
use jarvis_core::mind::error::Fault;
use jarvis_core::mind::message::{Block, Delta, Message, StopReason, ToolResult};
use jarvis_tests::aimock::Aimock;
use jarvisd::mind::Event;
use serde_json::json;

use super::{KINDS, Kind, Minded, ask, log, question};

struct House {
    aimock: Aimock,
    _dir: tempfile::TempDir,
}

fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/minds/aimock.json");
    let aimock = Aimock::start(&fixtures, &log(dir.path(), "llmock"), &[]).unwrap();
    House { aimock, _dir: dir }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_thinking_tools_and_results() {
    let house = house();
    for kind in KINDS {
        let minded = Minded::new(kind, &house.aimock.url(), "");
        let outcome = ask(&minded.provider, question("good evening")).await;
        assert_eq!(outcome.spoken(), "Good evening, sir. All four nodes are well.", "{kind:?}");
        let reply = outcome.reply();
        assert_eq!((reply.message.text(), &reply.stop), (outcome.spoken(), &StopReason::EndTurn), "{kind:?}");
        let Block::Thinking(thinking) = &reply.message.blocks[0] else { panic!("{kind:?}: {reply:?}") };
        assert_eq!((thinking.text.as_str(), thinking.raw.is_some()), ("The owner greets me.", kind == Kind::Claude));
        let pieces = outcome.events.iter().filter(|event| matches!(event, Event::Delta(Delta::Text { .. }))).count();
        assert!(pieces > 5, "{kind:?}: it streams, in {pieces} pieces");
        // The mock's Anthropic side counts nothing.
        assert!(reply.usage.output > 0 || kind == Kind::Claude, "{kind:?}: {:?}", reply.usage);

        let mut asked = question("which logs");
        let outcome = ask(&minded.provider, asked.clone()).await;
        let reply = outcome.reply().clone();
        assert_eq!((outcome.spoken().as_str(), &reply.stop), ("One moment, sir.", &StopReason::ToolUse), "{kind:?}");
        let call = reply.message.calls().next().unwrap().clone();
        assert_eq!(
            (call.name.as_str(), call.args.json().unwrap().replace(' ', "")),
            ("logs", "{\"node\":\"pve1\"}".to_owned())
        );
        asked.messages.push(reply.message);
        asked.messages.push(Message::results(vec![ToolResult {
            id: call.id,
            content: "a\nb".to_owned(),
            is_error: false,
        }]));
        assert_eq!(ask(&minded.provider, asked).await.spoken(), "Two lines, sir.", "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_and_sloppy_calls() {
    let house = house();
    for kind in KINDS {
        let minded = Minded::new(kind, &house.aimock.url(), "");
        let outcome = ask(&minded.provider, question("both nodes")).await;
        let calls: Vec<_> =
            outcome.reply().message.calls().map(|c| (c.id.to_string(), c.args.to_value()["node"].clone())).collect();
        assert_eq!(calls, [("call_a".to_owned(), json!("pve1")), ("call_b".to_owned(), json!("pve2"))], "{kind:?}");
        let outcome = ask(&minded.provider, question("sloppy")).await;
        let args = outcome.reply().message.calls().next().unwrap().args.clone();
        // The mock itself takes malformed arguments out of the Anthropic stream.
        let expected = match kind {
            Kind::Claude => ToolArgs::Sound { json: "{}".to_owned() },
            Kind::OpenAi => ToolArgs::Mended { json: "{\"node\": \"pve1\"}".to_owned() },
        };
        assert_eq!(args, expected, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_for_a_while_are_waited_out() {
    let house = house();
    for kind in KINDS {
        let minded = Minded::new(kind, &house.aimock.url(), "");
        for trouble in ["limited", "overloaded"] {
            let outcome = ask(&minded.provider, question(&format!("{trouble} {}", kind.name()))).await;
            assert_eq!(outcome.spoken(), "Here I am again, sir.", "{kind:?} {trouble}");
            assert_eq!(outcome.again(), 1, "{kind:?} {trouble}");
            let Event::Again { after_ms, error } = &outcome.events[0] else { panic!("{:?}", outcome.events) };
            if trouble == "limited" {
                assert_eq!(error.fault, Fault::RateLimited { retry_after_ms: Some(1000) });
                assert!(*after_ms >= 1000);
            } else {
                assert!(matches!(error.fault, Fault::Overloaded { .. }), "{error}");
            }
        }
        let outcome = ask(&minded.provider, question("swamped")).await;
        assert!(matches!(outcome.error().fault, Fault::Overloaded { .. }), "{kind:?}");
        assert_eq!(outcome.again(), 3, "{kind:?}: four attempts in all");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_break_off_make_no_sense_or_dribble() {
    let house = house();
    for kind in KINDS {
        let minded = Minded::new(kind, &house.aimock.url(), "");
        for trouble in ["truncated", "disconnect"] {
            let outcome = ask(&minded.provider, question(trouble)).await;
            assert_eq!(outcome.error().fault, Fault::BrokenStream, "{kind:?} {trouble}: {}", outcome.error());
            assert!(
                !outcome.so_far.is_empty()
                    && "This answer is much longer than what comes of it".starts_with(&outcome.so_far)
            );
            assert_eq!(outcome.again(), 0, "{kind:?} {trouble}: what was heard is not asked again");
        }
        let outcome = ask(&minded.provider, question("garbage")).await;
        assert_eq!((&outcome.error().fault, outcome.again()), (&Fault::Garbage, 0), "{kind:?}: {}", outcome.error());
        let outcome = ask(&minded.provider, question("slow")).await;
        assert_eq!(outcome.reply().message.text(), "Slowly, sir, but surely.", "{kind:?}");
    }
}
