//! The end of speech, by silence *and* meaning, with reopening.
//!
//! A whole request needs little silence, the beginning of one needs much, and whatever was decided early is taken back if speech
//! goes on within the window after it. Silence is measured on capture times, so a late network never looks like a silent person;
//! only a stream that brings nothing for [`STALL_MS`] is judged on the clock.

use std::collections::VecDeque;

use crate::ids::Millis;

/// A voice judgement (0 to 255) from here on counts as voice.
pub const VOICE_MIN: u8 = 128;
/// Silence after a whole request to which nothing can be added, from the last frame that holds voice (the satellite's detector lets
/// go of it with its sound). The recogniser has shown nine words of ten within 230 ms of their end.
pub const COMPLETE_MS: u64 = 280;
/// Silence after a whole request that is also the beginning of another one. With the window that follows, in which its answer is not
/// begun, somebody who pauses for up to 1.2 s ("how is the cluster ... on node two") is heard out, and the end is still decided
/// within 700 ms.
pub const EXTENDABLE_MS: u64 = 650;
/// Silence after "yes", "no", "stop".
pub const SHORT_WORD_MS: u64 = 220;
/// Silence after words that may or may not be whole.
pub const UNKNOWN_MS: u64 = 700;
/// Silence after the beginning of a request.
pub const OPEN_MS: u64 = 1600;
/// Without a single word for so long, nobody is going to speak.
pub const NO_SPEECH_MS: u64 = 5000;
/// Longest utterance.
pub const UTTERANCE_MAX_MS: u64 = 30_000;
/// Silence after an early end within which going on reopens the turn.
pub const REOPEN_MS: u64 = 600;
/// A window that noises keep open closes after this.
pub const REOPEN_MAX_MS: u64 = 2500;
/// Words that stand still for so long under unbroken "voice" (music, a fan) are the whole utterance.
pub const STEADY_MS: u64 = 2500;
/// No frame for so long: the stream is lost. A backstop; the hub gives an utterance up before.
pub const STALL_MS: u64 = 10_000;
/// A recogniser shows a word this long after it was said, at most.
const PARTIAL_LAG_MS: u64 = 500;
/// Words take account of a voice once the recogniser has heard this much of the silence after it: its network looks ahead, and it
/// works on pieces of 60 ms.
const PARTIAL_TAIL_MS: u64 = 200;
/// A recogniser that is behind is waited for so long; what it shows until then may lack the last words. One that comes on, having begun
/// late, is waited for as long as it does.
const BEHIND_MAX_MS: u64 = 4000;
/// Frames looked back upon to tell voice from a click.
const RECENT_FRAMES: u32 = 10;
/// Of the last five frames, so many reopen a turn while nothing is audible.
const REOPEN_QUIET_FRAMES: u32 = 4;
/// Of this many last ones...
const STIRRING_OF: u32 = 3;
/// ... so many keep a window open at its end, while nothing is audible: somebody may be beginning.
const STIRRING_FRAMES: u32 = 2;
/// Of the last ten, so many make it listen more closely while its own answer is audible.
const REOPEN_AUDIBLE_FRAMES: u32 = 8;

/// What the words so far mean for the end of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Meaning {
    /// No word yet, the wake phrase apart.
    #[default]
    Nothing,
    /// "yes", "no", "stop".
    ShortWord,
    /// A whole request.
    Complete,
    /// A whole request that is the beginning of another one as well.
    Extendable,
    /// The beginning of one.
    Open,
    /// Cannot tell.
    Unknown,
}

impl Meaning {
    fn silence_ms(self) -> Option<u64> {
        match self {
            Self::Nothing => None,
            Self::ShortWord => Some(SHORT_WORD_MS),
            Self::Complete => Some(COMPLETE_MS),
            Self::Extendable => Some(EXTENDABLE_MS),
            Self::Unknown => Some(UNKNOWN_MS),
            Self::Open => Some(OPEN_MS),
        }
    }
}

/// What the endpointer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A frame of sound.
    Frame {
        /// When it was captured, on the clock of `now`.
        captured: Millis,
        /// The voice activity detector's judgement.
        voice: u8,
    },
    /// The words so far, as often as the recogniser tells them.
    Words {
        /// What they mean.
        meaning: Meaning,
        /// Capture time of the last sound they take account of.
        heard: Millis,
        /// Whether they are others than before.
        changed: bool,
    },
    /// The answer is audible from now on, or about to be: voice may be its echo.
    Audible,
    /// The stream ended in order: no more speech will come.
    StreamEnded,
}

/// What the endpointer decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Speech is over, for now; the reopening window begins.
    End {
        /// Capture time of the last voice.
        speech_end: Millis,
        /// Capture time at which the silence asked for was over; what is later was waited for words.
        due: Millis,
    },
    /// Somebody may be going on over the answer: let the recogniser hear what was held back since the end.
    Listen,
    /// Speech goes on: what was decided is taken back.
    Reopen,
    /// The reopening window passed in silence: the end stands.
    Close,
    /// Nobody spoke.
    NoSpeech,
    /// The utterance is too long.
    TooLong,
    /// The stream brings nothing any more.
    Stalled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Hearing,
    Window {
        until: Millis,
        at_most: Millis,
        /// Voice alone does not reopen: it may be the answer's echo, or a noise.
        wary: bool,
        listening: bool,
    },
    Closed,
}

/// Decides the end of speech of one utterance.
#[derive(Debug)]
pub struct Endpointer {
    state: State,
    opened: Millis,
    captured: Millis,
    frame_seen: Millis,
    voiced: u32,
    last_voice: Option<Millis>,
    meaning: Meaning,
    heard: Millis,
    /// When the recogniser last took account of more sound, or began.
    came_on: Millis,
    changed: Millis,
    reopened: Option<Millis>,
    decisions: VecDeque<Decision>,
}

impl Endpointer {
    /// For an utterance that was opened (wake word recognised, button pressed) at `opened`; `now` is when the recogniser begins, which is
    /// later where it had other rooms to hear.
    pub fn new(opened: Millis, now: Millis) -> Self {
        Self {
            state: State::Hearing,
            opened,
            captured: opened,
            frame_seen: now,
            voiced: 0,
            last_voice: None,
            meaning: Meaning::Nothing,
            heard: opened,
            came_on: now,
            changed: Millis(0),
            reopened: None,
            decisions: VecDeque::new(),
        }
    }

    /// Takes something in; decisions are then to be polled.
    pub fn handle(&mut self, input: Input, now: Millis) {
        if self.state == State::Closed {
            return;
        }
        match input {
            Input::Frame { captured, voice } => self.frame(captured, voice, now),
            Input::Words { meaning, heard, changed } => self.words(meaning, heard, changed, now),
            Input::Audible => {
                if let State::Window { wary, .. } = &mut self.state {
                    *wary = true;
                }
            }
            Input::StreamEnded => self.stream_ended(),
        }
    }

    /// The next decision.
    pub fn poll_output(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Millis> {
        (self.state != State::Closed).then(|| self.frame_seen.plus(STALL_MS))
    }

    /// Time passed without input.
    pub fn handle_timeout(&mut self, now: Millis) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match self.state {
            State::Hearing => self.close(Decision::Stalled),
            State::Window { .. } => self.close(Decision::Close),
            State::Closed => {}
        }
    }

    /// Whether an end was decided that may still be taken back.
    pub fn in_window(&self) -> bool {
        matches!(self.state, State::Window { .. })
    }

    /// How far the sound that it knows of reaches.
    pub fn captured(&self) -> Millis {
        self.captured
    }

    /// Whether what was asked may yet become something else, so that nothing should be heard before the end stands.
    pub fn may_go_on(&self) -> bool {
        self.in_window() && self.meaning == Meaning::Extendable
    }

    fn frame(&mut self, captured: Millis, voice: u8, now: Millis) {
        self.frame_seen = now;
        self.captured = self.captured.max(captured);
        self.voiced = (self.voiced << 1) | u32::from(voice >= VOICE_MIN);
        if self.voiced & 1 == 1 && (self.voiced & 0b111).count_ones() >= 2 {
            self.last_voice = Some(self.captured);
        }
        match self.state {
            State::Hearing => self.judge(now),
            State::Window { .. } => self.judge_window(),
            State::Closed => {}
        }
    }

    /// Whether words of this meaning count now: not once the end stands, nor where they may be an answer's echo. That invents
    /// words as well, but hardly ones that make another whole request of what was asked.
    pub fn takes(&self, meaning: Meaning) -> bool {
        match self.state {
            State::Hearing | State::Window { listening: false, .. } => true,
            State::Window { listening: true, .. } => {
                matches!(meaning, Meaning::Complete | Meaning::Extendable | Meaning::ShortWord)
            }
            State::Closed => false,
        }
    }

    fn words(&mut self, meaning: Meaning, heard: Millis, changed: bool, now: Millis) {
        if !self.takes(meaning) {
            return;
        }
        self.meaning = meaning;
        if heard > self.heard {
            self.came_on = now;
        }
        self.heard = heard;
        if changed {
            self.changed = heard;
        }
        match self.state {
            State::Hearing => self.judge(now),
            State::Window { listening, .. } if changed => {
                // Words that were said before the end and shown after it change the request, not the time it ended.
                self.reopen(listening);
                self.judge(now);
            }
            State::Window { .. } | State::Closed => {}
        }
    }

    fn speech_end(&self) -> Millis {
        self.last_voice
            .unwrap_or(self.opened)
            .max(self.opened)
            .max(Millis(self.changed.0.saturating_sub(PARTIAL_LAG_MS)))
    }

    /// Whether the recogniser still has to hear sound of some time ago, and is at it.
    fn catching_up(&self, now: Millis) -> bool {
        self.heard.plus(PARTIAL_LAG_MS) < self.captured && now.since(self.came_on) < BEHIND_MAX_MS
    }

    fn judge(&mut self, now: Millis) {
        let silence = self.captured.since(self.speech_end());
        let length = self.captured.since(self.opened);
        // Words that don't take account of the last voice may lack its end.
        let stale = self.last_voice.is_some_and(|voice| self.heard < voice.plus(PARTIAL_TAIL_MS));
        let steady = self.captured.since(self.changed.max(self.opened)) >= STEADY_MS;
        match self.meaning.silence_ms() {
            None if length >= NO_SPEECH_MS && silence >= UNKNOWN_MS && !self.catching_up(now) => {
                self.close(Decision::NoSpeech);
            }
            None => {}
            Some(_) if stale && self.catching_up(now) => {}
            Some(asked) => {
                let wait = if stale { asked.max(BEHIND_MAX_MS) } else { asked };
                if silence >= wait || (steady && self.meaning != Meaning::Open) {
                    return self.end(silence < wait, self.captured.min(self.speech_end().plus(asked)));
                }
            }
        }
        if length >= UTTERANCE_MAX_MS && self.state == State::Hearing {
            self.close(Decision::TooLong);
        }
    }

    fn end(&mut self, over_voice: bool, due: Millis) {
        // A voice that brought no word the last time it reopened the turn, or in the midst of which it ended, is a noise.
        let fruitless = self.reopened.is_some_and(|at| self.changed <= at);
        self.state = State::Window {
            until: self.captured.plus(REOPEN_MS),
            at_most: self.captured.plus(REOPEN_MAX_MS),
            wary: over_voice || fruitless,
            listening: false,
        };
        // Voice from before the end must not reopen it.
        self.voiced = 0;
        let speech_end = self.speech_end();
        self.decisions.push_back(Decision::End { speech_end, due });
    }

    fn judge_window(&mut self) {
        let State::Window { until, at_most, wary, listening } = self.state else { return };
        let recent = |frames: u32| (self.voiced & ((1 << frames) - 1)).count_ones();
        if !wary && recent(RECENT_FRAMES / 2) >= REOPEN_QUIET_FRAMES {
            return self.reopen(true);
        }
        if wary && !listening && recent(RECENT_FRAMES) >= REOPEN_AUDIBLE_FRAMES {
            self.state = State::Window { until, at_most, wary, listening: true };
            self.decisions.push_back(Decision::Listen);
        }
        let noise = recent(RECENT_FRAMES) >= RECENT_FRAMES / 2;
        let stirring = !wary && recent(STIRRING_OF) >= STIRRING_FRAMES;
        if self.captured >= at_most || (self.captured >= until && !noise && !stirring) {
            self.close(Decision::Close);
        }
    }

    fn reopen(&mut self, voice: bool) {
        self.state = State::Hearing;
        if voice {
            self.last_voice = Some(self.captured);
        }
        self.reopened = Some(self.captured);
        self.decisions.push_back(Decision::Reopen);
    }

    fn stream_ended(&mut self) {
        if self.state == State::Hearing {
            if self.meaning == Meaning::Nothing {
                return self.close(Decision::NoSpeech);
            }
            self.end(false, self.captured);
        }
        self.close(Decision::Close);
    }

    fn close(&mut self, decision: Decision) {
        self.state = State::Closed;
        self.decisions.push_back(decision);
    }
}
