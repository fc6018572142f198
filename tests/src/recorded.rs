//! Streams as servers really sent them: our own, in tests/frozen/streams, and others' where they lie beside the workspace.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::model_server::Step;

/// Our own, without their ending: `server-protocol-what`.
pub const FROZEN: [&str; 8] = [
    "aimock-claude-calls",
    "aimock-claude-words",
    "aimock-openai-calls",
    "aimock-openai-words",
    "llama-claude-calls",
    "llama-claude-words",
    "llama-openai-calls",
    "llama-openai-words",
];

/// Folder of our own.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("frozen/streams")
}

/// One of our own.
pub fn frozen(name: &str) -> Result<Vec<u8>> {
    let path = folder().join(format!("{name}.sse"));
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// One of others', where it is.
pub fn shared(name: &str) -> Option<Vec<u8>> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/llm-sse").join(name)).ok()
}

/// A stream sent event by event.
pub fn events(stream: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut from = 0;
    for end in (2..=stream.len()).filter(|end| stream[end - 2..*end] == *b"\n\n") {
        steps.push(Step::Bytes(stream[from..end].to_vec()));
        from = end;
    }
    steps.push(Step::Bytes(stream[from..].to_vec()));
    steps
}

/// A stream sent byte by byte.
pub fn bytes(stream: &[u8]) -> Vec<Step> {
    stream.iter().map(|byte| Step::Bytes(vec![*byte])).collect()
}
