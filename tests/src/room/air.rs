//! The room's air: a loop that takes what was said and played, and brings what comes next to PulseAudio.
//!
//! What a person says is known ahead and lies ready, so that a machine that stands still for a moment leaves no gap in it. What the
//! loudspeaker plays is not: its echo comes as soon as the buffers allow.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::Receiver;

use anyhow::{Context, Result, anyhow};

use super::{Recording, RoomConfig};
use crate::process;
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

/// A client of the room's server.
pub(super) fn pulse(socket: &Path, program: &str) -> Command {
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

/// Starts the recorder: what is said and what the loudspeaker plays.
pub(super) fn reader(socket: &Path) -> Result<(Child, ChildStdout)> {
    let mut command = client(socket, "parec", "record", 2, LATENCY_MS);
    let mut child = process::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    process::sounds(child.id())?;
    let out = child.stdout.take().context("parec's output")?;
    Ok((child, out))
}

/// What a person says goes here: as it is recorded, and as the microphone gets it.
pub(super) const MOUTH: &str = "mouth";
/// What throws the loudspeaker's sound back to the microphone.
pub(super) const WALL: &str = "wall";

/// What sounds by itself in the room.
struct Source {
    device: &'static str,
    channels: usize,
    latency_ms: usize,
    cushion_ms: usize,
}

const SAID: Source = Source { device: MOUTH, channels: 2, latency_ms: SAID_LATENCY_MS, cushion_ms: SAID_CUSHION_MS };
const ECHO: Source = Source { device: WALL, channels: 1, latency_ms: LATENCY_MS, cushion_ms: ECHO_CUSHION_MS };

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
pub(super) struct Air {
    random: Random,
    queue: Receiver<Vec<i16>>,
    pending: VecDeque<i16>,
    mouth: Stream,
    wall: Option<Wall>,
}

impl Air {
    /// Starts the clients that bring sound into the room; what `queue` gives is said there.
    pub(super) fn open(socket: &Path, config: &RoomConfig, queue: Receiver<Vec<i16>>) -> Result<(Vec<Child>, Self)> {
        let (client, mouth) = Stream::open(socket, &SAID)?;
        let mut clients = vec![client];
        let mut wall = None;
        if let Some(db) = config.echo_db {
            let (client, stream) = Stream::open(socket, &ECHO)?;
            clients.push(client);
            // A small pipe: the echo can't fall behind by more than this.
            rustix::pipe::fcntl_setpipe_size(&stream.input, ECHO_PIPE_BYTES)?;
            wall = Some(Wall::new(stream, sound::impulse_response(db, config.seed)));
        }
        let random = Random::new(config.seed ^ 0xA1);
        Ok((clients, Self { random, queue, pending: VecDeque::new(), mouth, wall }))
    }

    /// Goes on until the room is closed.
    pub(super) fn run(mut self, mut out: ChildStdout, recording: &Mutex<Recording>) -> Result<()> {
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
