//! A turn's ear: the session, what is kept back from it, and where its times lie.

use std::collections::VecDeque;
use std::time::Duration;

use jarvis_core::ids::Millis;
use jarvis_core::turn::MicEnd;
use jarvis_link::message::MicEnd as LinkMicEnd;
use tokio::sync::mpsc;

use super::TURN_QUEUE;
use super::driver::ToTurn;
use crate::ear::{Ear, EarError, EarHeard, EarSession};
use crate::hub::{Cut, EndReason};

/// Frames kept back during the reopening window: more than its longest. Beyond it the oldest are dropped.
const HELD_MAX: usize = 200;
/// A backstop: the ear itself waits for a worker, see [`crate::ear::BEGIN_WAIT`].
const BEGIN_MAX: Duration = Duration::from_secs(7);

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

/// How the wait for the ear ended.
pub(super) enum Begun {
    /// It hears from now on.
    Hears(Hearing),
    /// It does not.
    Refused(EarError),
    /// The turn was over before.
    Moot,
}

impl Hearing {
    /// Waits for the ear, which may still be starting, or hear other rooms. What the turn is told meanwhile, its sound above all, is put
    /// into `early`, in order, as far as that has room; the rest waits where it is.
    pub(super) async fn begin(ear: &Ear, messages: &mut mpsc::Receiver<ToTurn>, early: &mut VecDeque<ToTurn>) -> Begun {
        let mut begin = std::pin::pin!(tokio::time::timeout(BEGIN_MAX, ear.begin()));
        loop {
            tokio::select! {
                biased;
                begun = &mut begin => return match begun {
                    Ok(Ok(session)) => Begun::Hears(Self::On { session, first: None }),
                    Ok(Err(error)) => Begun::Refused(error),
                    Err(_) => Begun::Refused(EarError::Starting),
                },
                Some(message) = messages.recv(), if early.len() < TURN_QUEUE => {
                    let moot = matches!(message, ToTurn::Superseded | ToTurn::StopPressed | ToTurn::Shutdown);
                    early.push_back(message);
                    if moot {
                        return Begun::Moot;
                    }
                }
            }
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

/// How the microphone was closed, in the turn's own terms.
pub(super) fn mic_end(reason: EndReason) -> MicEnd {
    match reason {
        EndReason::Mic(LinkMicEnd::Closed | LinkMicEnd::Released) => MicEnd::InOrder,
        EndReason::Mic(LinkMicEnd::TooLong) | EndReason::Cut(Cut::TooLong) => MicEnd::TooLong,
        EndReason::Mic(LinkMicEnd::MicLost) => MicEnd::MicLost,
        EndReason::Cut(Cut::LinkLost | Cut::SatelliteRestarted | Cut::Broken | Cut::Revoked) => MicEnd::Cut,
    }
}

#[cfg(test)]
mod tests {
    use jarvis_link::message::DaemonMicros;

    use super::*;
    use crate::ear::EarConfig;

    fn frame(n: u64) -> ToTurn {
        ToTurn::Frame { captured: DaemonMicros(n), voice: 200, samples: vec![0; 320] }
    }

    #[tokio::test]
    async fn a_turn_that_is_over_stops_waiting_and_what_came_meanwhile_is_kept_in_order() {
        // An ear that nobody runs: it never begins.
        let (ear, _task) = Ear::start(EarConfig::default()).await.unwrap();
        let (inbox, mut messages) = mpsc::channel(TURN_QUEUE);
        for n in 0..3 {
            inbox.send(frame(n)).await.unwrap();
        }
        inbox.send(ToTurn::Superseded).await.unwrap();
        inbox.send(frame(3)).await.unwrap();
        let mut early = VecDeque::new();
        let begun = Hearing::begin(&ear, &mut messages, &mut early).await;
        assert!(matches!(begun, Begun::Moot));
        let kept: Vec<_> = early
            .into_iter()
            .map(|message| match message {
                ToTurn::Frame { captured, .. } => Some(captured.0),
                _ => None,
            })
            .collect();
        assert_eq!(kept, [Some(0), Some(1), Some(2), None]);
        assert_eq!(messages.len(), 1, "what came after is still where it was");
    }
}
