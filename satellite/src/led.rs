//! What the satellite shows of its state. One backend is one line of [`BACKENDS`].

use std::path::PathBuf;

use jarvis_link::message::Mood;

use crate::config::LedConfig;

/// Something that shows a mood.
pub trait Led: Send {
    /// Shows it, until the next.
    fn show(&mut self, mood: Mood);
}

/// Makes one kind of [`Led`] from its configuration.
type Make = fn(&LedConfig) -> Result<Box<dyn Led>, LedError>;

/// All kinds by name, the default first.
pub static BACKENDS: &[(&str, Make)] = &[("log", log), ("file", file)];

/// Why there is no LED.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LedError {
    /// No such backend.
    #[error("there is no led backend \"{0}\"; choose one of: log, file")]
    NoBackend(String),
    /// `file` without a path.
    #[error("the led backend \"file\" needs a path")]
    NoPath,
}

/// Makes the configured one.
pub fn led(config: &LedConfig) -> Result<Box<dyn Led>, LedError> {
    let make = BACKENDS
        .iter()
        .find(|(name, _)| *name == config.backend)
        .ok_or_else(|| LedError::NoBackend(config.backend.clone()))?
        .1;
    make(config)
}

/// The word for a mood, for logs and files.
pub fn word(mood: Mood) -> &'static str {
    match mood {
        Mood::Idle => "idle",
        Mood::Listening => "listening",
        Mood::Thinking => "thinking",
        Mood::Speaking => "speaking",
        Mood::Trouble => "trouble",
    }
}

struct Log;

fn log(_config: &LedConfig) -> Result<Box<dyn Led>, LedError> {
    Ok(Box::new(Log))
}

impl Led for Log {
    fn show(&mut self, mood: Mood) {
        tracing::info!(mood = word(mood), "led");
    }
}

struct File {
    path: PathBuf,
}

fn file(config: &LedConfig) -> Result<Box<dyn Led>, LedError> {
    if config.path.as_os_str().is_empty() {
        return Err(LedError::NoPath);
    }
    Ok(Box::new(File { path: config.path.clone() }))
}

impl Led for File {
    fn show(&mut self, mood: Mood) {
        if let Err(error) = std::fs::write(&self.path, format!("{}\n", word(mood))) {
            tracing::warn!(path = %self.path.display(), %error, "the led's file can't be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_shows_the_latest_mood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("led");
        let config = LedConfig { backend: "file".to_owned(), path: path.clone() };
        let mut led = led(&config).unwrap();
        led.show(Mood::Listening);
        led.show(Mood::Idle);
        assert_eq!(std::fs::read_to_string(path).unwrap(), "idle\n");
    }

    #[test]
    fn the_error_lists_every_backend() {
        let config = LedConfig { backend: "lava".to_owned(), path: PathBuf::new() };
        let told = led(&config).err().unwrap().to_string();
        assert!(BACKENDS.iter().all(|(name, _)| told.contains(name)), "{told}");
    }
}
