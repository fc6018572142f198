//! The section `[speech]` of the configuration, and the table of engines.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::engine::{Engine, SpeechError};

/// Bytes of sentences kept on disk unless configured otherwise: about twenty-five minutes of speech.
const CACHE_BYTES: u64 = 64 << 20;

/// How long a sentence waits for the disk, so that a slow one costs nothing that is heard.
const CACHE_WAIT: Duration = Duration::from_millis(50);

/// What espeak-ng takes, in words a minute; its worker would speak at the nearest.
const RATES: std::ops::RangeInclusive<u16> = 80..=450;

/// Its highest pitch.
const PITCH_MAX: u8 = 99;

/// How Jarvis speaks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpeechConfig {
    /// espeak-ng's voice (`espeak-ng --voices=en` lists them).
    pub voice: String,
    /// Its speed, in words a minute, 80 to 450.
    pub rate: u16,
    /// Its pitch, 0 to 99.
    pub pitch: u8,
    /// The worker's program; left out, `jarvis-voice` beside `jarvisd` or where packages put it.
    pub worker: Option<PathBuf>,
    /// Bytes of spoken sentences kept on disk; 0 keeps none.
    pub cache_bytes: u64,
    /// How long a sentence waits for the disk; a slow one counts as a miss. Not the owner's to choose.
    #[serde(skip)]
    pub cache_wait: Duration,
    /// Engines to try before espeak-ng, in this order.
    pub engines: Vec<EngineConfig>,
    /// The daemon's state directory, from the section `[daemon]`; empty for no cache.
    #[serde(skip)]
    pub state_dir: PathBuf,
}

impl Default for SpeechConfig {
    fn default() -> Self {
        Self {
            voice: "en-gb-x-rp".to_owned(),
            rate: 165,
            pitch: 35,
            worker: None,
            cache_bytes: CACHE_BYTES,
            cache_wait: CACHE_WAIT,
            engines: Vec::new(),
            state_dir: PathBuf::new(),
        }
    }
}

impl SpeechConfig {
    /// What the types cannot hold: the place in `engines` where it is one of theirs, the key, what is wrong, and a remedy.
    pub fn mistakes(&self) -> Vec<(Option<usize>, &'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        if !RATES.contains(&self.rate) {
            wrong.push((None, "rate", format!("{} words a minute", self.rate), "give 80 to 450"));
        }
        if self.pitch > PITCH_MAX {
            wrong.push((None, "pitch", self.pitch.to_string(), "give 0 to 99"));
        }
        for (index, engine) in self.engines.iter().enumerate() {
            wrong.extend(engine.mistakes().into_iter().map(|(key, what, remedy)| (Some(index), key, what, remedy)));
        }
        wrong
    }

    /// Where sentences are kept; `None` where none are.
    pub fn cache_dir(&self) -> Option<PathBuf> {
        let kept = self.cache_bytes > 0 && self.state_dir != Path::new("");
        kept.then(|| self.state_dir.join("speech"))
    }
}

/// Makes [`EngineConfig`] from the table below: a name in the configuration, the settings' type, whose `engine()` builds it and whose
/// `mistakes()` tells what the type cannot hold.
macro_rules! engines {
    ($($(#[$doc:meta])* $kind:literal => $variant:ident($settings:ty),)+) => {
        /// One engine of the table, told apart by `kind`.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(tag = "kind")]
        pub enum EngineConfig {
            $($(#[$doc])* #[serde(rename = $kind)] $variant($settings),)+
        }

        impl EngineConfig {
            /// Every `kind` there is, for documentation and diagnosis; espeak-ng has no entry, it is always the last.
            pub const KINDS: &[&str] = &[$($kind),+];

            pub(super) fn engine(&self) -> Result<Arc<dyn Engine>, SpeechError> {
                match self {
                    $(Self::$variant(settings) => settings.engine(),)+
                }
            }

            fn mistakes(&self) -> Vec<(&'static str, String, &'static str)> {
                match self {
                    $(Self::$variant(settings) => settings.mistakes(),)+
                }
            }
        }
    };
}

engines! {
    /// A server that answers `POST /v1/audio/speech` as OpenAI's does: Kokoro-FastAPI, speaches, openedai-speech.
    "openai" => OpenAi(super::openai::OpenAiConfig),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_whole() {
        let config: SpeechConfig = toml::from_str(
            r#"
            voice = "en-gb-scotland"
            cache_bytes = 0
            [[engines]]
            kind = "openai"
            name = "kokoro"
            url = "http://10.0.0.7:8880/v1"
            voice = "bm_george"
            "#,
        )
        .unwrap();
        assert_eq!(config.cache_dir(), None);
        let engine = config.engines[0].engine().unwrap();
        assert_eq!(engine.name(), "kokoro");
        assert!(engine.manner().contains("bm_george"));
    }

    #[test]
    fn typing_mistakes_are_told() {
        for (text, part) in [
            ("voise = 'x'", "voise"),
            ("[[engines]]\nkind = 'openay'\nurl = 'http://a/v1'", "openay"),
            ("[[engines]]\nkind = 'openai'\nurl = 'http://a/v1'\nvioce = 'x'", "vioce"),
            ("[[engines]]\nkind = 'openai'", "url"),
        ] {
            let error = toml::from_str::<SpeechConfig>(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_in_an_address_that_is_none_is_not_told() {
        let text = "[[engines]]\nkind = 'openai'\nurl = 'me:secret@kokoro:8880'";
        let config: SpeechConfig = toml::from_str(text).unwrap();
        let (_, key, what, _) = config.mistakes().remove(0);
        let error = config.engines[0].engine().unwrap_err().to_string();
        assert_eq!(key, "url");
        for told in [what, error] {
            assert!(told.contains("\"kokoro:8880\" is no address") && !told.contains("secret"), "{told}");
        }
    }
}
