//! Changes by word in a whole house: asked about, approved, verified, stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use jarvis_tests::house::House;
use jarvis_tests::owner;
use jarvis_tests::process::wait_for;
use jarvis_tests::trial::{config, reply, spoken};
use jarvisd::event::TurnRecord;
use serde_json::json;

/// One house at a time: two would take the processor from each other and sound would break up.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Waits until the newest approval is in `stage`.
fn until_approval(house: &mut House, stage: &str) {
    wait_for("the approval", Duration::from_secs(60), || {
        let all = house.ctl_json(&["approvals"])?;
        Ok((all[0]["stage"] == stage).then_some(()))
    })
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stand_down_said_in_the_room_stops_every_change_until_somebody_resumes() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), 15)).await.unwrap();
    house.cluster.calm();
    house.cluster.change(|state| state.guest_mut(112).unwrap().running = false);
    let say = |house: &mut House, text: &str| {
        let asked = house.ask(&spoken("en-gb", &format!("hey jarvis, {text}")), |_| ()).unwrap();
        let turn = asked.turn.unwrap_or_else(|| panic!("nobody woke to {text:?}"));
        assert_eq!((turn.transcript.as_deref(), turn.error.as_deref()), (Some(text), None), "{turn:?}");
        turn.reply.unwrap_or_default()
    };
    let power = |house: &House| house.ctl_json(&["status"]).unwrap()["power"].clone();
    let told = say(&mut house, "stand down");
    assert!(told.contains("Standing down"), "{told}");
    let stopped = power(&house);
    assert_eq!((&stopped["power"], &stopped["by"]), (&"stopped".into(), &"voice in study".into()), "{stopped}");
    let refused = say(&mut house, "start the test machine");
    assert!(refused.contains("standing down"), "{refused}");
    assert_eq!(house.ctl_json(&["approvals"]).unwrap(), serde_json::json!([]), "nobody was even asked");

    assert!(house.ctl(&["resume"]).unwrap().status.success());
    assert_eq!(power(&house)["power"], "on");
    let question = say(&mut house, "start the test machine");
    assert!(question.contains("start") && question.contains("112"), "{question}");
    assert_eq!(house.ctl_json(&["approvals"]).unwrap()[0]["stage"], "pending");
    assert!(!house.cluster.state().guest(112).unwrap().running, "it is asked about, as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_asked_about_approved_verified_and_written_down() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), 7)).await.unwrap();
    house.cluster.calm();
    house.cluster.change(|state| state.guest_mut(112).unwrap().running = false);
    let asked = reply(&house.ctl_json(&["ask", "start the test machine"]).unwrap());
    assert!(
        asked.contains("start") && asked.contains("112") && asked.contains("pve"),
        "verb, target and node: {asked}"
    );
    assert!(!house.cluster.state().guest(112).unwrap().running, "nothing runs before a yes");
    let answered = house.ctl_json(&["ask", "yes please"]).unwrap();
    until_approval(&mut house, "done");
    assert!(house.cluster.state().guest(112).unwrap().running, "{answered}");

    // A RED one asks for its two words at the second channel.
    let asked = reply(&house.ctl_json(&["ask", "pull the plug on the test machine"]).unwrap());
    let shown = house.ctl_json(&["approvals"]).unwrap()[0].clone();
    let words = house.words(shown["id"].as_i64().unwrap()).await.unwrap().join(" ");
    let told = format!("{asked} {shown} {}", house.ctl_json(&["audit"]).unwrap());
    assert!(!told.contains(&words), "the words are on the page alone: {told}");
    let id = shown["id"].to_string();
    let wrong = house.ctl(&["approve", &id, "wrong", "words"]).unwrap();
    assert!(!wrong.status.success());
    let mut right = vec!["approve", id.as_str()];
    right.extend(words.split_whitespace());
    let done = house.ctl(&right).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!house.cluster.state().guest(112).unwrap().running);

    // Nobody may touch the machine Jarvis runs on.
    let never = house.ctl_json(&["ask", "shut down vm one hundred"]).unwrap();
    assert!(reply(&never).contains("decline"), "{never}");

    // The kill switch, past the loop, and back.
    assert!(house.ctl(&["stop"]).unwrap().status.success());
    let stopped = reply(&house.ctl_json(&["ask", "start the test machine"]).unwrap());
    assert!(stopped.contains("standing down"), "{stopped}");
    assert!(house.ctl(&["resume"]).unwrap().status.success());
    let undone = reply(&house.ctl_json(&["ask", "undo that"]).unwrap());
    assert!(undone.contains("start"), "the last change is offered to be taken back: {undone}");
    let answered = house.ctl_json(&["ask", "yes please"]).unwrap();
    until_approval(&mut house, "done");
    assert!(house.cluster.state().guest(112).unwrap().running, "{answered}");
    let all = house.ctl_json(&["approvals"]).unwrap();
    let plug = all.as_array().unwrap().iter().find(|row| row["id"].as_u64() == id.parse().ok()).unwrap();
    assert_eq!(plug["undone"], true, "{plug}");
    let again = reply(&house.ctl_json(&["ask", "undo that"]).unwrap());
    assert!(
        again.contains("shut down") && !again.contains("plug"),
        "what was taken back is not offered again: {again}"
    );
    let verified = house.ctl(&["audit", "verify"]).unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    house.check().unwrap();
}

/// Says something in the room; gives the turn that came of it.
fn say(house: &mut House, text: &str) -> Option<TurnRecord> {
    house.ask(&spoken("en-gb-x-rp", text), |_| ()).unwrap().turn
}

/// Says something in the room that nobody should answer; what comes next shows whether somebody did.
fn say_to_nobody(house: &mut House, text: &str) {
    let speech = spoken("en-gb-x-rp", text);
    let end = house.room.now().unwrap() + speech.len();
    house.room.say(&speech).unwrap();
    wait_for("it to be said", Duration::from_secs(60), || Ok((house.room.now()? > end).then_some(()))).unwrap();
    house.wait_quiet().unwrap();
}

/// Requests that were heard as `text`.
fn heard_as(house: &House, text: &str) -> usize {
    let turns = house.ctl_json(&["turns", "-n", "50"]).unwrap();
    turns.as_array().unwrap().iter().filter(|turn| turn["transcript"] == text).count()
}

/// Without a model, and with a loudspeaker that is as loud at the microphone as whoever speaks: a room that answered its own question
/// would hear itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_asked_about_aloud_and_the_room_listens_once_without_a_wake_word() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), 9);
    config.room.echo_db = Some(0.0);
    let mut house = House::start(config).await.unwrap();
    house.cluster.calm();
    house.cluster.change(|state| state.guest_mut(112).unwrap().running = false);
    let running = |house: &House| house.cluster.state().guest(112).unwrap().running;

    let asked = say(&mut house, "hey jarvis, start the test machine").expect("a turn");
    let question = asked.reply.unwrap_or_default();
    assert!(question.contains("start") && question.contains("112") && question.contains("pve"), "{question}");
    assert!(!running(&house), "nothing runs before a yes");
    let yes = say(&mut house, "yes").expect("the room listens");
    assert_eq!((yes.transcript.as_deref(), yes.wake.is_none()), (Some("yes"), true), "{yes:?}");
    until_approval(&mut house, "done");
    assert!(running(&house), "{yes:?}");
    say_to_nobody(&mut house, "yes");

    // A grave one is not for a voice: its words are spoken, shown nowhere, and confirmed on the page.
    let asked = say(&mut house, "hey jarvis, force stop the test machine").expect("a turn");
    assert_eq!(heard_as(&house, "yes"), 1, "once: nobody was asked anything more");
    let said = house.said(asked.turn_id).unwrap();
    let (_, rest) = said.split_once("the words ").unwrap_or_else(|| panic!("no words were spoken: {said}"));
    let words: Vec<&str> = rest.split_whitespace().take(2).collect();
    let words = words.join(" ");
    let shown = owner::shown(&house.page()).await.unwrap();
    assert!(!shown.to_string().contains(&words), "{words}: {shown}");
    let id = shown[0]["id"].as_i64().unwrap();
    assert!(house.confirm(id, "wrong words").await.is_err() && running(&house));
    house.confirm(id, &words).await.unwrap();
    until_approval(&mut house, "done");
    assert!(!running(&house));
    house.wait_quiet().unwrap();

    let stopped = say(&mut house, "hey jarvis, stand down").expect("a turn");
    let power = house.ctl_json(&["status"]).unwrap()["power"].clone();
    assert_eq!((&power["power"], &power["by"]), (&json!("stopped"), &json!("voice in study")), "{stopped:?}");
    house.check().unwrap();
}
