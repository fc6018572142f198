//! Everything that can go wrong with a change, and what is said of it.

use std::time::Duration;

use jarvis_tests::pve::{Fate, Fault, Mishap, Plan, Rights, Simulator};
use jarvisd::cluster::{ClusterClient, ClusterConfig, Outcome};

use crate::house::*;

const FOREVER: Duration = Duration::from_secs(3600);

/// What a start of a stopped VM comes to when that happens, for a client of this kind.
async fn start(simulator: &Simulator, plan: impl Into<Plan>, client: fn(&ClusterConfig) -> ClusterClient) -> Outcome {
    let config = config(simulator);
    let client = client(&config);
    let vmid = vm(simulator, false).vmid;
    simulator.plan(vmid, plan);
    let cleared = cleared(&patient(&config), "guest_start", &args(vmid)).await.unwrap();
    run(&client, cleared).await.0
}

fn failed(outcome: &Outcome) -> (bool, &str) {
    match outcome {
        Outcome::Failed { upid, reason, .. } => (upid.is_some(), reason),
        other => panic!("{other:?}"),
    }
}

fn unknown(outcome: &Outcome) -> (bool, &str) {
    match outcome {
        Outcome::Unknown { upid, why } => (upid.is_some(), why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_well_is_done_even_with_warnings_or_late() {
    let simulator = simulator(41).await;
    let outcome = start(&simulator, Fate::Warnings(2), patient).await;
    assert!(matches!(outcome, Outcome::Done { warnings: Some(2), .. }), "{outcome:?}");
    let outcome = start(&simulator, Fate::Late(Duration::from_millis(400)), patient).await;
    assert!(matches!(outcome, Outcome::Done { warnings: None, .. }), "{outcome:?}");
    let outcome = start(&simulator, Mishap::AnswerSlow(Duration::from_millis(400)), patient).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_badly_says_why_and_what_its_log_says() {
    let simulator = simulator(42).await;
    let outcome = start(&simulator, Fate::Fails("start failed: QEMU exited with code 1".to_owned()), patient).await;
    let Outcome::Failed { upid: Some(_), reason, log } = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("start failed: QEMU exited with code 1"), "{reason}");
    assert_eq!(log.last().unwrap(), "TASK ERROR: start failed: QEMU exited with code 1");
    let many = "x".repeat(9000);
    let outcome = start(&simulator, Fate::Fails(many), patient).await;
    let Outcome::Failed { reason, log, .. } = &outcome else { panic!("{outcome:?}") };
    assert!(reason.len() <= 400 && log.iter().all(|line| line.len() <= 400));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_saw_is_unknown() {
    let simulator = simulator(43).await;
    for done in [false, true] {
        let outcome = start(&simulator, Fate::Unexpected { done }, patient).await;
        let (known, why) = unknown(&outcome);
        assert!(known && why.contains("unexpected status"), "{why}");
    }
    let lies = start(&simulator, Fate::Lies, unseeing).await;
    let endless = start(&simulator, Fate::Endless, resigned).await;
    assert!(unknown(&lies).1.contains("it is stopped"), "{lies:?}");
    assert!(unknown(&endless).1.contains("still runs"), "{endless:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_its_node_has_lost_is_not_waited_for() {
    let simulator = simulator(52).await;
    let client = patient(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    simulator.plan(vmid, Fate::Endless);
    let cleared = cleared(&client, "guest_start", &args(vmid)).await.unwrap();
    let outcome = client
        .change(cleared, &always, async |upid| {
            simulator.change(|state| state.tasks.retain(|task| task.upid != upid.as_str()));
        })
        .await;
    let (known, why) = unknown(&outcome);
    assert!(known && why.contains("does not know the task"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_nobody_could_prove_is_not_begun() {
    let simulator = simulator(53).await;
    let client = patient(&config(&simulator));
    let there = vm(&simulator, true);
    let cleared = cleared(&client, "guest_reboot", &args(there.vmid)).await.unwrap();
    // Gone, so that how long the guest has been up cannot be read.
    simulator.misbehave(&there.node, Fault::Dead).unwrap();
    let (outcome, upid) = run(&client, cleared).await;
    let (task, why) = failed(&outcome);
    assert!(!task && upid.is_none() && why.contains("nothing was begun"), "{why}");
    assert_eq!(begun(&simulator.state(), there.vmid), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_not_whole_is_not_there() {
    let simulator = simulator(44).await;
    let vmid = vm(&simulator, true).vmid;
    let cleared =
        cleared(&patient(&config(&simulator)), "snapshot_create", &snapshot_args(vmid, "half")).await.unwrap();
    // Its worker says OK, and what it left is a beginning.
    let outcome = unseeing(&config(&simulator))
        .change(cleared, &always, async |_| {
            simulator.change(|state| {
                state.guest_mut(vmid).unwrap().half = Some(("half".to_owned(), "prepare".to_owned()));
                state.let_go(vmid, simulator.now_ms());
                state.tasks[0].ended = Some((1_795_000_000, "OK".to_owned()));
            });
        })
        .await;
    assert!(unknown(&outcome).1.contains("the snapshot half is not whole (prepare)"), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_in_the_middle_of_a_task_leaves_it_unknown() {
    let simulator = simulator(45).await;
    let outcome = start(&simulator, Fate::NodeDies(Duration::from_millis(30)), resigned).await;
    let (known, why) = unknown(&outcome);
    assert!(known && why.contains("stopped answering"), "{why}");
    assert!(!guest(&simulator, 112).running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_away_for_a_while_is_waited_for() {
    let simulator = simulator(46).await;
    let client = patient(&config(&simulator));
    let there = vm(&simulator, false);
    let cleared = cleared(&client, "guest_start", &args(there.vmid)).await.unwrap();
    let (away, gone) = tokio::sync::oneshot::channel();
    let change = client.change(cleared, &always, async |_| {
        simulator.misbehave(&there.node, Fault::Dead).unwrap();
        away.send(()).unwrap();
    });
    let come_back = async {
        gone.await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
        simulator.misbehave(&there.node, Fault::None).unwrap();
    };
    let (outcome, ()) = tokio::join!(change, come_back);
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_anything_ran_names_the_remedy() {
    let simulator = simulator(47).await;
    for (status, text, remedy) in [
        (500, "VM is locked (backup)\n", "qm unlock 112"),
        (500, "cluster not ready - no quorum?\n", "majority"),
        (400, "Parameter verification failed.\n", "newer"),
        (595, "No route to host", "whether it is up"),
    ] {
        let outcome = start(&simulator, Mishap::Refused(status, text.to_owned()), patient).await;
        let (begun, reason) = failed(&outcome);
        assert!(!begun && reason.contains(remedy), "{status} {text}: {reason}");
    }
    assert_eq!(begun(&simulator.state(), 112), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_comes_as_a_refusal_or_as_a_tasks_end() {
    let simulator = simulator(48).await;
    let client = patient(&config(&simulator));
    for (guest, begun, tool) in [(vm(&simulator, false), true, "qm"), (container(&simulator, false), false, "pct")] {
        let cleared = cleared(&client, "guest_start", &args(guest.vmid)).await.unwrap();
        // Somebody begins a backup between the judgement and the request.
        simulator.change(|state| state.guest_mut(guest.vmid).unwrap().lock = Some("backup".to_owned()));
        let (outcome, _) = run(&client, cleared).await;
        let (task, reason) = failed(&outcome);
        assert_eq!(task, begun, "{outcome:?}");
        assert!(reason.contains("is locked (backup)") && reason.contains(&format!("{tool} unlock")), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_does_not_listen_is_not_shut_down() {
    let simulator = simulator(49).await;
    let client = patient(&config(&simulator));
    for guest in [vm(&simulator, true), container(&simulator, true)] {
        simulator.change(|state| state.guest_mut(guest.vmid).unwrap().deaf = true);
        for tool in ["guest_shutdown", "guest_reboot"] {
            let (outcome, _) = carried_out(&client, tool, &args(guest.vmid)).await;
            let (begun, reason) = failed(&outcome);
            assert!(begun && reason.contains("guest agent"), "{tool}: {reason}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_is_gone_or_a_cluster_without_quorum_refuses() {
    let simulator = simulator(50).await;
    let client = patient(&config(&simulator));
    let there = vm(&simulator, false);
    let gone = cleared(&client, "guest_start", &args(there.vmid)).await.unwrap();
    simulator.change(|state| state.guests.retain(|guest| guest.vmid != there.vmid));
    assert!(failed(&run(&client, gone).await.0).1.contains("removed or moved"));
    let other = container(&simulator, false);
    let minority = cleared(&client, "guest_start", &args(other.vmid)).await.unwrap();
    simulator.change(|state| {
        let others = state.nodes.iter_mut().filter(|node| node.name != other.node);
        others.take(2).for_each(|node| node.alive = false);
    });
    assert!(failed(&run(&client, minority).await.0).1.contains("majority"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_privilege_that_is_missing_is_named() {
    let simulator = simulator(51).await;
    let config = config(&simulator);
    let running = vm(&simulator, true);
    simulator.change(|state| {
        let guest = state.guest_mut(running.vmid).unwrap();
        guest.snapshots = vec![("clean".to_owned(), 1_795_000_000)];
    });
    let named = snapshot_args(running.vmid, "clean");
    let cases = [
        ("guest_shutdown", args(running.vmid), Rights::all().without("VM.PowerMgmt"), "lacks VM.PowerMgmt on /vms/112"),
        ("snapshot_delete", named.clone(), Rights::all().without("VM.Snapshot"), "lacks VM.Snapshot on /vms/112"),
        (
            "snapshot_rollback",
            named,
            Rights::all().without("VM.Snapshot").without("VM.Snapshot.Rollback"),
            "lacks VM.Snapshot or VM.Snapshot.Rollback on /vms/112",
        ),
    ];
    for (n, (tool, args, rights, wanted)) in cases.into_iter().enumerate() {
        let token = simulator.token_with(&format!("few{}", "x".repeat(n)), rights);
        std::fs::write(simulator.token_file(), format!("{token}\n")).unwrap();
        let outcome = carried_out(&patient(&config), tool, &args).await.0;
        let (begun, reason) = failed(&outcome);
        assert!(!begun && reason.contains(wanted) && reason.contains("docs/cluster.md"), "{reason}");
    }
    let lacking = patient(&config).lacking().await.unwrap();
    let names: Vec<_> = lacking.iter().map(|lacking| lacking.privilege).collect();
    assert_eq!(names, ["VM.Snapshot", "VM.Snapshot.Rollback"], "the doctor says the same");
    std::fs::write(simulator.token_file(), format!("{}\n", simulator.token())).unwrap();
    assert_eq!(patient(&config).lacking().await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_removed_is_a_refusal() {
    let simulator = simulator(52).await;
    let config = config(&simulator);
    let vmid = vm(&simulator, false).vmid;
    let cleared = cleared(&patient(&config), "guest_start", &args(vmid)).await.unwrap();
    std::fs::write(simulator.token_file(), "jarvis@pve!jarvis=wrong\n").unwrap();
    let (outcome, _) = run(&patient(&config), cleared).await;
    assert!(failed(&outcome).1.contains("token file"), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_is_tried_only_where_nothing_was_sent() {
    let mut simulator = simulator(53).await;
    let client = patient(&config(&simulator));
    let there = vm(&simulator, false);
    let silent = cleared(&client, "guest_start", &args(there.vmid)).await.unwrap();
    // Nobody listens there any more, and another node answers for it that it cannot be reached.
    simulator.silence(&there.node).await.unwrap();
    let (outcome, _) = run(&client, silent).await;
    assert!(failed(&outcome).1.contains("cannot be reached by the other nodes"), "{outcome:?}");
    simulator.revive(&there.node).await.unwrap();

    // A node that is not configured is reached by another.
    let mut few = config(&simulator);
    few.nodes.retain(|node| node.name != there.node);
    let (outcome, _) = carried_out(&patient(&few), "guest_start", &args(there.vmid)).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");

    let stop = cleared(&client, "guest_shutdown", &args(there.vmid)).await.unwrap();
    for node in ["pve1", "pve2", "pve3", "pve4"] {
        simulator.silence(node).await.unwrap();
    }
    let (outcome, _) = run(&client, stop).await;
    assert!(failed(&outcome).1.starts_with("nothing was begun"), "{outcome:?}");
    assert_eq!(begun(&simulator.state(), there.vmid), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_names_no_task_is_a_lost_one() {
    let simulator = simulator(54).await;
    let odd = [
        Mishap::AnswerLost,
        Mishap::RequestLost,
        Mishap::AnswerSlow(FOREVER),
        Mishap::Answers(596, String::new()),
        Mishap::Answers(599, String::new()),
        Mishap::Answers(503, "<html>".to_owned()),
        Mishap::Answers(200, r#"{"data":null}"#.to_owned()),
        Mishap::Answers(200, "{\"data\": \"UPID".to_owned()),
        Mishap::Answers(200, r#"{"data":"UPID:pve1:00:00:00:qmstart:113:jarvis@pve!jarvis:"}"#.to_owned()),
        Mishap::Answers(302, String::new()),
    ];
    for (n, mishap) in odd.into_iter().enumerate() {
        // Nothing of the round before is still under way.
        let now = simulator.now_ms();
        simulator.change(|state| state.let_go(112, now));
        let before = begun(&simulator.state(), 112);
        let client = if matches!(mishap, Mishap::AnswerSlow(_)) { hurried } else { patient };
        let once = usize::from(mishap != Mishap::RequestLost);
        let outcome = start(&simulator, mishap.clone(), client).await;
        let (known, why) = unknown(&outcome);
        assert!(!known && why.contains("not known"), "{n} {mishap:?}: {why}");
        assert_eq!(begun(&simulator.state(), 112), before + once, "{mishap:?}: never sent twice");
    }
}
