//! The owner of the hub's state: the table of satellites, who is connected, the enrolment window. Never waits for a satellite.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jarvis_core::ids::SatelliteId;
use jarvis_link::daemon_end::House;
use jarvis_link::enrol::message::{Reply, Request};
use jarvis_link::enrol::window::Window;
use jarvis_link::inbox::{Heard, Inbox};
use jarvis_link::key::PublicKey;
use jarvis_link::message::{DaemonMicros, Generation, Settings, ToSatellite, Utterance};
use jarvis_link::transport::Code;
use quinn::{Connection, Incoming};
use rustls::crypto::CryptoProvider;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinSet};

use super::connection::{self, COMMANDS, Live, Remains, ToConnection, number};
use super::keys::Secrets;
use super::peers::{Peer, Table};
use super::{
    Clock, EnrolCode, HubConfig, HubError, HubEvent, SatelliteStatus, answer, endpoint, enrolment, tls, translate,
};

/// Handshakes at once; further greetings are ignored, and come again.
const HANDSHAKES_MAX: usize = 32;
/// Handshakes at once above which an address must first show that it is its own.
const HANDSHAKES_UNPROVED_MAX: usize = 8;
/// Enrolment connections at once.
const ENROLMENTS_MAX: usize = 4;
/// Connections that wait for the events of the one before them to be taken; the oldest is closed.
const ARRIVALS_MAX: usize = 16;
/// How long satellites are given to hear the goodbye.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);

type Answer<T> = oneshot::Sender<T>;

/// What the handle asks for.
#[derive(Debug)]
pub(super) enum Command {
    Send(SatelliteId, ToSatellite, Answer<Result<(), HubError>>),
    OpenAnswer(SatelliteId, Generation, Answer<Result<answer::Opening, HubError>>),
    /// What does that answer, which is about to be complete, answer?
    AnswerEnding(SatelliteId, Generation, Answer<Option<Utterance>>),
    AnswerFinished {
        satellite: SatelliteId,
        generation: Generation,
    },
    Settle(SatelliteId, Utterance, Answer<Result<(), HubError>>),
    SetSettings(SatelliteId, Settings, Answer<Result<(), HubError>>),
    SettingsCame(SatelliteId, Settings),
    Satellites(Answer<Vec<SatelliteStatus>>),
    Enrol(String, Answer<Result<EnrolCode, HubError>>),
    Redeem {
        request: Request,
        shown: PublicKey,
        reply: Answer<Reply>,
    },
    Revoke(SatelliteId, Answer<Result<bool, HubError>>),
    Shutdown(Answer<()>),
}

/// A satellite, connected or not.
#[derive(Debug)]
pub(super) struct Satellite {
    pub(super) live: Option<Connected>,
    /// `None` while the connection's task has it.
    pub(super) inbox: Option<Inbox>,
    pub(super) newest: Arc<AtomicU64>,
    pub(super) last: Live,
    pub(super) last_seen: Option<DaemonMicros>,
}

#[derive(Debug)]
pub(super) struct Connected {
    task: Id,
    pub(super) connection: Connection,
    pub(super) commands: mpsc::Sender<ToConnection>,
    pub(super) live: watch::Receiver<Live>,
}

enum Done {
    Handshake(Option<(Connection, tls::Purpose, PublicKey)>),
    Connection(SatelliteId, Remains),
    Enrolment,
}

pub(super) struct Owner {
    pub(super) config: HubConfig,
    pub(super) clock: Clock,
    pub(super) run: u64,
    pub(super) endpoint: quinn::Endpoint,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) transport: Arc<quinn::TransportConfig>,
    pub(super) secrets: Secrets,
    pub(super) path: PathBuf,
    pub(super) table: watch::Sender<Arc<Table>>,
    pub(super) events: mpsc::Sender<HubEvent>,
    pub(super) own: mpsc::WeakSender<Command>,
    pub(super) state: State,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) window: Window,
    pub(super) satellites: HashMap<SatelliteId, Satellite>,
    tasks: JoinSet<Done>,
    handshakes: usize,
    enrolments: usize,
    connections: HashMap<Id, SatelliteId>,
    arrivals: VecDeque<(SatelliteId, Connection)>,
    waiting: VecDeque<HubEvent>,
}

impl Default for Satellite {
    fn default() -> Self {
        Self {
            live: None,
            inbox: Some(Inbox::default()),
            newest: Arc::new(AtomicU64::new(0)),
            last: Live::default(),
            last_seen: None,
        }
    }
}

impl Owner {
    /// Runs to the shutdown.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let told = loop {
            self.begin_arrivals();
            let deadline = self.resume_deadline();
            let pause = Duration::from_micros(deadline.map_or(0, |at| at.0.saturating_sub(self.clock.now().0)));
            let events = self.events.clone();
            tokio::select! {
                permit = events.reserve(), if !self.state.waiting.is_empty() => match (permit, self.state.waiting.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => break None,
                },
                command = commands.recv() => match command {
                    Some(Command::Shutdown(done)) => break Some(done),
                    Some(command) => self.command(command),
                    None => break None,
                },
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.incoming(incoming),
                    None => break None,
                },
                Some(done) = self.state.tasks.join_next_with_id(), if !self.state.tasks.is_empty() => match done {
                    Ok((id, done)) => self.done(id, done),
                    Err(error) => self.panicked(error.id(), &error),
                },
                () = tokio::time::sleep(pause), if deadline.is_some() => self.give_up_lost(),
            }
        };
        self.goodbye().await;
        if let Some(done) = told
            && done.send(()).is_err()
        {
            tracing::debug!("nobody waits for the hub's end");
        }
    }

    fn incoming(&mut self, incoming: Incoming) {
        if self.state.handshakes >= HANDSHAKES_MAX {
            incoming.ignore();
            return;
        }
        if self.state.handshakes >= HANDSHAKES_UNPROVED_MAX && incoming.may_retry() {
            if let Err(error) = incoming.retry() {
                tracing::debug!(%error, "no retry");
            }
            return;
        }
        let open = self.state.window.is_open(self.clock.now()) && self.state.enrolments < ENROLMENTS_MAX;
        let config = match tls::server_config(&self.provider, &self.secrets.certified, &self.table.subscribe(), open) {
            Ok(crypto) => {
                let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
                config.transport_config(self.transport.clone());
                config
            }
            Err(error) => {
                tracing::error!(%error, "TLS cannot be set up");
                incoming.refuse();
                return;
            }
        };
        self.state.handshakes += 1;
        self.state.tasks.spawn(async move { Done::Handshake(endpoint::handshake(incoming, config).await) });
    }

    fn done(&mut self, id: Id, done: Done) {
        match done {
            Done::Handshake(arrived) => {
                self.state.handshakes = self.state.handshakes.saturating_sub(1);
                match arrived {
                    Some((connection, tls::Purpose::Link, key)) => self.arrived(connection, key),
                    Some((connection, tls::Purpose::Enrol, key)) => {
                        self.state.enrolments += 1;
                        let owner = self.own.clone();
                        self.state.tasks.spawn(async move {
                            enrolment::run(connection, key, owner).await;
                            Done::Enrolment
                        });
                    }
                    None => {}
                }
            }
            Done::Enrolment => self.state.enrolments = self.state.enrolments.saturating_sub(1),
            Done::Connection(id_of, remains) => {
                self.state.connections.remove(&id);
                self.ended(id, id_of, remains);
            }
        }
    }

    /// A task of ours panicked: that one connection is lost, and what was open on it is cut.
    fn panicked(&mut self, id: Id, error: &tokio::task::JoinError) {
        tracing::error!(%error, "a connection's task failed");
        match self.state.connections.remove(&id) {
            Some(satellite) => {
                let remains = Remains {
                    inbox: Inbox::default(),
                    events: VecDeque::new(),
                    greeted: true,
                    reason: String::from("an error in the daemon; see its log"),
                };
                if let Some(live) = self.state.satellites.get(&satellite).and_then(|known| known.live.as_ref()) {
                    live.connection.close(number(Code::Protocol), b"");
                }
                self.ended(id, satellite, remains);
            }
            None => self.state.handshakes = self.state.handshakes.saturating_sub(1),
        }
    }

    /// A satellite's handshake is through. Its key may have been revoked meanwhile.
    fn arrived(&mut self, connection: Connection, key: PublicKey) {
        let Some(id) = self.table.borrow().by_key(key).cloned() else {
            connection.close(number(Code::Revoked), b"");
            return;
        };
        if let Some(live) = self.state.satellites.get(&id).and_then(|known| known.live.as_ref()) {
            live.connection.close(number(Code::Replaced), Code::Replaced.reason().as_bytes());
        }
        self.drop_arrivals(&id, Code::Replaced);
        if self.state.arrivals.len() >= ARRIVALS_MAX
            && let Some((_, oldest)) = self.state.arrivals.pop_front()
        {
            oldest.close(number(Code::Flood), b"");
        }
        self.state.arrivals.push_back((id, connection));
    }

    /// Starts what arrived, once the satellite's last connection is over and its events are out: they come in order.
    fn begin_arrivals(&mut self) {
        if !self.state.waiting.is_empty() {
            return;
        }
        for _ in 0..self.state.arrivals.len() {
            let Some((id, connection)) = self.state.arrivals.pop_front() else {
                return;
            };
            let Some(peer) = self.table.borrow().get(&id).copied() else {
                connection.close(number(Code::Revoked), b"");
                continue;
            };
            let known = self.state.satellites.entry(id.clone()).or_default();
            match known.inbox.take() {
                Some(inbox) => self.begin(id, peer, connection, inbox),
                None => self.state.arrivals.push_back((id, connection)),
            }
        }
    }

    fn begin(&mut self, id: SatelliteId, peer: Peer, connection: Connection, inbox: Inbox) {
        let (commands, inner) = mpsc::channel(COMMANDS);
        let (live, seen) = watch::channel(Live::default());
        let start = connection::Start {
            satellite: id.clone(),
            connection: connection.clone(),
            house: House { room: id.0.clone(), settings: peer.settings, run: self.run },
            status: self.status(&id, &peer),
            inbox,
            clock: self.clock,
            events: self.events.clone(),
            owner: self.own.clone(),
            commands: inner,
            live,
        };
        let satellite = id.clone();
        let task = self.state.tasks.spawn(async move { Done::Connection(satellite, connection::run(start).await) });
        self.state.connections.insert(task.id(), id.clone());
        self.state.satellites.entry(id).or_default().live =
            Some(Connected { task: task.id(), connection, commands, live: seen });
    }

    fn ended(&mut self, task: Id, id: SatelliteId, remains: Remains) {
        let now = self.clock.now();
        let enrolled = self.table.borrow().get(&id).is_some();
        let Some(known) = self.state.satellites.get_mut(&id) else {
            return;
        };
        if known.live.as_ref().is_some_and(|live| live.task == task)
            && let Some(live) = known.live.take()
        {
            known.last = live.live.borrow().clone();
            known.last_seen = Some(now);
        }
        self.state.waiting.extend(remains.events);
        if remains.greeted {
            tracing::info!(satellite = %id, reason = %remains.reason, "satellite gone");
            self.state.waiting.push_back(HubEvent::Disconnected { satellite: id.clone(), reason: remains.reason });
        }
        known.inbox = Some(remains.inbox);
        if !enrolled {
            self.forget(&id);
        }
    }

    pub(super) fn close(&mut self, id: &SatelliteId, code: Code) {
        if let Some(live) = self.state.satellites.get(id).and_then(|known| known.live.as_ref()) {
            live.connection.close(number(code), code.reason().as_bytes());
        }
        self.drop_arrivals(id, code);
    }

    pub(super) fn drop_arrivals(&mut self, id: &SatelliteId, code: Code) {
        self.state.arrivals.retain(|(arrived, connection)| {
            if arrived == id {
                connection.close(number(code), code.reason().as_bytes());
            }
            arrived != id
        });
    }

    /// When the first utterance of a satellite that is away is given up.
    fn resume_deadline(&self) -> Option<DaemonMicros> {
        let away = self.state.satellites.values().filter_map(|known| known.inbox.as_ref());
        away.filter_map(Inbox::poll_timeout).min()
    }

    fn give_up_lost(&mut self) {
        let now = self.clock.now();
        let mut lost = Vec::new();
        for (id, known) in &mut self.state.satellites {
            if let Some(inbox) = &mut known.inbox {
                lost.push((id.clone(), inbox.handle_timeout(now)));
            }
        }
        for (id, cut) in lost {
            self.tell_ended(&id, cut);
        }
    }

    /// Tells of utterances of a satellite that is away; nothing but their end can become of them.
    pub(super) fn tell_ended(&mut self, id: &SatelliteId, heard: impl IntoIterator<Item = Heard>) {
        let now = self.clock.now();
        let events = heard.into_iter().map(|heard| translate::heard(id, heard, |_| now));
        self.state.waiting.extend(events);
    }

    async fn goodbye(&mut self) {
        for known in self.state.satellites.values() {
            if let Some(live) = &known.live
                && live.commands.try_send(ToConnection::Close(Code::Bye)).is_err()
            {
                live.connection.close(number(Code::Bye), Code::Bye.reason().as_bytes());
            }
        }
        let all = async { while self.state.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GOODBYE_LIMIT, all).await.is_err() {
            tracing::debug!("not every satellite heard the goodbye");
        }
        self.endpoint.close(number(Code::Bye), Code::Bye.reason().as_bytes());
        if tokio::time::timeout(GOODBYE_LIMIT, self.endpoint.wait_idle()).await.is_err() {
            tracing::debug!("not every connection ended");
        }
        self.state.tasks.shutdown().await;
    }
}
