//! The open loudspeaker: what it plays, what the echo canceller hears of it, and its rest.

use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use super::Reference;
use super::doubt::{Doubt, STALL};
use crate::audio::mouth::{LentThroat, Mouth, Rest, Rouse, Throat, mouth};
use crate::audio::tape::tape;
use crate::audio::{AudioError, Backend, Fault, Loudspeaker, Stream};
use crate::clock::Clock;
use crate::config::AudioConfig;

const TAPE_S: u32 = 3;
/// A loudspeaker that was silent for this long rests, where its backend lets it. A sound server works in far smaller steps while somebody
/// plays with little delay, even silence, and hands a microphone on in steps as small: nine tenths of an idle satellite's work.
const REST_AFTER_MS: u64 = 10_000;
/// How long a sound server may take to close a stream.
const HOME_TIMEOUT: Duration = Duration::from_millis(500);

/// An open loudspeaker.
pub(super) struct Speaking {
    name: String,
    device: Box<dyn Loudspeaker>,
    flow: Flow,
    reference: Reference,
    spoke_at: Instant,
    doubt: Doubt,
    rest: Rest,
}

enum Flow {
    Playing {
        stream: Box<dyn Stream>,
        home: Receiver<Box<Throat>>,
    },
    Resting(Box<Throat>),
    /// The throat did not come home, or could not be lent again.
    Lost,
}

impl Flow {
    fn play(
        device: &dyn Loudspeaker,
        throat: Box<Throat>,
        clock: Clock,
        faults: &SyncSender<Fault>,
    ) -> Result<Self, AudioError> {
        let (lent, home) = LentThroat::lend(throat);
        let stream = device.open(lent, clock, faults.clone())?;
        Ok(Self::Playing { stream, home })
    }
}

impl Speaking {
    /// Opens the configured one; the mouth is for the session.
    pub(super) fn open(
        backend: &dyn Backend,
        config: &AudioConfig,
        clock: Clock,
        faults: &SyncSender<Fault>,
        rouse: Rouse,
    ) -> Result<(Self, Mouth), AudioError> {
        let device = backend.loudspeaker(config)?;
        let rate = device.rate_hz();
        let (writer, reader) = tape(rate, TAPE_S);
        let reference = Reference::new(reader).map_err(|error| AudioError::Unusable {
            what: "loudspeaker",
            name: config.loudspeaker.clone(),
            reason: error.to_string(),
        })?;
        let (mouth, throat) = mouth(rate, writer, rouse);
        let rest = throat.rest();
        let flow = Flow::play(&*device, Box::new(throat), clock, faults)?;
        let name = config.loudspeaker.clone();
        let (spoke_at, doubt) = (Instant::now(), Doubt::default());
        Ok((Self { name, device, flow, reference, spoke_at, doubt, rest }, mouth))
    }

    /// What was played, for the echo canceller.
    pub(super) fn reference(&mut self) -> &mut Reference {
        &mut self.reference
    }

    /// Takes in what was played since.
    pub(super) fn take_in(&mut self) {
        if self.reference.take_in() {
            self.spoke_at = Instant::now();
            self.doubt.flows(self.spoke_at);
        }
    }

    /// It told a fault; it may go on.
    pub(super) fn fault(&mut self, reason: String) {
        self.doubt.fault(reason, Instant::now());
    }

    /// Why it is lost: it takes no sound, not even silence. A resting one is not.
    pub(super) fn lost(&mut self) -> Option<String> {
        let Flow::Playing { .. } = self.flow else {
            return None;
        };
        let stalled = || (self.spoke_at.elapsed() > STALL).then(|| "it is open, but takes no sound".to_owned());
        self.doubt.lost(Instant::now()).or_else(stalled)
    }

    /// Closes its stream once it was silent for long, and opens it again once something is to be heard.
    ///
    /// # Errors
    /// Where it can't be used any more.
    pub(super) fn tend(&mut self, clock: Clock, faults: &SyncSender<Fault>) -> Result<(), AudioError> {
        self.flow = match std::mem::replace(&mut self.flow, Flow::Lost) {
            Flow::Playing { stream, home } if self.may_rest() => {
                drop(stream);
                let throat = home.recv_timeout(HOME_TIMEOUT).map_err(|error| AudioError::Unusable {
                    what: "loudspeaker",
                    name: self.name.clone(),
                    reason: format!("the sound server does not close it: {error}"),
                })?;
                tracing::debug!("the loudspeaker rests");
                self.doubt = Doubt::default();
                Flow::Resting(throat)
            }
            Flow::Resting(throat) if self.rest.is_over() => {
                self.rest.end();
                self.spoke_at = Instant::now();
                tracing::debug!("the loudspeaker plays again");
                Flow::play(&*self.device, throat, clock, faults)?
            }
            as_it_is => as_it_is,
        };
        Ok(())
    }

    fn may_rest(&self) -> bool {
        self.device.rests() && self.rest.silent_ms() >= REST_AFTER_MS && self.rest.begin()
    }
}
