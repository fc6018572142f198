//! The voice: sentences to sound.
//!
//! [`Speech`] is a handle to one owner task, [`SpeechTask::run`], awaited by whoever started it. A sentence is looked for in the cache,
//! else spoken by the first engine of the configuration that answers within its time limits; espeak-ng in its worker is always the
//! last. A fallback is never silent: [`Spoken::fallback`] names its reason, what [`Speech::status`] says becomes an event and a line on the
//! page, and [`Spoken::lost`] a word in the answer.
//!
//! The rate of an answer is fixed at [`RATE_HZ`]: what an engine gives at another rate is converted here, so that the satellite hears
//! one stream whoever spoke.

mod cache;
mod chain;
mod config;
mod decode;
mod engine;
mod espeak;
mod openai;
mod rate;
mod spoken;
mod task;

use tokio::sync::{mpsc, oneshot, watch};

pub use cache::CacheStatus;
pub use config::{EngineConfig, SpeechConfig};
pub use engine::{Engine, Limits, PcmStream, SpeechError};
pub use openai::OpenAiConfig;
pub use spoken::Spoken;
pub use task::{EngineStatus, SpeechStatus, SpeechTask};

use chain::Job;

/// Sample rate of everything that is spoken, in hertz: espeak-ng's own.
pub const RATE_HZ: u32 = 22_050;

/// Longest text that is spoken as one sentence, in bytes. Words are longer than the sentence they stand for
/// ([`jarvis_core::sentences::MAX_SENTENCE_CHARS`]).
pub const MAX_TEXT_BYTES: usize = 8 * 1024;

/// Sentences that wait for the owner task. When they are more, [`Speech::speak`] waits.
const SENTENCE_QUEUE: usize = 16;

/// A handle; cheap to clone. When the last is dropped, [`SpeechTask::run`] ends.
#[derive(Debug, Clone)]
pub struct Speech {
    jobs: mpsc::Sender<Job>,
    status: watch::Receiver<SpeechStatus>,
}

impl Speech {
    /// Makes the handle and its task. The worker is started by [`SpeechTask::run`]; an engine that is away is no error here.
    ///
    /// # Errors
    /// An engine's settings can't work (its URL, its key file).
    pub async fn start(config: &SpeechConfig) -> Result<(Self, SpeechTask), SpeechError> {
        let (jobs, queue) = mpsc::channel(SENTENCE_QUEUE);
        let (status_out, status) = watch::channel(SpeechStatus::default());
        let task = SpeechTask::new(config, queue, status_out)?;
        Ok((Self { jobs, status }, task))
    }

    /// Speaks one sentence, which [`jarvis_core::speakable`] has turned into words. Returns with its first sound; dropping what it
    /// returns stops the engine.
    ///
    /// # Errors
    /// No engine could speak it; the text says why each of them did not.
    pub async fn speak(&self, sentence: &str) -> Result<Spoken, SpeechError> {
        if !sentence.contains(char::is_alphanumeric) {
            return Err(SpeechError::NothingToSay);
        }
        if sentence.len() > MAX_TEXT_BYTES {
            return Err(SpeechError::TextTooLong(sentence.len()));
        }
        let (started, spoken) = oneshot::channel();
        let job = Job { text: sentence.to_owned(), started };
        self.jobs.send(job).await.map_err(|_| SpeechError::Stopped)?;
        spoken.await.map_err(|_| SpeechError::Stopped)?
    }

    /// How engines and cache are.
    pub fn status(&self) -> SpeechStatus {
        self.status.borrow().clone()
    }
}
