//! The bytes of every version that was ever spoken. If a test here fails, do not change the file it compares with: the change that
//! broke it needs a new version (see `jarvis_link::version`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use jarvis_link::enrol::Token;
use jarvis_link::enrol::code::EnrolCode;
use jarvis_link::enrol::message::{Refusal, Reply, Request};
use jarvis_link::frame::{Decoder, Message, encode};
use jarvis_link::key::{Fingerprint, PublicKey};
use jarvis_link::message::{
    Answer, ClockEstimate, DaemonMicros, Generation, Mic, MicEnd, Mood, Opened, SETTLED, SatMicros, Settings, ToDaemon,
    ToSatellite, Utterance,
};
use jarvis_link::version::CURRENT;

const V1: &str = include_str!("golden/v1.txt");
const V2: &str = include_str!("golden/v2.txt");

/// Every message once, by name, as bytes; each is read back on the way.
#[derive(Default)]
struct Samples(Vec<(String, String)>);

impl Samples {
    fn add<M: Message + PartialEq + std::fmt::Debug>(&mut self, name: &str, message: M) {
        let bytes = encode(&message).unwrap();
        let read = Decoder::<M>::default().next(&mut &bytes[..]);
        assert_eq!(read, Ok(Some(message)), "{name}");
        self.0.push((name.to_owned(), bytes.iter().map(|byte| format!("{byte:02x}")).collect()));
    }
}

fn satellite_to_daemon(samples: &mut Samples, version: u16) {
    let generation = Generation(300);
    let at = SatMicros(1_000_000);
    let hello = ToDaemon::Hello {
        versions: (1, version),
        software: "0.1.0".into(),
        phrases: vec!["hey jarvis".into()],
        echo_cancelled: true,
        run: 0x0102_0304_0506_0708,
    };
    samples.add("to_daemon.hello", hello);
    samples.add("to_daemon.ping.first", ToDaemon::Ping { seq: 1, sent: at, clock: None });
    let clock = Some(ClockEstimate { offset_us: -70_000, rtt_us: 2_500 });
    samples.add("to_daemon.ping", ToDaemon::Ping { seq: 200, sent: at, clock });
    samples.add("to_daemon.playback_started", ToDaemon::PlaybackStarted { generation, at });
    samples.add("to_daemon.sentence_played", ToDaemon::SentencePlayed { generation, index: 2 });
    samples.add("to_daemon.playback_done", ToDaemon::PlaybackDone { generation, at, underruns: 3, cut: false });
    samples.add("to_daemon.settings", ToDaemon::Settings(Settings { volume_percent: 55, muted: true }));
    samples.add("to_daemon.stop_pressed", ToDaemon::StopPressed);
    samples.add("to_daemon.trouble", ToDaemon::Trouble { text: "microphone gone".into() });
    samples.add("to_daemon.bye", ToDaemon::Bye);
}

fn daemon_to_satellite(samples: &mut Samples, version: u16) {
    let settings = Settings { volume_percent: 60, muted: false };
    let welcome = ToSatellite::Welcome { version, room: "kitchen".into(), settings, run: 9 };
    samples.add("to_satellite.welcome", welcome);
    samples.add("to_satellite.refused", ToSatellite::Refused { reason: "update it".into() });
    let pong = ToSatellite::Pong { seq: 1, sent: SatMicros(1_000_000), daemon: DaemonMicros(7) };
    samples.add("to_satellite.pong", pong);
    samples.add("to_satellite.ack", ToSatellite::Ack { utterance: Utterance(4), next: 75 });
    samples.add("to_satellite.ack.settled", ToSatellite::Ack { utterance: Utterance(4), next: SETTLED });
    samples.add("to_satellite.close_mic", ToSatellite::CloseMic { utterance: Utterance(4), silent: true });
    for mood in [Mood::Idle, Mood::Listening, Mood::Thinking, Mood::Speaking, Mood::Trouble] {
        samples.add(&format!("to_satellite.show.{mood:?}").to_lowercase(), ToSatellite::Show(mood));
    }
    samples.add("to_satellite.stop_playback", ToSatellite::StopPlayback { generation: Generation(300) });
    samples.add("to_satellite.listen", ToSatellite::Listen { window_ms: 8000 });
    samples.add("to_satellite.settings", ToSatellite::Settings(settings));
    samples.add("to_satellite.bye", ToSatellite::Bye);
}

fn sound(samples: &mut Samples) {
    let wake = Opened::Wake {
        phrase: "hey jarvis".into(),
        score: 0.625,
        sure: true,
        enrolled: false,
        at: SatMicros(1_000_000),
    };
    for (name, opened) in [("wake", wake), ("button", Opened::Button), ("follow_up", Opened::FollowUp)] {
        samples.add(&format!("mic.start.{name}"), Mic::Start { utterance: Utterance(4), opened, preroll_frames: 75 });
    }
    let pcm = (0..640).map(|byte| byte as u8).collect();
    samples.add("mic.frame", Mic::Frame { seq: 300, captured: SatMicros(1_000_000), voice: 200, pcm });
    for reason in [MicEnd::Closed, MicEnd::TooLong, MicEnd::MicLost, MicEnd::Released] {
        samples.add(&format!("mic.end.{reason:?}").to_lowercase(), Mic::End { frames: 301, reason });
    }
    samples.add("answer.start", Answer::Start { generation: Generation(300), rate_hz: 22_050 });
    samples.add("answer.sentence", Answer::Sentence { index: 2 });
    samples.add("answer.pcm", Answer::Pcm(vec![1, 0, 255, 127]));
    samples.add("answer.end", Answer::End);
}

fn enrolment(samples: &mut Samples) {
    let request = Request { token: Token([7; 10]), key: PublicKey([9; 32]), software: "0.1.0".into() };
    samples.add("enrol.request", request);
    samples.add("enrol.reply.enrolled", Reply::Enrolled { room: "kitchen".into() });
    for refusal in [Refusal::NotOpen, Refusal::WrongToken, Refusal::WrongKey, Refusal::NotWritten] {
        samples.add(&format!("enrol.reply.{refusal:?}").to_lowercase(), Reply::Refused(refusal));
    }
}

/// All messages of version 1, with the numbers that a connection of `version` begins with.
fn first_messages(version: u16) -> Samples {
    let mut samples = Samples::default();
    satellite_to_daemon(&mut samples, version);
    daemon_to_satellite(&mut samples, version);
    sound(&mut samples);
    enrolment(&mut samples);
    let code = EnrolCode {
        address: "192.168.1.10:7420".parse().unwrap(),
        fingerprint: Fingerprint([1; 10]),
        token: Token([2; 10]),
    };
    samples.0.push((String::from("enrol.code"), code.to_text()));
    samples
}

fn compare(samples: &Samples, golden: &str) {
    let spoken: Vec<String> = samples.0.iter().map(|(name, bytes)| format!("{name} = {bytes}")).collect();
    let golden: Vec<&str> = golden.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(spoken, golden);
}

#[test]
fn version_1_has_the_bytes_it_always_had() {
    compare(&first_messages(1), V1);
}

#[test]
fn version_2_has_the_bytes_it_always_had() {
    let mut samples = first_messages(2);
    samples.add("answer.answered", Answer::Answered { newest: Utterance(4) });
    compare(&samples, V2);
}

#[test]
fn the_current_version_has_its_golden_file() {
    assert_eq!(CURRENT, 2, "a new version needs tests/golden/vN.txt and a test beside those above");
}
