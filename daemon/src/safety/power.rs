//! Stopping and resuming: the switch, its entry in the log, and what was open when it was set.

use jarvis_core::gate::Power;
use serde_json::json;

use super::{Inner, OPEN_MAX, Safety, SafetyError, SwitchState};
use crate::event::EventKind;

impl Safety {
    /// Sets the kill switch, and takes back what was approved and has not begun.
    ///
    /// # Errors
    /// Where the switch cannot be set; the remedy is to stop the daemon.
    pub async fn stop(&self, by: &str) -> Result<(), SafetyError> {
        let inner = &self.0;
        let path = inner.journal.state_dir().join("power");
        inner.switch.stop(by).map_err(|source| SafetyError::File { doing: "cannot stop by", path, source })?;
        inner.bus.tell(EventKind::Power { state: inner.switch.state() });
        inner.note_stop().await
    }

    /// The switch was set past this handle, by its door or its file: the owner of changes writes it down and takes back what is open.
    /// Neither waits nor fails, so that the door stays free.
    pub fn stopped_outside(&self) {
        self.0.poked.notify_one();
    }

    /// Lets changes run again.
    ///
    /// # Errors
    /// Where the switch or the log cannot be written; it stays stopped then.
    pub async fn resume(&self, by: &str) -> Result<(), SafetyError> {
        let inner = &self.0;
        // Whoever stops from now on is not resumed by this.
        let seen = inner.switch.look();
        // Whatever was asked before a stop stays taken back, also where the owner of changes had no time for it yet.
        if inner.switch.power() == Power::Stopped {
            inner.note_stop().await?;
        }
        // Written down first: a resumption that is in no log must not be.
        inner.write("resumed", None, json!({"by": by})).await?;
        let path = inner.journal.state_dir().join("power");
        inner.switch.resume(&seen).map_err(|source| SafetyError::File { doing: "cannot write", path, source })?;
        inner.bus.tell(EventKind::Power { state: inner.switch.state() });
        Ok(())
    }
}

impl Inner {
    /// Writes a stop down, once, and takes back what was asked or approved and has not begun.
    pub(super) async fn note_stop(&self) -> Result<(), SafetyError> {
        let mut written_down = self.written_down.lock().await;
        let state = self.switch.state();
        let (by, at_ms) = match &state {
            SwitchState::On => return Ok(()),
            SwitchState::Stopped { by, at_ms } => (by.clone(), *at_ms),
            SwitchState::Damaged { why } => (format!("damage: {why}"), i64::MAX),
        };
        if written_down.as_ref() != Some(&state) {
            // A former run may have done it.
            let before = self.store.audit_last(&["stopped", "resumed"]).await?;
            if !before.is_some_and(|(kind, at)| kind == "stopped" && at.0 >= at_ms) {
                self.write("stopped", None, json!({"by": by})).await?;
            }
            *written_down = Some(state);
        }
        for row in self.store.approvals(&["pending", "approved"], OPEN_MAX).await? {
            self.refuse(row.row.id, &by).await?;
        }
        Ok(())
    }
}
