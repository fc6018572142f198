//! A daemon that holds the right key and went bad: garbage, frames of 2^32 bytes, and frames out of order, on their way to a satellite.

use std::net::SocketAddr;
use std::path::Path;

use jarvis_link::frame::{Decoder, encode};
use jarvis_link::message::{Answer, DaemonMicros, Generation, Settings, ToDaemon, ToSatellite};
use jarvis_link::transport::{ALPN_LINK, Code};
use jarvis_link::version::CURRENT;
use jarvis_satellite::net::{AnswerEvent, NetEvent};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tempfile::TempDir;

use crate::hostile::closed_with;
use crate::house::{LONG, Room, house};
use crate::keys::Key;

struct BadDaemon {
    endpoint: quinn::Endpoint,
}

impl BadDaemon {
    /// In the place of the one whose state that is.
    fn start(state: &Path, listen: SocketAddr) -> Self {
        let key = Key::from_pkcs8(&std::fs::read(state.join("link/daemon.key")).unwrap());
        Self { endpoint: quinn::Endpoint::server(key.server(&[ALPN_LINK]), listen).unwrap() }
    }

    /// The satellite's next connection, greeted, with something behind the greeting.
    async fn greets(&self, and: &[u8]) -> (Connection, SendStream, RecvStream) {
        let greeted = async {
            let connection = self.endpoint.accept().await.unwrap().await.unwrap();
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            assert!(receive.read(&mut [0; 1024]).await.unwrap().is_some(), "it says who it is");
            send.write_all(&[welcome(), and.to_vec()].concat()).await.unwrap();
            (connection, send, receive)
        };
        tokio::time::timeout(LONG, greeted).await.expect("it comes back")
    }
}

fn welcome() -> Vec<u8> {
    let settings = Settings { volume_percent: 50, muted: false };
    encode(&ToSatellite::Welcome { version: CURRENT, room: "kitchen".into(), settings, run: 1 }).unwrap()
}

/// A satellite whose daemon was replaced by a bad one.
async fn betrayed() -> (TempDir, BadDaemon, Room) {
    let (state, daemon, room) = house().await;
    let (satellite, listen) = (room.stop().await, daemon.address());
    daemon.kill().await;
    let bad = BadDaemon::start(state.path(), listen);
    (state, bad, Room::start(satellite))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_control_stream_ends_the_link_and_the_satellite_dials_again() {
    let (_state, bad, mut room) = betrayed().await;
    let cases: [(&str, Vec<u8>); 6] = [
        ("garbage", vec![0xff; 64]),
        ("2^32 bytes", vec![0xff; 4]),
        ("no message", vec![1, 0, 0, 0, 0x77]),
        ("a byte behind a goodbye", vec![2, 0, 0, 0, 9, 0]),
        ("louder than possible", vec![3, 0, 0, 0, 8, 101, 0]),
        ("a second greeting", welcome()),
    ];
    for (what, bytes) in cases {
        let (connection, _send, _receive) = bad.greets(&bytes).await;
        assert_eq!(closed_with(&connection).await, Some(Code::Protocol), "{what}");
        room.up().await;
        room.down().await;
    }
    let (connection, _send, _receive) = bad.greets(&[]).await;
    room.up().await;
    assert!(connection.close_reason().is_none(), "a greeting alone is nothing bad");
}

/// Answers pings, so that the link is found alive.
async fn lives(mut send: SendStream, mut receive: RecvStream) {
    let mut decoder = Decoder::<ToDaemon>::default();
    while let Ok(Some(chunk)) = receive.read_chunk(4096, true).await {
        let mut bytes = &chunk.bytes[..];
        while let Some(message) = decoder.next(&mut bytes).unwrap() {
            if let ToDaemon::Ping { seq, sent, .. } = message {
                let pong = ToSatellite::Pong { seq, sent, daemon: DaemonMicros(sent.0) };
                send.write_all(&encode(&pong).unwrap()).await.unwrap();
            }
        }
    }
}

/// How the next answer ends.
async fn over(room: &mut Room) -> AnswerEvent {
    loop {
        match room.event().await {
            NetEvent::Answer(event @ (AnswerEvent::End { .. } | AnswerEvent::Cut { .. })) => return event,
            NetEvent::Down { reason } => panic!("the link was lost: {reason}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_an_answer_stream_cuts_that_answer_and_no_other() {
    let (_state, bad, mut room) = betrayed().await;
    let (connection, send, receive) = bad.greets(&[]).await;
    let living = tokio::spawn(lives(send, receive));
    let start = |generation| encode(&Answer::Start { generation: Generation(generation), rate_hz: 16_000 }).unwrap();
    let pcm = || encode(&Answer::Pcm(vec![1; 640])).unwrap();
    let cases: [(&str, Vec<u8>); 4] = [
        ("2^32 bytes", vec![0xff; 4]),
        ("no message", vec![3, 0, 0, 0, 9, 9, 9]),
        ("half a sample", vec![3, 0, 0, 0, 2, 1, 7]),
        ("a second beginning", start(99)),
    ];
    let unwanted = VarInt::from_u32(Code::Unwanted as u32);
    for ((what, bytes), generation) in cases.into_iter().zip(1..) {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&[start(generation), pcm(), bytes].concat()).await.unwrap();
        assert_eq!(over(&mut room).await, AnswerEvent::Cut { generation: Generation(generation) }, "{what}");
        assert_eq!(stream.stopped().await.unwrap(), Some(unwanted), "{what}");
    }
    // Sound of an answer that never began is no answer; one that stops in the middle of a frame is cut.
    let mut headless = connection.open_uni().await.unwrap();
    headless.write_all(&pcm()).await.unwrap();
    assert_eq!(headless.stopped().await.unwrap(), Some(unwanted));
    let mut cut_off = connection.open_uni().await.unwrap();
    cut_off.write_all(&[start(20), pcm()[..100].to_vec()].concat()).await.unwrap();
    cut_off.finish().unwrap();
    assert_eq!(over(&mut room).await, AnswerEvent::Cut { generation: Generation(20) });

    let mut good = connection.open_uni().await.unwrap();
    good.write_all(&[start(21), pcm(), encode(&Answer::End).unwrap()].concat()).await.unwrap();
    good.finish().unwrap();
    assert_eq!(over(&mut room).await, AnswerEvent::End { generation: Generation(21) });
    assert!(connection.close_reason().is_none(), "the link itself lives on");
    living.abort();
}
