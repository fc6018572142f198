//! What is answered to a question: yes, by voice or at a second channel, or no; and what is taken back afterwards.

use jarvis_core::approval::{Approver, Channel, NotApproved, Seal, Stage};
use jarvis_core::gate::Power;
use jarvis_core::ids::ApprovalId;
use jarvis_core::tools::Call;
use serde_json::json;

use super::{Inner, Safety, SafetyError, journal, now, run};

/// An undo reaches back so far, in milliseconds.
const UNDO_MS: i64 = 60 * 60 * 1000;

/// Why a "yes" did nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoApproval {
    /// There is no such question.
    #[error("there is no question {0}; `jarvisctl approvals` lists those that are open")]
    None(ApprovalId),
    /// It does not count.
    #[error(transparent)]
    Not(#[from] NotApproved),
    /// Safety itself failed.
    #[error(transparent)]
    Safety(#[from] SafetyError),
}

impl Safety {
    /// Says yes. The change begins when its mind-changing time is over; [`Safety::wait`] tells how it went.
    ///
    /// # Errors
    /// Where the yes does not count; wrong words are counted.
    pub async fn approve(&self, id: ApprovalId, by: Approver) -> Result<(), NoApproval> {
        let inner = &self.0;
        if inner.switch.power() == Power::Stopped {
            return Err(NotApproved::NotPending.into());
        }
        let announce = !matches!(by, Approver::Voice { .. });
        // Room for the order first: what was approved must not wait for somebody to begin it.
        let permit = inner.orders.try_reserve().map_err(|_| SafetyError::Busy)?;
        let entry = inner.entry("approved", Some(id), json!({}))?;
        let answered = inner.store.answer_approval(id, by, entry).await.map_err(SafetyError::from)?;
        let answered = answered.ok_or(NoApproval::None(id))?;
        inner.journal.note().await?;
        inner.tell_changed(id);
        answered?;
        permit.send(run::Order::Begin { id, announce });
        Ok(())
    }

    /// Approves at a second channel, by the seal that was shown there.
    ///
    /// # Errors
    /// As [`Safety::approve`].
    pub async fn approve_second(
        &self,
        id: ApprovalId,
        channel: Channel,
        seal: &str,
        words: Option<String>,
    ) -> Result<(), NoApproval> {
        let seal = Seal::from_hex(seal).ok_or(NotApproved::OtherQuestion)?;
        self.approve(id, Approver::Second { channel, seal, words }).await
    }

    /// Says no, or takes a yes back while it has not begun. False where there is nothing to take back any more.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn refuse(&self, id: ApprovalId, by: &str) -> Result<bool, SafetyError> {
        self.0.refuse(id, by).await
    }

    /// The call that takes back the newest change of a room, with that change; `None` where there is none.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn undo(&self, room: Option<&str>) -> Result<Option<(ApprovalId, Result<Call, String>)>, SafetyError> {
        let Some(done) = self.0.store.undoable(room, now().plus(-UNDO_MS)).await? else { return Ok(None) };
        let call = done.inverse.as_deref().and_then(journal::stored_call);
        Ok(Some((done.row.id, call.ok_or_else(|| done.row.bound.question.clone()))))
    }

    /// The change `done` is to be taken back by `undo`. It counts as taken back once `undo` was done and seen, whoever approves it and
    /// however often the daemon is restarted before; an `undo` that was refused or failed leaves it to be offered again.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn undo_by(&self, done: ApprovalId, undo: ApprovalId) -> Result<(), SafetyError> {
        Ok(self.0.store.undo_by(done, undo).await?)
    }
}

impl Inner {
    /// See [`Safety::refuse`].
    pub(super) async fn refuse(&self, id: ApprovalId, by: &str) -> Result<bool, SafetyError> {
        let denied = self.entry("denied", Some(id), json!({"by": by}))?;
        let cancelled = self.entry("cancelled", Some(id), json!({"by": by}))?;
        let done = self.store.step_approval(id, &["pending"], Stage::Denied, denied).await?
            || self.store.step_approval(id, &["approved"], Stage::Cancelled, cancelled).await?;
        if done {
            self.journal.note().await?;
            self.settle_told(id);
        }
        Ok(done)
    }
}
