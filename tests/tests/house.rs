//! The whole house, end to end: real sound, real processes, real faults.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::process::Command;
use std::time::Duration;

use jarvis_tests::demo::request::Request;
use jarvis_tests::demo::{self, Demo};
use jarvis_tests::house::House;
use jarvis_tests::judge::{self, as_heard};
use jarvis_tests::process::{programs, wait_for};
use jarvis_tests::pve::expected::expected;
use jarvis_tests::sound;
use jarvis_tests::trial::{config, holds, reply, root, spoken};

/// One house at a time: two would take the processor from each other and sound would break up.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

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

#[tokio::test(flavor = "multi_thread")]
async fn spoken_requests_are_answered_and_the_answers_are_heard() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let (recording, recorded) = (dir.path().join("request.wav"), "hey jarvis, is the mail server up");
    let made = Command::new("espeak-ng").args(["-v", "en-us", "-w"]).arg(&recording).arg(recorded).status().unwrap();
    assert!(made.success(), "{made}");
    let said = "hey jarvis, which node is home assistant on".to_owned();
    let demo = Demo {
        root: root(),
        programs: programs().unwrap(),
        dir: dir.path().join("demo"),
        seed: u64::from(std::process::id()),
        echo_db: -10.0,
        requests: vec![
            Request::Spoken { voice: "en-gb-x-rp".to_owned(), text: said },
            Request::Recorded { path: recording, text: Some(recorded.to_owned()) },
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
    let revoked = house.ctl(&["revoke", "Study"]).unwrap();
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
    let call = spoken("en-gb-x-rp", "hey jarvis, which node is home assistant on");
    let is_heard = |house: &mut House| house.ask(&call, |_| ()).unwrap().turn.is_some_and(|turn| turn.wake.is_some());
    assert!(is_heard(&mut house), "the microphone is open");
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
    assert!(is_heard(&mut house), "the microphone was open");
}
