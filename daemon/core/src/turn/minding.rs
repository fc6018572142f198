//! A turn while a model makes its answer: what is spoken as it comes, and what bridges the silence.

use super::answering::{Answering, Filler};
use super::{Effect, FILLER_MS, Hearing, Link, MIND_MAX_MS, Showing, Speech, Turn};
use crate::ids::Millis;
use crate::marks::Mark;

/// After the last word said, a person hears something within this, be it "one moment".
pub const SILENCE_MS: u64 = 2200;
/// After any word the next bridge comes so much later; twice as much for the third.
pub const STILL_MS: u64 = 12_000;
/// Bridges of one answer.
const BRIDGES_MAX: u8 = 3;
/// While somebody may go on speaking a bridge would be in the way; then it is looked at again.
const LOOK_MS: u64 = 100;

/// When the next word is due that bridges a long wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bridge {
    next: Millis,
    said: u8,
}

impl Bridge {
    pub(super) fn due(self) -> Option<Millis> {
        (self.said < BRIDGES_MAX).then_some(self.next)
    }

    /// Something was said: the next one is not needed for a while.
    fn pushed(self, now: Millis) -> Self {
        Self { next: now.plus(STILL_MS.saturating_mul(u64::from(self.said.max(1)))), ..self }
    }
}

/// What of a model's answer was spoken so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streamed {
    /// Nothing; once it is whole it is spoken whole.
    Nothing,
    /// Some of it.
    Some,
    /// Some, which may not have been heard: once it is whole it is spoken whole.
    Lost,
}

impl Turn {
    pub(super) fn mind(&mut self, filler: Filler, now: Millis) {
        let since = match filler {
            Filler::NotUnderstoodYet { since } => since.plus(FILLER_MS),
            Filler::DueAt(due) => due,
            Filler::Said => now.plus(STILL_MS),
        };
        let next = self.marks.get(Mark::SpeechEnd).map_or(since, |end| end.plus(SILENCE_MS));
        let bridge = Bridge { next, said: u8::from(filler == Filler::Said) };
        self.answering = Answering::Minding { until: now.plus(MIND_MAX_MS), bridge, streamed: Streamed::Nothing };
    }

    pub(super) fn sentence(&mut self, now: Millis) {
        let Answering::Minding { until, bridge, streamed } = self.answering else { return };
        // What came while somebody may go on, or nobody hears, is spoken with the next sentence, or once all is there.
        if !matches!(self.hearing, Hearing::Closed) || self.link == Link::Down || streamed == Streamed::Lost {
            return;
        }
        self.begun = true;
        self.marks.set(Mark::FirstSentence, now);
        if self.spoken && streamed == Streamed::Nothing {
            self.effects.push_back(Effect::Show(Showing::Speaking));
        }
        self.answering = Answering::Minding { until, bridge: bridge.pushed(now), streamed: Streamed::Some };
        self.effects.push_back(Effect::SpeakOn(self.attempt));
    }

    /// The satellite is away in the middle of a model's answer, which goes on being made.
    pub(super) fn mute(&mut self) {
        let Answering::Minding { until, bridge, streamed } = self.answering else { return };
        let streamed = if streamed == Streamed::Nothing { streamed } else { Streamed::Lost };
        self.answering = Answering::Minding { until, bridge, streamed };
        self.effects.push_back(Effect::Mute(self.attempt));
    }

    pub(super) fn bridge(&mut self, until: Millis, bridge: Bridge, streamed: Streamed, now: Millis) {
        if bridge.due().is_none_or(|due| now < due) {
            return;
        }
        let mut next = Bridge { next: now.plus(LOOK_MS), ..bridge };
        if matches!(self.hearing, Hearing::Closed) {
            let said = bridge.said.saturating_add(1);
            next = Bridge { said, ..bridge }.pushed(now);
            if self.spoken && self.link == Link::Up && streamed != Streamed::Lost {
                self.begun = true;
                self.effects.push_back(Effect::Speak(self.attempt, Speech::Filler));
            }
        }
        self.answering = Answering::Minding { until, bridge: next, streamed };
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Attempt, Ending, Input, LINK_GRACE_MS, Opening, Outcome};
    use super::*;
    use crate::answer::Trouble;

    const NOW: Millis = Millis(5_000);

    /// A typed request, answered aloud by a model.
    fn minding() -> Turn {
        let mut turn = Turn::new(Opening::Typed { text: "tell me about node two".into(), aloud: true }, NOW);
        turn.handle(Input::Committed(Attempt(0), Ok(())), NOW);
        turn.handle(Input::Minding(Attempt(0)), NOW);
        effects(&mut turn);
        turn
    }

    fn effects(turn: &mut Turn) -> Vec<Effect> {
        std::iter::from_fn(|| turn.poll_output()).filter(|effect| !matches!(effect, Effect::Show(_))).collect()
    }

    fn after(turn: &mut Turn, ms: u64) -> Vec<Effect> {
        turn.handle_timeout(NOW.plus(ms));
        effects(turn)
    }

    fn told(turn: &mut Turn, input: Input) -> Vec<Effect> {
        turn.handle(input, NOW);
        effects(turn)
    }

    #[test]
    fn sentences_are_spoken_as_they_come_and_the_rest_ends_it() {
        let mut turn = minding();
        let first = Attempt(0);
        assert_eq!(told(&mut turn, Input::Sentence(first)), [Effect::SpeakOn(first)]);
        assert_eq!(told(&mut turn, Input::Sentence(first)), [Effect::SpeakOn(first)]);
        assert_eq!(told(&mut turn, Input::Sentence(Attempt(9))), []);
        assert_eq!(told(&mut turn, Input::Answered(first, Outcome::Reply)), [Effect::SpeakRest(first)]);
        turn.handle(Input::Spoken { attempt: first, sound_ms: 100 }, NOW);
        assert_eq!(told(&mut turn, Input::PlaybackDone(first, NOW)), [Effect::Finish(Ending::Answered)]);
    }

    #[test]
    fn an_answer_that_was_not_played_to_its_end_is_made_to_its_end_and_not_called_heard() {
        let first = Attempt(0);
        let mut turn = minding();
        turn.handle(Input::Sentence(first), NOW);
        effects(&mut turn);
        assert_eq!(told(&mut turn, Input::PlaybackBroken(first)), []);
        assert_eq!(told(&mut turn, Input::Answered(first, Outcome::Reply)), [Effect::SpeakRest(first)]);
        let ended = told(&mut turn, Input::Spoken { attempt: first, sound_ms: 100 });
        assert_eq!(ended, [Effect::Hush(first), Effect::Finish(Ending::PlaybackBroken)]);

        let mut turn = minding();
        turn.handle(Input::Answered(first, Outcome::Reply), NOW);
        turn.handle(Input::Spoken { attempt: first, sound_ms: 100 }, NOW);
        effects(&mut turn);
        assert_eq!(told(&mut turn, Input::PlaybackBroken(Attempt(9))), [], "another attempt's");
        let ended = told(&mut turn, Input::PlaybackBroken(first));
        assert_eq!(ended, [Effect::Hush(first), Effect::Finish(Ending::PlaybackBroken)]);
    }

    #[test]
    fn an_answer_without_a_sentence_on_the_way_is_spoken_whole() {
        let mut turn = minding();
        let spoken = told(&mut turn, Input::Answered(Attempt(0), Outcome::Reply));
        assert_eq!(spoken, [Effect::Speak(Attempt(0), Speech::Reply)]);
    }

    #[test]
    fn long_silence_is_bridged_sparingly() {
        let mut turn = minding();
        let filler = [Effect::Speak(Attempt(0), Speech::Filler)];
        assert_eq!(turn.poll_timeout(), Some(NOW.plus(FILLER_MS)));
        assert_eq!(after(&mut turn, FILLER_MS), filler);
        let second = FILLER_MS + STILL_MS;
        assert_eq!(after(&mut turn, second - 1), []);
        assert_eq!(after(&mut turn, second), filler);
        let third = second + 2 * STILL_MS;
        assert_eq!(after(&mut turn, third - 1), []);
        assert_eq!(after(&mut turn, third), filler);
        assert_eq!(after(&mut turn, MIND_MAX_MS - 1), [], "no more of them");
        let sorry = after(&mut turn, MIND_MAX_MS);
        assert!(
            matches!(sorry[..], [Effect::Hush(_), Effect::Speak(_, Speech::Sorry(Trouble::Internal))]),
            "{sorry:?}"
        );
        let mut turn = minding();
        turn.handle(Input::Sentence(Attempt(0)), NOW.plus(1_000));
        effects(&mut turn);
        assert_eq!(after(&mut turn, 1_000 + STILL_MS - 1), [], "what was said bridges it");
        assert_eq!(after(&mut turn, 1_000 + STILL_MS), filler);
    }

    #[test]
    fn a_satellite_that_goes_in_the_middle_hears_it_whole_when_it_is_back() {
        let mut turn = minding();
        let first = Attempt(0);
        turn.handle(Input::Sentence(first), NOW);
        effects(&mut turn);
        assert_eq!(told(&mut turn, Input::LinkDown), [Effect::Mute(first)]);
        assert_eq!(told(&mut turn, Input::Sentence(first)), []);
        assert_eq!(told(&mut turn, Input::Answered(first, Outcome::Reply)), []);
        assert_eq!(turn.poll_timeout(), Some(NOW.plus(LINK_GRACE_MS)));
        assert_eq!(told(&mut turn, Input::LinkUp), [Effect::Speak(first, Speech::Reply)]);
    }
}
