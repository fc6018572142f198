//! One turn: a request, its answer, and every way in which either can go wrong.
//!
//! Two regions side by side: what is *heard* ([`Hearing`]) and what is *answered* ([`Answering`]). They overlap because an answer is
//! made, and even begins to sound, while the reopening window of [`crate::endpoint`] is still open. An answer belongs to an
//! [`Attempt`]; when speech goes on, or the recogniser's last word differs from what was acted on, the attempt is withdrawn and
//! whatever still arrives for it is ignored.
//!
//! Whatever happens, [`Effect::Finish`] comes: every waiting state has a deadline, and [`TURN_MAX_MS`] bounds them all.

mod answering;
mod heard_out;
mod message;
mod minding;
mod own_voice;
mod wake;

#[cfg(test)]
mod pauses;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::answer::Trouble;
use crate::endpoint::{self, Decision, Endpointer, Meaning};
use crate::ids::Millis;
use crate::marks::{Mark, Marks};

use answering::Answering;
pub use message::{Attempt, Effect, Ending, Input, MicEnd, Opening, Outcome, Showing, Speech};
use own_voice::OwnVoice;
use wake::Checking;
pub use wake::{EarStanding, Wake, WakeCheck, after_phrase, request};

/// The recogniser's last word must come within this.
pub const FINAL_MAX_MS: u64 = 1500;
/// A commit must come within this.
pub const COMMIT_MAX_MS: u64 = 3000;
/// An answer must be there within this, beyond what it may wait for the cluster.
pub const ANSWER_MAX_MS: u64 = 6_500;
/// How long an answer may wait for the cluster, where its owner says nothing else ([`Turn::waiting_for_the_cluster`]).
pub const CLUSTER_MAX_MS: u64 = 1_500;
/// A model's answer must be whole within this; its run has a limit of its own below.
pub const MIND_MAX_MS: u64 = 165_000;
/// Without an answer for so long, "One moment, sir".
pub const FILLER_MS: u64 = 1500;
/// The first sound of an answer must come within this, and more of it as soon after the last.
pub const SPEECH_MAX_MS: u64 = 20_000;
/// After its own length, playback must be over within this.
pub const PLAYBACK_SLACK_MS: u64 = 5000;
/// A satellite that is away may come back for its answer within this.
pub const LINK_GRACE_MS: u64 = 10_000;
/// "Stop" is all of it once nobody went on after the end of speech ("stop ... the media server"), or so much more sound brought no other
/// word. In one breath the recogniser shows it alone for up to four of its steps of 60 ms before the next word is (measured at 90 to 200
/// words a minute), and a pause that is too short to be an end comes on top of that.
const STOP_STEADY_MS: u64 = 800;
/// Whole requests among the partials of one turn whose reads are begun ahead.
pub const FORESEEN_MAX: u8 = 6;
/// No turn is longer, whatever happens.
pub const TURN_MAX_MS: u64 = 180_000;

#[derive(Debug)]
enum Hearing {
    /// The microphone is open: somebody speaks, or the reopening window is.
    Open(Endpointer),
    /// The end stands; the ear's last word is awaited.
    Finishing { until: Millis },
    /// Nothing more is heard.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    Down,
}

/// One turn. See the module.
#[derive(Debug)]
pub struct Turn {
    hearing: Hearing,
    answering: Answering,
    wake: Option<Checking>,
    phrase: Option<String>,
    spoken: bool,
    /// Something was said already: silence would be odd from now on.
    begun: bool,
    link: Link,
    attempt: Attempt,
    /// The attempt that the satellite did not play to its end.
    unheard: Option<Attempt>,
    asked: String,
    foreseen: u8,
    /// Capture time since which the words are "stop" and somebody might have gone on.
    stop_since: Option<Millis>,
    heard: Millis,
    own: OwnVoice,
    marks: Marks,
    cluster_max_ms: u64,
    ends_by: Millis,
    effects: VecDeque<Effect>,
}

impl Turn {
    /// Begins a turn.
    pub fn new(opening: Opening, now: Millis) -> Self {
        let at = match &opening {
            Opening::Wake(wake, _) => wake.at,
            Opening::Unasked | Opening::Typed { .. } | Opening::Announcement => now,
        };
        let mut marks = Marks::default();
        marks.set(Mark::Wake, at);
        let mut turn = Self {
            hearing: Hearing::Closed,
            answering: Answering::Nothing,
            wake: None,
            phrase: None,
            spoken: !matches!(opening, Opening::Typed { aloud: false, .. }),
            begun: false,
            link: Link::Up,
            attempt: Attempt::default(),
            unheard: None,
            asked: String::new(),
            foreseen: 0,
            stop_since: None,
            heard: at,
            own: OwnVoice::default(),
            marks,
            cluster_max_ms: CLUSTER_MAX_MS,
            ends_by: now.plus(TURN_MAX_MS),
            effects: VecDeque::new(),
        };
        match opening {
            Opening::Wake(wake, ear) => {
                turn.phrase = Some(wake.phrase.clone());
                turn.wake = Some(Checking::new(wake, ear));
                turn.listen(at, now);
            }
            Opening::Unasked => turn.listen(at, now),
            Opening::Typed { text, .. } => {
                turn.asked = text;
                turn.commit(now);
            }
            Opening::Announcement => turn.speak(Speech::Reply, now),
        }
        turn
    }

    /// The same turn, whose answer may wait so many milliseconds for the cluster: its owner may say more than [`CLUSTER_MAX_MS`].
    #[must_use]
    pub fn waiting_for_the_cluster(self, cluster_max_ms: u64) -> Self {
        Self { cluster_max_ms, ..self }
    }

    /// Takes something in; effects are then to be polled.
    pub fn handle(&mut self, input: Input, now: Millis) {
        if self.is_over() {
            return;
        }
        match input {
            Input::Frame { captured, voice } => {
                self.marks.set(Mark::FirstFrame, now);
                self.endpoint(endpoint::Input::Frame { captured, voice }, now);
            }
            Input::Partial { text, meaning, heard } => self.partial(&text, meaning, heard, now),
            Input::Final { text, changed } => self.last_word(&text, changed, now),
            Input::EarLost => self.ear_lost(Trouble::EarLost, now),
            Input::EarBusy => self.ear_lost(Trouble::EarBusy, now),
            Input::MicEnded(end) => self.mic_ended(end, now),
            Input::StopPressed => self.finish(Ending::Stopped),
            Input::Superseded => self.finish(Ending::Superseded),
            Input::Shutdown => self.finish(Ending::Shutdown),
            input => self.answering_input(input, now),
        }
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Self::handle_timeout`] is due; `None` once the turn is over.
    pub fn poll_timeout(&self) -> Option<Millis> {
        if self.is_over() {
            return None;
        }
        let hearing = match &self.hearing {
            Hearing::Open(endpointer) => endpointer.poll_timeout(),
            Hearing::Finishing { until } => Some(*until),
            Hearing::Closed => None,
        };
        [hearing, self.answering.deadline(), Some(self.ends_by)].into_iter().flatten().min()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Millis) {
        if self.is_over() {
            return;
        }
        if now >= self.ends_by {
            return self.finish(Ending::Sorry(Trouble::Internal));
        }
        match &mut self.hearing {
            Hearing::Open(endpointer) => {
                endpointer.handle_timeout(now);
                self.decide(now);
            }
            // What was acted on stands.
            Hearing::Finishing { until } if now >= *until => self.deaf(now),
            Hearing::Finishing { .. } | Hearing::Closed => {}
        }
        self.answering_timeout(now);
    }

    /// Times so far.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The second check of the wake word; `None` in a turn without one.
    pub fn wake_check(&self) -> Option<WakeCheck> {
        self.wake.as_ref().map(Checking::check)
    }

    /// Whether Jarvis is sure to have been spoken to.
    pub fn addressed(&self) -> bool {
        self.begun || matches!(self.wake_check(), None | Some(WakeCheck::Confirmed))
    }

    /// The request acted on, wake phrase taken off.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Whether nobody can go on speaking any more: what was asked stands. Before that nothing may be changed.
    pub fn is_heard_out(&self) -> bool {
        matches!(self.hearing, Hearing::Closed)
    }

    /// Whether [`Effect::Finish`] was given out.
    pub fn is_over(&self) -> bool {
        matches!(self.answering, Answering::Over)
    }

    fn listen(&mut self, opened: Millis, now: Millis) {
        self.hearing = Hearing::Open(Endpointer::new(opened, now));
        self.effects.push_back(Effect::Show(Showing::Listening));
    }

    fn partial(&mut self, text: &str, meaning: Meaning, heard: Millis, now: Millis) {
        let Hearing::Open(endpointer) = &self.hearing else { return };
        self.heard = heard;
        if let Some(wake) = &mut self.wake {
            wake.words(text, heard);
            if !self.begun && wake.vetoed(heard) {
                return self.false_wake();
            }
        }
        let asked = request(text, self.phrase.as_deref());
        self.stop_since = (asked == "stop").then(|| self.stop_since.unwrap_or(heard));
        if self.stop_since.is_some_and(|since| heard.0.saturating_sub(since.0) >= STOP_STEADY_MS) {
            self.asked = asked.to_owned();
            return self.finish(Ending::Stopped);
        }
        if self.own.echoes(self.attempt, &self.asked, asked) {
            return;
        }
        let changed = asked != self.asked;
        if !endpointer.takes(meaning) {
            return;
        }
        if changed {
            self.asked = asked.to_owned();
            self.effects.push_back(Effect::Partial(asked.to_owned()));
            if matches!(meaning, Meaning::Complete | Meaning::Extendable) && self.foreseen < FORESEEN_MAX {
                self.foreseen += 1;
                self.effects.push_back(Effect::Foresee(asked.to_owned()));
            }
        }
        self.endpoint(endpoint::Input::Words { meaning, heard, changed }, now);
    }

    fn hearing_speech(&self) -> bool {
        matches!(&self.hearing, Hearing::Open(endpointer) if !endpointer.in_window())
    }

    fn endpoint(&mut self, input: endpoint::Input, now: Millis) {
        if let Hearing::Open(endpointer) = &mut self.hearing {
            endpointer.handle(input, now);
            self.decide(now);
        }
    }

    fn decide(&mut self, now: Millis) {
        while let Hearing::Open(endpointer) = &mut self.hearing {
            let Some(decision) = endpointer.poll_output() else { return };
            match decision {
                Decision::End { speech_end, due } => {
                    self.marks.move_to(Mark::SpeechEnd, speech_end);
                    self.marks.move_to(Mark::EndDue, due);
                    self.marks.move_to(Mark::EndDecided, now);
                    self.effects.push_back(Effect::HoldEar);
                    if self.asked == "stop" { self.answering = Answering::Stopping } else { self.commit(now) }
                }
                Decision::Listen => {
                    self.own.overhear(self.attempt);
                    self.effects.push_back(Effect::ResumeEar);
                }
                Decision::Reopen => self.reopen(now),
                Decision::Close => {
                    if self.answering == (Answering::Waiting { speech: Speech::Reply }) {
                        self.marks.move_to(Mark::EndDue, endpointer.captured());
                    }
                    self.close_mic(false);
                    self.effects.push_back(Effect::FinishEar);
                    self.hearing = Hearing::Finishing { until: now.plus(FINAL_MAX_MS) };
                }
                Decision::NoSpeech => {
                    self.effects.push_back(Effect::DropEar);
                    self.nothing_asked(now);
                }
                Decision::TooLong => self.sorry(Trouble::TooLong, now),
                Decision::Stalled => self.sorry(Trouble::LinkLost, now),
            }
        }
    }

    fn reopen(&mut self, now: Millis) {
        self.withdraw();
        self.stop_since = Some(now);
        for mark in [Mark::SpeechEnd, Mark::EndDue, Mark::EndDecided] {
            self.marks.clear(mark);
        }
        self.effects.push_back(Effect::ResumeEar);
        self.effects.push_back(Effect::Show(Showing::Listening));
    }

    fn close_mic(&mut self, silent: bool) {
        if let Hearing::Open(_) = self.hearing {
            self.effects.push_back(Effect::CloseMic { silent });
        }
        self.hearing = Hearing::Closed;
    }

    fn finish(&mut self, ending: Ending) {
        if self.is_over() {
            return;
        }
        self.hush();
        if !matches!(self.hearing, Hearing::Closed) {
            self.effects.push_back(Effect::DropEar);
        }
        self.close_mic(true);
        self.answering = Answering::Over;
        if self.spoken {
            let trouble = matches!(ending, Ending::SpeechFailed | Ending::Sorry(_) | Ending::SatelliteAway(_));
            let showing = if trouble { Showing::Trouble } else { Showing::Idle };
            self.effects.push_back(Effect::Show(showing));
        }
        self.effects.push_back(Effect::Finish(ending));
    }
}
