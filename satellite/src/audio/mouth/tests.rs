use super::*;
use crate::audio::tape::{TapeReader, tape};

const RATE: u32 = 16_000;
const PIECE: usize = 160;

fn pair() -> (Mouth, Throat, TapeReader) {
    let (writer, reader) = tape(RATE, 4);
    let (mouth, throat) = mouth(RATE, writer, Box::new(|| ()));
    (mouth, throat, reader)
}

fn hear(throat: &mut Throat, pieces: usize, from: &mut u64) -> Vec<i16> {
    let mut heard = Vec::new();
    for _ in 0..pieces {
        let mut out = [0; PIECE];
        throat.fill(&mut out, SatMicros(*from));
        *from += 10_000;
        heard.extend_from_slice(&out);
    }
    heard
}

fn reports(mouth: &mut Mouth) -> Vec<Played> {
    std::iter::from_fn(|| mouth.report()).collect()
}

#[test]
fn sentences_follow_each_other_without_a_gap_and_with_their_marks() {
    let (mut mouth, mut throat, mut reference) = pair();
    let g = Generation(1);
    let mut now = 1_000_000;
    mouth.say(g, &[100; PIECE * 4]);
    assert_eq!(hear(&mut throat, 1, &mut now), [0; PIECE], "too little to start");
    mouth.say(g, &[100; PIECE * 6 + 30]);
    mouth.sentence_ends(g, 0);
    mouth.say(g, &[200; PIECE * 5]);
    mouth.sentence_ends(g, 1);
    mouth.ends(g);
    let heard = hear(&mut throat, 20, &mut now);
    let said: Vec<i16> = [vec![100; PIECE * 10 + 30], vec![200; PIECE * 5]].concat();
    assert_eq!(heard[..said.len()], said);
    assert_eq!(
        reports(&mut mouth),
        [
            Played::Started { generation: g, at: SatMicros(1_010_000) },
            Played::Sentence { generation: g, index: 0, at: SatMicros(1_010_000 + 101_875) },
            Played::Sentence { generation: g, index: 1, at: SatMicros(1_010_000 + 151_875) },
            Played::Ended { generation: g, at: SatMicros(1_010_000 + 151_875) },
        ]
    );
    assert_eq!(mouth.underruns(), 0);
    let mut played = vec![0; PIECE * 21];
    assert_eq!(reference.read(&mut played), Some(SatMicros(1_000_000)));
    assert_eq!(played[PIECE..], heard, "the echo canceller gets what was played");
}

#[test]
fn nothing_of_an_older_generation_is_heard_after_a_newer_began() {
    let (mut mouth, mut throat, _reference) = pair();
    let mut now = 0;
    mouth.say(Generation(1), &[1000; PIECE * 50]);
    assert!(hear(&mut throat, 3, &mut now).contains(&1000));
    mouth.raise_floor(Generation(2));
    mouth.say(Generation(1), &[1000; PIECE * 10]);
    mouth.say(Generation(2), &[-500; PIECE * 10]);
    mouth.say(Generation(1), &[1000; PIECE * 10]);
    mouth.ends(Generation(2));
    let heard = hear(&mut throat, 90, &mut now);
    assert!(!heard.contains(&1000));
    assert_eq!(heard.iter().filter(|&&s| s == -500).count(), PIECE * 10);
}

#[test]
fn a_stop_silences_within_one_callback() {
    let (mut mouth, mut throat, _reference) = pair();
    let mut now = 0;
    mouth.say(Generation(5), &[8000; PIECE * 100]);
    hear(&mut throat, 5, &mut now);
    mouth.raise_floor(Generation(6));
    let heard = hear(&mut throat, 1, &mut now);
    assert!(heard[..80].iter().all(|&s| s < 8000), "let down, not cut and not played on");
    assert!(heard[80..].iter().all(|&s| s == 0));
}

#[test]
fn running_dry_within_a_sentence_is_an_underrun_and_between_two_is_not() {
    let (mut mouth, mut throat, _reference) = pair();
    let g = Generation(9);
    let mut now = 0;
    mouth.say(g, &[1; PIECE * 8]);
    hear(&mut throat, 12, &mut now);
    mouth.say(g, &[1; PIECE * 8]);
    hear(&mut throat, 12, &mut now);
    assert_eq!(mouth.underruns(), 1);
    mouth.sentence_ends(g, 0);
    hear(&mut throat, 3, &mut now);
    mouth.say(g, &[1; PIECE * 8]);
    hear(&mut throat, 12, &mut now);
    mouth.ends(g);
    hear(&mut throat, 2, &mut now);
    assert_eq!(mouth.underruns(), 1);
    assert!(matches!(reports(&mut mouth).last(), Some(Played::Ended { .. })));
}

#[test]
fn volume_and_effects_reach_the_reference_as_they_are_heard() {
    let (mut mouth, mut throat, mut reference) = pair();
    let mut now = 0;
    mouth.volume(50);
    mouth.effect(&[4000; PIECE]);
    assert_eq!(hear(&mut throat, 1, &mut now), [1000; PIECE]);
    let mut played = [0; PIECE];
    reference.read(&mut played).unwrap();
    assert_eq!(played, [1000; PIECE]);
    mouth.effect(&[4000; PIECE * 20]);
    mouth.hush();
    assert_eq!(hear(&mut throat, 2, &mut now), [0; PIECE * 2]);
    mouth.effect(&[4000; PIECE]);
    mouth.volume(0);
    assert_eq!(hear(&mut throat, 1, &mut now), [0; PIECE]);
}

#[test]
fn a_flood_is_bounded_and_told() {
    let (mut mouth, _throat, _reference) = pair();
    assert_eq!(mouth.say(Generation(1), &[1; PIECE * (PIECES - MARK_PIECES)]), 0);
    assert_eq!(mouth.say(Generation(1), &[1; PIECE * 3]), PIECE * 3);
    assert!(mouth.ends(Generation(1)), "the end still finds its place");
}

#[test]
fn a_silent_loudspeaker_may_rest_and_whatever_is_queued_rouses_it_once() {
    let (writer, _reader) = tape(RATE, 4);
    let roused = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&roused);
    let rouse = Box::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let (mut mouth, mut throat) = mouth(RATE, writer, rouse);
    let (rest, g, mut now) = (throat.rest(), Generation(1), 1_000_000);
    mouth.say(g, &[100; PIECE * 8]);
    mouth.ends(g);
    assert!(!rest.begin(), "the callback has not seen what is queued");
    hear(&mut throat, 4, &mut now);
    assert_eq!(rest.silent_ms(), 0);
    assert!(!rest.begin(), "it is still being played");
    hear(&mut throat, 105, &mut now);
    assert!((1_000..=1_010).contains(&rest.silent_ms()), "{} ms", rest.silent_ms());
    assert!(rest.begin());
    assert_eq!(roused.load(Ordering::SeqCst), 0);
    mouth.effect(&[1; 10]);
    mouth.say(Generation(2), &[100; PIECE]);
    assert_eq!(roused.load(Ordering::SeqCst), 1, "once");
    rest.end();
    assert_eq!(rest.silent_ms(), 0);
    assert!(!rest.begin());
}

#[test]
fn reports_that_nobody_takes_are_counted_by_themselves_and_are_no_underruns() {
    let (mut mouth, mut throat, _reference) = pair();
    let g = Generation(1);
    let mut now = 0;
    mouth.say(g, &[100; PIECE * 20]);
    // Nobody takes a report, while more sentences end than places are kept for them.
    let sentences = (0..300).filter(|index| mouth.sentence_ends(g, *index)).count();
    mouth.ends(g);
    hear(&mut throat, 30, &mut now);
    assert_eq!(reports(&mut mouth).len(), REPORTS);
    // Beside the sentences, a start and an end.
    assert_eq!(mouth.unreported() as usize, sentences + 2 - REPORTS);
    assert_eq!(mouth.unreported(), 0, "each is told once");
    assert_eq!(mouth.underruns(), 0, "sound was there all the while");
}
