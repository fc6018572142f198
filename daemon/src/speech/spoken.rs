//! A sentence as it is spoken.

use tokio::sync::mpsc;

use super::engine::SpeechError;

/// What reaches the hearer.
#[derive(Debug)]
pub(super) enum Heard {
    /// Sound.
    Pcm(Vec<i16>),
    /// The engine failed in the middle: another takes over.
    Fallback { engine: String, reason: String, lost: Option<String> },
    /// No engine could finish it.
    Failed(SpeechError),
}

/// A sentence that has begun. Dropping it stops the engine.
#[derive(Debug)]
pub struct Spoken {
    /// Sample rate, in hertz: always [`super::RATE_HZ`].
    pub rate_hz: u32,
    /// The engine that speaks; it may change while the sentence lasts.
    pub engine: String,
    /// Why it is not the first engine of the configuration; it may come up while the sentence lasts.
    pub fallback: Option<String>,
    /// The engine whose failure is why another speaks, where it had worked until now: then the hearer is told of the change of voice. It may
    /// come up while the sentence lasts.
    pub lost: Option<String>,
    /// Whether it was on disk.
    pub cached: bool,
    pub(super) chunks: mpsc::Receiver<Heard>,
}

impl Spoken {
    /// The next mono samples; `None` once the sentence is whole. Cancel-safe.
    ///
    /// # Errors
    /// No engine could finish the sentence; nothing more comes.
    pub async fn next(&mut self) -> Option<Result<Vec<i16>, SpeechError>> {
        loop {
            match self.chunks.recv().await? {
                Heard::Pcm(samples) => return Some(Ok(samples)),
                Heard::Failed(error) => return Some(Err(error)),
                Heard::Fallback { engine, reason, lost } => {
                    self.engine = engine;
                    self.fallback = Some(reason);
                    self.lost = lost;
                }
            }
        }
    }

    /// All of it, for tests and for sentences made ahead.
    ///
    /// # Errors
    /// No engine could finish the sentence.
    pub async fn whole(&mut self) -> Result<Vec<i16>, SpeechError> {
        let mut all = Vec::new();
        while let Some(samples) = self.next().await {
            all.extend(samples?);
        }
        Ok(all)
    }
}
