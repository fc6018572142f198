//! The section `[ear]` of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Most workers. Each holds the whole model, and each that hears takes a share of one core.
pub const EARS_MAX: u8 = 8;

/// How the ear is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EarConfig {
    /// The worker's program; left out, `jarvis-ear` beside `jarvisd` or where packages put it.
    pub worker: Option<PathBuf>,
    /// Worker processes, 1 to [`EARS_MAX`]: as many rooms are heard at once. Each keeps the model in memory: 20 MB with the
    /// embedded one, beside 12 MB of the library that all share; a large model of others takes gigabytes each.
    pub workers: u8,
    /// Folder of a Vosk model: the embedded one, or any other.
    pub model: PathBuf,
    /// The owner's word that people were understood with `model`; only for models that have no `model.toml` to say it.
    pub tried_on_people: Option<bool>,
    /// Folder that holds `libvosk.so`; left out, the worker looks where it was linked.
    pub library_dir: Option<PathBuf>,
    /// Longest silence of a busy worker before it counts as hung and is killed, in milliseconds.
    pub max_call_ms: u64,
    /// Longest time to load the model, in milliseconds; large models take a while from a slow disk.
    pub load_ms: u64,
}

impl Default for EarConfig {
    fn default() -> Self {
        Self {
            worker: None,
            workers: 2,
            model: PathBuf::from("/usr/share/jarvis/models/en-commands"),
            tried_on_people: None,
            library_dir: None,
            max_call_ms: 2_000,
            load_ms: 60_000,
        }
    }
}

impl EarConfig {
    /// See [`EarConfig::max_call_ms`].
    pub fn max_call(&self) -> Duration {
        Duration::from_millis(self.max_call_ms)
    }

    /// See [`EarConfig::load_ms`].
    pub fn load_time(&self) -> Duration {
        Duration::from_millis(self.load_ms)
    }
}
