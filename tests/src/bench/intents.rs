//! `m1.*`: the frozen requests as text, and how long understanding takes, of whole ones and of those that somebody is still saying.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use jarvis_core::intent::{Grammar, Understood};
use jarvis_core::names::Names;

use super::{Bench, Goal, Row, percentile};
use crate::frozen;

/// Times each request is understood; the median of them is its time.
const ROUNDS: usize = 5;
/// A part must be judged before the ear tells the next one.
const PART_GOAL_MS: f64 = 200.0;

/// Understands every frozen request against the simulated cluster's names; prints every miss.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let requests = frozen::requests(&bench.root)?;
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
            Some(Understood::Intent { intent, .. }) if intent == request.intent => right += 1,
            other => eprintln!("missed: {:?} wants {:?}, got {other:?}", request.text, request.intent),
        }
    }
    let mut parts = Vec::new();
    for request in &requests {
        let ends = request.text.match_indices(' ').map(|(end, _)| end);
        for end in ends {
            let started = Instant::now();
            grammar.complete(&request.text[..end], &names);
            parts.push(started.elapsed().as_secs_f64() * 1000.0);
        }
    }
    let n = requests.len();
    eprintln!("{new} of {n} phrasings are not among the grammar's examples");
    Ok(vec![
        Row::new("m1.understood.ratio", f64::from(right) / n as f64, "ratio", Goal::AtLeast(0.95), n),
        Row::new("m1.intent_ms.p95", percentile(&mut times, 0.95)?, "ms", Goal::AtMost(5.0), n),
        Row::new("m1.part_ms.p95", percentile(&mut parts, 0.95)?, "ms", Goal::AtMost(PART_GOAL_MS), parts.len()),
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
