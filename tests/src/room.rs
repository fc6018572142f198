//! A simulated room: a private PulseAudio whose one three-channel null sink is the air.
//!
//! Channel front-left is what a person says, front-right is the loudspeaker, rear-left is what reaches the microphone: the person and
//! the loudspeaker through an impulse response. All three share one clock, so a stereo recording of the first two measures
//! latencies sample by sample, whatever the buffers of the processes around it.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::place::Place;
use crate::process::{self, Process, wait_for};
use crate::sound::{self, RATE_HZ, Random};

/// Frames of one step of the room's loop (10 ms).
const STEP: usize = 160;
/// Silence written ahead, so that a late step of the loop is no gap in the air (ms).
const CUSHION_MS: usize = 40;
/// Bytes between the loop and PulseAudio (64 ms of two channels).
const PIPE_BYTES: usize = 4096;
/// RMS level of the room's own noise, in sample units (about -66 dBFS): no microphone gives digital silence.
const FLOOR: f64 = 16.0;

/// The room's settings.
#[derive(Debug, Clone)]
pub struct RoomConfig {
    /// Energy of the path from loudspeaker to microphone in decibels; `None` for none.
    pub echo_db: Option<f64>,
    /// Of impulse response and noise.
    pub seed: u64,
}

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
        let mut server = Process::start("pulseaudio", &mut command, &dir.join("pulseaudio.log"))?;
        wait_for("PulseAudio", Duration::from_secs(60), || {
            server.check()?;
            let info = pulse(&socket, "pactl").args(["list", "short", "sources"]).output()?;
            Ok(String::from_utf8_lossy(&info.stdout).contains("record").then_some(()))
        })?;
        let (recorder, out) = reader(&socket)?;
        let (speaker, input) = writer(&socket)?;
        let (said, queue) = channel();
        let heard = Arc::new(Mutex::new(Recording::default()));
        let air = Air {
            taps: config.echo_db.map(|db| sound::impulse_response(db, config.seed)).unwrap_or_default(),
            random: Random::new(config.seed ^ 0xA1),
            queue,
            pending: VecDeque::new(),
            past: VecDeque::new(),
            unsent: None,
        };
        let recording = Arc::clone(&heard);
        let mixer = std::thread::Builder::new().name("air".into()).spawn(move || air.run(out, input, &recording))?;
        Ok(Self { mixer: Some(mixer), clients: vec![recorder, speaker], said, heard, server, socket, asoundrc: None })
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
        remap("sink", "mouth", "room", "front-left,front-right", "front-left,rear-left"),
        remap("sink", "speaker", "room", "mono", "front-right"),
        remap("source", "mic", "room.monitor", "mono", "rear-left"),
        remap("source", "record", "room.monitor", "front-left,front-right", "front-left,front-right"),
        "set-default-sink speaker\nset-default-source mic\n".to_owned(),
    ]
    .concat()
}

fn pulse(socket: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PULSE_SERVER", format!("unix:{}", socket.display()));
    command
}

fn stream(socket: &Path, program: &str, device: &str) -> Command {
    let mut command = pulse(socket, program);
    command.arg(format!("--device={device}")).args([
        "--rate=16000",
        "--channels=2",
        "--channel-map=front-left,front-right",
        "--format=s16le",
        "--latency-msec=20",
        "--raw",
    ]);
    command.stderr(Stdio::null());
    command
}

fn reader(socket: &Path) -> Result<(Child, ChildStdout)> {
    let mut child = process::spawn(stream(socket, "parec", "record").stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let out = child.stdout.take().context("parec's output")?;
    Ok((child, out))
}

fn writer(socket: &Path) -> Result<(Child, ChildStdin)> {
    let mut child = process::spawn(stream(socket, "pacat", "mouth").stdin(Stdio::piped()).stdout(Stdio::null()))?;
    let input = child.stdin.take().context("pacat's input")?;
    // A small pipe that never blocks: the air can't fall behind by more than this.
    rustix::pipe::fcntl_setpipe_size(&input, PIPE_BYTES)?;
    rustix::io::ioctl_fionbio(&input, true)?;
    Ok((child, input))
}

/// The loop: what the sink played, on to what reaches the microphone next.
struct Air {
    taps: Vec<f64>,
    random: Random,
    queue: Receiver<Vec<i16>>,
    pending: VecDeque<i16>,
    past: VecDeque<f64>,
    /// A step that did not fit into the pipe: after a stall the air goes on where it was, instead of lagging for good.
    unsent: Option<Vec<u8>>,
}

impl Air {
    fn run(mut self, mut out: ChildStdout, mut input: ChildStdin, recording: &Mutex<Recording>) -> Result<()> {
        self.past = vec![0.0; self.taps.len()].into();
        input.write_all(&vec![0u8; RATE_HZ as usize * CUSHION_MS / 1000 * 4]).context("pacat takes no sound")?;
        let mut block = vec![0u8; STEP * 4];
        // The pipe ends when the room is closed.
        while out.read_exact(&mut block).is_ok() {
            let mut next = Vec::with_capacity(block.len());
            let mut step = Recording::default();
            for frame in block.chunks_exact(4) {
                let left = i16::from_le_bytes([frame[0], frame[1]]);
                let right = i16::from_le_bytes([frame[2], frame[3]]);
                step.said.push(left);
                step.heard.push(right);
                let echo = self.echo(f64::from(right));
                if self.unsent.is_none() {
                    let (said, microphone) = self.next(echo);
                    next.extend_from_slice(&said.to_le_bytes());
                    next.extend_from_slice(&microphone.to_le_bytes());
                }
            }
            {
                let mut all = recording.lock().map_err(|_| anyhow!("recording poisoned"))?;
                all.said.append(&mut step.said);
                all.heard.append(&mut step.heard);
            }
            if !self.send(&mut input, next) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the room still stands.
    fn send(&mut self, input: &mut ChildStdin, next: Vec<u8>) -> bool {
        let block = self.unsent.take().unwrap_or(next);
        match input.write(&block) {
            Ok(_) => true,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                self.unsent = Some(block);
                true
            }
            Err(_) => false,
        }
    }

    /// What is said next, and what reaches the microphone with it.
    fn next(&mut self, echo: f64) -> (i16, i16) {
        while let Ok(more) = self.queue.try_recv() {
            self.pending.extend(more);
        }
        let said = self.pending.pop_front().unwrap_or(0);
        let sum = f64::from(said) + self.random.normal() * FLOOR + echo;
        (said, sum.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16)
    }

    /// What of the loudspeaker reaches the microphone with its newest sample.
    fn echo(&mut self, heard: f64) -> f64 {
        if self.taps.is_empty() {
            return 0.0;
        }
        self.past.pop_back();
        self.past.push_front(heard);
        let (newer, older) = self.past.as_slices();
        let (first, second) = self.taps.split_at(newer.len());
        let sum =
            |taps: &[f64], samples: &[f64]| taps.iter().zip(samples).map(|(tap, sample)| tap * sample).sum::<f64>();
        sum(first, newer) + sum(second, older)
    }
}
