//! The kill switch is looked at when nothing stands between it and the request any more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jarvis_tests::pve::Fault;
use jarvisd::cluster::Outcome;

use crate::house::*;

fn kept_back(outcome: &Outcome) {
    let Outcome::Failed { upid: None, reason, .. } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("kill switch"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_guest_is_looked_at_keeps_the_request_back() {
    let simulator = simulator(81).await;
    let client = patient(&config(&simulator));
    let there = vm(&simulator, true);
    let cleared = cleared(&client, "guest_reboot", &args(there.vmid)).await.unwrap();
    // Whoever restarts looks first how long the guest has been up, and its node takes its time to say so.
    simulator.misbehave(&there.node, Fault::Slow(Duration::from_millis(500))).unwrap();
    let on = AtomicBool::new(true);
    let may = || on.load(Ordering::SeqCst);
    // The change is polled first: it waits for that look by the time the stop comes.
    let (outcome, ()) = tokio::join!(client.change(cleared, &may, async |_| panic!("it was sent")), async {
        on.store(false, Ordering::SeqCst);
    });
    kept_back(&outcome);
    assert_eq!(begun(&simulator.state(), there.vmid), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_two_nodes_keeps_the_request_from_the_second() {
    let mut simulator = simulator(82).await;
    let there = vm(&simulator, false);
    let client = patient(&config(&simulator));
    let cleared = cleared(&client, "guest_start", &args(there.vmid)).await.unwrap();
    // Nobody listens there any more, and the next node would pass the request on.
    simulator.silence(&there.node).await.unwrap();
    simulator.misbehave(&there.node, Fault::None).unwrap();
    // The stop comes as soon as the first node was found not to be there.
    let refused = || client.health().iter().any(|node| node.node.as_str() == there.node && node.answers == Some(false));
    let may = || !refused();
    let outcome = client.change(cleared, &may, async |_| panic!("it was sent")).await;
    kept_back(&outcome);
    assert!(refused(), "an attempt was made");
    assert_eq!(begun(&simulator.state(), there.vmid), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_nobody_answers_yet_is_no_promise_that_nothing_was_begun() {
    let simulator = simulator(83).await;
    let there = vm(&simulator, false);
    let client = patient(&config(&simulator));
    let cleared = cleared(&client, "guest_start", &args(there.vmid)).await.unwrap();
    simulator.misbehave(&there.node, Fault::Hangs).unwrap();
    let asked = AtomicUsize::new(0);
    let may = || asked.fetch_add(1, Ordering::SeqCst) == 0;
    let outcome = client.change(cleared, &may, async |_| panic!("it was sent")).await;
    let Outcome::Unknown { upid: None, why } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("kill switch") && why.contains("not known"), "{why}");
}
