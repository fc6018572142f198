//! One microphone's way to frames: rate, echo, voice. No device, no thread, no clock: tests feed it files.

use jarvis_link::message::{MIC_FRAME_SAMPLES, MIC_RATE_HZ, SatMicros};

use super::{BLOCK, EchoCanceller, MicFrame, Reference, VoiceDetector, micros};
use crate::audio::resample::{BadRate, Resampler};

/// Microphone samples in, frames out.
pub struct Pipeline {
    resampler: Resampler,
    echo: Option<EchoCanceller>,
    voice: VoiceDetector,
    rate_hz: u32,
    /// Microphone samples taken in.
    taken: u64,
    /// Samples at our rate that were made frames of.
    given: u64,
    waiting: Vec<i16>,
    /// When the first of `waiting` was captured.
    head: SatMicros,
    frame: Vec<i16>,
    frame_at: SatMicros,
}

impl Pipeline {
    /// For a microphone of `rate_hz`.
    pub fn new(rate_hz: u32, echo_canceller: bool) -> Result<Self, BadRate> {
        Ok(Self {
            resampler: Resampler::new(rate_hz, MIC_RATE_HZ)?,
            echo: echo_canceller.then(EchoCanceller::default),
            voice: VoiceDetector::default(),
            rate_hz,
            taken: 0,
            given: 0,
            waiting: Vec::new(),
            head: SatMicros(0),
            frame: Vec::with_capacity(MIC_FRAME_SAMPLES),
            frame_at: SatMicros(0),
        })
    }

    /// Takes samples in, the first of which was captured `at`; whole frames go to `out`.
    pub fn push(
        &mut self,
        samples: &[i16],
        at: SatMicros,
        mut reference: Option<&mut Reference>,
        out: &mut impl FnMut(MicFrame),
    ) {
        // What the resampler holds back is as old as the difference of both counts.
        let held = micros(self.taken, self.rate_hz).saturating_sub(micros(self.given, MIC_RATE_HZ));
        self.head = SatMicros(at.0.saturating_sub(held));
        self.taken += samples.len() as u64;
        self.resampler.push(samples, &mut self.waiting);
        let whole = self.waiting.len() / BLOCK * BLOCK;
        let blocks: Vec<i16> = self.waiting.drain(..whole).collect();
        for block in blocks.chunks_exact(BLOCK) {
            let mut cleaned = [0; BLOCK];
            cleaned.copy_from_slice(block);
            if let Some(echo) = &mut self.echo {
                let played = match &mut reference {
                    Some(reference) => reference.beside(self.head),
                    None => [0; BLOCK],
                };
                echo.clean(&mut cleaned, &played);
            }
            self.add(&cleaned, out);
            self.given += BLOCK as u64;
            self.head.0 += micros(BLOCK as u64, MIC_RATE_HZ);
        }
    }

    fn add(&mut self, block: &[i16; BLOCK], out: &mut impl FnMut(MicFrame)) {
        if self.frame.is_empty() {
            self.frame_at = self.head;
        }
        self.frame.extend_from_slice(block);
        if let Ok(samples) = <[i16; MIC_FRAME_SAMPLES]>::try_from(self.frame.as_slice()) {
            self.frame.clear();
            out(MicFrame { captured: self.frame_at, voice: self.voice.judge(&samples), samples });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_rate_becomes_20_ms_frames_with_steady_times() {
        for rate in [16_000_u32, 44_100, 48_000] {
            let mut pipeline = Pipeline::new(rate, true).unwrap();
            let piece = vec![0_i16; (rate / 50) as usize];
            let mut frames: Vec<MicFrame> = Vec::new();
            for n in 0..100_u64 {
                pipeline.push(&piece, SatMicros(1_000_000 + n * 20_000), None, &mut |f| frames.push(f));
            }
            assert!((97..=100).contains(&frames.len()), "{} frames", frames.len());
            for pair in frames.windows(2) {
                let step = pair[1].captured.0 - pair[0].captured.0;
                assert!((19_000..=21_000).contains(&step), "{rate} Hz: a step of {step} us");
            }
        }
    }
}
