//! A daemon and a network that do whatever they like: the satellite's end dials, keeps what was said within its bounds, and
//! has a deadline at every moment.
#![no_main]

use jarvis_link::answer::{AnswerStream, Piece, Verdict};
use jarvis_link::frame::Message;
use jarvis_link::message::{
    Answer, Generation, MIC_FRAME_BYTES, Mic, MicEnd, Opened, SatMicros, ToDaemon, ToSatellite, Utterance,
};
use jarvis_link::outbox::{FRAMES_KEPT_MAX, KEPT_MAX, MicOut};
use jarvis_link::satellite_end::{About, Input, Output, SatelliteEnd};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let mut now = SatMicros(0);
    let about = About { software: String::new(), phrases: Vec::new(), echo_cancelled: false, run: 1 };
    let mut end = SatelliteEnd::new(about, now);
    let mut utterance = Utterance(0);
    let mut stream: Option<Option<u32>> = None;
    let mut answers = [AnswerStream::Fresh, AnswerStream::Fresh];
    let mut newest = None;
    while let Some(op) = take(&mut rest) {
        match op % 12 {
            0 => now.0 += u64::from(take(&mut rest).unwrap_or(0)) * 20_000,
            1 => end.handle(Input::Connected, now),
            2 => {
                let refused = take(&mut rest).unwrap_or(0) % 2 == 0;
                end.handle(Input::Lost { reason: String::new(), refused }, now);
                if !end.is_up() {
                    stream = None;
                }
            }
            3 | 4 => {
                if let Some(message) = message::<ToSatellite>(&mut rest) {
                    end.handle(Input::Control(message), now);
                }
            }
            5 => {
                utterance.0 += 1;
                end.begin(utterance, Opened::Button, 0, now).expect("utterances count up");
            }
            6 => {
                for _ in 0..take(&mut rest).unwrap_or(0) {
                    let pcm = Box::new([0; MIC_FRAME_BYTES]);
                    if end.frame(utterance, now, 0, pcm, now).is_err() {
                        break;
                    }
                }
            }
            7 => drop(end.end(utterance, MicEnd::Closed, now)),
            8 => {
                if stream.take().is_some() {
                    end.mic_stopped();
                }
            }
            9 => {
                if let Some(message) = message::<ToDaemon>(&mut rest) {
                    end.control(message, now);
                }
            }
            10 => {
                let which = usize::from(take(&mut rest).unwrap_or(0)) % answers.len();
                if let Some(frame) = message::<Answer>(&mut rest) {
                    match end.answer(&mut answers[which], frame) {
                        Verdict::Hear(piece) => heard(&piece, &mut newest),
                        Verdict::Stop | Verdict::Broken(_) => answers[which] = AnswerStream::Fresh,
                    }
                }
            }
            _ => end.gate.stop(Generation(u64::from(take(&mut rest).unwrap_or(0)))),
        }
        end.handle_timeout(now);
        while let Some(output) = end.poll_output() {
            match output {
                Output::Drop(_) | Output::Dial => stream = None,
                // Another run of the daemon counts its answers from 1 anew.
                Output::Up { new_daemon: true, .. } => newest = None,
                _ => {}
            }
        }
        mic(&mut end, &mut stream, now);
        assert!(end.outbox().len() <= KEPT_MAX && end.outbox().frames_kept() <= FRAMES_KEPT_MAX);
        assert!(end.poll_timeout().is_some(), "it never gives up");
    }
});

/// Streams are opened, written in order and closed one after the other.
fn mic(end: &mut SatelliteEnd, stream: &mut Option<Option<u32>>, now: SatMicros) {
    for _ in 0..64 {
        match end.poll_mic(now) {
            Some(MicOut::Open(_)) => {
                assert!(stream.is_none(), "one stream at a time");
                *stream = Some(None);
            }
            Some(MicOut::Write(frame)) => {
                let next = stream.as_mut().expect("an open stream");
                match (frame, *next) {
                    (Mic::Start { .. }, None) => *next = Some(u32::MAX),
                    (Mic::Frame { seq, .. }, Some(u32::MAX)) => *next = Some(seq + 1),
                    (Mic::Frame { seq, .. }, Some(wanted)) => {
                        assert_eq!(seq, wanted);
                        *next = Some(seq + 1);
                    }
                    (Mic::End { frames, .. }, Some(wanted)) => assert!(wanted == u32::MAX || frames == wanted),
                    (frame, state) => panic!("{frame:?} after {state:?}"),
                }
            }
            Some(MicOut::Finish | MicOut::Abandon) => assert!(stream.take().is_some()),
            None => return,
        }
    }
}

/// Generations only count up.
fn heard(piece: &Piece, newest: &mut Option<Generation>) {
    match piece {
        Piece::Start { generation, .. } => {
            assert!(*newest < Some(*generation));
            *newest = Some(*generation);
        }
        Piece::Sentence { generation, .. }
        | Piece::Pcm { generation, .. }
        | Piece::End { generation, .. }
        | Piece::Cut { generation } => assert_eq!(*newest, Some(*generation)),
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
