//! The frozen requests: what people say, with the one right kind and the slots of each.

use std::path::Path;

use anyhow::{Context, Result};
use jarvis_core::ids::{NodeName, StorageName, Vmid};
use jarvis_core::intent::{Intent, Slots};

/// A line of `tests/frozen/requests.tsv`.
pub struct Frozen {
    /// As a recogniser writes it.
    pub text: String,
    /// What it asks for.
    pub intent: Intent,
}

/// Every frozen request.
pub fn requests(root: &Path) -> Result<Vec<Frozen>> {
    let path = root.join("tests/frozen/requests.tsv");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    text.lines()
        .enumerate()
        .map(|(n, line)| parse(line).with_context(|| format!("{}:{}", path.display(), n + 1)))
        .collect()
}

fn parse(line: &str) -> Result<Frozen> {
    let mut fields = line.split('\t');
    let (text, kind, slots) = (fields.next(), fields.next(), fields.next());
    let (Some(text), Some(kind), Some(given)) = (text, kind, slots) else { anyhow::bail!("three fields wanted") };
    let mut slots = Slots::default();
    for pair in given.split_whitespace().filter(|p| *p != "-") {
        let (name, value) = pair.split_once('=').context("name=value")?;
        match name {
            "node" => slots.node = Some(NodeName::from(value)),
            "guest" => slots.guest = Some(Vmid(value.parse()?)),
            "storage" => slots.storage = Some(StorageName::from(value)),
            "percent" => slots.percent = Some(value.parse()?),
            other => anyhow::bail!("no slot is named {other}"),
        }
    }
    Ok(Frozen { text: text.to_owned(), intent: Intent { kind: kind.to_owned(), slots } })
}
