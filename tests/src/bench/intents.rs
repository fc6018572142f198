//! `m1.*`: the frozen requests as text, and how long understanding takes.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use jarvis_core::ids::{NodeName, StorageName, Vmid};
use jarvis_core::intent::{Grammar, Slots, Understood};
use jarvis_core::names::Names;

use super::{Bench, Goal, Row, percentile};

/// Times each request is understood; the median of them is its time.
const ROUNDS: usize = 5;

/// A line of `tests/frozen/requests.tsv`.
pub struct Frozen {
    /// As a recogniser writes it.
    pub text: String,
    /// Its one right kind.
    pub kind: String,
    /// Its slots.
    pub slots: Slots,
}

/// The frozen requests.
pub fn frozen(root: &std::path::Path) -> Result<Vec<Frozen>> {
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
    Ok(Frozen { text: text.to_owned(), kind: kind.to_owned(), slots })
}

/// Understands every frozen request against the simulated cluster's names; prints every miss.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let requests = frozen(&bench.root)?;
    let grammar = Grammar::embedded().map_err(|e| anyhow::anyhow!("{e}"))?;
    let names = Names::from_cluster(&crate::fleet::cluster());
    let examples = examples()?;
    let new = requests.iter().filter(|r| !examples.contains(&r.text)).count();
    ensure!(
        new * 5 >= requests.len(),
        "only {new} of {} phrasings are not among the grammar's examples",
        requests.len()
    );
    let mut right = 0;
    let mut times = Vec::new();
    for request in &requests {
        let mut rounds = Vec::new();
        let mut understood = None;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            understood = Some(grammar.understand(&request.text, &names));
            rounds.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        times.push(percentile(&mut rounds, 0.5)?);
        match understood {
            Some(Understood::Intent { intent, .. }) if intent.kind == request.kind && intent.slots == request.slots => {
                right += 1
            }
            other => eprintln!("missed: {:?} wants {} {:?}, got {other:?}", request.text, request.kind, request.slots),
        }
    }
    let n = requests.len();
    eprintln!("{new} of {n} phrasings are not among the grammar's examples");
    Ok(vec![
        Row::new("m1.understood.ratio", f64::from(right) / n as f64, "ratio", Goal::AtLeast(0.95), n),
        Row::new("m1.intent_ms.p95", percentile(&mut times, 0.95)?, "ms", Goal::AtMost(5.0), n),
    ])
}

/// Every example sentence of the grammar's own files.
fn examples() -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for (file, text) in Grammar::embedded_files() {
        let table: toml::Table = text.parse().with_context(|| (*file).to_owned())?;
        gather(&toml::Value::Table(table), &mut all);
    }
    ensure!(!all.is_empty(), "the grammar's files have no examples: this looks in the wrong place");
    Ok(all)
}

fn gather(value: &toml::Value, all: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => table.values().for_each(|v| gather(v, all)),
        toml::Value::Array(list) => list.iter().for_each(|v| gather(v, all)),
        toml::Value::String(text) => {
            all.insert(text.clone());
        }
        _ => {}
    }
}
