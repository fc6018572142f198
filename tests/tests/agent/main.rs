//! The loop of a model and its tools through the real turn: the daemon as a process, a cluster that changes, and a model that others
//! wrote a stand-in for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod barge_in;
mod changed_mind;
mod changes;
mod faults;
mod fillers;
mod glean;
mod history;
mod hostile;
mod network;
mod reads;
mod resume;
mod rights;
mod route;
mod scripts;
mod unplayed;

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jarvis_tests::desk::{Desk, DeskConfig, Kind};
use jarvis_tests::model_server::{ModelServer, Script, Step};
use jarvis_tests::process::programs;
use jarvis_tests::trial::root;
use jarvisd::event::{RouteKind, TurnRecord};
use serde_json::{Value, json};

const KINDS: [Kind; 2] = [Kind::Local, Kind::Cloud];

async fn desk(seed: u64, kind: Kind, script: Value) -> Desk {
    with(seed, kind, script, "").await
}

async fn with(seed: u64, kind: Kind, script: Value, sections: &str) -> Desk {
    let (root, programs) = (root(), programs().unwrap());
    Desk::start(DeskConfig { root, programs, seed, kind, script, sections: sections.to_owned() }).await.unwrap()
}

/// Before a server of the test's own, with a key for it.
async fn served(seed: u64, kind: Kind, server: &ModelServer) -> Desk {
    served_by(seed, kind, &server.url(), &key(seed)).await
}

/// Before whatever is at `url`, with further lines of the provider's entry.
async fn served_by(seed: u64, kind: Kind, url: &str, more: &str) -> Desk {
    let config = DeskConfig {
        root: root(),
        programs: programs().unwrap(),
        seed,
        kind,
        script: json!([]),
        sections: String::new(),
    };
    Desk::served(config, url, more).await.unwrap()
}

/// The line of an entry that names a key which any server of the tests takes.
fn key(seed: u64) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mind.{seed}.key"));
    let written = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    std::io::Write::write_all(&mut written.unwrap(), b"sk-test-key\n").unwrap();
    format!("key_file = {path:?}\n")
}

/// A desk with these models, in this order, and further sections.
async fn among(seed: u64, minds: &[(Kind, &ModelServer)], sections: &str) -> Desk {
    let entry = |(kind, server): &(Kind, &ModelServer)| {
        let (protocol, name, model) = match kind {
            Kind::Local => ("openai", "qwen", "qwen3"),
            Kind::Cloud => ("claude", "claude", "claude-opus-5-5"),
        };
        let url = server.url();
        // The tests' own file is as good a key as any, and as private.
        let key = any_key().display();
        format!(
            "[[minds.providers]]\nkind = \"{protocol}\"\nname = \"{name}\"\nurl = \"{url}\"\nmodel = \"{model}\"\n\
             key_file = \"{key}\"\nwindow_tokens = 32000\n"
        )
    };
    let minds: String = minds.iter().map(entry).collect();
    Desk::among(root(), programs().unwrap(), seed, format!("{minds}\n{sections}\n")).await.unwrap()
}

/// A key that no server asks for.
fn any_key() -> &'static Path {
    use std::os::unix::fs::PermissionsExt;
    static KEY: std::sync::OnceLock<(tempfile::TempDir, std::path::PathBuf)> = std::sync::OnceLock::new();
    let (_, path) = KEY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "sk-test-key\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        (dir, path)
    });
    path
}

/// Nothing is taken down after a turn.
const NO_GLEANING: &str = "[memory]\nby_model = false";

/// Pieces of an answer by a model in the house, and its end.
fn pieces(text: &str, calls: &[(&str, Value)]) -> Vec<Step> {
    let delta = |delta: Value| Step::chunk(&json!({"choices": [{"index": 0, "delta": delta}]}));
    let call = |(n, (name, args)): (usize, &(&str, Value))| {
        let function = json!({"name": name, "arguments": args.to_string()});
        json!({"tool_calls": [{"index": n, "id": format!("call_{n}"), "type": "function", "function": function}]})
    };
    let mut steps = vec![delta(json!({"content": text}))];
    steps.extend(calls.iter().enumerate().map(call).map(delta));
    let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
    steps.push(Step::chunk(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})));
    steps.push(Step::done());
    steps
}

/// An answer by a model in the house.
fn local(text: &str) -> Script {
    Script::stream(pieces(text, &[]))
}

/// The same, with calls.
fn local_calls(text: &str, calls: &[(&str, Value)]) -> Script {
    Script::stream(pieces(text, calls))
}

/// An answer by Claude, with calls.
fn cloud(text: &str, calls: &[(&str, Value)]) -> Script {
    let usage = json!({"input_tokens": 900, "output_tokens": 1});
    let mut steps = vec![
        Step::event(&json!({"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": usage}})),
        Step::event(&json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
        Step::event(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})),
        Step::event(&json!({"type": "content_block_stop", "index": 0})),
    ];
    for (n, (name, args)) in calls.iter().enumerate() {
        let index = n + 1;
        let block = json!({"type": "tool_use", "id": format!("toolu_{n}"), "name": name, "input": {}});
        let args = json!({"type": "input_json_delta", "partial_json": args.to_string()});
        steps.extend([
            Step::event(&json!({"type": "content_block_start", "index": index, "content_block": block})),
            Step::event(&json!({"type": "content_block_delta", "index": index, "delta": args})),
            Step::event(&json!({"type": "content_block_stop", "index": index})),
        ]);
    }
    let reason = if calls.is_empty() { "end_turn" } else { "tool_use" };
    steps.push(Step::event(
        &json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 12}}),
    ));
    steps.push(Step::event(&json!({"type": "message_stop"})));
    Script::stream(steps)
}

/// What was asked of a server, the newest last: the conversation of each request, as text.
fn conversations(server: &ModelServer) -> Vec<String> {
    server.asked().iter().map(|asked| asked.body["messages"].to_string()).collect()
}

/// To words of the owner.
fn to(words: &str) -> Value {
    json!({"userMessage": words})
}

/// Once a tool brought this.
fn once(words: &str, brought: &str) -> Value {
    json!({"userMessage": words, "toolResultContains": brought})
}

fn says(when: Value, text: &str) -> Value {
    json!({"match": when, "response": {"content": text}, "chunkSize": 7})
}

fn calls(when: Value, text: &str, calls: &[(&str, Value)]) -> Value {
    let calls: Vec<_> = calls
        .iter()
        .enumerate()
        .map(|(n, (name, args))| json!({"id": format!("call_{n}"), "name": name, "arguments": args}))
        .collect();
    let mut response = json!({"toolCalls": calls});
    if !text.is_empty() {
        response["content"] = text.into();
    }
    json!({"match": when, "response": response, "chunkSize": 7})
}

/// The answer of a turn that a model made.
#[track_caller]
fn minded(turn: &TurnRecord) -> &str {
    let kind = turn.route.as_ref().map(|route| route.kind);
    assert!(matches!(kind, Some(RouteKind::LocalModel | RouteKind::CloudModel)), "no model answered: {turn:?}");
    turn.reply.as_deref().unwrap_or_default()
}

/// Tools of a turn: name and outcome.
fn tools(turn: &TurnRecord) -> Vec<(&str, &str)> {
    turn.tools.iter().map(|tool| (tool.name.as_str(), tool.outcome.as_str())).collect()
}
