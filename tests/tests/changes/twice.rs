//! Nothing is done twice.

use std::sync::atomic::{AtomicBool, Ordering};

use jarvis_core::gate::{Decision, Gate, Power, Situation};
use jarvis_core::tools::parse;
use jarvisd::cluster::Outcome;

use crate::house::*;

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_that_start_the_same_guest_start_it_once() {
    let simulator = simulator(71).await;
    let config = config(&simulator);
    let (one, other) = (patient(&config), patient(&config));
    for guest in [vm(&simulator, false), container(&simulator, false)] {
        let args = args(guest.vmid);
        let first = cleared(&one, "guest_start", &args).await.unwrap();
        let second = cleared(&other, "guest_start", &args).await.unwrap();
        let ((a, _), (b, _)) = tokio::join!(run(&one, first), run(&other, second));
        let done = |outcome: &Outcome| matches!(outcome, Outcome::Done { .. });
        assert_ne!(done(&a), done(&b), "{a:?} {b:?}");
        let failed = if done(&a) { b } else { a };
        assert!(matches!(&failed, Outcome::Failed { reason, .. } if reason.contains("already running")), "{failed:?}");
        let starts = simulator.state().works.history.iter().filter(|happened| happened.vmid == guest.vmid).count();
        assert_eq!(starts, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_approval_clears_one_of_two_clients() {
    let simulator = simulator(72).await;
    let config = config(&simulator);
    let (one, other) = (patient(&config), patient(&config));
    let guest = vm(&simulator, true);
    let args = args(guest.vmid);
    let call = parse("guest_stop", &args).unwrap();
    let Decision::Ask(ask) = decide("guest_stop", &args, &one.facts_for(&call).await) else { panic!() };
    assert!(ask.challenge);
    let row = approved(&ask);
    let used = AtomicBool::new(false);
    let redeem = async |client: &jarvisd::cluster::ClusterClient| {
        let (facts, policy) = (client.facts_for(&call).await, policy());
        let redeemed = Gate::new().redeem(&row, &KEY, &Situation::new(&facts, &policy), Power::On, wall()).unwrap();
        // What the store does in one transaction: the row is consumed by whoever comes first.
        let cleared = redeemed.commit(|_| if used.swap(true, Ordering::AcqRel) { Err(()) } else { Ok(()) }).ok()?;
        Some(run(client, cleared).await.0)
    };
    let (a, b) = tokio::join!(redeem(&one), redeem(&other));
    let outcomes: Vec<_> = [a, b].into_iter().flatten().collect();
    assert!(matches!(outcomes.as_slice(), [Outcome::Done { .. }]), "{outcomes:?}");
    assert_eq!(begun(&simulator.state(), guest.vmid), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_that_take_the_same_snapshot_take_it_once() {
    let simulator = simulator(73).await;
    let config = config(&simulator);
    let (one, other) = (patient(&config), patient(&config));
    let guest = vm(&simulator, true);
    let args = snapshot_args(guest.vmid, "once");
    let first = cleared(&one, "snapshot_create", &args).await.unwrap();
    let second = cleared(&other, "snapshot_create", &args).await.unwrap();
    let ((a, _), (b, _)) = tokio::join!(run(&one, first), run(&other, second));
    let done = [&a, &b].into_iter().filter(|outcome| matches!(outcome, Outcome::Done { .. })).count();
    assert_eq!(done, 1, "{a:?} {b:?}");
    let taken =
        simulator.state().guest(guest.vmid).unwrap().snapshots.iter().filter(|(name, _)| name == "once").count();
    assert_eq!(taken, 1);
}
