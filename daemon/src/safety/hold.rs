//! Turns that hold what was approved in their room, as `jarvis_core::approval::Holds` decides.

use std::time::Duration;

use jarvis_core::approval::{Holds, Opened, Row, Wait};
use jarvis_core::ids::ApprovalId;
use tokio::sync::watch;

use super::run::Order;
use super::{Inner, Safety, now};

/// A turn that was opened by voice; what a "yes" approved just before waits until this is dropped.
#[derive(Debug)]
pub struct Hold {
    holds: watch::Sender<Holds>,
    opened: Opened,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.send_modify(|holds| holds.over(self.opened));
    }
}

impl Safety {
    /// Somebody opened a turn by voice in `room`, and may be about to take a "yes" back.
    pub fn hold(&self, room: &str) -> Hold {
        let holds = self.0.holds.clone();
        // One closure makes it and gives it out: nothing comes between.
        let mut opened = None;
        holds.send_modify(|holds| opened = Some(holds.opened(room, now())));
        Hold { opened: opened.unwrap_or_default(), holds }
    }
}

/// Waits until what was approved may begin: the mind can no longer be changed, and nobody in the room is speaking again.
pub(super) async fn until_it_may_begin(holds: &watch::Sender<Holds>, row: &Row) {
    let mut holds = holds.subscribe();
    loop {
        let wait = holds.borrow_and_update().wait(&row.stage, row.bound.room.as_deref(), now());
        let Wait::Until(at) = wait else { return };
        let ms = u64::try_from(at.0.saturating_sub(now().0)).unwrap_or(0).max(1);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => {}
            changed = holds.changed() => if changed.is_err() { return },
        }
    }
}

/// Somebody waits for the end of a change. Taken away before it came, the end is announced in the room instead.
pub(super) struct Unheard<'a>(pub(super) Option<(&'a Inner, ApprovalId)>);

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        let Some((inner, id)) = self.0 else { return };
        if let Err(error) = inner.orders.try_send(Order::Announce(id)) {
            tracing::warn!(%id, "its end is on the page alone: {error}");
        }
    }
}
