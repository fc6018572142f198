//! A satellite without devices: it is there over the real link, plays what it is sent, and presses, wakes and speaks as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jarvis_link::message::{Generation, MIC_FRAME_SAMPLES, MicEnd, Opened, SatMicros, ToDaemon, ToSatellite};
use jarvis_satellite::net::{AnswerEvent, Net, NetConfig, NetEvent, NetHandle, enrol};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::desk::Desk;
use crate::process::wait_for;
use crate::sound;

/// Longest time until it is connected.
const START: Duration = Duration::from_secs(60);
/// A loudspeaker goes on so long after the last sound that it was sent.
const DRAIN: Duration = Duration::from_millis(300);
/// Frames of silence that a wake brings along.
const FRAMES: usize = 50;
/// Microseconds of a frame.
const FRAME_US: u64 = 20_000;
/// Frames that were heard before the wake word was: itself.
const PREROLL: usize = 45;
/// Frames of silence after what is said, at most: fifteen seconds.
const SILENCE_MAX: usize = 750;
/// RMS level of a room's own noise: no microphone gives digital silence.
const FLOOR: f64 = 16.0;
/// Samples above it are a voice's.
const LOUD: i16 = 300;

/// See the module. It leaves with its owner.
pub struct Seat {
    net: NetHandle,
    room: String,
    heard: watch::Receiver<usize>,
    mute: Arc<AtomicBool>,
    // Aborted on drop.
    _tasks: JoinSet<()>,
    _state: TempDir,
}

impl Seat {
    /// Enrols for `room` at the desk's daemon, and waits until it is connected.
    pub async fn take(desk: &Desk, room: &str) -> Result<Self> {
        let told = desk.ctl(&["enrol", room])?;
        let seat = Self::enrolled(told["code"].as_str().context("a code")?, room).await?;
        seat.is_known(desk)?;
        Ok(seat)
    }

    /// Enrols for `room` with the code of any daemon, and waits until it is connected; turns hear of its room a moment later.
    pub async fn enrolled(code: &str, room: &str) -> Result<Self> {
        let state = tempfile::tempdir()?;
        enrol(code, state.path()).await?;
        let (net, mut events, task) = Net::start(NetConfig {
            state_dir: state.path().to_owned(),
            software: "seat".to_owned(),
            phrases: vec!["hey jarvis".to_owned()],
            echo_cancelled: true,
        })?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = task.run().await {
                tracing::error!(%error, "the seat's link ended");
            }
        });
        let up = async {
            while let Some(event) = events.recv().await {
                if matches!(event, NetEvent::Up { .. }) {
                    return Some(());
                }
            }
            None
        };
        tokio::time::timeout(START, up)
            .await
            .context("the seat was not connected")?
            .context("the seat's link ended")?;
        let (tell, heard) = watch::channel(0);
        let mute = Arc::default();
        tasks.spawn(play(net.clone(), events, tell, Arc::clone(&mute)));
        Ok(Self { net, room: room.to_owned(), heard, mute, _tasks: tasks, _state: state })
    }

    /// Waits until a daemon knows its room, after its start as well: turns hear of a room that is there a moment later. Nothing is said to
    /// what is asked for it.
    pub fn is_known(&self, desk: &Desk) -> Result<()> {
        wait_for("turns to know the room", START, || Ok(desk.ask_in(&self.room, "stop").is_ok().then_some(())))
    }

    /// Answers that it heard to their end so far.
    pub fn heard(&self) -> usize {
        *self.heard.borrow()
    }

    /// Its loudspeaker is lost: it plays nothing any more, and tells the daemon so, as a satellite does.
    pub fn loses_its_loudspeaker(&self) {
        self.mute.store(true, Ordering::SeqCst);
    }

    /// Its button is pressed while it speaks.
    pub fn press_stop(&self) -> Result<()> {
        Ok(self.net.control(ToDaemon::StopPressed)?)
    }

    /// Its wake word is heard, and then nothing.
    pub fn wake(&self) -> Result<()> {
        let utterance = self.net.begin(self.woken(), 0)?;
        for _ in 0..FRAMES {
            self.net.frame(utterance, self.net.micros(), 0, &[0; MIC_FRAME_SAMPLES])?;
        }
        Ok(())
    }

    /// How the wake word opens the microphone.
    pub fn woken(&self) -> Opened {
        let at = self.net.micros();
        Opened::Wake { phrase: "hey jarvis".to_owned(), score: 0.9, sure: true, enrolled: true, at }
    }

    /// Somebody says this (16 kHz, with its wake word where that opens the microphone), and then nothing until `enough`, which is looked at
    /// all the while. What comes before the wake word is heard is sent at once, the rest as fast as it is said.
    pub async fn say(&self, opened: Opened, said: &[i16], enough: impl Fn() -> bool) -> Result<()> {
        let preroll = if matches!(opened, Opened::Wake { .. }) { PREROLL } else { 0 };
        let now = self.net.micros();
        let start = SatMicros(now.0.saturating_sub(preroll as u64 * FRAME_US));
        let utterance = self.net.begin(opened, u16::try_from(preroll)?)?;
        let mut clock = tokio::time::interval(Duration::from_micros(FRAME_US));
        let frames = said.len().div_ceil(MIC_FRAME_SAMPLES);
        for n in 0..frames + SILENCE_MAX {
            if n >= preroll {
                clock.tick().await;
                if enough() {
                    return Ok(self.net.end(utterance, MicEnd::Closed)?);
                }
            }
            let floor = sound::noise(MIC_FRAME_SAMPLES, FLOOR, n as u64);
            let mut frame = [0; MIC_FRAME_SAMPLES];
            for (at, sample) in frame.iter_mut().enumerate() {
                let spoken = said.get(n * MIC_FRAME_SAMPLES + at).copied().unwrap_or(0);
                *sample = spoken.saturating_add(floor[at]);
            }
            let loud = frame.iter().any(|sample| sample.saturating_abs() > LOUD);
            let captured = SatMicros(start.0 + n as u64 * FRAME_US);
            self.net.frame(utterance, captured, if loud { u8::MAX } else { 0 }, &frame)?;
        }
        bail!("it was said, and what should have come of it did not")
    }
}

/// Tells of every answer that it is played: begun with its first sound, over a moment after its last.
async fn play(
    net: NetHandle,
    mut events: mpsc::Receiver<NetEvent>,
    heard: watch::Sender<usize>,
    mute: Arc<AtomicBool>,
) {
    while let Some(event) = events.recv().await {
        let mute = mute.load(Ordering::SeqCst);
        let told = match event {
            NetEvent::Answer(AnswerEvent::Start { generation, .. }) if mute => done(&net, generation, true),
            NetEvent::Answer(_) if mute => Ok(()),
            NetEvent::Answer(AnswerEvent::Start { generation, .. }) => {
                net.control(ToDaemon::PlaybackStarted { generation, at: net.micros() })
            }
            NetEvent::Answer(AnswerEvent::End { generation }) => {
                tokio::time::sleep(DRAIN).await;
                heard.send_modify(|times| *times += 1);
                done(&net, generation, false)
            }
            NetEvent::Control(ToSatellite::StopPlayback { generation }) => {
                net.stop_answer(generation).and_then(|()| done(&net, generation, true))
            }
            NetEvent::Up { .. } | NetEvent::Down { .. } | NetEvent::Control(_) | NetEvent::Answer(_) => Ok(()),
        };
        if let Err(error) = told {
            tracing::error!(%error, "the seat could not tell the daemon");
        }
    }
}

fn done(net: &NetHandle, generation: Generation, cut: bool) -> Result<(), jarvis_satellite::net::NetError> {
    net.control(ToDaemon::PlaybackDone { generation, at: net.micros(), underruns: 0, cut })
}
