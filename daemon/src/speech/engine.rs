//! What a speech engine is. A new one is a file beside this one and a line in [`super::config`]'s table.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

/// Something that speaks.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// Its name in events, on the page and in the cache.
    fn name(&self) -> &str;

    /// Everything beside the text that the sound depends on: voice, rate, pitch, model, server. Part of the cache's key.
    fn manner(&self) -> String;

    /// How long it may let a hearer wait.
    fn limits(&self) -> Limits;

    /// Whether the same text always takes the same time, to a millisecond: then a sentence that broke off goes on where it was,
    /// instead of beginning anew.
    fn keeps_time(&self) -> bool {
        false
    }

    /// Speaks; dropping the stream stops the engine.
    fn speak<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<PcmStream, SpeechError>>;
}

/// Sound as it is made.
pub struct PcmStream {
    /// Its sample rate, in hertz.
    pub rate_hz: u32,
    /// Mono samples; it ends with the sentence, or after an error.
    pub chunks: BoxStream<'static, Result<Vec<i16>, SpeechError>>,
}

/// Time limits of an engine, beyond which the next one takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the request to the first audible sound.
    pub first_chunk: Duration,
    /// Between two pieces of sound.
    pub between_chunks: Duration,
}

/// Why a sentence was not spoken, or not by this engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpeechError {
    /// Settings that can't work.
    #[error("{0}")]
    Setup(String),
    /// There is no word in the text.
    #[error("there is nothing to say")]
    NothingToSay,
    /// The text is no sentence.
    #[error("a sentence of {0} bytes (at most {max} are spoken)", max = super::MAX_TEXT_BYTES)]
    TextTooLong(usize),
    /// The owner task has ended.
    #[error("the voice has stopped")]
    Stopped,
    /// The worker process was lost in the middle; it is being restarted, and another try may work.
    #[error("{0}")]
    WorkerLost(String),
    /// The engine says no.
    #[error("{0}")]
    Refused(String),
    /// It can't be reached.
    #[error("can't be reached: {0}")]
    Unreachable(String),
    /// It answers with something that is no sound we understand.
    #[error("{0}")]
    Format(String),
    /// Its sound broke off.
    #[error("broke off in the middle of a sentence: {0}")]
    Cut(String),
    /// It did not begin in time.
    #[error("no sound within {0} ms")]
    Late(u128),
    /// It stopped sending.
    #[error("no more sound for {0} ms in the middle of a sentence")]
    Stalled(u128),
    /// All that came was silence.
    #[error("gave nothing but silence")]
    Silent,
    /// It does not end.
    #[error("more than {0} s of sound for one sentence")]
    Endless(u64),
    /// Nobody listens any more.
    #[error("nobody listens any more")]
    Unheard,
    /// None of the engines could.
    #[error("no engine could speak: {0}")]
    NoEngine(String),
}
