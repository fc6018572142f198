//! Two hundred changes with faults drawn from a seed: none is said to be done that was not, none to have failed that was done.
//!
//! Nothing here is waited for that never comes: a task that its plan lets end is followed with patience, since a node that one of the
//! plans kills comes back by itself; of the others the client is told beforehand to give up soon. That patience ran out would be a fault
//! of the client or of the simulator, and fails the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jarvis_core::ids::Vmid;
use jarvis_core::tools::{Change, Wanted};
use jarvis_tests::pve::state::State;
use jarvis_tests::pve::{Dice, Fate, Mishap, Options, Plan, Simulator};
use jarvisd::cluster::{ClusterConfig, Found, Outcome};

use crate::house::*;

const SEEDS: [u64; 4] = [81, 82, 83, 84];
/// How long a node that died stays away.
const AWAY: Duration = Duration::from_secs(1);
/// Changes that each guest is put to.
const ROUNDS: usize = 6;
/// Guests of each cluster that are changed.
const GUESTS: [u32; 9] = [101, 103, 104, 106, 108, 111, 112, 115, 116];

#[derive(Default)]
struct Tally {
    done: AtomicU32,
    failed: AtomicU32,
    unknown: AtomicU32,
    found: AtomicU32,
    not_begun: AtomicU32,
    refused_by_gate: AtomicU32,
}

impl Tally {
    fn count(&self, of: impl Fn(&Self) -> &AtomicU32) -> u32 {
        of(self).load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_faulted_changes_none_is_falsely_done() {
    let tally = Arc::new(Tally::default());
    for seed in SEEDS {
        let simulator = Arc::new(simulator_with(Options { away: Some(AWAY), ..quick(seed) }).await);
        let config = config(&simulator);
        let mut guests = tokio::task::JoinSet::new();
        for vmid in GUESTS {
            let dice = Dice::new(seed, &format!("faults of {vmid}"));
            guests.spawn(put_through(Arc::clone(&simulator), config.clone(), vmid, dice, Arc::clone(&tally)));
        }
        while let Some(ended) = guests.join_next().await {
            ended.unwrap();
        }
    }
    let (done, failed, unknown) = (tally.count(|t| &t.done), tally.count(|t| &t.failed), tally.count(|t| &t.unknown));
    println!(
        "{} changes: {done} done, {failed} failed, {unknown} unknown; of lost ones {} found and {} never begun; {} refused by the gate",
        done + failed + unknown,
        tally.count(|t| &t.found),
        tally.count(|t| &t.not_begun),
        tally.count(|t| &t.refused_by_gate),
    );
    assert!(done + failed + unknown >= 200, "only {} changes were tried", done + failed + unknown);
    assert!(done >= 20 && failed >= 20 && unknown >= 20, "{done} done, {failed} failed, {unknown} unknown");
}

/// Puts one guest through its changes, one after the other.
async fn put_through(simulator: Arc<Simulator>, config: ClusterConfig, vmid: u32, mut dice: Dice, tally: Arc<Tally>) {
    let mut round = 0;
    while round < ROUNDS {
        let (plan, hopeless) = drawn(&mut dice);
        let (tool, args) = some_change(&simulator, vmid, &mut dice);
        let judge = patient(&config);
        let deaths = whole(&simulator).await;
        let cleared = match cleared(&judge, tool, &args).await {
            Ok(cleared) => cleared,
            Err(why) => {
                // Nothing but a node that died meanwhile, by another guest's plan, stands in its way.
                assert!(simulator.state().works.deaths > deaths, "{tool} {args}: {why}");
                tally.refused_by_gate.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        };
        round += 1;
        simulator.plan(vmid, plan.clone());
        let (change, sent, sent_ms) = (change_of(&cleared), wall(), simulator.now_ms());
        let client = if hopeless { resigned(&config) } else { judge };
        let (outcome, _) = run(&client, cleared).await;
        assert!(hopeless || !ran_out(&outcome), "{tool} {args} with {plan:?} was waited for in vain: {outcome:?}");
        check(&simulator, &change, sent_ms, &outcome, &format!("{tool} {args} with {plan:?}"));
        match outcome {
            Outcome::Done { .. } => tally.done.fetch_add(1, Ordering::Relaxed),
            Outcome::Failed { .. } => tally.failed.fetch_add(1, Ordering::Relaxed),
            Outcome::Unknown { .. } => tally.unknown.fetch_add(1, Ordering::Relaxed),
        };
        if let Outcome::Unknown { upid: None, .. } = outcome {
            let client = resigned(&config);
            match client.find_task(&change, sent, wall(), &known(&simulator, vmid, sent_ms)).await {
                Found::Task { upid, .. } => {
                    tally.found.fetch_add(1, Ordering::Relaxed);
                    let outcome = client.follow(&change, upid, sent).await;
                    check(&simulator, &change, sent_ms, &outcome, &format!("{tool} {args} found again after {plan:?}"));
                }
                Found::None => {
                    tally.not_begun.fetch_add(1, Ordering::Relaxed);
                    let state = simulator.state();
                    let happened = state.works.history.iter().any(|h| h.vmid == vmid && h.at >= sent_ms);
                    assert!(!happened, "said not to have begun: {tool} {args} with {plan:?}");
                }
                Found::NodeUnknown { .. } => {}
            }
        }
        settle(&simulator, vmid);
    }
}

/// Tasks of the guest that belong to earlier changes.
fn known(simulator: &Simulator, vmid: u32, sent_ms: i64) -> Vec<jarvis_core::ids::Upid> {
    let state = simulator.state();
    let begun = state.works.begun_before(sent_ms);
    begun.filter(|upid| upid.contains(&format!(":{vmid}:"))).map(jarvis_core::ids::Upid::from).collect()
}

/// What the simulator itself says of an outcome.
fn check(simulator: &Simulator, change: &Change, sent_ms: i64, outcome: &Outcome, what: &str) {
    let state = simulator.state();
    let Vmid(vmid) = change.vmid;
    match outcome {
        Outcome::Done { upid, .. } => {
            let task = state.tasks.iter().find(|task| task.upid == upid.as_str()).unwrap();
            let status = task.ended.as_ref().map(|(_, status)| status.as_str());
            let well = status.is_some_and(|status| status == "OK" || status.starts_with("WARNINGS: "));
            assert!(well && is_so(&state, change, sent_ms), "falsely done: {what}: {status:?}");
        }
        Outcome::Failed { upid: Some(upid), .. } => {
            let happened = state.works.history.iter().any(|happened| happened.upid == upid.as_str());
            assert!(!happened, "falsely failed: {what}: {outcome:?}");
        }
        Outcome::Failed { upid: None, .. } => {
            let happened = state.works.history.iter().any(|h| h.vmid == vmid && h.at >= sent_ms);
            assert!(!happened, "falsely refused: {what}: {outcome:?}");
        }
        Outcome::Unknown { why, .. } => assert!(!why.is_empty(), "{what}"),
    }
}

/// Whether the guest is as the change wanted it, by the simulator's own state.
fn is_so(state: &State, change: &Change, sent_ms: i64) -> bool {
    let guest = state.guest(change.vmid.0).unwrap();
    let has = |name: &String| guest.snapshots.iter().any(|(taken, _)| taken == name);
    match &change.wanted {
        Wanted::State(wanted) => guest.running == (*wanted == jarvis_core::cluster::GuestState::Running),
        Wanted::Rebooted => guest.running && guest.started >= sent_ms.div_euclid(1000),
        Wanted::SnapshotThere(name) => has(name) && guest.half.is_none(),
        Wanted::SnapshotGone(name) => !has(name),
        Wanted::RolledBackTo(name) => guest.lineage.get("current") == Some(name),
    }
}

/// A change that makes sense for the guest as it is.
fn some_change(simulator: &Simulator, vmid: u32, dice: &mut Dice) -> (&'static str, String) {
    let guest = guest(simulator, vmid);
    let name = guest.snapshots.first().map(|(name, _)| name.clone());
    let fresh = format!("s{}", dice.between(10_000, 99_999));
    let with = |name: &str| snapshot_args(vmid, name);
    match (dice.between(0, 9), name) {
        (0..=3, _) if !guest.running => ("guest_start", args(vmid)),
        (0 | 1, _) => ("guest_shutdown", args(vmid)),
        (2, _) if guest.running => ("guest_reboot", args(vmid)),
        (3, _) if guest.running => ("guest_stop", args(vmid)),
        (4 | 5, Some(name)) => ("snapshot_delete", with(&name)),
        (6, Some(name)) => ("snapshot_rollback", with(&name)),
        _ => ("snapshot_create", with(&fresh)),
    }
}

/// A fault, and whether waiting for what then never comes is hopeless.
fn drawn(dice: &mut Dice) -> (Plan, bool) {
    let soon = Duration::from_millis(dice.between(0, 80));
    let fails = "start failed: QEMU exited with code 1".to_owned();
    let fate = match dice.between(0, 19) {
        0..=7 => (Fate::Usual, false),
        8 => (Fate::Warnings(1), false),
        9 | 10 => (Fate::Fails(fails), false),
        11 => (Fate::Unexpected { done: false }, false),
        12 => (Fate::Unexpected { done: true }, false),
        13 | 14 => (Fate::Lies, true),
        15 => (Fate::Late(soon), false),
        16 => (Fate::Late(Duration::from_secs(3)), true),
        17 => (Fate::Endless, true),
        _ => (Fate::NodeDies(soon), dice.happens(50)),
    };
    let mishap = match dice.between(0, 19) {
        0 => Some(Mishap::AnswerLost),
        1 => Some(Mishap::RequestLost),
        2 => Some(Mishap::AnswerSlow(soon)),
        3 => Some(Mishap::Answers(596, String::new())),
        4 => Some(Mishap::Answers(200, r#"{"data":null}"#.to_owned())),
        5 => Some(Mishap::Refused(500, "VM is locked (backup)\n".to_owned())),
        6 => Some(Mishap::Refused(403, "Permission check failed (/vms/104, VM.PowerMgmt)".to_owned())),
        _ => None,
    };
    (Plan { mishap, fate: fate.0 }, fate.1)
}

/// Waits until every node is there, and says how many had died by then.
async fn whole(simulator: &Simulator) -> usize {
    loop {
        let state = simulator.state();
        if state.nodes.iter().all(|node| node.alive) {
            return state.works.deaths;
        }
        tokio::time::sleep(AWAY / 20).await;
    }
}

/// Whether a client gave up waiting.
fn ran_out(outcome: &Outcome) -> bool {
    let gave_up = ["still runs after", "stopped answering", "was not seen as wanted", "did not answer in time"];
    matches!(outcome, Outcome::Unknown { why, .. } if gave_up.iter().any(|words| why.contains(words)))
}

/// Ends what is still under way for the guest, and forgets a plan that no request met, so that the next change is judged alone.
fn settle(simulator: &Simulator, vmid: u32) {
    let now = simulator.now_ms();
    simulator.change(|state| {
        state.let_go(vmid, now);
        state.guest_mut(vmid).unwrap().half = None;
    });
}
