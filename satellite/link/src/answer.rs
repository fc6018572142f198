//! The satellite's judgement of answer streams: which are heard, and whether one came to its end.

use alloc::vec::Vec;

use crate::message::{Answer, Generation, Utterance, to_samples};

/// A piece of an answer that may be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// It begins; every older answer is over.
    Start {
        /// Which.
        generation: Generation,
        /// Sample rate, in hertz.
        rate_hz: u32,
    },
    /// What follows belongs to this sentence.
    Sentence {
        /// Which answer.
        generation: Generation,
        /// Counts up from 0.
        index: u16,
    },
    /// Sound.
    Pcm {
        /// Which answer.
        generation: Generation,
        /// Mono samples.
        samples: Vec<i16>,
    },
    /// It is complete.
    End {
        /// Which.
        generation: Generation,
        /// Utterances up to this one are answered by it.
        answers: Option<Utterance>,
    },
    /// It broke off.
    Cut {
        /// Which answer.
        generation: Generation,
    },
}

/// What is to be done about a frame of an answer stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is heard.
    Hear(Piece),
    /// It is of an older generation or a stopped one: stop reading the stream.
    Stop,
    /// The daemon broke the protocol: stop reading the stream. If the answer had begun, it is cut.
    Broken(Option<Piece>),
}

/// Which generations may still be heard on this connection's satellite.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    newest: Option<Generation>,
    stopped: Option<Generation>,
}

impl Gate {
    /// Another run of the daemon: it counts from 1 anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Nothing of this and older generations is heard any more.
    pub fn stop(&mut self, generation: Generation) {
        self.stopped = self.stopped.max(Some(generation));
    }

    /// Whether a piece of that answer may be heard now.
    pub fn hears(&self, generation: Generation) -> bool {
        self.newest == Some(generation) && self.stopped < Some(generation)
    }

    fn begin(&mut self, generation: Generation) -> bool {
        let newer = self.newest < Some(generation) && self.stopped < Some(generation);
        if newer {
            self.newest = Some(generation);
        }
        newer
    }
}

/// One answer stream.
#[derive(Debug, Clone, Default)]
pub enum AnswerStream {
    /// Nothing came yet.
    #[default]
    Fresh,
    /// It has begun.
    Open {
        /// Which answer.
        generation: Generation,
    },
    /// It is over, one way or the other.
    Over,
}

impl AnswerStream {
    /// The answer it carries, while it is open.
    pub fn generation(&self) -> Option<Generation> {
        match self {
            Self::Open { generation } => Some(*generation),
            Self::Fresh | Self::Over => None,
        }
    }

    /// A frame came.
    pub fn handle(&mut self, frame: Answer, gate: &mut Gate) -> Verdict {
        match (&*self, frame) {
            (Self::Fresh, Answer::Start { generation, rate_hz }) => {
                if gate.begin(generation) {
                    *self = Self::Open { generation };
                    Verdict::Hear(Piece::Start { generation, rate_hz })
                } else {
                    *self = Self::Over;
                    Verdict::Stop
                }
            }
            (Self::Open { generation }, frame) => {
                let generation = *generation;
                if !gate.hears(generation) {
                    *self = Self::Over;
                    return Verdict::Stop;
                }
                match frame {
                    Answer::Sentence { index } => Verdict::Hear(Piece::Sentence { generation, index }),
                    Answer::Pcm(bytes) => Verdict::Hear(Piece::Pcm { generation, samples: to_samples(&bytes) }),
                    Answer::End => self.complete(generation, None),
                    Answer::Answered { newest } => self.complete(generation, Some(newest)),
                    Answer::Start { .. } => self.broken(gate),
                }
            }
            (Self::Fresh | Self::Over, _) => self.broken(gate),
        }
    }

    fn complete(&mut self, generation: Generation, answers: Option<Utterance>) -> Verdict {
        *self = Self::Over;
        Verdict::Hear(Piece::End { generation, answers })
    }

    /// The stream ended, in whatever way. Without its last frame the answer was cut.
    pub fn ended(&mut self, gate: &Gate) -> Option<Piece> {
        let generation = self.generation();
        *self = Self::Over;
        generation.filter(|generation| gate.hears(*generation)).map(|generation| Piece::Cut { generation })
    }

    /// What came is no frame, or not one that belongs here.
    pub fn broken(&mut self, gate: &Gate) -> Verdict {
        Verdict::Broken(self.ended(gate))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn start(generation: u64) -> Answer {
        Answer::Start { generation: Generation(generation), rate_hz: 22_050 }
    }

    #[test]
    fn without_an_end_frame_an_answer_is_cut() {
        let (mut gate, mut stream) = (Gate::default(), AnswerStream::default());
        stream.handle(start(1), &mut gate);
        let heard = stream.handle(Answer::Pcm(vec![1, 0, 2, 0]), &mut gate);
        let generation = Generation(1);
        let samples = vec![1, 2];
        assert_eq!(heard, Verdict::Hear(Piece::Pcm { generation, samples }));
        assert_eq!(stream.ended(&gate), Some(Piece::Cut { generation }));
        assert_eq!(stream.ended(&gate), None);
    }

    #[test]
    fn with_one_it_is_complete() {
        let (mut gate, mut stream) = (Gate::default(), AnswerStream::default());
        stream.handle(start(1), &mut gate);
        let generation = Generation(1);
        let end = Verdict::Hear(Piece::End { generation, answers: None });
        assert_eq!(stream.handle(Answer::End, &mut gate), end);
        assert_eq!(stream.ended(&gate), None);
        assert_eq!(stream.handle(Answer::End, &mut gate), Verdict::Broken(None));
        let (mut second, newest) = (AnswerStream::default(), Utterance(7));
        second.handle(start(2), &mut gate);
        let end = Verdict::Hear(Piece::End { generation: Generation(2), answers: Some(newest) });
        assert_eq!(second.handle(Answer::Answered { newest }, &mut gate), end);
        assert_eq!(second.ended(&gate), None);
    }

    #[test]
    fn no_sample_of_an_older_or_stopped_generation_is_heard() {
        let mut gate = Gate::default();
        let (mut old, mut new) = (AnswerStream::default(), AnswerStream::default());
        old.handle(start(1), &mut gate);
        new.handle(start(2), &mut gate);
        assert_eq!(old.handle(Answer::Pcm(vec![0, 0]), &mut gate), Verdict::Stop);
        gate.stop(Generation(2));
        assert_eq!(new.handle(Answer::Pcm(vec![0, 0]), &mut gate), Verdict::Stop);
        assert_eq!(AnswerStream::default().handle(start(2), &mut gate), Verdict::Stop);
        gate.stop(Generation(9));
        assert_eq!(AnswerStream::default().handle(start(9), &mut gate), Verdict::Stop);
        gate.reset();
        let heard = AnswerStream::default().handle(start(1), &mut gate);
        assert!(matches!(heard, Verdict::Hear(Piece::Start { .. })));
    }
}
