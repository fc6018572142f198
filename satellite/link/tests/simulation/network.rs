//! A network as QUIC makes it: what travels on one stream keeps its order, between streams there is none, and nothing is lost but time.

use std::collections::{BTreeMap, VecDeque};

use jarvis_link::message::{Answer, Mic, ToDaemon, ToSatellite, Utterance};

/// One way through the network.
const WAY_US: u64 = 15_000;
/// Of so many parcels one is lost and sent again...
const LOST_ONE_IN: u64 = 12;
/// ...after as much as this.
const RESENT_US: u64 = 250_000;

/// What travels.
#[derive(Debug)]
pub enum Parcel {
    /// A connection is wanted; its first utterance stream will have this number.
    Dial(u64),
    Dialled,
    Closed,
    Up(ToDaemon),
    Down(ToSatellite),
    Mic(u64, MicPart),
    Stop(u64),
    /// Of an answer stream, and the utterances that had ended for the daemon when it was written.
    Answer(u64, Answer, Vec<Utterance>),
}

/// A part of an utterance stream.
#[derive(Debug)]
pub enum MicPart {
    Frame(Mic),
    Fin,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Connection,
    Up,
    Down,
    Mic(u64),
    Stop(u64),
    Answer(u64),
}

impl Parcel {
    fn lane(&self) -> Lane {
        match self {
            Self::Dial(_) | Self::Dialled | Self::Closed => Lane::Connection,
            Self::Up(_) => Lane::Up,
            Self::Down(_) => Lane::Down,
            Self::Mic(stream, _) => Lane::Mic(*stream),
            Self::Stop(stream) => Lane::Stop(*stream),
            Self::Answer(stream, ..) => Lane::Answer(*stream),
        }
    }
}

struct Sent {
    at: u64,
    /// It was lost at first, and waits to be sent again.
    late: bool,
    connection: u64,
    parcel: Parcel,
}

/// The network between one satellite and its daemon.
pub struct Network {
    random: u64,
    lanes: BTreeMap<Lane, VecDeque<Sent>>,
    /// Whether anything gets through.
    pub mended: bool,
    /// What is of an older connection than this is dropped on arrival.
    pub connection: u64,
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self { random: seed | 1, lanes: BTreeMap::new(), mended: true, connection: 0 }
    }

    pub fn post(&mut self, now: u64, parcel: Parcel) {
        let late = self.draw(LOST_ONE_IN) == 0;
        let later = if late { self.draw(RESENT_US) } else { 0 };
        let connection = self.connection;
        let lane = self.lanes.entry(parcel.lane()).or_default();
        if matches!(parcel, Parcel::Mic(_, MicPart::Reset)) {
            lane.clear();
        }
        let at = lane.back().map_or(0, |before| before.at).max(now + WAY_US + later);
        lane.push_back(Sent { at, late, connection, parcel });
    }

    /// The daemon dies: what it would have sent again is lost, and so what was to come after it on the same stream.
    pub fn daemon_dies(&mut self) {
        let from_daemon = |lane: &Lane| matches!(lane, Lane::Connection | Lane::Down | Lane::Stop(_) | Lane::Answer(_));
        for (_, lane) in self.lanes.iter_mut().filter(|(of, _)| from_daemon(of)) {
            let first = lane.iter().position(|sent| sent.late && !matches!(sent.parcel, Parcel::Dial(_)));
            lane.truncate(first.unwrap_or(lane.len()));
        }
    }

    /// The next parcel that is due, of any lane.
    pub fn arrival(&mut self, now: u64) -> Option<Parcel> {
        while self.mended {
            let due = |lane: &VecDeque<Sent>| lane.front().is_some_and(|sent| sent.at <= now);
            let lanes: Vec<Lane> = self.lanes.iter().filter(|(_, lane)| due(lane)).map(|(of, _)| *of).collect();
            let lane = *lanes.get(self.draw(lanes.len().max(1) as u64) as usize)?;
            let sent = self.lanes.get_mut(&lane)?.pop_front()?;
            self.lanes.retain(|_, lane| !lane.is_empty());
            if sent.connection == self.connection {
                return Some(sent.parcel);
            }
        }
        None
    }

    /// Less than `below`, from a generator of the seed's (xorshift).
    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }
}
