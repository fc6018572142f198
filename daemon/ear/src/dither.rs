//! A little noise under digital silence, from which a recogniser invents words.

/// Noise of ±2 units of 32,768 under samples that are zero. Deterministic: the same sound gives the same text.
#[derive(Debug)]
pub struct Dither(u32);

impl Dither {
    /// Always the same sequence.
    pub fn new() -> Self {
        Self(0x9E37_79B9)
    }

    /// Replaces zeros.
    pub fn apply(&mut self, samples: &[i16]) -> Vec<i16> {
        samples.iter().map(|&s| if s == 0 { self.noise() } else { s }).collect()
    }

    /// Xorshift, as a difference of two draws: triangular, so it has no audible pattern.
    fn noise(&mut self) -> i16 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        let draws = self.0 >> 8;
        (draws % 3) as i16 - ((draws >> 8) % 3) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_becomes_faint_noise_and_sound_stays() {
        let quiet = Dither::new().apply(&[0; 16_000]);
        assert!(quiet.iter().all(|s| s.abs() <= 2));
        assert!(quiet.iter().filter(|s| **s != 0).count() > 8_000);
        let mean = quiet.iter().map(|s| f64::from(*s)).sum::<f64>() / 16_000.0;
        assert!(mean.abs() < 0.05, "{mean}");
        assert_eq!(Dither::new().apply(&[5, -3]), [5, -3]);
    }
}
