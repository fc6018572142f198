#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]
// SPDX-License-Identifier: GPL-3.0-or-later

//! The worker as the daemon sees it: a process behind two pipes.

use std::io::Write;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use jarvis_worker::frames;
use jarvis_worker::{VoiceEvent, VoiceRequest};

struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    rate_hz: u32,
}

impl Worker {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_jarvis-voice"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let Some(VoiceEvent::Ready { rate_hz, library }) = frames::read(&mut output).unwrap() else {
            panic!("not ready");
        };
        assert!(!library.is_empty());
        Self { input: child.stdin.take(), child, output, rate_hz }
    }

    fn send(&mut self, request: &VoiceRequest) {
        frames::write(self.input.as_mut().unwrap(), request).unwrap();
    }

    fn speak(&mut self, job: u64, text: &str, voice: &str, rate: u16, pitch: u8) {
        self.send(&VoiceRequest::Speak { job, text: text.to_owned(), voice: voice.to_owned(), rate, pitch });
    }

    fn next(&mut self) -> Option<VoiceEvent> {
        frames::read(&mut self.output).unwrap()
    }

    /// The sound of a job up to its end, and the end.
    fn whole(&mut self, job: u64) -> (Vec<Vec<i16>>, VoiceEvent) {
        let mut pieces = Vec::new();
        loop {
            match self.next().unwrap() {
                VoiceEvent::Pcm { job: of, samples } if of == job => pieces.push(samples),
                end => return (pieces, end),
            }
        }
    }

    fn sound(&mut self, job: u64) -> Vec<i16> {
        let (pieces, end) = self.whole(job);
        assert_eq!(end, VoiceEvent::Done { job });
        pieces.concat()
    }

    fn end(mut self) -> std::process::ExitStatus {
        drop(self.input.take());
        self.child.wait().unwrap()
    }
}

const BUTLER: &str = "en-gb-x-rp";

#[test]
fn a_sentence_is_spoken_in_pieces_and_takes_the_same_time_again() {
    let mut worker = Worker::start();
    assert_eq!(worker.rate_hz, 22_050);
    worker.speak(1, "All four nodes are well, sir.", BUTLER, 165, 35);
    let (pieces, end) = worker.whole(1);
    assert_eq!(end, VoiceEvent::Done { job: 1 });
    assert!(pieces.len() > 10, "{} pieces", pieces.len());
    let first = pieces.concat();
    let seconds = first.len() as f64 / 22_050.0;
    assert!((1.0..4.0).contains(&seconds), "{seconds} s");
    assert!(first.iter().any(|s| s.unsigned_abs() > 3000));
    // In one process the samples differ a little from time to time, their number by less than a millisecond's.
    worker.speak(2, "All four nodes are well, sir.", BUTLER, 165, 35);
    assert!(worker.sound(2).len().abs_diff(first.len()) < 22);
    assert!(worker.end().success());
}

/// The strongest period between 60 and 300 Hz, as a frequency.
fn pitch_hz(sound: &[i16]) -> usize {
    let product =
        |lag: usize| -> f64 { sound.iter().zip(&sound[lag..]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let lag = (22_050 / 300..22_050 / 60).max_by(|a, b| product(*a).total_cmp(&product(*b)));
    22_050 / lag.unwrap()
}

#[test]
fn voice_rate_and_pitch_are_heard() {
    let mut worker = Worker::start();
    let mut say = |job, voice, rate, pitch| {
        worker.speak(job, "Node two runs five guests.", voice, rate, pitch);
        worker.sound(job)
    };
    let butler = say(1, BUTLER, 165, 35);
    assert!(say(2, "en-us", 165, 35).len().abs_diff(butler.len()) > 500);
    let high = say(3, BUTLER, 165, 90);
    assert!(pitch_hz(&high) > pitch_hz(&butler) + 15, "{} and {} Hz", pitch_hz(&high), pitch_hz(&butler));
    assert!(say(4, BUTLER, 300, 35).len() < butler.len() * 3 / 4);
    // Out of the library's bounds: clamped.
    assert!(!say(5, BUTLER, u16::MAX, u8::MAX).is_empty());
    assert!(!say(6, BUTLER, 0, 0).is_empty());
    let again = say(7, BUTLER, 165, 35).len();
    assert!(again.abs_diff(butler.len()) < butler.len() / 20, "{again} and {} samples", butler.len());
}

#[test]
fn a_cancel_stops_the_sentence_and_the_next_is_spoken() {
    let mut worker = Worker::start();
    let long = "This sentence goes on and on, and nobody wants to hear the end of it. ".repeat(60);
    worker.speak(1, &long, BUTLER, 80, 35);
    assert!(matches!(worker.next(), Some(VoiceEvent::Pcm { job: 1, .. })));
    worker.speak(2, "waits and is cancelled as well", BUTLER, 165, 35);
    worker.send(&VoiceRequest::Cancel(2));
    worker.send(&VoiceRequest::Cancel(1));
    worker.speak(3, "Very well.", BUTLER, 165, 35);
    let mut sound_of_one = 0;
    let mut done = Vec::new();
    while done.len() < 3 {
        match worker.next().unwrap() {
            VoiceEvent::Pcm { job: 1, samples } => sound_of_one += samples.len(),
            VoiceEvent::Pcm { job, .. } => assert_eq!(job, 3),
            VoiceEvent::Done { job } => done.push(job),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(done, [2, 1, 3]);
    // Whole, it would be minutes; a pipe and a buffer of it may have been on their way.
    assert!(sound_of_one < 30 * 22_050, "{} s", sound_of_one / 22_050);
}

#[test]
fn what_cannot_be_spoken_is_refused_and_the_next_sentence_works() {
    let mut worker = Worker::start();
    worker.speak(1, "Hello.", "no-such-voice", 165, 35);
    let (_, end) = worker.whole(1);
    assert!(matches!(&end, VoiceEvent::Failed { reason, .. } if reason.contains("no-such-voice")), "{end:?}");
    worker.speak(2, &"word ".repeat(10_000), BUTLER, 165, 35);
    assert!(matches!(worker.whole(2).1, VoiceEvent::Failed { .. }));
    worker.speak(3, "zero\0in the middle, \u{1f389} [[h@l'oU]] <voice> &amp; 日本", BUTLER, 165, 35);
    assert!(!worker.sound(3).is_empty());
    worker.speak(4, "", BUTLER, 165, 35);
    assert_eq!(worker.whole(4).1, VoiceEvent::Done { job: 4 });
    worker.send(&VoiceRequest::Cancel(77));
    worker.speak(5, "Hello.", BUTLER, 165, 35);
    assert!(!worker.sound(5).is_empty());
}

#[test]
fn garbage_ends_it_with_a_word() {
    let mut worker = Worker::start();
    worker.input.as_mut().unwrap().write_all(&[0xff; 64]).unwrap();
    let Worker { child, .. } = worker;
    let ended = child.wait_with_output().unwrap();
    assert!(!ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("frame"));
}

#[test]
fn it_ends_when_the_daemon_is_gone_even_in_mid_sentence() {
    let mut worker = Worker::start();
    worker.speak(1, &"It goes on and on. ".repeat(500), BUTLER, 80, 35);
    assert!(matches!(worker.next(), Some(VoiceEvent::Pcm { .. })));
    let Worker { mut child, input, output, .. } = worker;
    drop((input, output));
    child.wait().unwrap();
}
