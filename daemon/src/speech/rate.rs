//! Converts a stream of samples to [`RATE_HZ`], piece by piece, with a windowed sinc.

use super::RATE_HZ;
use super::engine::SpeechError;

/// Rates that speech engines use, in hertz; what lies outside is a broken header.
pub(super) const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Zero crossings of the sinc on each side.
const CROSSINGS: usize = 16;

/// Table entries from one crossing to the next; between them it is interpolated.
const STEPS: usize = 128;

/// Where the low-pass begins, as a share of the lower rate's half.
const PASSBAND: f64 = 0.94;

/// The converter of one stream.
#[derive(Debug)]
pub(super) struct Rate {
    /// The input's rate in hertz: so many parts of [`RATE_HZ`] lie between two outputs.
    rate_hz: u32,
    /// Cut-off, as a share of the input's half rate.
    cut: f64,
    /// Reach of the filter on each side, in input samples.
    reach: usize,
    /// The input sample at or before the next output's place, an index of `input`...
    at: usize,
    /// ... and how far behind it that place is, in parts of [`RATE_HZ`]: exact, so that it does not matter in which pieces a stream comes.
    past: u32,
    input: Vec<f32>,
    table: Vec<f32>,
}

impl Rate {
    /// From this rate.
    pub fn from(rate_hz: u32) -> Result<Self, SpeechError> {
        if !RATES.contains(&rate_hz) {
            return Err(SpeechError::Format(format!("a sample rate of {rate_hz} Hz can't be meant")));
        }
        let step = f64::from(rate_hz) / f64::from(RATE_HZ);
        let cut = PASSBAND * (1.0 / step).min(1.0);
        let reach = (CROSSINGS as f64 / cut).ceil() as usize + 1;
        let table = if rate_hz == RATE_HZ { Vec::new() } else { table() };
        Ok(Self { rate_hz, cut, reach, at: reach, past: 0, input: vec![0.0; reach], table })
    }

    /// Takes samples, gives those that are complete.
    pub fn push(&mut self, samples: &[i16]) -> Vec<i16> {
        if self.table.is_empty() {
            return samples.to_vec();
        }
        self.input.extend(samples.iter().map(|s| f32::from(*s)));
        self.drain()
    }

    /// The last samples, which waited for what would follow.
    pub fn finish(mut self) -> Vec<i16> {
        if self.table.is_empty() {
            return Vec::new();
        }
        self.input.resize(self.input.len() + self.reach, 0.0);
        self.drain()
    }

    fn drain(&mut self) -> Vec<i16> {
        let mut out = Vec::new();
        while self.at + self.reach < self.input.len() {
            out.push(self.sample());
            self.past += self.rate_hz;
            self.at += (self.past / RATE_HZ) as usize;
            self.past %= RATE_HZ;
        }
        let done = self.at.saturating_sub(self.reach);
        self.input.drain(..done);
        self.at -= done;
        out
    }

    fn sample(&self) -> i16 {
        let past = f64::from(self.past) / f64::from(RATE_HZ);
        let mut sum = 0.0;
        for index in self.at.saturating_sub(self.reach - 1)..=self.at + self.reach {
            let Some(input) = self.input.get(index) else { break };
            let crossings = (index as f64 - self.at as f64 - past).abs() * self.cut;
            sum += input * self.weight(crossings as f32 * STEPS as f32);
        }
        (sum * self.cut as f32).round() as i16
    }

    fn weight(&self, place: f32) -> f32 {
        let low = place as usize;
        match (self.table.get(low), self.table.get(low + 1)) {
            (Some(a), Some(b)) => a + (b - a) * (place - low as f32),
            _ => 0.0,
        }
    }
}

/// Half of a sinc under a Blackman window.
fn table() -> Vec<f32> {
    use std::f64::consts::PI;
    let length = CROSSINGS * STEPS;
    (0..=length)
        .map(|i| {
            let x = PI * i as f64 / STEPS as f64;
            let sinc = if i == 0 { 1.0 } else { x.sin() / x };
            let turn = PI * i as f64 / length as f64;
            let window = 0.42 + 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos();
            (sinc * window) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tone(rate_hz: u32, hz: f64, seconds: f64) -> Vec<i16> {
        let count = (f64::from(rate_hz) * seconds) as usize;
        let turn = std::f64::consts::TAU * hz / f64::from(rate_hz);
        (0..count).map(|i| ((i as f64 * turn).sin() * 10_000.0) as i16).collect()
    }

    fn convert(rate_hz: u32, samples: &[i16], piece: usize) -> Vec<i16> {
        let mut rate = Rate::from(rate_hz).unwrap();
        let mut out = Vec::new();
        for piece in samples.chunks(piece) {
            out.extend(rate.push(piece));
        }
        out.extend(rate.finish());
        out
    }

    #[test]
    fn a_tone_stays_what_it_was() {
        for rate_hz in [8_000, 11_025, 16_000, 22_049, 22_050, 24_000, 44_100, 48_000, 192_000] {
            let got = convert(rate_hz, &tone(rate_hz, 1000.0, 0.5), 331);
            let wanted = tone(RATE_HZ, 1000.0, 0.5);
            assert!(got.len().abs_diff(wanted.len()) <= 2, "{rate_hz}: {} samples", got.len());
            // The edges ring: there the tone begins and ends with a step.
            let worst = got.iter().zip(&wanted).skip(200).take(wanted.len() - 400);
            let worst = worst.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst < 60, "{rate_hz}: off by {worst} of 10000");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        let got = convert(48_000, &tone(48_000, 15_000.0, 0.2), 480);
        let worst = got[200..got.len() - 200].iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(worst < 30, "{worst} of 10000 left");
    }

    #[test]
    fn absurd_rates_are_refused() {
        for rate_hz in [0, 1, 7_999, 192_001, u32::MAX] {
            assert!(Rate::from(rate_hz).is_err());
        }
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(samples in prop::collection::vec(any::<i16>(), 0..600), piece in 1usize..100, rate_hz in 8_000u32..100_000) {
            prop_assert_eq!(convert(rate_hz, &samples, piece), convert(rate_hz, &samples, 1000));
        }
    }
}
