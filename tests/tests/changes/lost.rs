//! A change whose answer was lost is found in the node's own list, or known not to have been begun.

use std::time::Duration;

use jarvis_core::cluster::TaskEnd;
use jarvis_core::ids::Upid;
use jarvis_tests::pve::{Deed, Fate, Mishap, Options, Plan, Simulator};
use jarvisd::cluster::{Found, Outcome};

use crate::house::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_and_followed_whatever_the_clocks_say() {
    for (seed, clock_ahead_s) in [(61, 0), (62, 7200), (63, -7200)] {
        let simulator = Simulator::with(Options { clock_ahead_s, ..quick(seed) }).await.unwrap();
        simulator.calm();
        let client = patient(&config(&simulator));
        let vmid = vm(&simulator, false).vmid;
        let cleared = cleared(&client, "guest_start", &args(vmid)).await.unwrap();
        let (change, sent) = (change_of(&cleared), wall());
        simulator.plan(vmid, Mishap::AnswerLost);
        let (outcome, told) = run(&client, cleared).await;
        assert!(matches!(outcome, Outcome::Unknown { upid: None, .. }) && told.is_none(), "{outcome:?}");
        // As another process would, after a restart.
        let client = patient(&config(&simulator));
        let Found::Task { upid, .. } = client.find_task(&change, sent, sent, &[]).await else {
            panic!("{clock_ahead_s}")
        };
        let outcome = client.follow(&change, upid.clone(), sent).await;
        assert!(matches!(&outcome, Outcome::Done { upid: done, .. } if *done == upid), "{outcome:?}");
        let again = client.find_task(&change, sent, sent, &[]).await;
        assert!(matches!(&again, Found::Task { end: TaskEnd::Ok(_), .. }), "{again:?}");
        assert_eq!(simulator.state().works.history.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_arrived_is_known_not_to_have_begun() {
    let simulator = simulator(64).await;
    let client = patient(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    let (outcome, earlier) = carried_out(&client, "guest_start", &args(vmid)).await;
    assert!(matches!(outcome, Outcome::Done { .. }));
    simulator.change(|state| state.guest_mut(vmid).unwrap().running = false);
    let cleared = cleared(&client, "guest_start", &args(vmid)).await.unwrap();
    let (change, sent) = (change_of(&cleared), wall());
    simulator.plan(vmid, Mishap::RequestLost);
    let (outcome, _) = run(&client, cleared).await;
    assert!(matches!(outcome, Outcome::Unknown { upid: None, .. }), "{outcome:?}");
    let known: Vec<Upid> = earlier.into_iter().collect();
    assert_eq!(
        client.find_task(&change, sent, sent, &known).await,
        Found::None,
        "the earlier task is another change's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_task_of_this_guest_this_kind_and_our_own_token_is_ours() {
    let simulator = simulator(65).await;
    let client = patient(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    let cleared = cleared(&client, "guest_start", &args(vmid)).await.unwrap();
    let (change, sent) = (change_of(&cleared), wall());
    simulator.plan(vmid, Mishap::RequestLost);
    run(&client, cleared).await;
    // Others start it, and we do something else with it, at that very moment.
    let now = simulator.now_ms();
    simulator.change(|state| {
        for (user, vmid, deed) in [
            ("root@pam", vmid, Deed::Start),
            ("jarvis@pve", vmid, Deed::Start),
            ("jarvis@pve!other", vmid, Deed::Start),
            ("jarvis@pve!jarvis", vmid, Deed::Snapshot("clean".to_owned())),
            ("jarvis@pve!jarvis", 113, Deed::Start),
        ] {
            state.begin(now, user, vmid, deed, Fate::Endless).unwrap();
        }
    });
    assert_eq!(client.find_task(&change, sent, sent, &[]).await, Found::None);
    simulator.change(|state| {
        state.begin(now, "jarvis@pve!jarvis", vmid, Deed::Start, Fate::Endless).unwrap();
    });
    let found = client.find_task(&change, sent, sent, &[]).await;
    assert!(matches!(&found, Found::Task { end: TaskEnd::Running, .. }), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_turns_up_late_is_waited_for() {
    let simulator = simulator(66).await;
    let client = tireless(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    let change = change_of(&cleared(&client, "guest_start", &args(vmid)).await.unwrap());
    let begin = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let now = simulator.now_ms();
        simulator.change(|state| {
            state.begin(now, "jarvis@pve!jarvis", vmid, Deed::Start, Fate::Usual).unwrap();
        });
    };
    // A busy node may begin a task some time after the request.
    let (found, ()) = tokio::join!(client.find_task(&change, wall(), wall(), &[]), begin);
    assert!(matches!(found, Found::Task { .. }), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_begins_after_the_answer_was_given_up_is_waited_for() {
    let simulator = simulator(68).await;
    let client = tireless(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    let change = change_of(&cleared(&client, "guest_start", &args(vmid)).await.unwrap());
    // What was begun long ago, and its answer waited for until just now, may have been sent at the very end of that.
    let (since, lost) = (wall().plus(-3_600_000), wall());
    let begin = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let now = simulator.now_ms();
        simulator.change(|state| {
            state.begin(now, "jarvis@pve!jarvis", vmid, Deed::Start, Fate::Usual).unwrap();
        });
    };
    let (found, ()) = tokio::join!(client.find_task(&change, since, lost, &[]), begin);
    assert!(matches!(found, Found::Task { .. }), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_dead_keeps_its_secret_until_it_is_back() {
    let simulator = simulator(67).await;
    let client = hurried(&config(&simulator));
    let there = vm(&simulator, false);
    let cleared = cleared(&patient(&config(&simulator)), "guest_start", &args(there.vmid)).await.unwrap();
    let (change, sent) = (change_of(&cleared), wall());
    simulator.plan(there.vmid, Plan { mishap: Some(Mishap::AnswerLost), fate: Fate::NodeDies(Duration::ZERO) });
    let (outcome, _) = run(&client, cleared).await;
    assert!(matches!(outcome, Outcome::Unknown { upid: None, .. }), "{outcome:?}");
    let found = client.find_task(&change, sent, sent, &[]).await;
    assert!(matches!(found, Found::NodeUnknown { .. }), "{found:?}");
    let now = simulator.now_ms();
    simulator.change(|state| state.bring_back(&there.node, now));
    let client = patient(&config(&simulator));
    let found = client.find_task(&change, sent, sent, &[]).await;
    let Found::Task { upid, end: TaskEnd::Unknown(_) } = found else { panic!("{found:?}") };
    let outcome = client.follow(&change, upid, sent).await;
    assert!(matches!(outcome, Outcome::Unknown { upid: Some(_), .. }), "{outcome:?}");
}
