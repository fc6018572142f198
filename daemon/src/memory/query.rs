//! The questions.

use jarvis_core::memory::{Alias, Candidate, Draft, Hit, Memory, MemoryId, Question, TermHits, UnixMillis, topic_key};
use rusqlite::{OptionalExtension, Transaction, params};

use super::Which;
use super::row::{self, COLUMNS, CURRENT};
use crate::store::StoreError;

/// Most memories that are looked at for one word of a question.
const HITS_MAX: u32 = 200;
/// Most memories of one subject that a new one is compared with.
const COMPARED_MAX: u32 = 500;
/// Most names of the owner's own.
const ALIASES_MAX: u32 = 200;

/// What the index brings for each term of a question, of what is current.
pub(super) fn found(tx: &Transaction<'_>, question: &Question, now: UnixMillis) -> Result<Candidate, StoreError> {
    let total: i64 = tx
        .prepare_cached(&format!("select count(*) from memories m where {CURRENT}"))?
        .query_row([now.0], |row| row.get(0))?;
    let mut by_term = tx.prepare_cached(&format!(
        "select m.id, bm25(memory_words) from memory_words join memories m on m.id = memory_words.rowid
         where memory_words match ?2 and {CURRENT} order by bm25(memory_words), m.id desc limit ?3"
    ))?;
    let mut terms = Vec::new();
    for term in &question.terms {
        let hits = by_term
            .query_map(params![now.0, term.expression(), HITS_MAX], |row| {
                Ok(Hit { id: MemoryId(row.get::<_, i64>(0)?.unsigned_abs()), bm25: row.get(1)? })
            })?
            .collect::<Result<_, _>>()?;
        terms.push(TermHits { hits });
    }
    Ok(Candidate { total: usize::try_from(total).unwrap_or(0), terms })
}

/// These memories; those that are gone are left out.
pub(super) fn these(tx: &Transaction<'_>, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError> {
    let mut by_id = tx.prepare_cached(&format!("select {COLUMNS} from memories where id = ?1"))?;
    let mut memories = Vec::with_capacity(ids.len());
    for id in ids {
        memories.extend(by_id.query_row([row::key(*id)], row::memory).optional()?);
    }
    Ok(memories)
}

/// What is known of a draft's subject and holds at `at`, or will.
pub(super) fn of_subject(tx: &Transaction<'_>, draft: &Draft, at: UnixMillis) -> Result<Vec<Memory>, StoreError> {
    let (kind, subject) = row::subject(&draft.fact.subject);
    let rows = tx
        .prepare_cached(&format!(
            "select {COLUMNS} from memories m where subject_kind = ?2 and subject = ?3
             and (m.to_ms is null or ?1 < m.to_ms) and (m.expires_ms is null or ?1 < m.expires_ms) order by from_ms desc limit ?4"
        ))?
        .query_map(params![at.0, kind, subject, COMPARED_MAX], row::memory)?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Former values of this memory's attribute, the last one first.
pub(super) fn former(tx: &Transaction<'_>, memory: &Memory, limit: u32) -> Result<Vec<Memory>, StoreError> {
    let (kind, subject) = row::subject(&memory.fact.subject);
    let rows = tx
        .prepare_cached(&format!(
            "select {COLUMNS} from memories where subject_kind = ?1 and subject = ?2 and attribute = ?3
             and to_ms is not null and id <> ?4 order by to_ms desc, id desc limit ?5"
        ))?
        .query_map(params![kind, subject, memory.fact.attribute, row::key(memory.id), limit], row::memory)?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub(super) fn aliases(tx: &Transaction<'_>, now: UnixMillis) -> Result<Vec<Alias>, StoreError> {
    let rows = tx
        .prepare_cached(&format!(
            "select subject_kind, subject, value from memories m
             where attribute = 'name' and not tainted and {CURRENT} order by id desc limit ?2"
        ))?
        .query_map(params![now.0, ALIASES_MAX], |row| {
            let (kind, subject, name): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let subject = row::parse_subject(&kind, subject);
            Ok(subject.map(|subject| Alias { name: topic_key(&name), subject }))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().flatten().filter(|alias| !alias.name.is_empty()).collect())
}

pub(super) fn list(tx: &Transaction<'_>, which: Which, limit: u32, now: UnixMillis) -> Result<Vec<Memory>, StoreError> {
    let holds = match which {
        Which::Current => CURRENT,
        Which::All => "m.expires_ms is null or ?1 < m.expires_ms",
    };
    let rows = tx
        .prepare_cached(&format!(
            "select {COLUMNS} from memories m where {holds} order by told_ms desc, id desc limit ?2"
        ))?
        .query_map(params![now.0, limit], row::memory)?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

/// Memories after this one by number, superseded ones as well.
pub(super) fn after(
    tx: &Transaction<'_>,
    id: MemoryId,
    limit: u32,
    now: UnixMillis,
) -> Result<Vec<Memory>, StoreError> {
    let rows = tx
        .prepare_cached(&format!(
            "select {COLUMNS} from memories where id > ?1 and (expires_ms is null or ?2 < expires_ms) order by id limit ?3"
        ))?
        .query_map(params![row::key(id), now.0, limit], row::memory)?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}
