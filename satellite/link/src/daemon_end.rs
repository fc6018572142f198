//! The daemon's end of one connection: greets, answers pings, maps times, and keeps the satellite within its bounds.
//!
//! The satellite's [`Inbox`] outlives the connection: it is handed in, and handed on with [`DaemonEnd::into_inbox`].

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::clock::ClockMap;
use crate::flood::{Bucket, CONTROL_BURST, CONTROL_PER_S};
use crate::inbox::{Heard, Inbox, MicStream, Taken};
use crate::liveness::Liveness;
use crate::message::{DaemonMicros, Mic, SETTLED, SatMicros, Settings, ToDaemon, ToSatellite, Utterance};
use crate::transport::Code;
use crate::version::{ANSWERED, agree};

/// How long a satellite may take to greet, in microseconds.
pub const HELLO_US: u64 = 1_500_000;

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Write on the control stream.
    Send(ToSatellite),
    /// Close the connection once what was sent before is out.
    Close(Code),
    /// The satellite has greeted.
    Greeted(Greeting),
    /// Something became of an utterance. Times are still the satellite's: map them with [`DaemonEnd::to_daemon`].
    Heard(Heard),
    /// A message for the turn driver: playback news, settings, trouble.
    Control(ToDaemon),
}

/// What a satellite told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The version both speak.
    pub version: u16,
    /// Program version.
    pub software: String,
    /// Wake phrases.
    pub phrases: Vec<String>,
    /// Whether an echo canceller is at work.
    pub echo_cancelled: bool,
}

#[derive(Debug)]
enum State {
    Greeting { until: DaemonMicros },
    Up { alive: Liveness, version: u16 },
    Over,
}

/// What the daemon tells in its greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct House {
    /// Name of the room.
    pub room: String,
    /// Settings to take.
    pub settings: Settings,
    /// Drawn at the daemon's start.
    pub run: u64,
}

/// The daemon's end of a connection.
#[derive(Debug)]
pub struct DaemonEnd {
    house: House,
    state: State,
    outputs: VecDeque<Output>,
    inbox: Inbox,
    clock: ClockMap,
    control: Bucket,
}

impl DaemonEnd {
    /// A satellite has connected, and its key is on the table.
    pub fn new(house: House, inbox: Inbox, now: DaemonMicros) -> Self {
        Self {
            house,
            state: State::Greeting { until: DaemonMicros(now.0.saturating_add(HELLO_US)) },
            outputs: VecDeque::new(),
            inbox,
            clock: ClockMap::default(),
            control: Bucket::new(CONTROL_BURST, CONTROL_PER_S, now.0),
        }
    }

    /// A control message came.
    pub fn control(&mut self, message: ToDaemon, now: DaemonMicros) {
        if matches!(self.state, State::Over) {
            return;
        }
        if !self.control.take(now.0) {
            return self.close(Code::Flood);
        }
        match (&mut self.state, message) {
            (State::Greeting { .. }, ToDaemon::Hello { versions, software, phrases, echo_cancelled, run }) => {
                match agree(versions) {
                    Ok(version) => {
                        let greeting = Greeting { version, software, phrases, echo_cancelled };
                        self.greeted(greeting, run, now);
                    }
                    Err(disagreement) => {
                        let reason = disagreement.to_string();
                        self.outputs.push_back(Output::Send(ToSatellite::Refused { reason }));
                        self.close(Code::Version);
                    }
                }
            }
            (State::Greeting { .. }, _) | (State::Up { .. }, ToDaemon::Hello { .. }) => self.close(Code::Protocol),
            (State::Up { alive, .. }, message) => {
                alive.heard(now.0);
                self.came(message, now);
            }
            (State::Over, _) => {}
        }
    }

    /// A frame came on an utterance stream; streams are to be read one after the other, in the order in which they were opened. True: stop
    /// reading that stream.
    pub fn mic(&mut self, stream: &mut MicStream, frame: Mic, now: DaemonMicros) -> bool {
        match &mut self.state {
            State::Up { alive, .. } => {
                alive.heard(now.0);
                let taken = self.inbox.handle(stream, frame, now);
                let stop = taken.stop;
                self.take(taken);
                stop
            }
            State::Greeting { .. } => {
                self.close(Code::Protocol);
                true
            }
            State::Over => true,
        }
    }

    /// An utterance stream ended though the connection lives, or what came on it is no frame.
    pub fn mic_ended(&mut self, stream: &mut MicStream) {
        if matches!(self.state, State::Up { .. }) {
            let taken = self.inbox.ended(stream);
            self.take(taken);
        }
    }

    /// The utterance is done with, and the satellite may forget it.
    pub fn settle(&mut self, utterance: Utterance) {
        let taken = self.inbox.settle(utterance);
        self.take(taken);
    }

    /// The newest utterance that began: what an answer that begins now is an answer to.
    pub fn newest_utterance(&self) -> Option<Utterance> {
        self.inbox.newest()
    }

    /// What an answer that began when `newest` was the newest utterance answers, for its
    /// [`Answer::Answered`](crate::message::Answer::Answered); `None` where nothing of it was heard whole, or the satellite does not
    /// know that message.
    pub fn answered_until(&self, newest: Utterance) -> Option<Utterance> {
        match self.state {
            State::Up { version, .. } if version >= ANSWERED => self.inbox.ended_until(newest),
            State::Greeting { .. } | State::Up { .. } | State::Over => None,
        }
    }

    /// What has ended and is not newer than `newest` is done with.
    pub fn settle_until(&mut self, newest: Utterance) {
        for utterance in self.inbox.settle_until(newest) {
            self.send(ToSatellite::Ack { utterance, next: SETTLED });
        }
    }

    /// Sends a message; false while the satellite has not greeted.
    pub fn send(&mut self, message: ToSatellite) -> bool {
        let up = matches!(self.state, State::Up { .. });
        if up {
            self.outputs.push_back(Output::Send(message));
        }
        up
    }

    /// What was read is no frame: the connection cannot go on.
    pub fn broken(&mut self) {
        self.close(Code::Protocol);
    }

    /// Ends the connection.
    pub fn close(&mut self, code: Code) {
        if !matches!(self.state, State::Over) {
            if code == Code::Bye && matches!(self.state, State::Up { .. }) {
                self.outputs.push_back(Output::Send(ToSatellite::Bye));
            }
            self.outputs.push_back(Output::Close(code));
            self.state = State::Over;
        }
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: DaemonMicros) {
        match &mut self.state {
            State::Greeting { until } if now >= *until => self.close(Code::Dead),
            State::Up { alive, .. } => {
                if alive.is_dead(now.0) {
                    self.close(Code::Dead);
                } else {
                    let heard = self.inbox.handle_timeout(now);
                    self.outputs.extend(heard.into_iter().map(Output::Heard));
                }
            }
            State::Greeting { .. } | State::Over => {}
        }
    }

    /// When [`DaemonEnd::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<DaemonMicros> {
        match &self.state {
            State::Greeting { until } => Some(*until),
            State::Up { alive, .. } => {
                let dead = DaemonMicros(alive.dead_at_us());
                Some(self.inbox.poll_timeout().map_or(dead, |cut| cut.min(dead)))
            }
            State::Over => None,
        }
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Maps a satellite's time.
    pub fn to_daemon(&self, time: SatMicros, now: DaemonMicros) -> DaemonMicros {
        self.clock.to_daemon(time, now)
    }

    /// What is known of the satellite's clock.
    pub fn clock(&self) -> &ClockMap {
        &self.clock
    }

    /// Whether the satellite has greeted and the connection lives.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// The utterances, for the next connection.
    pub fn into_inbox(self) -> Inbox {
        self.inbox
    }

    fn take(&mut self, taken: Taken) {
        if let Some((utterance, next)) = taken.ack {
            self.send(ToSatellite::Ack { utterance, next });
        }
        self.outputs.extend(taken.before.into_iter().chain(taken.heard).map(Output::Heard));
    }

    fn greeted(&mut self, greeting: Greeting, run: u64, now: DaemonMicros) {
        self.state = State::Up { alive: Liveness::new(now.0), version: greeting.version };
        let House { room, settings, run: own } = self.house.clone();
        self.outputs.push_back(Output::Send(ToSatellite::Welcome {
            version: greeting.version,
            room,
            settings,
            run: own,
        }));
        self.outputs.push_back(Output::Greeted(greeting));
        let cut = self.inbox.greet(run);
        self.outputs.extend(cut.into_iter().map(Output::Heard));
    }

    fn came(&mut self, message: ToDaemon, now: DaemonMicros) {
        match message {
            ToDaemon::Ping { seq, sent, clock } => {
                self.clock.ping(sent, clock, now);
                self.outputs.push_back(Output::Send(ToSatellite::Pong { seq, sent, daemon: now }));
            }
            ToDaemon::Bye => self.close(Code::Bye),
            ToDaemon::Settings(settings) => {
                self.house.settings = settings;
                self.outputs.push_back(Output::Control(message));
            }
            message => self.outputs.push_back(Output::Control(message)),
        }
    }
}
