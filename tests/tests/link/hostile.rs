//! Peers that mean harm: written against QUIC itself, so that they can do what our own ends never would.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jarvis_link::frame::encode;
use jarvis_link::message::{MicEnd, ToDaemon};
use jarvis_link::transport::{ALPN_ENROL, ALPN_LINK, Code, SEND_BYTES, SERVER_NAME};
use jarvis_link::version::{CURRENT, MIN};
use jarvis_satellite::net::NetEvent;
use jarvisd::hub::{Cut, EndReason, HubEvent};
use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;

use crate::house::{Daemon, LONG, house, kitchen};
use crate::keys::{Anybody, Key};

pub struct Peer {
    endpoint: quinn::Endpoint,
    config: quinn::ClientConfig,
}

impl Peer {
    pub fn new(certified: Arc<rustls::sign::CertifiedKey>, alpn: &[u8], resumption: Resumption) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_client_cert_resolver(Arc::new(rustls::client::AlwaysResolvesClientRawPublicKeys::new(certified)));
        config.alpn_protocols = vec![alpn.to_vec()];
        config.resumption = resumption;
        config.enable_early_data = true;
        let quic = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
        let mut transport = quinn::TransportConfig::default();
        transport.send_window(SEND_BYTES);
        let mut config = quinn::ClientConfig::new(Arc::new(quic));
        config.transport_config(Arc::new(transport));
        Self { endpoint: quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap(), config }
    }

    pub async fn dial(&self, daemon: SocketAddr) -> Result<Connection, ConnectionError> {
        self.endpoint.connect_with(self.config.clone(), daemon, SERVER_NAME).unwrap().await
    }

    /// Why the daemon will not have it. TLS 1.3 lets a client believe itself connected before it is judged.
    async fn turned_away(&self, daemon: SocketAddr) -> ConnectionError {
        match self.dial(daemon).await {
            Err(error) => error,
            Ok(connection) => tokio::time::timeout(LONG, connection.closed()).await.expect("it was let in"),
        }
    }
}

/// The key of a satellite that was enrolled, as somebody has it who holds the satellite.
fn stolen(state: &Path) -> Key {
    Key::from_pkcs8(&std::fs::read(state.join("satellite.key")).unwrap())
}

async fn no_event(daemon: &mut Daemon) {
    // Whatever the hub had to tell of the peer, it told before it answered this.
    daemon.hub.satellites().await;
    assert!(daemon.events.try_recv().is_err());
}

/// A house whose satellite was stopped, and a peer that has its key.
pub async fn impostor() -> (tempfile::TempDir, Daemon, Peer) {
    let (state, mut daemon, room) = house().await;
    let satellite = room.stop().await;
    daemon.event_where(|event| matches!(event, HubEvent::Disconnected { .. })).await;
    let key = stolen(satellite.path());
    let peer = Peer::new(key.showing(key.public), ALPN_LINK, Resumption::disabled());
    (state, daemon, peer)
}

fn hello() -> Vec<u8> {
    let hello = ToDaemon::Hello {
        versions: (MIN, CURRENT),
        software: String::new(),
        phrases: Vec::new(),
        echo_cancelled: false,
        run: 1,
    };
    encode(&hello).unwrap()
}

pub async fn greeted(daemon: &mut Daemon, peer: &Peer) -> (Connection, SendStream, RecvStream) {
    let connection = peer.dial(daemon.address()).await.unwrap();
    let (mut send, receive) = connection.open_bi().await.unwrap();
    send.write_all(&hello()).await.unwrap();
    daemon.connected().await;
    (connection, send, receive)
}

pub async fn closed_with(connection: &Connection) -> Option<Code> {
    match tokio::time::timeout(LONG, connection.closed()).await.expect("it was not closed") {
        ConnectionError::ApplicationClosed(close) => Code::from_number(close.error_code.into_inner()),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_key_shown_by_one_who_does_not_hold_it_is_turned_away() {
    let (_state, mut daemon, room) = house().await;
    let satellite = room.stop().await;
    daemon.event_where(|event| matches!(event, HubEvent::Disconnected { .. })).await;
    let liar = Peer::new(Key::new().showing(stolen(satellite.path()).public), ALPN_LINK, Resumption::disabled());
    let error = liar.turned_away(daemon.address()).await;
    assert!(matches!(error, ConnectionError::ConnectionClosed(_)), "{error}");
    no_event(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_gets_no_event_and_no_reply() {
    let (_state, mut daemon, _room) = house().await;
    let key = Key::new();
    let stranger = Peer::new(key.showing(key.public), ALPN_LINK, Resumption::disabled());
    stranger.turned_away(daemon.address()).await;
    daemon.hub.enrol("hall").await.unwrap();
    // An open code lets nobody in by the other door.
    stranger.turned_away(daemon.address()).await;
    no_event(&mut daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_of_1970_does_not_matter() {
    // Enrolment and link as the satellite itself has them. Its TLS is given a clock that stands in 1970, as a unit test of
    // satellite/src/net/tls.rs holds: whatever looked at a date would turn it away here.
    let (_state, mut daemon, room) = house().await;
    let utterance = room.open(3);
    room.close(utterance);
    assert_eq!(daemon.utterance().await, (utterance, vec![0, 1, 2], EndReason::Mic(MicEnd::Closed)));
}

/// Counts the tickets it is given.
#[derive(Debug)]
struct Tickets {
    cache: ClientSessionMemoryCache,
    given: AtomicUsize,
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, name: ServerName<'static>, group: rustls::NamedGroup) {
        self.cache.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<rustls::NamedGroup> {
        self.cache.kx_hint(name)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.given.fetch_add(1, Ordering::Relaxed);
        self.cache.insert_tls13_ticket(name, value);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(name)
    }
}

/// Where a server gives tickets, as they do unless they are told not to, [`Tickets`] counts them.
async fn tickets_are_counted_where_they_are_given() {
    let (theirs, ours) = (Key::new(), Key::new());
    let generous = quinn::Endpoint::server(theirs.server(&[ALPN_LINK]), crate::house::loopback()).unwrap();
    let tickets = Arc::new(Tickets { cache: ClientSessionMemoryCache::new(8), given: AtomicUsize::new(0) });
    let peer = Peer::new(ours.showing(ours.public), ALPN_LINK, Resumption::store(tickets.clone()));
    let (dialled, accepted) =
        tokio::join!(peer.dial(generous.local_addr().unwrap()), async { generous.accept().await.unwrap().await });
    let _connections = (dialled.unwrap(), accepted.unwrap());
    let counted = async {
        while tickets.given.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, counted).await.expect("no ticket was counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_ticket_is_given_so_none_lets_a_revoked_key_in() {
    tickets_are_counted_where_they_are_given().await;
    let (_state, mut daemon, room) = house().await;
    let satellite = room.stop().await;
    daemon.event_where(|event| matches!(event, HubEvent::Disconnected { .. })).await;
    let key = stolen(satellite.path());
    let tickets = Arc::new(Tickets { cache: ClientSessionMemoryCache::new(8), given: AtomicUsize::new(0) });
    let peer = Peer::new(key.showing(key.public), ALPN_LINK, Resumption::store(tickets.clone()));
    for _ in 0..2 {
        let (connection, ..) = greeted(&mut daemon, &peer).await;
        connection.close(0_u32.into(), b"");
        daemon.event_where(|event| matches!(event, HubEvent::Disconnected { .. })).await;
    }
    let early = peer.endpoint.connect_with(peer.config.clone(), daemon.address(), SERVER_NAME).unwrap().into_0rtt();
    assert!(early.is_err(), "no early data without a ticket");
    drop(early);
    assert!(daemon.hub.revoke(&kitchen()).await.unwrap());
    peer.turned_away(daemon.address()).await;
    assert_eq!(tickets.given.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoking_closes_a_live_connection_and_ends_its_utterance() {
    let (_state, mut daemon, mut room) = house().await;
    let utterance = room.open(10);
    daemon.event_where(|event| matches!(event, HubEvent::Frame { seq: 9, .. })).await;
    assert!(daemon.hub.revoke(&kitchen()).await.unwrap());
    assert!(!daemon.hub.revoke(&kitchen()).await.unwrap());
    let down = room.event_where(|event| matches!(event, NetEvent::Down { .. })).await;
    assert!(format!("{down:?}").contains("revoked"), "{down:?}");
    daemon.event_where(|event| matches!(event, HubEvent::Disconnected { .. })).await;
    let reason = EndReason::Cut(Cut::Revoked);
    assert_eq!(daemon.event().await, HubEvent::Ended { satellite: kitchen(), utterance, reason });
    assert!(daemon.hub.satellites().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rogue_daemon_is_told_nothing() {
    let config = Key::new().server(&[ALPN_ENROL, ALPN_LINK]);
    let rogue = quinn::Endpoint::server(config, crate::house::loopback()).unwrap();
    let address = rogue.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    let serving = tokio::spawn(async move {
        while let Some(incoming) = rogue.accept().await {
            let shaken = incoming.await.map(drop);
            hears.lock().unwrap().push(shaken);
        }
    });
    let (_state, daemon, room) = house().await;
    let code = daemon.hub.enrol("hall").await.unwrap().code;
    let mut code = jarvis_link::enrol::code::EnrolCode::from_text(&code).unwrap();
    code.address = address;
    let state = tempfile::tempdir().unwrap();
    assert!(jarvis_satellite::net::enrol(&code.to_text(), state.path()).await.is_err());
    let satellite = room.stop().await;
    let file = satellite.path().join("daemon.toml");
    let moved = std::fs::read_to_string(&file).unwrap().replace(&daemon.address().to_string(), &address.to_string());
    std::fs::write(&file, moved).unwrap();
    let room = crate::house::Room::start(satellite);
    let enough = async {
        while heard.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, enough).await.unwrap();
    assert!(heard.lock().unwrap().iter().all(Result::is_err), "no handshake was ever completed");
    room.stop().await;
    serving.abort();
}
