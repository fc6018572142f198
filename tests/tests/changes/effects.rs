//! Each tool's effect, done and read back.

use jarvis_core::cluster::GuestState;
use jarvis_core::gate::Gate;
use jarvis_core::ids::Vmid;
use jarvis_core::tool::Read;
use jarvis_core::tools::parse;
use jarvisd::cluster::Outcome;

use crate::house::*;

fn done(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Done { upid, warnings: None, .. } => upid.as_str(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tool_does_what_it_says_and_sees_that_it_did() {
    let simulator = simulator(31).await;
    let client = patient(&config(&simulator));
    for (vmid, prefix) in [(vm(&simulator, false).vmid, "qm"), (container(&simulator, false).vmid, "vz")] {
        simulator.change(|state| {
            let guest = state.guest_mut(vmid).unwrap();
            guest.snapshots.clear();
            guest.lineage.clear();
        });
        let mut expected = Vec::new();
        for (tool, args, kind) in [
            ("guest_start", args(vmid), "start"),
            ("guest_reboot", args(vmid), "reboot"),
            ("snapshot_create", snapshot_args(vmid, "first"), "snapshot"),
            ("snapshot_create", snapshot_args(vmid, "second"), "snapshot"),
            ("guest_shutdown", args(vmid), "shutdown"),
            ("snapshot_rollback", snapshot_args(vmid, "first"), "rollback"),
            ("snapshot_delete", snapshot_args(vmid, "second"), "delsnapshot"),
            ("guest_start", args(vmid), "start"),
            ("guest_stop", args(vmid), "stop"),
        ] {
            let (outcome, told) = carried_out(&client, tool, &args).await;
            let upid = done(&outcome);
            assert_eq!(told.unwrap().as_str(), upid, "{tool}");
            assert!(upid.contains(&format!(":{prefix}{kind}:{vmid}:jarvis@pve!jarvis:")), "{tool}: {upid}");
            let state = simulator.state();
            let task = state.tasks.iter().find(|task| task.upid == upid).unwrap();
            assert_eq!(task.ended.as_ref().unwrap().1, "OK");
            expected.push(upid.to_owned());
        }
        let state = simulator.state();
        let happened: Vec<_> = state.works.history.iter().filter(|h| h.vmid == vmid).map(|h| h.upid.clone()).collect();
        assert_eq!(happened, expected, "each was really done, once, in its order");
        let guest = state.guest(vmid).unwrap();
        let names: Vec<_> = guest.snapshots.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((guest.running, names), (false, vec!["first"]));
        assert_eq!(guest.lineage["current"], "first");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_told_before_it_is_followed() {
    let simulator = simulator(32).await;
    let client = patient(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    let cleared = cleared(&client, "guest_start", &args(vmid)).await.unwrap();
    // The task cannot end while it is being told of, so nothing can have been followed to its end yet.
    simulator.change(|state| state.works.pace = std::time::Duration::from_secs(3600));
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let change = client.change(cleared, &always, async move |upid| told.send(upid).await.unwrap());
    tokio::select! {
        outcome = change => panic!("{outcome:?}"),
        upid = heard.recv() => {
            let state = simulator.state();
            let task = state.tasks.iter().find(|task| task.upid == upid.as_ref().unwrap().as_str()).unwrap();
            assert_eq!(task.ended, None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_high_availability_was_asked_for_is_done_when_it_is_seen() {
    let simulator = simulator(33).await;
    let client = patient(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    simulator.change(|state| state.ha.push((vmid, false)));
    let (outcome, _) = carried_out(&client, "guest_start", &args(vmid)).await;
    assert!(done(&outcome).contains(":hastart:"), "{outcome:?}");
    assert!(guest(&simulator, vmid).running);
    let (outcome, _) = carried_out(&client, "guest_shutdown", &args(vmid)).await;
    assert!(done(&outcome).contains(":hastop:"), "{outcome:?}");
    assert!(!guest(&simulator, vmid).running);

    simulator.plan(vmid, jarvis_tests::pve::Fate::Lies);
    let (outcome, _) = carried_out(&unseeing_of_a_manager(&config(&simulator)), "guest_start", &args(vmid)).await;
    let Outcome::Unknown { upid: Some(_), why } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("it is stopped"), "OK of the manager is not yet a running guest: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_was_started_elsewhere_is_found() {
    let simulator = simulator(34).await;
    let client = patient(&config(&simulator));
    let there = vm(&simulator, false);
    let elsewhere = ["pve1", "pve2", "pve3"].into_iter().find(|node| *node != there.node).unwrap();
    simulator.change(|state| state.ha.push((there.vmid, false)));
    let cleared = cleared(&client, "guest_start", &args(there.vmid)).await.unwrap();
    let outcome = client
        .change(cleared, &always, async |_| {
            simulator.change(|state| state.guest_mut(there.vmid).unwrap().node = elsewhere.to_owned());
        })
        .await;
    done(&outcome);
    assert!(guest(&simulator, there.vmid).running);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_change_makes_what_was_read_stale() {
    let simulator = simulator(35).await;
    let client = patient(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    let look = async || {
        let (facts, _) = client.run(vec![Gate::new().clear(Read::Cluster).unwrap()]).await;
        let guest = facts.cluster.unwrap().guests.into_iter().find(|guest| guest.vmid == Vmid(vmid)).unwrap();
        guest.state
    };
    assert_eq!(look().await, GuestState::Stopped);
    let (outcome, _) = carried_out(&client, "guest_start", &args(vmid)).await;
    done(&outcome);
    assert_eq!(look().await, GuestState::Running, "not what was read some milliseconds before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_judged_is_read_past_everything_kept() {
    let simulator = simulator(36).await;
    let client = patient(&config(&simulator));
    let vmid = vm(&simulator, false).vmid;
    let call = parse("guest_start", &args(vmid)).unwrap();
    let read = async || client.run(vec![Gate::new().clear(Read::GuestConfig { vmid: Vmid(vmid) }).unwrap()]).await.0;
    let before = read().await.guest_config.unwrap();
    assert_eq!(client.facts_for(&call).await.guest_config.as_ref(), Some(&before));
    simulator.change(|state| state.guest_mut(vmid).unwrap().protection = true);
    let fresh = client.facts_for(&call).await;
    let now = fresh.guest_config.unwrap();
    assert_eq!((before.protection, now.protection), (Some(false), Some(true)));
    assert_ne!(before.digest, now.digest, "a changed configuration has another digest");
    assert_eq!(read().await.guest_config, Some(before), "what others are told stays kept for its seconds");
    assert!(fresh.cluster.is_some() && fresh.ha.is_some(), "{:?}", fresh.gaps);
}
