//! The satellite's end of the link (DESIGN 3): dials, redials, and keeps every utterance until it is settled.
//!
//! [`NetHandle`] is cheap to clone and never blocks the audio side: its calls only fill a bounded queue that the
//! [`NetTask`] drains even while there is no network.

mod driver;
mod enrol;
mod files;
mod line;
mod tls;
mod tune;
mod waiting;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jarvis_link::message::{
    Generation, MIC_FRAME_BYTES, MIC_FRAME_SAMPLES, MicEnd, Opened, SatMicros, Settings, ToDaemon, ToSatellite,
    Utterance,
};
use jarvis_link::satellite_end::{About, SatelliteEnd};
use jarvis_link::transport::ALPN_LINK;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{Notify, mpsc};

use driver::{Clock, Command, Driver};
use files::{Daemon, Identity};
use tls::{Pin, client_config};

pub use enrol::enrol;

/// Calls of the handle that may wait for the task: 20 s of microphone. It takes them at once, network or not; beyond that a call fails.
const COMMANDS: usize = 1024;
/// Events that may wait for the session; beyond that they wait with the task, by the policy of its queue.
const EVENTS: usize = 64;

/// What the satellite tells about itself, and where its key and its daemon's are.
#[derive(Debug, Clone)]
pub struct NetConfig {
    /// Where [`enrol`] put the key and the daemon's address.
    pub state_dir: PathBuf,
    /// Program version, for the page.
    pub software: String,
    /// Wake phrases it listens for.
    pub phrases: Vec<String>,
    /// Whether an echo canceller is at work.
    pub echo_cancelled: bool,
}

/// What came of the link.
#[derive(Debug, Clone, PartialEq)]
pub enum NetEvent {
    /// The daemon is there.
    Up {
        /// Name of the room.
        room: String,
        /// Settings to take.
        settings: Settings,
        /// Whether it is another run of the daemon than before (or the first): what it asked for earlier is void.
        new_daemon: bool,
    },
    /// The daemon is not there (any more). Told once per loss.
    Down {
        /// In words.
        reason: String,
    },
    /// A message of the daemon. [`ToSatellite::Welcome`], `Refused`, `Pong` and `Ack` are dealt with here and never come.
    Control(ToSatellite),
    /// A piece of an answer.
    Answer(AnswerEvent),
}

/// A piece of an answer. A newer `Start` means that the older answer is over, whatever was left of it.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerEvent {
    /// An answer begins.
    Start {
        /// Which; always newer than any before within a run of the daemon.
        generation: Generation,
        /// Sample rate of what follows, in hertz.
        rate_hz: u32,
    },
    /// What follows belongs to this sentence.
    Sentence {
        /// Which answer.
        generation: Generation,
        /// Counts up from 0.
        index: u16,
    },
    /// Sound.
    Pcm {
        /// Which answer.
        generation: Generation,
        /// Mono samples.
        samples: Vec<i16>,
    },
    /// It is complete.
    End {
        /// Which answer.
        generation: Generation,
    },
    /// It broke off and is not complete.
    Cut {
        /// Which answer.
        generation: Generation,
    },
}

/// Why the link could not do something.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// No daemon was ever enrolled with.
    #[error("not enrolled: run `jarvisctl enrol ROOM` on the daemon's machine, then `jarvis-satellite enrol CODE` here ({path} is missing)", path = path.display())]
    NotEnrolled {
        /// The file looked for.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{path}: {reason}", path = path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The socket could not be opened.
    #[error("no UDP socket: {0}")]
    Socket(String),
    /// The queue to the net task is full: the frame was dropped. That task is far behind.
    #[error("the queue to the link is full")]
    Full,
    /// The net task has stopped.
    #[error("the link has stopped")]
    Closed,
    /// Enrolment failed.
    #[error("enrolment failed: {0}")]
    Enrol(String),
}

/// What enrolment brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Name of the room.
    pub room: String,
    /// Where the daemon is.
    pub daemon: SocketAddr,
}

/// Handle to the link; cheap to clone.
#[derive(Debug, Clone)]
pub struct NetHandle {
    clock: Clock,
    commands: mpsc::Sender<Command>,
    utterances: Arc<AtomicU64>,
    stop: Arc<Notify>,
    daemon: SocketAddr,
}

/// The link's owner task.
pub struct NetTask {
    driver: Driver,
}

impl std::fmt::Debug for NetTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NetTask")
    }
}

/// The link.
#[derive(Debug)]
pub struct Net {}

impl Net {
    /// Reads the keys and opens the socket. Dialling begins with [`NetTask::run`]. Within a tokio runtime.
    pub fn start(config: NetConfig) -> Result<(NetHandle, mpsc::Receiver<NetEvent>, NetTask), NetError> {
        let daemon = Daemon::read(&config.state_dir)?;
        let identity = Identity::open(&config.state_dir)?;
        let tls = client_config(&identity, Pin::Key(daemon.key), ALPN_LINK)
            .map_err(|error| NetError::Socket(error.to_string()))?;
        let endpoint = enrol::endpoint(daemon.address)?;
        let mut run = [0; 8];
        SystemRandom::new().fill(&mut run).map_err(|_| NetError::Socket(String::from("no randomness")))?;
        let clock = Clock { zero: Instant::now() };
        let about = About {
            software: config.software,
            phrases: config.phrases,
            echo_cancelled: config.echo_cancelled,
            run: u64::from_le_bytes(run),
        };
        let (commands, inner) = mpsc::channel(COMMANDS);
        let (events, seen) = mpsc::channel(EVENTS);
        let stop = Arc::new(Notify::new());
        let handle = NetHandle {
            clock,
            commands,
            utterances: Arc::new(AtomicU64::new(0)),
            stop: stop.clone(),
            daemon: daemon.address,
        };
        let driver = Driver {
            daemon,
            config: tls,
            endpoint,
            clock,
            end: SatelliteEnd::new(about, clock.now()),
            events,
            commands: inner,
            stop,
        };
        Ok((handle, seen, NetTask { driver }))
    }
}

impl NetTask {
    /// Runs until [`NetHandle::shutdown`], until the last handle is gone, or until nobody takes the events.
    pub async fn run(self) -> Result<(), NetError> {
        self.driver.run().await;
        Ok(())
    }
}

impl NetHandle {
    /// The satellite's clock: microseconds since [`Net::start`]. Frames' capture times are on it.
    pub fn micros(&self) -> SatMicros {
        self.clock.now()
    }

    /// Where the daemon is.
    pub fn daemon(&self) -> SocketAddr {
        self.daemon
    }

    /// Sends a control message; dropped while the daemon is away. `Hello` and `Ping` are the link's own business.
    pub fn control(&self, message: ToDaemon) -> Result<(), NetError> {
        self.tell(Command::Control(message))
    }

    /// Opens an utterance whose first `preroll_frames` frames were heard before; one still open is ended as `Closed`.
    /// To be called from one place: utterances must reach the link in their order.
    pub fn begin(&self, opened: Opened, preroll_frames: u16) -> Result<Utterance, NetError> {
        let utterance = Utterance(self.utterances.fetch_add(1, Ordering::Relaxed) + 1);
        self.tell(Command::Begin(utterance, opened, preroll_frames))?;
        Ok(utterance)
    }

    /// Adds 20 ms to the open utterance; frames are numbered by the link.
    pub fn frame(
        &self,
        utterance: Utterance,
        captured: SatMicros,
        voice: u8,
        samples: &[i16; MIC_FRAME_SAMPLES],
    ) -> Result<(), NetError> {
        let mut pcm = Box::new([0; MIC_FRAME_BYTES]);
        for (bytes, sample) in pcm.chunks_exact_mut(2).zip(samples) {
            bytes.copy_from_slice(&sample.to_le_bytes());
        }
        self.tell(Command::Frame(utterance, captured, voice, pcm))
    }

    /// Ends it.
    pub fn end(&self, utterance: Utterance, reason: MicEnd) -> Result<(), NetError> {
        self.tell(Command::End(utterance, reason))
    }

    /// Barge-in: refuses what comes of this and older answers, and tells the daemon's stream to stop. Pieces that are in the
    /// event channel already carry their generation: the session drops them itself.
    pub fn stop_answer(&self, generation: Generation) -> Result<(), NetError> {
        self.tell(Command::StopAnswer(generation))
    }

    /// Says goodbye and ends the task.
    pub fn shutdown(&self) {
        self.stop.notify_one();
    }

    fn tell(&self, command: Command) -> Result<(), NetError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NetError::Full,
            mpsc::error::TrySendError::Closed(_) => NetError::Closed,
        })
    }
}
