//! What the command line asks for, and the parts of it that need no running satellite.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jarvis_link::message::{MIC_RATE_HZ, SatMicros};

use crate::audio::{self, resample::Resampler, tape::tape, wav::read_mono};
use crate::cli::{Cli, Command};
use crate::clock::Clock;
use crate::config::Config;
use crate::environment::Environment;
use crate::sound::{MicFrame, Pipeline};
use crate::wake::{self, Dtw, Gate, References, Spotter, WakeFeed};

/// Where state is kept when neither configuration nor systemd says so.
const STATE_DIR: &str = "/var/lib/jarvis-satellite";
/// Longest take that is recorded.
const TAKE: Duration = Duration::from_secs(3);

/// Does it.
pub fn carry_out(cli: Cli, environment: &Environment) -> Result<()> {
    let mut config = match &cli.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if config.state_dir.as_os_str().is_empty() {
        config.state_dir = environment.state_dir.clone().unwrap_or_else(|| PathBuf::from(STATE_DIR));
    }
    match cli.command {
        Some(Command::Learn { phrase, out, takes, files }) => {
            let takes =
                if files.is_empty() { record(&config, takes) } else { files.iter().map(|f| read_16k(f)).collect() };
            learn(&config, &phrase, out, &takes?)
        }
        Some(Command::Spot { references, files }) => spot(&config, references.as_deref(), &files),
        Some(Command::Enrol { code }) => enrol(&config, &code),
        None if cli.list_devices => list_devices(),
        None if cli.check => check(&config),
        None => crate::run::run(&config, environment),
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

/// Looks at every part, whatever is wrong with another.
fn check(config: &Config) -> Result<()> {
    let backend = audio::backend(&config.audio.backend)?;
    let mut wrong = Vec::new();
    let mut look = |part: &str, found: Result<String>| match found {
        Ok(found) => println!("{part}: {found}"),
        Err(error) => wrong.push(format!("{error:#}")),
    };
    let hz = |rate: u32| format!("{} at {rate} Hz", backend.name());
    look("microphone", backend.microphone(&config.audio).map(|found| hz(found.rate_hz())).map_err(Into::into));
    look("loudspeaker", backend.loudspeaker(&config.audio).map(|found| hz(found.rate_hz())).map_err(Into::into));
    look("wake words", wake::spotter(config).map(|(_, phrases)| phrases.join(", ")).map_err(Into::into));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let daemon = runtime.block_on(async { crate::run::start_net(config, Vec::new()).map(|(net, ..)| net.daemon()) });
    look("enrolled", daemon.map(|daemon| format!("with the daemon at {daemon}")).map_err(Into::into));
    // What is wrong with the sound system befalls both devices.
    wrong.dedup();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n  and "));
    println!("ready to run");
    Ok(())
}

fn enrol(config: &Config, code: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let enrolled = runtime.block_on(crate::net::enrol(code, &config.state_dir))?;
    println!("this is \"{}\" now, and belongs to the daemon at {}", enrolled.room, enrolled.daemon);
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

fn learn(config: &Config, phrase: &str, out: Option<PathBuf>, takes: &[Vec<i16>]) -> Result<()> {
    for (n, take) in takes.iter().enumerate() {
        let ms = wake::learn::trim(take).len() * 1000 / MIC_RATE_HZ as usize;
        tracing::debug!(take = n + 1, ms, "without silence");
    }
    let references = wake::learn::learn(phrase, takes)?;
    let out = out.unwrap_or_else(|| wake::learnt_path(&config.state_dir, phrase));
    if let Some(dir) = out.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    }
    std::fs::write(&out, references).with_context(|| format!("write {}", out.display()))?;
    println!("learnt \"{phrase}\" from {} takes: {}", takes.len(), out.display());
    Ok(())
}

/// Records takes from the microphone: each begins when Enter was pressed and lasts [`TAKE`].
fn record(config: &Config, takes: usize) -> Result<Vec<Vec<i16>>> {
    ensure!(wake::learn::TAKES.contains(&takes), "give --takes 2 to 32; five or more are good");
    let clock = Clock::start();
    let microphone = audio::backend(&config.audio.backend)?.microphone(&config.audio)?;
    let rate = microphone.rate_hz();
    let (writer, mut reader) = tape(rate, 2);
    let (faults, faults_out) = sync_channel(1);
    let _open = microphone.open(writer, clock, faults)?;
    let mut taken: Vec<Vec<i16>> = Vec::new();
    while taken.len() < takes {
        println!("take {} of {takes}: press Enter, then say it once", taken.len() + 1);
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).context("wait for Enter")?;
        ensure!(read > 0, "nobody presses Enter: takes are recorded at a terminal, or given as files");
        let mut piece = vec![0; (rate / 100) as usize];
        while reader.read(&mut piece).is_some() {}
        println!("say it now");
        let mut pipeline = Pipeline::new(rate, false)?;
        let mut take = Vec::new();
        let until = Instant::now() + TAKE;
        while Instant::now() < until {
            while let Some(at) = reader.read(&mut piece) {
                pipeline.push(&piece, at, None, &mut |frame: MicFrame| take.extend_from_slice(&frame.samples));
            }
            if let Ok(fault) = faults_out.try_recv() {
                anyhow::bail!("the microphone went away: {}", fault.reason);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        match wake::learn::word(&take) {
            Ok(_) => taken.push(take),
            Err(odd) => println!("once more, please: {odd}"),
        }
    }
    Ok(taken)
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
        let found: Vec<String> = spot_in(&mut spotter, &samples, rate)?
            .into_iter()
            .map(|(ms, score)| format!("{ms} ms {score:.2}"))
            .collect();
        println!("{}: {}", path.display(), if found.is_empty() { "-".to_owned() } else { found.join(", ") });
    }
    Ok(())
}

/// What `spotter` finds in a recording, heard in a quiet room through the satellite's own pipeline: milliseconds and scores.
pub fn spot_in(spotter: &mut dyn Spotter, samples: &[i16], rate_hz: u32) -> Result<Vec<(u64, f32)>> {
    let mut pipeline = Pipeline::new(rate_hz, true)?;
    let mut gate = Gate::default();
    spotter.forget();
    let second = rate_hz as usize;
    let quiet = || audio::Hiss::default().take(second);
    let sound: Vec<i16> = quiet().chain(samples.iter().copied()).chain(quiet()).collect();
    let mut frames = Vec::new();
    for (n, piece) in sound.chunks((rate_hz / 50) as usize).enumerate() {
        pipeline.push(piece, SatMicros(n as u64 * 20_000), None, &mut |frame| frames.push(frame));
    }
    let mut found = Vec::new();
    for frame in frames {
        gate.hear(&frame, &mut |feed| match feed {
            WakeFeed::Gap => spotter.forget(),
            WakeFeed::Frame { captured, samples } => {
                if let Some(spotted) = spotter.hear(samples.as_slice()) {
                    found.push(((captured.0 / 1000 + 20).saturating_sub(1000), spotted.score));
                }
            }
        });
    }
    Ok(found)
}
