//! The satellite's one TOML file, parsed once into its final form.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Longest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where keys and learnt wake words live; empty is `STATE_DIRECTORY`, else `/var/lib/jarvis-satellite`.
    pub state_dir: PathBuf,
    /// Microphone and loudspeaker.
    pub audio: AudioConfig,
    /// The wake word.
    pub wake: WakeConfig,
    /// What is shown.
    pub led: LedConfig,
    /// The local socket for buttons and scripts.
    pub control: ControlConfig,
}

/// `[audio]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudioConfig {
    /// One of [`crate::audio::BACKENDS`]; empty is the first of them.
    pub backend: String,
    /// Name of the microphone; empty is the system's default. For `wav` a path.
    pub microphone: String,
    /// Name of the loudspeaker; empty is the system's default. For `wav` a path.
    pub loudspeaker: String,
    /// Rate at which the microphone is read, in hertz; 0 is the best it has.
    pub microphone_rate_hz: u32,
    /// Rate at which the loudspeaker is driven, in hertz; 0 is its own.
    pub loudspeaker_rate_hz: u32,
    /// Whether the loudspeaker's sound is taken out of the microphone's.
    pub echo_canceller: bool,
    /// Loudness until the daemon says otherwise, 0 to 100.
    pub volume_percent: u8,
}

impl Default for AudioConfig {
    fn default() -> Self {
        Self {
            backend: String::new(),
            microphone: String::new(),
            loudspeaker: String::new(),
            microphone_rate_hz: 0,
            loudspeaker_rate_hz: 0,
            echo_canceller: true,
            volume_percent: 80,
        }
    }
}

/// `[wake]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WakeConfig {
    /// Whether the built-in "hey jarvis" is listened for.
    pub built_in: bool,
    /// Whether wake words that people taught (`jarvis-satellite learn`) are listened for.
    pub learnt: bool,
    /// Score from which on it fires, 0.0 to 1.0.
    pub threshold: f32,
    /// Score from which on the daemon never doubts it.
    pub sure: f32,
}

impl Default for WakeConfig {
    fn default() -> Self {
        Self { built_in: true, learnt: true, threshold: 0.55, sure: 0.7 }
    }
}

/// `[led]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedConfig {
    /// One of [`crate::led::BACKENDS`].
    pub backend: String,
    /// For `file`: what is shown is written there.
    pub path: PathBuf,
}

impl Default for LedConfig {
    fn default() -> Self {
        Self { backend: "log".to_owned(), path: PathBuf::new() }
    }
}

/// `[control]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlConfig {
    /// Path of the socket; empty is `control.sock` in `RUNTIME_DIRECTORY`, and none without one.
    pub socket: PathBuf,
}

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("{path}: {reason}; give an existing file with --config")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// It is wrong in one place.
    #[error("{path}:{line}: {reason}")]
    Wrong {
        /// The file.
        path: String,
        /// The line, from 1 on.
        line: usize,
        /// What is wrong, with a remedy.
        reason: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |reason: String| ConfigError::Unreadable { path: path.display().to_string(), reason };
        let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(unreadable(format!("it is longer than {FILE_BYTES_MAX} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Checks the text of a file that is called `path` in messages.
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::Wrong {
            path: path.to_owned(),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            reason: with_nearest_key(error.message()),
        })?;
        config.check(text, path)?;
        Ok(config)
    }

    fn check(&self, text: &str, path: &str) -> Result<(), ConfigError> {
        let wrong = |section: &str, key: &str, reason: String| {
            Err(ConfigError::Wrong {
                path: path.to_owned(),
                line: line_of_key(text, section, key),
                reason: format!("{section}.{key}: {reason}"),
            })
        };
        if let Err(error) = crate::audio::backend(&self.audio.backend) {
            return wrong("audio", "backend", error.to_string());
        }
        if self.audio.volume_percent > 100 {
            return wrong("audio", "volume_percent", "it goes from 0 to 100".to_owned());
        }
        if !(0.3..=1.0).contains(&self.wake.threshold) {
            return wrong("wake", "threshold", "it goes from 0.3 (fires at anything) to 1.0".to_owned());
        }
        if self.wake.sure < self.wake.threshold {
            return wrong("wake", "sure", "it can't lie below threshold".to_owned());
        }
        if let Err(error) = crate::led::led(&self.led) {
            return wrong("led", "backend", error.to_string());
        }
        Ok(())
    }
}

/// Where a key of a section stands, else the section itself, else the first line.
fn line_of_key(text: &str, section: &str, key: &str) -> usize {
    let place = toml::de::DeTable::parse(text).ok().and_then(|file| {
        let (name, inside) = file.get_ref().get_key_value(section)?;
        let key = inside.get_ref().as_table().and_then(|table| table.get_key_value(key));
        Some(key.map_or_else(|| name.span(), |(name, _)| name.span()).start)
    });
    line_of(text, place.unwrap_or(0))
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// The parser names all keys that would do; the reader wants the one that was meant.
fn with_nearest_key(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let Some(unknown) = names.next().filter(|_| message.starts_with("unknown")) else {
        return message.to_owned();
    };
    names
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(2) / 2)
        .map_or_else(
            || message.to_owned(),
            |(_, name)| format!("there is no key \"{unknown}\" here; did you mean \"{name}\"?"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &[&str]) {
        let told = Config::parse(text, "room.toml").unwrap_err().to_string();
        for part in wanted {
            assert!(told.contains(part), "{told:?} lacks {part:?}");
        }
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse("", "room.toml").unwrap(), Config::default());
    }

    #[test]
    fn the_file_in_the_documents_is_the_default_one_and_has_every_key() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, rest) = text.split_once("## The satellite's file").unwrap();
        let block = rest.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert_eq!(Config::parse(block, "room.toml").unwrap(), Config::default());
        for section in ["", "[audio]", "[wake]", "[led]", "[control]"] {
            // The parser names all keys that would do.
            let told = toml::from_str::<Config>(&format!("{section}\nno_such_key = 1\n")).unwrap_err();
            for key in told.message().split('`').skip(3).step_by(2) {
                assert!(block.contains(&format!("\n{key} = ")) || block.contains(&format!("[{key}]")), "{key}");
            }
        }
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_the_key_that_was_meant() {
        check("\n[audio]\nmicrofone = \"x\"\n", &["room.toml:3:", "microfone", "\"microphone\""]);
        check("[wak]\n", &["room.toml:1:", "\"wake\""]);
        check("[audio]\nbackend = \"jack\"", &["room.toml:2:", "pulse, alsa, wav, null"]);
        check("[audio]\nvolume_percent = \"loud\"", &["room.toml:2:", "string"]);
        check("[audio]\nvolume_percent = 101", &["room.toml:2:", "0 to 100"]);
        check("[wake]\nthreshold = 0.1", &["room.toml:2:", "0.3"]);
        check("[wake]\nthreshold = 0.7\nsure = 0.6", &["room.toml:3:", "threshold"]);
        check("[led]\nbackend = \"lava\"", &["room.toml:2:", "log"]);
        check("[audio]\nbackend = \"null\"\n[led]\nbackend = \"lava\"", &["room.toml:4:", "led.backend", "log"]);
        check("[audio]\nbackend = \"null\"\n\n[led]\nbackend = \"file\"", &["room.toml:5:", "needs a path"]);
        check("[wake]\nsure = 0.4", &["room.toml:2:", "wake.sure"]);
        check("[audio\n", &["room.toml:1:"]);
    }
}
