//! Between rows of the table and the domain's memories.

use jarvis_core::ids::{NodeName, StorageName, TurnId, Vmid};
use jarvis_core::memory::{Closed, Fact, Lifetime, Memory, MemoryId, Source, Subject, UnixMillis, Validity};
use rusqlite::Row;
use rusqlite::types::Type;

/// The columns that [`memory`] reads, in its order.
pub(super) const COLUMNS: &str = "id, lifetime, subject_kind, subject, label, attribute, text, value, single, mentions, source, \
    tainted, importance, room, turn_id, told_ms, from_ms, to_ms, superseded_by, expires_ms, uses, last_used_ms";

/// Holds at `?1`, as a condition on the table `m`.
pub(super) const CURRENT: &str =
    "m.from_ms <= ?1 and (m.to_ms is null or ?1 < m.to_ms) and (m.expires_ms is null or ?1 < m.expires_ms)";

/// A subject as its two columns.
pub(super) fn subject(subject: &Subject) -> (&'static str, String) {
    match subject {
        Subject::Node(name) => ("node", name.as_str().to_owned()),
        Subject::Guest(vmid) => ("guest", vmid.to_string()),
        Subject::Storage(name) => ("storage", name.as_str().to_owned()),
        Subject::Topic(key) => ("topic", key.clone()),
    }
}

/// The subject of two columns.
pub(super) fn parse_subject(kind: &str, name: String) -> Option<Subject> {
    Some(match kind {
        "node" => Subject::Node(NodeName(name)),
        "guest" => Subject::Guest(Vmid(name.parse().ok()?)),
        "storage" => Subject::Storage(StorageName(name)),
        "topic" => Subject::Topic(name),
        _ => return None,
    })
}

pub(super) fn parse_lifetime(text: &str) -> Option<Lifetime> {
    Lifetime::ALL.into_iter().find(|lifetime| lifetime.as_str() == text)
}

pub(super) fn parse_source(text: &str) -> Option<Source> {
    Source::ALL.into_iter().find(|source| source.as_str() == text)
}

pub(super) fn key(id: MemoryId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

/// A row of [`COLUMNS`].
pub(super) fn memory(row: &Row<'_>) -> rusqlite::Result<Memory> {
    let odd = |column: usize, found: &str| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("unexpected value {found:?}").into())
    };
    let (lifetime, kind, source): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(10)?);
    let mentions: String = row.get(9)?;
    let millis = |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(UnixMillis));
    let id = |column: usize| row.get::<_, Option<i64>>(column).map(|id| id.map(i64::unsigned_abs));
    let (to, by) = (millis(17)?, id(18)?.map(MemoryId));
    Ok(Memory {
        id: MemoryId(row.get::<_, i64>(0)?.unsigned_abs()),
        fact: Fact {
            subject: parse_subject(&kind, row.get(3)?).ok_or_else(|| odd(2, &kind))?,
            label: row.get(4)?,
            attribute: row.get(5)?,
            text: row.get(6)?,
            value: row.get(7)?,
            single: row.get(8)?,
            mentions: serde_json::from_str(&mentions)
                .map_err(|e| rusqlite::Error::FromSqlConversionFailure(9, Type::Text, Box::new(e)))?,
            source: parse_source(&source).ok_or_else(|| odd(10, &source))?,
            tainted: row.get(11)?,
            lifetime: parse_lifetime(&lifetime).ok_or_else(|| odd(1, &lifetime))?,
            importance: row.get(12)?,
        },
        room: row.get(13)?,
        turn: id(14)?.map(TurnId),
        told: UnixMillis(row.get(15)?),
        validity: Validity {
            from: UnixMillis(row.get(16)?),
            closed: to.map(|at| Closed { at, by }),
            expires: millis(19)?,
        },
        uses: u32::try_from(row.get::<_, i64>(20)?).unwrap_or(u32::MAX),
        last_used: millis(21)?,
    })
}
