//! One answer on its way to a satellite's loudspeaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jarvis_core::ids::SatelliteId;
use jarvis_link::frame::encode;
use jarvis_link::message::{ANSWER_RATES_HZ, Answer, Generation, Utterance, to_bytes};
use jarvis_link::pacer::Pacer;
use jarvis_link::transport::{Code, priority};
use quinn::{SendStream, VarInt};
use tokio::sync::{mpsc, oneshot};

use super::owner::Command;
use super::{Clock, HubError};

/// How long a satellite may take to have room for another answer stream.
const OPEN_LIMIT: Duration = Duration::from_secs(1);
/// Frames of an answer are this long, so that a lost packet holds up little.
const FRAMES_PER_S: u32 = 50;

/// What the owner hands out for a new answer.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) connection: quinn::Connection,
    /// The newest generation given out for that satellite: a writer of an older one resets itself.
    pub(super) newest: Arc<AtomicU64>,
}

/// Writes one answer (generation). Dropped without [`AnswerWriter::finish`] it resets the stream, so that a cut answer
/// never looks complete.
///
/// A call that is cancelled (a branch of `select!` that lost) leaves the stream whole; of the sound given to it, a part may be missing.
#[derive(Debug)]
pub struct AnswerWriter {
    stream: SendStream,
    unsent: Vec<u8>,
    pacer: Pacer,
    rate_hz: u32,
    clock: Clock,
    satellite: SatelliteId,
    generation: Generation,
    newest: Arc<AtomicU64>,
    commands: mpsc::Sender<Command>,
    whole: bool,
}

impl AnswerWriter {
    pub(super) async fn open(
        opening: Opening,
        satellite: SatelliteId,
        generation: Generation,
        rate_hz: u32,
        clock: Clock,
        commands: mpsc::Sender<Command>,
    ) -> Result<Self, HubError> {
        if !ANSWER_RATES_HZ.contains(&rate_hz) {
            return Err(HubError::BadRate(rate_hz));
        }
        let stream = tokio::time::timeout(OPEN_LIMIT, opening.connection.open_uni())
            .await
            .map_err(|_| HubError::Stalled(satellite.clone()))?
            .map_err(|_| HubError::NotConnected(satellite.clone()))?;
        stream.set_priority(priority::PLAYBACK).map_err(|_| HubError::Stopped)?;
        let mut writer = Self {
            stream,
            unsent: Vec::new(),
            pacer: Pacer::new(rate_hz),
            rate_hz,
            clock,
            satellite,
            generation,
            newest: opening.newest,
            commands,
            whole: false,
        };
        writer.write(&Answer::Start { generation, rate_hz }).await?;
        Ok(writer)
    }

    /// Which answer this is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The sample rate it was opened with, in hertz.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// What follows belongs to this sentence (counts up from 0).
    pub async fn sentence(&mut self, index: u16) -> Result<(), HubError> {
        self.write(&Answer::Sentence { index }).await
    }

    /// Sound at the rate the answer was opened with. Returns once it is handed over, which is paced: never more
    /// than 500 ms ahead of the loudspeaker.
    pub async fn pcm(&mut self, samples: &[i16]) -> Result<(), HubError> {
        let frame = (self.rate_hz / FRAMES_PER_S) as usize;
        for samples in samples.chunks(frame.max(1)) {
            let hold = self.pacer.hold(samples.len(), self.clock.now());
            if hold > 0 {
                self.hold(Duration::from_micros(hold)).await?;
            }
            self.write(&Answer::Pcm(to_bytes(samples))).await?;
        }
        Ok(())
    }

    /// Writes the last frame: the answer is complete, and the utterances it answers are settled.
    pub async fn finish(mut self) -> Result<(), HubError> {
        let last = self.answers().await?.map_or(Answer::End, |newest| Answer::Answered { newest });
        self.write(&last).await?;
        self.stream.finish().map_err(|_| HubError::Stopped)?;
        self.whole = true;
        let finished = Command::AnswerFinished { satellite: self.satellite.clone(), generation: self.generation };
        self.commands.send(finished).await.map_err(|_| HubError::Closed)
    }

    /// What it answers, by its connection's task; nothing where that is gone.
    async fn answers(&self) -> Result<Option<Utterance>, HubError> {
        let (reply, answers) = oneshot::channel();
        let ending = Command::AnswerEnding(self.satellite.clone(), self.generation, reply);
        self.commands.send(ending).await.map_err(|_| HubError::Closed)?;
        Ok(answers.await.ok().flatten())
    }

    /// Breaks the answer off: unsent sound is dropped.
    pub fn reset(self) {
        drop(self);
    }

    /// Waits, but not longer than the satellite wants the answer.
    async fn hold(&mut self, time: Duration) -> Result<(), HubError> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            _ = self.stream.stopped() => Err(HubError::Stopped),
        }
    }

    async fn write(&mut self, frame: &Answer) -> Result<(), HubError> {
        self.flush().await?;
        let bytes = encode(frame).map_err(|_| HubError::Stopped)?;
        self.unsent = bytes;
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), HubError> {
        while !self.unsent.is_empty() {
            if self.newest.load(Ordering::Relaxed) != self.generation.0 {
                return Err(HubError::Stopped);
            }
            let written = self.stream.write(&self.unsent).await.map_err(|_| HubError::Stopped)?;
            self.unsent.drain(..written);
        }
        Ok(())
    }
}

impl Drop for AnswerWriter {
    fn drop(&mut self) {
        if !self.whole && self.stream.reset(VarInt::from_u32(Code::Unwanted as u32)).is_err() {
            tracing::trace!(satellite = %self.satellite, "the answer's stream is closed already");
        }
    }
}
