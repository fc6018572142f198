//! ALSA: the hardware itself, as on a Pi without a sound server.

use cpal::HostId;

use super::device::Host;
use super::{AudioError, Backend, Devices, Loudspeaker, Microphone, Which};
use crate::config::AudioConfig;

/// The ALSA host.
pub struct Alsa;

static HOST: Host = Host {
    name: "ALSA",
    id: HostId::Alsa,
    remedy: "see whether the user may read /dev/snd (group audio), or choose another audio backend in [audio]",
    converts: false,
};

impl Backend for Alsa {
    fn name(&self) -> &'static str {
        "alsa"
    }

    fn devices(&self) -> Result<Devices, AudioError> {
        HOST.devices()
    }

    fn microphone(&self, config: &AudioConfig) -> Result<Box<dyn Microphone>, AudioError> {
        let found = HOST.find(Which::Microphone, &config.microphone, config.microphone_rate_hz)?;
        Ok(Box::new(found))
    }

    fn loudspeaker(&self, config: &AudioConfig) -> Result<Box<dyn Loudspeaker>, AudioError> {
        let found = HOST.find(Which::Loudspeaker, &config.loudspeaker, config.loudspeaker_rate_hz)?;
        Ok(Box::new(found))
    }
}
