//! The small protocol between `jarvisd` and its speech workers.
//!
//! A worker is a process of its own that speaks length-prefixed postcard frames (32-bit little-endian length, then the frame) on its
//! standard input and output. It may die or hang at any moment; the daemon only loses the turn at hand.

use serde::{Deserialize, Serialize};

pub mod frames;
pub mod stdio;

/// To the ear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EarRequest {
    /// Start a session; the one before it, if any, is dropped.
    Begin {
        /// Echoed in every answer of this session.
        session: u64,
        /// Phrases of a runtime grammar; empty for the model's own language model.
        grammar: Vec<String>,
    },
    /// 16 kHz mono, 16-bit samples.
    Audio(Vec<i16>),
    /// No more sound: answer with [`EarEvent::Final`].
    Finish,
    /// Answer with [`EarEvent::Pong`].
    Ping(u64),
}

/// From the ear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EarEvent {
    /// The model is loaded.
    Ready {
        /// Version of the library, where it tells.
        library: String,
        /// Milliseconds it took.
        load_ms: u32,
    },
    /// It can't work; it ends after this.
    Unusable {
        /// What is wrong, with a remedy.
        reason: String,
    },
    /// The utterance as heard so far (joined over the library's own segments).
    Partial {
        /// Of [`EarRequest::Begin`].
        session: u64,
        /// Text.
        text: String,
        /// Milliseconds of sound taken in so far.
        heard_ms: u32,
    },
    /// The utterance.
    Final {
        /// Of [`EarRequest::Begin`].
        session: u64,
        /// Text, segments joined.
        text: String,
        /// Its words.
        words: Vec<Word>,
        /// Longest single call into the library, in milliseconds.
        worst_call_ms: u32,
    },
    /// Answer to [`EarRequest::Ping`].
    Pong(u64),
}

/// One recognised word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// As in the lexicon; `[unk]` for what is not.
    pub text: String,
    /// Milliseconds from the session's first sample.
    pub start_ms: u32,
    /// Likewise.
    pub end_ms: u32,
    /// 0.0 to 1.0; no evidence (a wrong sentence scores 1.0 as well).
    pub confidence: f32,
}

/// To the voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum VoiceRequest {
    /// Speak a sentence; answers follow in order.
    Speak {
        /// Echoed.
        job: u64,
        /// Speakable text.
        text: String,
        /// The engine's name of the voice (`en-gb-x-rp`).
        voice: String,
        /// Words a minute.
        rate: u16,
        /// 0 to 99.
        pitch: u8,
    },
    /// Stop the job at hand.
    Cancel(u64),
}

/// From the voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum VoiceEvent {
    /// Ready to speak.
    Ready {
        /// Version of the library.
        library: String,
        /// Sample rate of all that follows, in hertz.
        rate_hz: u32,
    },
    /// It can't work; it ends after this.
    Unusable {
        /// What is wrong, with a remedy.
        reason: String,
    },
    /// Sound of a job.
    Pcm {
        /// Which.
        job: u64,
        /// Mono samples.
        samples: Vec<i16>,
    },
    /// A job is done.
    Done {
        /// Which.
        job: u64,
    },
    /// A job failed.
    Failed {
        /// Which.
        job: u64,
        /// Why.
        reason: String,
    },
}
