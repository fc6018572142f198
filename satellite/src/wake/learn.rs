//! Making references from recordings: of the people here, or of a synthesiser.

use std::collections::HashMap;

use hound::{SampleFormat, WavSpec, WavWriter};
use rustpotter::{WakewordRef, WakewordRefBuildFromBuffers, WakewordSave};

use super::dtw::MFCC_SIZE;

/// Takes of one wake word.
pub const TAKES: std::ops::RangeInclusive<usize> = 2..=32;
/// Rate of the takes, in hertz.
const RATE_HZ: u32 = 16_000;
/// Window of the level meter, in samples.
const WINDOW: usize = 160;
/// How far below the loudest window speech ends (-32 dB).
const QUIET: f64 = 0.025;
/// Silence left before the word, in samples.
const MARGIN: usize = 480;
/// Cut off the word's end, in samples (60 ms): it tells little, and the spotter fires that much earlier.
const TAIL: usize = 960;
/// Length of a spoken wake word, in samples.
const LENGTH: std::ops::RangeInclusive<usize> = 4_800..=32_000;

/// Why nothing can be learnt from these takes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LearnError {
    /// Too few or too many.
    #[error("{0} takes were given; give 2 to 32, five or more are good")]
    Count(usize),
    /// One is no wake word.
    #[error("take {number}: {odd}")]
    Odd {
        /// Which, from 1 on.
        number: usize,
        /// Why.
        odd: OddTake,
    },
    /// The spotter refuses them.
    #[error("the takes can't be used: {0}")]
    Refused(String),
}

/// Why a take is no wake word.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it is {ms} ms long without its silence; say the wake word once, alone (300 to 2000 ms)")]
pub struct OddTake {
    /// Its length in milliseconds.
    ms: usize,
}

/// The spoken part of a take, where it can be a wake word.
///
/// # Errors
/// It is too short or too long.
pub fn word(take: &[i16]) -> Result<&[i16], OddTake> {
    let word = trim(take);
    if LENGTH.contains(&word.len()) { Ok(word) } else { Err(OddTake { ms: word.len() * 1000 / RATE_HZ as usize }) }
}

/// Makes a reference file from takes at 16 kHz.
pub fn learn(phrase: &str, takes: &[Vec<i16>]) -> Result<Vec<u8>, LearnError> {
    if !TAKES.contains(&takes.len()) {
        return Err(LearnError::Count(takes.len()));
    }
    let mut files = HashMap::new();
    for (n, take) in takes.iter().enumerate() {
        let word = word(take).map_err(|odd| LearnError::Odd { number: n + 1, odd })?;
        let file = wav(word).map_err(|e| LearnError::Refused(e.to_string()))?;
        files.insert(format!("{n:02}"), file);
    }
    WakewordRef::new_from_sample_buffers(phrase.to_owned(), None, None, files, MFCC_SIZE)
        .and_then(|references| references.save_to_buffer())
        .map_err(LearnError::Refused)
}

/// The part of a take that is spoken: the spotter compares from its first sample on.
pub fn trim(take: &[i16]) -> &[i16] {
    let levels: Vec<f64> = take
        .chunks(WINDOW)
        .map(|window| {
            let sum: f64 = window.iter().map(|&s| f64::from(s).powi(2)).sum();
            (sum / window.len() as f64).sqrt()
        })
        .collect();
    let floor = levels.iter().copied().fold(0.0, f64::max) * QUIET;
    let Some(first) = levels.iter().position(|&level| level > floor) else {
        return &[];
    };
    let last = levels.iter().rposition(|&level| level > floor).unwrap_or(first);
    let from = (first * WINDOW).saturating_sub(MARGIN);
    let to = ((last + 1) * WINDOW).min(take.len()).saturating_sub(TAIL);
    take.get(from..to).unwrap_or_default()
}

fn wav(samples: &[i16]) -> Result<Vec<u8>, hound::Error> {
    let spec = WavSpec { channels: 1, sample_rate: RATE_HZ, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec)?;
    for &sample in samples {
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(silence: usize, sound: usize) -> Vec<i16> {
        let mut take = vec![3; silence];
        take.extend((0..sound).map(|n| ((n as f64 / 9.0).sin() * 6000.0) as i16));
        take.extend(vec![-3; silence]);
        take
    }

    #[test]
    fn silence_around_the_word_is_cut_off() {
        let take = take(16_000, 12_000);
        let word = trim(&take);
        let wanted = 12_000 + MARGIN - TAIL;
        assert!(word.len().abs_diff(wanted) <= 2 * WINDOW, "{} instead of {wanted}", word.len());
        assert_eq!(trim(&[0; 4000]), [0_i16; 0]);
    }

    #[test]
    fn takes_that_are_no_word_are_refused_by_number() {
        assert_eq!(learn("x", &[take(100, 12_000)]), Err(LearnError::Count(1)));
        let error = learn("x", &[take(100, 12_000), take(100, 1_000)]).unwrap_err();
        assert!(matches!(error, LearnError::Odd { number: 2, .. }), "{error}");
    }
}
