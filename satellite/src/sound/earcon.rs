//! The sounds the satellite makes by itself: short, soft, and in a narrow band, so that the echo canceller takes them out of the
//! microphone without touching the speech around them.

use std::f32::consts::TAU;

use crate::audio::resample::{BadRate, Resampler};

/// What is told by a sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earcon {
    /// I am listening.
    Listening,
    /// The daemon can't be reached; a spoken message follows.
    Away,
}

/// "I can't reach the house", as `satellite/wake/make_sounds.sh` had it spoken: mono, 16 bits.
static AWAY: &[u8] = include_bytes!("../../wake/away.wav");

/// Loudest sample of a tone: -26 dBFS, a whisper beside the answers.
const PEAK: f32 = 1640.0;
/// Time over which a tone swells and fades, in seconds: nothing clicks.
const EDGE_S: f32 = 0.015;

/// One tone of a given frequency and length.
struct Tone {
    hz: f32,
    seconds: f32,
}

impl Earcon {
    fn tones(self) -> &'static [Tone] {
        match self {
            // One short high tone: beside the pitch and the first formants of the voices that go on speaking.
            Self::Listening => &[Tone { hz: 3_100.0, seconds: 0.07 }],
            Self::Away => &[Tone { hz: 440.0, seconds: 0.12 }, Tone { hz: 330.0, seconds: 0.16 }],
        }
    }

    /// Its samples for a loudspeaker of `rate_hz`.
    pub fn samples(self, rate_hz: u32) -> Result<Vec<i16>, BadRate> {
        let mut samples = Vec::new();
        for tone in self.tones() {
            let count = (tone.seconds * rate_hz as f32) as usize;
            samples.extend((0..count).map(|n| {
                let t = n as f32 / rate_hz as f32;
                let edge = (t.min(tone.seconds - t) / EDGE_S).clamp(0.0, 1.0);
                ((t * tone.hz * TAU).sin() * edge * PEAK) as i16
            }));
        }
        if self == Self::Away {
            speak(AWAY, rate_hz, &mut samples)?;
        }
        Ok(samples)
    }
}

fn speak(wav: &[u8], rate_hz: u32, samples: &mut Vec<i16>) -> Result<(), BadRate> {
    let Some((rate, words)) = recorded(wav) else {
        return Err(BadRate(0));
    };
    let mut resampler = Resampler::new(rate, rate_hz)?;
    resampler.push(&words, samples);
    resampler.finish(samples);
    Ok(())
}

/// Rate and samples of a WAV file.
fn recorded(wav: &[u8]) -> Option<(u32, Vec<i16>)> {
    let reader = hound::WavReader::new(wav).ok()?;
    let rate = reader.spec().sample_rate;
    Some((rate, reader.into_samples::<i16>().map_while(Result::ok).collect()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Speech for other tests: its rate and its samples.
    pub(in crate::sound) fn spoken() -> (u32, Vec<i16>) {
        recorded(AWAY).unwrap()
    }

    #[test]
    fn they_are_soft_short_and_begin_and_end_in_silence() {
        for rate in [16_000, 22_050, 48_000] {
            let samples = Earcon::Listening.samples(rate).unwrap();
            assert!(samples.len() < rate as usize / 8);
            assert!(samples.iter().all(|s| s.abs() <= PEAK as i16));
            assert!(samples[0].abs() < 50 && samples[samples.len() - 1].abs() < 400);
        }
    }

    #[test]
    fn the_daemons_absence_is_told_in_words_after_a_tone() {
        let samples = Earcon::Away.samples(16_000).unwrap();
        let ms = samples.len() / 16;
        assert!((1_000..4_000).contains(&ms), "{ms} ms");
        let spoken = &samples[16 * 400..];
        assert!(spoken.iter().any(|s| s.abs() > 2_000));
    }
}
