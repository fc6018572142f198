//! Too much at once, from either end.

use std::time::Duration;

use jarvis_link::message::{MicEnd, Mood, ToSatellite};
use jarvis_satellite::net::NetEvent;
use jarvisd::hub::{EndReason, HubError};

use crate::house::{house, kitchen};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_hub_costs_no_microphone_frame() {
    let (_state, mut daemon, mut room) = house().await;
    let hub = daemon.hub.clone();
    let flood = tokio::spawn(async move {
        let mut sent = 0_u64;
        loop {
            match hub.send(&kitchen(), ToSatellite::Show(Mood::Thinking)).await {
                Ok(()) => sent += 1,
                Err(HubError::Stalled(_)) => tokio::task::yield_now().await,
                Err(_) => return sent,
            }
        }
    });
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
    let (_, frames, reason) = daemon.utterance().await;
    assert_eq!(frames, (0..500).collect::<Vec<i16>>());
    assert_eq!(reason, EndReason::Mic(MicEnd::Closed));
    let (_room, flooded) = said.await.unwrap();
    assert!(flooded > 100, "there was a flood: {flooded}");
    flood.abort();
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
