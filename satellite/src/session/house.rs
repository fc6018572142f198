//! The outlet of a real satellite: link, loudspeaker, microphone, LED.

use jarvis_link::message::{Opened, SatMicros, ToDaemon, Utterance};

use super::drive::Outlet;
use super::{Effect, Speaker};
use crate::led::Led;
use crate::net::{NetError, NetHandle};
use crate::sound::front::FrontHandle;

/// What the session acts upon.
pub struct House {
    /// The link.
    pub net: NetHandle,
    /// The loudspeaker.
    pub speaker: Speaker,
    /// The microphone.
    pub front: FrontHandle,
    /// The light.
    pub led: Box<dyn Led>,
}

impl Outlet for House {
    fn speaker(&mut self) -> &mut Speaker {
        &mut self.speaker
    }

    fn open(&mut self, opened: Opened, preroll: &[crate::sound::MicFrame]) -> Option<Utterance> {
        let frames = u16::try_from(preroll.len()).unwrap_or(u16::MAX);
        let utterance = match self.net.begin(opened, frames) {
            Ok(utterance) => utterance,
            Err(error) => {
                tracing::error!(%error, "no utterance can be opened");
                return None;
            }
        };
        for frame in preroll {
            told(self.net.frame(utterance, frame.captured, frame.voice, &frame.samples));
        }
        Some(utterance)
    }

    fn control(&mut self, message: ToDaemon) {
        told(self.net.control(message));
    }

    fn carry_out(&mut self, effect: Effect, now: SatMicros) {
        match effect {
            Effect::Frame(utterance, frame) => {
                told(self.net.frame(utterance, frame.captured, frame.voice, &frame.samples));
            }
            Effect::End(utterance, reason) => told(self.net.end(utterance, reason)),
            Effect::Control(message) => self.control(message),
            Effect::Silence { generation, refuse } => {
                if let (Some(silenced), true) = (self.speaker.silence(generation, now), refuse) {
                    told(self.net.stop_answer(silenced));
                }
            }
            Effect::Earcon(earcon) => self.speaker.earcon(earcon),
            Effect::Volume(percent) => self.speaker.volume(percent),
            Effect::Mute(muted) => self.front.mute(muted),
            Effect::Show(mood) => self.led.show(mood),
            Effect::Open { .. } => {}
        }
    }
}

/// The link keeps or drops what it can't send, by its own policy; here it is only told.
fn told(sent: Result<(), NetError>) {
    if let Err(error) = sent {
        tracing::debug!(%error, "not sent");
    }
}
