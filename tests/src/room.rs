//! A simulated room: a private PulseAudio whose one three-channel null sink is the air.
//!
//! Channel front-left is what a person says, front-right is the loudspeaker, rear-left is what reaches the microphone: the person and
//! the loudspeaker through an impulse response. All three share one clock, so a stereo recording of the first two measures
//! latencies sample by sample, whatever the buffers of the processes around it.
//!
//! What a person says is known ahead and lies ready, so that a machine that stands still for a moment leaves no gap in it. What the
//! loudspeaker plays is not: its echo comes as soon as the buffers allow.

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
/// Silence written ahead of the echo, so that a late step of the loop is no gap in it (ms).
const ECHO_CUSHION_MS: usize = 40;
/// The same for what is said, which nobody waits for.
const SAID_CUSHION_MS: usize = 400;
/// What PulseAudio keeps of the echo (ms).
const LATENCY_MS: usize = 20;
/// The same of what is said.
const SAID_LATENCY_MS: usize = 360;
/// Bytes of the echo between the loop and PulseAudio (128 ms, the least that a pipe has).
const ECHO_PIPE_BYTES: usize = 4096;
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
        let mut server = Process::start("pulseaudio", &mut command, &dir.join("pulseaudio.log"))?.sounds()?;
        wait_for("PulseAudio", Duration::from_secs(60), || {
            server.check()?;
            let info = pulse(&socket, "pactl").args(["list", "short", "sources"]).output()?;
            Ok(String::from_utf8_lossy(&info.stdout).contains("record").then_some(()))
        })?;
        let (recorder, out) = reader(&socket)?;
        let (mouth, mouth_in) = Stream::open(&socket, &MOUTH)?;
        let mut clients = vec![recorder, mouth];
        let wall = match config.echo_db {
            None => None,
            Some(db) => {
                let (client, stream) = Stream::open(&socket, &WALL)?;
                clients.push(client);
                // A small pipe: the echo can't fall behind by more than this.
                rustix::pipe::fcntl_setpipe_size(&stream.input, ECHO_PIPE_BYTES)?;
                Some(Wall::new(stream, sound::impulse_response(db, config.seed)))
            }
        };
        let (said, queue) = channel();
        let heard = Arc::new(Mutex::new(Recording::default()));
        let random = Random::new(config.seed ^ 0xA1);
        let air = Air { random, queue, pending: VecDeque::new(), mouth: mouth_in, wall };
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
        remap("sink", MOUTH.device, "room", "front-left,front-right", "front-left,rear-left"),
        remap("sink", WALL.device, "room", "mono", "rear-left"),
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

fn client(socket: &Path, program: &str, device: &str, channels: usize, latency_ms: usize) -> Command {
    let mut command = pulse(socket, program);
    command.arg(format!("--device={device}")).arg(format!("--latency-msec={latency_ms}"));
    command.arg(format!("--channels={channels}")).args(["--rate=16000", "--format=s16le", "--raw"]);
    if channels == 2 {
        command.arg("--channel-map=front-left,front-right");
    }
    command.stderr(Stdio::null());
    command
}

fn reader(socket: &Path) -> Result<(Child, ChildStdout)> {
    let mut command = client(socket, "parec", "record", 2, LATENCY_MS);
    let mut child = process::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    process::sounds(child.id())?;
    let out = child.stdout.take().context("parec's output")?;
    Ok((child, out))
}

/// What sounds by itself in the room.
struct Source {
    device: &'static str,
    channels: usize,
    latency_ms: usize,
    cushion_ms: usize,
}

/// Whoever speaks: as they are recorded, and as the microphone gets them.
const MOUTH: Source = Source { device: "mouth", channels: 2, latency_ms: SAID_LATENCY_MS, cushion_ms: SAID_CUSHION_MS };
/// What throws the loudspeaker's sound back to the microphone.
const WALL: Source = Source { device: "wall", channels: 1, latency_ms: LATENCY_MS, cushion_ms: ECHO_CUSHION_MS };

/// Sound on its way to PulseAudio.
struct Stream {
    input: ChildStdin,
    /// A step that did not fit into the pipe: after a stall the air goes on where it was, instead of lagging for good.
    unsent: Option<Vec<u8>>,
}

impl Stream {
    /// Starts the client that takes it there.
    fn open(socket: &Path, source: &Source) -> Result<(Child, Self)> {
        let mut command = client(socket, "pacat", source.device, source.channels, source.latency_ms);
        let mut child = process::spawn(command.stdin(Stdio::piped()).stdout(Stdio::null()))?;
        process::sounds(child.id())?;
        let mut input = child.stdin.take().context("pacat's input")?;
        let silence = vec![0; RATE_HZ as usize * source.cushion_ms / 1000 * source.channels * 2];
        input.write_all(&silence).context("pacat takes no sound")?;
        rustix::io::ioctl_fionbio(&input, true)?;
        Ok((child, Self { input, unsent: None }))
    }

    /// Sends the next step; whether the room still stands.
    fn send(&mut self, step: impl FnOnce() -> Vec<u8>) -> bool {
        let block = self.unsent.take().unwrap_or_else(step);
        match self.input.write(&block) {
            Ok(_) => true,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                self.unsent = Some(block);
                true
            }
            Err(_) => false,
        }
    }
}

/// The loop: what the sink played, on to what reaches the microphone next.
struct Air {
    random: Random,
    queue: Receiver<Vec<i16>>,
    pending: VecDeque<i16>,
    mouth: Stream,
    wall: Option<Wall>,
}

impl Air {
    fn run(mut self, mut out: ChildStdout, recording: &Mutex<Recording>) -> Result<()> {
        process::this_thread_sounds()?;
        let mut block = vec![0u8; STEP * 4];
        // The pipe ends when the room is closed.
        while out.read_exact(&mut block).is_ok() {
            let sample = |bytes: &[u8]| i16::from_le_bytes([bytes[0], bytes[1]]);
            let said: Vec<i16> = block.chunks_exact(4).map(|frame| sample(&frame[..2])).collect();
            let heard: Vec<i16> = block.chunks_exact(4).map(|frame| sample(&frame[2..])).collect();
            let stands = self.speak() && self.wall.as_mut().is_none_or(|wall| wall.answer(&heard));
            let mut all = recording.lock().map_err(|_| anyhow!("recording poisoned"))?;
            all.said.extend(said);
            all.heard.extend(heard);
            if !stands {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What is said next, and what of it reaches the microphone; whether the room still stands.
    fn speak(&mut self) -> bool {
        while let Ok(more) = self.queue.try_recv() {
            self.pending.extend(more);
        }
        let (pending, random) = (&mut self.pending, &mut self.random);
        self.mouth.send(|| {
            let frame = |_| {
                let said = pending.pop_front().unwrap_or(0);
                [said, clipped(f64::from(said) + random.normal() * FLOOR)]
            };
            (0..STEP).flat_map(frame).flat_map(i16::to_le_bytes).collect()
        })
    }
}

fn clipped(sample: f64) -> i16 {
    sample.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

/// What the loudspeaker played, as it comes back.
struct Wall {
    stream: Stream,
    taps: Vec<f64>,
    past: VecDeque<f64>,
}

impl Wall {
    fn new(stream: Stream, taps: Vec<f64>) -> Self {
        Self { stream, past: vec![0.0; taps.len()].into(), taps }
    }

    /// Whether the room still stands.
    fn answer(&mut self, heard: &[i16]) -> bool {
        let echo: Vec<i16> = heard.iter().map(|&sample| clipped(self.echo(f64::from(sample)))).collect();
        self.stream.send(|| echo.iter().flat_map(|sample| sample.to_le_bytes()).collect())
    }

    /// What of the loudspeaker reaches the microphone with its newest sample.
    fn echo(&mut self, heard: f64) -> f64 {
        self.past.pop_back();
        self.past.push_front(heard);
        let (newer, older) = self.past.as_slices();
        let (first, second) = self.taps.split_at(newer.len());
        let sum =
            |taps: &[f64], samples: &[f64]| taps.iter().zip(samples).map(|(tap, sample)| tap * sample).sum::<f64>();
        sum(first, newer) + sum(second, older)
    }
}
