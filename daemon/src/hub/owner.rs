//! The owner of the hub's state: the table of satellites, who is connected, the enrolment window. Never waits for a satellite.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jarvis_core::ids::SatelliteId;
use jarvis_link::daemon_end::House;
use jarvis_link::enrol::code::EnrolCode as Code80;
use jarvis_link::enrol::message::{Refusal, Reply, Request};
use jarvis_link::enrol::window::{OPEN_US, Window};
use jarvis_link::enrol::{TOKEN_BYTES, Token};
use jarvis_link::inbox::{Cut, Heard, Inbox};
use jarvis_link::key::PublicKey;
use jarvis_link::message::{DaemonMicros, Generation, Settings, ToSatellite, Utterance};
use jarvis_link::transport::Code;
use quinn::{Connection, Incoming};
use quinn_proto::HashedConnectionIdGenerator;
use rustls::crypto::CryptoProvider;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinSet};

use super::connection::{self, COMMANDS, Live, Remains, ToConnection, cut_event, number};
use super::keys::{Secrets, fingerprint, random};
use super::peers::{Peer, Table, room};
use super::{Clock, EnrolCode, HubConfig, HubError, HubEvent, SatelliteStatus, answer, enrolment, tls, tune};

/// Handshakes at once; further greetings are ignored, and come again.
const HANDSHAKES_MAX: usize = 32;
/// Handshakes at once above which an address must first show that it is its own.
const HANDSHAKES_UNPROVED_MAX: usize = 8;
/// How long a handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
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
    AnswerFinished { satellite: SatelliteId, generation: Generation },
    Settle(SatelliteId, Utterance, Answer<Result<(), HubError>>),
    SetSettings(SatelliteId, Settings, Answer<Result<(), HubError>>),
    SettingsCame(SatelliteId, Settings),
    Satellites(Answer<Vec<SatelliteStatus>>),
    Enrol(String, Answer<Result<EnrolCode, HubError>>),
    Redeem { request: Request, shown: PublicKey, reply: Answer<Reply> },
    Revoke(SatelliteId, Answer<Result<bool, HubError>>),
    Shutdown(Answer<()>),
}

/// A satellite, connected or not.
#[derive(Debug)]
struct Satellite {
    live: Option<Connected>,
    /// `None` while the connection's task has it.
    inbox: Option<Inbox>,
    newest: Arc<AtomicU64>,
    last: Live,
    last_seen: Option<DaemonMicros>,
}

#[derive(Debug)]
struct Connected {
    task: Id,
    connection: Connection,
    commands: mpsc::Sender<ToConnection>,
    live: watch::Receiver<Live>,
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
    window: Window,
    satellites: HashMap<SatelliteId, Satellite>,
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
        self.state.tasks.spawn(handshake(incoming, config));
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

    fn command(&mut self, command: Command) {
        match command {
            Command::Send(id, message, reply) => {
                let sent = self.send(&id, message);
                answered(reply, sent);
            }
            Command::OpenAnswer(id, generation, reply) => {
                let opened = self.open_answer(&id, generation);
                answered(reply, opened);
            }
            Command::AnswerFinished { satellite, generation } => {
                if let Err(error) = self.tell(&satellite, ToConnection::AnswerFinished(generation.0)) {
                    tracing::debug!(%satellite, %error, "an answer is settled later");
                }
            }
            Command::Settle(id, utterance, reply) => answered(reply, self.settle(&id, utterance)),
            Command::SetSettings(id, settings, reply) => {
                let set = self.keep_settings(&id, settings).map(|()| {
                    if let Err(error) = self.tell(&id, ToConnection::Send(ToSatellite::Settings(settings))) {
                        tracing::debug!(satellite = %id, %error, "settings wait for the next connection");
                    }
                });
                answered(reply, set);
            }
            Command::SettingsCame(id, settings) => {
                if let Err(error) = self.keep_settings(&id, settings) {
                    tracing::warn!(satellite = %id, %error, "a change of volume or mute is not kept");
                }
            }
            Command::Satellites(reply) => {
                let table = self.table.borrow().clone();
                answered(reply, table.iter().map(|(id, peer)| self.status(id, peer)).collect());
            }
            Command::Enrol(name, reply) => {
                let code = self.enrol(&name);
                answered(reply, code);
            }
            Command::Redeem { request, shown, reply } => {
                let redeemed = self.redeem(&request, shown);
                answered(reply, redeemed);
            }
            Command::Revoke(id, reply) => {
                let revoked = self.revoke(&id);
                answered(reply, revoked);
            }
            Command::Shutdown(_) => {}
        }
    }

    fn tell(&self, id: &SatelliteId, message: ToConnection) -> Result<(), HubError> {
        if self.table.borrow().get(id).is_none() {
            return Err(HubError::Unknown(id.clone()));
        }
        let live = self.state.satellites.get(id).and_then(|known| known.live.as_ref());
        let live = live.filter(|live| live.live.borrow().greeting.is_some());
        let live = live.ok_or_else(|| HubError::NotConnected(id.clone()))?;
        live.commands.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => HubError::Stalled(id.clone()),
            mpsc::error::TrySendError::Closed(_) => HubError::NotConnected(id.clone()),
        })
    }

    fn send(&mut self, id: &SatelliteId, message: ToSatellite) -> Result<(), HubError> {
        if let ToSatellite::CloseMic { utterance, silent: true } = message {
            self.settle_away(id, utterance);
        }
        self.tell(id, ToConnection::Send(message))
    }

    fn settle(&mut self, id: &SatelliteId, utterance: Utterance) -> Result<(), HubError> {
        if self.settle_away(id, utterance) {
            return Ok(());
        }
        self.tell(id, ToConnection::Settle(utterance))
    }

    /// Settles while the satellite is away; it hears of it when it asks where to go on.
    fn settle_away(&mut self, id: &SatelliteId, utterance: Utterance) -> bool {
        let known = self.state.satellites.get_mut(id);
        known.and_then(|known| known.inbox.as_mut()).is_some_and(|inbox| inbox.settle(utterance))
    }

    fn open_answer(&mut self, id: &SatelliteId, generation: Generation) -> Result<answer::Opening, HubError> {
        self.tell(id, ToConnection::AnswerBegun(generation.0))?;
        let known = self.state.satellites.get(id);
        let (known, live) = known
            .and_then(|known| Some((known, known.live.as_ref()?)))
            .ok_or_else(|| HubError::NotConnected(id.clone()))?;
        if known.newest.fetch_max(generation.0, Ordering::Relaxed) >= generation.0 {
            return Err(HubError::StaleGeneration(generation));
        }
        Ok(answer::Opening { connection: live.connection.clone(), newest: known.newest.clone() })
    }

    fn keep_settings(&mut self, id: &SatelliteId, settings: Settings) -> Result<(), HubError> {
        let mut table = Table::clone(&self.table.borrow());
        let peer = *table.get(id).ok_or_else(|| HubError::Unknown(id.clone()))?;
        if peer.settings != settings {
            table.put(id.clone(), Peer { settings, ..peer });
            self.publish(table)?;
        }
        Ok(())
    }

    fn enrol(&mut self, name: &str) -> Result<EnrolCode, HubError> {
        let id = room(name)?;
        self.reread()?;
        if !self.table.borrow().has_room_for(&id) {
            return Err(HubError::TooMany);
        }
        let token = Token(random::<TOKEN_BYTES>()?);
        let code = Code80 { address: self.advertised()?, fingerprint: fingerprint(self.secrets.public), token };
        self.state.window.open(id.0.clone(), token, self.clock.now());
        tracing::info!(room = %id, "enrolment is open");
        Ok(EnrolCode { code: code.to_text(), room: id.0, valid_for: Duration::from_micros(OPEN_US) })
    }

    fn redeem(&mut self, request: &Request, shown: PublicKey) -> Reply {
        let room = match self.state.window.redeem(request, shown, self.clock.now()) {
            Ok(room) => room,
            Err(refusal) => {
                tracing::warn!(%refusal, "enrolment refused");
                return Reply::Refused(refusal);
            }
        };
        let id = SatelliteId(room.clone());
        let mut table = Table::clone(&self.table.borrow());
        if table.by_key(shown).is_some_and(|holder| *holder != id) {
            return Reply::Refused(Refusal::WrongKey);
        }
        let settings = Settings { volume_percent: self.config.volume_percent.min(100), muted: false };
        let replaced = table.get(&id).is_some_and(|peer| peer.key != shown);
        table.put(id.clone(), Peer { key: shown, settings });
        if let Err(error) = self.publish(table) {
            tracing::error!(%error, "enrolment");
            return Reply::Refused(Refusal::NotWritten);
        }
        if replaced {
            self.close(&id, Code::Revoked);
        }
        tracing::info!(satellite = %id, key = %fingerprint(shown), "enrolled");
        Reply::Enrolled { room }
    }

    fn revoke(&mut self, id: &SatelliteId) -> Result<bool, HubError> {
        self.reread()?;
        let mut table = Table::clone(&self.table.borrow());
        let was = table.remove(id);
        if was {
            self.publish(table)?;
            tracing::info!(satellite = %id, "revoked");
        }
        self.close(id, Code::Revoked);
        self.forget(id);
        Ok(was)
    }

    /// Takes changes that somebody made to the file by hand, and closes those that are not on it any more.
    fn reread(&mut self) -> Result<(), HubError> {
        let table = Table::read(&self.path)?;
        let gone: Vec<SatelliteId> = {
            let before = self.table.borrow();
            let changed = before.iter().filter(|(id, peer)| table.get(id).is_none_or(|now| now.key != peer.key));
            changed.map(|(id, _)| id.clone()).collect()
        };
        self.table.send_replace(Arc::new(table));
        for id in gone {
            self.close(&id, Code::Revoked);
        }
        Ok(())
    }

    fn publish(&mut self, table: Table) -> Result<(), HubError> {
        table.write(&self.path)?;
        self.table.send_replace(Arc::new(table));
        Ok(())
    }

    fn close(&mut self, id: &SatelliteId, code: Code) {
        if let Some(live) = self.state.satellites.get(id).and_then(|known| known.live.as_ref()) {
            live.connection.close(number(code), code.reason().as_bytes());
        }
        self.drop_arrivals(id, code);
    }

    fn drop_arrivals(&mut self, id: &SatelliteId, code: Code) {
        self.state.arrivals.retain(|(arrived, connection)| {
            if arrived == id {
                connection.close(number(code), code.reason().as_bytes());
            }
            arrived != id
        });
    }

    /// Forgets a satellite that is not enrolled any more, unless its connection's task is yet to end.
    fn forget(&mut self, id: &SatelliteId) {
        let enrolled = self.table.borrow().get(id).is_some();
        if enrolled || self.state.satellites.get(id).is_none_or(|known| known.inbox.is_none()) {
            return;
        }
        if let Some(mut inbox) = self.state.satellites.remove(id).and_then(|known| known.inbox) {
            let cut = inbox.cut_all(Cut::Revoked);
            self.tell_cut(id, cut);
        }
    }

    fn status(&self, id: &SatelliteId, peer: &Peer) -> SatelliteStatus {
        let known = self.state.satellites.get(id);
        let connected = known.and_then(|known| known.live.as_ref());
        let live = connected.map(|connected| connected.live.borrow().clone());
        let connected = live.as_ref().is_some_and(|live| live.greeting.is_some());
        let live = live.filter(|live| live.greeting.is_some());
        let live = live.or_else(|| known.map(|known| known.last.clone())).unwrap_or_default();
        let (software, echo_cancelled) =
            live.greeting.map(|greeting| (greeting.software, greeting.echo_cancelled)).unwrap_or_default();
        SatelliteStatus {
            id: id.clone(),
            room: id.0.clone(),
            connected,
            software,
            echo_cancelled,
            rtt_ms: live.rtt_us.filter(|_| connected).map(|us| us as f32 / 1000.0),
            clock_offset_us: live.clock_offset_us.filter(|_| connected),
            key_fingerprint: fingerprint(peer.key).to_string(),
            last_seen: if connected { Some(self.clock.now()) } else { known.and_then(|known| known.last_seen) },
            settings: peer.settings,
        }
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
            self.tell_cut(&id, cut);
        }
    }

    fn tell_cut(&mut self, id: &SatelliteId, cut: Vec<Heard>) {
        for heard in cut {
            if let Heard::Cut { utterance, cut } = heard {
                self.state.waiting.push_back(cut_event(id.clone(), utterance, cut));
            }
        }
    }

    /// The address that goes into codes.
    fn advertised(&self) -> Result<SocketAddr, HubError> {
        let failed = |error: std::io::Error| HubError::Listen {
            listen: self.config.listen,
            reason: format!(
                "which of this machine's addresses satellites reach it at is not known ({error}): set `advertise` in [link]"
            ),
        };
        if let Some(advertise) = self.config.advertise {
            return Ok(advertise);
        }
        let bound = self.endpoint.local_addr().map_err(failed)?;
        if !bound.ip().is_unspecified() {
            return Ok(bound);
        }
        // Nothing is sent: connecting a UDP socket only chooses the source address of the default route.
        let outward = UdpSocket::bind(("0.0.0.0", 0)).map_err(failed)?;
        outward.connect(("192.0.2.1", 9)).map_err(failed)?;
        let ip: IpAddr = outward.local_addr().map_err(failed)?.ip();
        Ok(SocketAddr::new(ip, bound.port()))
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

fn answered<T>(reply: Answer<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("whoever asked the hub has gone");
    }
}

async fn handshake(incoming: Incoming, config: quinn::ServerConfig) -> Done {
    let address = incoming.remote_address();
    let connecting = match incoming.accept_with(Arc::new(config)) {
        Ok(connecting) => connecting,
        Err(error) => {
            tracing::debug!(%address, %error, "a connection was not taken");
            return Done::Handshake(None);
        }
    };
    let connection = match tokio::time::timeout(HANDSHAKE_LIMIT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            tracing::info!(%address, %error, "a peer was turned away");
            return Done::Handshake(None);
        }
        Err(_) => return Done::Handshake(None),
    };
    let peer = tls::peer(&connection);
    if peer.is_none() {
        connection.close(number(Code::Protocol), b"");
    }
    Done::Handshake(peer.map(|(purpose, key)| (connection, purpose, key)))
}

/// Opens the endpoint with the keys that are kept across restarts.
pub(super) fn endpoint(
    config: &HubConfig,
    provider: &Arc<CryptoProvider>,
    secrets: &Secrets,
    table: &watch::Receiver<Arc<Table>>,
) -> Result<(quinn::Endpoint, Arc<quinn::TransportConfig>), HubError> {
    let failed = |reason: String| HubError::Listen { listen: config.listen, reason };
    let transport = Arc::new(tune::transport());
    let crypto =
        tls::server_config(provider, &secrets.certified, table, false).map_err(|error| failed(error.to_string()))?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server.transport_config(transport.clone());
    let mut quic = quinn::EndpointConfig::new(Arc::new(secrets.reset.clone()));
    let key = secrets.connection_id;
    quic.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(key)));
    let socket = UdpSocket::bind(config.listen).map_err(|error| failed(error.to_string()))?;
    let endpoint = quinn::Endpoint::new(quic, Some(server), socket, Arc::new(quinn::TokioRuntime));
    Ok((endpoint.map_err(|error| failed(error.to_string()))?, transport))
}
