//! Handles to the parts of a running daemon, and what they say of themselves: one snapshot for `jarvisctl status`, `doctor` and the page.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jarvis_core::cluster::{Cluster, GuestState};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::board::{Degraded, Picture};
use crate::cluster::{ClusterClient, NodeHealth};
use crate::config::Config;
use crate::ctl::TypedSender;
use crate::ear::{Ear, EarStatus};
use crate::event::Bus;
use crate::hub::{Hub, SatelliteStatus};
use crate::mcp::{Mcp, Servers};
use crate::memory::Memories;
use crate::mind::{Minds, MindsStatus};
use crate::safety::{Safety, SwitchState};
use crate::speech::{Speech, SpeechStatus};
use crate::store::{Store, kept_aside_beside};

/// Handles to the parts. Cheap to clone.
#[derive(Clone)]
pub struct House {
    /// As it was read at start.
    pub config: Arc<Config>,
    /// Satellites.
    pub hub: Hub,
    /// The database.
    pub store: Store,
    /// What was told and is kept.
    pub memory: Memories,
    /// Events.
    pub bus: Bus,
    /// Degraded parts and running turns; [`crate::board::keep`] writes it.
    pub board: watch::Receiver<Picture>,
    /// Speech to text.
    pub ear: Ear,
    /// Text to speech; `None` where it could not be started.
    pub speech: Option<Speech>,
    /// The cluster.
    pub cluster: ClusterClient,
    /// What may be changed, and what became of it.
    pub safety: Safety,
    /// Other programs.
    pub mcp: Mcp,
    /// Other servers of the owner's.
    pub servers: Servers,
    /// Models that can be asked, and the books of what they cost.
    pub minds: Minds,
    /// Takes typed turns.
    pub typed: TypedSender,
    /// When the daemon started.
    pub started: Instant,
}

/// What the parts say of themselves now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// Where the page is.
    pub page: SocketAddr,
    /// Speech to text.
    pub ear: EarStatus,
    /// Text to speech; `None` where it could not be started.
    pub speech: Option<SpeechStatus>,
    /// Enrolled satellites.
    pub satellites: Vec<SatelliteLine>,
    /// Configured nodes, as their API answered.
    pub nodes: Vec<NodeLine>,
    /// Models, and what was spent on them.
    pub minds: MindsStatus,
    /// The kill switch.
    pub power: SwitchState,
    /// Degraded parts.
    pub degraded: Vec<Degraded>,
    /// Damaged databases that were kept aside and wait for their owner.
    pub kept_aside: Vec<PathBuf>,
}

/// A satellite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SatelliteLine {
    /// Which.
    pub id: String,
    /// Its room.
    pub room: String,
    /// Whether it is there now.
    pub connected: bool,
    /// Program version.
    pub software: String,
    /// Whether an echo canceller is at work.
    pub echo_cancelled: bool,
    /// There and back, in milliseconds.
    pub rtt_ms: Option<f32>,
    /// Daemon's clock minus satellite's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Of its key.
    pub key_fingerprint: String,
    /// Seconds since it was last heard; `None`: not since the daemon's start.
    pub silent_s: Option<u64>,
    /// 0 to 100.
    pub volume_percent: u8,
    /// Whether its microphone is closed.
    pub muted: bool,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeLine {
    /// Which.
    pub node: String,
    /// Where it is asked.
    pub address: String,
    /// Whether its last answer was one; `None` before the first question.
    pub answers: Option<bool>,
    /// Since when that is so, in seconds since 1970-01-01 UTC.
    pub since: Option<i64>,
    /// Why it does not answer, with a remedy where one is known.
    pub trouble: Option<String>,
    /// Guests that run there; `None` where nobody could say.
    pub running: Option<usize>,
    /// Guests configured there; `None` where nobody could say.
    pub guests: Option<usize>,
    /// Processor use, 0.0 to 1.0.
    pub cpu: Option<f64>,
    /// Memory in use, 0.0 to 1.0.
    pub memory: Option<f64>,
}

impl House {
    /// Asks the parts. What is said of the cluster may be 10 s old; asking again sooner costs it nothing.
    pub async fn status(&self) -> Status {
        let now = self.hub.now();
        let satellites = self.hub.satellites().await;
        let cluster = self.cluster.names().await;
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            page: self.config.page.listen,
            uptime_s: self.started.elapsed().as_secs(),
            ear: self.ear.status(),
            speech: self.speech.as_ref().map(Speech::status),
            satellites: satellites.into_iter().map(|s| line(s, now.0)).collect(),
            nodes: self.cluster.health().into_iter().map(|n| node(n, cluster.as_ref())).collect(),
            minds: self.minds.status().await,
            power: self.safety.switch().state(),
            degraded: self.board.borrow().degraded(),
            kept_aside: kept_aside_beside(&self.config.daemon.database()),
        }
    }
}

fn line(s: SatelliteStatus, now_us: u64) -> SatelliteLine {
    SatelliteLine {
        id: s.id.0,
        room: s.room,
        connected: s.connected,
        software: s.software,
        echo_cancelled: s.echo_cancelled,
        rtt_ms: s.rtt_ms,
        clock_offset_ms: s.clock_offset_us.map(|us| us / 1000),
        key_fingerprint: s.key_fingerprint,
        silent_s: s.last_seen.map(|seen| now_us.saturating_sub(seen.0) / 1_000_000),
        volume_percent: s.settings.volume_percent,
        muted: s.settings.muted,
    }
}

fn node(health: NodeHealth, cluster: Option<&Cluster>) -> NodeLine {
    // A dead node's guests are known from the configuration, but whether they run is not.
    let known = cluster.filter(|_| health.answers == Some(true));
    let count = |wanted: fn(GuestState) -> bool| {
        known.map(|c| c.guests.iter().filter(|g| g.node == health.node && wanted(g.state)).count())
    };
    let seen = known.and_then(|c| c.nodes.iter().find(|n| n.name == health.node));
    NodeLine {
        running: count(|state| state == GuestState::Running),
        guests: count(|_| true),
        cpu: seen.and_then(|n| n.cpu),
        memory: seen.and_then(|n| n.memory).map(|m| m.ratio()),
        node: health.node.0,
        address: health.address,
        answers: health.answers,
        since: health.since.map(|at| at.0),
        trouble: health.trouble,
    }
}

#[cfg(test)]
pub(crate) mod testing;
