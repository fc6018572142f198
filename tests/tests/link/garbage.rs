//! Satellites that were enrolled and went bad: garbage, wrong order, too much.

use std::time::Duration;

use jarvis_link::frame::encode;
use jarvis_link::message::{MIC_FRAME_BYTES, Mic, Opened, SatMicros, ToDaemon, Utterance};
use jarvis_link::transport::{CONNECTION_RECEIVE_BYTES, Code, SEND_BYTES};
use jarvisd::hub::{Cut, EndReason, HubEvent};

use crate::hostile::{closed_with, greeted, impostor};
use crate::house::kitchen;

fn frame(seq: u32) -> Vec<u8> {
    let pcm = vec![0; MIC_FRAME_BYTES];
    encode(&Mic::Frame { seq, captured: SatMicros(0), voice: 0, pcm }).unwrap()
}

fn start(utterance: u64) -> Vec<u8> {
    encode(&Mic::Start { utterance: Utterance(utterance), opened: Opened::Button, preroll_frames: 0 }).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_control_stream_closes_the_connection() {
    let (_state, mut daemon, peer) = impostor().await;
    for garbage in [&[0xff; 64][..], &[0xff, 0xff, 0xff, 0xff], &[1, 0, 0, 0, 0x77], &[2, 0, 0, 0, 6, 0]] {
        let (connection, mut send, _receive) = greeted(&mut daemon, &peer).await;
        send.write_all(garbage).await.unwrap();
        assert_eq!(closed_with(&connection).await, Some(Code::Protocol));
    }
    let silent = peer.dial(daemon.address()).await.unwrap();
    assert_eq!(closed_with(&silent).await, Some(Code::Dead));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_an_utterance_stream_ends_that_utterance() {
    let (_state, mut daemon, peer) = impostor().await;
    let (connection, _send, _receive) = greeted(&mut daemon, &peer).await;
    let cases: [(&str, Vec<u8>, Cut); 5] = [
        ("2^32 bytes", vec![0xff; 4], Cut::Broken),
        ("no message", vec![3, 0, 0, 0, 9, 9, 9], Cut::Broken),
        ("out of order", [frame(0), frame(2)].concat(), Cut::Broken),
        ("twice a start", start(77), Cut::Broken),
        (
            "a wrong count",
            encode(&Mic::End { frames: 5, reason: jarvis_link::message::MicEnd::Closed }).unwrap(),
            Cut::Broken,
        ),
    ];
    for ((what, bytes, cut), number) in cases.into_iter().zip(1..) {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&start(number)).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let ended = daemon.event_where(|event| matches!(event, HubEvent::Ended { .. })).await;
        let wanted =
            HubEvent::Ended { satellite: kitchen(), utterance: Utterance(number), reason: EndReason::Cut(cut) };
        assert_eq!(ended, wanted, "{what}");
    }
    let mut cut_off = connection.open_uni().await.unwrap();
    cut_off.write_all(&[start(50), frame(0), frame(1)[..9].to_vec()].concat()).await.unwrap();
    cut_off.finish().unwrap();
    let (_, frames, reason) = daemon.utterance().await;
    assert_eq!((frames.len(), reason), (1, EndReason::Cut(Cut::Broken)));
    assert!(connection.close_reason().is_none(), "the connection itself lives on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_utterance_is_cut_at_its_bound() {
    let (_state, mut daemon, peer) = impostor().await;
    let (connection, mut control, _receive) = greeted(&mut daemon, &peer).await;
    let alive = tokio::spawn(async move {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&start(1)).await.unwrap();
        for seq in 0.. {
            if stream.write_all(&frame(seq)).await.is_err() {
                break;
            }
            if seq % 100 == 0 {
                let ping = ToDaemon::Ping { seq, sent: SatMicros(0), clock: None };
                control.write_all(&encode(&ping).unwrap()).await.unwrap();
            }
        }
        connection
    });
    let (_, frames, reason) = daemon.utterance().await;
    assert_eq!(reason, EndReason::Cut(Cut::TooLong));
    assert_eq!(frames.len(), jarvis_link::outbox::FRAMES_MAX as usize);
    alive.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_control_messages_closes_the_connection() {
    let (_state, mut daemon, peer) = impostor().await;
    let (connection, mut send, _receive) = greeted(&mut daemon, &peer).await;
    let flood = encode(&ToDaemon::StopPressed).unwrap().repeat(5000);
    // The connection may be closed before the last byte is out.
    send.write_all(&flood).await.ok();
    assert_eq!(closed_with(&connection).await, Some(Code::Flood));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_that_nobody_takes_is_held_back_at_the_sender() {
    let (_state, mut daemon, peer) = impostor().await;
    let (connection, mut control, _receive) = greeted(&mut daemon, &peer).await;
    let pinging = tokio::spawn(async move {
        let ping = encode(&ToDaemon::Ping { seq: 0, sent: SatMicros(0), clock: None }).unwrap();
        while control.write_all(&ping).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let (mut written, mut offered, mut streams) = (0, 0, Vec::new());
    for number in 1..=4 {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&start(number)).await.unwrap();
        for seq in 0..3000 {
            let bytes = frame(seq);
            offered += bytes.len();
            match tokio::time::timeout(Duration::from_millis(300), stream.write_all(&bytes)).await {
                Ok(sent) => sent.unwrap(),
                Err(_) => break,
            }
            written += bytes.len();
        }
        streams.push(stream);
    }
    // Nobody took an event: what went out lies in windows and queues of a fixed size, the sender's own among them.
    let queues = 4 * 64 * 1024;
    let bound = SEND_BYTES as usize + CONNECTION_RECEIVE_BYTES as usize + queues;
    assert!(written < bound, "{written} bytes of {offered} left the sender");
    assert!(connection.close_reason().is_none(), "it is held back, not closed");
    pinging.abort();
}
