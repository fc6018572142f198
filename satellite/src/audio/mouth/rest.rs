//! Rest for a loudspeaker that has nothing to play: its stream is closed, and what is queued rouses it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use jarvis_link::message::SatMicros;

use super::{Shared, Throat};

/// Rouses a resting loudspeaker.
pub type Rouse = Box<dyn Fn() + Send>;

impl Shared {
    /// Pieces and effects queued so far.
    pub(super) fn queued(&self) -> u64 {
        self.queued.load(Ordering::SeqCst)
    }

    /// Something was queued; true where the loudspeaker rests, and is to be roused.
    pub(super) fn was_queued(&self) -> bool {
        self.queued.fetch_add(1, Ordering::SeqCst);
        self.resting.swap(false, Ordering::SeqCst)
    }

    /// So many samples were played; `seen` is how much had been queued before them, where nothing of it is left.
    pub(super) fn played(&self, seen: Option<u64>, samples: usize) {
        match seen {
            Some(queued) => {
                self.seen.store(queued, Ordering::SeqCst);
                self.silent.fetch_add(samples as u64, Ordering::SeqCst);
            }
            None => self.silent.store(0, Ordering::SeqCst),
        }
    }
}

/// Whether a loudspeaker may rest, for the thread that owns it.
pub struct Rest {
    shared: Arc<Shared>,
    rate_hz: u32,
}

impl Rest {
    pub(super) fn new(shared: Arc<Shared>, rate_hz: u32) -> Self {
        Self { shared, rate_hz }
    }

    /// Milliseconds of silence that were played since there was something to be heard.
    pub fn silent_ms(&self) -> u64 {
        self.shared.silent.load(Ordering::SeqCst) * 1000 / u64::from(self.rate_hz.max(1))
    }

    /// Marks it as resting, unless something was queued in this very moment. What is queued from now on rouses it.
    pub fn begin(&self) -> bool {
        // Either this sees what was queued, or who queued it sees the mark.
        let queued = self.shared.queued();
        if self.shared.seen.load(Ordering::SeqCst) != queued {
            return false;
        }
        self.shared.resting.store(true, Ordering::SeqCst);
        if self.shared.queued() == queued {
            return true;
        }
        self.shared.resting.store(false, Ordering::SeqCst);
        false
    }

    /// Whether something was queued since it rests.
    pub fn is_over(&self) -> bool {
        !self.shared.resting.load(Ordering::SeqCst)
    }

    /// It plays again.
    pub fn end(&self) {
        self.shared.silent.store(0, Ordering::SeqCst);
        self.shared.resting.store(false, Ordering::SeqCst);
    }
}

/// A throat in a device's callback: it comes home when the callback is dropped, so that the device can be opened again with it.
pub struct LentThroat {
    throat: Option<Box<Throat>>,
    home: SyncSender<Box<Throat>>,
}

impl LentThroat {
    /// Lends it; it comes home through the other end.
    pub fn lend(throat: Box<Throat>) -> (Self, Receiver<Box<Throat>>) {
        let (home, returned) = sync_channel(1);
        (Self { throat: Some(throat), home }, returned)
    }

    /// See [`Throat::fill`].
    pub fn fill(&mut self, out: &mut [i16], at: SatMicros) {
        if let Some(throat) = &mut self.throat {
            throat.fill(out, at);
        }
    }
}

impl Drop for LentThroat {
    fn drop(&mut self) {
        if let Some(throat) = self.throat.take()
            && self.home.try_send(throat).is_err()
        {
            tracing::trace!("nobody wants this loudspeaker's sound any more");
        }
    }
}
