//! From raw samples to what the house works on: echo cancelled, 16 kHz mono, 20 ms frames with times and voice.

mod doubt;
pub mod earcon;
mod echo;
pub mod front;
mod pipeline;
mod speaking;
mod voice;

pub use echo::{EchoCanceller, Reference};
pub use pipeline::Pipeline;
pub use voice::VoiceDetector;

use jarvis_link::message::{MIC_FRAME_SAMPLES, SatMicros};

/// 20 ms of the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MicFrame {
    /// When its first sample was captured.
    pub captured: SatMicros,
    /// The voice detector's judgement, 0 to 255.
    pub voice: u8,
    /// Sound, echo cancelled.
    pub samples: [i16; MIC_FRAME_SAMPLES],
}

/// Length of a frame in microseconds.
pub const FRAME_US: u64 = 20_000;
/// Samples in the 10 ms blocks of the echo canceller.
const BLOCK: usize = 160;

/// How long so many samples last, in microseconds.
fn micros(samples: u64, rate_hz: u32) -> u64 {
    samples * 1_000_000 / u64::from(rate_hz)
}
