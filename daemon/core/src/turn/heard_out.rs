//! How hearing ends: in silence, with the ear's last word, or because ear or microphone are gone.

use super::{Effect, Ending, Hearing, MicEnd, Speech, Turn, request};
use crate::answer::Trouble;
use crate::endpoint;
use crate::ids::Millis;

impl Turn {
    pub(super) fn nothing_asked(&mut self, now: Millis) {
        let confirmed = self.addressed();
        self.close_mic(!confirmed);
        if confirmed { self.speak(Speech::NotUnderstood, now) } else { self.false_wake() }
    }

    pub(super) fn false_wake(&mut self) {
        self.effects.push_back(Effect::Forget);
        self.asked.clear();
        self.close_mic(true);
        self.finish(Ending::FalseWake);
    }

    pub(super) fn last_word(&mut self, text: &str, changed: bool, now: Millis) {
        let Hearing::Finishing { .. } = self.hearing else { return };
        let asked = request(text, self.phrase.as_deref());
        if let Some(wake) = &mut self.wake {
            wake.words(text, self.heard);
        }
        self.hearing = Hearing::Closed;
        if changed && !asked.is_empty() && !self.own.echoes(self.attempt, &self.asked, asked) {
            self.withdraw();
            self.asked = asked.to_owned();
            self.commit(now);
        } else {
            self.speak_what_waits(now);
        }
    }

    /// Nothing more will be heard; what was acted on stands.
    pub(super) fn deaf(&mut self, now: Millis) {
        self.effects.push_back(Effect::DropEar);
        self.close_mic(false);
        self.speak_what_waits(now);
    }

    pub(super) fn ear_lost(&mut self, why: Trouble, now: Millis) {
        match &self.hearing {
            Hearing::Open(_) if self.hearing_speech() => self.sorry(why, now),
            Hearing::Open(_) | Hearing::Finishing { .. } => self.deaf(now),
            Hearing::Closed => {}
        }
    }

    pub(super) fn mic_ended(&mut self, end: MicEnd, now: Millis) {
        let Hearing::Open(_) = self.hearing else { return };
        if !self.hearing_speech() {
            return self.endpoint(endpoint::Input::StreamEnded, now);
        }
        match end {
            MicEnd::InOrder => self.endpoint(endpoint::Input::StreamEnded, now),
            MicEnd::TooLong => self.sorry(Trouble::TooLong, now),
            MicEnd::MicLost => self.sorry(Trouble::MicLost, now),
            MicEnd::Cut => self.sorry(Trouble::LinkLost, now),
        }
    }
}
