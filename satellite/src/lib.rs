//! The room's end: microphone, wake word, link, loudspeaker.

pub mod net;
