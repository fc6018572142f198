//! Questions, approvals, the kill switch and the audit log on real parts: a real store, the real client, a simulated cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use jarvis_core::approval::Approver;
use jarvis_core::gate::{Asker, Origin, Refusal, Voice};
use jarvis_core::ids::ApprovalId;
use jarvis_core::tools::parse;
use jarvis_tests::crash::{Bed, GUEST, ROOM, asker, kills, question, safety_config};
use jarvis_tests::pve::{Fate, Mishap};
use jarvisd::safety::{LeaveConfig, Proposed, SafetyConfig};

const LONG: Duration = Duration::from_secs(120);

fn args() -> String {
    format!(r#"{{"vmid":{GUEST}}}"#)
}

fn voice() -> Approver {
    Approver::Voice { room: ROOM.to_owned() }
}

/// The words that are spoken with a question: the last two of it.
fn words(spoken: &str) -> String {
    let all: Vec<&str> = spoken.split_whitespace().collect();
    all[all.len() - 2..].join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_yes_runs_what_was_asked_and_undo_takes_it_back() {
    let bed = Bed::new(1).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let asked = daemon.ask("guest_start", &args()).await.unwrap();
    assert!(asked.by_voice && !asked.needs_words, "{asked:?}");
    assert!(asked.question.contains("start") && asked.question.contains("112") && asked.question.contains("pve"));
    daemon.safety.approve(ApprovalId(asked.id), voice()).await.unwrap();
    let settled = daemon.safety.wait(ApprovalId(asked.id), LONG).await.unwrap().unwrap();
    assert_eq!((settled.stage.name(), bed.running(), bed.deeds()), ("done", true, 1));
    let again = daemon.safety.approve(ApprovalId(asked.id), voice()).await.unwrap_err().to_string();
    assert!(again.contains("not open"), "{again}");

    let (done, call) = daemon.safety.undo(Some(ROOM)).await.unwrap().unwrap();
    assert_eq!((done.0, call.as_ref().unwrap().name()), (asked.id, "guest_shutdown"));
    let call = call.unwrap().json();
    let refused = daemon.ask("guest_shutdown", &call).await.unwrap();
    daemon.safety.undo_by(done, ApprovalId(refused.id)).await.unwrap();
    let offered = daemon.safety.undo(Some(ROOM)).await.unwrap().unwrap().0;
    assert_eq!(offered, done, "asked for, and not yet answered");
    assert!(daemon.safety.refuse(ApprovalId(refused.id), "voice in study").await.unwrap());
    let offered = daemon.safety.undo(Some(ROOM)).await.unwrap().unwrap().0;
    assert_eq!(
        (offered, daemon.find(done).await.unwrap().undone),
        (done, false),
        "an undo that was refused took nothing back"
    );
    let back = daemon.ask("guest_shutdown", &call).await.unwrap();
    daemon.safety.undo_by(done, ApprovalId(back.id)).await.unwrap();
    daemon.safety.approve(ApprovalId(back.id), voice()).await.unwrap();
    assert!(daemon.safety.undo(Some(ROOM)).await.unwrap().is_none(), "it is being taken back");
    daemon.safety.wait(ApprovalId(back.id), LONG).await.unwrap().unwrap();
    assert!(!bed.running() && daemon.find(done).await.unwrap().undone);
    let next = daemon.safety.undo(Some(ROOM)).await.unwrap().unwrap();
    assert_eq!(next.0.0, back.id, "what was taken back is not taken back again");

    let kinds: Vec<String> = daemon.safety.journal().tail(50).await.unwrap().into_iter().map(|e| e.kind).collect();
    for kind in ["asked", "approved", "started", "sent", "verified"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind} is not in {kinds:?}");
    }
    assert_eq!(daemon.safety.journal().verify().await.unwrap(), Ok(kinds.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn red_takes_its_words_at_a_second_channel_and_three_wrong_tries_end_it() {
    let bed = Bed::new(2).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = true);
    let spoken = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let heard = spoken.clone();
    let ask = |call| {
        let heard = heard.clone();
        daemon.safety.propose(call, Origin::Owner, asker(), None, move |ask, words| {
            let text = question(ask, words);
            heard.lock().unwrap().clone_from(&text);
            text
        })
    };
    let Proposed::Asked(first) = ask(parse("guest_stop", &args()).unwrap()).await.unwrap() else { panic!() };
    let shown = daemon.find(first.id).await.unwrap();
    assert!(
        shown.needs_words && !shown.question.contains(&words(&spoken.lock().unwrap())),
        "shown: {}",
        shown.question
    );
    let error = daemon.safety.approve(first.id, voice()).await.unwrap_err().to_string();
    assert!(error.contains("voice is not enough"), "{error}");
    for left in [2, 1, 0] {
        let error = daemon.approve(&shown, Some("wrong words")).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{left} tries")), "{error}");
    }
    let right = words(&spoken.lock().unwrap());
    assert!(daemon.approve(&shown, Some(&right)).await.is_err(), "too many wrong tries end it");
    assert_eq!((daemon.find(first.id).await.unwrap().stage.as_str(), bed.deeds()), ("denied", 0));

    let Proposed::Asked(second) = ask(parse("guest_stop", &args()).unwrap()).await.unwrap() else { panic!() };
    let shown = daemon.find(second.id).await.unwrap();
    let right = words(&spoken.lock().unwrap());
    daemon.approve(&shown, Some(&right.to_uppercase())).await.unwrap();
    let settled = daemon.safety.wait(second.id, LONG).await.unwrap().unwrap();
    assert_eq!((settled.stage.name(), bed.running(), bed.deeds()), ("done", false, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_mind_within_a_second_cancels() {
    let bed = Bed::new(3).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let asked = daemon.ask("guest_start", &args()).await.unwrap();
    let open = daemon.safety.open_in(Some(ROOM)).await.unwrap().unwrap();
    assert_eq!(open.row.id.0, asked.id);
    daemon.safety.approve(ApprovalId(asked.id), voice()).await.unwrap();
    assert!(daemon.safety.refuse(ApprovalId(asked.id), "voice in study").await.unwrap());
    let settled = daemon.safety.wait(ApprovalId(asked.id), LONG).await.unwrap().unwrap();
    assert_eq!(settled.stage.name(), "cancelled");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!((bed.deeds(), bed.running()), (0, false), "also after the time in which it would have begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_stops_what_was_approved_and_survives_a_restart() {
    let bed = Bed::new(4).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let asked = daemon.ask("guest_start", &args()).await.unwrap();
    daemon.safety.approve(ApprovalId(asked.id), voice()).await.unwrap();
    daemon.safety.stop("voice in study").await.unwrap();
    daemon.safety.wait(ApprovalId(asked.id), LONG).await.unwrap().unwrap();
    drop(daemon);
    let daemon = bed.start().await.unwrap();
    let propose =
        || daemon.safety.propose(parse("guest_start", &args()).unwrap(), Origin::Owner, asker(), None, question);
    assert!(matches!(propose().await.unwrap(), Proposed::Refused(Refusal::Stopped)));
    let read = daemon.safety.propose(parse("read_tasks", "{}").unwrap(), Origin::Owner, asker(), None, question).await;
    assert!(matches!(read.unwrap(), Proposed::Cleared(_)), "reads go on");
    daemon.safety.resume("jarvisctl").await.unwrap();
    assert!(matches!(propose().await.unwrap(), Proposed::Asked(_)));
    std::fs::write(bed.dir.path().join("power"), "onn").unwrap();
    assert!(matches!(propose().await.unwrap(), Proposed::Refused(Refusal::Stopped)), "a damaged state stops");
    assert_eq!(bed.deeds(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_log_is_found_and_a_forgotten_content_is_not() {
    let bed = Bed::new(5).await.unwrap();
    let daemon = bed.start().await.unwrap();
    for _ in 0..5 {
        daemon.ask("guest_reboot", r#"{"vmid":101}"#).await.unwrap();
    }
    let journal = daemon.safety.journal().clone();
    assert_eq!(journal.verify().await.unwrap(), Ok(5));
    let edit = |sql: &'static str| {
        let path = bed.dir.path().join("jarvis.db");
        rusqlite::Connection::open(path).unwrap().execute(sql, []).unwrap()
    };
    edit("delete from audit_contents where seq = 2");
    assert_eq!(journal.verify().await.unwrap(), Ok(5), "forgotten");
    edit("update audit set kind = 'approved' where seq = 3");
    assert!(journal.verify().await.unwrap().is_err(), "changed");
    edit("update audit set kind = 'asked' where seq = 3");
    assert_eq!(journal.verify().await.unwrap(), Ok(5));
    edit("update audit_contents set content = '{}' where seq = 4");
    assert!(journal.verify().await.unwrap().is_err(), "a content that was changed");
    edit("delete from audit_contents where seq = 4");
    edit("delete from audit_contents where seq = 5");
    edit("delete from audit where seq = 5");
    assert!(journal.verify().await.unwrap().is_err(), "cut at its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_said_as_unknown_and_found_out() {
    let bed = Bed::new(6).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    bed.simulator.plan(GUEST, Fate::Fails("start failed: QEMU exited with code 1".into()));
    let asked = daemon.ask("guest_start", &args()).await.unwrap();
    daemon.safety.approve(ApprovalId(asked.id), voice()).await.unwrap();
    let settled = daemon.safety.wait(ApprovalId(asked.id), LONG).await.unwrap().unwrap();
    assert_eq!(settled.stage.name(), "failed");
    assert!(settled.outcome.contains("QEMU exited"), "{}", settled.outcome);

    bed.simulator.plan(GUEST, Mishap::AnswerLost);
    let asked = daemon.ask("guest_start", &args()).await.unwrap();
    daemon.safety.approve(ApprovalId(asked.id), voice()).await.unwrap();
    let settled = daemon.safety.wait(ApprovalId(asked.id), LONG).await.unwrap().unwrap();
    assert_eq!(settled.stage.name(), "unknown", "the answer was lost: {}", settled.outcome);
    drop(daemon);
    let daemon = bed.start().await.unwrap();
    let begun = std::time::Instant::now();
    loop {
        let stage = daemon.find(ApprovalId(asked.id)).await.unwrap().stage;
        if stage == "done" {
            break;
        }
        assert!(stage == "unknown" && begun.elapsed() < LONG, "{stage}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((bed.deeds(), bed.running()), (1, true), "once, and found again");
}

#[tokio::test(flavor = "multi_thread")]
async fn standing_leave_runs_unasked_within_its_limit() {
    let bed = Bed::new(7).await.unwrap();
    let leave = LeaveConfig { tool: "guest_start".into(), guests: vec![GUEST], rooms: vec![ROOM.into()], per_hour: 1 };
    let config = SafetyConfig { leave: vec![leave], ..safety_config() };
    let daemon = bed.start_with(&config).await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let propose =
        |origin, asker| daemon.safety.propose(parse("guest_start", &args()).unwrap(), origin, asker, None, question);
    let elsewhere = Asker { room: Some("kitchen".into()), voice: Voice::Tried };
    assert!(matches!(propose(Origin::Owner, elsewhere).await.unwrap(), Proposed::Asked(_)), "not from there");
    let tainted = Origin::Model { tainted: true };
    assert!(matches!(propose(tainted, asker()).await.unwrap(), Proposed::Asked(_)), "not for a tainted model");
    let Proposed::Runs(id) = propose(Origin::Owner, asker()).await.unwrap() else { panic!("there is leave") };
    let settled = daemon.safety.wait(id, LONG).await.unwrap().unwrap();
    assert_eq!((settled.stage.name(), bed.running(), bed.deeds()), ("done", true, 1));
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    assert!(matches!(propose(Origin::Owner, asker()).await.unwrap(), Proposed::Asked(_)), "once an hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_nothing_runs_twice() {
    let found = kills(40, 8).await.unwrap();
    assert_eq!((found.kills, found.double, found.wrong), (40, 0, 0), "{found:?}");
    assert!(found.at_steps >= 10 && found.at_steps <= 30, "of both kinds: {found:?}");
    for stage in ["approved", "started", "done"] {
        assert!(found.stages.contains_key(stage), "never killed while it was {stage}: {found:?}");
    }
}
