//! What the satellite does: decides when the microphone is streamed and what is heard from the loudspeaker.
//!
//! [`Session`] decides and does nothing; its [`Effect`]s are carried out by [`drive`]'s outlet. The same decisions are driven by devices and
//! network, and by tests with frames and a clock of their own.
//!
//! Length: one state machine; its states and its transitions are read together.

pub mod drive;
mod house;
mod speaker;

pub use house::House;
pub use speaker::Speaker;

use std::collections::VecDeque;

use jarvis_link::message::{Generation, MicEnd, Mood, Opened, SatMicros, Settings, ToDaemon, ToSatellite, Utterance};

use crate::net::NetEvent;
use crate::sound::MicFrame;
use crate::sound::earcon::Earcon;
use crate::wake::listen::Woken;

/// Sound before the wake word fired that goes with it: 2 s, so that the wake word itself and a command in one breath are whole.
const PREROLL_FRAMES: usize = 100;
/// Sound before the button or a follow-up's first voice: 0.5 s.
const SHORT_PREROLL_FRAMES: usize = 25;
/// Longest utterance, in frames: 30 s after its opening.
const UTTERANCE_FRAMES_MAX: u32 = 1_500;
/// Judgement of the voice detector that opens a follow-up.
const FOLLOW_UP_VOICE: u8 = 128;
/// Frames in a row with such a judgement.
const FOLLOW_UP_FRAMES: u8 = 3;
/// A link that went down so recently is expected back while one speaks (2 s, and some).
const FRESH_LOSS_US: u64 = 2_500_000;
/// How long somebody who has spoken is left without a word while the link is down.
const AWAY_GRACE_US: u64 = 3_000_000;
/// The local message is not said again within this time.
const AWAY_AGAIN_US: u64 = 4_000_000;

/// Something that somebody in the room did, other than speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Push-to-talk, pressed.
    Press,
    /// Push-to-talk, released.
    Release,
    /// Be quiet.
    Stop,
    /// Loudness, 0 to 100.
    Volume(u8),
    /// Closes or opens the microphone.
    Mute(bool),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Open an utterance with these frames of pre-roll; answered by [`Session::opened`].
    Open {
        /// Why.
        opened: Opened,
        /// What was heard before.
        preroll: Vec<MicFrame>,
    },
    /// Send a frame of the open utterance.
    Frame(Utterance, MicFrame),
    /// End it.
    End(Utterance, MicEnd),
    /// Send a message.
    Control(ToDaemon),
    /// Fall silent; nothing of this or older answers is heard again.
    Silence {
        /// Newest generation to silence; `None` for whatever is heard.
        generation: Option<Generation>,
        /// Tell the daemon's stream to stop.
        refuse: bool,
    },
    /// Make a sound.
    Earcon(Earcon),
    /// Set the loudness, 0 to 100.
    Volume(u8),
    /// Close the microphone, or open it.
    Mute(bool),
    /// Show it.
    Show(Mood),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    Down { since: SatMicros },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Device {
    Works,
    Lost { reason: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for the wake word.
    Idle,
    /// An utterance is to be opened by the outlet.
    Opening,
    /// The microphone is streamed.
    Streaming { utterance: Utterance, frames: u32, button: bool },
    /// Something was said, and no answer has begun.
    Waiting,
    /// Waits for speech without wake word.
    FollowUp { until: SatMicros, voiced: u8 },
}

/// The satellite's state.
pub struct Session {
    link: Link,
    microphone: Device,
    loudspeaker: Device,
    phase: Phase,
    /// An answer is heard, or about to be.
    speaking: bool,
    /// Asked for while an answer was still heard.
    listen_ms: Option<u16>,
    settings: Settings,
    preroll: VecDeque<MicFrame>,
    asked_mood: Mood,
    shown_mood: Mood,
    /// When somebody who has spoken is told that the daemon is away.
    away_due: Option<SatMicros>,
    away_said: Option<SatMicros>,
    effects: VecDeque<Effect>,
}

impl Session {
    /// Before anything is known of the daemon.
    pub fn new(settings: Settings, now: SatMicros) -> Self {
        Self {
            link: Link::Down { since: SatMicros(now.0.saturating_sub(FRESH_LOSS_US)) },
            microphone: Device::Works,
            loudspeaker: Device::Works,
            phase: Phase::Idle,
            speaking: false,
            listen_ms: None,
            settings,
            preroll: VecDeque::with_capacity(PREROLL_FRAMES),
            asked_mood: Mood::Idle,
            shown_mood: Mood::Idle,
            away_due: None,
            away_said: None,
            effects: VecDeque::from([Effect::Volume(settings.volume_percent), Effect::Show(Mood::Trouble)]),
        }
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if self.effects.is_empty() {
            let mood = self.mood();
            if mood != self.shown_mood {
                self.shown_mood = mood;
                return Some(Effect::Show(mood));
            }
        }
        self.effects.pop_front()
    }

    /// When [`Self::timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<SatMicros> {
        let follow_up = match self.phase {
            Phase::FollowUp { until, .. } => Some(until),
            _ => None,
        };
        self.away_due.into_iter().chain(follow_up).min()
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: SatMicros) {
        if let Phase::FollowUp { until, .. } = self.phase
            && now >= until
        {
            self.phase = Phase::Idle;
        }
        if self.away_due.is_some_and(|due| now >= due) {
            self.away_due = None;
            if let Phase::Streaming { utterance, .. } = self.phase {
                self.effects.push_back(Effect::End(utterance, MicEnd::Closed));
            }
            self.phase = Phase::Idle;
            self.say_away(now);
        }
    }

    /// Something came of the link; answers go to the [`Speaker`] instead.
    pub fn hub(&mut self, event: NetEvent, now: SatMicros) {
        match event {
            NetEvent::Up { settings, new_daemon, .. } => {
                self.link = Link::Up;
                self.away_due = None;
                if new_daemon {
                    self.listen_ms = None;
                    self.asked_mood = Mood::Idle;
                    if matches!(self.phase, Phase::Waiting | Phase::FollowUp { .. }) {
                        self.phase = Phase::Idle;
                    }
                }
                self.take(settings);
                // What was told while nobody listened is told again.
                if self.microphone != Device::Works || self.loudspeaker != Device::Works {
                    self.tell_of_devices();
                }
            }
            NetEvent::Down { .. } => {
                if self.link == Link::Up {
                    self.link = Link::Down { since: now };
                }
                if matches!(self.phase, Phase::Streaming { .. } | Phase::Opening | Phase::Waiting) {
                    self.away_due = Some(SatMicros(now.0 + AWAY_GRACE_US));
                }
            }
            NetEvent::Control(message) => self.control(message, now),
            NetEvent::Answer(_) => {}
        }
    }

    fn control(&mut self, message: ToSatellite, now: SatMicros) {
        match message {
            ToSatellite::CloseMic { utterance: closed, silent } => {
                if let Phase::Streaming { utterance, .. } = self.phase
                    && utterance == closed
                {
                    self.effects.push_back(Effect::End(utterance, MicEnd::Closed));
                    self.phase = if silent { Phase::Idle } else { Phase::Waiting };
                }
            }
            ToSatellite::Show(mood) => {
                self.asked_mood = mood;
                if mood == Mood::Idle && self.phase == Phase::Waiting {
                    self.phase = Phase::Idle;
                }
            }
            ToSatellite::StopPlayback { generation } => {
                self.effects.push_back(Effect::Silence { generation: Some(generation), refuse: false });
            }
            ToSatellite::Listen { window_ms } => {
                self.listen_ms = Some(window_ms);
                self.listen_if_quiet(now);
            }
            ToSatellite::Settings(settings) => self.take(settings),
            ToSatellite::Bye => tracing::info!("the daemon says goodbye"),
            ToSatellite::Welcome { .. }
            | ToSatellite::Refused { .. }
            | ToSatellite::Pong { .. }
            | ToSatellite::Ack { .. } => {}
        }
    }

    fn take(&mut self, settings: Settings) {
        let settings = Settings { volume_percent: settings.volume_percent.min(100), ..settings };
        self.effects.push_back(Effect::Volume(settings.volume_percent));
        if settings.muted != self.settings.muted {
            self.mute(settings.muted);
        }
        self.settings = settings;
    }

    fn mute(&mut self, muted: bool) {
        self.preroll.clear();
        self.effects.push_back(Effect::Mute(muted));
        if let (true, Phase::Streaming { utterance, .. }) = (muted, self.phase) {
            self.effects.push_back(Effect::End(utterance, MicEnd::Released));
            self.phase = Phase::Waiting;
        }
        if muted && matches!(self.phase, Phase::FollowUp { .. }) {
            self.phase = Phase::Idle;
        }
    }

    /// The wake word was heard.
    pub fn wake(&mut self, woken: Woken, sure: f32, now: SatMicros) {
        if self.settings.muted || matches!(self.phase, Phase::Streaming { .. } | Phase::Opening) {
            return;
        }
        let spotted = woken.spotted;
        tracing::info!(phrase = %spotted.phrase, score = spotted.score, "wake word heard");
        let opened = Opened::Wake {
            phrase: spotted.phrase,
            score: spotted.score,
            sure: spotted.score >= sure,
            enrolled: spotted.enrolled,
            at: woken.at,
        };
        self.open(opened, PREROLL_FRAMES, now);
    }

    /// A button was used.
    pub fn button(&mut self, button: Button, now: SatMicros) {
        match button {
            Button::Press => {
                if !self.settings.muted && !matches!(self.phase, Phase::Streaming { .. } | Phase::Opening) {
                    self.open(Opened::Button, SHORT_PREROLL_FRAMES, now);
                }
            }
            Button::Release => {
                if let Phase::Streaming { utterance, button: true, .. } = self.phase {
                    self.effects.push_back(Effect::End(utterance, MicEnd::Released));
                    self.phase = Phase::Waiting;
                }
            }
            Button::Stop => {
                self.effects.push_back(Effect::Silence { generation: None, refuse: true });
                self.effects.push_back(Effect::Control(ToDaemon::StopPressed));
            }
            Button::Volume(percent) => {
                self.take(Settings { volume_percent: percent, ..self.settings });
                self.effects.push_back(Effect::Control(ToDaemon::Settings(self.settings)));
            }
            Button::Mute(muted) => {
                self.take(Settings { muted, ..self.settings });
                self.effects.push_back(Effect::Control(ToDaemon::Settings(self.settings)));
            }
        }
    }

    /// 20 ms of the room.
    pub fn frame(&mut self, frame: MicFrame, now: SatMicros) {
        match &mut self.phase {
            Phase::Streaming { utterance, frames, .. } => {
                let utterance = *utterance;
                self.effects.push_back(Effect::Frame(utterance, frame));
                *frames += 1;
                if *frames >= UTTERANCE_FRAMES_MAX {
                    self.effects.push_back(Effect::End(utterance, MicEnd::TooLong));
                    self.phase = Phase::Waiting;
                }
                return;
            }
            Phase::FollowUp { voiced, .. } => {
                *voiced = if frame.voice >= FOLLOW_UP_VOICE { *voiced + 1 } else { 0 };
                let speaks = *voiced >= FOLLOW_UP_FRAMES;
                self.keep(frame);
                if speaks {
                    self.open(Opened::FollowUp, SHORT_PREROLL_FRAMES, now);
                }
                return;
            }
            Phase::Idle | Phase::Opening | Phase::Waiting => {}
        }
        self.keep(frame);
    }

    fn keep(&mut self, frame: MicFrame) {
        if self.preroll.len() == PREROLL_FRAMES {
            self.preroll.pop_front();
        }
        self.preroll.push_back(frame);
    }

    fn open(&mut self, opened: Opened, preroll: usize, now: SatMicros) {
        if self.microphone != Device::Works {
            return;
        }
        if let Link::Down { since } = self.link {
            if now.0.saturating_sub(since.0) >= FRESH_LOSS_US {
                self.say_away(now);
                return;
            }
            self.away_due = Some(SatMicros(now.0 + AWAY_GRACE_US));
        }
        if self.speaking {
            self.effects.push_back(Effect::Silence { generation: None, refuse: true });
        }
        self.listen_ms = None;
        let skip = self.preroll.len().saturating_sub(preroll);
        let sounds = opened != Opened::FollowUp;
        let preroll = self.preroll.drain(..).skip(skip).collect();
        self.effects.push_back(Effect::Open { opened, preroll });
        if sounds {
            self.effects.push_back(Effect::Earcon(Earcon::Listening));
        }
        self.phase = Phase::Opening;
    }

    /// The answer to [`Effect::Open`]: what it was opened as, or nothing where the link refused.
    pub fn opened(&mut self, utterance: Option<Utterance>, by_button: bool, now: SatMicros) {
        match utterance {
            Some(utterance) => self.phase = Phase::Streaming { utterance, frames: 0, button: by_button },
            None => {
                self.phase = Phase::Idle;
                self.say_away(now);
            }
        }
    }

    fn say_away(&mut self, now: SatMicros) {
        if self.away_said.is_none_or(|said| now.0.saturating_sub(said.0) >= AWAY_AGAIN_US) {
            self.away_said = Some(now);
            tracing::warn!("somebody speaks, and the daemon is away");
            self.effects.push_back(Effect::Earcon(Earcon::Away));
        }
    }

    /// Whether an answer is heard; true when that is news.
    pub fn set_speaking(&mut self, speaking: bool, now: SatMicros) -> bool {
        if speaking == self.speaking {
            return false;
        }
        self.speaking = speaking;
        if speaking && self.phase == Phase::Waiting {
            self.phase = Phase::Idle;
            self.away_due = None;
        }
        self.listen_if_quiet(now);
        true
    }

    fn listen_if_quiet(&mut self, now: SatMicros) {
        let idle = matches!(self.phase, Phase::Idle | Phase::Waiting);
        if self.speaking || !idle || self.settings.muted {
            return;
        }
        if let Some(window_ms) = self.listen_ms.take() {
            let until = SatMicros(now.0 + u64::from(window_ms) * 1_000);
            self.phase = Phase::FollowUp { until, voiced: 0 };
        }
    }

    /// The microphone went away.
    pub fn microphone_lost(&mut self, reason: String) {
        self.preroll.clear();
        if let Phase::Streaming { utterance, .. } = self.phase {
            self.effects.push_back(Effect::End(utterance, MicEnd::MicLost));
            self.phase = Phase::Waiting;
        }
        self.microphone = Device::Lost { reason };
        self.tell_of_devices();
    }

    /// The microphone works again.
    pub fn microphone_back(&mut self) {
        if std::mem::replace(&mut self.microphone, Device::Works) != Device::Works {
            self.tell_of_devices();
        }
    }

    /// The loudspeaker went away.
    pub fn loudspeaker_lost(&mut self, reason: String) {
        self.loudspeaker = Device::Lost { reason };
        self.tell_of_devices();
    }

    /// The loudspeaker works again.
    pub fn loudspeaker_back(&mut self) {
        if std::mem::replace(&mut self.loudspeaker, Device::Works) != Device::Works {
            self.tell_of_devices();
        }
    }

    /// Everything that is wrong with them; nothing, once all is well again.
    fn tell_of_devices(&mut self) {
        let lost: Vec<String> = [("microphone", &self.microphone), ("loudspeaker", &self.loudspeaker)]
            .into_iter()
            .filter_map(|(what, device)| match device {
                Device::Works => None,
                Device::Lost { reason } => Some(format!("{what} lost: {reason}")),
            })
            .collect();
        self.trouble(lost.join("; "));
    }

    /// Something the owner should know of.
    pub fn trouble(&mut self, text: String) {
        self.effects.push_back(Effect::Control(ToDaemon::Trouble { text }));
    }

    fn mood(&self) -> Mood {
        match self.phase {
            Phase::Streaming { .. } | Phase::Opening | Phase::FollowUp { .. } => return Mood::Listening,
            Phase::Idle | Phase::Waiting => {}
        }
        if self.link != Link::Up || self.microphone != Device::Works {
            return Mood::Trouble;
        }
        if self.speaking {
            return Mood::Speaking;
        }
        match (self.phase, self.asked_mood) {
            (Phase::Waiting, _) => Mood::Thinking,
            // The daemon's idea of listening is stale as soon as the microphone is closed.
            (_, Mood::Listening | Mood::Speaking) => Mood::Idle,
            (_, mood) => mood,
        }
    }
}

#[cfg(test)]
mod tests;
