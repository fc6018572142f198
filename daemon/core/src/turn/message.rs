//! What a turn is told, and what it wants done.

use super::{EarStanding, Wake};
use crate::answer::Trouble;
use crate::endpoint::Meaning;
use crate::ids::Millis;

/// One try at answering; grows by one when the request changes under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Attempt(pub u16);

/// How a turn begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    /// By the wake word.
    Wake(Wake, EarStanding),
    /// By the button, or after a question.
    Unasked,
    /// Typed; the answer is spoken only where that is wanted.
    Typed {
        /// The request.
        text: String,
        /// Whether the answer is spoken as well.
        aloud: bool,
    },
    /// Nothing was asked: words to say in a room.
    Announcement,
}

/// How a microphone stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MicEnd {
    /// In order: closed as asked, or the button was released.
    InOrder,
    /// The satellite's own limit.
    TooLong,
    /// The microphone went away.
    MicLost,
    /// Cut, with the link.
    Cut,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is an answer to speak.
    Reply,
    /// Understood, and nothing to say ("stop").
    Quiet,
    /// Nobody knows what to make of it.
    NotUnderstood,
    /// It failed.
    Failed(Trouble),
}

/// What a turn is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A frame of sound.
    Frame {
        /// When it was captured, on the clock of `now`.
        captured: Millis,
        /// The voice activity detector's judgement.
        voice: u8,
    },
    /// The utterance as heard so far.
    Partial {
        /// As the ear heard it.
        text: String,
        /// What the request in it means ([`super::Turn::meaning`] of [`super::request`]).
        meaning: Meaning,
        /// Capture time of the last sound it takes account of.
        heard: Millis,
    },
    /// The ear's last word, after [`Effect::FinishEar`].
    Final {
        /// As the ear heard it.
        text: String,
        /// Whether it asks for something else than the text acted on.
        changed: bool,
    },
    /// The ear died, hangs, or could not begin.
    EarLost,
    /// The ear heard other rooms, and had no time for this one.
    EarBusy,
    /// The microphone stream ended.
    MicEnded(MicEnd),
    /// The satellite is away.
    LinkDown,
    /// It is back.
    LinkUp,
    /// The transcript was committed, or that failed.
    Committed(Attempt, Result<(), Trouble>),
    /// The request was understood and its reads run.
    Understood(Attempt),
    /// A model makes the answer: it may take long, and says what it says sentence by sentence.
    Minding(Attempt),
    /// A sentence of the model's answer came.
    Sentence(Attempt),
    /// It was answered.
    Answered(Attempt, Outcome),
    /// These words of the answer, as they are spoken, are about to sound.
    Saying(Attempt, String),
    /// Some more of the answer was handed to the satellite.
    Speaking(Attempt),
    /// All of the answer was handed to the satellite; so long is its sound.
    Spoken {
        /// Of which attempt.
        attempt: Attempt,
        /// Length of its sound in milliseconds.
        sound_ms: u64,
    },
    /// No engine could speak it.
    SpeechFailed(Attempt),
    /// A sentence of it could not be written down, and so is not said.
    Uncommitted(Attempt),
    /// The first sample left for the loudspeaker.
    PlaybackStarted(Attempt, Millis),
    /// The loudspeaker is silent again.
    PlaybackDone(Attempt, Millis),
    /// The loudspeaker is silent, and not all of it was heard: it was lost, or the satellite did not take the sound.
    PlaybackBroken(Attempt),
    /// The button was pressed during the answer.
    StopPressed,
    /// A newer turn began on the same satellite.
    Superseded,
    /// The daemon stops.
    Shutdown,
}

/// What is to be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// The answer that [`Input::Answered`] told of.
    Reply,
    /// "One moment, sir", ahead of it.
    Filler,
    /// What is said to what was not understood.
    NotUnderstood,
    /// What is said when something broke.
    Sorry(Trouble),
}

/// What a turn wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Keep frames back from the ear: speech has ended, for now.
    HoldEar,
    /// Give the ear what was kept back, and all that follows.
    ResumeEar,
    /// Drop what was kept back, and ask for [`Input::Final`].
    FinishEar,
    /// The ear is not needed any more.
    DropEar,
    /// Tell the satellite to close the microphone; silently, where a wake opened nothing.
    CloseMic {
        /// Without an earcon.
        silent: bool,
    },
    /// What the satellite shows.
    Show(Showing),
    /// The request as heard so far, for the page.
    Partial(String),
    /// The words so far are a whole request: begin its reads, so that they are there when its end is decided. Nothing is shown for it.
    Foresee(String),
    /// Commit the transcript, then tell [`Input::Committed`].
    Commit(Attempt, String),
    /// Understand the request, run its reads, make the answer; then tell [`Input::Answered`].
    Answer(Attempt),
    /// Speak, sentence by sentence, each committed first.
    Speak(Attempt, Speech),
    /// Speak what came of a model's answer since; more may follow.
    SpeakOn(Attempt),
    /// All of a model's answer came: speak what is left of it, and nothing follows.
    SpeakRest(Attempt),
    /// The satellite is away: what was spoken so far may be lost, and nothing more is sent after it.
    Mute(Attempt),
    /// The request changed: forget all that was made for this attempt, and be silent.
    Withdraw(Attempt),
    /// Stop making and speaking this attempt's answer, and be silent; what it brought stays in the record.
    Hush(Attempt),
    /// A false wake: forget what was heard.
    Forget,
    /// The turn is over.
    Finish(Ending),
}

/// What the satellite shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// It listens.
    Listening,
    /// An answer is being made.
    Thinking,
    /// It speaks.
    Speaking,
    /// Nothing.
    Idle,
    /// Something is wrong.
    Trouble,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With an answer, also to what was not understood.
    Answered,
    /// Understood, with nothing to say.
    Quiet,
    /// The wake opened nothing: silence was the right answer.
    FalseWake,
    /// With a spoken sorry.
    Sorry(Trouble),
    /// By "stop".
    Stopped,
    /// By a newer turn on the same satellite.
    Superseded,
    /// No word could be spoken: the engines failed.
    SpeechFailed,
    /// No word could be spoken: the satellite is away.
    SatelliteAway(Option<Trouble>),
    /// The satellite never said that it played the answer.
    PlaybackUnknown,
    /// The satellite said that it did not play the answer to its end.
    PlaybackBroken,
    /// The daemon stopped.
    Shutdown,
}
