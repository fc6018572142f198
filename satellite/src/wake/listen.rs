//! The wake thread.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use jarvis_link::message::SatMicros;
use tokio::sync::mpsc;

use super::{Spotted, Spotter, WakeFeed};
use crate::clock::Clock;
use crate::session::drive::Call;
use crate::sound::front::WAKE_FRAMES_WAITING;

/// A wake word, with the moments that belong to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Woken {
    /// What was spotted.
    pub spotted: Spotted,
    /// When the last sample was captured that it needed.
    pub heard: SatMicros,
    /// When it fired.
    pub at: SatMicros,
}

/// The running thread; it ends when its feed is dropped.
pub struct Listener {
    thread: JoinHandle<()>,
}

impl Listener {
    /// Starts it; wakes go to `session`, and are lost when it does not take them for its whole queue.
    pub fn start(
        mut spotter: Box<dyn Spotter>,
        clock: Clock,
        session: mpsc::Sender<Call>,
    ) -> std::io::Result<(Self, SyncSender<WakeFeed>)> {
        let (feed, feeds) = sync_channel(WAKE_FRAMES_WAITING);
        let thread = std::thread::Builder::new()
            .name("wake".to_owned())
            .spawn(move || listen(spotter.as_mut(), &feeds, clock, &session))?;
        Ok((Self { thread }, feed))
    }

    /// Waits for its end, after all its feeds were dropped.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the wake thread panicked");
        }
    }
}

fn listen(spotter: &mut dyn Spotter, feeds: &Receiver<WakeFeed>, clock: Clock, session: &mpsc::Sender<Call>) {
    for feed in feeds {
        match feed {
            WakeFeed::Gap => spotter.forget(),
            WakeFeed::Frame { captured, samples } => {
                let Some(spotted) = spotter.hear(samples.as_slice()) else {
                    continue;
                };
                let woken = Woken { spotted, heard: SatMicros(captured.0 + crate::sound::FRAME_US), at: clock.now() };
                tracing::debug!(phrase = %woken.spotted.phrase, score = woken.spotted.score, "wake word");
                if session.try_send(Call::Woken(woken)).is_err() {
                    tracing::warn!("a wake word was lost: the session does not take it");
                }
            }
        }
    }
}
