//! Takes the loudspeaker's sound out of the microphone's (sonora, which is WebRTC's AEC3).
//!
//! The reference is what the callback really played, at the time it leaves the loudspeaker. It is laid beside the microphone's blocks by
//! those times; what remains (the way through the room, errors of the sound server's estimates) the canceller finds out itself,
//! provided that the reference is never late: it leads by [`LEAD_US`].

use std::collections::VecDeque;

use jarvis_link::message::{MIC_RATE_HZ, SatMicros};
use sonora::config::{EchoCanceller as Settings, HighPassFilter};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::{BLOCK, micros};
use crate::audio::resample::{BadRate, Resampler};
use crate::audio::tape::TapeReader;

/// How much earlier than its echo's own time the reference is shown.
const LEAD_US: i64 = 20_000;
/// The two clocks may drift apart by this much before the reference is moved.
const DRIFT_US: i64 = 30_000;
/// Part of a new measurement of the drift that is believed, as a power of two.
const DRIFT_SHIFT: u32 = 5;
/// Most reference that is held, in samples: the loudspeaker's buffer, and more.
const REFERENCE_MAX: usize = 2 * MIC_RATE_HZ as usize;

/// The canceller itself.
pub struct EchoCanceller {
    processing: AudioProcessing,
}

impl Default for EchoCanceller {
    fn default() -> Self {
        let config = Config {
            echo_canceller: Some(Settings::default()),
            high_pass_filter: Some(HighPassFilter::default()),
            ..Config::default()
        };
        let stream = StreamConfig::new(MIC_RATE_HZ, 1);
        Self {
            processing: AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build(),
        }
    }
}

impl EchoCanceller {
    /// Cleans 10 ms of the microphone, given the 10 ms of the loudspeaker that belong to it.
    pub fn clean(&mut self, microphone: &mut [i16; BLOCK], loudspeaker: &[i16; BLOCK]) {
        let mut played = [0; BLOCK];
        let mut cleaned = [0; BLOCK];
        let done = self
            .processing
            .process_render_i16(loudspeaker, &mut played)
            .and_then(|()| self.processing.process_capture_i16(microphone, &mut cleaned));
        match done {
            Ok(()) => *microphone = cleaned,
            Err(error) => tracing::error!(%error, "the echo canceller refuses its own block size"),
        }
    }
}

/// The loudspeaker's sound at 16 kHz, laid beside the microphone's.
pub struct Reference {
    tape: TapeReader,
    resampler: Resampler,
    raw: Vec<i16>,
    converted: Vec<i16>,
    taken: u64,
    given: u64,
    waiting: VecDeque<i16>,
    /// When the first of `waiting` leaves the loudspeaker.
    head: SatMicros,
    drift_us: i64,
}

impl Reference {
    /// Reads from a loudspeaker's tape.
    pub fn new(tape: TapeReader) -> Result<Self, BadRate> {
        Ok(Self {
            resampler: Resampler::new(tape.rate_hz(), MIC_RATE_HZ)?,
            raw: vec![0; (tape.rate_hz() / 100) as usize],
            converted: Vec::new(),
            taken: 0,
            given: 0,
            waiting: VecDeque::new(),
            head: SatMicros(0),
            drift_us: 0,
            tape,
        })
    }

    /// The 10 ms that belong to a microphone block captured at `captured`; silence where nothing was played.
    pub fn beside(&mut self, captured: SatMicros) -> [i16; BLOCK] {
        self.take_in();
        let mut block = [0; BLOCK];
        if self.waiting.is_empty() {
            return block;
        }
        self.align(captured.0 as i64 + LEAD_US);
        for sample in &mut block {
            *sample = self.waiting.pop_front().unwrap_or(0);
        }
        self.head.0 += micros(BLOCK as u64, MIC_RATE_HZ);
        block
    }

    /// Takes in what was played since; false where nothing was, not even silence.
    pub fn take_in(&mut self) -> bool {
        let mut any = false;
        while let Some(at) = self.tape.read(&mut self.raw) {
            any = true;
            if self.waiting.is_empty() {
                // What the resampler holds back is as old as the difference of both counts.
                let held = micros(self.taken, self.tape.rate_hz()).saturating_sub(micros(self.given, MIC_RATE_HZ));
                self.head = SatMicros(at.0.saturating_sub(held));
                self.drift_us = 0;
            }
            self.taken += self.raw.len() as u64;
            self.resampler.push(&self.raw, &mut self.converted);
            self.given += self.converted.len() as u64;
            self.waiting.extend(self.converted.drain(..));
        }
        let excess = self.waiting.len().saturating_sub(REFERENCE_MAX);
        self.waiting.drain(..excess);
        self.head.0 += micros(excess as u64, MIC_RATE_HZ);
        any
    }

    fn align(&mut self, wanted: i64) {
        let off = wanted - self.head.0 as i64;
        self.drift_us =
            if off.abs() > 4 * DRIFT_US { off } else { self.drift_us + ((off - self.drift_us) >> DRIFT_SHIFT) };
        if self.drift_us.abs() <= DRIFT_US {
            return;
        }
        let samples = self.drift_us * i64::from(MIC_RATE_HZ) / 1_000_000;
        if samples > 0 {
            let late = (samples as usize).min(self.waiting.len());
            self.waiting.drain(..late);
        } else {
            let early = (-samples as usize).min(REFERENCE_MAX);
            for _ in 0..early {
                self.waiting.push_front(0);
            }
        }
        self.head = SatMicros(self.head.0.saturating_add_signed(self.drift_us));
        self.drift_us = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Hiss;
    use crate::audio::tape::tape;

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() + 1.0
    }

    #[test]
    fn an_echo_is_taken_out_whatever_constant_the_clocks_differ_by() {
        for offset_us in [0_i64, 15_000, -15_000] {
            let (mut writer, reader) = tape(48_000, 2);
            let mut reference = Reference::new(reader).unwrap();
            let mut canceller = EchoCanceller::default();
            let mut noise = Hiss::default().zip(Hiss::default().skip(77));
            let mut smooth = 0_i32;
            let mut played_16k: VecDeque<i16> = vec![0; 16 * 45].into();
            let (mut before, mut after) = (Vec::new(), Vec::new());
            let mut resampler = Resampler::new(48_000, 16_000).unwrap();
            for n in 0..800_u64 {
                let at = 1_000_000 + n * 10_000;
                let syllable = i32::from(n / 20 % 3 != 0);
                let played: Vec<i16> = (0..480)
                    .map(|_| {
                        let (a, b) = noise.next().unwrap();
                        smooth = smooth * 3 / 4 + i32::from(a * 3 + b) * 400 * syllable;
                        smooth as i16
                    })
                    .collect();
                let ahead = at.saturating_add_signed(30_000 + offset_us);
                writer.write(played.iter().copied(), SatMicros(ahead));
                let mut converted = Vec::new();
                resampler.push(&played, &mut converted);
                played_16k.extend(converted);
                if n < 3 {
                    continue;
                }
                let mut block = [0; BLOCK];
                for s in &mut block {
                    *s = played_16k.pop_front().unwrap_or(0) / 2;
                }
                let beside = reference.beside(SatMicros(at));
                let raw = block;
                canceller.clean(&mut block, &beside);
                if n > 500 {
                    before.extend_from_slice(&raw);
                    after.extend_from_slice(&block);
                }
            }
            let erle = 10.0 * (energy(&before) / energy(&after)).log10();
            assert!(erle > 20.0, "only {erle:.1} dB at an offset of {offset_us} us");
        }
    }
}
