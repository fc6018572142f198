//! `jarvis-satellite`: a room of Jarvis.

use std::process::ExitCode;

use clap::Parser;
use jarvis_satellite::{cli::Cli, environment::Environment, log, tool};

fn main() -> ExitCode {
    let environment = Environment::read();
    log::start(environment.log.as_deref());
    match tool::carry_out(Cli::parse(), &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jarvis-satellite: {error:#}");
            ExitCode::FAILURE
        }
    }
}
