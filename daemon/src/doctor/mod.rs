//! The doctor: what is wrong, and what to do about each thing.
//!
//! [`files`] looks at what the configuration names; [`live`] asks the parts of a running daemon; [`alone`] starts the parts for a moment
//! where no daemon runs. Nothing here repairs: every finding names the remedy.

mod alone;
mod files;
mod live;
mod minds;
mod servers;
mod show;

use serde::{Deserialize, Serialize};

pub use alone::alone;
pub use files::files;
pub use live::live;
pub(crate) use show::printable;
pub use show::{checked, listed};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// Something does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Part of Jarvis: `config`, `secrets`, `ear`, ...
    pub part: String,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// What to do; empty where all is well.
    pub remedy: String,
}

impl Finding {
    pub(crate) fn good(part: &str, what: impl Into<String>) -> Self {
        Self { part: part.to_owned(), level: Level::Good, what: what.into(), remedy: String::new() }
    }

    fn note(part: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { part: part.to_owned(), level: Level::Note, what: what.into(), remedy: remedy.into() }
    }

    pub(crate) fn problem(part: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { part: part.to_owned(), level: Level::Problem, what: what.into(), remedy: remedy.into() }
    }
}

#[cfg(test)]
mod tests;
