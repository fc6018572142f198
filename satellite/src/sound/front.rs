//! The thread that owns the devices: it opens them, finds them again when they are lost, and turns the microphone into frames.
//!
//! Frames go to the session and, where somebody may be speaking, to the wake thread. Muting closes the microphone itself.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::doubt::{Doubt, STALL};
use super::speaking::Speaking;
use super::{MicFrame, Pipeline};
use crate::audio::mouth::Mouth;
use crate::audio::tape::{TapeReader, tape};
use crate::audio::{AudioError, Backend, Fault, Stream, Which};
use crate::clock::Clock;
use crate::config::AudioConfig;
use crate::wake::{Gate, WakeFeed};

/// Frames that wait for the session: 5 s. A session that hangs longer loses the newest, and is told.
pub const FRAMES_WAITING: usize = 250;
/// Frames that wait for the wake thread: 3 s. What does not fit is lost to it, and it starts afresh.
pub const WAKE_FRAMES_WAITING: usize = 150;
const COMMANDS_WAITING: usize = 16;
const FAULTS_WAITING: usize = 4;
const TAPE_S: u32 = 3;
/// A lost device is looked for again after this.
const RETRY: Duration = Duration::from_secs(2);
/// Longest sleep without a microphone.
const IDLE: Duration = Duration::from_millis(50);

/// What the front tells the session.
pub enum FrontEvent {
    /// 20 ms of the room.
    Frame(MicFrame),
    /// Frames were lost because the session did not take them.
    Dropped(u32),
    /// The microphone can't be used.
    MicrophoneLost {
        /// Why, with a remedy.
        reason: String,
    },
    /// The microphone works.
    MicrophoneBack,
    /// The loudspeaker works: this is the way to it.
    Loudspeaker(Mouth),
    /// The loudspeaker can't be used.
    LoudspeakerLost {
        /// Why, with a remedy.
        reason: String,
    },
}

enum Command {
    Mute(bool),
    /// There is something to play: whoever rests sees that by himself once he looks.
    Rouse,
    Stop,
}

/// The running front; [`Self::stop`] ends it.
pub struct Front {
    commands: SyncSender<Command>,
    thread: Option<JoinHandle<()>>,
}

/// The end that the session holds.
#[derive(Clone)]
pub struct FrontHandle {
    commands: SyncSender<Command>,
}

impl FrontHandle {
    /// Closes the microphone, or opens it again.
    pub fn mute(&self, muted: bool) {
        if self.commands.try_send(Command::Mute(muted)).is_err() {
            tracing::error!(muted, "the sound thread does not take commands");
        }
    }
}

impl Front {
    /// Starts the thread.
    pub fn start(
        backend: &'static dyn Backend,
        config: AudioConfig,
        clock: Clock,
        session: mpsc::Sender<FrontEvent>,
        wake: SyncSender<WakeFeed>,
    ) -> std::io::Result<Self> {
        let (commands, commands_out) = sync_channel(COMMANDS_WAITING);
        let (faults, faults_out) = sync_channel(FAULTS_WAITING);
        let mut work = Work {
            backend,
            config,
            clock,
            session,
            wake,
            gate: Gate::default(),
            faults,
            faults_out,
            rouse: commands.clone(),
            muted: false,
            microphone: Device::Lost { since: None },
            loudspeaker: Device::Lost { since: None },
            dropped: 0,
        };
        let thread = std::thread::Builder::new().name("sound".to_owned()).spawn(move || work.run(&commands_out))?;
        Ok(Self { commands, thread: Some(thread) })
    }

    /// The end for the session.
    pub fn handle(&self) -> FrontHandle {
        FrontHandle { commands: self.commands.clone() }
    }

    /// Closes the devices and waits for the thread.
    pub fn stop(mut self) {
        let told = self.commands.send(Command::Stop).is_ok();
        if let Some(thread) = self.thread.take()
            && (!told || thread.join().is_err())
        {
            tracing::error!("the sound thread panicked");
        }
    }
}

enum Device<T> {
    Open(T),
    Lost { since: Option<Instant> },
}

struct Hearing {
    _stream: Box<dyn Stream>,
    tape: TapeReader,
    pipeline: Pipeline,
    raw: Vec<i16>,
    heard_at: Instant,
    doubt: Doubt,
}

impl Hearing {
    /// Why it is lost.
    fn lost(&mut self) -> Option<String> {
        let stalled = || (self.heard_at.elapsed() > STALL).then(|| "it is open, but gives no sound".to_owned());
        self.doubt.lost(Instant::now()).or_else(stalled)
    }
}

struct Work {
    backend: &'static dyn Backend,
    config: AudioConfig,
    clock: Clock,
    session: mpsc::Sender<FrontEvent>,
    wake: SyncSender<WakeFeed>,
    gate: Gate,
    faults: SyncSender<Fault>,
    faults_out: Receiver<Fault>,
    rouse: SyncSender<Command>,
    muted: bool,
    microphone: Device<Hearing>,
    loudspeaker: Device<Speaking>,
    dropped: u32,
}

impl Work {
    fn run(&mut self, commands: &Receiver<Command>) {
        loop {
            self.open_what_is_due();
            self.pump();
            self.notice_faults();
            match commands.recv_timeout(self.nap()) {
                Ok(Command::Mute(muted)) => self.mute(muted),
                Ok(Command::Rouse) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Until the next frame can be whole.
    fn nap(&self) -> Duration {
        let Device::Open(hearing) = &self.microphone else {
            return IDLE;
        };
        let frame = hearing.raw.len() as u64;
        let missing = frame.saturating_sub(hearing.tape.available() as u64);
        let nap = missing * 1_000_000 / u64::from(hearing.tape.rate_hz().max(1));
        Duration::from_micros(nap.clamp(2_000, 20_000))
    }

    fn mute(&mut self, muted: bool) {
        if muted == self.muted {
            return;
        }
        self.muted = muted;
        self.microphone = Device::Lost { since: None };
        self.forget();
    }

    fn forget(&mut self) {
        self.gate = Gate::default();
        self.feed_wake(WakeFeed::Gap);
    }

    fn open_what_is_due(&mut self) {
        let due = |since: &Option<Instant>| since.is_none_or(|since| since.elapsed() >= RETRY);
        if let Device::Lost { since } = &self.loudspeaker
            && due(since)
        {
            match self.open_loudspeaker() {
                Ok((speaking, mouth)) => {
                    self.loudspeaker = Device::Open(speaking);
                    self.tell(FrontEvent::Loudspeaker(mouth));
                }
                Err(error) => self.lost(Which::Loudspeaker, &error.to_string()),
            }
        }
        if let Device::Lost { since } = &self.microphone
            && !self.muted
            && due(since)
        {
            match self.open_microphone() {
                Ok(hearing) => {
                    self.microphone = Device::Open(hearing);
                    self.tell(FrontEvent::MicrophoneBack);
                }
                Err(error) => self.lost(Which::Microphone, &error.to_string()),
            }
        }
    }

    fn open_microphone(&self) -> Result<Hearing, AudioError> {
        let found = self.backend.microphone(&self.config)?;
        let rate = found.rate_hz();
        let pipeline = Pipeline::new(rate, self.config.echo_canceller).map_err(|error| AudioError::Unusable {
            what: "microphone",
            name: self.config.microphone.clone(),
            reason: error.to_string(),
        })?;
        let (writer, reader) = tape(rate, TAPE_S);
        let stream = found.open(writer, self.clock, self.faults.clone())?;
        Ok(Hearing {
            _stream: stream,
            tape: reader,
            pipeline,
            raw: vec![0; (rate / 50) as usize],
            heard_at: Instant::now(),
            doubt: Doubt::default(),
        })
    }

    fn open_loudspeaker(&self) -> Result<(Speaking, Mouth), AudioError> {
        let commands = self.rouse.clone();
        let rouse = Box::new(move || {
            // Where it is full the thread has much to look at already.
            commands.try_send(Command::Rouse).ok();
        });
        Speaking::open(self.backend, &self.config, self.clock, &self.faults, rouse)
    }

    fn pump(&mut self) {
        let mut frames = Vec::new();
        if let Device::Open(speaking) = &mut self.loudspeaker {
            speaking.take_in();
            if let Err(error) = speaking.tend(self.clock, &self.faults) {
                tracing::warn!(%error, "the loudspeaker does not go on; it is opened anew");
                self.loudspeaker = Device::Lost { since: None };
            }
        }
        if let Device::Open(hearing) = &mut self.microphone {
            let mut reference = match &mut self.loudspeaker {
                Device::Open(speaking) => Some(speaking.reference()),
                Device::Lost { .. } => None,
            };
            while let Some(at) = hearing.tape.read(&mut hearing.raw) {
                hearing.heard_at = Instant::now();
                hearing.doubt.flows(hearing.heard_at);
                hearing.pipeline.push(&hearing.raw, at, reference.as_deref_mut(), &mut |frame| frames.push(frame));
            }
        }
        for frame in frames {
            let mut feeds = Vec::new();
            self.gate.hear(&frame, &mut |feed| feeds.push(feed));
            for feed in feeds {
                self.feed_wake(feed);
            }
            self.tell(FrontEvent::Frame(frame));
        }
    }

    fn notice_faults(&mut self) {
        while let Ok(fault) = self.faults_out.try_recv() {
            match (fault.which, &mut self.microphone, &mut self.loudspeaker) {
                (which, ..) if fault.over => self.lost(which, &fault.reason),
                (Which::Microphone, Device::Open(hearing), _) => hearing.doubt.fault(fault.reason, Instant::now()),
                (Which::Loudspeaker, _, Device::Open(speaking)) => speaking.fault(fault.reason),
                (Which::Microphone | Which::Loudspeaker, ..) => {}
            }
        }
        if let Device::Open(hearing) = &mut self.microphone
            && let Some(reason) = hearing.lost()
        {
            self.lost(Which::Microphone, &reason);
        }
        if let Device::Open(speaking) = &mut self.loudspeaker
            && let Some(reason) = speaking.lost()
        {
            self.lost(Which::Loudspeaker, &reason);
        }
    }

    fn lost(&mut self, which: Which, reason: &str) {
        let now = Some(Instant::now());
        let reason = reason.to_owned();
        match which {
            Which::Microphone => {
                let first = !matches!(self.microphone, Device::Lost { since: Some(_) });
                self.microphone = Device::Lost { since: now };
                if first {
                    tracing::error!(%reason, "the microphone is lost");
                    self.forget();
                    self.tell(FrontEvent::MicrophoneLost { reason });
                }
            }
            Which::Loudspeaker => {
                let first = !matches!(self.loudspeaker, Device::Lost { since: Some(_) });
                self.loudspeaker = Device::Lost { since: now };
                if first {
                    tracing::error!(%reason, "the loudspeaker is lost");
                    self.tell(FrontEvent::LoudspeakerLost { reason });
                }
            }
        }
    }

    fn tell(&mut self, event: FrontEvent) {
        if self.dropped > 0 && self.session.try_send(FrontEvent::Dropped(self.dropped)).is_ok() {
            self.dropped = 0;
        }
        if self.session.try_send(event).is_err() {
            self.dropped += 1;
        }
    }

    fn feed_wake(&mut self, feed: WakeFeed) {
        if self.wake.try_send(feed).is_err() {
            self.gate = Gate::default();
        }
    }
}

#[cfg(test)]
mod tests;
