//! Microphones and loudspeakers.
//!
//! One backend is one file and one line of [`BACKENDS`]. A backend only moves samples between a device and the
//! lock-free ends in [`tape`] and [`mouth`]; it knows nothing of what they mean.

mod alsa;
mod device;
pub mod mouth;
mod null;
mod paced;
mod pulse;
pub mod resample;
pub mod tape;
pub mod wav;

pub use paced::Hiss;

use std::sync::mpsc::SyncSender;

use crate::clock::Clock;
use crate::config::AudioConfig;
use mouth::LentThroat;
use tape::TapeWriter;

/// All backends, the default first.
pub static BACKENDS: &[&dyn Backend] = &[&pulse::Pulse, &alsa::Alsa, &wav::Wav, &null::Null];

/// A way to reach sound hardware, or something in its place.
pub trait Backend: Sync {
    /// The name it has in the configuration.
    fn name(&self) -> &'static str;
    /// What there is to choose from.
    fn devices(&self) -> Result<Devices, AudioError>;
    /// Finds out how the microphone can be read, without opening it.
    fn microphone(&self, config: &AudioConfig) -> Result<Box<dyn Microphone>, AudioError>;
    /// Finds out how the loudspeaker can be driven, without opening it.
    fn loudspeaker(&self, config: &AudioConfig) -> Result<Box<dyn Loudspeaker>, AudioError>;
}

/// A microphone that was found and can be opened.
pub trait Microphone {
    /// Samples a second that it will write.
    fn rate_hz(&self) -> u32;
    /// Opens it: mono samples flow to `tape` until the stream is dropped.
    fn open(
        self: Box<Self>,
        tape: TapeWriter,
        clock: Clock,
        faults: SyncSender<Fault>,
    ) -> Result<Box<dyn Stream>, AudioError>;
}

/// A loudspeaker that was found and can be opened, and opened again after its stream was dropped.
pub trait Loudspeaker: Send {
    /// Samples a second that it will take.
    fn rate_hz(&self) -> u32;
    /// Whether it is better closed while there is nothing to play.
    fn rests(&self) -> bool {
        false
    }
    /// Opens it: mono samples are drawn from `throat` until the stream is dropped.
    fn open(&self, throat: LentThroat, clock: Clock, faults: SyncSender<Fault>) -> Result<Box<dyn Stream>, AudioError>;
}

/// An open device; dropping it closes the device.
pub trait Stream: Send {}

/// Which device a fault befell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The microphone.
    Microphone,
    /// The loudspeaker.
    Loudspeaker,
}

/// A device went away or failed while it was open, for good or for a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub which: Which,
    /// What the system says.
    pub reason: String,
    /// It is past going on; otherwise its owner looks whether sound still flows.
    pub over: bool,
}

/// Names of devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    /// Names that `microphone` takes.
    pub microphones: Vec<String>,
    /// Names that `loudspeaker` takes.
    pub loudspeakers: Vec<String>,
}

/// Why a device can't be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AudioError {
    /// No such backend.
    #[error("there is no audio backend \"{name}\"; choose one of: {known}")]
    NoBackend {
        /// As configured.
        name: String,
        /// All there are.
        known: String,
    },
    /// The sound system does not answer.
    #[error("{host} can't be reached ({reason}); {remedy}")]
    NoHost {
        /// Which sound system.
        host: &'static str,
        /// What it says.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// No such device.
    #[error("there is no {what} \"{name}\"; there {exist}")]
    NoDevice {
        /// "microphone" or "loudspeaker".
        what: &'static str,
        /// As configured.
        name: String,
        /// What there is instead, in words.
        exist: String,
    },
    /// The device can't be run as wanted.
    #[error("{what} \"{name}\" can't be used: {reason}")]
    Unusable {
        /// "microphone" or "loudspeaker".
        what: &'static str,
        /// Its name.
        name: String,
        /// Why, with a remedy.
        reason: String,
    },
}

/// Finds a backend by name; an empty name is the default.
pub fn backend(name: &str) -> Result<&'static dyn Backend, AudioError> {
    if name.is_empty() {
        return Ok(BACKENDS[0]);
    }
    BACKENDS.iter().find(|backend| backend.name() == name).copied().ok_or_else(|| AudioError::NoBackend {
        name: name.to_owned(),
        known: BACKENDS.iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", "),
    })
}

/// "are: a, b" or "is none at all", for [`AudioError::NoDevice`].
fn existing(names: &[String]) -> String {
    if names.is_empty() { "is none at all".to_owned() } else { format!("are: {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_found_by_name_and_the_default_is_first() {
        for known in BACKENDS {
            assert_eq!(backend(known.name()).unwrap().name(), known.name());
        }
        assert_eq!(backend("").unwrap().name(), BACKENDS[0].name());
        let refused = backend("jack").err().unwrap().to_string();
        assert!(refused.contains("\"jack\"") && refused.contains("pulse"), "{refused}");
    }
}
