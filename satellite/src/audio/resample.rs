//! From one sample rate to another, in pieces of any length, without gaps between them.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// Length of the pieces that are worked on: short, since each waits for its last sample.
const PIECES_PER_S: u32 = 100;
/// Rates that sound may have, in hertz.
pub const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// A rate that can't be converted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a sample rate of {0} Hz can't be used; 8000 to 192000 Hz can")]
pub struct BadRate(pub u32);

/// Converts a stream of mono samples.
pub struct Resampler {
    work: Option<Work>,
}

struct Work {
    fft: Fft<f32>,
    waiting: Vec<f32>,
    piece: Vec<f32>,
    /// Output samples still to be thrown away: the filter's delay, so that sound is not shifted.
    skip: usize,
    from: u64,
    to: u64,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// Converts from `from` to `to` hertz; equal rates pass through.
    pub fn new(from: u32, to: u32) -> Result<Self, BadRate> {
        for rate in [from, to] {
            if !RATES_HZ.contains(&rate) {
                return Err(BadRate(rate));
            }
        }
        if from == to {
            return Ok(Self { work: None });
        }
        let piece = (from / PIECES_PER_S) as usize;
        let fft = Fft::new(from as usize, to as usize, piece, 1, FixedSync::Input).map_err(|_| BadRate(from))?;
        let skip = fft.output_delay();
        let work = Work {
            piece: vec![0.0; fft.output_frames_max()],
            waiting: Vec::with_capacity(fft.input_frames_max() * 2),
            from: u64::from(from),
            to: u64::from(to),
            taken: 0,
            given: 0,
            skip,
            fft,
        };
        Ok(Self { work: Some(work) })
    }

    /// Takes samples in and appends what is ready to `out`.
    pub fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        let Some(work) = &mut self.work else {
            out.extend_from_slice(samples);
            return;
        };
        work.waiting.extend(samples.iter().map(|&s| f32::from(s)));
        work.taken += samples.len() as u64;
        work.run(out);
    }

    /// Appends what is still inside, and is new again.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        let Some(work) = &mut self.work else { return };
        let wanted = work.taken * work.to / work.from;
        while work.given < wanted {
            let piece = work.fft.input_frames_next();
            let whole = work.waiting.len().next_multiple_of(piece).max(piece);
            work.waiting.resize(whole, 0.0);
            work.run(out);
        }
        let excess = usize::try_from(work.given - wanted).unwrap_or(0);
        out.truncate(out.len().saturating_sub(excess));
        (work.taken, work.given) = (0, 0);
        work.waiting.clear();
        work.fft.reset();
        work.skip = work.fft.output_delay();
    }
}

impl Work {
    fn run(&mut self, out: &mut Vec<i16>) {
        let mut done = 0;
        loop {
            let need = self.fft.input_frames_next();
            let Some(input) = self.waiting.get(done..done + need) else {
                break;
            };
            let frames = self.piece.len();
            let (Ok(input), Ok(mut output)) =
                (InterleavedSlice::new(input, 1, need), InterleavedSlice::new_mut(&mut self.piece, 1, frames))
            else {
                break;
            };
            let Ok((taken, made)) = self.fft.process_into_buffer(&input, &mut output, None) else {
                break;
            };
            done += taken;
            let skip = self.skip.min(made);
            self.skip -= skip;
            self.given += (made - skip) as u64;
            out.extend(self.piece[skip..made].iter().map(|s| s.round().clamp(-32768.0, 32767.0) as i16));
        }
        self.waiting.drain(..done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, seconds: f64) -> Vec<i16> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| {
                let t = n as f64 / f64::from(rate);
                ((t * 440.0 * std::f64::consts::TAU).sin() * 8000.0) as i16
            })
            .collect()
    }

    #[test]
    fn any_split_gives_the_same_tone_at_the_same_place() {
        for (from, to) in [(22_050, 16_000), (48_000, 16_000), (44_100, 48_000), (16_000, 22_050), (16_000, 16_000)] {
            let sound = tone(from, 0.5);
            let mut whole = Vec::new();
            let mut resampler = Resampler::new(from, to).unwrap();
            resampler.push(&sound, &mut whole);
            resampler.finish(&mut whole);
            let mut pieces = Vec::new();
            for piece in sound.chunks(77) {
                resampler.push(piece, &mut pieces);
            }
            resampler.finish(&mut pieces);
            assert_eq!(whole, pieces, "{from} to {to}");
            let wanted = tone(to, 0.5);
            assert_eq!(whole.len(), wanted.len(), "{from} to {to}");
            let worst =
                (1000..wanted.len() - 1000).map(|n| (i32::from(wanted[n]) - i32::from(whole[n])).abs()).max().unwrap();
            // A steep tone moves by 1,400 in a sample: this is the right place to within one.
            assert!(worst < 1_000, "{from} to {to}: off by {worst}");
        }
    }

    #[test]
    fn absurd_rates_are_refused() {
        for (from, to) in [(0, 16_000), (16_000, 0), (7_999, 16_000), (u32::MAX, 16_000)] {
            assert!(Resampler::new(from, to).is_err());
        }
    }
}
