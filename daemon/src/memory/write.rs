//! The writes. Each runs inside one transaction of the store's thread.

use jarvis_core::approval::SealKey;
use jarvis_core::memory::{Closed, Draft, Memory, MemoryId, Plan, Remembered, UnixMillis, Validity, plan};
use rusqlite::{Transaction, params};

use super::keeper::Touches;
use super::row::{key, subject};
use super::{MEMORIES_MAX, Occasion, query};
use crate::store::{StoreError, forget_memory};

/// `None`: there is no room for another memory.
pub(super) fn remember(
    tx: &Transaction<'_>,
    draft: &Draft,
    occasion: &Occasion,
) -> Result<Option<Remembered>, StoreError> {
    let now = occasion.now;
    let known = query::of_subject(tx, draft, now)?;
    let memory = |validity| Memory {
        id: MemoryId(0),
        fact: draft.fact.clone(),
        room: occasion.room.clone(),
        turn: occasion.turn,
        told: now,
        validity,
        uses: 0,
        last_used: None,
    };
    let open = Validity { from: now, closed: None, expires: draft.expires };
    Ok(match plan(draft, now, &known) {
        Plan::Known(id) => known.into_iter().find(|m| m.id == id).map(Remembered::Known),
        _ if is_full(tx)? => None,
        Plan::History { until, by } => {
            let validity = Validity { closed: Some(Closed { at: until, by: Some(by) }), ..open };
            let memory = insert(tx, memory(validity))?;
            Some(Remembered::Kept { memory, closed: Vec::new(), beside: Vec::new() })
        }
        Plan::Keep { closes, beside } => {
            let memory = insert(tx, memory(open))?;
            close(tx, &closes, &memory)?;
            let of = |ids: &[MemoryId]| known.iter().filter(|m| ids.contains(&m.id)).cloned().collect();
            Some(Remembered::Kept { closed: of(&closes), beside: of(&beside), memory })
        }
    })
}

pub(super) fn is_full(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    let count: i64 = tx.prepare_cached("select count(*) from memories")?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX) >= MEMORIES_MAX)
}

/// The same memory under its number.
pub(super) fn insert(tx: &Transaction<'_>, memory: Memory) -> Result<Memory, StoreError> {
    let fact = &memory.fact;
    let (kind, name) = subject(&fact.subject);
    let mentions = serde_json::to_string(&fact.mentions)
        .map_err(|e| StoreError::Sqlite(rusqlite::Error::ToSqlConversionFailure(Box::new(e))))?;
    let Validity { from, closed, expires } = memory.validity;
    let id: i64 = tx
        .prepare_cached(
            "insert into memories (lifetime, subject_kind, subject, label, attribute, text, value, single, mentions, keys, source,
               tainted, importance, room, turn_id, told_ms, from_ms, to_ms, superseded_by, expires_ms, uses, last_used_ms)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) returning id",
        )?
        .query_row(
            params![
                fact.lifetime.as_str(),
                kind,
                name,
                fact.label,
                fact.attribute,
                fact.text,
                fact.value,
                fact.single,
                mentions,
                fact.keys(),
                fact.source.as_str(),
                fact.tainted,
                fact.importance,
                memory.room,
                memory.turn.map(|turn| i64::try_from(turn.0).unwrap_or(i64::MAX)),
                memory.told.0,
                from.0,
                closed.map(|c| c.at.0),
                closed.and_then(|c| c.by).map(key),
                expires.map(|at| at.0),
                memory.uses,
                memory.last_used.map(|at| at.0),
            ],
            |row| row.get(0),
        )?;
    Ok(Memory { id: MemoryId(id.unsigned_abs()), ..memory })
}

/// Closes memories with the beginning of the one that takes their place.
pub(super) fn close(tx: &Transaction<'_>, ids: &[MemoryId], by: &Memory) -> Result<(), StoreError> {
    let mut update = tx.prepare_cached("update memories set to_ms = ?2, superseded_by = ?3 where id = ?1")?;
    for id in ids {
        update.execute(params![key(*id), by.validity.from.0, key(by.id)])?;
    }
    Ok(())
}

/// With each goes what it had made obsolete: who forgets where the router is now does not keep where it was.
pub(super) fn forget(tx: &Transaction<'_>, seals: Option<&SealKey>, ids: &[MemoryId]) -> Result<u64, StoreError> {
    let mut gone = 0;
    for id in ids {
        let chain: Vec<(i64, Option<i64>)> = tx
            .prepare_cached(
                "with recursive chain (id) as (select ?1 union select m.id from memories m join chain c on m.superseded_by = c.id)
                 select id, turn_id from memories where id in (select id from chain)",
            )?
            .query_map([key(*id)], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (id, turn) in chain {
            // What the audit log holds of its words goes with it.
            forget_memory(tx, seals, id, turn)?;
            gone += tx.prepare_cached("delete from memories where id = ?1")?.execute([id])?;
        }
    }
    Ok(gone as u64)
}

pub(super) fn sweep(tx: &Transaction<'_>, now: UnixMillis, limit: u32) -> Result<u64, StoreError> {
    let gone = tx
        .prepare_cached(
            "delete from memories where id in (select id from memories where expires_ms <= ?1 order by expires_ms limit ?2)",
        )?
        .execute(params![now.0, limit])?;
    Ok(gone as u64)
}

pub(super) fn touched(tx: &Transaction<'_>, touches: &Touches) -> Result<(), StoreError> {
    let mut update = tx.prepare_cached(
        "update memories set uses = min(uses + ?2, 4294967295), last_used_ms = max(coalesce(last_used_ms, ?3), ?3) where id = ?1",
    )?;
    for (id, (uses, at)) in touches {
        update.execute(params![key(*id), uses, at.0])?;
    }
    Ok(())
}
