//! A turn's ear: the session, what is kept back from it, and where its times lie.

use std::collections::VecDeque;
use std::time::Duration;

use jarvis_core::ids::Millis;

use crate::ear::{Ear, EarError, EarHeard, EarSession};

/// Frames kept back during the reopening window: more than its longest. Beyond it the oldest are dropped.
const HELD_MAX: usize = 200;
/// A backstop: the ear itself waits some seconds for a worker that is being started, and frames wait meanwhile.
const BEGIN_MAX: Duration = Duration::from_secs(6);

/// What hears an utterance.
pub(super) enum Hearing {
    /// Nothing is heard in this turn, or no more.
    Off,
    /// The ear hears.
    On {
        /// Its session.
        session: EarSession,
        /// Capture time of the first sample it got.
        first: Option<Millis>,
    },
    /// Frames are kept back.
    Held {
        /// Its session.
        session: EarSession,
        /// Capture time of the first sample it got.
        first: Option<Millis>,
        /// What it did not get.
        frames: VecDeque<Vec<i16>>,
    },
}

impl Hearing {
    pub(super) async fn begin(ear: &Ear) -> Result<Self, String> {
        match tokio::time::timeout(BEGIN_MAX, ear.begin()).await {
            Ok(Ok(session)) => Ok(Self::On { session, first: None }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the speech recogniser takes no utterance".to_owned()),
        }
    }

    /// A frame; an error means that the ear is lost.
    pub(super) async fn frame(&mut self, captured: Millis, samples: Vec<i16>) -> Result<(), EarError> {
        match self {
            Self::Off => Ok(()),
            Self::On { session, first } => {
                first.get_or_insert(captured);
                session.audio(&samples).await
            }
            Self::Held { frames, .. } => {
                if frames.len() == HELD_MAX {
                    frames.pop_front();
                }
                frames.push_back(samples);
                Ok(())
            }
        }
    }

    pub(super) fn hold(&mut self) {
        *self = match std::mem::replace(self, Self::Off) {
            Self::On { session, first } => Self::Held { session, first, frames: VecDeque::new() },
            other => other,
        };
    }

    pub(super) async fn resume(&mut self) -> Result<(), EarError> {
        *self = match std::mem::replace(self, Self::Off) {
            Self::Held { mut session, first, frames } => {
                for frame in frames {
                    session.audio(&frame).await?;
                }
                Self::On { session, first }
            }
            other => other,
        };
        Ok(())
    }

    pub(super) async fn finish(&mut self) -> Result<(), EarError> {
        *self = match std::mem::replace(self, Self::Off) {
            Self::Held { session, first, .. } => Self::On { session, first },
            other => other,
        };
        match self {
            Self::On { session, .. } => session.finish().await,
            Self::Off | Self::Held { .. } => Ok(()),
        }
    }

    /// What was heard next; never, where nothing hears. Cancel-safe.
    pub(super) async fn next(&mut self) -> EarHeard {
        match self {
            Self::Off => std::future::pending().await,
            Self::On { session, .. } | Self::Held { session, .. } => session.next().await,
        }
    }

    /// Capture time of the sample `heard_ms` into the session.
    pub(super) fn captured(&self, heard_ms: u32) -> Millis {
        match self {
            Self::Off => Millis(0),
            Self::On { first, .. } | Self::Held { first, .. } => first.unwrap_or_default().plus(u64::from(heard_ms)),
        }
    }
}
