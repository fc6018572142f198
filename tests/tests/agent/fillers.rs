//! What is said while a model waits for a node.

use std::time::Duration;

use jarvis_tests::desk::{Desk, Kind};
use jarvis_tests::model_server::{ModelServer, Script};
use jarvis_tests::pve::Fault;
use jarvis_tests::seat::Seat;
use serde_json::json;

use super::scripts::speaks;
use super::{minded, scripts, served, tools};

const ROOM: &str = "study";
const WORDS: &str = "be so kind as to look into the second machine for me";

/// Looks at pve2, after these words.
fn looks(words: &str) -> Script {
    scripts::looks(words, "read_node_status", &json!({"node": "pve2"}))
}

/// A desk and a seat in the study, before a node that answers after three seconds.
async fn house(seed: u64, script: [Script; 2]) -> (ModelServer, Desk, Seat) {
    let server = ModelServer::start(script).await.unwrap();
    let desk = served(seed, Kind::Local, &server).await;
    let seat = Seat::take(&desk, ROOM).await.unwrap();
    desk.cluster.misbehave("pve2", Fault::Slow(Duration::from_secs(3))).unwrap();
    (server, desk, seat)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_looks_without_a_word_is_bridged_by_what_is_asked() {
    // The model takes its time as well, so that the node, which is given up after a second and a half, is being asked when a word is due:
    // a second and a half after the request, whatever the machine's other work adds to it within a second.
    let script =
        [looks("").after(Duration::from_millis(400)), speaks("Node two is slow, sir.").after(Duration::from_secs(2))];
    let (_server, desk, _seat) = house(94, script).await;
    let turn = desk.ask_in(ROOM, WORDS).unwrap();
    assert_eq!(minded(&turn), "Node two is slow, sir.", "what bridges is no part of the answer: {turn:?}");
    assert_eq!(tools(&turn).len(), 1, "{turn:?}");
    let said = desk.sentences(turn.turn_id.0).unwrap();
    assert_eq!(said, ["One moment, sir - asking pve2.", "Node two is slow, sir."], "{turn:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_says_something_first_is_not_spoken_over() {
    let script = [looks("One moment, sir. "), speaks("Node two is slow, sir.").after(Duration::from_secs(2))];
    let (_server, desk, _seat) = house(95, script).await;
    let turn = desk.ask_in(ROOM, WORDS).unwrap();
    assert_eq!(minded(&turn), "One moment, sir. Node two is slow, sir.", "{turn:?}");
    let said = desk.sentences(turn.turn_id.0).unwrap();
    assert_eq!(said, ["One moment, sir.", "Node two is slow, sir."], "{turn:?}");
}
