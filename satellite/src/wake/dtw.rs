//! Spotting by dynamic time warping against recorded references (rustpotter).
//!
//! The settings were found by trying: 16 coefficients (5 tell nothing apart), the best reference counts, and `eager`, since waiting for the
//! best score fires 0.6 to 0.8 s late.

use rustpotter::{
    AudioFmt, DetectorConfig, Rustpotter, RustpotterConfig, SampleFormat, ScoreMode, WakewordLoad, WakewordRef,
};

use super::{Spotted, Spotter};

/// Coefficients of the references; sets of another size can't be mixed with these.
pub const MFCC_SIZE: u16 = 16;
/// Score against the averaged references below which the single ones are not looked at: it saves most of the work.
const AVERAGE_THRESHOLD: f32 = 0.45;
/// Windows in a row that must fit.
const MIN_SCORES: usize = 5;
/// Largest set of references, in bytes.
pub const REFERENCES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why references can't be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SpotterError {
    /// They are no references, or of another kind.
    #[error("the wake word \"{name}\" can't be used ({reason}); teach it again with: jarvis-satellite learn")]
    Bad {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// Nothing to listen for.
    #[error(
        "there is no wake word to listen for; set built_in = true in [wake], or teach one with: jarvis-satellite learn"
    )]
    None,
}

/// References of one wake word.
pub struct References<'a> {
    /// The phrase.
    pub phrase: &'a str,
    /// A rustpotter reference file.
    pub file: &'a [u8],
    /// Learnt from the people here.
    pub enrolled: bool,
}

/// The spotter.
pub struct Dtw {
    rustpotter: Rustpotter,
    waiting: Vec<i16>,
    enrolled: Vec<String>,
}

impl Dtw {
    /// Listens for all of `words`, firing from `threshold` on.
    pub fn new(words: &[References], threshold: f32) -> Result<Self, SpotterError> {
        if words.is_empty() {
            return Err(SpotterError::None);
        }
        let bad = |name: &str, reason: String| SpotterError::Bad { name: name.to_owned(), reason };
        let config = RustpotterConfig {
            fmt: AudioFmt { sample_rate: 16_000, sample_format: SampleFormat::I16, channels: 1, ..AudioFmt::default() },
            detector: DetectorConfig {
                threshold,
                avg_threshold: AVERAGE_THRESHOLD,
                min_scores: MIN_SCORES,
                eager: true,
                score_mode: ScoreMode::Max,
                ..DetectorConfig::default()
            },
            ..RustpotterConfig::default()
        };
        let mut rustpotter = Rustpotter::new(&config).map_err(|e| bad("", e))?;
        for (n, word) in words.iter().enumerate() {
            if word.file.len() > REFERENCES_BYTES_MAX {
                return Err(bad(word.phrase, "it is too large".to_owned()));
            }
            let mut references = WakewordRef::load_from_buffer(word.file).map_err(|e| bad(word.phrase, e))?;
            if references.mfcc_size != MFCC_SIZE
                || references.samples_features.values().any(Vec::is_empty)
                || references.samples_features.is_empty()
            {
                return Err(bad(word.phrase, "it is of another kind".to_owned()));
            }
            word.phrase.clone_into(&mut references.name);
            rustpotter.add_wakeword_ref(&n.to_string(), references).map_err(|e| bad(word.phrase, e))?;
        }
        Ok(Self {
            waiting: Vec::with_capacity(2 * rustpotter.get_samples_per_frame()),
            rustpotter,
            enrolled: words.iter().filter(|word| word.enrolled).map(|word| word.phrase.to_owned()).collect(),
        })
    }
}

impl Spotter for Dtw {
    fn hear(&mut self, samples: &[i16]) -> Option<Spotted> {
        let step = self.rustpotter.get_samples_per_frame();
        self.waiting.extend_from_slice(samples);
        let mut spotted = None;
        while self.waiting.len() >= step {
            let piece: Vec<i16> = self.waiting.drain(..step).collect();
            if let Some(found) = self.rustpotter.process_samples(piece) {
                spotted = Some(Spotted {
                    enrolled: self.enrolled.contains(&found.name),
                    phrase: found.name,
                    score: found.score,
                });
            }
        }
        spotted
    }

    fn forget(&mut self) {
        self.waiting.clear();
        self.rustpotter.reset();
    }
}
