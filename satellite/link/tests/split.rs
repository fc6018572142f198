//! Frames: any split of the input gives the same messages; no input panics, and none makes the decoder hold more than its bound.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use jarvis_link::frame::{Decoder, FrameError, Message, PREFIX_BYTES, encode};
use jarvis_link::message::{
    Answer, ClockEstimate, DaemonMicros, Generation, MAX_PCM_BYTES, MIC_FRAME_BYTES, Mic, MicEnd, Mood, Opened,
    SatMicros, Settings, ToDaemon, ToSatellite, Utterance,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn to_daemon() -> impl Strategy<Value = ToDaemon> {
    let settings = (0_u8..=100, any::<bool>()).prop_map(|(volume_percent, muted)| Settings { volume_percent, muted });
    let clock = proptest::option::of((any::<i64>(), any::<u32>()));
    prop_oneof![
        ("[a-z]{0,16}", vec("[a-zé ]{0,16}", 0..8), any::<u64>(), any::<(u16, u16)>()).prop_map(
            |(software, phrases, run, versions)| ToDaemon::Hello {
                versions,
                software,
                phrases,
                echo_cancelled: true,
                run
            }
        ),
        (any::<u32>(), any::<u64>(), clock).prop_map(|(seq, sent, clock)| ToDaemon::Ping {
            seq,
            sent: SatMicros(sent),
            clock: clock.map(|(offset_us, rtt_us)| ClockEstimate { offset_us, rtt_us }),
        }),
        (any::<u64>(), any::<u16>())
            .prop_map(|(of, index)| ToDaemon::SentencePlayed { generation: Generation(of), index }),
        settings.prop_map(ToDaemon::Settings),
        "[a-zß ]{0,200}".prop_map(|text| ToDaemon::Trouble { text }),
        Just(ToDaemon::StopPressed),
        Just(ToDaemon::Bye),
    ]
}

fn to_satellite() -> impl Strategy<Value = ToSatellite> {
    prop_oneof![
        (any::<u32>(), any::<u64>(), any::<u64>()).prop_map(|(seq, sent, daemon)| ToSatellite::Pong {
            seq,
            sent: SatMicros(sent),
            daemon: DaemonMicros(daemon),
        }),
        (any::<u64>(), any::<u32>()).prop_map(|(of, next)| ToSatellite::Ack { utterance: Utterance(of), next }),
        Just(ToSatellite::Show(Mood::Thinking)),
        (0_u16..30_000).prop_map(|window_ms| ToSatellite::Listen { window_ms }),
        "[a-z ]{0,100}".prop_map(|reason| ToSatellite::Refused { reason }),
    ]
}

fn mic() -> impl Strategy<Value = Mic> {
    prop_oneof![
        (any::<u64>(), 0.0_f32..=1.0, any::<u16>()).prop_map(|(of, score, preroll_frames)| Mic::Start {
            utterance: Utterance(of),
            opened: Opened::Wake {
                phrase: String::from("hey jarvis"),
                score,
                sure: true,
                enrolled: false,
                at: SatMicros(of),
            },
            preroll_frames,
        }),
        (any::<u32>(), any::<u64>(), any::<u8>(), vec(any::<u8>(), MIC_FRAME_BYTES))
            .prop_map(|(seq, captured, voice, pcm)| Mic::Frame { seq, captured: SatMicros(captured), voice, pcm }),
        any::<u32>().prop_map(|frames| Mic::End { frames, reason: MicEnd::MicLost }),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (any::<u64>(), 8_000_u32..=48_000)
            .prop_map(|(of, rate_hz)| Answer::Start { generation: Generation(of), rate_hz }),
        any::<u16>().prop_map(|index| Answer::Sentence { index }),
        vec(any::<u16>(), 0..MAX_PCM_BYTES / 2)
            .prop_map(|samples| Answer::Pcm(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect())),
        Just(Answer::End),
    ]
}

/// Feeds `bytes` in portions of the sizes given, over and over.
fn decode<M: Message>(bytes: &[u8], sizes: &[usize]) -> (Vec<M>, Result<(), FrameError>) {
    let (mut decoder, mut messages, mut rest) = (Decoder::<M>::default(), Vec::new(), bytes);
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let (mut portion, after) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
        rest = after;
        loop {
            match decoder.next(&mut portion) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Err(error)),
            }
        }
        assert!(portion.is_empty(), "a decoder that wants more has taken all it was given");
    }
    (messages, decoder.finish())
}

fn any_split_gives_the_same<M: Message + PartialEq + std::fmt::Debug>(messages: &[M], sizes: &[usize]) {
    let bytes: Vec<u8> = messages.iter().flat_map(|message| encode(message).unwrap()).collect();
    let (decoded, end) = decode::<M>(&bytes, sizes);
    assert_eq!(end, Ok(()));
    assert_eq!(decoded, messages);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_control_messages(
        up in vec(to_daemon(), 0..8), down in vec(to_satellite(), 0..8), sizes in vec(1_usize..40, 1..20)
    ) {
        any_split_gives_the_same(&up, &sizes);
        any_split_gives_the_same(&down, &sizes);
    }

    #[test]
    fn any_split_gives_the_same_sound(
        up in vec(mic(), 0..6), down in vec(answer(), 0..6), sizes in vec(1_usize..2000, 1..20)
    ) {
        any_split_gives_the_same(&up, &sizes);
        any_split_gives_the_same(&down, &sizes);
    }

    #[test]
    fn garbage_gives_the_same_error_at_any_split(bytes in vec(any::<u8>(), 0..300), sizes in vec(1_usize..40, 1..20)) {
        prop_assert_eq!(decode::<ToDaemon>(&bytes, &sizes), decode(&bytes, &[usize::MAX]));
        prop_assert_eq!(decode::<ToSatellite>(&bytes, &sizes), decode(&bytes, &[usize::MAX]));
        prop_assert_eq!(decode::<Mic>(&bytes, &sizes), decode(&bytes, &[usize::MAX]));
        prop_assert_eq!(decode::<Answer>(&bytes, &sizes), decode(&bytes, &[usize::MAX]));
    }

    #[test]
    fn a_frame_changed_in_one_byte_does_no_harm(message in to_daemon(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = encode(&message).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = to;
        let (decoded, _) = decode::<ToDaemon>(&bytes, &[usize::MAX]);
        // What still reads as a message is one that could have been sent.
        for message in decoded {
            prop_assert!(encode(&message).is_ok());
        }
    }
}

#[test]
fn a_length_beyond_the_bound_is_refused_before_a_byte_of_it_is_held() {
    for bytes in [u32::MAX, ToDaemon::MAX_BYTES as u32 + 1] {
        let (none, error) = decode::<ToDaemon>(&bytes.to_le_bytes(), &[1]);
        assert_eq!((none, error), (vec![], Err(FrameError::TooLong { bytes: bytes.into(), max: ToDaemon::MAX_BYTES })));
    }
}

#[test]
fn an_error_is_for_good() {
    let mut decoder = Decoder::<ToDaemon>::default();
    let error = decoder.next(&mut &[0xff; PREFIX_BYTES][..]).unwrap_err();
    let good = encode(&ToDaemon::Bye).unwrap();
    assert_eq!(decoder.next(&mut &good[..]), Err(error));
    assert_eq!(decoder.finish(), Err(error));
}

#[test]
fn what_is_out_of_bounds_is_neither_sent_nor_taken() {
    let loud = ToDaemon::Settings(Settings { volume_percent: 101, muted: false });
    assert!(matches!(encode(&loud), Err(FrameError::OutOfBounds(_))));
    let loud = [4, 0, 0, 0, 5, 101, 0, 0];
    assert!(decode::<ToDaemon>(&loud, &[usize::MAX]).1.is_err());
    let short = Mic::Frame { seq: 0, captured: SatMicros(0), voice: 0, pcm: vec![0; 638] };
    assert!(matches!(encode(&short), Err(FrameError::OutOfBounds(_))));
    let half = Answer::Pcm(vec![0; 3]);
    assert!(matches!(encode(&half), Err(FrameError::OutOfBounds(_))));
    let text = "é".repeat(300);
    assert!(matches!(encode(&ToDaemon::Trouble { text }), Err(FrameError::OutOfBounds(_))));
}

#[test]
fn the_longest_of_everything_fits_its_frame() {
    let name = "n".repeat(64);
    let hello = ToDaemon::Hello {
        versions: (u16::MAX, u16::MAX),
        software: name.clone(),
        phrases: vec![name; 8],
        echo_cancelled: true,
        run: u64::MAX,
    };
    encode(&hello).unwrap();
    encode(&ToDaemon::Trouble { text: "t".repeat(512) }).unwrap();
    encode(&ToSatellite::Refused { reason: "t".repeat(512) }).unwrap();
    let pcm = vec![0; MIC_FRAME_BYTES];
    encode(&Mic::Frame { seq: u32::MAX, captured: SatMicros(u64::MAX), voice: 255, pcm }).unwrap();
    encode(&Answer::Pcm(vec![0; MAX_PCM_BYTES])).unwrap();
}
