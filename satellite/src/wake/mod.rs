//! The wake word: is somebody calling?
//!
//! Whatever spots words is behind [`Spotter`], on a thread of its own ([`listen`]); [`Gate`] feeds it only where there may be a voice, so
//! that it costs nothing in a quiet room.

mod dtw;
mod gate;
pub mod learn;
pub mod listen;

use std::path::{Path, PathBuf};

pub use dtw::{Dtw, References, SpotterError};
pub use gate::{Gate, WakeFeed};

use crate::config::Config;

/// The embedded references for "hey jarvis", made by `satellite/wake/make_references.sh`.
pub static HEY_JARVIS: &[u8] = include_bytes!("../../wake/hey-jarvis.rpw");
/// What the embedded references are called.
pub const HEY_JARVIS_PHRASE: &str = "hey jarvis";

/// Spots wake words in 16 kHz sound.
pub trait Spotter: Send {
    /// Takes the next samples, any number of them, in.
    fn hear(&mut self, samples: &[i16]) -> Option<Spotted>;
    /// What comes next does not follow what came before.
    fn forget(&mut self);
}

/// A wake word that was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Spotted {
    /// Which.
    pub phrase: String,
    /// How well it fits, 0.0 to 1.0.
    pub score: f32,
    /// Learnt from recordings of the people here.
    pub enrolled: bool,
}

/// Most wake words that people teach one satellite.
const LEARNT_MAX: usize = 8;

/// Where a learnt wake word is kept: the file's name is the phrase, words joined by dashes.
pub fn learnt_path(state_dir: &Path, phrase: &str) -> PathBuf {
    let name: String = phrase.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    state_dir.join("wake").join(format!("{}.rpw", name.to_lowercase()))
}

/// A spotter for everything that is listened for.
pub fn spotter(config: &Config) -> Result<(Dtw, Vec<String>), SpotterError> {
    let learnt = if config.wake.learnt { read_learnt(&config.state_dir)? } else { Vec::new() };
    let mut words: Vec<References> =
        learnt.iter().map(|(phrase, file)| References { phrase, file, enrolled: true }).collect();
    if config.wake.built_in {
        words.push(References { phrase: HEY_JARVIS_PHRASE, file: HEY_JARVIS, enrolled: false });
    }
    let mut phrases: Vec<String> = words.iter().map(|word| word.phrase.to_owned()).collect();
    phrases.dedup();
    Ok((Dtw::new(&words, config.wake.threshold)?, phrases))
}

fn read_learnt(state_dir: &Path) -> Result<Vec<(String, Vec<u8>)>, SpotterError> {
    let Ok(dir) = std::fs::read_dir(state_dir.join("wake")) else {
        return Ok(Vec::new());
    };
    let mut paths: Vec<PathBuf> = dir
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rpw"))
        .collect();
    paths.sort();
    if paths.len() > LEARNT_MAX {
        tracing::warn!(LEARNT_MAX, "more wake words were taught than are listened for");
        paths.truncate(LEARNT_MAX);
    }
    paths
        .into_iter()
        .map(|path| {
            let phrase = path.file_stem().unwrap_or_default().to_string_lossy().replace('-', " ");
            match std::fs::read(&path) {
                Ok(file) => Ok((phrase, file)),
                Err(error) => Err(SpotterError::Bad { name: phrase, reason: error.to_string() }),
            }
        })
        .collect()
}
