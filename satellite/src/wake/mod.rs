//! The wake word: is somebody calling?
//!
//! Whatever spots words is behind [`Spotter`], on a thread of its own ([`listen`]); [`Gate`] feeds it only where there may be a voice, so
//! that it costs nothing in a quiet room.

mod dtw;
mod gate;
pub mod learn;
pub mod listen;

pub use dtw::{Dtw, SpotterError};
pub use gate::{Gate, WakeFeed};

/// The embedded references for "hey jarvis", made by `satellite/wake/make_references.sh`.
pub static HEY_JARVIS: &[u8] = include_bytes!("../../wake/hey-jarvis.rpw");
/// What the embedded references are called.
pub const HEY_JARVIS_PHRASE: &str = "hey jarvis";

/// Spots wake words in 16 kHz sound.
pub trait Spotter: Send {
    /// Takes the next samples, any number of them, in.
    fn hear(&mut self, samples: &[i16]) -> Option<Spotted>;
    /// What comes next does not follow what came before.
    fn forget(&mut self);
}

/// A wake word that was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Spotted {
    /// Which.
    pub phrase: String,
    /// How well it fits, 0.0 to 1.0.
    pub score: f32,
    /// Learnt from recordings of the people here.
    pub enrolled: bool,
}
