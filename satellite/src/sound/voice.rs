//! Is that a voice? (earshot)

use earshot::Detector;

/// The detector's window: 16 ms.
const WINDOW: usize = 256;

/// Judges 20 ms frames.
pub struct VoiceDetector {
    detector: Box<Detector>,
    waiting: Vec<i16>,
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self { detector: Box::new(Detector::default()), waiting: Vec::with_capacity(2 * WINDOW) }
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
        (highest.clamp(0.0, 1.0) * 255.0).round() as u8
    }

    /// The sound that follows has nothing to do with what came before.
    pub fn reset(&mut self) {
        self.detector.reset();
        self.waiting.clear();
    }
}
