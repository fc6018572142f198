//! The environment, read here and nowhere else.

use std::path::PathBuf;

/// What the satellite takes from its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `STATE_DIRECTORY`, set by systemd.
    pub state_dir: Option<PathBuf>,
    /// `RUNTIME_DIRECTORY`, set by systemd.
    pub runtime_dir: Option<PathBuf>,
    /// `NOTIFY_SOCKET`, set by systemd for `Type=notify`.
    pub notify_socket: Option<PathBuf>,
    /// `JARVIS_LOG`: a filter of tracing-subscriber.
    pub log: Option<String>,
}

impl Environment {
    /// Reads it.
    pub fn read() -> Self {
        Self {
            state_dir: first_path("STATE_DIRECTORY"),
            runtime_dir: first_path("RUNTIME_DIRECTORY"),
            notify_socket: std::env::var_os("NOTIFY_SOCKET").map(PathBuf::from),
            log: std::env::var("JARVIS_LOG").ok(),
        }
    }
}

/// systemd separates several directories by colons.
fn first_path(name: &str) -> Option<PathBuf> {
    let value = std::env::var(name).ok()?;
    let first = value.split(':').next().filter(|path| !path.is_empty())?;
    Some(PathBuf::from(first))
}
