//! The room's end of Jarvis: microphone, echo canceller, wake word, link, loudspeaker.
//!
//! Sound flows through the modules in this order: [`audio`] (device to ring) -> [`sound`] (echo canceller, voice detector,
//! 20 ms frames) -> [`wake`] and [`session`] (pre-roll, utterances) -> [`net`]; and back from [`net`] -> [`session`] -> [`audio`].

pub mod audio;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod environment;
pub mod led;
pub mod log;
pub mod net;
pub mod run;
pub mod session;
pub mod sound;
pub mod tool;
pub mod wake;
