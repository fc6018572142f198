//! The satellite's end of the link: dials, greets, pings, gives up and dials again.
//!
//! Feed it what happened with [`SatelliteEnd::handle`] and [`SatelliteEnd::handle_timeout`], do what
//! [`SatelliteEnd::poll_output`] says until it says nothing, and call again no later than [`SatelliteEnd::poll_timeout`].
//! Microphone frames are pulled with [`SatelliteEnd::poll_mic`] as fast as the stream takes them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::answer::{AnswerStream, Gate, Piece, Verdict};
use crate::clock::PongClock;
use crate::liveness::{Liveness, PING_EVERY_US};
use crate::message::{
    Answer, MIC_FRAME_BYTES, MicEnd, NAME_BYTES_MAX, Opened, PHRASES_MAX, SatMicros, Settings, TEXT_BYTES_MAX,
    ToDaemon, ToSatellite, Utterance, clip,
};
use crate::outbox::{MicOut, NotOpen, Outbox};
use crate::transport::Code;
use crate::version::{CURRENT, MIN};

/// A dial that has not connected after this long is given up and begun again, in microseconds: one that runs on through an
/// outage backs off, and would connect seconds after the network's return.
pub const DIAL_US: u64 = 700_000;
/// How long the daemon may take to answer the greeting, in microseconds.
pub const GREETING_US: u64 = 1_500_000;
/// Pause before the next dial after one that failed or a link that was lost, in microseconds.
pub const REDIAL_US: u64 = 100_000;
/// The same after a refusal, which time alone does not mend.
pub const REFUSED_US: u64 = 5_000_000;
/// Control messages that may wait for a network that takes none; the link is dead if there are more.
pub const OUTPUTS_MAX: usize = 256;

/// What the satellite tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Program version.
    pub software: String,
    /// Wake phrases.
    pub phrases: Vec<String>,
    /// Whether an echo canceller is at work.
    pub echo_cancelled: bool,
    /// Drawn at the program's start.
    pub run: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The dial connected, and the control stream is open.
    Connected,
    /// The dial failed, or the connection is gone.
    Lost {
        /// In words.
        reason: String,
        /// Whether the daemon did not want us: then the next dial waits longer.
        refused: bool,
    },
    /// A control message came.
    Control(ToSatellite),
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Dial.
    Dial,
    /// Give the dial up, or close the connection; then nothing of it is reported any more.
    Drop(Code),
    /// Write on the control stream.
    Send(ToDaemon),
    /// Tell the session that the daemon is there.
    Up {
        /// Name of the room.
        room: String,
        /// Settings to take.
        settings: Settings,
        /// Whether it is another run of the daemon than before, or the first.
        new_daemon: bool,
    },
    /// Tell the session that it is gone.
    Down {
        /// In words.
        reason: String,
    },
    /// A message for the session.
    Control(ToSatellite),
}

#[derive(Debug)]
enum State {
    Waiting { until: SatMicros },
    Dialling { until: SatMicros },
    Greeting { until: SatMicros },
    Up { alive: Liveness, next_ping: SatMicros, pings: u32 },
    Over,
}

/// The satellite's end.
#[derive(Debug)]
pub struct SatelliteEnd {
    about: About,
    state: State,
    outputs: VecDeque<Output>,
    outbox: Outbox,
    clock: PongClock,
    /// Which answers are heard.
    pub gate: Gate,
    daemon_run: Option<u64>,
    /// Whether the session was told that the daemon is away; at the start it takes that for granted.
    told_down: bool,
}

impl SatelliteEnd {
    /// Dials at the first [`SatelliteEnd::handle_timeout`]. Names too long for the wire are cut.
    pub fn new(mut about: About, now: SatMicros) -> Self {
        about.phrases.truncate(PHRASES_MAX);
        for text in about.phrases.iter_mut().chain([&mut about.software]) {
            *text = clip(text, NAME_BYTES_MAX).to_string();
        }
        Self {
            about,
            state: State::Waiting { until: now },
            outputs: VecDeque::new(),
            outbox: Outbox::default(),
            clock: PongClock::default(),
            gate: Gate::default(),
            daemon_run: None,
            told_down: true,
        }
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: SatMicros) {
        match (input, &mut self.state) {
            (_, State::Over) => {}
            (Input::Connected, State::Dialling { .. }) => {
                let until = SatMicros(now.0.saturating_add(GREETING_US));
                self.state = State::Greeting { until };
                self.outputs.push_back(Output::Send(ToDaemon::Hello {
                    versions: (MIN, CURRENT),
                    software: self.about.software.clone(),
                    phrases: self.about.phrases.clone(),
                    echo_cancelled: self.about.echo_cancelled,
                    run: self.about.run,
                }));
            }
            (Input::Lost { reason, refused }, State::Dialling { .. } | State::Greeting { .. } | State::Up { .. }) => {
                self.lost(&reason, if refused { REFUSED_US } else { REDIAL_US }, now);
            }
            (Input::Control(message), State::Greeting { .. }) => self.greeted(message, now),
            (Input::Control(message), State::Up { alive, .. }) => {
                alive.heard(now.0);
                self.control_came(message, now);
            }
            // What is late tells of a connection that was dropped already.
            (Input::Connected | Input::Lost { .. } | Input::Control(_), _) => {}
        }
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: SatMicros) {
        match &mut self.state {
            State::Waiting { until } if now >= *until => self.dial(now),
            State::Dialling { until } if now >= *until => {
                self.outputs.push_back(Output::Drop(Code::Dead));
                self.went_down("the daemon does not answer");
                self.dial(now);
            }
            State::Greeting { until } if now >= *until => {
                self.drop_link(Code::Dead, "the daemon does not answer the greeting", REDIAL_US, now);
            }
            State::Up { alive, next_ping, .. } => {
                if alive.is_dead(now.0) {
                    self.drop_link(Code::Dead, Code::Dead.reason(), 0, now);
                } else if now >= *next_ping {
                    self.ping(now);
                }
            }
            State::Waiting { .. } | State::Dialling { .. } | State::Greeting { .. } | State::Over => {}
        }
    }

    /// When [`SatelliteEnd::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<SatMicros> {
        match &self.state {
            State::Waiting { until } | State::Dialling { until } | State::Greeting { until } => Some(*until),
            State::Up { alive, next_ping, .. } => {
                let dead = SatMicros(alive.dead_at_us());
                let own = dead.min(*next_ping);
                Some(self.outbox.poll_timeout().map_or(own, |resume| own.min(resume)))
            }
            State::Over => None,
        }
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What to write next on the utterance streams. To be asked only when the last was written.
    pub fn poll_mic(&mut self, now: SatMicros) -> Option<MicOut> {
        match self.state {
            State::Up { .. } => self.outbox.poll(now),
            _ => None,
        }
    }

    /// The daemon stopped the utterance stream that is open.
    pub fn mic_stopped(&mut self) {
        self.outbox.stopped();
    }

    /// A frame came on an answer stream. What a complete answer answers is not kept any longer.
    pub fn answer(&mut self, stream: &mut AnswerStream, frame: Answer) -> Verdict {
        let verdict = stream.handle(frame, &mut self.gate);
        if let Verdict::Hear(Piece::End { answers: Some(newest), .. }) = verdict {
            self.outbox.answered(newest);
        }
        verdict
    }

    /// A message of the session; dropped while the daemon is away. Says whether it was sent.
    pub fn control(&mut self, message: ToDaemon, now: SatMicros) -> bool {
        let message = match message {
            ToDaemon::Hello { .. } | ToDaemon::Ping { .. } => return false,
            ToDaemon::Trouble { text } => ToDaemon::Trouble { text: clip(&text, TEXT_BYTES_MAX).to_string() },
            message => message,
        };
        if !matches!(self.state, State::Up { .. }) {
            return false;
        }
        if self.outputs.len() >= OUTPUTS_MAX {
            self.drop_link(Code::Dead, "the network takes nothing", REDIAL_US, now);
            return false;
        }
        self.outputs.push_back(Output::Send(message));
        true
    }

    /// Opens an utterance, which must be newer than any before; one still open is ended.
    pub fn begin(
        &mut self,
        utterance: Utterance,
        opened: Opened,
        preroll_frames: u16,
        now: SatMicros,
    ) -> Result<(), NotOpen> {
        let opened = match opened {
            Opened::Wake { phrase, score, sure, enrolled, at } => Opened::Wake {
                phrase: clip(&phrase, NAME_BYTES_MAX).to_string(),
                score: if score.is_nan() { 0.0 } else { score.clamp(0.0, 1.0) },
                sure,
                enrolled,
                at,
            },
            other => other,
        };
        self.outbox.begin(utterance, opened, preroll_frames, now)
    }

    /// Adds 20 ms to the open utterance.
    pub fn frame(
        &mut self,
        utterance: Utterance,
        captured: SatMicros,
        voice: u8,
        pcm: Box<[u8; MIC_FRAME_BYTES]>,
        now: SatMicros,
    ) -> Result<(), NotOpen> {
        self.outbox.frame(utterance, captured, voice, pcm, now)
    }

    /// Ends it.
    pub fn end(&mut self, utterance: Utterance, reason: MicEnd, now: SatMicros) -> Result<(), NotOpen> {
        self.outbox.end(utterance, reason, now)
    }

    /// Whether the daemon is there.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// Utterances that are not settled.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Says goodbye; nothing is done after what [`SatelliteEnd::poll_output`] says now.
    pub fn close(&mut self) {
        match self.state {
            State::Up { .. } => {
                self.outputs.push_back(Output::Send(ToDaemon::Bye));
                self.outputs.push_back(Output::Drop(Code::Bye));
            }
            State::Dialling { .. } | State::Greeting { .. } => self.outputs.push_back(Output::Drop(Code::Bye)),
            State::Waiting { .. } | State::Over => {}
        }
        self.state = State::Over;
    }

    fn greeted(&mut self, message: ToSatellite, now: SatMicros) {
        match message {
            ToSatellite::Welcome { version, room, settings, run } if (MIN..=CURRENT).contains(&version) => {
                let new_daemon = self.daemon_run.replace(run) != Some(run);
                if new_daemon {
                    self.gate.reset();
                }
                self.clock = PongClock::default();
                self.state = State::Up { alive: Liveness::new(now.0), next_ping: now, pings: 0 };
                self.told_down = false;
                self.outputs.push_back(Output::Up { room, settings, new_daemon });
                self.ping(now);
            }
            ToSatellite::Refused { reason } => {
                self.drop_link(Code::Version, &reason, REFUSED_US, now);
            }
            _ => self.drop_link(Code::Protocol, "the daemon does not greet", REFUSED_US, now),
        }
    }

    fn control_came(&mut self, message: ToSatellite, now: SatMicros) {
        match message {
            ToSatellite::Pong { sent, daemon, .. } => {
                let first = self.clock.estimate().is_none();
                self.clock.pong(sent, daemon, now);
                if first && self.clock.estimate().is_some() {
                    // The daemon maps capture times by it: it should have it before the first utterance.
                    self.ping(now);
                }
            }
            ToSatellite::Ack { utterance, next } => self.outbox.ack(utterance, next),
            ToSatellite::Bye => self.drop_link(Code::Bye, "the daemon says goodbye", REDIAL_US, now),
            ToSatellite::Welcome { .. } | ToSatellite::Refused { .. } => {
                self.drop_link(Code::Protocol, "the daemon greets twice", REDIAL_US, now);
            }
            ToSatellite::StopPlayback { generation } => {
                self.gate.stop(generation);
                self.outputs.push_back(Output::Control(message));
            }
            message => self.outputs.push_back(Output::Control(message)),
        }
    }

    fn ping(&mut self, now: SatMicros) {
        if let State::Up { next_ping, pings, .. } = &mut self.state {
            *next_ping = SatMicros(now.0.saturating_add(PING_EVERY_US));
            *pings = pings.wrapping_add(1);
            self.outputs.push_back(Output::Send(ToDaemon::Ping {
                seq: *pings,
                sent: now,
                clock: self.clock.estimate(),
            }));
        }
    }

    fn dial(&mut self, now: SatMicros) {
        let until = SatMicros(now.0.saturating_add(DIAL_US));
        self.state = State::Dialling { until };
        self.outputs.push_back(Output::Dial);
    }

    fn drop_link(&mut self, code: Code, reason: &str, pause_us: u64, now: SatMicros) {
        self.outputs.retain(|output| !matches!(output, Output::Send(_)));
        self.outputs.push_back(Output::Drop(code));
        self.lost(reason, pause_us, now);
    }

    fn lost(&mut self, reason: &str, pause_us: u64, now: SatMicros) {
        self.outputs.retain(|output| !matches!(output, Output::Send(_)));
        self.outbox.lost();
        self.state = State::Waiting { until: SatMicros(now.0.saturating_add(pause_us)) };
        self.went_down(reason);
    }

    fn went_down(&mut self, reason: &str) {
        if !self.told_down {
            self.told_down = true;
            self.outputs.push_back(Output::Down { reason: reason.to_string() });
        }
    }
}
