//! Logging: to standard error, where systemd's journal takes it.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// What is logged unless `JARVIS_LOG` says otherwise.
const DEFAULT: &str = "info";

/// Begins to log. A filter that can't be read is told and replaced by the default.
pub fn start(filter: Option<&str>) {
    let wanted = filter.unwrap_or(DEFAULT);
    let parsed = EnvFilter::try_new(wanted);
    let bad = parsed.is_err();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(parsed.unwrap_or_else(|_| EnvFilter::new(DEFAULT)))
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        eprintln!("jarvis-satellite: logging was started before");
    }
    if bad {
        tracing::warn!(filter = wanted, "JARVIS_LOG is no filter such as \"info,jarvis_satellite=debug\"");
    }
}
