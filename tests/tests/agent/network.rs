//! No network, no name, no key, and nodes that hang or answer far too much: through a whole turn.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use jarvis_tests::desk::{Desk, Kind};
use jarvis_tests::model_server::{ModelServer, Script};
use jarvis_tests::pve::Fault;
use jarvisd::event::{RouteKind, TurnRecord};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};

use super::scripts::{looks, speaks};
use super::{KINDS, key, minded, served, served_by, tools};

const WORDS: &str = "kindly enlighten me about the state of things";
/// A request is routed long before whatever would be waited for comes to an end. That it is routed within a second and a half is a constant
/// of the program; how long it takes on a busy machine decides nothing here.
const DECIDED_MS: i64 = 60_000;
/// What a provider's connection may take by its configuration: nobody who waited for that would be done in time.
const PATIENCE: &str = "wait = { connect_ms = 600000 }\n";
/// A conversation whose one result keeps the 24,000 bytes that are its due has fewer, quotes and all.
const RESULT_MAX: usize = 48_000;

/// A place where connections are not even accepted: its queue is full, so the first packet of each is dropped.
struct Silent {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Silent {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
            queued.push(stream);
            assert!(queued.len() < 64, "the queue never fills");
        }
        Self { address, _listener: listener, _queued: queued }
    }

    fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

/// Asks what only a model understands; nobody must have been asked, in time and in words.
fn nobody_is_asked(desk: &Desk, why: &str) {
    let turn = desk.ask(WORDS).unwrap();
    let route = turn.route.as_ref().unwrap_or_else(|| panic!("not routed: {turn:?}"));
    assert_eq!(route.kind, RouteKind::NotUnderstood, "{turn:?}");
    assert!(route.reason.contains(why), "{}", route.reason);
    assert!(turn.reply.as_deref().is_some_and(|reply| !reply.trim().is_empty()), "it ends in a word: {turn:?}");
    let (asked, first) = (turn.marks_ms.transcript.unwrap(), turn.marks_ms.first_sentence.unwrap());
    assert!(first - asked <= DECIDED_MS, "decided after {} ms: {turn:?}", first - asked);
    assert!(desk.runs().unwrap().is_empty(), "no run was begun");
    by_grammar(desk);
}

/// What the grammar knows is answered as ever.
fn by_grammar(desk: &Desk) {
    let turn: TurnRecord = desk.ask("how many nodes are up").unwrap();
    assert_eq!(turn.route.as_ref().map(|route| route.kind), Some(RouteKind::Intent), "{turn:?}");
    assert!(turn.reply.as_deref().is_some_and(|reply| !reply.trim().is_empty()), "{turn:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_network_is_found_out_in_time_and_the_house_goes_on_without_a_model() {
    let silent = Silent::new();
    for (seed, kind) in (201..).zip(KINDS) {
        let desk = served_by(seed, kind, &silent.url(), &(key(seed) + PATIENCE)).await;
        nobody_is_asked(&desk, "it can't be reached");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_knows_is_found_out_in_time() {
    for (seed, kind) in (203..).zip(KINDS) {
        let desk = served_by(seed, kind, "http://no-such-machine.invalid:8080/v1", &(key(seed) + PATIENCE)).await;
        nobody_is_asked(&desk, "it can't be reached");
    }
}

/// Asks twice; the provider must have refused once, in words that say why, and then be left alone.
fn is_left_alone(desk: &Desk, why: &str) {
    let turn = desk.ask(WORDS).unwrap();
    assert!(minded(&turn).contains("could not get an answer from script"), "{turn:?}");
    let status = desk.ctl(&["status"]).unwrap();
    assert!(status["degraded"].to_string().contains(why), "{status}");
    by_grammar(desk);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_the_turn_says_so_and_the_house_goes_on() {
    let server = ModelServer::start([]).await.unwrap();
    let desk = served_by(205, Kind::Cloud, &server.url(), "").await;
    is_left_alone(&desk, "no API key");
    assert!(server.asked().is_empty(), "nothing is sent without a key");
    assert!(desk.books().unwrap().iter().all(|(state, _, cost)| state == "released" && *cost == Some(0)), "nor paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_told_once_and_not_tried_again() {
    let claude = json!({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}});
    let openai = json!({"error": {"message": "Incorrect API key", "type": "invalid_request_error"}});
    for (seed, kind, refusal) in [(206, Kind::Cloud, claude), (207, Kind::Local, openai)] {
        let server = ModelServer::start([Script::refusal(401, &refusal)]).await.unwrap();
        let desk = served(seed, kind, &server).await;
        is_left_alone(&desk, "the API key is not accepted");
        assert_eq!(server.asked().len(), 1, "{kind:?}: a key does not get better by asking again");
        let books = desk.books().unwrap();
        assert!(books.iter().all(|(state, ..)| state != "open"), "{books:?}");
    }
}

/// What the model was told last, the whole request.
fn told(server: &ModelServer) -> String {
    server.asked().last().unwrap().body["messages"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_is_unknown_and_the_run_ends_in_time() {
    let looks = looks("", "read_node_status", &json!({"node": "pve2"}));
    let server = ModelServer::start([looks, speaks("It does not answer, sir.")]).await.unwrap();
    let desk = served(208, Kind::Local, &server).await;
    desk.cluster.misbehave("pve2", Fault::Hangs).unwrap();
    let turn = desk.ask(WORDS).unwrap();
    assert_eq!(minded(&turn), "It does not answer, sir.", "{turn:?}");
    // The node says nothing for ten minutes.
    assert!(turn.tools[0].ms < 60_000, "a read is given up: {turn:?}");
    let told = told(&server);
    assert!(told.contains("gaps") && told.contains("node_unknown"), "the model hears that it is unknown: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn megabytes_from_a_node_are_cut_or_refused_and_the_turn_ends_in_a_word() {
    let many = || speaks("There are a great many, sir.");
    let script =
        [looks("", "read_snapshots", &json!({"vmid": 112})), many(), looks("", "read_tasks", &json!({})), many()];
    let server = ModelServer::start(script).await.unwrap();
    let desk = served(209, Kind::Local, &server).await;
    desk.cluster.change(|state| {
        let many = (0..5_000).map(|n| (format!("nightly-{n:05}-{}", "x".repeat(24)), 1_700_000_000 + n));
        state.guest_mut(112).unwrap().snapshots = many.collect();
    });
    let turn = desk.ask(WORDS).unwrap();
    assert_eq!(minded(&turn), "There are a great many, sir.", "{turn:?}");
    assert_eq!(tools(&turn), [("read_snapshots", "ok")], "the node did answer");
    let all = told(&server);
    assert!(all.contains("nightly-00000") && all.len() < RESULT_MAX, "the model was told {} bytes", all.len());
    // Ten megabytes from whoever is asked: refused before they are read to their end.
    for node in ["pve1", "pve2", "pve3", "pve4"] {
        desk.cluster.misbehave(node, Fault::Huge).unwrap();
    }
    let turn = desk.ask(WORDS).unwrap();
    assert_eq!(minded(&turn), "There are a great many, sir.", "{turn:?}");
    let all = told(&server);
    assert!(all.contains("gaps") && all.len() < RESULT_MAX, "the model was told {} bytes", all.len());
}
