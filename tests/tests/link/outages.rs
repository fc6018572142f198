//! The network goes away and comes back; the daemon is killed and started again. How soon the link is back is decided on a virtual clock,
//! in satellite/link/tests/both_ends.rs.

use std::time::{Duration, Instant};

use jarvis_link::liveness::{DEAD_AFTER_US, PING_EVERY_US};
use jarvis_link::message::{Generation, MicEnd};
use jarvis_satellite::net::{AnswerEvent, NetEvent};
use jarvisd::hub::{Cut, EndReason, HubEvent};

use crate::house::{Daemon, Room, house, kitchen, loopback};
use crate::relay::Relay;

const RESTARTS: usize = 20;

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
async fn a_daemon_killed_and_started_again_twenty_times_gets_every_utterance_whole() {
    let (state, mut daemon, mut room) = house().await;
    let listen = daemon.address();
    let (mut slowest, mut resets) = (Duration::ZERO, 0);
    for _ in 0..RESTARTS {
        let utterance = room.open(30);
        daemon.event_where(|event| matches!(event, HubEvent::Frame { seq: 29, .. })).await;
        let killed = Instant::now();
        daemon.kill().await;
        room.say(utterance, 30..60);
        daemon = Daemon::start(state.path(), listen, None).await;
        let back = Instant::now();
        let down = room.event_where(|event| matches!(event, NetEvent::Down { .. })).await;
        // Not the satellite's patience, but the new daemon's reset (by the key it kept) told it - unless this machine is so busy that
        // no daemon was there for as long as that patience, less two pings.
        let patience = Duration::from_micros(DEAD_AFTER_US - 2 * PING_EVERY_US);
        let reset = format!("{down:?}").contains("reset by peer");
        assert!(reset || back - killed > patience, "{down:?}, {} ms after the kill", (back - killed).as_millis());
        resets += usize::from(reset);
        room.up().await;
        slowest = slowest.max(back.elapsed());
        room.close(utterance);
        let (heard, frames, reason) = daemon.utterance().await;
        assert_eq!((heard, reason), (utterance, EndReason::Mic(MicEnd::Closed)));
        assert_eq!(frames, (0..60).collect::<Vec<i16>>());
        // Answered, and heard to the end of the answer: the next run of the daemon is not asked it again.
        let writer = daemon.hub.answer(&kitchen(), Generation(1), 16_000).await.unwrap();
        writer.finish().await.unwrap();
        room.event_where(|event| matches!(event, NetEvent::Answer(AnswerEvent::End { .. }))).await;
    }
    println!("slowest return after {RESTARTS} kills, {resets} told by a reset: {} ms", slowest.as_millis());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_stops_in_order_says_goodbye() {
    let (state, daemon, mut room) = house().await;
    let listen = daemon.address();
    daemon.hub.clone().shutdown().await;
    let down = room.event_where(|event| matches!(event, NetEvent::Down { .. })).await;
    assert!(format!("{down:?}").contains("goodbye"), "{down:?}");
    // The program ends, and with it its socket.
    daemon.kill().await;
    let mut again = Daemon::start(state.path(), listen, None).await;
    room.up().await;
    again.connected().await;
}
