//! Is that a voice? (earshot, and whether there is any sound at all)
//!
//! earshot looks at 48 ms at a time and at some of them before: after the last audible sample it goes on for about 90 ms. A frame no
//! louder than the room itself holds no voice, whatever it says; so the end of speech is known within a frame.

use earshot::Detector;

/// The detector's window: 16 ms.
const WINDOW: usize = 256;
/// A frame is as loud as the room itself up to this many times its level (6 dB).
const ABOVE_FLOOR: f32 = 2.0;
/// The level of a room is never taken for less than this (RMS, in sample units): digital silence is no room.
const FLOOR_MIN: f32 = 1.0;
/// The level of a room that grows louder is believed by so much a frame: 2 dB a second.
const FLOOR_RISE: f32 = 1.0046;
/// The most that is made of a frame without sound: below what counts as voice, above what the wake thread wants to hear.
const SOUNDLESS_MAX: u8 = 100;

/// Judges 20 ms frames.
pub struct VoiceDetector {
    detector: Box<Detector>,
    waiting: Vec<i16>,
    /// RMS level of the room without anybody in it; `None` before the first frame.
    floor: Option<f32>,
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self { detector: Box::new(Detector::default()), waiting: Vec::with_capacity(2 * WINDOW), floor: None }
    }
}

impl VoiceDetector {
    /// The highest judgement of the windows that end within these samples, 0 to 255.
    pub fn judge(&mut self, samples: &[i16]) -> u8 {
        self.waiting.extend_from_slice(samples);
        let mut highest = 0.0_f32;
        let whole = self.waiting.len() / WINDOW * WINDOW;
        for window in self.waiting[..whole].chunks_exact(WINDOW) {
            highest = highest.max(self.detector.predict_i16(window));
        }
        self.waiting.drain(..whole);
        let voice = (highest.clamp(0.0, 1.0) * 255.0).round() as u8;
        if self.sounds(samples) { voice } else { voice.min(SOUNDLESS_MAX) }
    }

    /// Whether the frame is louder than the room; learns how loud that is.
    fn sounds(&mut self, samples: &[i16]) -> bool {
        let energy: f32 = samples.iter().map(|&s| f32::from(s) * f32::from(s)).sum();
        let level = (energy / samples.len().max(1) as f32).sqrt();
        let floor = self.floor.map_or(level, |floor| level.min(floor * FLOOR_RISE)).max(FLOOR_MIN);
        self.floor = Some(floor);
        level > ABOVE_FLOOR * floor
    }

    /// The sound that follows has nothing to do with what came before.
    pub fn reset(&mut self) {
        self.detector.reset();
        self.waiting.clear();
        self.floor = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::resample::Resampler;
    use crate::sound::earcon::tests::spoken;

    const FRAME: usize = 320;
    const VOICE: u8 = 128;

    /// White noise of a given peak.
    fn noise(count: usize, peak: i32) -> Vec<i16> {
        let mut state = 0x2545_F491_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            ((state >> 8) as i32 % (2 * peak + 1) - peak) as i16
        };
        (0..count).map(|_| next()).collect()
    }

    /// "I can't reach the house" at 16 kHz, in a room with that much noise before it, under it and after it.
    fn said(peak: i32) -> (Vec<i16>, usize) {
        let (rate, words) = spoken();
        let mut resampler = Resampler::new(rate, 16_000).unwrap();
        let mut speech = Vec::new();
        resampler.push(&words, &mut speech);
        resampler.finish(&mut speech);
        let last = speech.iter().rposition(|s| s.abs() > 164).unwrap();
        speech.truncate(last + 1);
        let (before, after) = (50 * FRAME, 30 * FRAME);
        let mut room = noise(before + speech.len() + after, peak);
        for (sample, said) in room[before..].iter_mut().zip(&speech) {
            *sample = sample.saturating_add(*said);
        }
        (room, before + speech.len())
    }

    #[test]
    fn the_end_of_speech_is_known_within_two_frames_and_earshot_alone_holds_on_for_longer() {
        for peak in [2, 16, 60] {
            let (room, end) = said(peak);
            let mut voice = VoiceDetector::default();
            let judged: Vec<u8> = room.chunks_exact(FRAME).map(|frame| voice.judge(frame)).collect();
            let last = judged.iter().rposition(|v| *v >= VOICE).unwrap();
            let late_ms = (last + 1) * 20 - end / 16;
            assert!(late_ms <= 40, "{late_ms} ms in noise of {peak}");
            let voiced = judged[50..end / FRAME].iter().filter(|v| **v >= VOICE).count();
            assert!(voiced * 2 > end / FRAME - 50, "{voiced} frames of speech are voice in noise of {peak}");
        }
    }

    #[test]
    fn silence_and_a_room_that_grows_louder_are_no_voice() {
        let mut voice = VoiceDetector::default();
        let mut room = vec![0; 50 * FRAME];
        for peak in [10, 20, 40, 80] {
            room.extend(noise(100 * FRAME, peak));
        }
        let judged: Vec<u8> = room.chunks_exact(FRAME).map(|frame| voice.judge(frame)).collect();
        let wrong = judged.iter().filter(|v| **v >= VOICE).count();
        assert!(wrong * 50 <= judged.len(), "{wrong} of {} frames", judged.len());
    }
}
