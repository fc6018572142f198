//! The rows of approvals. Every move from one stage to the next is a transaction that checks the stage it comes from and writes its
//! audit entry.

use jarvis_core::approval::{Bound, Row, Seal, SealKey, Stage};
use jarvis_core::gate::{Cleared, Redemption, Work};
use jarvis_core::ids::{ApprovalId, Upid, WallMillis};
use jarvis_core::tools::Change;
use rusqlite::{OptionalExtension, Transaction, params};

use super::audit::{Entry, append};
use super::{Store, StoreError};
use crate::redaction;

/// Rows that one question brings.
const ROWS_MAX: u32 = 200;

/// A row with what happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalRow {
    /// What was asked, and where it stands.
    pub row: Row,
    /// When it was begun.
    pub started: Option<WallMillis>,
    /// What was to be sent.
    pub change: Option<Change>,
    /// The task.
    pub upid: Option<Upid>,
    /// How it ended, in words.
    pub outcome: Option<String>,
    /// When it ended.
    pub ended: Option<WallMillis>,
    /// JSON `{tool, args}` of the call that takes it back.
    pub inverse: Option<String>,
    /// Whether it was taken back.
    pub undone: bool,
}

/// What is written when a row is consumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// When.
    pub at: WallMillis,
    /// What will be sent, where something is.
    pub change: Option<Change>,
    /// JSON `{tool, args}` of the call that takes it back.
    pub inverse: Option<String>,
}

const COLUMNS: &str = "id, bound, seal, stage, approved_by, clears_ms, wrong_words, started_ms, change, upid, outcome, ended_ms, inverse, \
    exists (select 1 from approvals as back where back.id = approvals.undone_by and back.stage = 'done')";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<ApprovalRow> {
    let bound: String = row.get(1)?;
    let bound: Bound = serde_json::from_str(&bound).map_err(|error| unreadable(1, error))?;
    let stage: String = row.get(3)?;
    let by: Option<String> = row.get(4)?;
    let clears: Option<i64> = row.get(5)?;
    let change: Option<String> = row.get(8)?;
    let change = change.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| unreadable(8, error))?;
    let stage = match stage.as_str() {
        "pending" => Stage::Pending,
        "approved" => Stage::Approved { by: by.unwrap_or_default(), clears: WallMillis(clears.unwrap_or(i64::MAX)) },
        "denied" => Stage::Denied,
        "cancelled" => Stage::Cancelled,
        "expired" => Stage::Expired,
        "started" => Stage::Started,
        "done" => Stage::Done,
        "failed" => Stage::Failed,
        _ => Stage::Unknown,
    };
    Ok(ApprovalRow {
        row: Row { id: ApprovalId(row.get(0)?), bound, seal: Seal(row.get(2)?), stage, wrong_words: row.get(6)? },
        started: row.get::<_, Option<i64>>(7)?.map(WallMillis),
        change,
        upid: row.get::<_, Option<String>>(9)?.map(Upid),
        outcome: row.get(10)?,
        ended: row.get::<_, Option<i64>>(11)?.map(WallMillis),
        inverse: row.get(12)?,
        undone: row.get(13)?,
    })
}

fn unreadable(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

fn one(tx: &Transaction<'_>, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
    let sql = format!("select {COLUMNS} from approvals where id = ?1");
    Ok(tx.prepare_cached(&sql)?.query_row([id.0], read).optional()?)
}

fn insert(tx: &Transaction<'_>, bound: &Bound, key: &SealKey) -> Result<Row, StoreError> {
    let text = serde_json::to_string(bound).map_err(|error| unreadable(1, error))?;
    let id: i64 = tx
        .prepare_cached(
            "insert into approvals (bound, seal, stage, room, asked_ms, expires_ms)
             values (?1, zeroblob(32), 'pending', ?2, ?3, ?4) returning id",
        )?
        .query_row(params![text, bound.room, bound.asked.0, bound.expires.0], |row| row.get(0))?;
    let id = ApprovalId(id);
    let seal = bound.seal(id, key);
    tx.prepare_cached("update approvals set seal = ?2 where id = ?1")?.execute(params![id.0, seal.0])?;
    Ok(Row { id, bound: bound.clone(), seal, stage: Stage::Pending, wrong_words: 0 })
}

/// Moves a row from one of `from` to `to`; false where it is in none of them.
fn step(tx: &Transaction<'_>, id: ApprovalId, from: &[&str], to: &Stage, now: WallMillis) -> Result<bool, StoreError> {
    let from = from.iter().map(|stage| format!("'{stage}'")).collect::<Vec<_>>().join(", ");
    let (by, clears) = match to {
        Stage::Approved { by, clears } => (Some(by.as_str()), Some(clears.0)),
        _ => (None, None),
    };
    let ended = (!to.is_open() && *to != Stage::Started).then_some(now.0);
    let changed = tx
        .prepare_cached(&format!(
            "update approvals set stage = ?2, approved_by = coalesce(?3, approved_by), clears_ms = coalesce(?4, clears_ms), ended_ms = ?5
             where id = ?1 and stage in ({from})"
        ))?
        .execute(params![id.0, to.name(), by, clears, ended])?;
    Ok(changed == 1)
}

impl Store {
    /// A new question.
    pub async fn ask_approval(&self, bound: Bound, key: SealKey, mut entry: Entry) -> Result<Row, StoreError> {
        self.run(move |tx| {
            let row = insert(tx, &bound, &key)?;
            entry.approval = Some(row.id);
            append(tx, &entry)?;
            Ok(row)
        })
        .await
    }

    /// One row.
    pub async fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        self.run(move |tx| one(tx, id)).await
    }

    /// The newest rows, newest first; those in `stages` alone, where some are named.
    pub async fn approvals(&self, stages: &'static [&'static str], limit: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        self.run(move |tx| {
            let names = stages.iter().map(|stage| format!("'{stage}'")).collect::<Vec<_>>().join(", ");
            let which = if stages.is_empty() { String::new() } else { format!("where stage in ({names})") };
            let sql = format!("select {COLUMNS} from approvals {which} order by id desc limit ?1");
            let mut statement = tx.prepare_cached(&sql)?;
            let rows = statement.query_map([limit.min(ROWS_MAX)], read)?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
        .await
    }

    /// Moves an open row on. False where it is not in one of `from` any more; nothing is written then.
    pub async fn step_approval(
        &self,
        id: ApprovalId,
        from: &'static [&'static str],
        to: Stage,
        entry: Entry,
    ) -> Result<bool, StoreError> {
        self.run(move |tx| {
            let moved = step(tx, id, from, &to, entry.at)?;
            if moved {
                append(tx, &entry)?;
            }
            Ok(moved)
        })
        .await
    }

    /// Counts wrong words; the question is denied at `max` of them. Gives how many there were.
    pub async fn wrong_words(&self, id: ApprovalId, max: u8, entry: Entry) -> Result<u8, StoreError> {
        self.run(move |tx| {
            let count: u8 = tx
                .prepare_cached(
                    "update approvals set wrong_words = wrong_words + 1 where id = ?1 returning wrong_words",
                )?
                .query_row([id.0], |row| row.get(0))?;
            append(tx, &entry)?;
            if count >= max {
                step(tx, id, &["pending"], &Stage::Denied, entry.at)?;
            }
            Ok(count)
        })
        .await
    }

    /// An approved row that is not good any more: it will not run. False where it was no longer approved.
    pub async fn drop_approval(&self, id: ApprovalId, why: &str, entry: Entry) -> Result<bool, StoreError> {
        let why = redaction::text(why);
        self.run(move |tx| {
            let moved = step(tx, id, &["approved"], &Stage::Cancelled, entry.at)?;
            if moved {
                tx.prepare_cached("update approvals set outcome = ?2 where id = ?1")?.execute(params![id.0, why])?;
                append(tx, &entry)?;
            }
            Ok(moved)
        })
        .await
    }

    /// Consumes an approved row and gives the authority it stood for, once: 'started' is committed before anybody can act on it.
    /// `None` where the row was consumed, cancelled or denied meanwhile.
    pub async fn consume_approval(
        &self,
        redemption: Redemption,
        begun: Begun,
        entry: Entry,
    ) -> Result<Option<Cleared<Work>>, StoreError> {
        self.run(move |tx| {
            let change = begun.change.as_ref().map(serde_json::to_string).transpose().map_err(|e| unreadable(8, e))?;
            let cleared = redemption.commit(|id| {
                if !step(tx, id, &["approved"], &Stage::Started, begun.at).map_err(Some)? {
                    return Err(None);
                }
                let written = tx
                    .prepare_cached("update approvals set started_ms = ?2, change = ?3, inverse = ?4 where id = ?1")
                    .and_then(|mut update| update.execute(params![id.0, begun.at.0, change, begun.inverse]));
                written.map_err(|error| Some(error.into()))?;
                append(tx, &entry).map(|_| ()).map_err(Some)
            });
            match cleared {
                Ok(cleared) => Ok(Some(cleared)),
                Err(None) => Ok(None),
                Err(Some(error)) => Err(error),
            }
        })
        .await
    }

    /// The node named the task.
    pub async fn approval_task(&self, id: ApprovalId, upid: &Upid, entry: Entry) -> Result<(), StoreError> {
        let upid = upid.clone();
        self.run(move |tx| {
            tx.prepare_cached("update approvals set upid = ?2 where id = ?1")?.execute(params![id.0, upid.as_str()])?;
            append(tx, &entry).map(|_| ())
        })
        .await
    }

    /// It is over: done, failed, or nobody knows. An unknown one may be settled again when more is known.
    pub async fn settle_approval(
        &self,
        id: ApprovalId,
        stage: Stage,
        outcome: &str,
        entry: Entry,
    ) -> Result<bool, StoreError> {
        let outcome = redaction::text(outcome);
        self.run(move |tx| {
            let moved = step(tx, id, &["started", "unknown"], &stage, entry.at)?;
            if moved {
                tx.prepare_cached("update approvals set outcome = ?2 where id = ?1")?
                    .execute(params![id.0, outcome])?;
                append(tx, &entry)?;
            }
            Ok(moved)
        })
        .await
    }

    /// Questions whose time is over, and those that were approved and never begun before this start of the daemon: none of them runs.
    pub async fn close_approvals(&self, now: WallMillis, restarted: bool, entry: Entry) -> Result<u64, StoreError> {
        self.run(move |tx| {
            let expired = tx
                .prepare_cached("update approvals set stage = 'expired', ended_ms = ?1 where stage in ('pending', 'approved') and expires_ms <= ?1")?
                .execute([now.0])?;
            let cancelled = if restarted {
                tx.prepare_cached("update approvals set stage = 'cancelled', ended_ms = ?1, outcome = 'the daemon was restarted' where stage = 'approved'")?
                    .execute([now.0])?
            } else {
                0
            };
            if expired + cancelled > 0 {
                append(tx, &entry)?;
            }
            Ok((expired + cancelled) as u64)
        })
        .await
    }

    /// The newest change that was done in `room` (anywhere, without one) since `since`, and neither was taken back nor is being taken back.
    pub async fn undoable(&self, room: Option<&str>, since: WallMillis) -> Result<Option<ApprovalRow>, StoreError> {
        let room = room.map(str::to_owned);
        self.run(move |tx| {
            let sql = format!(
                "select {COLUMNS} from approvals where stage = 'done' and ended_ms >= ?1 and (?2 is null or room = ?2)
                 and not exists (select 1 from approvals as back
                                 where back.id = approvals.undone_by and back.stage in ('approved', 'started', 'done'))
                 order by ended_ms desc, id desc limit 1"
            );
            Ok(tx.prepare_cached(&sql)?.query_row(params![since.0, room], read).optional()?)
        })
        .await
    }

    /// `undo` is to take `done` back: it counts as taken back once `undo` is done, and only then.
    pub async fn undo_by(&self, done: ApprovalId, undo: ApprovalId) -> Result<(), StoreError> {
        self.run(move |tx| {
            tx.prepare_cached("update approvals set undone_by = ?2 where id = ?1")?.execute(params![done.0, undo.0])?;
            Ok(())
        })
        .await
    }

    /// How many changes ran on standing leave since `since`.
    pub async fn on_leave_since(&self, since: WallMillis) -> Result<u32, StoreError> {
        self.run(move |tx| {
            Ok(tx
                .prepare_cached("select count(*) from approvals where approved_by = 'leave' and started_ms >= ?1")?
                .query_row([since.0], |row| row.get(0))?)
        })
        .await
    }

    /// Writes the row of a call that runs on standing leave, in stage 'started' from the first: a crash finds it like any other.
    pub async fn begin_on_leave(
        &self,
        bound: Bound,
        key: SealKey,
        begun: Begun,
        mut entry: Entry,
    ) -> Result<ApprovalId, StoreError> {
        self.run(move |tx| {
            let row = insert(tx, &bound, &key)?;
            let change = begun.change.as_ref().map(serde_json::to_string).transpose().map_err(|e| unreadable(8, e))?;
            tx.prepare_cached(
                "update approvals set stage = 'started', approved_by = 'leave', clears_ms = ?2, started_ms = ?2, change = ?3, inverse = ?4
                 where id = ?1",
            )?
            .execute(params![row.id.0, begun.at.0, change, begun.inverse])?;
            entry.approval = Some(row.id);
            append(tx, &entry)?;
            Ok(row.id)
        })
        .await
    }
}
