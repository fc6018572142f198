//! A simulated room: a private PulseAudio whose one three-channel null sink is the air.
//!
//! Channel front-left is what a person says, front-right is the loudspeaker, rear-left is what reaches the microphone: the person and
//! the loudspeaker through an impulse response. All three share one clock, so a stereo recording of the first two measures
//! latencies sample by sample, whatever the buffers of the processes around it.

mod air;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::place::Place;
use crate::process::{self, Process, wait_for};
use crate::sound::RATE_HZ;
use air::{Air, pulse, reader};

/// The room's settings.
#[derive(Debug, Clone)]
pub struct RoomConfig {
    /// Energy of the path from loudspeaker to microphone in decibels; `None` for none.
    pub echo_db: Option<f64>,
    /// Of impulse response and noise.
    pub seed: u64,
    /// How late its clock may tick. A loudspeaker that asks for the least delay has it tick two thousand times a second, and everybody
    /// who hears wakes as often: half of what a room costs, for nothing where no latency is measured.
    pub late: Duration,
}

/// A room's clock where no latency is measured: well within the 10 ms that a loudspeaker has ahead of itself.
pub const UNHURRIED: Duration = Duration::from_millis(2);

/// A running room.
pub struct Room {
    // Field order is the order of ending: the loop's pipes first, the server last.
    mixer: Option<std::thread::JoinHandle<Result<()>>>,
    clients: Vec<Child>,
    said: Sender<Vec<i16>>,
    heard: Arc<Mutex<Recording>>,
    server: Process,
    socket: PathBuf,
    /// ALSA's configuration, where satellites are to take that way to the same devices.
    asoundrc: Option<PathBuf>,
}

/// What was said and what was heard, sample by sample.
#[derive(Debug, Default, Clone)]
pub struct Recording {
    /// What people said.
    pub said: Vec<i16>,
    /// What the loudspeaker played.
    pub heard: Vec<i16>,
}

impl Room {
    /// Starts PulseAudio in `dir` and the loop that is the air.
    pub fn open(dir: &Path, config: &RoomConfig) -> Result<Self> {
        let (run, home) = (dir.join("run"), dir.join("home"));
        std::fs::create_dir_all(&run)?;
        std::fs::create_dir_all(&home)?;
        let socket = dir.join("native");
        if socket.exists() {
            std::fs::remove_file(&socket)?;
        }
        let script = dir.join("room.pa");
        std::fs::write(&script, modules(&socket))?;
        let mut command = Command::new("pulseaudio");
        command
            .args(["-n", "-F"])
            .arg(&script)
            .args(["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no"])
            .env("XDG_RUNTIME_DIR", &run)
            .env("HOME", &home)
            .env_remove("PULSE_SERVER");
        let mut server = Process::start("pulseaudio", &mut command, &dir.join("pulseaudio.log"))?.sounds()?;
        wait_for("PulseAudio", Duration::from_secs(60), || {
            server.check()?;
            let info = pulse(&socket, "pactl").args(["list", "short", "sources"]).output()?;
            Ok(String::from_utf8_lossy(&info.stdout).contains("record").then_some(()))
        })?;
        if !config.late.is_zero() {
            // Not before: it sets its own when it starts.
            process::wakes_late(server.pid(), config.late)?;
        }
        let (recorder, out) = reader(&socket)?;
        let (said, queue) = channel();
        let (speakers, air) = Air::open(&socket, config, queue)?;
        let clients = std::iter::once(recorder).chain(speakers).collect();
        let heard = Arc::new(Mutex::new(Recording::default()));
        let recording = Arc::clone(&heard);
        let mixer = std::thread::Builder::new().name("air".into()).spawn(move || air.run(out, &recording))?;
        let room = Self { mixer: Some(mixer), clients, said, heard, server, socket, asoundrc: None };
        wait_for("the room's air to move", Duration::from_secs(60), || Ok((room.now()? > 0).then_some(())))?;
        Ok(room)
    }

    /// From now on satellites are told to use ALSA's devices `mic` and `speaker`, which alsa-plugins lead to the room.
    pub fn through_alsa(&mut self) -> Result<()> {
        let file = self.socket.with_file_name("asoundrc");
        let device = |name: &str| {
            format!(
                "pcm.{name} {{\n  type pulse\n  server \"{}\"\n  device \"{name}\"\n  hint {{\n    show on\n    description \"{name}\"\n  }}\n}}\n",
                self.pulse_server()
            )
        };
        std::fs::write(&file, device("mic") + &device("speaker"))?;
        self.asoundrc = Some(file);
        Ok(())
    }

    /// `PULSE_SERVER` for programs in this room; the default sink is the loudspeaker, the default source the microphone.
    pub fn pulse_server(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Says something into the room; returns at once.
    pub fn say(&self, samples: &[i16]) -> Result<()> {
        self.said.send(samples.to_vec()).map_err(|_| anyhow!("the room has ended"))
    }

    /// Samples recorded so far.
    pub fn now(&self) -> Result<usize> {
        Ok(self.lock()?.heard.len())
    }

    /// A copy of the recording from sample `from` on.
    pub fn recording(&self, from: usize) -> Result<Recording> {
        let all = self.lock()?;
        ensure!(from <= all.heard.len(), "the recording has {} samples, not {from}", all.heard.len());
        Ok(Recording { said: all.said[from..].to_vec(), heard: all.heard[from..].to_vec() })
    }

    /// Writes the whole recording as a stereo WAV file: left said, right heard.
    pub fn save(&self, path: &Path) -> Result<()> {
        let all = self.recording(0)?;
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: RATE_HZ,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(path, spec).with_context(|| format!("create {}", path.display()))?;
        for (left, right) in all.said.iter().zip(&all.heard) {
            file.write_sample(*left)?;
            file.write_sample(*right)?;
        }
        Ok(file.finalize()?)
    }

    /// What `pactl list short` tells of its things of a kind.
    fn list(&self, kind: &str) -> Result<Vec<Vec<String>>> {
        let output = pulse(&self.socket, "pactl").args(["list", "short", kind]).output()?;
        ensure!(output.status.success(), "pactl list short {kind} ended with {}", output.status);
        let words = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        let lines: Vec<_> = String::from_utf8(output.stdout)?.lines().map(words).collect();
        ensure!(lines.iter().all(|words| words.len() > 1), "pactl list short {kind} tells {lines:?}");
        Ok(lines)
    }

    /// Takes the loudspeaker and the microphone away, as if unplugged.
    pub fn unplug(&mut self) -> Result<()> {
        self.server.kill().map(drop)
    }

    fn lock(&self) -> Result<std::sync::MutexGuard<'_, Recording>> {
        self.heard.lock().map_err(|_| anyhow!("the room's loop panicked"))
    }
}

impl Place for Room {
    fn satellite_toml(&self) -> String {
        let backend = if self.asoundrc.is_some() { "alsa" } else { "pulse" };
        format!("[audio]\nbackend = \"{backend}\"\nmicrophone = \"mic\"\nloudspeaker = \"speaker\"\n")
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        match &self.asoundrc {
            // Nothing that asks for PulseAudio by its own protocol finds it.
            Some(file) => {
                vec![("ALSA_CONFIG_PATH", file.display().to_string()), ("PULSE_SERVER", "unix:/nowhere".to_owned())]
            }
            None => vec![("PULSE_SERVER", self.pulse_server())],
        }
    }

    fn check(&mut self) -> Result<()> {
        self.server.check()?;
        ensure!(self.mixer.as_ref().is_some_and(|m| !m.is_finished()), "the room's loop has ended");
        Ok(())
    }

    fn is_listened_to(&self) -> Result<bool> {
        // Lines of words between tabs: a source's number and name; a stream's number, and that of its source.
        let sources = self.list("sources")?;
        let microphone = sources.iter().find(|source| source[1] == "mic").context("the room has no microphone")?;
        Ok(self.list("source-outputs")?.iter().any(|stream| stream[1] == microphone[0]))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for client in &mut self.clients {
            if let Err(error) = client.kill().and_then(|()| client.wait()) {
                eprintln!("could not end a client of the room: {error}");
            }
        }
        if let Some(mixer) = self.mixer.take()
            && mixer.join().is_err()
        {
            eprintln!("the room's loop panicked");
        }
    }
}

fn modules(socket: &Path) -> String {
    let remap = |kind: &str, name: &str, master: &str, map: &str, to: &str| {
        format!(
            "load-module module-remap-{kind} {kind}_name={name} master={master} channels={} channel_map={map} master_channel_map={to} remix=no\n",
            map.split(',').count()
        )
    };
    [
        format!("load-module module-native-protocol-unix auth-anonymous=1 socket={}\n", socket.display()),
        format!(
            "load-module module-null-sink sink_name=room rate={RATE_HZ} channels=3 channel_map=front-left,front-right,rear-left\n"
        ),
        remap("sink", air::MOUTH, "room", "front-left,front-right", "front-left,rear-left"),
        remap("sink", air::WALL, "room", "mono", "rear-left"),
        remap("sink", "speaker", "room", "mono", "front-right"),
        remap("source", "mic", "room.monitor", "mono", "rear-left"),
        remap("source", "record", "room.monitor", "front-left,front-right", "front-left,front-right"),
        "set-default-sink speaker\nset-default-source mic\n".to_owned(),
    ]
    .concat()
}
