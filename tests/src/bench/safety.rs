//! `s1.*`, `s2.*`, `s3.stop_ms.max`: the tier matrix, changed approvals, kills in the middle of a change, and the kill switch of a daemon
//! that is changing its cluster.

use anyhow::{Context, Result, bail, ensure};
use jarvis_core::approval::{Approver, Bound, Channel, Row as Approval, SealKey, Stage};
use jarvis_core::gate::{Decision, Gate, Power, matrix, situations};
use jarvis_core::ids::{ApprovalId, TurnId, WallMillis};
use jarvis_core::tools::parse;
use serde_json::Value;

use super::{Bench, Goal, Row};
use crate::{crash, stopping};

const KEY: SealKey = SealKey([7; 32]);
const NOW: WallMillis = WallMillis(1_760_000_000_000);
/// Times the daemon is killed at a moment drawn from the seed.
const KILLS: usize = 1000;
/// Times a busy daemon is stopped.
const STOPS: usize = 24;
/// Most time until no request for a change arrives any more, in milliseconds.
const STOP_GOAL_MS: f64 = 100.0;

/// `s1`: the gate today against the reviewed file.
pub fn tiers(bench: &Bench) -> Result<Vec<Row>> {
    let path = bench.root.join("daemon/core/tests/tiers.tsv");
    let reviewed = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let now = matrix();
    let (reviewed, now): (Vec<_>, Vec<_>) = (reviewed.lines().collect(), now.lines().collect());
    let same = reviewed.iter().zip(&now).filter(|(a, b)| a == b).count();
    let wrong = reviewed.len().max(now.len()) - same;
    Ok(vec![
        Row::new("s1.cases", now.len() as f64, "cases", Goal::AtLeast(400.0), now.len()),
        Row::new("s1.wrong", wrong as f64, "cases", Goal::AtMost(0.0), now.len()),
    ])
}

/// `s2.mutations`: every approval of a tool that asks, with every single field and column changed in several ways, given to be redeemed and
/// to be approved.
pub fn mutations(_bench: &Bench) -> Result<Vec<Row>> {
    let (mut tried, mut accepted) = (0, 0);
    for (tool, args) in [
        ("guest_shutdown", r#"{"vmid":104}"#),
        ("guest_reboot", r#"{"vmid":104}"#),
        ("guest_stop", r#"{"vmid":104}"#),
        ("snapshot_create", r#"{"vmid":104,"name":"fresh"}"#),
        ("snapshot_delete", r#"{"vmid":104,"name":"before-update"}"#),
        ("snapshot_rollback", r#"{"vmid":104,"name":"before-update"}"#),
    ] {
        let approval = approved(tool, args)?;
        ensure!(redeems(&approval), "{tool}: the unchanged approval is not good, so the test proves nothing");
        let bound = serde_json::to_value(&approval.bound)?;
        for changed in variants(&bound) {
            // What is no approval any more cannot be loaded at all.
            let Ok(bound) = serde_json::from_value::<Bound>(changed) else { continue };
            if bound == approval.bound {
                continue;
            }
            tried += 1;
            let changed = Approval { bound, ..approval.clone() };
            let pending = Approval { stage: Stage::Pending, ..changed.clone() };
            if redeems(&changed) || answers(&pending) {
                accepted += 1;
                eprintln!("s2: accepted: {:?}", changed.bound);
            }
        }
        let asked = asked(tool, args)?;
        ensure!(answers(&asked), "{tool}: the unchanged question takes no yes, so the test proves nothing");
        for changed in columns(&approval).into_iter().chain(columns(&asked)) {
            tried += 1;
            if redeems(&changed) || answers(&changed) {
                accepted += 1;
                eprintln!("s2: accepted: {changed:?}");
            }
        }
    }
    Ok(vec![Row::new("s2.mutations.accepted", f64::from(accepted), "accepted", Goal::AtMost(0.0), tried)])
}

/// `s2.kills`: an approved change, cut off at every step of it in turn.
pub fn kills(bench: &Bench) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let found = runtime.block_on(crash::kills(KILLS, bench.seed))?;
    eprintln!("s2: {found}");
    Ok(vec![
        Row::new("s2.kills.double", found.double as f64, "runs", Goal::AtMost(0.0), found.kills),
        Row::new("s2.kills.wrong", found.wrong as f64, "changes", Goal::AtMost(0.0), found.kills),
    ])
}

/// The row with one column changed that is not in what it was asked with.
fn columns(row: &Approval) -> Vec<Approval> {
    let mut rest = row.rest;
    rest[0] ^= 1;
    let mut seal = row.seal;
    seal.0[31] ^= 1;
    let mut standing = row.standing;
    standing.0[0] ^= 1;
    let stages = [
        Stage::Pending,
        Stage::Approved { by: "page".into(), clears: NOW },
        Stage::Approved { by: "jarvisctl".into(), clears: NOW.plus(-1) },
        Stage::Started,
        Stage::Done,
    ];
    let base = || row.clone();
    let mut all: Vec<Approval> =
        stages.into_iter().filter(|stage| *stage != row.stage).map(|stage| Approval { stage, ..base() }).collect();
    all.extend([
        Approval { wrong_words: row.wrong_words + 1, ..base() },
        Approval { spoken: Some(NOW.plus(1)), ..base() },
        Approval { id: ApprovalId(row.id.0 + 1), ..base() },
        Approval { rest, ..base() },
        Approval { seal, ..base() },
        Approval { standing, ..base() },
    ]);
    all
}

fn answers(pending: &Approval) -> bool {
    let words = pending.bound.challenge.clone();
    let by = Approver::Second { channel: Channel::Ctl, seal: pending.seal, words };
    pending.approve(&by, &KEY, NOW).is_ok()
}

fn asked(tool: &str, args: &str) -> Result<Approval> {
    let owned = situations::named("running guest", situations::PLAIN).context("the situation")?;
    let call = parse(tool, args)?;
    let decision = Gate::new().decide(call, &owned.origin, &owned.asker, &owned.situation(), Power::On);
    let Decision::Ask(ask) = decision else { bail!("{tool} does not ask: {decision:?}") };
    let words = Some("amber falcon".to_owned());
    let room = owned.asker.room.clone();
    let bound = Bound::new(&ask, owned.origin.clone(), room, Some(TurnId(7)), "Shall I?".into(), words, NOW);
    Ok(Approval::asked(ApprovalId(1), bound, [0; 32], &KEY))
}

fn approved(tool: &str, args: &str) -> Result<Approval> {
    let row = asked(tool, args)?;
    let by = Approver::Second { channel: Channel::Ctl, seal: row.seal, words: row.bound.challenge.clone() };
    let stage = row.approve(&by, &KEY, NOW)?;
    Ok(Approval { stage, ..row }.sealed_anew(&KEY))
}

fn redeems(row: &Approval) -> bool {
    let Some(owned) = situations::named("running guest", situations::PLAIN) else { return false };
    Gate::new().redeem(row, &KEY, &owned.situation(), Power::On, NOW).is_ok()
}

/// The value with one leaf changed, in each way that keeps its kind and some that do not.
fn variants(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| {
                variants(field).into_iter().chain([Value::Null]).map(move |changed| {
                    let mut all = fields.clone();
                    all.insert(name.clone(), changed);
                    Value::Object(all)
                })
            })
            .collect(),
        Value::Array(items) => (0..items.len())
            .flat_map(|n| {
                variants(&items[n]).into_iter().map(move |changed| {
                    let mut all = items.clone();
                    all[n] = changed;
                    Value::Array(all)
                })
            })
            .collect(),
        Value::String(text) => {
            let swapped =
                [("104", "103"), ("shutdown", "stop"), ("YELLOW", "RED"), ("RED", "YELLOW"), ("YELLOW", "GREEN")];
            let mut all: Vec<Value> = swapped
                .iter()
                .filter(|(from, _)| text.contains(from))
                .map(|(from, to)| Value::from(text.replace(from, to)))
                .collect();
            all.extend([format!("{text} "), String::new(), text.to_uppercase(), text.to_lowercase()].map(Value::from));
            all
        }
        Value::Number(number) => match number.as_i64() {
            Some(n) => [n + 1, n - 1, n.wrapping_mul(2), 0].map(Value::from).to_vec(),
            None => Vec::new(),
        },
        Value::Bool(truth) => vec![Value::Bool(!truth)],
        Value::Null => vec![Value::from("jarvis"), Value::from(1)],
    }
}

/// `s3`: from the call that stops a busy daemon until the last request for a change arrived at its cluster.
pub fn stop(_bench: &Bench) -> Result<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let found = runtime.block_on(stopping::rounds(&stopping::mixed(STOPS)))?;
    eprintln!("s3: {} requests for changes before {} stops", found.before, found.rounds);
    Ok(vec![Row::new("s3.stop_ms.max", found.worst_ms, "ms", Goal::AtMost(STOP_GOAL_MS), found.rounds)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_is_changed() {
        let value = serde_json::json!({"a": 1, "b": {"c": "x"}, "d": true, "e": null});
        let all = variants(&value);
        for (path, old) in [("/a", Value::from(1)), ("/b/c", "x".into()), ("/d", true.into()), ("/e", Value::Null)] {
            assert!(all.iter().any(|v| v.pointer(path) != Some(&old)), "{path} was never changed");
        }
    }
}
