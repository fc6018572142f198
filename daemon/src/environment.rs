//! The one place that reads the process's environment.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What the environment says, read once at start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// systemd's notification socket (`NOTIFY_SOCKET`).
    pub notify_socket: Option<OsString>,
    /// How often systemd wants a sign of life (`WATCHDOG_USEC`), where it is meant for this process (`WATCHDOG_PID`).
    pub watchdog: Option<Duration>,
    /// Where systemd puts `LoadCredential=` files (`CREDENTIALS_DIRECTORY`).
    pub credentials: Option<PathBuf>,
    /// Log filter for a developer (`JARVIS_LOG`), over the configuration's.
    pub log: Option<String>,
    /// Standard error goes to the journal (`JOURNAL_STREAM`), which has times and no colours.
    pub journal: bool,
    /// Colours are not wanted (`NO_COLOR`).
    pub no_color: bool,
}

impl Environment {
    /// Reads it.
    pub fn read() -> Self {
        let text = |name| env::var(name).ok().filter(|v| !v.is_empty());
        let for_us = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        Self {
            notify_socket: env::var_os("NOTIFY_SOCKET").filter(|v| !v.is_empty()),
            watchdog: text("WATCHDOG_USEC")
                .and_then(|us| us.parse().ok())
                .filter(|us| for_us && *us > 0)
                .map(Duration::from_micros),
            credentials: env::var_os("CREDENTIALS_DIRECTORY").filter(|v| !v.is_empty()).map(PathBuf::from),
            log: text("JARVIS_LOG"),
            journal: text("JOURNAL_STREAM").is_some(),
            no_color: text("NO_COLOR").is_some(),
        }
    }
}
