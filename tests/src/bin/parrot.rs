//! An ear that hears what it is told. See `jarvis_tests::parrot`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match jarvis_tests::parrot::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
