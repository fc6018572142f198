//! The daemon: parses its arguments, initialises logging, runs.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jarvisd::config::{Config, DEFAULT_PATH};
use jarvisd::environment::Environment;
use jarvisd::redaction::Journal;
use tracing_subscriber::EnvFilter;

/// sysexits.h's EX_CONFIG: systemd need not try again (`RestartPreventExitStatus=78`).
const EXIT_CONFIG: u8 = 78;

/// Jarvis, the voice of your Proxmox VE cluster: the daemon.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Say what is wrong with the configuration and what it names, or sum it up; then end.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let environment = Environment::read();
    let config = match Config::load(&arguments.config, &environment) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if arguments.check {
        return check(&config, &environment);
    }
    if let Err(error) = log(&config, &environment) {
        eprintln!("{}: {error:#}\n  remedy: correct [daemon] log", arguments.config.display());
        return ExitCode::from(EXIT_CONFIG);
    }
    match jarvisd::app::run(config, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(config: &Config, environment: &Environment) -> ExitCode {
    let findings = jarvisd::doctor::files(config, environment);
    print!("{}", jarvisd::doctor::checked(config, &findings));
    if findings.iter().any(|f| f.level == jarvisd::doctor::Level::Problem) {
        return ExitCode::from(EXIT_CONFIG);
    }
    ExitCode::SUCCESS
}

fn log(config: &Config, environment: &Environment) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(environment.log.as_ref().unwrap_or(&config.daemon.log))?;
    let colours = std::io::stderr().is_terminal() && !environment.no_color;
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Journal(std::io::stderr)).with_ansi(colours);
    if environment.journal {
        lines.without_time().init()
    } else {
        lines.init()
    }
    Ok(())
}
