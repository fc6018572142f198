//! Questions and changes, as they stand: looked at, and waited for.

use std::time::Duration;

use jarvis_core::gate::Origin;
use jarvis_core::ids::ApprovalId;
use tokio::sync::broadcast;

use super::{Approval, OPEN_MAX, Safety, SafetyError, Settled, hold, now, view};
use crate::store::{ApprovalRow, StoreError};

/// Newest rows of all rooms, and of programs, among which the last question of one room is looked for.
const NEWEST: u32 = 50;

impl Safety {
    /// The newest of all rows for the owner who is signed in at the page: with the words that are shown nowhere else.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn past_with_words(&self, limit: u32) -> Result<Vec<Approval>, SafetyError> {
        Ok(self.0.store.approvals(&[], limit).await?.into_iter().map(Approval::with_words).collect())
    }

    /// The newest of all rows, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn past(&self, limit: u32) -> Result<Vec<Approval>, SafetyError> {
        let rows = self.0.store.approvals(&[], limit).await?;
        Ok(rows.into_iter().map(Approval::from).collect())
    }

    /// The newest question in a room that can still be answered or taken back.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn open_in(&self, room: Option<&str>) -> Result<Option<ApprovalRow>, SafetyError> {
        let now = now();
        let rows = self.0.store.approvals(&["pending", "approved"], OPEN_MAX).await?;
        Ok(rows.into_iter().find(|row| row.row.bound.room.as_deref() == room && now < row.row.bound.expires))
    }

    /// The question a "yes" in this place means: the one that was asked there last, whatever became of it since. In a room, those that
    /// other programs had spoken there are among them.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn asked_last_in(&self, room: Option<&str>) -> Result<Option<ApprovalRow>, SafetyError> {
        let rows = self.0.store.approvals(&[], NEWEST).await?;
        let here = |row: &ApprovalRow| {
            let program = matches!(row.row.bound.origin, Origin::Outside { .. });
            row.row.bound.room.as_deref() == room && (room.is_some() || !program)
        };
        Ok(rows.into_iter().find(here))
    }

    /// How many questions of another program wait for an answer.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn open_from(&self, client: &str) -> Result<usize, SafetyError> {
        let rows = self.0.store.approvals(&["pending", "approved"], OPEN_MAX).await?;
        let now = now();
        let theirs =
            |row: &&ApprovalRow| matches!(&row.row.bound.origin, Origin::Outside { client: name } if name == client);
        Ok(rows.iter().filter(theirs).filter(|row| now < row.row.bound.expires).count())
    }

    /// One row, with what happened to it.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn row(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, SafetyError> {
        Ok(self.0.store.approval(id).await?)
    }

    /// Waits until a change is over, or `limit`. Past it the outcome is announced in its room when it comes.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn wait(&self, id: ApprovalId, limit: Duration) -> Result<Option<Settled>, SafetyError> {
        let inner = &self.0;
        let mut settled = inner.settled.subscribe();
        let over = async {
            loop {
                if let Some(settled) = inner.store.approval(id).await?.and_then(view::settled) {
                    return Ok::<_, StoreError>(settled);
                }
                loop {
                    match settled.recv().await {
                        Ok(told) if told != id => {}
                        Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => break,
                        Err(broadcast::error::RecvError::Closed) => return Err(StoreError::Closed),
                    }
                }
            }
        };
        // A turn that is taken away while it waits does not hear how it ended; its room does.
        let mut unheard = hold::Unheard(Some((inner, id)));
        if let Ok(over) = tokio::time::timeout(limit, over).await {
            unheard.0 = None;
            return Ok(Some(over?));
        }
        Ok(None)
    }
}
