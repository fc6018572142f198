//! Enrolment: a code is good once, for ten minutes and three tries.

use jarvis_link::enrol::Token;
use jarvis_link::enrol::code::EnrolCode;
use jarvis_link::key::Fingerprint;
use jarvis_satellite::net::{NetError, enrol};
use jarvisd::hub::HubError;

use crate::house::{Daemon, Room, house, loopback};

/// A code with one thing changed.
fn forged(code: &str, change: impl Fn(&mut EnrolCode)) -> String {
    let mut code = EnrolCode::from_text(code).unwrap();
    change(&mut code);
    code.to_text()
}

async fn refused(code: &str) -> String {
    let state = tempfile::tempdir().unwrap();
    match enrol(code, state.path()).await {
        Err(NetError::Enrol(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_code_fails() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(state.path(), loopback(), None).await;
    let code = daemon.hub.enrol("Kitchen").await.unwrap().code;
    let satellite = tempfile::tempdir().unwrap();
    assert_eq!(enrol(&code, satellite.path()).await.unwrap().room, "kitchen");
    refused(&code).await;
    assert_eq!(daemon.hub.satellites().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_wrong_tokens_void_the_code() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(state.path(), loopback(), None).await;
    let code = daemon.hub.enrol("kitchen").await.unwrap().code;
    let guess = forged(&code, |code| code.token = Token([0; 10]));
    for _ in 0..3 {
        assert!(refused(&guess).await.contains("not the one that is open"));
    }
    refused(&code).await;
    assert!(daemon.hub.satellites().await.is_empty());
    let code = daemon.hub.enrol("kitchen").await.unwrap().code;
    let satellite = tempfile::tempdir().unwrap();
    enrol(&code, satellite.path()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_open_code_enrolment_is_not_served() {
    let (_state, daemon, _room) = house().await;
    let other = tempfile::tempdir().unwrap();
    let elsewhere = Daemon::start(other.path(), loopback(), None).await;
    let code = elsewhere.hub.enrol("hall").await.unwrap().code;
    let address = daemon.address();
    refused(&forged(&code, |code| code.address = address)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_fingerprint_costs_no_try_and_shows_no_token() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(state.path(), loopback(), None).await;
    let code = daemon.hub.enrol("kitchen").await.unwrap().code;
    for _ in 0..4 {
        refused(&forged(&code, |code| code.fingerprint = Fingerprint([9; 10]))).await;
    }
    let satellite = tempfile::tempdir().unwrap();
    enrol(&code, satellite.path()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_enrolled_anew_takes_the_place_of_the_old_one() {
    let (_state, mut daemon, mut old) = house().await;
    let mut new = Room::enrolled(&daemon, "kitchen").await;
    old.down().await;
    new.up().await;
    daemon.connected().await;
    assert_eq!(daemon.hub.satellites().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_needs_a_name_and_a_code_its_checksum() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(state.path(), loopback(), None).await;
    assert!(matches!(daemon.hub.enrol("../kitchen").await, Err(HubError::BadRoom(_))));
    let code = daemon.hub.enrol("kitchen").await.unwrap().code;
    let (first, rest) = code.split_at(1);
    let mistyped = format!("{}{rest}", if first == "0" { "1" } else { "0" });
    assert!(refused(&mistyped).await.contains("mistyped"));
}
