//! One utterance.

use jarvis_worker::Word;
use tokio::sync::mpsc;

/// Pieces of sound on their way to the worker: at 20 ms each, more than the 1.5 s of pre-roll that come at once. When it is full
/// [`EarSession::audio`] waits; nothing is dropped.
pub(super) const AUDIO_QUEUE: usize = 256;
/// Partials on their way back. When it is full the oldest news is what the reader gets first; the worker waits.
pub(super) const HEARD_QUEUE: usize = 64;

/// Why there is no session, or no longer one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EarError {
    /// The worker is being started.
    #[error("the speech recogniser is still starting")]
    Starting,
    /// The worker can't be run as it is configured.
    #[error("no speech recognition: {0}")]
    Broken(String),
    /// As many utterances are being heard as there are workers, and none of them ended in time.
    #[error(
        "the speech recogniser hears {workers} rooms already: raise `workers` in the section [ear] to hear more at once"
    )]
    Busy {
        /// Workers as configured.
        workers: usize,
    },
    /// The session is over.
    #[error("this utterance is over")]
    Over,
}

/// What the ear says of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub enum EarHeard {
    /// So far.
    Partial {
        /// Text, lower case.
        text: String,
        /// Milliseconds of sound behind it.
        heard_ms: u32,
    },
    /// All of it; nothing follows.
    Final {
        /// Text, lower case.
        text: String,
        /// Its words with their times.
        words: Vec<Word>,
        /// Longest call into the library, in milliseconds.
        worst_call_ms: u32,
    },
    /// The worker is gone; nothing follows.
    Lost {
        /// Why.
        reason: String,
    },
}

/// To the owner task.
#[derive(Debug)]
pub(super) enum ToWorker {
    Audio(Vec<i16>),
    Finish,
}

/// An utterance being heard. Dropping it gives it up.
#[derive(Debug)]
pub struct EarSession {
    pub(super) to_worker: mpsc::Sender<ToWorker>,
    pub(super) heard: mpsc::Receiver<EarHeard>,
}

impl EarSession {
    /// Hands over 16 kHz mono sound, in order.
    pub async fn audio(&mut self, samples: &[i16]) -> Result<(), EarError> {
        self.to_worker.send(ToWorker::Audio(samples.to_vec())).await.map_err(|_| EarError::Over)
    }

    /// No more sound: the answer is [`EarHeard::Final`].
    pub async fn finish(&mut self) -> Result<(), EarError> {
        self.to_worker.send(ToWorker::Finish).await.map_err(|_| EarError::Over)
    }

    /// What was heard next. Cancel-safe. After `Final` or `Lost` it is `Lost` for ever.
    pub async fn next(&mut self) -> EarHeard {
        match self.heard.recv().await {
            Some(heard) => heard,
            None => EarHeard::Lost { reason: EarError::Over.to_string() },
        }
    }
}
