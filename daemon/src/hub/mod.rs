//! The hub: the daemon's end of every satellite's link (DESIGN 3).
//!
//! [`Hub`] is a handle to one owner task; [`HubTask::run`] is that task, awaited by whoever started it. Events go out
//! on a bounded channel: while nobody takes them, microphone streams are held back by flow control, pings are still answered.

mod admission;
mod answer;
mod connection;
mod endpoint;
mod enrolment;
mod event;
mod keys;
mod owner;
mod peers;
mod requests;
mod tls;
mod translate;
mod tune;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jarvis_core::ids::SatelliteId;
use jarvis_link::message::{DaemonMicros, Generation, Settings, ToSatellite, Utterance};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};

use owner::{Command, Owner};

pub use answer::AnswerWriter;
pub use event::{Cut, EndReason, HubEvent, Opening, PlaybackNews, SatelliteStatus};
pub(crate) use peers::tidy_room;

/// Requests to the owner that may wait; a caller beyond waits with its request.
const COMMANDS: usize = 64;

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
    /// A sample rate that no answer may have.
    #[error("an answer cannot have {0} samples a second: 8000 to 48000")]
    BadRate(u32),
    /// The table is full.
    #[error("{max} satellites are enrolled, which is the most; revoke one first", max = peers::SATELLITES_MAX)]
    TooMany,
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

/// The daemon's clock: microseconds since the hub's start.
#[derive(Debug, Clone, Copy)]
struct Clock {
    zero: Instant,
}

impl Clock {
    fn now(self) -> DaemonMicros {
        let since = self.zero.elapsed().as_micros();
        DaemonMicros(u64::try_from(since).unwrap_or(u64::MAX))
    }
}

/// Handle to the hub.
#[derive(Debug, Clone)]
pub struct Hub {
    commands: mpsc::Sender<Command>,
    clock: Clock,
    local: SocketAddr,
}

/// The hub's owner task.
pub struct HubTask {
    owner: Owner,
    commands: mpsc::Receiver<Command>,
}

impl std::fmt::Debug for HubTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HubTask")
    }
}

impl HubTask {
    /// Runs until [`Hub::shutdown`], or until the last handle is gone.
    pub async fn run(self) -> Result<(), HubError> {
        self.owner.run(self.commands).await;
        Ok(())
    }
}

impl Hub {
    /// Reads or makes the keys, and opens the socket. Nothing is served before [`HubTask::run`].
    pub async fn start(config: HubConfig, events: mpsc::Sender<HubEvent>) -> Result<(Self, HubTask), HubError> {
        let directory = config.state_dir.join("link");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let secrets = keys::Secrets::open(&directory)?;
        let path = directory.join("satellites.toml");
        let (table, seen) = watch::channel(Arc::new(peers::Table::read(&path)?));
        let (endpoint, transport) = endpoint::open(&config, &provider, &secrets, &seen)?;
        let local = endpoint
            .local_addr()
            .map_err(|error| HubError::Listen { listen: config.listen, reason: error.to_string() })?;
        let clock = Clock { zero: Instant::now() };
        let (commands, inner) = mpsc::channel(COMMANDS);
        let owner = Owner {
            clock,
            run: u64::from_le_bytes(keys::random()?),
            endpoint,
            provider,
            transport,
            secrets,
            path,
            table,
            events,
            own: commands.downgrade(),
            state: owner::State::default(),
            config,
        };
        let hub = Self { commands, clock, local };
        Ok((hub, HubTask { owner, commands: inner }))
    }

    /// Puts a message on a satellite's control stream.
    pub async fn send(&self, satellite: &SatelliteId, message: ToSatellite) -> Result<(), HubError> {
        self.ask(|reply| Command::Send(satellite.clone(), message, reply)).await?
    }

    /// Opens an answer; one that is still being written to that satellite is reset. Generations of a satellite count up over the
    /// daemon's run; the satellite hears nothing of an older one after this.
    pub async fn answer(
        &self,
        satellite: &SatelliteId,
        generation: Generation,
        rate_hz: u32,
    ) -> Result<AnswerWriter, HubError> {
        let opening = self.ask(|reply| Command::OpenAnswer(satellite.clone(), generation, reply)).await??;
        AnswerWriter::open(opening, satellite.clone(), generation, rate_hz, self.clock, self.commands.clone()).await
    }

    /// Tells the satellite that an utterance is done with, so that it is not sent again to a later run of the daemon.
    /// Finishing an answer and a silent [`ToSatellite::CloseMic`] do that by themselves.
    pub async fn settle(&self, satellite: &SatelliteId, utterance: Utterance) -> Result<(), HubError> {
        self.ask(|reply| Command::Settle(satellite.clone(), utterance, reply)).await?
    }

    /// Sets volume and mute, now if it is there, else when it comes.
    pub async fn settings(&self, satellite: &SatelliteId, settings: Settings) -> Result<(), HubError> {
        self.ask(|reply| Command::SetSettings(satellite.clone(), settings, reply)).await?
    }

    /// The daemon's clock, microseconds since the hub's start.
    pub fn now(&self) -> DaemonMicros {
        self.clock.now()
    }

    /// The address it listens at, with the port that was chosen if the configuration says 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Every enrolled satellite; none once the hub has stopped.
    pub async fn satellites(&self) -> Vec<SatelliteStatus> {
        self.ask(Command::Satellites).await.unwrap_or_default()
    }

    /// Opens the enrolment window for a room; an older code is void. The satellite that uses it takes the place of one enrolled
    /// for that room before.
    pub async fn enrol(&self, room: &str) -> Result<EnrolCode, HubError> {
        self.ask(|reply| Command::Enrol(room.to_owned(), reply)).await?
    }

    /// Takes a satellite's key off the table and closes its connection. False: there was none.
    pub async fn revoke(&self, satellite: &SatelliteId) -> Result<bool, HubError> {
        self.ask(|reply| Command::Revoke(satellite.clone(), reply)).await?
    }

    /// Says goodbye to the satellites and ends the task; returns when it has.
    pub async fn shutdown(self) {
        if self.ask(Command::Shutdown).await.is_err() {
            tracing::debug!("the hub had stopped before");
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, HubError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| HubError::Closed)?;
        answer.await.map_err(|_| HubError::Closed)
    }
}
