//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A room of Jarvis: hears the wake word, streams the microphone, plays the answers.
#[derive(Debug, Parser)]
#[command(name = "jarvis-satellite", version)]
pub struct Cli {
    /// Configuration file; without one the defaults hold.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say what is wrong with configuration, devices and enrolment, and end.
    #[arg(long)]
    pub check: bool,
    /// List the microphones and loudspeakers of every audio backend, and end.
    #[arg(long)]
    pub list_devices: bool,
    /// Something else than running.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this satellite known to a daemon, with the code that `jarvisctl enrol ROOM` printed there.
    Enrol {
        /// The code.
        code: String,
    },
    /// Learn a wake word from recordings, or from the microphone.
    Learn {
        /// The phrase.
        #[arg(long)]
        phrase: String,
        /// Write the references here instead of where the satellite looks for them.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Takes to record from the microphone when no files are given.
        #[arg(long, default_value_t = 5)]
        takes: usize,
        /// WAV files, a take each.
        files: Vec<PathBuf>,
    },
    /// Say what the wake word detector makes of recordings.
    Spot {
        /// Listen for these references alone, instead of what the satellite listens for.
        #[arg(long, value_name = "FILE")]
        references: Option<PathBuf>,
        /// WAV files.
        files: Vec<PathBuf>,
    },
}
