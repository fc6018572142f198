//! The answering side of a turn: commit, answer, speak, hear that it was played.

use super::minding::{Bridge, Streamed};
use super::{
    ANSWER_MAX_MS, Attempt, COMMIT_MAX_MS, Effect, Ending, FILLER_MS, Hearing, Input, LINK_GRACE_MS, Link, Outcome,
    PLAYBACK_SLACK_MS, SPEECH_MAX_MS, Showing, Speech, Turn, WakeCheck,
};
use crate::answer::Trouble;
use crate::endpoint;
use crate::ids::Millis;
use crate::marks::Mark;

/// Where the answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answering {
    /// Nothing was asked yet.
    Nothing,
    /// The transcript is being committed: nothing may be shown for it before.
    Committing { until: Millis },
    /// The answer is being made.
    Asking { until: Millis, filler: Filler },
    /// A model makes the answer, and what it says is spoken as it comes.
    Minding { until: Millis, bridge: Bridge, streamed: Streamed },
    /// There is something to say, and it is said only once it is sure that nobody goes on speaking: to what was not understood, or to
    /// what may yet become another request.
    Waiting { speech: Speech },
    /// "Stop" was said. Nothing sounds, nothing is to be said, and the turn is over once it is sure that nobody goes on speaking.
    Stopping,
    /// The answer is being handed to the satellite, and played meanwhile.
    Speaking { speech: Speech, until: Millis },
    /// All was handed over; the loudspeaker still sounds.
    Playing { speech: Speech, until: Millis },
    /// The answer is there and the satellite is not.
    Away { speech: Speech, until: Millis },
    /// [`Effect::Finish`] was given out.
    Over,
}

/// The word that bridges a long wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filler {
    /// Not before it is known that there will be an answer.
    NotUnderstoodYet { since: Millis },
    /// Due then.
    DueAt(Millis),
    /// Said.
    Said,
}

impl Answering {
    pub(super) fn deadline(&self) -> Option<Millis> {
        match *self {
            Self::Nothing | Self::Waiting { .. } | Self::Stopping | Self::Over => None,
            Self::Asking { until, filler: Filler::DueAt(due) } => Some(until.min(due)),
            Self::Minding { until, bridge, .. } => Some(bridge.due().map_or(until, |due| until.min(due))),
            Self::Committing { until }
            | Self::Asking { until, .. }
            | Self::Speaking { until, .. }
            | Self::Playing { until, .. }
            | Self::Away { until, .. } => Some(until),
        }
    }
}

impl Turn {
    pub(super) fn commit(&mut self, now: Millis) {
        self.answering = Answering::Committing { until: now.plus(COMMIT_MAX_MS) };
        self.effects.push_back(Effect::Show(Showing::Thinking));
        self.effects.push_back(Effect::Commit(self.attempt, self.asked.clone()));
    }

    /// Forgets the answer at hand, so that nothing which still arrives for it counts.
    pub(super) fn withdraw(&mut self) {
        self.give_up(Effect::Withdraw(self.attempt));
        for mark in [Mark::Transcript, Mark::FirstSentence, Mark::FirstAudio] {
            self.marks.clear(mark);
        }
    }

    /// Stops the answer at hand; that it was made stays true.
    pub(super) fn hush(&mut self) {
        self.give_up(Effect::Hush(self.attempt));
    }

    fn give_up(&mut self, effect: Effect) {
        if !matches!(self.answering, Answering::Nothing | Answering::Stopping | Answering::Over) {
            self.effects.push_back(effect);
            self.attempt.0 = self.attempt.0.wrapping_add(1);
        }
        self.answering = Answering::Nothing;
    }

    pub(super) fn answering_input(&mut self, input: Input, now: Millis) {
        match input {
            Input::LinkDown => return self.link_down(now),
            Input::LinkUp => return self.link_up(now),
            _ => {}
        }
        match (input, self.answering) {
            (Input::Committed(attempt, done), Answering::Committing { .. }) if attempt == self.attempt => match done {
                Ok(()) => self.ask(now),
                Err(trouble) => self.sorry(trouble, now),
            },
            (Input::Understood(attempt), Answering::Asking { until, filler: Filler::NotUnderstoodYet { since } })
                if attempt == self.attempt =>
            {
                let filler = Filler::DueAt(since.plus(FILLER_MS));
                self.answering = Answering::Asking { until, filler };
            }
            (Input::Minding(attempt), Answering::Asking { filler, .. }) if attempt == self.attempt => {
                self.mind(filler, now);
            }
            (Input::Sentence(attempt), Answering::Minding { .. }) if attempt == self.attempt => self.sentence(now),
            (Input::Answered(attempt, Outcome::Reply), Answering::Minding { streamed: Streamed::Some, .. })
                if attempt == self.attempt =>
            {
                self.answering = Answering::Speaking { speech: Speech::Reply, until: now.plus(SPEECH_MAX_MS) };
                self.effects.push_back(Effect::SpeakRest(attempt));
            }
            (Input::Answered(attempt, outcome), Answering::Asking { .. } | Answering::Minding { .. })
                if attempt == self.attempt =>
            {
                self.answered(outcome, now);
            }
            (Input::Saying(attempt, spoken), _) if attempt == self.attempt => {
                self.own.say(attempt, &spoken);
                // The microphone may bring it before the satellite's word that it sounds.
                self.endpoint(endpoint::Input::Audible, now);
            }
            (Input::Speaking(attempt), Answering::Speaking { speech, .. }) if attempt == self.attempt => {
                self.answering = Answering::Speaking { speech, until: now.plus(SPEECH_MAX_MS) };
            }
            (Input::Spoken { attempt, sound_ms }, Answering::Speaking { speech, .. }) if attempt == self.attempt => {
                let until = now.plus(sound_ms).plus(PLAYBACK_SLACK_MS);
                self.answering = Answering::Playing { speech, until };
                if !self.spoken {
                    self.played(now);
                } else if self.unheard == Some(attempt) {
                    self.not_heard_out(speech);
                }
            }
            // A sorry is said though it can't be committed; if that was lost as well, nothing is left to say.
            (Input::Uncommitted(attempt), Answering::Speaking { speech: Speech::Sorry(_), .. })
                if attempt == self.attempt =>
            {
                self.finish(Ending::SpeechFailed);
            }
            (
                Input::Uncommitted(attempt),
                Answering::Speaking { .. } | Answering::Asking { .. } | Answering::Minding { .. },
            ) if attempt == self.attempt => {
                self.sorry(Trouble::NoRecords, now);
            }
            (
                Input::SpeechFailed(attempt),
                Answering::Speaking { .. } | Answering::Asking { .. } | Answering::Minding { .. },
            ) if attempt == self.attempt => {
                self.finish(Ending::SpeechFailed);
            }
            (Input::PlaybackStarted(attempt, at), _) if attempt == self.attempt => {
                self.marks.set(Mark::FirstAudio, at);
            }
            (Input::PlaybackDone(attempt, at), Answering::Playing { .. }) if attempt == self.attempt => {
                self.played(at);
            }
            (Input::PlaybackBroken(attempt), Answering::Playing { speech, .. }) if attempt == self.attempt => {
                self.not_heard_out(speech);
            }
            // It is made to its end all the same: it is read on the page.
            (Input::PlaybackBroken(attempt), Answering::Speaking { .. } | Answering::Minding { .. })
                if attempt == self.attempt =>
            {
                self.unheard = Some(attempt);
            }
            _ => {}
        }
    }

    fn ask(&mut self, now: Millis) {
        self.marks.move_to(Mark::Transcript, now);
        let until = now.plus(self.cluster_max_ms + ANSWER_MAX_MS);
        self.answering = Answering::Asking { until, filler: Filler::NotUnderstoodYet { since: now } };
        self.effects.push_back(Effect::Answer(self.attempt));
    }

    fn answered(&mut self, outcome: Outcome, now: Millis) {
        match outcome {
            Outcome::Reply if self.may_go_on() => self.answering = Answering::Waiting { speech: Speech::Reply },
            Outcome::Reply => self.speak(Speech::Reply, now),
            Outcome::Quiet => self.finish(Ending::Quiet),
            Outcome::Failed(trouble) => self.sorry(trouble, now),
            Outcome::NotUnderstood => {
                self.answering = Answering::Waiting { speech: Speech::NotUnderstood };
                self.speak_what_waits(now);
            }
        }
    }

    fn may_go_on(&self) -> bool {
        matches!(&self.hearing, Hearing::Open(endpointer) if endpointer.may_go_on())
    }

    /// What waits is said, or a "stop" stands, once it is sure that nobody goes on; what was not understood only if Jarvis was spoken to.
    pub(super) fn speak_what_waits(&mut self, now: Millis) {
        let Hearing::Closed = &self.hearing else { return };
        match self.answering {
            Answering::Stopping => self.finish(Ending::Stopped),
            Answering::Waiting { speech: Speech::NotUnderstood } if !self.addressed() => self.false_wake(),
            Answering::Waiting { speech } => self.speak(speech, now),
            _ => {}
        }
    }

    pub(super) fn speak(&mut self, speech: Speech, now: Millis) {
        if self.link == Link::Down {
            self.answering = Answering::Away { speech, until: now.plus(LINK_GRACE_MS) };
            return;
        }
        self.begun = true;
        self.marks.set(Mark::FirstSentence, now);
        self.answering = Answering::Speaking { speech, until: now.plus(SPEECH_MAX_MS) };
        if self.spoken {
            self.effects.push_back(Effect::Show(Showing::Speaking));
        }
        self.effects.push_back(Effect::Speak(self.attempt, speech));
    }

    /// Whatever was going on ends in a spoken sorry, unless the wake was contradicted: nobody spoke to Jarvis then.
    pub(super) fn sorry(&mut self, trouble: Trouble, now: Millis) {
        self.hush();
        if !matches!(self.hearing, Hearing::Closed) {
            self.effects.push_back(Effect::DropEar);
        }
        self.close_mic(true);
        if !self.addressed() && self.wake_check() == Some(WakeCheck::Contradicted) {
            return self.false_wake();
        }
        self.speak(Speech::Sorry(trouble), now);
    }

    fn played(&mut self, at: Millis) {
        let (Answering::Playing { speech, .. } | Answering::Speaking { speech, .. }) = self.answering else { return };
        if self.spoken {
            self.marks.set(Mark::Played, at);
        }
        // Over already: nothing is left to withdraw.
        self.answering = Answering::Nothing;
        self.finish(match speech {
            Speech::Sorry(trouble) => Ending::Sorry(trouble),
            Speech::Reply | Speech::Filler | Speech::NotUnderstood => Ending::Answered,
        });
    }

    /// The satellite did not play it to its end.
    fn not_heard_out(&mut self, speech: Speech) {
        self.finish(match speech {
            // What the sorry was for matters more.
            Speech::Sorry(trouble) => Ending::Sorry(trouble),
            Speech::Reply | Speech::Filler | Speech::NotUnderstood => Ending::PlaybackBroken,
        });
    }

    fn link_down(&mut self, now: Millis) {
        self.link = Link::Down;
        if !self.spoken {
            return;
        }
        if let Answering::Minding { .. } = self.answering {
            return self.mute();
        }
        if let Answering::Speaking { speech, .. } | Answering::Playing { speech, .. } = self.answering {
            // Samples of this attempt may be lost: it is spoken anew, or not at all.
            self.hush();
            self.answering = Answering::Away { speech, until: now.plus(LINK_GRACE_MS) };
        }
    }

    fn link_up(&mut self, now: Millis) {
        self.link = Link::Up;
        if let Answering::Away { speech, .. } = self.answering {
            self.speak(speech, now);
        }
    }

    pub(super) fn answering_timeout(&mut self, now: Millis) {
        match self.answering {
            Answering::Asking { until, filler: Filler::DueAt(due) } if now >= due && now < until => {
                self.answering = Answering::Asking { until, filler: Filler::Said };
                // Over an open reopening window a filler would only be in the way.
                if self.spoken && self.link == Link::Up && !matches!(self.hearing, Hearing::Open(_)) {
                    self.begun = true;
                    self.effects.push_back(Effect::Speak(self.attempt, Speech::Filler));
                }
            }
            Answering::Minding { until, bridge, streamed } if now < until => self.bridge(until, bridge, streamed, now),
            answering if answering.deadline().is_some_and(|until| now >= until) => match answering {
                Answering::Committing { .. } | Answering::Minding { .. } => self.sorry(Trouble::Internal, now),
                Answering::Asking { .. } => self.sorry(Trouble::ClusterUnknown, now),
                Answering::Speaking { .. } => self.finish(Ending::SpeechFailed),
                Answering::Playing { .. } => self.finish(Ending::PlaybackUnknown),
                Answering::Away { speech, .. } => self.finish(Ending::SatelliteAway(match speech {
                    Speech::Sorry(trouble) => Some(trouble),
                    Speech::Reply | Speech::Filler | Speech::NotUnderstood => None,
                })),
                Answering::Nothing | Answering::Waiting { .. } | Answering::Stopping | Answering::Over => {}
            },
            _ => {}
        }
    }

    /// The attempt that effects given out now belong to.
    pub fn attempt(&self) -> Attempt {
        self.attempt
    }
}
