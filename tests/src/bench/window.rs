//! `m3.*`: long conversations with a model of 4,096 tokens, and how many prompts passed its window.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use jarvis_core::mind::args::ToolArgs;
use jarvis_core::mind::message::{Ask, Block, CacheHint, Message, Role, SystemPart, ToolResult, ToolSpec, ToolUse};
use jarvis_core::mind::models::Models;
use jarvisd::mind::{Catalogue, MindsConfig, Provider};
use serde_json::json;

use super::{Bench, Goal, Row};
use crate::model_server::{ModelServer, Script, Step, Tokenizer};

/// Tokens of the window.
pub const WINDOW: u64 = 4096;
/// Conversations, each asked of servers that count in three ways.
const CONVERSATIONS: usize = 200;
/// Turns of the longest.
const TURNS: usize = 14;

/// Asks 200 long conversations of each kind of server, and counts the prompts that did not fit.
pub fn run(_bench: &Bench) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut overflows = 0;
    for tokenizer in [Tokenizer::LlamaCpp, Tokenizer::Vllm, Tokenizer::None] {
        overflows += runtime.block_on(overflows_of(tokenizer)).with_context(|| format!("{tokenizer:?}"))?;
    }
    Ok(vec![Row::new("m3.overflow.count", overflows as f64, "prompts", Goal::AtMost(0.0), CONVERSATIONS * 3)])
}

async fn overflows_of(tokenizer: Tokenizer) -> Result<usize> {
    let server = ModelServer::with([well()], tokenizer, WINDOW).await?;
    let text =
        format!("[[providers]]\nkind = 'openai'\nurl = '{}'\nmodel = 'qwen3'\nwindow_tokens = {WINDOW}", server.url());
    let config: MindsConfig = toml::from_str(&text)?;
    let provider: Arc<dyn Provider> = config.providers(&Catalogue::new(Models::built_in()?))?.remove(0);
    for seed in 0..CONVERSATIONS {
        let mut answer = provider.ask(Arc::new(conversation(1 + seed % TURNS, seed))).await?;
        while let Some(delta) = answer.next().await {
            delta?;
        }
    }
    ensure!(server.asked().len() == CONVERSATIONS, "{} of {CONVERSATIONS} were asked", server.asked().len());
    Ok(server.overflows())
}

fn well() -> Script {
    let words = json!({"choices": [{"index": 0, "delta": {"content": "Well, sir."}}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    Script::stream([Step::chunk(&words), Step::chunk(&end), Step::done()])
}

/// A conversation of `turns` turns whose tools answered with logs, configurations and lists of many lengths.
pub fn conversation(turns: usize, seed: usize) -> Ask {
    let tool = |name: &str| ToolSpec {
        name: name.to_owned(),
        about: format!("The {name} of a node, newest first."),
        schema: json!({"type": "object", "properties": {"node": {"type": "string"}}, "required": ["node"]}),
    };
    let rule = "You are Jarvis, a butler. Answer shortly, for the ear. ".repeat(10);
    let mut messages = Vec::new();
    for turn in 0..turns {
        let n = turn * 31 + seed * 7;
        let (guest, node, id) = (100 + n, n % 4 + 1, format!("call_{seed}_{turn}"));
        let args = ToolArgs::read(&format!("{{\"node\": \"pve{node}\"}}"), true);
        let call = ToolUse { id: id.as_str().into(), name: "logs".to_owned(), args };
        let line = match n % 3 {
            0 => format!(
                "Nov 26 08:{:02}:{:02} pve{node} pvedaemon[{n}]: <root@pam> end task UPID:pve{node}:{:08X}: OK\n",
                n % 60,
                n % 47,
                n * 7919
            ),
            1 => format!(
                "{{\"vmid\": {guest}, \"name\": \"web-server-{n}\", \"mem\": {}, \"status\": \"running\"}},\n",
                n * 1_048_576
            ),
            _ => format!("scsi0: local-zfs:vm-{guest}-disk-0,iothread=1,size={}G\n", n % 200),
        };
        messages.extend([
            Message::user(format!("why is guest {guest} on node {node} slow today, and since when?")),
            Message { role: Role::Assistant, blocks: vec![Block::ToolUse(call)] },
            Message::results(vec![ToolResult {
                id: id.as_str().into(),
                content: line.repeat(1 + n % 90),
                is_error: false,
            }]),
            Message {
                role: Role::Assistant,
                blocks: vec![Block::Text { text: "It waits for its disk, sir; since this morning.".to_owned() }],
            },
        ]);
    }
    messages.push(Message::user("and what of it now?"));
    Ask {
        system: vec![SystemPart { text: rule, cache: CacheHint::None }],
        tools: vec![tool("logs"), tool("temperatures")],
        messages,
        max_tokens: 400,
        ..Ask::default()
    }
}
