//! Too much at once, from either end.

use std::time::Duration;

use jarvis_link::liveness::DEAD_AFTER_US;
use jarvis_link::message::{MicEnd, Mood, ToSatellite};
use jarvis_satellite::net::NetEvent;
use jarvisd::hub::{EndReason, Hub, HubError, HubEvent};
use tokio::task::JoinHandle;

use crate::house::{Daemon, house, kitchen};

/// Sends as much as is taken, until the satellite is gone.
fn flood(hub: Hub) -> JoinHandle<u64> {
    tokio::spawn(async move {
        let mut sent = 0_u64;
        loop {
            match hub.send(&kitchen(), ToSatellite::Show(Mood::Thinking)).await {
                Ok(()) => sent += 1,
                Err(HubError::Stalled(_)) => tokio::task::yield_now().await,
                Err(_) => return sent,
            }
        }
    })
}

/// The next utterance, on one connection: a flood must not cost the link either.
async fn uninterrupted(daemon: &mut Daemon) -> (Vec<i16>, EndReason) {
    let mut frames = Vec::new();
    loop {
        match daemon.event().await {
            HubEvent::Frame { seq, samples, .. } => {
                assert_eq!(seq as usize, frames.len());
                frames.push(samples[0]);
            }
            HubEvent::Ended { reason, .. } => return (frames, reason),
            HubEvent::Disconnected { reason, .. } => panic!("the link was lost after frame {}: {reason}", frames.len()),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_hub_costs_no_microphone_frame() {
    let (_state, mut daemon, mut room) = house().await;
    let flood = flood(daemon.hub.clone());
    let said = tokio::spawn(async move {
        let utterance = room.net.begin(jarvis_link::message::Opened::Button, 0).unwrap();
        let mut flooded = 0_u64;
        for value in 0..500_i16 {
            room.say(utterance, value..value + 1);
            // The session takes a bounded number of events a round.
            for _ in 0..8 {
                if let Ok(NetEvent::Control(_)) = room.events.try_recv() {
                    flooded += 1;
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        room.close(utterance);
        (room, flooded)
    });
    let (frames, reason) = uninterrupted(&mut daemon).await;
    assert_eq!(frames, (0..500).collect::<Vec<i16>>());
    assert_eq!(reason, EndReason::Mic(MicEnd::Closed));
    let (_room, flooded) = said.await.unwrap();
    assert!(flooded > 100, "there was a flood: {flooded}");
    flood.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_on_a_session_that_takes_nothing_costs_neither_the_link_nor_a_frame() {
    let (_state, mut daemon, room) = house().await;
    let flood = flood(daemon.hub.clone());
    // Nobody takes the room's events for longer than a silent daemon would be given.
    let frames = i16::try_from(2 * DEAD_AFTER_US / 20_000).unwrap();
    let said = tokio::spawn(async move {
        let utterance = room.net.begin(jarvis_link::message::Opened::Button, 0).unwrap();
        for value in 0..frames {
            room.say(utterance, value..value + 1);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        room.close(utterance);
        room
    });
    let (heard, reason) = uninterrupted(&mut daemon).await;
    assert_eq!(heard, (0..frames).collect::<Vec<i16>>());
    assert_eq!(reason, EndReason::Mic(MicEnd::Closed));
    let mut room = said.await.unwrap();
    flood.abort();
    // What was told last is not lost: it took the place of what it made void.
    let listen = ToSatellite::Listen { window_ms: 7 };
    while let Err(HubError::Stalled(_)) = daemon.hub.send(&kitchen(), listen.clone()).await {
        tokio::task::yield_now().await;
    }
    room.event_where(|event| *event == NetEvent::Control(listen.clone())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_wakes_in_a_row_all_come_to_their_end() {
    let (_state, mut daemon, room) = house().await;
    for _ in 0..100 {
        let utterance = room.open(5);
        room.close(utterance);
        let (ended, frames, _) = daemon.utterance().await;
        assert_eq!((ended, frames.len()), (utterance, 5));
        daemon.hub.settle(&kitchen(), utterance).await.unwrap();
    }
}
