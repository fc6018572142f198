//! No sound at all: a microphone in a silent room and a loudspeaker that nobody hears, both in real time.

use std::sync::mpsc::SyncSender;

use super::mouth::LentThroat;
use super::paced::{Hiss, PERIOD, Paced};
use super::tape::TapeWriter;
use super::{AudioError, Backend, Devices, Fault, Loudspeaker, Microphone, Stream};
use crate::clock::Clock;
use crate::config::AudioConfig;

/// The backend.
pub struct Null;

const RATE_HZ: u32 = 16_000;
const PERIOD_SAMPLES: usize = RATE_HZ as usize * PERIOD.as_millis() as usize / 1000;

struct Silence;

impl Backend for Null {
    fn name(&self) -> &'static str {
        "null"
    }

    fn devices(&self) -> Result<Devices, AudioError> {
        Ok(Devices { microphones: vec!["silence".to_owned()], loudspeakers: vec!["nothing".to_owned()] })
    }

    fn microphone(&self, _config: &AudioConfig) -> Result<Box<dyn Microphone>, AudioError> {
        Ok(Box::new(Silence))
    }

    fn loudspeaker(&self, _config: &AudioConfig) -> Result<Box<dyn Loudspeaker>, AudioError> {
        Ok(Box::new(Silence))
    }
}

impl Microphone for Silence {
    fn rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn open(
        self: Box<Self>,
        mut tape: TapeWriter,
        clock: Clock,
        _faults: SyncSender<Fault>,
    ) -> Result<Box<dyn Stream>, AudioError> {
        let mut hiss = Hiss::default();
        start("null-microphone", "microphone", move |due| {
            let mut period = [0; PERIOD_SAMPLES];
            period.iter_mut().zip(&mut hiss).for_each(|(s, h)| *s = h);
            tape.write(period.iter().copied(), clock.at(due));
            true
        })
    }
}

impl Loudspeaker for Silence {
    fn rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn open(
        &self,
        mut throat: LentThroat,
        clock: Clock,
        _faults: SyncSender<Fault>,
    ) -> Result<Box<dyn Stream>, AudioError> {
        start("null-loudspeaker", "loudspeaker", move |due| {
            throat.fill(&mut [0; PERIOD_SAMPLES], clock.at(due));
            true
        })
    }
}

fn start(
    name: &'static str,
    what: &'static str,
    period: impl FnMut(std::time::Instant) -> bool + Send + 'static,
) -> Result<Box<dyn Stream>, AudioError> {
    Paced::start(name, period).map(|paced| Box::new(paced) as Box<dyn Stream>).map_err(|reason| AudioError::Unusable {
        what,
        name: name.to_owned(),
        reason: reason.to_string(),
    })
}
