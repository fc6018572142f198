//! The whole house, end to end: real sound, real processes, real faults.
//!
//! Length: one kind of house serves all of these tests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jarvis_tests::demo::request::Request;
use jarvis_tests::demo::{self, Demo};
use jarvis_tests::house::{House, HouseConfig};
use jarvis_tests::judge::{self, as_heard};
use jarvis_tests::owner;
use jarvis_tests::process::{Running, programs, wait_for};
use jarvis_tests::pve::expected::{Figure, expected};
use jarvis_tests::sound;
use jarvisd::event::{EventKind, TurnRecord};
use rustix::process::Signal;
use serde_json::json;

/// One house at a time: two would take the processor from each other and sound would break up.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Of the words of an answer that the second recogniser knows, it hears as many where that was said (0.7 to 1.0; a tenth where it was not).
const HEARD_MIN: f64 = 0.5;
/// A word of one of these is in what is said when Jarvis could not do what he was asked.
const REGRETS: [&str; 6] = ["sorry", "apologise", "forgive", "regret", "afraid", "fear"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn config(dir: &std::path::Path, seed: u64) -> HouseConfig {
    HouseConfig::new(root(), programs().unwrap(), dir.to_owned(), seed)
}

fn spoken(voice: &str, text: &str) -> Vec<i16> {
    sound::scaled(&sound::espeak(voice, text).unwrap(), 9000)
}

/// Whether the answer, spoken, holds the figure: "1" is not in "VM 103".
fn holds(reply: &str, figure: &Figure) -> bool {
    figure.is_in(&[as_heard(reply)])
}

fn reply(turn: &serde_json::Value) -> String {
    turn["reply"].as_str().unwrap_or_default().to_owned()
}

/// The loudspeaker said it, by a recogniser that was not told it.
fn assert_heard(said: &str, heard: &[i16]) {
    let (share, hearings) = judge::heard_of(said, heard, &programs().unwrap(), &root()).unwrap();
    println!("{said:?} was heard as {hearings:?}: {share:.2} of it");
    assert!(share >= HEARD_MIN, "{said:?} was heard as {hearings:?}");
}

fn assert_regret(said: &str) {
    let words = as_heard(said);
    assert!(REGRETS.iter().any(|regret| words.contains(regret)), "a word of regret: {said:?}");
}

/// What nobody can know of a node is said as unknown, by the node's name, without a figure. That it is said soon is held by
/// tests/cluster.rs, where what would be waited for never comes.
fn assert_unknown(house: &House, asked: &str, kind: &str, node: &str) {
    let turn = house.ctl_json(&["ask", asked]).unwrap();
    let heard = as_heard(&reply(&turn));
    let mut state = house.cluster.state();
    state.nodes.iter_mut().filter(|truth| truth.name == node).for_each(|truth| truth.alive = false);
    let unknown = expected(&state, state.born, kind, &[("node", node)]);
    assert!(!unknown.is_empty() && unknown.iter().all(|word| word.is_in(&[&heard])), "{heard:?} is one of {unknown:?}");
    assert!(judge::holds(&heard, node), "it names the node: {heard:?}");
    assert_eq!(judge::numbers_beside(&heard, node), [""; 0], "a figure was made up: {heard:?}");
    assert!(!turn["tools"].as_array().unwrap().is_empty(), "the cluster was asked: {turn}");
}

/// Processes of the ear, the spare ones too.
fn ears(house: &House) -> Vec<Running> {
    let all = Running::beneath(house.daemon.pid()).into_iter().filter(|process| process.name == "jarvis-ear");
    let ears: Vec<Running> = all.collect();
    assert!(!ears.is_empty(), "jarvisd has an ear");
    ears
}

/// Those of the ear that work: a spare one runs nothing that could hang.
fn at_work(before: &[(Running, u64)]) -> Vec<Running> {
    let used = |(ear, ticks): &(Running, u64)| ear.processor_ticks().unwrap_or_default().saturating_sub(*ticks);
    let busiest = before.iter().max_by_key(|ear| used(ear)).filter(|ear| used(ear) > 0);
    vec![busiest.expect("the ear hears").0.clone()]
}

#[tokio::test(flavor = "multi_thread")]
async fn spoken_requests_are_answered_and_the_answers_are_heard() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let say = |voice: &str, text: &str| Request::Spoken { voice: voice.into(), text: text.into() };
    let demo = Demo {
        root: root(),
        programs: programs().unwrap(),
        dir: dir.path().join("demo"),
        seed: u64::from(std::process::id()),
        echo_db: -10.0,
        requests: vec![
            say("en-gb-x-rp", "hey jarvis, how hot is node two"),
            say("en-us", "hey jarvis, how much memory is the database using"),
        ],
        stay: false,
    };
    assert!(demo::run(&demo).await.unwrap(), "every turn is answered rightly (seed {})", demo.seed);
    let turns: serde_json::Value =
        serde_json::from_slice(&std::fs::read(demo.dir.join("turns.json")).unwrap()).unwrap();
    let turn = &turns[0];
    for field in
        ["turn_id", "satellite", "wake", "transcript", "route", "tools", "reply", "marks_ms", "heard_ms", "error"]
    {
        assert!(turn.get(field).is_some(), "turns.json lacks {field}: {turn}");
    }
    assert!(demo.dir.join("room.wav").is_file());
}

/// The ear is struck while somebody speaks: that turn says sorry, the next one works.
async fn an_ear_is_struck(signal: Signal, seed: u64) {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), seed)).await.unwrap();
    let request = spoken("en-gb", "hey jarvis, how much memory is the database using");
    // Whoever still loads its model would be taken for the one that hears.
    house.wait_hearing().unwrap();
    let before: Vec<_> =
        ears(&house).into_iter().filter_map(|ear| Some((ear.clone(), ear.processor_ticks()?))).collect();
    let mut struck = false;
    let from = house.room.now().unwrap();
    house.room.say(&request).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let record = loop {
        assert!(Instant::now() < deadline, "the turn ends");
        let Some(event) = house.event(Duration::from_secs(1)).unwrap() else { continue };
        match event.kind {
            EventKind::Partial { .. } if !struck => {
                let whom = if signal == Signal::KILL { ears(&house) } else { at_work(&before) };
                whom.iter().for_each(|ear| ear.signal(signal).unwrap());
                struck = true;
            }
            EventKind::TurnDone(record) => break record,
            _ => {}
        }
    };
    assert!(struck, "it was heard before: {record:?}");
    assert!(record.error.is_some(), "the owner is told: {record:?}");
    house.wait_quiet().unwrap();
    let recording = house.room.recording(from).unwrap();
    let end = sound::last_audible(&recording.said).unwrap();
    let sorry = record.reply.expect("it says sorry");
    assert_regret(&sorry);
    assert_heard(&sorry, &recording.heard[end..]);
    let next = house.ask(&request, |_| ()).unwrap().turn.expect("the next turn wakes");
    assert_eq!(next.error, None);
    let wanted = house.cluster.expected("guest.memory", &[("guest", "103")]);
    let reply = next.reply.unwrap_or_default();
    assert!(!wanted.is_empty() && wanted.iter().all(|figure| holds(&reply, figure)), "{reply:?} holds {wanted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ear_killed_in_mid_utterance_costs_one_turn() {
    an_ear_is_struck(Signal::KILL, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ear_hung_in_mid_utterance_costs_one_turn() {
    an_ear_is_struck(Signal::STOP, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_is_unknown_and_a_killed_daemon_comes_back() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), 6)).await.unwrap();
    let right = house.cluster.expected("node.temperature", &[("node", "pve2")]);
    let typed = reply(&house.ctl_json(&["ask", "how hot is node two"]).unwrap());
    assert!(!right.is_empty() && right.iter().all(|figure| holds(&typed, figure)), "{typed} holds {right:?}");

    // Other nodes than the one just asked: its answer may come from the cache for some seconds.
    house.cluster.kill("pve3").await.unwrap();
    assert_unknown(&house, "how hot is node three", "node.temperature", "pve3");
    house.cluster.revive("pve3").await.unwrap();
    // Nobody has noticed that this one died: those asked for it take 3 s to say 595.
    house.cluster.silence("pve4").await.unwrap();
    assert_unknown(&house, "which proxmox version does pve four have", "node.version", "pve4");
    house.cluster.revive("pve4").await.unwrap();

    house.daemon.kill().unwrap();
    house.restart_daemon().unwrap();
    let asked = house.ask(&spoken("en-gb", "hey jarvis, which node is home assistant on"), |_| ()).unwrap();
    let turn = asked.turn.expect("the satellite found the new daemon");
    let wanted = house.cluster.expected("guest.where", &[("guest", "105")]);
    let reply = turn.reply.unwrap_or_default();
    assert!(wanted.iter().all(|node| holds(&reply, node)), "{reply:?} names {wanted:?}");
    assert!(asked.first_audio_ms.is_some(), "and is heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_utterance_of_a_minute_ends_in_a_word_and_the_next_request_is_answered() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), 9)).await.unwrap();
    let mut minute =
        spoken("en-gb", "hey jarvis, and then the garden and the kitchen and the weather in the evening and");
    let more = spoken("en-gb", "and then the garden and the kitchen and the weather in the evening and");
    while minute.len() < 60 * 16_000 {
        minute.extend(&more);
    }
    house.wait_hearing().unwrap();
    let from = house.room.now().unwrap();
    house.room.say(&minute).unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut closed = None;
    let turn = loop {
        assert!(Instant::now() < deadline, "the turn ends by itself");
        let Some(event) = house.event(Duration::from_secs(1)).unwrap() else { continue };
        println!("{event:?}");
        match event.kind {
            // The microphone was closed before, with its sound: what is heard from here on is the voice.
            EventKind::Sentence { .. } => closed = closed.or(Some(house.room.now().unwrap())),
            EventKind::TurnDone(record) => break *record,
            _ => {}
        }
    };
    let said = turn.reply.clone().unwrap_or_default();
    assert_regret(&said);
    wait_for("the person to fall silent", Duration::from_secs(90), || {
        house.check()?;
        Ok((house.room.now()? > from + minute.len() + 16_000).then_some(()))
    })
    .unwrap();
    house.wait_quiet().unwrap();
    let heard = house.room.recording(closed.expect("something was said of it")).unwrap().heard;
    assert_heard(&said, &heard);
    let next = house.ask(&spoken("en-gb", "hey jarvis, how much memory is the database using"), |_| ()).unwrap();
    let next = next.turn.expect("the next request wakes");
    assert!(next.error.is_none() && next.reply.is_some_and(|reply| reply.contains("database")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_each_nodes_trouble_and_an_answer_does_not_outlive_its_node() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), 10)).await.unwrap();
    let hot = |house: &House| {
        let typed = house.ctl_json(&["ask", "how hot is node two"]).unwrap();
        typed["reply"].as_str().unwrap_or_default().to_owned()
    };
    let right = house.cluster.expected("node.temperature", &[("node", "pve2")]);
    let before = hot(&house);
    assert!(right.iter().any(|figure| holds(&before, figure)), "{before:?} holds one of {right:?}");
    let doctor = |house: &House| -> serde_json::Value {
        let output = house.ctl(&["doctor", "--json"]).unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let findings = |all: &serde_json::Value, part: &str, level: &str| -> Vec<String> {
        let of_part = all.as_array().unwrap().iter().filter(|f| f["part"] == part && f["level"] == level);
        of_part.map(|f| format!("{} -> {}", f["what"], f["remedy"])).collect()
    };
    let well = doctor(&house);
    assert_eq!((findings(&well, "cluster", "good").len(), findings(&well, "sensors", "good").len()), (4, 4), "{well}");

    house.cluster.kill("pve2").await.unwrap();
    let told = doctor(&house);
    let dead = (findings(&told, "cluster", "problem"), findings(&told, "sensors", "problem"));
    assert!(matches!(&dead, (api, ssh) if api.len() == 1 && ssh.len() == 1), "{dead:?}");
    assert!(dead.0[0].contains("pve2") && dead.1[0].contains("pve2"), "{dead:?}");
    let reply = hot(&house);
    assert!(reply.contains("pve2") && !right.iter().any(|figure| holds(&reply, figure)), "{reply}");
    house.cluster.revive("pve2").await.unwrap();

    // The API waits some seconds before it says that a token is wrong; the doctor waits longer.
    std::fs::write(house.cluster.token_file(), "jarvis@pve!reader=00000000-0000-4000-8000-000000000000\n").unwrap();
    house.daemon.stop().unwrap();
    house.restart_daemon().unwrap();
    let told = doctor(&house);
    let wrong = findings(&told, "cluster", "problem");
    assert_eq!(wrong.iter().filter(|f| f.contains("401") && f.contains("token")).count(), 4, "{wrong:?}");
    assert_eq!(findings(&told, "sensors", "good").len(), 4, "SSH knows no token: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_command_speaks_asks_lists_and_revokes() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(config(dir.path(), 11)).await.unwrap();
    let rooms = house.ctl_json(&["rooms"]).unwrap();
    assert_eq!((&rooms[0]["room"], &rooms[0]["connected"]), (&"study".into(), &true.into()), "{rooms}");
    assert!(String::from_utf8(house.ctl(&["rooms"]).unwrap().stdout).unwrap().contains("study"));
    let heard = |house: &House, arguments: &[&str]| {
        let from = house.room.now().unwrap();
        let turn = house.ctl_json(arguments).unwrap();
        assert!(turn["error"].is_null(), "{turn}");
        wait_for("it to be heard in the room", Duration::from_secs(60), || {
            Ok(sound::first_audible(&house.room.recording(from)?.heard).map(drop))
        })
        .unwrap();
        turn["reply"].as_str().unwrap_or_default().to_owned()
    };
    heard(&house, &["say", "Dinner", "is", "served."]);
    let reply = heard(&house, &["ask", "--room", "study", "how hot is node two"]);
    let right = house.cluster.expected("node.temperature", &[("node", "pve2")]);
    assert!(right.iter().any(|figure| holds(&reply, figure)), "{reply:?} holds one of {right:?}");
    let volume = |house: &House| house.ctl_json(&["rooms"]).unwrap()[0]["volume_percent"].as_u64().unwrap();
    let before = volume(&house);
    heard(&house, &["ask", "--room", "study", "quieter"]);
    assert!(volume(&house) < before, "{} after {before}", volume(&house));
    let turns = house.ctl_json(&["turns"]).unwrap().to_string();
    assert!(turns.contains("how hot is node two") && turns.contains("Dinner is served"), "{turns}");
    let model = |what: &str| house.ctl_json(&["model", what]).unwrap().to_string();
    assert!(model("status").contains("ready"), "{}", model("status"));
    for (what, wanted) in [("words", "grafana"), ("names", "home-assistant"), ("sentences", "how hot is")] {
        assert!(model(what).contains(wanted), "{what}: {}", model(what));
    }
    let revoked = house.ctl(&["revoke", "study"]).unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    wait_for("the satellite to be locked out", Duration::from_secs(60), || {
        Ok((!house.ctl_json(&["rooms"])?.to_string().contains("\"connected\":true")).then_some(()))
    })
    .unwrap();
    assert!(!house.ctl(&["say", "--room", "study", "hello"]).unwrap().status.success(), "nobody is there to hear it");
}

#[tokio::test(flavor = "multi_thread")]
async fn talk_without_the_wake_word_opens_nothing() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), 8)).await.unwrap();
    let mut talk = Vec::new();
    for (voice, text) in [
        ("en-gb", "the weather is rather fine today and the garden wants water"),
        ("en-us", "how hot is node two"),
        ("de", "morgen fahren wir nach hause"),
    ] {
        talk.extend(spoken(voice, text));
        talk.extend(sound::noise(8000, 60.0, 1));
    }
    let before = house.ctl_json(&["turns"]).unwrap();
    let from = house.room.now().unwrap();
    house.room.say(&talk).unwrap();
    wait_for("the talk to end", Duration::from_secs(60), || {
        house.check()?;
        Ok((house.room.now()? > from + talk.len() + 32_000).then_some(()))
    })
    .unwrap();
    assert_eq!(house.ctl_json(&["turns"]).unwrap(), before, "no turn began");
    let recording = house.room.recording(from).unwrap();
    assert_eq!(sound::first_audible(&recording.heard), None, "and nothing was played");
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

/// Waits until the newest approval is in `stage`.
fn until_approval(house: &mut House, stage: &str) {
    wait_for("the approval", Duration::from_secs(60), || {
        let all = house.ctl_json(&["approvals"])?;
        Ok((all[0]["stage"] == stage).then_some(()))
    })
    .unwrap();
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
    say(&mut house, "yes");
    assert_eq!(heard_as(&house, "yes"), 1, "once: nobody was asked anything more");

    // A grave one is not for a voice: its words are spoken, shown nowhere, and confirmed on the page.
    let asked = say(&mut house, "hey jarvis, force stop the test machine").expect("a turn");
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
