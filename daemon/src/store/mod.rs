//! The store: what was said and done, committed before it is shown or spoken.
//!
//! SQLite has a thread of its own. Every method resolves after its COMMIT (WAL, `synchronous=FULL`), so whoever awaited it may show,
//! speak or acknowledge what was written. An error means that nothing of that call was written. Secrets are taken out of whatever words
//! come in; only what approvals are sealed over is kept byte for byte.

mod agent;
mod approvals;
mod audit;
mod costs;
mod error;
mod migrate;
mod open;
mod query;
mod row;
mod servers;
mod thread;
mod write;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use jarvis_core::approval::SealKey;
use jarvis_core::ids::TurnId;
use rusqlite::Transaction;

use crate::redaction;

pub use agent::{CutRun, RunId, RunRow};
pub use approvals::{ApprovalRow, Begun, LeaveUsed};
pub(crate) use audit::forget_memory;
pub use audit::{Entry as AuditEntry, Shown as AuditShown};
pub use costs::{By, Charge, CostLine, Reserved};
pub use error::StoreError;
pub use open::{KeptAside, ROOM_MIN_BYTES, enough_room, kept_aside_beside, room_left};
pub use row::{EarlierRow, EventRow, Keep, Mark, NewTurn, Retained, SentenceRow, Source, ToolRow, TurnRow, WakeRow};
pub use servers::ToolApproval;
pub use thread::Probe;

/// A handle to the store. The thread ends, after what it was given is committed, when the last one is dropped.
#[derive(Clone)]
pub struct Store {
    thread: Arc<thread::Thread>,
    /// What approvals are sealed with, once it is known.
    seals: Arc<OnceLock<SealKey>>,
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    /// The damaged database that was moved away, where there was one. The owner must be told.
    pub kept_aside: Option<KeptAside>,
    /// Turns that a former run began and did not end; they carry an error now.
    pub cut_turns: u64,
    /// Runs of models among them. The owner must be told.
    pub cut_runs: Vec<CutRun>,
    /// Requests to models that a former run left under way; they count in full now.
    pub lost_charges: u64,
}

impl Store {
    /// Opens or makes the database at `path`. A damaged one is kept aside under another name and a new one begun. Blocks; a few
    /// milliseconds, up to two seconds where another program holds a lock.
    pub fn open(path: &Path) -> Result<(Self, Opened), StoreError> {
        Self::open_observed(path, Probe::default())
    }

    /// The same with somebody watching the commits: for tests that kill the process inside one.
    pub fn open_observed(path: &Path, probe: Probe) -> Result<(Self, Opened), StoreError> {
        let now = jiff::Timestamp::now();
        let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut held = open::open(path, &stamp)?;
        let kept_aside = held.kept_aside.clone();
        let cut_runs = agent::end_cut_runs(&mut held.connection, now.as_millisecond())
            .map_err(|error| open::at_start(path, error))?;
        let cut_turns = write::end_cut_turns(&mut held.connection, now.as_millisecond())
            .map_err(|error| open::at_start(path, error))?;
        let lost_charges = costs::settle_orphans(&held.connection).map_err(|error| open::at_start(path, error))?;
        if lost_charges > 0 {
            tracing::warn!(lost_charges, "what these requests to models cost is not known; they count in full");
        }
        let thread = Arc::new(thread::Thread::start(held, probe)?);
        let cut_turns = cut_turns + cut_runs.len() as u64;
        Ok((Self { thread, seals: Arc::default() }, Opened { kept_aside, cut_turns, cut_runs, lost_charges }))
    }

    /// Begins a turn, in the room's running conversation where there is one.
    pub async fn begin_turn(&self, turn: NewTurn) -> Result<TurnId, StoreError> {
        self.run(move |tx| write::begin_turn(tx, &turn)).await
    }

    /// What the second look at the wake said.
    pub async fn wake_check(&self, turn: TurnId, check: &str) -> Result<(), StoreError> {
        let check = check.to_owned();
        self.run(move |tx| write::set(tx, turn, "wake_check", &check)).await
    }

    /// The words of the request; a later call replaces them (the turn was reopened).
    pub async fn transcript(&self, turn: TurnId, text: &str) -> Result<(), StoreError> {
        let text = redaction::text(text);
        self.run(move |tx| write::set(tx, turn, "transcript", &text)).await
    }

    /// Who answers, and why.
    pub async fn route(&self, turn: TurnId, kind: &str, reason: &str) -> Result<(), StoreError> {
        let (kind, reason) = (kind.to_owned(), redaction::text(reason));
        self.run(move |tx| {
            write::set(tx, turn, "route_kind", &kind)?;
            write::set(tx, turn, "route_reason", &reason)
        })
        .await
    }

    /// The tools that ran and what is going to be said, in one commit: nothing is shown between them.
    pub async fn answered(&self, turn: TurnId, tools: Vec<ToolRow>, reply: &str) -> Result<(), StoreError> {
        let (tools, reply): (Vec<_>, _) = (tools.into_iter().map(clean).collect(), redaction::text(reply));
        self.run(move |tx| {
            for tool in &tools {
                write::tool(tx, turn, tool)?;
            }
            write::reply(tx, turn, &reply, true)
        })
        .await
    }

    /// A tool ran.
    pub async fn tool(&self, turn: TurnId, tool: ToolRow) -> Result<(), StoreError> {
        let tool = clean(tool);
        self.run(move |tx| write::tool(tx, turn, &tool)).await
    }

    /// A sentence is about to be played. `index` is its place in its answer.
    pub async fn sentence(&self, turn: TurnId, index: u16, text: &str) -> Result<(), StoreError> {
        let text = redaction::text(text);
        let now_ms = now_ms();
        self.run(move |tx| write::sentence(tx, turn, index, &text, now_ms)).await
    }

    /// All that was said; a later call replaces it. Strangers may have written some of it.
    pub async fn reply(&self, turn: TurnId, text: &str) -> Result<(), StoreError> {
        let text = redaction::text(text);
        self.run(move |tx| write::reply(tx, turn, &text, true)).await
    }

    /// The same, where no stranger can have written any of it: models may be told it later.
    pub async fn untainted_reply(&self, turn: TurnId, text: &str) -> Result<(), StoreError> {
        let text = redaction::text(text);
        self.run(move |tx| write::reply(tx, turn, &text, false)).await
    }

    /// What of the answer is read rather than heard; a later call replaces it.
    pub async fn page(&self, turn: TurnId, text: Option<&str>) -> Result<(), StoreError> {
        let text = text.map(redaction::text);
        self.run(move |tx| write::set(tx, turn, "page", &text)).await
    }

    /// Turns of the same conversation that were over before this one, the newest `limit` of them, oldest first. Words of an answer that
    /// strangers may have written are not among what it brings.
    pub async fn earlier(&self, turn: TurnId, limit: u32) -> Result<Vec<EarlierRow>, StoreError> {
        self.run(move |tx| query::earlier(tx, turn, limit.min(MAX_ROWS))).await
    }

    /// Marks of a turn: name and milliseconds on the turn's own scale. A mark given again is moved.
    pub async fn marks(&self, turn: TurnId, marks: Vec<Mark>) -> Result<(), StoreError> {
        self.run(move |tx| write::marks(tx, turn, &marks)).await
    }

    /// The turn ended, well or with an error.
    pub async fn finish(&self, turn: TurnId, error: Option<&str>) -> Result<(), StoreError> {
        let error = error.map(redaction::text);
        let now_ms = now_ms();
        self.run(move |tx| write::finish(tx, turn, error.as_deref(), now_ms)).await
    }

    /// Forgets a turn whole: a false wake leaves nothing behind.
    pub async fn discard(&self, turn: TurnId) -> Result<(), StoreError> {
        self.run(move |tx| write::discard(tx, turn)).await
    }

    /// Records what the house went through.
    pub async fn event(&self, kind: &str, subject: &str, detail: serde_json::Value) -> Result<(), StoreError> {
        let (kind, subject, detail) = (kind.to_owned(), subject.to_owned(), redaction::value(detail));
        let now_ms = now_ms();
        self.run(move |tx| write::event(tx, now_ms, &kind, &subject, &detail)).await
    }

    /// The newest turns, newest first; at most [`MAX_ROWS`].
    pub async fn turns(&self, limit: u32) -> Result<Vec<TurnRow>, StoreError> {
        self.run(move |tx| query::turns(tx, limit.min(MAX_ROWS))).await
    }

    /// One turn.
    pub async fn turn(&self, turn: TurnId) -> Result<Option<TurnRow>, StoreError> {
        self.run(move |tx| query::turn(tx, turn)).await
    }

    /// The newest events, newest first; at most [`MAX_ROWS`].
    pub async fn events(&self, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.run(move |tx| query::events(tx, limit.min(MAX_ROWS))).await
    }

    /// Forgets what is older than it may be kept. Call it now and then; `now_ms` is milliseconds since 1970-01-01 UTC.
    pub async fn retain(&self, keep: Keep, now_ms: i64) -> Result<Retained, StoreError> {
        let done = self.run(move |tx| write::retain(tx, keep, now_ms)).await?;
        if done != Retained::default() {
            self.thread.fold_log().await?;
        }
        Ok(done)
    }

    /// SQLite's own check of every page; `None` when all is well.
    pub async fn integrity(&self) -> Result<Option<String>, StoreError> {
        self.run(query::integrity).await
    }

    /// Commits what is waiting and closes the database. Other handles get [`StoreError::Closed`] from then on.
    pub async fn close(self) -> Result<(), StoreError> {
        self.thread.close().await
    }

    /// Folds the log into the database, so that what was deleted is not in the log any more either.
    pub(crate) async fn fold_log(&self) -> Result<(), StoreError> {
        self.thread.fold_log().await
    }

    /// Runs `work` in a transaction of its own on the store's thread; resolves after the COMMIT, and an error rolls everything back.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.thread.run(work).await
    }
}

/// Most rows one question brings.
pub const MAX_ROWS: u32 = 1000;

fn clean(tool: ToolRow) -> ToolRow {
    ToolRow { args: redaction::value(tool.args), outcome: redaction::text(&tool.outcome), ..tool }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests;
