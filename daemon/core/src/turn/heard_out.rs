//! How hearing ends: in silence, with the ear's last word, or because ear or microphone are gone.

use super::wake::meaning;
use super::{Effect, Ending, Hearing, MicEnd, Speech, Turn, request};
use crate::answer::Trouble;
use crate::endpoint::{self, Meaning};
use crate::ids::Millis;
use crate::intent::{Grammar, Understood};
use crate::names::Names;

/// How closely words heard over an answer have to fit a request. With one word of the answer behind it, a request that fitted becomes
/// another of 0.45 to 0.89 ("is the mail server up ... me uptime").
const CLOSE: f32 = 0.9;

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

    /// What a request ([`request`]) so far means for the end of speech. Over an answer only words that ask for something else count.
    pub fn meaning(&self, asked: &str, grammar: &Grammar, names: &Names) -> Meaning {
        let meaning = meaning(asked, grammar, names);
        let whole = matches!(meaning, Meaning::Complete | Meaning::Extendable);
        let idle = whole && self.own.overhears(self.attempt) && !self.asks_else(asked, grammar, names);
        if idle { Meaning::Unknown } else { meaning }
    }

    /// Whether this asks for something else than what was acted on. A recogniser makes words of an answer that sounds as well: what is
    /// heard over one has to fit closely.
    pub fn asks_else(&self, asked: &str, grammar: &Grammar, names: &Names) -> bool {
        let understand = |text: &str| grammar.understand(text, names);
        let over_answer = self.own.overhears(self.attempt);
        match (understand(&self.asked), understand(asked)) {
            (_, Understood::Intent { score, .. }) if over_answer && score < CLOSE => false,
            (Understood::Intent { intent: before, .. }, Understood::Intent { intent: now, .. }) => before != now,
            (_, Understood::Ambiguous { .. } | Understood::Nothing { .. }) if over_answer => false,
            (Understood::Intent { .. }, Understood::Nothing { .. }) => false,
            _ => true,
        }
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

#[cfg(test)]
mod tests {
    use super::super::{Attempt, Input, Opening, Outcome};
    use super::*;
    use crate::sample;

    #[test]
    fn over_an_answer_only_what_asks_for_something_else_is_a_request() {
        let (grammar, names) = (Grammar::embedded().unwrap(), Names::from_cluster(&sample::cluster()));
        let mut turn = Turn::new(Opening::Unasked, Millis(0));
        let (asked, first) = ("is the mail server up", Attempt(0));
        for n in 1..=60 {
            let now = Millis(n * 20);
            let voice = if n <= 40 { 250 } else { 5 };
            turn.handle(Input::Frame { captured: now, voice }, now);
            let meaning = turn.meaning(asked, &grammar, &names);
            turn.handle(Input::Partial { text: asked.to_owned(), meaning, heard: now }, now);
        }
        assert_eq!(turn.asked(), asked);
        let more = "is the mail server up again";
        assert_eq!(turn.meaning(more, &grammar, &names), Meaning::Complete, "nothing sounds yet");
        let now = Millis(1_200);
        turn.handle(Input::Committed(first, Ok(())), now);
        turn.handle(Input::Answered(first, Outcome::Reply), now);
        turn.handle(Input::Saying(first, "It is, sir.".to_owned()), now);
        for n in 61..=70 {
            turn.handle(Input::Frame { captured: Millis(n * 20), voice: 250 }, Millis(n * 20));
        }
        for (heard, wanted) in [
            (more, Meaning::Unknown),
            ("is the mail server up memory", Meaning::Unknown),
            ("is the mail server up me uptime", Meaning::Unknown),
            ("how hot is node two", Meaning::Complete),
            ("stop", Meaning::ShortWord),
        ] {
            assert_eq!(turn.meaning(heard, &grammar, &names), wanted, "{heard}");
        }
    }
}
