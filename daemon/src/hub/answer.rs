//! One answer on its way to a satellite's loudspeaker.

use super::HubError;

/// Writes one answer (generation). Dropped without [`AnswerWriter::finish`] it resets the stream, so that a cut answer
/// never looks complete.
#[derive(Debug)]
pub struct AnswerWriter {}

impl AnswerWriter {
    /// What follows belongs to this sentence (counts up from 0).
    pub async fn sentence(&mut self, index: u16) -> Result<(), HubError> {
        let _ = index;
        Err(HubError::Stopped)
    }

    /// Sound at the rate the answer was opened with. Returns once it is handed over, which is paced: never more
    /// than 500 ms ahead of the loudspeaker.
    pub async fn pcm(&mut self, samples: &[i16]) -> Result<(), HubError> {
        let _ = samples;
        Err(HubError::Stopped)
    }

    /// Writes the End frame: the answer is complete.
    pub async fn finish(self) -> Result<(), HubError> {
        Err(HubError::Stopped)
    }

    /// Breaks the answer off: unsent sound is dropped.
    pub fn reset(self) {}
}
