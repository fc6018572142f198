//! A satellite that does whatever it likes: the daemon's end tells of every utterance in order, and stays within its bounds.
#![no_main]

use std::collections::BTreeMap;

use jarvis_link::daemon_end::{DaemonEnd, House, Output};
use jarvis_link::frame::Message;
use jarvis_link::inbox::{Heard, Inbox, MicStream};
use jarvis_link::message::{DaemonMicros, MIC_FRAME_BYTES, Mic, SatMicros, Settings, ToDaemon, Utterance};
use jarvis_link::transport::Code;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let mut now = DaemonMicros(0);
    let mut streams = [MicStream::Fresh; 4];
    let mut end = connect(Inbox::default(), now);
    let mut told = BTreeMap::new();
    while let Some(op) = take(&mut rest) {
        match op % 9 {
            0 => now.0 += u64::from(take(&mut rest).unwrap_or(0)) * 50_000,
            1 => {
                if let Some(message) = message::<ToDaemon>(&mut rest) {
                    end.control(message, now);
                }
            }
            2 | 3 => {
                let stream = usize::from(take(&mut rest).unwrap_or(0)) % streams.len();
                if let Some(frame) = message::<Mic>(&mut rest) {
                    end.mic(&mut streams[stream], frame, now);
                }
            }
            4 => {
                let stream = usize::from(take(&mut rest).unwrap_or(0)) % streams.len();
                let seq = u32::from(take(&mut rest).unwrap_or(0));
                let frame = Mic::Frame { seq, captured: SatMicros(now.0), voice: 0, pcm: vec![0; MIC_FRAME_BYTES] };
                end.mic(&mut streams[stream], frame, now);
            }
            5 => {
                let stream = usize::from(take(&mut rest).unwrap_or(0)) % streams.len();
                end.mic_ended(&mut streams[stream]);
                streams[stream] = MicStream::Fresh;
            }
            6 => end.settle(Utterance(u64::from(take(&mut rest).unwrap_or(0)))),
            7 => {
                end.close(Code::Replaced);
                drain(&mut end, &mut told);
                streams = [MicStream::Fresh; 4];
                end = connect(end.into_inbox(), now);
            }
            _ => {
                let hello = ToDaemon::Hello {
                    versions: (1, 2),
                    software: String::new(),
                    phrases: Vec::new(),
                    echo_cancelled: false,
                    run: u64::from(take(&mut rest).unwrap_or(0) % 2),
                };
                end.control(hello, now);
            }
        }
        end.handle_timeout(now);
        drain(&mut end, &mut told);
        if let Some(at) = end.poll_timeout() {
            assert!(at > now, "a deadline that was met is over");
        }
    }
});

fn connect(inbox: Inbox, now: DaemonMicros) -> DaemonEnd {
    let settings = Settings { volume_percent: 1, muted: false };
    DaemonEnd::new(House { room: String::from("room"), settings, run: 1 }, inbox, now)
}

/// Every utterance opens once, while no other is open, counts up, and ends once.
fn drain(end: &mut DaemonEnd, told: &mut BTreeMap<Utterance, Option<u32>>) {
    let mut outputs = 0;
    while let Some(output) = end.poll_output() {
        outputs += 1;
        assert!(outputs < 64, "one input leads to few outputs");
        match output {
            Output::Heard(Heard::Opened { utterance, .. }) => {
                // Another run of the satellite counts anew; within one, the inbox forgets none that is open.
                assert!(told.values().all(Option::is_none), "{utterance:?} opened within another, or twice");
                told.insert(utterance, Some(0));
            }
            Output::Heard(Heard::Frame { utterance, seq, .. }) => {
                let next = told.get_mut(&utterance).and_then(Option::as_mut).expect("a frame of an open utterance");
                assert_eq!(seq, *next);
                *next += 1;
            }
            Output::Heard(Heard::Ended { utterance, .. } | Heard::Cut { utterance, .. }) => {
                let open = told.insert(utterance, None);
                assert!(matches!(open, Some(Some(_))), "{utterance:?} ended without being open");
            }
            Output::Send(_) | Output::Greeted(_) | Output::Close(_) | Output::Control(_) => {}
        }
    }
    if told.len() > 1000 {
        told.retain(|_, frames| frames.is_some());
    }
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

/// A message that passes its own bounds, as the decoder would give it.
fn message<M: Message>(rest: &mut &[u8]) -> Option<M> {
    let (message, after) = postcard::take_from_bytes::<M>(rest).ok()?;
    message.check().ok()?;
    *rest = after;
    Some(message)
}
