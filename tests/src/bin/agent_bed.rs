//! The daemon, killed within a commit. See `jarvis_tests::resume`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match jarvis_tests::resume::bed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
