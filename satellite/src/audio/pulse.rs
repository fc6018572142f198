//! PulseAudio, and PipeWire where it answers as PulseAudio.

use cpal::HostId;

use super::device::Host;
use super::{AudioError, Backend, Devices, Loudspeaker, Microphone, Which};
use crate::config::AudioConfig;

/// The PulseAudio host.
pub struct Pulse;

static HOST: Host = Host {
    name: "PulseAudio",
    id: HostId::PulseAudio,
    remedy: "start it (or set PULSE_SERVER), or choose another audio backend in [audio]",
    converts: true,
};

impl Backend for Pulse {
    fn name(&self) -> &'static str {
        "pulse"
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
