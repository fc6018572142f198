//! Any bytes at any split: the same messages and the same end as in one piece, and what was read can be sent.
#![no_main]

use jarvis_link::enrol::message::{Reply, Request};
use jarvis_link::frame::{Decoder, FrameError, Message, encode};
use jarvis_link::message::{Answer, Mic, ToDaemon, ToSatellite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    let Some((split, bytes)) = data.split_first() else { return };
    let split = usize::from(*split).max(1);
    match kind % 6 {
        0 => check::<ToDaemon>(bytes, split),
        1 => check::<ToSatellite>(bytes, split),
        2 => check::<Mic>(bytes, split),
        3 => check::<Answer>(bytes, split),
        4 => check::<Request>(bytes, split),
        _ => check::<Reply>(bytes, split),
    }
});

fn check<M: Message>(bytes: &[u8], split: usize) {
    assert_eq!(decode::<M>(bytes, split), decode::<M>(bytes, usize::MAX));
}

/// Messages as bytes again (sound may hold a score that is not equal to itself), and how it ended.
fn decode<M: Message>(bytes: &[u8], split: usize) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
    let (mut decoder, mut messages) = (Decoder::<M>::default(), Vec::new());
    for mut part in bytes.chunks(split) {
        loop {
            match decoder.next(&mut part) {
                Ok(Some(message)) => messages.push(encode(&message).expect("what was read can be sent")),
                Ok(None) => break,
                Err(error) => return (messages, Err(error)),
            }
        }
    }
    (messages, decoder.finish())
}
