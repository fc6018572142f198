//! One row of an approval: how it is read, moved and sealed.
//!
//! Every column beside `bound` is under the row's second seal. A move checks that seal first and makes it anew afterwards, in the same
//! transaction; a row that somebody else changed can be closed and is never opened, approved or begun.

use jarvis_core::approval::{Bound, Row, Seal, SealKey, Stage};
use jarvis_core::ids::{ApprovalId, Upid, WallMillis};
use rusqlite::{OptionalExtension, ToSql, Transaction, params};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::ApprovalRow;
use crate::store::StoreError;
use crate::store::audit::{Entry, append};

/// What [`read`] reads. The last column but one is all that the second seal covers beside the row's own fields.
pub(super) const COLUMNS: &str = "id, bound, seal, stage, approved_by, clears_ms, wrong_words, started_ms, change, upid, outcome, ended_ms, inverse, \
    exists (select 1 from approvals as back where back.id = approvals.undone_by and back.stage = 'done'), \
    (select spoken_ms from approval_standings where approval_id = id), (select seal from approval_standings where approval_id = id), \
    json_array(approved_by, clears_ms, room, asked_ms, expires_ms, started_ms, change, upid, outcome, ended_ms, inverse, undone_by), \
    approved_by is 'leave'";

pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<ApprovalRow> {
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
    let rest: String = row.get(16)?;
    Ok(ApprovalRow {
        row: Row {
            id: ApprovalId(row.get(0)?),
            bound,
            seal: Seal(row.get(2)?),
            stage,
            wrong_words: row.get(6)?,
            spoken: row.get::<_, Option<i64>>(14)?.map(WallMillis),
            rest: Sha256::digest(rest).into(),
            // Rows of a release without this seal have none, and are worth nothing any more.
            standing: Seal(row.get::<_, Option<[u8; 32]>>(15)?.unwrap_or_default()),
        },
        started: row.get::<_, Option<i64>>(7)?.map(WallMillis),
        change,
        upid: row.get::<_, Option<String>>(9)?.map(Upid),
        outcome: row.get(10)?,
        ended: row.get::<_, Option<i64>>(11)?.map(WallMillis),
        inverse: row.get(12)?,
        undone: row.get(13)?,
        on_leave: row.get(17)?,
    })
}

pub(super) fn unreadable(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

pub(super) fn one(tx: &Transaction<'_>, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
    let sql = format!("select {COLUMNS} from approvals where id = ?1");
    Ok(tx.prepare_cached(&sql)?.query_row([id.0], read).optional()?)
}

/// The rows that `condition` picks, newest first.
pub(super) fn all(
    tx: &Transaction<'_>,
    condition: &str,
    values: &[&dyn ToSql],
    limit: u32,
) -> Result<Vec<ApprovalRow>, StoreError> {
    let sql = format!("select {COLUMNS} from approvals where {condition} order by id desc limit {limit}");
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(values, read)?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

/// A new row, pending and sealed.
pub(super) fn insert(tx: &Transaction<'_>, bound: &Bound, key: &SealKey) -> Result<ApprovalId, StoreError> {
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
    tx.prepare_cached("insert into approval_standings (approval_id, seal) values (?1, zeroblob(32))")?
        .execute([id.0])?;
    seal_anew(tx, id, key)?;
    Ok(id)
}

/// Makes the second seal of a row whose first move or whose former seal was ours.
pub(super) fn seal_anew(tx: &Transaction<'_>, id: ApprovalId, key: &SealKey) -> Result<(), StoreError> {
    let Some(found) = one(tx, id)? else { return Ok(()) };
    let seal = found.row.sealed_anew(key).standing;
    tx.prepare_cached("update approval_standings set seal = ?2 where approval_id = ?1")?
        .execute(params![id.0, seal.0])?;
    Ok(())
}

/// Moves a row from one of `from` to `to`, and sets the columns `more` with it; false where it is in none of them, or was altered
/// and `to` would let it run.
pub(super) fn step(
    tx: &Transaction<'_>,
    key: &SealKey,
    id: ApprovalId,
    from: &[&str],
    to: &Stage,
    now: WallMillis,
    more: &[(&str, &dyn ToSql)],
) -> Result<bool, StoreError> {
    let Some(found) = one(tx, id)?.filter(|found| from.contains(&found.row.stage.name())) else { return Ok(false) };
    let ours = found.row.is_sealed_by(key);
    let opens = matches!(to, Stage::Approved { .. } | Stage::Started);
    if !ours {
        tracing::error!(%id, "what is stored of this question was altered; it will not run");
        if opens {
            return Ok(false);
        }
    }
    let (by, clears) = match to {
        Stage::Approved { by, clears } => (Some(by.as_str()), Some(clears.0)),
        _ => (None, None),
    };
    let ended = (!to.is_open() && *to != Stage::Started).then_some(now.0);
    let name = to.name();
    let mut values: Vec<&dyn ToSql> = vec![&id.0, &name, &by, &clears, &ended];
    let mut sql = "update approvals set stage = ?2, approved_by = coalesce(?3, approved_by), \
                   clears_ms = coalesce(?4, clears_ms), ended_ms = ?5"
        .to_owned();
    for (column, value) in more {
        values.push(*value);
        sql.push_str(&format!(", {column} = ?{}", values.len()));
    }
    sql.push_str(" where id = ?1");
    tx.prepare_cached(&sql)?.execute(values.as_slice())?;
    if ours {
        seal_anew(tx, id, key)?;
    }
    Ok(true)
}

/// Sets one column of a row whose seal is ours; false where it is not.
pub(super) fn set(
    tx: &Transaction<'_>,
    key: &SealKey,
    id: ApprovalId,
    column: &str,
    value: &dyn ToSql,
) -> Result<bool, StoreError> {
    let ours = one(tx, id)?.is_some_and(|found| found.row.is_sealed_by(key));
    tx.prepare_cached(&format!("update approvals set {column} = ?2 where id = ?1"))?.execute(params![id.0, value])?;
    if ours {
        seal_anew(tx, id, key)?;
    }
    Ok(ours)
}

/// Takes the words out of a row; a question that waits is over with them. What is left is sealed anew where the seals were ours: an owner
/// who has something forgotten alters nothing.
pub(in crate::store) fn forget_words(
    tx: &Transaction<'_>,
    key: Option<&SealKey>,
    id: ApprovalId,
) -> Result<(), StoreError> {
    let Some(found) = one(tx, id)? else { return Ok(()) };
    let ours = key.filter(|key| found.row.is_sealed_by(key));
    let bound = Bound { args: "{}".to_owned(), question: "(forgotten)".to_owned(), ..found.row.bound };
    let seal = ours.map_or(found.row.seal, |key| bound.seal(id, key));
    let text = serde_json::to_string(&bound).map_err(|error| unreadable(1, error))?;
    tx.prepare_cached("update approvals set bound = ?2, seal = ?3 where id = ?1")?
        .execute(params![id.0, text, seal.0])?;
    tx.prepare_cached(
        "update approvals set stage = 'cancelled', outcome = 'it was forgotten meanwhile', ended_ms = ?2
         where id = ?1 and stage = 'pending'",
    )?
    .execute(params![id.0, crate::store::now_ms()])?;
    ours.map_or(Ok(()), |key| seal_anew(tx, id, key))
}

/// The room heard the question to its end at `at`.
pub(super) fn spoken(tx: &Transaction<'_>, key: &SealKey, id: ApprovalId, at: WallMillis) -> Result<bool, StoreError> {
    if !one(tx, id)?.is_some_and(|found| found.row.is_sealed_by(key)) {
        return Ok(false);
    }
    tx.prepare_cached("update approval_standings set spoken_ms = ?2 where approval_id = ?1")?
        .execute(params![id.0, at.0])?;
    seal_anew(tx, id, key)?;
    Ok(true)
}

/// A pending question that is void; `entry` says so in the log.
pub(super) fn withdraw(
    tx: &Transaction<'_>,
    key: &SealKey,
    id: ApprovalId,
    why: &str,
    entry: &Entry,
) -> Result<(), StoreError> {
    if step(tx, key, id, &["pending"], &Stage::Cancelled, entry.at, &[("outcome", &why)])? {
        append(tx, &Entry { approval: Some(id), content: json!({"why": why}), ..entry.clone() })?;
    }
    Ok(())
}

/// Rows that count against standing leave since `since`.
pub(super) fn on_leave(tx: &Transaction<'_>, key: &SealKey, since: WallMillis) -> Result<u32, StoreError> {
    let lately = all(tx, "asked_ms >= ?1 or started_ms >= ?1", &[&since.0], u32::MAX)?;
    let counts = |found: &&ApprovalRow| {
        !found.row.is_sealed_by(key) || found.on_leave && found.started.is_some_and(|at| at >= since)
    };
    Ok(u32::try_from(lately.iter().filter(counts).count()).unwrap_or(u32::MAX))
}
