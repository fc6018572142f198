//! `s6.*`: secrets found in the frozen texts, texts without secrets that lost something, and what looking for them takes.

use std::time::Instant;

use anyhow::Result;
use jarvis_core::redact::redact;

use super::{Bench, Goal, Row, percentile};
use crate::secrets::{frozen, judge};

/// Far below what an ear notices.
const REDACT_GOAL_US: f64 = 5_000.0;

/// Redacts every frozen text; prints every miss and everything that went without need.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let (mut secrets, mut missed) = (0, 0);
    for text in frozen(&bench.root, "secrets.tsv")? {
        let judgement = judge(&text);
        secrets += text.secrets.len();
        missed += judgement.missed.len();
        for secret in judgement.missed {
            println!("s6: missed [{}] {secret:?} in {:?}", text.sort, text.text);
        }
    }
    let others = frozen(&bench.root, "not_secrets.tsv")?;
    let mut wrong = 0;
    for text in &others {
        let judgement = judge(text);
        wrong += usize::from(!judgement.taken.is_empty());
        for taken in judgement.taken {
            println!("s6: taken without need [{}] {taken:?} in {:?}", text.sort, text.text);
        }
    }
    let mut micros = Vec::new();
    for text in &others {
        let started = Instant::now();
        redact(&text.text);
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    let recall = (secrets - missed) as f64 / secrets as f64;
    let false_share = wrong as f64 / others.len() as f64;
    Ok(vec![
        Row::new("s6.secrets.recall", recall, "ratio", Goal::AtLeast(0.99), secrets),
        Row::new("s6.secrets.false", false_share, "ratio", Goal::AtMost(0.01), others.len()),
        // What is heard waits for it.
        Row::new("s6.redact_us.p95", percentile(&mut micros, 0.95)?, "us", Goal::AtMost(REDACT_GOAL_US), others.len()),
    ])
}
