//! The satellite's end of the link (DESIGN 3): dials, redials, and keeps every utterance until it is settled.
//!
//! [`NetHandle`] is cheap to clone and never blocks the audio side: its calls only fill a bounded queue that the
//! [`NetTask`] drains even while there is no network.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jarvis_link::message::{
    Generation, MIC_FRAME_SAMPLES, MicEnd, Opened, SatMicros, Settings, ToDaemon, ToSatellite,
    Utterance,
};
use tokio::sync::mpsc;

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
pub struct NetHandle {}

/// The link's owner task.
#[derive(Debug)]
pub struct NetTask {}

/// The link.
#[derive(Debug)]
pub struct Net {}

impl Net {
    /// Reads the keys and opens the socket. Dialling begins with [`NetTask::run`]. Within a tokio runtime.
    pub fn start(
        config: NetConfig,
    ) -> Result<(NetHandle, mpsc::Receiver<NetEvent>, NetTask), NetError> {
        Err(NetError::NotEnrolled {
            path: config.state_dir,
        })
    }
}

impl NetTask {
    /// Runs until [`NetHandle::shutdown`], or until the last handle is gone.
    pub async fn run(self) -> Result<(), NetError> {
        Err(NetError::Closed)
    }
}

impl NetHandle {
    /// The satellite's clock: microseconds since [`Net::start`]. Frames' capture times are on it.
    pub fn micros(&self) -> SatMicros {
        SatMicros(0)
    }

    /// Sends a control message; dropped while the daemon is away. `Hello` and `Ping` are the link's own business.
    pub fn control(&self, message: ToDaemon) -> Result<(), NetError> {
        drop(message);
        Err(NetError::Closed)
    }

    /// Opens an utterance whose first `preroll_frames` frames were heard before; one still open is ended as `Closed`.
    pub fn begin(&self, opened: Opened, preroll_frames: u16) -> Result<Utterance, NetError> {
        let _ = (opened, preroll_frames);
        Err(NetError::Closed)
    }

    /// Adds 20 ms to the open utterance; frames are numbered here.
    pub fn frame(
        &self,
        utterance: Utterance,
        captured: SatMicros,
        voice: u8,
        samples: &[i16; MIC_FRAME_SAMPLES],
    ) -> Result<(), NetError> {
        let _ = (utterance, captured, voice, samples);
        Err(NetError::Closed)
    }

    /// Ends it.
    pub fn end(&self, utterance: Utterance, reason: MicEnd) -> Result<(), NetError> {
        let _ = (utterance, reason);
        Err(NetError::Closed)
    }

    /// Barge-in: refuses what comes of this and older answers, and tells the daemon's stream to stop.
    pub fn stop_answer(&self, generation: Generation) -> Result<(), NetError> {
        let _ = generation;
        Err(NetError::Closed)
    }

    /// Says goodbye and ends the task.
    pub fn shutdown(&self) {}
}

/// Enrols with the daemon that made `code`: pins its key, gives it ours, and writes both under `state_dir`.
pub async fn enrol(code: &str, state_dir: &Path) -> Result<Enrolled, NetError> {
    let _ = (code, state_dir);
    Err(NetError::Enrol(String::from("not built yet")))
}
