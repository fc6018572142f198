//! A real llama-server with a scripted model: `make llama` puts both in place and runs this. It thinks, calls a tool and answers.

use jarvis_core::mind::message::{Block, Message, StopReason, ToolResult, ToolSpec};
use jarvis_tests::llama::{Llama, LlamaConfig};
use jarvis_tests::trial::root;
use serde_json::json;

use super::{Kind, Minded, ask, log, question};

/// Tokens of its window: its vocabulary is bytes, so prompts are long.
const WINDOW: u64 = 4096;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real llama-server: `make llama` fetches one and runs this"]
async fn it_thinks_calls_a_tool_and_answers() {
    let dir = tempfile::tempdir().unwrap();
    let root = root();
    let log = log(dir.path(), "llama");
    let llama = Llama::start(&LlamaConfig { root: &root, model: "scripted", window: WINDOW, log: &log }).unwrap();
    let minded = Minded::new(Kind::OpenAi, &llama.url(), &format!("window_tokens = {WINDOW}"));
    let mut asked = question("how is node one?");
    asked.tools = vec![ToolSpec {
        name: "node_status".to_owned(),
        about: "How a node is.".to_owned(),
        schema: json!({"type": "object", "properties": {"node": {"type": "string"}}, "required": ["node"]}),
    }];
    // The model may still be loading: that is asked again.
    let outcome = ask(&minded.provider, asked.clone()).await;
    let reply = outcome.reply().clone();
    assert_eq!((&reply.stop, outcome.spoken().trim()), (&StopReason::ToolUse, ""));
    assert!(
        matches!(&reply.message.blocks[0], Block::Thinking(thinking) if thinking.text.contains("I will look at it")),
        "{reply:?}"
    );
    let call = reply.message.calls().next().unwrap().clone();
    assert_eq!((call.name.as_str(), call.args.to_value()), ("node_status", json!({"node": "pve1"})));
    assert!(reply.usage.prompt() > 300 && reply.usage.output > 10, "{:?}", reply.usage);

    asked.messages.push(reply.message);
    asked.messages.push(Message::results(vec![ToolResult {
        id: call.id,
        content: "online, 3 days".to_owned(),
        is_error: false,
    }]));
    let counted = minded.provider.count(std::sync::Arc::new(asked.clone())).await;
    let outcome = ask(&minded.provider, asked.clone()).await;
    assert_eq!(outcome.spoken(), "Node pve1 is well, sir.");
    assert_eq!(outcome.reply().usage.prompt(), counted, "its tokens are counted as it counts them itself");

    // A conversation many times its window is cut to it, and never refused.
    let Block::ToolResult(result) = &mut asked.messages[2].blocks[0] else { panic!("a result") };
    result.content = "pve1 kernel: something happened\n".repeat(20_000);
    let outcome = ask(&minded.provider, asked).await;
    assert_eq!((outcome.spoken().as_str(), outcome.again()), ("Node pve1 is well, sir.", 0));
}
