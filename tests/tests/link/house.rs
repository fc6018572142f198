//! A daemon's hub and a satellite's net, each as the house runs them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use jarvis_core::ids::SatelliteId;
use jarvis_link::message::{MIC_FRAME_SAMPLES, MicEnd, Opened, Utterance};
use jarvis_satellite::net::{Net, NetConfig, NetEvent, NetHandle, enrol};
use jarvis_tests::ports::free_port;
use jarvisd::hub::{EndReason, Hub, HubConfig, HubEvent};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Longest wait for anything; reached only where something is broken.
pub const LONG: Duration = Duration::from_secs(60);

/// A hub in a runtime of its own, so that it can be killed without a goodbye.
pub struct Daemon {
    runtime: Option<Runtime>,
    pub hub: Hub,
    pub events: mpsc::Receiver<HubEvent>,
}

impl Daemon {
    pub async fn start(state: &Path, listen: SocketAddr, advertise: Option<SocketAddr>) -> Self {
        let config = HubConfig { listen, advertise, state_dir: state.to_path_buf(), ..HubConfig::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (tell, events) = mpsc::channel(64);
        let hub = runtime
            .spawn(async move {
                let (hub, task) = Hub::start(config, tell).await.unwrap();
                tokio::spawn(task.run());
                hub
            })
            .await
            .unwrap();
        Self { runtime: Some(runtime), hub, events }
    }

    pub fn address(&self) -> SocketAddr {
        self.hub.local_addr()
    }

    /// As by SIGKILL: nobody is told.
    pub async fn kill(mut self) {
        let runtime = self.runtime.take();
        tokio::task::spawn_blocking(move || {
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(Duration::from_secs(5));
            }
        })
        .await
        .unwrap();
    }

    pub async fn event(&mut self) -> HubEvent {
        tokio::time::timeout(LONG, self.events.recv()).await.expect("no event of the hub").expect("the hub has stopped")
    }

    /// Waits for an event that is wanted; others are dropped.
    pub async fn event_where(&mut self, wanted: impl Fn(&HubEvent) -> bool) -> HubEvent {
        loop {
            let event = self.event().await;
            if wanted(&event) {
                return event;
            }
        }
    }

    pub async fn connected(&mut self) {
        self.event_where(|event| matches!(event, HubEvent::Connected { .. })).await;
    }

    /// The next utterance, whole: its samples' first values, frame by frame, and how it ended.
    pub async fn utterance(&mut self) -> (Utterance, Vec<i16>, EndReason) {
        let mut frames = Vec::new();
        let mut open = None;
        loop {
            match self.event().await {
                HubEvent::Opened { utterance, .. } => {
                    assert_eq!(open.replace(utterance), None, "one utterance ends before the next is opened");
                }
                HubEvent::Frame { utterance, seq, samples, .. } => {
                    assert_eq!(*open.get_or_insert(utterance), utterance, "a frame of the utterance that is open");
                    assert_eq!(seq as usize, frames.len(), "frames come in order, without gaps or doubles");
                    assert_eq!(samples.len(), MIC_FRAME_SAMPLES);
                    frames.push(samples[0]);
                }
                HubEvent::Ended { utterance, reason, .. } => return (utterance, frames, reason),
                _ => {}
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A satellite's net.
pub struct Room {
    pub net: NetHandle,
    pub events: mpsc::Receiver<NetEvent>,
    pub state: TempDir,
    task: JoinHandle<()>,
}

impl Room {
    /// Enrolled for that room, and running.
    pub async fn enrolled(daemon: &Daemon, room: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        let code = daemon.hub.enrol(room).await.unwrap();
        enrol(&code.code, state.path()).await.unwrap();
        Self::start(state)
    }

    pub fn start(state: TempDir) -> Self {
        let config = NetConfig {
            state_dir: state.path().to_path_buf(),
            software: String::from("test"),
            phrases: vec![String::from("hey jarvis")],
            echo_cancelled: true,
        };
        let (net, events, task) = Net::start(config).unwrap();
        let task = tokio::spawn(async move { task.run().await.unwrap() });
        Self { net, events, state, task }
    }

    /// Stops the program; its state stays.
    pub async fn stop(self) -> TempDir {
        self.net.shutdown();
        self.task.await.unwrap();
        self.state
    }

    pub async fn event(&mut self) -> NetEvent {
        tokio::time::timeout(LONG, self.events.recv()).await.expect("no event of the net").expect("the net has stopped")
    }

    pub async fn event_where(&mut self, wanted: impl Fn(&NetEvent) -> bool) -> NetEvent {
        loop {
            let event = self.event().await;
            if wanted(&event) {
                return event;
            }
        }
    }

    pub async fn up(&mut self) {
        self.event_where(|event| matches!(event, NetEvent::Up { .. })).await;
    }

    pub async fn down(&mut self) {
        self.event_where(|event| matches!(event, NetEvent::Down { .. })).await;
    }

    /// Says `frames` frames, the n-th filled with the value n, and leaves the microphone open.
    pub fn open(&self, frames: i16) -> Utterance {
        let utterance = self.net.begin(Opened::Button, 0).unwrap();
        self.say(utterance, 0..frames);
        utterance
    }

    pub fn say(&self, utterance: Utterance, values: std::ops::Range<i16>) {
        for value in values {
            self.net.frame(utterance, self.net.micros(), 200, &[value; MIC_FRAME_SAMPLES]).unwrap();
        }
    }

    pub fn close(&self, utterance: Utterance) {
        self.net.end(utterance, MicEnd::Closed).unwrap();
    }
}

/// A place where nobody else listens, also while a daemon is dead.
pub fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()))
}

pub fn kitchen() -> SatelliteId {
    SatelliteId::from("kitchen")
}

/// A daemon and an enrolled, connected satellite in the kitchen.
pub async fn house() -> (TempDir, Daemon, Room) {
    let state = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(state.path(), loopback(), None).await;
    let mut room = Room::enrolled(&daemon, "kitchen").await;
    room.up().await;
    daemon.connected().await;
    (state, daemon, room)
}
