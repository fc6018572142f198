//! When the steps of a turn happened.

use serde::{Deserialize, Serialize};

use crate::ids::Millis;

/// A step of a turn worth a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// The wake detector fired, the button was pressed, or the request was typed: zero of all others.
    Wake,
    /// The first frame of sound reached the daemon.
    FirstFrame,
    /// Capture of the last frame that held speech.
    SpeechEnd,
    /// Capture of the sound with which the silence asked for was over: from here to [`Mark::FirstAudio`] is Jarvis's own time.
    EndDue,
    /// The end of speech was decided.
    EndDecided,
    /// The final transcript was committed.
    Transcript,
    /// The first whole sentence of the answer was there.
    FirstSentence,
    /// The first sample left for the loudspeaker.
    FirstAudio,
    /// The last sample left.
    Played,
}

/// The marks of one turn, on the daemon's monotonic clock. The first time said of a step stays, but for those that a reopened turn
/// goes through again ([`Marks::move_to`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    at: [Option<Millis>; 9],
}

impl Marks {
    /// Marks a step; a step marked before keeps its time.
    pub fn set(&mut self, mark: Mark, now: Millis) {
        self.at[mark as usize].get_or_insert(now);
    }

    /// Marks a step, whatever was said of it before.
    pub fn move_to(&mut self, mark: Mark, now: Millis) {
        self.at[mark as usize] = Some(now);
    }

    /// Forgets a step that was undone.
    pub fn clear(&mut self, mark: Mark) {
        self.at[mark as usize] = None;
    }

    /// When a step happened.
    pub fn get(&self, mark: Mark) -> Option<Millis> {
        self.at[mark as usize]
    }

    /// Relative to [`Mark::Wake`]; all `None` before it.
    pub fn relative(&self) -> MarksMs {
        let wake = self.get(Mark::Wake);
        let of = |mark| Some(self.get(mark)?.0 as i64 - wake?.0 as i64);
        MarksMs {
            wake: of(Mark::Wake),
            first_frame: of(Mark::FirstFrame),
            speech_end: of(Mark::SpeechEnd),
            end_due: of(Mark::EndDue),
            end_decided: of(Mark::EndDecided),
            transcript: of(Mark::Transcript),
            first_sentence: of(Mark::FirstSentence),
            first_audio: of(Mark::FirstAudio),
            played: of(Mark::Played),
        }
    }
}

/// Milliseconds from the wake, as turn records show them; `None` for a step that did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MarksMs {
    /// Zero, in a turn that began.
    pub wake: Option<i64>,
    /// See [`Mark::FirstFrame`].
    pub first_frame: Option<i64>,
    /// See [`Mark::SpeechEnd`].
    pub speech_end: Option<i64>,
    /// See [`Mark::EndDue`].
    #[serde(default)]
    pub end_due: Option<i64>,
    /// See [`Mark::EndDecided`].
    pub end_decided: Option<i64>,
    /// See [`Mark::Transcript`].
    pub transcript: Option<i64>,
    /// See [`Mark::FirstSentence`].
    pub first_sentence: Option<i64>,
    /// See [`Mark::FirstAudio`].
    pub first_audio: Option<i64>,
    /// See [`Mark::Played`].
    pub played: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_told_from_the_wake_and_keep_their_first_time() {
        let mut marks = Marks::default();
        marks.set(Mark::SpeechEnd, Millis(900));
        assert_eq!(marks.relative(), MarksMs::default());
        marks.set(Mark::Wake, Millis(1000));
        marks.set(Mark::Wake, Millis(5000));
        marks.set(Mark::Played, Millis(4200));
        let expected = MarksMs { wake: Some(0), speech_end: Some(-100), played: Some(3200), ..MarksMs::default() };
        assert_eq!(marks.relative(), expected);
    }
}
