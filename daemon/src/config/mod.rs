//! The configuration: one TOML file, parsed once into final types.
//!
//! Each section's type stands with the part it configures; this module composes them, tells file, line and nearest key of a mistake, and
//! finds the secrets. A secret is never in the file: the file names a systemd credential or a path.

mod diagnose;
mod locate;
mod secret;
mod summary;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::agent::AgentConfig;
use crate::cluster::ClusterConfig;
use crate::ear::{EARS_MAX, EarConfig};
use crate::environment::Environment;
use crate::hub::{HubConfig, tidy_room};
use crate::mcp::{McpConfig, ServerConfig};
use crate::memory::MemoryConfig;
use crate::mind::MindsConfig;
use crate::page::PageConfig;
use crate::safety::SafetyConfig;
use crate::speech::SpeechConfig;
use crate::store::Keep;

use locate::Unplaced;

pub use diagnose::{ConfigError, Mistake};
pub use secret::{SecretError, Secrets};

/// Where the file is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/jarvis/jarvisd.toml";
/// A longer file is not a configuration.
const MAX_BYTES: u64 = 1 << 20;
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Longest that anything may be kept: a hundred years.
const MAX_DAYS: u32 = 36_500;

/// `jarvisd.toml`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[daemon]`: the program itself.
    pub daemon: DaemonConfig,
    /// `[link]`: satellites.
    pub link: HubConfig,
    /// `[cluster]`: nodes, token, sensors.
    pub cluster: ClusterConfig,
    /// `[ear]`: speech to text.
    pub ear: EarConfig,
    /// `[speech]`: text to speech.
    pub speech: SpeechConfig,
    /// `[minds]`: models that can be asked.
    pub minds: MindsConfig,
    /// `[mcp]`: other programs.
    pub mcp: McpConfig,
    /// `[agent]`: how much work a model may put into one request.
    pub agent: AgentConfig,
    /// `[memory]`: what is remembered.
    pub memory: MemoryConfig,
    /// `[page]`: the status page.
    pub page: PageConfig,
    /// `[safety]`: what may be changed, by whom, from where.
    pub safety: SafetyConfig,
    /// `[retention]`: how long words are kept.
    pub retention: RetentionConfig,
}

/// The `[daemon]` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DaemonConfig {
    /// Database, keys, caches and the control socket live below it.
    pub state_dir: PathBuf,
    /// Group whose members may use `jarvisctl`, beside root and the daemon's own user.
    pub control_group: Option<String>,
    /// What is logged: `info`, `debug`, or `jarvisd::turn=debug,info`.
    pub log: String,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self { state_dir: "/var/lib/jarvis".into(), control_group: None, log: "info".to_owned() }
    }
}

impl DaemonConfig {
    /// The database.
    pub fn database(&self) -> PathBuf {
        self.state_dir.join("jarvis.db")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.state_dir.join("jarvisd.sock")
    }
}

/// The `[retention]` section, in days.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Words of a turn: what was heard and said.
    pub transcripts_days: u32,
    /// What remains of a turn without its words: times, route, outcome.
    pub turns_days: u32,
    /// Events of the house.
    pub events_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { transcripts_days: 30, turns_days: 365, events_days: 90 }
    }
}

impl RetentionConfig {
    /// What types cannot hold: `(key, what is wrong, remedy)`.
    fn mistakes(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        for (key, days) in [
            ("transcripts_days", self.transcripts_days),
            ("turns_days", self.turns_days),
            ("events_days", self.events_days),
        ] {
            if days == 0 || days > MAX_DAYS {
                wrong.push((key, format!("{days} days"), "give 1 to 36500"));
            }
        }
        if self.turns_days < self.transcripts_days {
            let what =
                format!("turns go after {} days, their words only after {}", self.turns_days, self.transcripts_days);
            wrong.push(("turns_days", what, "keep turns at least as long as transcripts"));
        }
        wrong
    }

    /// As the store takes it.
    pub fn keep(&self) -> Keep {
        let ms = |days: u32| i64::from(days) * DAY_MS;
        Keep { words_ms: ms(self.transcripts_days), turns_ms: ms(self.turns_days), events_ms: ms(self.events_days) }
    }
}

impl Config {
    /// Reads and checks the file, and resolves the secrets' paths; their contents are read by the parts that need them.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let size = fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_BYTES {
            return Err(ConfigError::TooLong { path: path.to_owned(), size });
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text, path, environment)
    }

    /// The same from text; `path` is for the messages.
    pub fn parse(text: &str, path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let mut config: Self =
            toml::from_str(text).map_err(|e| ConfigError::Wrong(vec![diagnose::explain(&e, text, path)]))?;
        let wrong = config.settle(environment);
        if wrong.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Wrong(wrong.into_iter().map(|w| w.placed(text, path)).collect()))
    }

    /// Completes what sections take from each other, and tells what types cannot hold.
    fn settle(&mut self, environment: &Environment) -> Vec<Unplaced> {
        let mut wrong = self.mistakes();
        for (keys, what) in secret::resolve(self, environment) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            wrong.push(Unplaced::new(&keys, what, secret::REMEDY));
        }
        if let Some(room) = &mut self.mcp.room {
            *room = tidy_room(room);
        }
        self.link.state_dir.clone_from(&self.daemon.state_dir);
        self.speech.state_dir.clone_from(&self.daemon.state_dir);
        wrong
    }

    fn mistakes(&self) -> Vec<Unplaced> {
        let mut wrong = Vec::new();
        let mut say = |keys: &[&str], what: String, remedy: &str| wrong.push(Unplaced::new(keys, what, remedy));
        if !self.daemon.state_dir.is_absolute() {
            say(&["daemon", "state_dir"], "is not an absolute path".to_owned(), "begin it with /");
        }
        if !self.page.listen.ip().is_loopback() {
            let what = format!("{} can be reached from outside", self.page.listen);
            let remedy = "whoever reaches the page may look: listen on 127.0.0.1 or [::1], and reach it through an SSH tunnel or a \
                          proxy that asks who is there";
            say(&["page", "listen"], what, remedy);
        }
        if !(1..=EARS_MAX).contains(&self.ear.workers) {
            let remedy =
                format!("give 1 to {EARS_MAX}: as many rooms are heard at once, and each worker holds the whole model");
            say(&["ear", "workers"], format!("{} workers", self.ear.workers), &remedy);
        }
        if self.link.volume_percent > 100 {
            say(&["link", "volume_percent"], format!("{} %", self.link.volume_percent), "give 0 to 100");
        }
        let sections = [("retention", self.retention.mistakes()), ("agent", self.agent.mistakes())];
        for (section, mistakes) in sections {
            for (key, what, remedy) in mistakes {
                say(&[section, key], what, remedy);
            }
        }
        for (keys, what, remedy) in self.safety.mistakes().into_iter().chain(self.mcp.mistakes()) {
            say(keys, what, remedy);
        }
        for (index, key, what, remedy) in self.cluster.mistakes() {
            wrong.push(Unplaced::within("cluster", index.map(|index| ("nodes", index)), key, what, remedy));
        }
        for (index, key, what, remedy) in self.speech.mistakes() {
            wrong.push(Unplaced::within("speech", index.map(|index| ("engines", index)), key, what, remedy));
        }
        for mistake in self.minds.mistakes() {
            let entry = mistake.index.map(|index| ("providers", index));
            wrong.push(Unplaced::within("minds", entry, mistake.key, mistake.what, mistake.remedy));
        }
        for (index, key, what, remedy) in ServerConfig::mistakes(&self.mcp.servers) {
            wrong.push(Unplaced::within("mcp", Some(("servers", index)), key, what, remedy));
        }
        wrong
    }
}

#[cfg(test)]
mod tests;
