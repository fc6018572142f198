//! What Jarvis remembers, kept in the store: told, recalled, superseded, forgotten, exported.
//!
//! [`Memories`] is the handle. What it writes goes through redaction and is committed when its method resolves; only the counts of use are
//! gathered by [`Keeper`], the task that owns them, and written in batches. The rules are [`jarvis_core::memory`]'s.

mod config;
mod keeper;
mod query;
mod row;
mod transfer;
mod write;

use jarvis_core::ids::TurnId;
use jarvis_core::memory::{
    Alias, Draft, Memory, MemoryId, Question, Ranked, Remembered, Secret, UnixMillis, rank, without_secrets,
};
use tokio::sync::{mpsc, oneshot};

use crate::store::{Store, StoreError};
pub use config::MemoryConfig;
use keeper::Order;
pub use keeper::{Keeper, TOUCHES_MAX, TOUCHES_WAITING_MAX};
pub use transfer::{Imported, LINE_BYTES_MAX, LINES_MAX};

/// Most memories that are kept; beyond it nothing new is taken until something is forgotten.
pub const MEMORIES_MAX: usize = 50_000;
/// Most memories that one question lists.
pub const LISTED_MAX: u32 = 1000;
/// Most former values that are told of one attribute.
const FORMER_MAX: u32 = 5;

/// A text without the secrets in it; `None` where it holds none.
pub type Redact = fn(&str) -> Option<String>;

/// Why something was not remembered, or not recalled.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// It is a secret.
    #[error(transparent)]
    Secret(#[from] Secret),
    /// There is no room.
    #[error(
        "{MEMORIES_MAX} memories are kept already: forget some (`jarvisctl memory list`, `jarvisctl memory forget ID`)"
    )]
    Full,
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where and when something was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// The room; empty where none is.
    pub room: String,
    /// The turn, where it was one.
    pub turn: Option<TurnId>,
    /// The present time.
    pub now: UnixMillis,
}

/// Which memories are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that hold now.
    Current,
    /// Those that were superseded as well.
    All,
}

/// A handle. Cheap to clone.
#[derive(Clone)]
pub struct Memories {
    store: Store,
    redact: Redact,
    orders: mpsc::Sender<Order>,
}

impl Memories {
    /// Over a store, with the task that writes counts of use and deletes what has expired; whoever starts it runs it.
    pub fn start(store: Store, redact: Redact) -> (Self, Keeper) {
        let (orders, inbox) = mpsc::channel(TOUCHES_WAITING_MAX);
        (Self { store: store.clone(), redact, orders }, Keeper::new(store, inbox))
    }

    /// Remembers, in one transaction with what that makes obsolete. Secrets are taken out before.
    pub async fn remember(&self, draft: Draft, occasion: Occasion) -> Result<Remembered, MemoryError> {
        let draft = without_secrets(draft, &self.redact)?;
        let done = self.store.run(move |tx| write::remember(tx, &draft, &occasion)).await?;
        done.ok_or(MemoryError::Full)
    }

    /// What answers a question, best first; nothing where nothing was told of it.
    pub async fn recall(&self, question: Question, now: UnixMillis) -> Result<Vec<Ranked>, StoreError> {
        self.store
            .run(move |tx| {
                let found = query::found(tx, &question, now)?;
                let chosen = jarvis_core::memory::preselect(&question, &found);
                let memories = query::these(tx, &chosen)?;
                Ok(rank(&question, &found, memories, now))
            })
            .await
    }

    /// Former values of the same attribute, the last one first.
    pub async fn former(&self, memory: &Memory) -> Result<Vec<Memory>, StoreError> {
        let memory = memory.clone();
        self.store.run(move |tx| query::former(tx, &memory, FORMER_MAX)).await
    }

    /// Names that the owner gave, as they hold now. Untrusted text gives no names.
    pub async fn aliases(&self, now: UnixMillis) -> Result<Vec<Alias>, StoreError> {
        self.store.run(move |tx| query::aliases(tx, now)).await
    }

    /// Memories, the newest first; at most [`LISTED_MAX`].
    pub async fn list(&self, which: Which, limit: u32, now: UnixMillis) -> Result<Vec<Memory>, StoreError> {
        self.store.run(move |tx| query::list(tx, which, limit.min(LISTED_MAX), now)).await
    }

    /// Forgets memories, and what they had made obsolete. Their words are gone from the table, the index and the log when this
    /// resolves; the turn in which they were told keeps its own until its retention time.
    pub async fn forget(&self, ids: Vec<MemoryId>) -> Result<u64, StoreError> {
        let seals = self.store.known_seal_key();
        let gone = self.store.run(move |tx| write::forget(tx, seals.as_ref(), &ids)).await?;
        if gone > 0 {
            self.store.fold_log().await?;
        }
        Ok(gone)
    }

    /// Lines of an export after this memory, and where to go on; `None`: nothing is left.
    pub async fn export(
        &self,
        after: MemoryId,
        now: UnixMillis,
    ) -> Result<(Vec<String>, Option<MemoryId>), StoreError> {
        self.store.run(move |tx| transfer::export(tx, after, now)).await
    }

    /// Takes lines of an export; what is wrong with one is told and costs the others nothing.
    pub async fn import(&self, lines: Vec<String>, now: UnixMillis) -> Result<Imported, StoreError> {
        let redact = self.redact;
        self.store.run(move |tx| transfer::import(tx, &lines, redact, now)).await
    }

    /// Counts memories as used. Written later, in a batch; where too many wait the count is lost, and only that.
    pub fn touch(&self, ids: Vec<MemoryId>, now: UnixMillis) {
        if !ids.is_empty() && self.orders.try_send(Order::Touch { ids, at: now }).is_err() {
            tracing::debug!("uses of memories were not counted");
        }
    }

    /// Writes the uses that wait. Called before the store is closed.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (done, flushed) = oneshot::channel();
        self.orders.send(Order::Flush(done)).await.map_err(|_| StoreError::Closed)?;
        flushed.await.map_err(|_| StoreError::Closed)?
    }
}

#[cfg(test)]
mod tests;
