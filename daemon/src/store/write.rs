//! The writes. Each runs inside the transaction that the store's thread commits.

use jarvis_core::ids::TurnId;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, params};

use super::row::{Keep, Mark, NewTurn, Retained, ToolRow};
use super::{MAX_ROWS, StoreError, agent};

/// A turn that begins this long after the room's last one began starts a new conversation.
const CONVERSATION_GAP_MS: i64 = 10 * 60 * 1000;

/// What a turn carries that the daemon's end cut off.
const CUT: &str = "the daemon ended in the middle of this turn";

pub(super) fn begin_turn(tx: &Transaction<'_>, turn: &NewTurn) -> Result<TurnId, StoreError> {
    let conversation = conversation(tx, &turn.room, turn.started_ms)?;
    let wake = turn.wake.as_ref();
    let id: i64 = tx
        .prepare_cached(
            "insert into turns (conversation_id, room, satellite, source, started_ms, wake_phrase, wake_score, wake_check)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) returning id",
        )?
        .query_row(
            params![
                conversation,
                turn.room,
                turn.satellite.as_ref().map(|s| s.as_str()),
                turn.source.as_str(),
                turn.started_ms,
                wake.map(|w| &w.phrase),
                wake.map(|w| f64::from(w.score)),
                wake.and_then(|w| w.check.as_ref()),
            ],
            |row| row.get(0),
        )?;
    Ok(TurnId(id.unsigned_abs()))
}

fn conversation(tx: &Transaction<'_>, room: &str, now_ms: i64) -> Result<i64, StoreError> {
    let running: Option<i64> = tx
        .prepare_cached("select id from conversations where room = ?1 and last_ms >= ?2 order by last_ms desc limit 1")?
        .query_row(params![room, now_ms - CONVERSATION_GAP_MS], |row| row.get(0))
        .optional()?;
    if let Some(id) = running {
        tx.prepare_cached("update conversations set last_ms = max(last_ms, ?2) where id = ?1")?
            .execute(params![id, now_ms])?;
        return Ok(id);
    }
    Ok(tx
        .prepare_cached("insert into conversations (room, started_ms, last_ms) values (?1, ?2, ?2) returning id")?
        .query_row(params![room, now_ms], |row| row.get(0))?)
}

/// Sets one text column of a turn. `column` is one of ours, never from outside.
pub(super) fn set(
    tx: &Transaction<'_>,
    turn: TurnId,
    column: &'static str,
    text: &dyn ToSql,
) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached(&format!("update turns set {column} = ?2 where id = ?1"))?
        .execute(params![key(turn), text])?;
    there(turn, changed)
}

/// Sets what was said. `tainted`: strangers may have written some of it.
pub(super) fn reply(tx: &Transaction<'_>, turn: TurnId, text: &str, tainted: bool) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached("update turns set reply = ?2, reply_tainted = ?3 where id = ?1")?
        .execute(params![key(turn), text, tainted])?;
    there(turn, changed)
}

pub(super) fn tool(tx: &Transaction<'_>, turn: TurnId, tool: &ToolRow) -> Result<(), StoreError> {
    exists(tx, turn)?;
    tx.prepare_cached(
        "insert into tool_runs (turn_id, seq, name, args, tier, outcome, duration_ms)
         values (?1, (select count(*) from tool_runs where turn_id = ?1), ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        key(turn),
        tool.name,
        tool.args.to_string(),
        tool.tier.name(),
        tool.outcome,
        i64::try_from(tool.ms).unwrap_or(i64::MAX),
    ])?;
    Ok(())
}

pub(super) fn sentence(
    tx: &Transaction<'_>,
    turn: TurnId,
    place: u16,
    text: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    exists(tx, turn)?;
    tx.prepare_cached(
        "insert into sentences (turn_id, seq, place, text, committed_ms)
         values (?1, (select count(*) from sentences where turn_id = ?1), ?2, ?3, ?4)",
    )?
    .execute(params![key(turn), place, text, now_ms])?;
    Ok(())
}

pub(super) fn marks(tx: &Transaction<'_>, turn: TurnId, marks: &[Mark]) -> Result<(), StoreError> {
    exists(tx, turn)?;
    let mut insert = tx.prepare_cached(
        "insert into marks (turn_id, name, at_ms) values (?1, ?2, ?3)
         on conflict (turn_id, name) do update set at_ms = excluded.at_ms",
    )?;
    for (name, at_ms) in marks {
        insert.execute(params![key(turn), name, at_ms])?;
    }
    Ok(())
}

pub(super) fn finish(tx: &Transaction<'_>, turn: TurnId, error: Option<&str>, now_ms: i64) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached("update turns set finished_ms = ?2, error = ?3 where id = ?1")?
        .execute(params![key(turn), now_ms, error])?;
    agent::cancel(tx, turn, now_ms)?;
    there(turn, changed)
}

pub(super) fn discard(tx: &Transaction<'_>, turn: TurnId) -> Result<(), StoreError> {
    let changed = tx.prepare_cached("delete from turns where id = ?1")?.execute(params![key(turn)])?;
    there(turn, changed)?;
    empty_conversations(tx)
}

pub(super) fn event(
    tx: &Transaction<'_>,
    now_ms: i64,
    kind: &str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<(), StoreError> {
    tx.prepare_cached("insert into events (at_ms, kind, subject, detail) values (?1, ?2, ?3, ?4)")?
        .execute(params![now_ms, kind, subject, detail.to_string()])?;
    Ok(())
}

/// Forgets at most [`MAX_ROWS`] turns at once, so that no turn waits long behind it; the next call goes on.
pub(super) fn retain(tx: &Transaction<'_>, keep: Keep, now_ms: i64) -> Result<Retained, StoreError> {
    let old: Vec<i64> = tx
        .prepare_cached(
            "select id from turns where started_ms < ?1 and forgotten_ms is null and finished_ms is not null
             order by id limit ?2",
        )?
        .query_map(params![now_ms - keep.words_ms, MAX_ROWS], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &old {
        tx.prepare_cached(
            "update turns set transcript = null, reply = null, page = null, forgotten_ms = ?2 where id = ?1",
        )?
        .execute(params![id, now_ms])?;
        tx.prepare_cached("delete from sentences where turn_id = ?1")?.execute([id])?;
        agent::forget(tx, *id)?;
        tx.prepare_cached("update tool_runs set args = 'null' where turn_id = ?1")?.execute([id])?;
    }
    let deleted = tx
        .prepare_cached(
            "delete from turns where id in (select id from turns where started_ms < ?1 order by id limit ?2)",
        )?
        .execute(params![now_ms - keep.turns_ms, MAX_ROWS])?;
    empty_conversations(tx)?;
    super::costs::retain(tx, keep.turns_ms, now_ms)?;
    let contents = super::audit::retain(tx, now_ms - keep.turns_ms, now_ms - keep.words_ms)?;
    let events = tx.prepare_cached("delete from events where at_ms < ?1")?.execute([now_ms - keep.events_ms])?;
    Ok(Retained { forgotten: old.len() as u64, deleted: deleted as u64, events: events as u64, contents })
}

fn empty_conversations(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.prepare_cached(
        "delete from conversations where not exists (select 1 from turns where conversation_id = conversations.id)",
    )?
    .execute([])?;
    Ok(())
}

/// Turns that a former run left open get their end.
pub(super) fn end_cut_turns(connection: &mut Connection, now_ms: i64) -> Result<u64, StoreError> {
    let changed = connection
        .execute("update turns set finished_ms = ?1, error = ?2 where finished_ms is null", params![now_ms, CUT])?;
    Ok(changed as u64)
}

pub(super) fn key(turn: TurnId) -> i64 {
    i64::try_from(turn.0).unwrap_or(i64::MAX)
}

pub(super) fn exists(tx: &Transaction<'_>, turn: TurnId) -> Result<(), StoreError> {
    let found = tx.prepare_cached("select 1 from turns where id = ?1")?.exists([key(turn)])?;
    there(turn, usize::from(found))
}

fn there(turn: TurnId, rows: usize) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NoTurn(turn.0)) } else { Ok(()) }
}
