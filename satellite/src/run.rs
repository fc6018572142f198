//! What the command line asks for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use jarvis_link::message::{MIC_RATE_HZ, SatMicros};

use crate::audio::{self, resample::Resampler, wav::read_mono};
use crate::cli::{Cli, Command};
use crate::config::Config;
use crate::environment::Environment;
use crate::sound::Pipeline;
use crate::wake::{self, Dtw, Gate, References, Spotter, WakeFeed};

/// Where state is kept when neither configuration nor systemd says so.
const STATE_DIR: &str = "/var/lib/jarvis-satellite";

/// Does it.
pub fn run(cli: Cli, environment: &Environment) -> Result<()> {
    let mut config = match &cli.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if config.state_dir.as_os_str().is_empty() {
        config.state_dir = environment.state_dir.clone().unwrap_or_else(|| PathBuf::from(STATE_DIR));
    }
    match cli.command {
        Some(Command::Learn { phrase, out, takes, files }) => {
            ensure!(!files.is_empty(), "recording {takes} takes from the microphone needs files for now");
            learn(&config, &phrase, out, &files)
        }
        Some(Command::Spot { references, files }) => spot(&config, references.as_deref(), &files),
        Some(Command::Enrol { code }) => bail!("{code}"),
        None if cli.list_devices => list_devices(),
        None => bail!("not yet"),
    }
}

fn list_devices() -> Result<()> {
    for backend in audio::BACKENDS {
        match backend.devices() {
            Ok(devices) => {
                println!("{}", backend.name());
                println!("  microphones:  {}", devices.microphones.join(", "));
                println!("  loudspeakers: {}", devices.loudspeakers.join(", "));
            }
            Err(error) => println!("{}: {error}", backend.name()),
        }
    }
    Ok(())
}

fn read_16k(path: &Path) -> Result<Vec<i16>> {
    let (samples, rate) = read_mono(path).map_err(anyhow::Error::msg).with_context(|| path.display().to_string())?;
    let mut out = Vec::new();
    let mut resampler = Resampler::new(rate, MIC_RATE_HZ)?;
    resampler.push(&samples, &mut out);
    resampler.finish(&mut out);
    Ok(out)
}

fn learn(config: &Config, phrase: &str, out: Option<PathBuf>, files: &[PathBuf]) -> Result<()> {
    let takes = files.iter().map(|path| read_16k(path)).collect::<Result<Vec<_>>>()?;
    for (path, take) in files.iter().zip(&takes) {
        let word = wake::learn::trim(take);
        tracing::debug!(take = %path.display(), ms = word.len() / 16, "take");
    }
    let references = wake::learn::learn(phrase, &takes)?;
    let out = out.unwrap_or_else(|| wake::learnt_path(&config.state_dir, phrase));
    if let Some(dir) = out.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    }
    std::fs::write(&out, references).with_context(|| format!("write {}", out.display()))?;
    println!("learnt \"{phrase}\" from {} takes: {}", takes.len(), out.display());
    Ok(())
}

fn spot(config: &Config, references: Option<&Path>, files: &[PathBuf]) -> Result<()> {
    let mut spotter = match references {
        Some(path) => {
            let file = std::fs::read(path).with_context(|| path.display().to_string())?;
            let word = References { phrase: "spotted", file: &file, enrolled: false };
            Dtw::new(&[word], config.wake.threshold)?
        }
        None => wake::spotter(config)?.0,
    };
    for path in files {
        let (samples, rate) = read_mono(path).map_err(anyhow::Error::msg)?;
        let mut found = Vec::new();
        spot_in(&mut spotter, &samples, rate, |ms, score| found.push(format!("{ms} ms {score:.2}")))?;
        println!("{}: {}", path.display(), if found.is_empty() { "-".to_owned() } else { found.join(", ") });
    }
    Ok(())
}

fn spot_in(spotter: &mut Dtw, samples: &[i16], rate: u32, mut found: impl FnMut(u64, f32)) -> Result<()> {
    let mut pipeline = Pipeline::new(rate, true)?;
    let mut gate = Gate::default();
    spotter.forget();
    let second = rate as usize;
    let quiet = || audio::Hiss::default().take(second);
    let sound: Vec<i16> = quiet().chain(samples.iter().copied()).chain(quiet()).collect();
    let mut frames = Vec::new();
    for (n, piece) in sound.chunks((rate / 50) as usize).enumerate() {
        pipeline.push(piece, SatMicros(n as u64 * 20_000), None, &mut |frame| frames.push(frame));
    }
    for frame in frames {
        gate.hear(&frame, &mut |feed| match feed {
            WakeFeed::Gap => spotter.forget(),
            WakeFeed::Frame { captured, samples } => {
                if let Some(spotted) = spotter.hear(samples.as_slice()) {
                    found((captured.0 / 1000 + 20).saturating_sub(1000), spotted.score);
                }
            }
        });
    }
    Ok(())
}
