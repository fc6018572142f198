//! The network goes away and comes back; the daemon is killed and started again.

use std::time::{Duration, Instant};

use jarvis_link::message::MicEnd;
use jarvisd::hub::{Cut, EndReason, HubEvent};

use crate::house::{Daemon, Room, house, kitchen, loopback};
use crate::relay::Relay;

async fn house_behind_relay() -> (tempfile::TempDir, Daemon, Relay, Room) {
    let state = tempfile::tempdir().unwrap();
    let first = Daemon::start(state.path(), loopback(), None).await;
    let listen = first.address();
    first.kill().await;
    let relay = Relay::to(listen).await;
    let mut daemon = Daemon::start(state.path(), listen, Some(relay.address)).await;
    let mut room = Room::enrolled(&daemon, "kitchen").await;
    room.up().await;
    daemon.connected().await;
    (state, daemon, relay, room)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_outage_costs_no_frame_and_no_connection() {
    let (_state, mut daemon, relay, room) = house_behind_relay().await;
    let utterance = room.open(50);
    relay.cut(true);
    room.say(utterance, 50..125);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    relay.cut(false);
    room.say(utterance, 125..150);
    room.close(utterance);
    let (_, frames, reason) = daemon.utterance().await;
    assert_eq!(frames, (0..150).collect::<Vec<i16>>());
    assert_eq!(reason, EndReason::Mic(MicEnd::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_outage_in_the_middle_of_an_utterance_is_made_up_for() {
    let (_state, mut daemon, relay, mut room) = house_behind_relay().await;
    let utterance = room.open(50);
    daemon.event_where(|event| matches!(event, HubEvent::Frame { seq: 9, .. })).await;
    relay.cut(true);
    room.say(utterance, 50..100);
    room.down().await;
    room.close(utterance);
    relay.cut(false);
    let back = Instant::now();
    room.up().await;
    println!("back {} ms after the network", back.elapsed().as_millis());
    let mut next = 10;
    loop {
        match daemon.event().await {
            HubEvent::Frame { seq, samples, .. } => {
                assert_eq!((seq, samples[0]), (next, next as i16));
                next += 1;
            }
            HubEvent::Ended { reason, .. } => {
                assert_eq!((next, reason), (100, EndReason::Mic(MicEnd::Closed)));
                return;
            }
            event => assert!(!matches!(event, HubEvent::Opened { .. }), "the same run of the daemon opens it once"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_that_does_not_come_back_ends_its_utterance() {
    let (_state, mut daemon, relay, room) = house_behind_relay().await;
    let utterance = room.open(20);
    daemon.event_where(|event| matches!(event, HubEvent::Frame { seq: 9, .. })).await;
    relay.cut(true);
    let ended = daemon.event_where(|event| matches!(event, HubEvent::Ended { .. })).await;
    assert_eq!(ended, HubEvent::Ended { satellite: kitchen(), utterance, reason: EndReason::Cut(Cut::LinkLost) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_restarted_in_the_middle_of_an_utterance_ends_it() {
    let (_state, mut daemon, room) = house().await;
    let utterance = room.open(20);
    daemon.event_where(|event| matches!(event, HubEvent::Frame { seq: 19, .. })).await;
    let state = room.stop().await;
    let mut again = Room::start(state);
    again.up().await;
    let ended = daemon.event_where(|event| matches!(event, HubEvent::Ended { .. })).await;
    let reason = EndReason::Cut(Cut::SatelliteRestarted);
    assert_eq!(ended, HubEvent::Ended { satellite: kitchen(), utterance, reason });
    let next = again.open(3);
    again.close(next);
    assert_eq!(daemon.utterance().await, (next, vec![0, 1, 2], EndReason::Mic(MicEnd::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_stops_in_order_says_goodbye() {
    let (state, daemon, mut room) = house().await;
    let listen = daemon.address();
    daemon.hub.clone().shutdown().await;
    room.down().await;
    let mut again = Daemon::start(state.path(), listen, None).await;
    room.up().await;
    again.connected().await;
}
