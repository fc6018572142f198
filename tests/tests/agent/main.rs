//! The loop of a model and its tools through the real turn: the daemon as a process, a cluster that changes, and a model that others
//! wrote a stand-in for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod barge_in;
mod changed_mind;
mod changes;
mod faults;
mod fillers;
mod hostile;
mod network;
mod reads;
mod resume;
mod scripts;

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jarvis_tests::desk::{Desk, DeskConfig, Kind};
use jarvis_tests::model_server::ModelServer;
use jarvis_tests::process::programs;
use jarvisd::event::{RouteKind, TurnRecord};
use serde_json::{Value, json};

const KINDS: [Kind; 2] = [Kind::Local, Kind::Cloud];

async fn desk(seed: u64, kind: Kind, script: Value) -> Desk {
    with(seed, kind, script, "").await
}

async fn with(seed: u64, kind: Kind, script: Value, sections: &str) -> Desk {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let programs = programs().unwrap();
    Desk::start(DeskConfig { root, programs, seed, kind, script, sections: sections.to_owned() }).await.unwrap()
}

/// Before a server of the test's own, with a key for it.
async fn served(seed: u64, kind: Kind, server: &ModelServer) -> Desk {
    served_by(seed, kind, &server.url(), &key(seed)).await
}

/// Before whatever is at `url`, with further lines of the provider's entry.
async fn served_by(seed: u64, kind: Kind, url: &str, more: &str) -> Desk {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let config =
        DeskConfig { root, programs: programs().unwrap(), seed, kind, script: json!([]), sections: String::new() };
    Desk::served(config, url, more).await.unwrap()
}

/// The line of an entry that names a key which any server of the tests takes.
fn key(seed: u64) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mind.{seed}.key"));
    let written = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    std::io::Write::write_all(&mut written.unwrap(), b"sk-test-key\n").unwrap();
    format!("key_file = {path:?}\n")
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
