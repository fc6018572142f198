//! `jarvisctl`.

use std::process::ExitCode;

/// Parses the arguments, asks the daemon, prints.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
