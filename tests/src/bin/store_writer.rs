//! Writes seeded turns into a store and says what was acknowledged, until it is killed. See `jarvis_tests::bench::store`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match jarvis_tests::bench::store::writer::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
