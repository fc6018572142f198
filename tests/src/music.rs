//! Music, for rooms in which nobody speaks: chords, a melody and drums, drawn from a seed.

use std::f64::consts::TAU;

use crate::sound::{self, RATE_HZ, Random};

/// A beat, in seconds.
const BEAT_S: f64 = 0.5;
const ROOT_HZ: f64 = 261.63;
/// Semitones above the root; one chord for four beats.
const CHORDS: [[i32; 3]; 4] = [[0, 4, 7], [-3, 0, 4], [-7, -3, 0], [-5, -1, 2]];
/// Notes of the melody, in semitones above the root.
const SCALE: [i32; 7] = [12, 14, 16, 17, 19, 21, 23];

/// `seconds` of it, whose loudest sample is `peak`.
pub fn music(seconds: usize, peak: i16, seed: u64) -> Vec<i16> {
    let mut random = Random::new(seed);
    // Two notes a beat.
    let notes = (seconds as f64 / BEAT_S * 2.0).ceil() as usize;
    let melody: Vec<i32> = (0..notes).map(|_| SCALE[random.between(0, SCALE.len() as u64 - 1) as usize]).collect();
    let sum = (0..seconds * RATE_HZ as usize).map(|n| {
        let t = n as f64 / f64::from(RATE_HZ);
        let beat = (t / BEAT_S) as usize;
        let (into_beat, into_half) = (t % BEAT_S, t % (BEAT_S / 2.0));
        let swell = 0.4 + 0.6 * (-1.5 * (t % (4.0 * BEAT_S))).exp();
        let chord: f64 = CHORDS[beat / 4 % CHORDS.len()].iter().map(|note| string(t, *note)).sum();
        let vibrato = t + 0.000_3 * (TAU * 5.5 * t).sin();
        let tune = string(vibrato, melody[(t / BEAT_S * 2.0) as usize]) * (-4.0 * into_half).exp();
        let drum = match beat % 2 {
            0 => 2.5 * (TAU * 60.0 * into_beat).sin() * (-15.0 * into_beat).exp(),
            _ => random.normal() * (-20.0 * into_beat).exp(),
        };
        let cymbal = 0.4 * random.normal() * (-50.0 * into_half).exp();
        chord * swell + 1.5 * tune + drum + cymbal
    });
    let sum: Vec<i16> = sum.map(|sample| (sample * 1_000.0) as i16).collect();
    sound::scaled(&sum, peak)
}

/// A note with its overtones.
fn string(t: f64, semitones: i32) -> f64 {
    let hz = ROOT_HZ * (f64::from(semitones) / 12.0).exp2();
    (1..=6).map(|overtone| (TAU * hz * f64::from(overtone) * t).sin() / f64::from(overtone)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_loud_all_the_time_and_the_same_for_a_seed() {
        let piece = music(4, 9_000, 1);
        assert_eq!(piece.len(), 4 * RATE_HZ as usize);
        assert_eq!((&piece, piece == music(4, 9_000, 2)), (&music(4, 9_000, 1), false));
        let quietest = piece.chunks(RATE_HZ as usize / 4).map(|part| part.iter().map(|s| s.saturating_abs()).max());
        assert!(quietest.flatten().min().is_some_and(|loudest| loudest > 2_000));
    }
}
