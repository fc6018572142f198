//! Rooms that speak at once, and an owner's own names: end to end, with real processes and sound on files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use jarvis_tests::judge::as_heard;
use jarvis_tests::process::wait_for;
use jarvis_tests::pve::Simulator;
use jarvis_tests::rooms::Rooms;
use jarvis_tests::sound;
use jarvis_tests::trial::{config, spoken};
use jarvisd::event::TurnRecord;

/// One house at a time: two would take the processor from each other and sound would break up.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What is said aloud has so many audible samples, half a second of them; the tone of a wake has a seventh of that.
const ANSWER_SAMPLES: usize = 8_000;

/// A room, a voice in it, what it asks, and what the answer must hold: a kind and its slot, for the simulator's own word on it.
struct Asker {
    room: &'static str,
    voice: &'static str,
    text: &'static str,
    kind: &'static str,
    slot: (&'static str, &'static str),
}

const STUDY: Asker = Asker {
    room: "study",
    voice: "en-gb-x-rp",
    text: "how hot is node two",
    kind: "node.temperature",
    slot: ("node", "pve2"),
};
const KITCHEN: Asker = Asker {
    room: "kitchen",
    voice: "en-gb",
    text: "which node is home assistant on",
    kind: "guest.where",
    slot: ("guest", "105"),
};
const HALL: Asker = Asker {
    room: "hall",
    voice: "en-us",
    text: "how much memory is the database using",
    kind: "guest.memory",
    slot: ("guest", "103"),
};

fn called(voice: &str, text: &str) -> Vec<i16> {
    spoken(voice, &format!("hey jarvis, {text}"))
}

fn of<'a>(turns: &'a [TurnRecord], room: &str) -> &'a TurnRecord {
    let mut found = turns.iter().filter(|turn| turn.satellite.as_ref().is_some_and(|s| s.as_str() == room));
    let turn = found.next().unwrap_or_else(|| panic!("no turn in the {room}: {turns:?}"));
    assert!(found.next().is_none(), "two turns in the {room}: {turns:?}");
    turn
}

/// All of them ask at the same moment; each is answered rightly, in its own room.
async fn at_once(askers: &[Asker], seed: u64) {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let cluster = Simulator::start(seed).await.unwrap();
    let mut rooms = Rooms::start(config(dir.path(), seed), cluster).await.unwrap();
    let said: Vec<_> = askers.iter().map(|a| (a.room, called(a.voice, a.text))).collect();
    rooms.speak(&said).unwrap();
    let (turns, together) = rooms.turns(askers.len()).unwrap();
    assert_eq!(together, askers.len(), "they spoke at once: {turns:?}");
    for asker in askers {
        let turn = of(&turns, asker.room);
        assert_eq!(turn.error, None, "{turn:?}");
        assert_eq!(turn.transcript.as_deref(), Some(asker.text));
        let wanted = rooms.cluster.expected(asker.kind, &[asker.slot]);
        let reply = turn.reply.clone().unwrap_or_default();
        assert!(
            !wanted.is_empty() && wanted.iter().all(|figure| figure.is_in(&[as_heard(&reply)])),
            "{reply:?} holds {wanted:?}"
        );
        let heard = rooms.leave(asker.room).unwrap();
        // The short tone that says that a wake word was heard is not enough.
        let loud = heard.iter().filter(|sample| sample.saturating_abs() > sound::AUDIBLE).count();
        assert!(loud > ANSWER_SAMPLES, "the {} hears its answer: {loud} audible samples", asker.room);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rooms_that_ask_at_once_are_both_answered() {
    at_once(&[STUDY, KITCHEN], 11).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_beyond_the_ears_workers_waits_and_loses_no_word() {
    at_once(&[STUDY, KITCHEN, HALL], 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_own_names_are_heard_once_the_model_has_learnt_them() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let cluster = Simulator::start(13).await.unwrap();
    cluster.change(|state| {
        for guest in &mut state.guests {
            match guest.vmid {
                103 => guest.name = Some("paperless".to_owned()),
                116 => guest.name = Some("zigbee-bridge".to_owned()),
                _ => {}
            }
        }
        for storage in state.storages.iter_mut().filter(|s| s.name == "vault") {
            storage.name = "glacier".to_owned();
        }
    });
    let mut rooms = Rooms::start(config(dir.path(), 13), cluster).await.unwrap();
    let question = |name: &str| called("en-gb", &format!("how much memory is {name} using"));

    let own = dir.path().join("own/model");
    let told = rooms.ctl(&["model", "words", "--into", own.to_str().unwrap()]).unwrap();
    assert!(told.contains("restart jarvisd."), "it says what to do next: {told}");
    let words = std::fs::read_to_string(own.join("graph/words.txt")).unwrap();
    let known: Vec<&str> = words.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for word in ["paperless", "zigbee", "bridge", "glacier", "jarvis"] {
        assert!(known.contains(&word), "{word} is among its words");
    }

    rooms.restart_with(own.clone()).unwrap();
    rooms.speak(&[("study", question("paperless")), ("kitchen", question("zigbee bridge"))]).unwrap();
    let (turns, _) = rooms.turns(2).unwrap();
    for (room, name, vmid) in [("study", "paperless", "103"), ("kitchen", "zigbee bridge", "116")] {
        let turn = of(&turns, room);
        let heard = format!("how much memory is {name} using");
        assert_eq!((turn.transcript.as_deref(), turn.error.as_deref()), (Some(heard.as_str()), None));
        let wanted = rooms.cluster.expected("guest.memory", &[("guest", vmid)]);
        let reply = turn.reply.clone().unwrap_or_default();
        assert!(
            !wanted.is_empty() && wanted.iter().all(|figure| figure.is_in(&[as_heard(&reply)])),
            "{reply:?} holds {wanted:?}"
        );
    }

    // A guest that came later: the model in use is the one to learn from now, into the same folder.
    rooms.cluster.change(|state| {
        state.guests.iter_mut().filter(|g| g.vmid == 117).for_each(|g| g.name = Some("frigate".to_owned()));
    });
    // The daemon's view of the names is some seconds old at most.
    wait_for("the new guest to be known", Duration::from_secs(60), || {
        Ok(rooms.ctl(&["model", "names", "--json"])?.contains("frigate").then_some(()))
    })
    .unwrap();
    rooms.ctl(&["model", "words", "--into", own.to_str().unwrap()]).unwrap();
    let words = std::fs::read_to_string(own.join("graph/words.txt")).unwrap();
    for word in ["frigate", "paperless"] {
        let known = words.lines().any(|line| line.split_whitespace().next() == Some(word));
        assert!(known, "{word}: it learns, and what it knew it still knows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_may_only_look_changes_neither_the_cluster_nor_the_memory() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let cluster = Simulator::start(5).await.unwrap();
    let mut config = config(dir.path(), 5);
    config.minds = "[safety.rooms]\nstudy = \"reads\"\n".to_owned();
    let mut rooms = Rooms::start(config, cluster).await.unwrap();
    rooms.cluster.change(|state| state.guest_mut(112).unwrap().running = false);
    // Nobody speaks: what is asked is typed, and counts as asked there.
    let silence = vec![0; 120 * sound::RATE_HZ as usize];
    rooms.speak(&[("study", silence.clone()), ("kitchen", silence)]).unwrap();
    let ask = |rooms: &Rooms, room: &str, words: &str| {
        let told: serde_json::Value =
            serde_json::from_str(&rooms.ctl(&["ask", "--room", room, words, "--json"]).unwrap()).unwrap();
        told["reply"].as_str().unwrap_or_default().to_owned()
    };
    rooms.ctl(&["ask", "remember that the router is at 192.168.1.1"]).unwrap();
    for words in ["turn on one one two", "remember that the nas is noisy", "forget what i told you about the router"] {
        let told = ask(&rooms, "study", words);
        assert!(told.contains("may not do that from the study"), "{words}: {told}");
    }
    let read = ask(&rooms, "study", "what do you know about the router");
    assert!(read.contains("192.168.1.1"), "it may look: {read}");
    let elsewhere = ask(&rooms, "kitchen", "turn on one one two");
    assert!(elsewhere.contains("112") && !elsewhere.contains("may not"), "{elsewhere}");
    assert_eq!(rooms.cluster.state().works.history, []);
}
