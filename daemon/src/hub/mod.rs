//! The hub: the daemon's end of every satellite's link (DESIGN 3).
//!
//! [`Hub`] is a handle to one owner task; [`HubTask::run`] is that task, awaited by whoever started it. Events go out
//! on a bounded channel: while nobody takes them, microphone streams are held back by flow control, pings are still answered.

mod answer;
mod event;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jarvis_core::ids::SatelliteId;
use jarvis_link::message::{DaemonMicros, Generation, Settings, ToSatellite, Utterance};
use serde::Deserialize;
use tokio::sync::mpsc;

pub use answer::AnswerWriter;
pub use event::{Cut, EndReason, HubEvent, Opening, PlaybackNews, SatelliteStatus};

/// How long an utterance waits for its satellite to come back before it is given up.
pub const RESUME_GRACE: Duration = Duration::from_secs(8);

/// The `[link]` section of the configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubConfig {
    /// UDP address the satellites reach the daemon at.
    pub listen: SocketAddr,
    /// Address written into enrolment codes, where it is not `listen` (which may be `0.0.0.0`).
    pub advertise: Option<SocketAddr>,
    /// Volume of a newly enrolled satellite, 0 to 100.
    pub volume_percent: u8,
    /// The daemon's state directory, set by the application; keys and enrolled satellites live in `link/` below it.
    #[serde(skip)]
    pub state_dir: PathBuf,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 7420)),
            advertise: None,
            volume_percent: 60,
            state_dir: PathBuf::from("/var/lib/jarvis"),
        }
    }
}

/// Why the hub could not do something.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// No satellite of that name is enrolled.
    #[error("no satellite \"{0}\" is enrolled; `jarvisctl rooms` lists those that are")]
    Unknown(SatelliteId),
    /// It is enrolled, but not there now.
    #[error("satellite \"{0}\" is not connected")]
    NotConnected(SatelliteId),
    /// Its queue is full: it has not taken anything for a while, and is about to be found dead.
    #[error("satellite \"{0}\" does not take what it is sent")]
    Stalled(SatelliteId),
    /// The satellite stopped this answer, or the link broke.
    #[error("the answer was stopped")]
    Stopped,
    /// A generation that is not newer than the last one.
    #[error("generation {0:?} is not newer than the last one of that satellite")]
    StaleGeneration(Generation),
    /// A room cannot be called that.
    #[error("\"{0}\" cannot be a room's name: 1 to 32 letters, digits, spaces or hyphens")]
    BadRoom(String),
    /// Files under `state_dir/link` could not be read or written.
    #[error("{path}: {reason}", path = path.display())]
    State {
        /// Which file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The socket could not be opened.
    #[error("cannot listen on udp {listen}: {reason}")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The hub has stopped.
    #[error("the hub has stopped")]
    Closed,
}

/// A code for `jarvis-satellite enrol`, good for one satellite, ten minutes and three tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolCode {
    /// What the owner types.
    pub code: String,
    /// The room it is for.
    pub room: String,
    /// For how long it is good.
    pub valid_for: Duration,
}

/// Handle to the hub.
#[derive(Debug, Clone)]
pub struct Hub {}

/// The hub's owner task.
#[derive(Debug)]
pub struct HubTask {}

impl HubTask {
    /// Runs until [`Hub::shutdown`], or until the last handle is gone.
    pub async fn run(self) -> Result<(), HubError> {
        Err(HubError::Closed)
    }
}

impl Hub {
    /// Reads or makes the keys, and opens the socket. Nothing is served before [`HubTask::run`].
    pub async fn start(config: HubConfig, events: mpsc::Sender<HubEvent>) -> Result<(Self, HubTask), HubError> {
        drop((config, events));
        Err(HubError::Closed)
    }

    /// Puts a message on a satellite's control stream.
    pub async fn send(&self, satellite: &SatelliteId, message: ToSatellite) -> Result<(), HubError> {
        drop(message);
        Err(HubError::NotConnected(satellite.clone()))
    }

    /// Opens an answer; one that is still being written to that satellite is reset.
    pub async fn answer(
        &self,
        satellite: &SatelliteId,
        generation: Generation,
        rate_hz: u32,
    ) -> Result<AnswerWriter, HubError> {
        let _ = (generation, rate_hz);
        Err(HubError::NotConnected(satellite.clone()))
    }

    /// Tells the satellite that an utterance is done with, so that it is not sent again to a later run of the daemon.
    /// Finishing an answer and a silent [`ToSatellite::CloseMic`] do that by themselves.
    pub async fn settle(&self, satellite: &SatelliteId, utterance: Utterance) -> Result<(), HubError> {
        let _ = utterance;
        Err(HubError::NotConnected(satellite.clone()))
    }

    /// Sets volume and mute, now if it is there, else when it comes.
    pub async fn settings(&self, satellite: &SatelliteId, settings: Settings) -> Result<(), HubError> {
        let _ = settings;
        Err(HubError::NotConnected(satellite.clone()))
    }

    /// The daemon's clock, microseconds since the hub's start.
    pub fn now(&self) -> DaemonMicros {
        DaemonMicros(0)
    }

    /// Every enrolled satellite.
    pub async fn satellites(&self) -> Vec<SatelliteStatus> {
        Vec::new()
    }

    /// Opens the enrolment window for a room; an older code is void.
    pub async fn enrol(&self, room: &str) -> Result<EnrolCode, HubError> {
        let _ = room;
        Err(HubError::Closed)
    }

    /// Takes a satellite's key off the table and closes its connection. False: there was none.
    pub async fn revoke(&self, satellite: &SatelliteId) -> Result<bool, HubError> {
        let _ = satellite;
        Err(HubError::Closed)
    }

    /// Says goodbye to the satellites and ends the task.
    pub async fn shutdown(self) {}
}
