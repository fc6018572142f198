//! A real llama-server with a scripted model: `make llama` puts both in place and runs this. It thinks, calls a tool and answers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jarvis_core::mind::message::{Block, Message, StopReason, ToolResult, ToolSpec};
use jarvis_tests::process::{Process, wait_for};
use serde_json::json;

use super::{Kind, Minded, ask, log, question};

/// Tokens of its window: its vocabulary is bytes, so prompts are long.
const WINDOW: u64 = 4096;

struct Llama {
    url: String,
    _process: Process,
    _dir: tempfile::TempDir,
}

/// A running server, where `make llama` has put it in place.
fn llama() -> Llama {
    let folder: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/llama").canonicalize().unwrap_or_default();
    let (program, model) = (folder.join("llama-server"), folder.join("scripted.gguf"));
    assert!(program.exists() && model.is_file(), "no llama-server in target/llama: `make llama` puts it there");
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(program);
    command.arg("--model").arg(model).args([
        "--host",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--jinja",
        "--no-warmup",
    ]);
    command.args(["--ctx-size", &WINDOW.to_string(), "--parallel", "1", "--threads", "1"]);
    let mut process = Process::start("llama-server", &mut command, &log(dir.path(), "llama")).unwrap();
    let url = format!("http://127.0.0.1:{port}/v1");
    wait_for("llama-server to listen", Duration::from_secs(120), || {
        process.check()?;
        Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok())
    })
    .unwrap();
    Llama { url, _process: process, _dir: dir }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real llama-server: `make llama` fetches one and runs this"]
async fn it_thinks_calls_a_tool_and_answers() {
    let llama = llama();
    let minded = Minded::new(Kind::OpenAi, &llama.url, &format!("window_tokens = {WINDOW}"));
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
