//! The task that owns counts of use, and deletes what has expired.

use std::collections::BTreeMap;
use std::time::Duration;

use jarvis_core::memory::{MemoryId, UnixMillis};
use tokio::sync::{mpsc, oneshot};

use super::write;
use crate::event;
use crate::store::{Store, StoreError};

/// Uses that are gathered before they are written.
pub const TOUCHES_MAX: usize = 64;
/// Orders that may wait for the task. Beyond that uses are not counted; a flush waits.
pub const TOUCHES_WAITING_MAX: usize = 256;
/// What was gathered is written, and what has expired is deleted, this often. Nothing expired is recalled in between: every question
/// looks at the time.
const EVERY: Duration = Duration::from_secs(60);
/// Expired memories that one sweep deletes; the next one goes on.
pub(super) const SWEPT_MAX: u32 = 1000;

/// To the task.
pub(super) enum Order {
    Touch { ids: Vec<MemoryId>, at: UnixMillis },
    Flush(oneshot::Sender<Result<(), StoreError>>),
}

/// How often, and when last.
pub(super) type Touches = BTreeMap<MemoryId, (u32, UnixMillis)>;

/// The task. See the module.
pub struct Keeper {
    store: Store,
    inbox: mpsc::Receiver<Order>,
    touches: Touches,
    gathered: usize,
}

impl Keeper {
    pub(super) fn new(store: Store, inbox: mpsc::Receiver<Order>) -> Self {
        Self { store, inbox, touches: Touches::new(), gathered: 0 }
    }

    /// Runs until the last handle is gone; then writes what was gathered.
    pub async fn run(mut self) {
        let mut clock = tokio::time::interval(EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = self.inbox.recv() => match order {
                    Some(Order::Touch { ids, at }) => self.touch(ids, at).await,
                    Some(Order::Flush(done)) => {
                        if done.send(self.write().await).is_err() {
                            tracing::debug!("nobody waited for the uses of memories");
                        }
                    }
                    None => return self.write_or_tell().await,
                },
                _ = clock.tick() => {
                    self.write_or_tell().await;
                    self.sweep().await;
                }
            }
        }
    }

    async fn touch(&mut self, ids: Vec<MemoryId>, at: UnixMillis) {
        for id in ids {
            let touch = self.touches.entry(id).or_insert((0, at));
            *touch = (touch.0.saturating_add(1), touch.1.max(at));
            self.gathered += 1;
        }
        if self.gathered >= TOUCHES_MAX {
            self.write_or_tell().await;
        }
    }

    /// Uses that can't be written are gone: they only order what is recalled, and waiting for a full disk would fill memory.
    async fn write(&mut self) -> Result<(), StoreError> {
        self.gathered = 0;
        let touches = std::mem::take(&mut self.touches);
        if touches.is_empty() {
            return Ok(());
        }
        self.store.run(move |tx| write::touched(tx, &touches)).await
    }

    async fn write_or_tell(&mut self) {
        if let Err(error) = self.write().await {
            tracing::warn!("uses of memories were not written: {error}");
        }
    }

    async fn sweep(&self) {
        let now = UnixMillis(event::UnixMillis::now().0);
        match sweep(&self.store, now).await {
            Ok(0) => {}
            Ok(gone) => tracing::debug!(gone, "memories whose time was over"),
            Err(error) => tracing::error!("expired memories could not be deleted: {error}"),
        }
    }
}

/// Deletes what has expired, and folds the log so that its words are gone.
pub(super) async fn sweep(store: &Store, now: UnixMillis) -> Result<u64, StoreError> {
    let gone = store.run(move |tx| write::sweep(tx, now, SWEPT_MAX)).await?;
    if gone > 0 {
        store.fold_log().await?;
    }
    Ok(gone)
}
