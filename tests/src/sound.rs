//! Sound the harness makes and measures: synthetic voices, noise, impulse responses, first and last samples.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Sample rate of the simulated room, in hertz.
pub const RATE_HZ: u32 = 16_000;

/// Samples above this (about -46 dBFS) count as sound when a recording is measured.
pub const AUDIBLE: i16 = 164;

/// A small repeatable random source (xorshift), so that a printed seed gives the same sound again.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed; 0 is as good as any.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// 64 fresh bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// 0.0 up to but without 1.0.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `low` up to and with `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.bits() % (high - low + 1)
    }

    /// Roughly normal with deviation 1 (sum of uniform numbers).
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// `text` spoken by espeak-ng's `voice`, 16 kHz mono, silence at both ends cut off.
pub fn espeak(voice: &str, text: &str) -> Result<Vec<i16>> {
    let file = tempfile::Builder::new().suffix(".wav").tempfile()?;
    let status = Command::new("espeak-ng")
        .args(["-v", voice, "-w"])
        .arg(file.path())
        .args(["--", text])
        .status()
        .context("start espeak-ng (Debian package espeak-ng)")?;
    ensure!(status.success(), "espeak-ng -v {voice} ended with {status}");
    Ok(trim(&read_wav(file.path())?))
}

/// A WAV file as 16 kHz mono: channels averaged, rate converted linearly (test material only).
pub fn read_wav(path: &Path) -> Result<Vec<i16>> {
    let mut reader = hound::WavReader::open(path).with_context(|| format!("open {}", path.display()))?;
    let spec = reader.spec();
    ensure!(spec.bits_per_sample == 16, "{}: 16-bit samples wanted", path.display());
    let all: Vec<i16> = reader.samples::<i16>().collect::<Result<_, _>>()?;
    let channels = usize::from(spec.channels);
    let mono: Vec<f64> =
        all.chunks_exact(channels).map(|f| f.iter().map(|&s| f64::from(s)).sum::<f64>() / channels as f64).collect();
    Ok(convert(&mono, spec.sample_rate))
}

/// Windowed-sinc conversion to 16 kHz.
fn convert(mono: &[f64], rate_hz: u32) -> Vec<i16> {
    if rate_hz == RATE_HZ {
        return mono.iter().map(|&s| clip(s)).collect();
    }
    const HALF: i64 = 24;
    let step = f64::from(rate_hz) / f64::from(RATE_HZ);
    let cut = (1.0 / step).min(1.0);
    let count = (mono.len() as f64 / step) as usize;
    (0..count)
        .map(|n| {
            let at = n as f64 * step;
            let middle = at.floor() as i64;
            let mut sum = 0.0;
            for k in middle - HALF + 1..=middle + HALF {
                let Some(&sample) = usize::try_from(k).ok().and_then(|k| mono.get(k)) else {
                    continue;
                };
                let x = at - k as f64;
                let window = 0.5 + 0.5 * (std::f64::consts::PI * x / HALF as f64).cos();
                let sinc =
                    if x == 0.0 { cut } else { (std::f64::consts::PI * x * cut).sin() / (std::f64::consts::PI * x) };
                sum += sample * sinc * window;
            }
            clip(sum)
        })
        .collect()
}

fn clip(sample: f64) -> i16 {
    sample.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

/// Without the silence at both ends.
pub fn trim(samples: &[i16]) -> Vec<i16> {
    match (first_audible(samples), last_audible(samples)) {
        (Some(first), Some(last)) => samples[first..=last].to_vec(),
        _ => Vec::new(),
    }
}

/// Index of the first audible sample.
pub fn first_audible(samples: &[i16]) -> Option<usize> {
    samples.iter().position(|s| s.saturating_abs() > AUDIBLE)
}

/// Index of the last audible sample.
pub fn last_audible(samples: &[i16]) -> Option<usize> {
    samples.iter().rposition(|s| s.saturating_abs() > AUDIBLE)
}

/// Scaled so that its loudest sample is `peak`.
pub fn scaled(samples: &[i16], peak: i16) -> Vec<i16> {
    let loudest = samples.iter().map(|s| s.saturating_abs()).max().unwrap_or(0).max(1);
    samples.iter().map(|&s| clip(f64::from(s) * f64::from(peak) / f64::from(loudest))).collect()
}

/// White noise of a given RMS level in sample units.
pub fn noise(length: usize, level: f64, seed: u64) -> Vec<i16> {
    let mut random = Random::new(seed);
    (0..length).map(|_| clip(random.normal() * level)).collect()
}

/// A room's impulse response from loudspeaker to microphone: first arrival at 20 ms, decaying until 60 ms, energy `level_db`.
pub fn impulse_response(level_db: f64, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let (first, last) = (RATE_HZ as usize / 50, RATE_HZ as usize * 3 / 50);
    let mut taps = vec![0.0; last];
    taps[first] = 1.0;
    for (n, tap) in taps.iter_mut().enumerate().skip(first + 1) {
        *tap = 0.35 * random.normal() * (-((n - first) as f64) / 160.0).exp();
    }
    let energy = taps.iter().map(|t| t * t).sum::<f64>();
    let gain = 10f64.powf(level_db / 20.0) / energy.sqrt();
    taps.iter().map(|t| t * gain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_keeps_a_tone() {
        let tone: Vec<f64> = (0..22_050)
            .map(|n| 8000.0 * (f64::from(n) * 2.0 * std::f64::consts::PI * 440.0 / 22_050.0).sin())
            .collect();
        let out = convert(&tone, 22_050);
        assert_eq!(out.len(), 16_000);
        let crossings = out.windows(2).filter(|w| (w[0] < 0) != (w[1] < 0)).count();
        assert!((878..=882).contains(&crossings), "{crossings} zero crossings of 880");
        let loudest = out[100..15_900].iter().map(|s| s.abs()).max().unwrap();
        assert!((7900..=8100).contains(&loudest), "{loudest}");
    }

    #[test]
    fn impulse_response_has_its_level() {
        for level in [-10.0, 0.0, 6.0] {
            let taps = impulse_response(level, 1);
            let energy = taps.iter().map(|t| t * t).sum::<f64>();
            assert!((10.0 * energy.log10() - level).abs() < 0.01);
            assert!(taps[..320].iter().all(|t| *t == 0.0), "nothing arrives before 20 ms");
        }
    }

    #[test]
    fn noise_has_its_level() {
        let squares = noise(16_000, 300.0, 7).iter().map(|&s| f64::from(s) * f64::from(s)).sum::<f64>();
        let level = (squares / 16_000.0).sqrt();
        assert!((level - 300.0).abs() < 10.0, "{level}");
    }
}
