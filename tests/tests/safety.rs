//! Questions, approvals, the kill switch and the audit log on real parts: a real store, the real client, a simulated cluster.
//!
//! Length: one short test after another on one bed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use jarvis_core::approval::Approver;
use jarvis_core::gate::{Asker, Origin, Refusal, Voice};
use jarvis_core::ids::{ApprovalId, TurnId};
use jarvis_core::tools::parse;
use jarvis_tests::crash::{Bed, Daemon, GUEST, ROOM, asker, kills, question, safety_config};
use jarvis_tests::pve::{Fate, Mishap, Plan};
use jarvisd::event::{EventKind, Told};
use jarvisd::safety::{ACCEPT, Hold, KillSwitch, LeaveConfig, Proposed, SafetyConfig};

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

/// A spoken yes, after which somebody speaks again within its second: again and again from before it is committed, since on a busy machine
/// that alone may take the second.
async fn approved_and_held(daemon: &Daemon, id: ApprovalId) -> Vec<Hold> {
    let mut holds = Vec::new();
    let mut approved = std::pin::pin!(daemon.safety.approve(id, voice()));
    loop {
        match tokio::time::timeout(Duration::from_millis(100), &mut approved).await {
            Ok(done) => break done.unwrap(),
            Err(_not_yet) => holds.push(daemon.safety.hold(ROOM)),
        };
    }
    // A turn of the very millisecond of the yes is taken for its own.
    tokio::time::sleep(Duration::from_millis(2)).await;
    holds.push(daemon.safety.hold(ROOM));
    holds
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
    // Held, so that it is not over before it was looked at.
    let hold = approved_and_held(&daemon, ApprovalId(back.id)).await;
    assert!(daemon.safety.undo(Some(ROOM)).await.unwrap().is_none(), "it is being taken back");
    drop(hold);
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
    for left in ["2 tries are left", "1 try is left", "no try is left"] {
        let error = daemon.approve(&shown, Some("wrong words")).await.unwrap_err().to_string();
        assert!(error.contains(left), "{error}");
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
async fn somebody_who_speaks_again_within_that_second_holds_it_until_his_turn_is_over() {
    let bed = Bed::new(33).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    // Said yes, spoken again within the second, and still speaking when the second is long over.
    let held = async || {
        let asked = daemon.ask("guest_start", &args()).await.unwrap();
        let hold = approved_and_held(&daemon, ApprovalId(asked.id)).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let stage = daemon.find(ApprovalId(asked.id)).await.unwrap().stage;
        assert_eq!((stage.as_str(), bed.deeds()), ("approved", 0));
        (ApprovalId(asked.id), hold)
    };
    let (id, hold) = held().await;
    assert!(daemon.safety.refuse(id, "voice in study").await.unwrap());
    drop(hold);
    let settled = daemon.safety.wait(id, LONG).await.unwrap().unwrap();
    assert_eq!((settled.stage.name(), bed.deeds()), ("cancelled", 0));
    let (id, hold) = held().await;
    drop(hold);
    let settled = daemon.safety.wait(id, LONG).await.unwrap().unwrap();
    assert_eq!((settled.stage.name(), bed.deeds()), ("done", 1), "nothing was taken back, so it is done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_takes_no_question_that_was_asked_before_the_last_one() {
    let bed = Bed::new(9).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let first = daemon.ask("guest_start", &args()).await.unwrap();
    let second = daemon.ask("guest_reboot", r#"{"vmid":101}"#).await.unwrap();
    let last = daemon.safety.asked_last_in(Some(ROOM)).await.unwrap().unwrap();
    assert_eq!(last.row.id.0, second.id);
    assert!(daemon.safety.refuse(ApprovalId(second.id), "voice in study").await.unwrap());
    let last = daemon.safety.asked_last_in(Some(ROOM)).await.unwrap().unwrap();
    assert_eq!((last.row.id.0, last.row.stage.name()), (second.id, "denied"), "a yes means this, and it is over");
    assert_eq!(daemon.find(ApprovalId(first.id)).await.unwrap().stage, "cancelled");
    let error = daemon.safety.approve(ApprovalId(first.id), voice()).await.unwrap_err().to_string();
    assert!(error.contains("not open"), "{error}");

    // Asked in a turn that never came to the question's end.
    let turn = TurnId(u64::MAX);
    let call = parse("guest_start", &args()).unwrap();
    let propose = daemon.safety.propose(call, Origin::Owner, asker(), Some(turn), question);
    let Proposed::Asked(unheard) = propose.await.unwrap() else { panic!() };
    let error = daemon.safety.approve(unheard.id, voice()).await.unwrap_err().to_string();
    assert!(error.contains("not heard to its end"), "{error}");
    daemon.safety.turn_over(turn, None).await.unwrap();
    assert_eq!(daemon.find(unheard.id).await.unwrap().stage, "cancelled");
    assert_eq!(bed.deeds(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_words_are_in_no_audit_entry() {
    let bed = Bed::new(10).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = true);
    let asked = daemon.ask("guest_stop", &args()).await.unwrap();
    let row = daemon.safety.row(ApprovalId(asked.id)).await.unwrap().unwrap().row;
    let words = row.bound.challenge.unwrap();
    let path = bed.dir.path().join("jarvis.db");
    let db = rusqlite::Connection::open(path).unwrap();
    let stored: i64 = db
        .query_row("select count(*) from audit_contents where instr(content, ?1) > 0", [&words], |row| row.get(0))
        .unwrap();
    assert_eq!(stored, 0);
    // An entry as older releases wrote them: shown without its words.
    db.execute("update audit_contents set content = replace(content, '...', ?1)", [&words]).unwrap();
    let shown = serde_json::to_string(&daemon.safety.journal().tail(50).await.unwrap()).unwrap();
    assert!(!shown.contains(&words) && shown.contains("..."), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_open_is_void_after_a_restart() {
    let bed = Bed::new(11).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let asked = daemon.ask("guest_start", &args()).await.unwrap();
    drop(daemon);
    let daemon = bed.start().await.unwrap();
    assert_eq!(daemon.find(ApprovalId(asked.id)).await.unwrap().stage, "cancelled");
    assert!(daemon.approve(&asked, None).await.is_err() && bed.deeds() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_mind_within_a_second_cancels() {
    let bed = Bed::new(3).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let asked = daemon.ask("guest_start", &args()).await.unwrap();
    let open = daemon.safety.open_in(Some(ROOM)).await.unwrap().unwrap();
    assert_eq!(open.row.id.0, asked.id);
    // As if he began to speak within that second: on a busy machine it may be over by now.
    let hold = approved_and_held(&daemon, ApprovalId(asked.id)).await;
    assert!(daemon.safety.refuse(ApprovalId(asked.id), "voice in study").await.unwrap());
    drop(hold);
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
    // Held, so that it is not begun before it is stopped.
    let hold = approved_and_held(&daemon, ApprovalId(asked.id)).await;
    daemon.safety.stop("voice in study").await.unwrap();
    drop(hold);
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

/// Waits until a question is not open any more.
async fn taken_back(daemon: &Daemon, id: i64) -> String {
    let begun = std::time::Instant::now();
    loop {
        let stage = daemon.find(ApprovalId(id)).await.unwrap().stage;
        if !["pending", "approved"].contains(&stage.as_str()) {
            return stage;
        }
        assert!(begun.elapsed() < LONG, "it stays {stage}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn stops_in_log(daemon: &Daemon) -> usize {
    daemon.safety.journal().tail(200).await.unwrap().iter().filter(|entry| entry.kind == "stopped").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_past_the_daemon_is_written_down_and_takes_back_what_is_open() {
    let bed = Bed::new(10).await.unwrap();
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = true);
    let outside = KillSwitch::at(bed.dir.path());
    // While it runs: the owner of changes sees it.
    let red = daemon.ask("guest_stop", &args()).await.unwrap();
    outside.stop("root").unwrap();
    assert_eq!((taken_back(&daemon, red.id).await.as_str(), stops_in_log(&daemon).await), ("denied", 1));
    daemon.safety.resume("jarvisctl").await.unwrap();
    let error = daemon.approve(&red, Some("amber falcon")).await.unwrap_err().to_string();
    assert!(error.contains("not open"), "not even after the resumption: {error}");
    // At once resumed: whoever resumes takes back first.
    let red = daemon.ask("guest_stop", &args()).await.unwrap();
    outside.stop("root").unwrap();
    daemon.safety.resume("jarvisctl").await.unwrap();
    assert_eq!(
        (daemon.find(ApprovalId(red.id)).await.unwrap().stage.as_str(), stops_in_log(&daemon).await),
        ("denied", 2)
    );
    // While no daemon runs: the next one finds it, and the one after that writes nothing again. A restart alone voids what was open.
    let red = daemon.ask("guest_stop", &args()).await.unwrap();
    drop(daemon);
    outside.stop("root").unwrap();
    let found = bed.start().await.unwrap();
    let begun = std::time::Instant::now();
    while stops_in_log(&found).await < 3 {
        assert!(begun.elapsed() < LONG, "the stop is not written down");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(taken_back(&found, red.id).await, "cancelled");
    drop(found);
    let again = bed.start().await.unwrap();
    // A resumption writes down any stop that is not yet in the log, so nothing is still on its way after it.
    again.safety.resume("jarvisctl").await.unwrap();
    assert_eq!(stops_in_log(&again).await, 3);
    assert_eq!(bed.deeds(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_log_is_found_and_a_forgotten_content_is_not() {
    let bed = Bed::new(5).await.unwrap();
    let daemon = bed.start().await.unwrap();
    for _ in 0..5 {
        daemon.ask("guest_stop", r#"{"vmid":101}"#).await.unwrap();
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
    // It goes on after the cut, and that does not cover it up, whatever is begun anew.
    for _ in 0..2 {
        daemon.ask("guest_reboot", r#"{"vmid":101}"#).await.unwrap();
    }
    assert!(journal.verify().await.unwrap().is_err(), "cut, and longer than before");
    drop((daemon, journal));
    let daemon = bed.start().await.unwrap();
    daemon.ask("guest_reboot", r#"{"vmid":101}"#).await.unwrap();
    assert!(daemon.safety.journal().verify().await.unwrap().is_err(), "after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_note_was_taken_away_is_broken_until_its_owner_accepts_it() {
    let bed = Bed::new(11).await.unwrap();
    let daemon = bed.start().await.unwrap();
    assert_eq!(daemon.safety.journal().verify().await.unwrap(), Ok(0), "nothing is missing of nothing");
    daemon.ask("guest_reboot", r#"{"vmid":101}"#).await.unwrap();
    drop(daemon);
    std::fs::remove_file(bed.dir.path().join("audit.head")).unwrap();
    let daemon = bed.start().await.unwrap();
    daemon.ask("guest_reboot", r#"{"vmid":101}"#).await.unwrap();
    let broken = daemon.safety.journal().verify().await.unwrap().unwrap_err().to_string();
    assert!(broken.contains("note of the newest entry is gone"), "{broken}");
    drop(daemon);
    std::fs::write(bed.dir.path().join(ACCEPT), "").unwrap();
    let daemon = bed.start().await.unwrap();
    // Asked twice, voided by a restart twice, and accepted.
    assert_eq!(daemon.safety.journal().verify().await.unwrap(), Ok(5));
    let last = daemon.safety.journal().tail(2).await.unwrap();
    assert!(last.iter().any(|entry| entry.kind == "accepted"), "and the log says so: {last:?}");
    assert!(!bed.dir.path().join(ACCEPT).exists(), "once");
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
async fn what_is_unknown_is_said_once_and_then_what_it_was() {
    let mut bed = Bed::new(9).await.unwrap();
    bed.look_every = Duration::from_millis(20);
    let mut daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let asked = daemon.ask("guest_start", &args()).await.unwrap();
    let node = bed.simulator.state().guest(GUEST).unwrap().node.clone();
    // The answer is lost, and the only node that could tell what became of it dies.
    bed.simulator.plan(GUEST, Plan { mishap: Some(Mishap::AnswerLost), fate: Fate::NodeDies(Duration::ZERO) });
    let mut bus = daemon.bus.listen();
    daemon.approve(&asked, None).await.unwrap();
    let mut rounds = 0;
    while rounds < 6 {
        if let Some(Told::Event(event)) = bus.next().await
            && matches!(event.kind, EventKind::Approval { id } if id.0 == asked.id)
            && daemon.find(ApprovalId(asked.id)).await.unwrap().stage == "unknown"
        {
            rounds += 1;
        }
    }
    assert_eq!(daemon.announced.recv().await.as_deref(), Some("unknown"));
    // It comes back, and knows that the task ended well.
    let now = bed.simulator.now_ms();
    bed.simulator.change(|state| {
        state.bring_back(&node, now);
        let task = state.tasks.iter_mut().find(|task| task.object == GUEST.to_string()).unwrap();
        task.ended = Some((now.div_euclid(1000), "OK".to_owned()));
        state.guest_mut(GUEST).unwrap().running = true;
    });
    let next = daemon.announced.recv().await;
    assert_eq!(next.as_deref(), Some("done"), "however often it was looked for, nothing was said in between");
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
    assert_eq!(found.at_steps, 20, "of both kinds: {found:?}");
    for stage in ["approved", "started", "done"] {
        assert!(found.stages.contains_key(stage), "never killed while it was {stage}: {found:?}");
    }
}
