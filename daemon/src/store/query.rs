//! The questions.

use jarvis_core::ids::{SatelliteId, TurnId};
use jarvis_core::tool::Tier;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::StoreError;
use super::row::{EarlierRow, EventRow, SentenceRow, Source, ToolRow, TurnRow, WakeRow};
use super::write::key;

const COLUMNS: &str = "id, conversation_id, room, satellite, source, started_ms, wake_phrase, wake_score, wake_check, \
                       transcript, route_kind, route_reason, reply, finished_ms, error, forgotten_ms, page";

pub(super) fn turns(tx: &Transaction<'_>, limit: u32) -> Result<Vec<TurnRow>, StoreError> {
    let mut rows = tx
        .prepare_cached(&format!("select {COLUMNS} from turns order by id desc limit ?1"))?
        .query_map([limit], bare)?
        .collect::<Result<Vec<_>, _>>()?;
    for row in &mut rows {
        fill(tx, row)?;
    }
    Ok(rows)
}

pub(super) fn turn(tx: &Transaction<'_>, turn: TurnId) -> Result<Option<TurnRow>, StoreError> {
    let mut row = tx
        .prepare_cached(&format!("select {COLUMNS} from turns where id = ?1"))?
        .query_row([key(turn)], bare)
        .optional()?;
    if let Some(row) = &mut row {
        fill(tx, row)?;
    }
    Ok(row)
}

pub(super) fn earlier(tx: &Transaction<'_>, turn: TurnId, limit: u32) -> Result<Vec<EarlierRow>, StoreError> {
    let mut rows = tx
        .prepare_cached(
            "select transcript, case when reply_tainted = 0 then reply end,
                    (select json_group_array(name) from
                       (select name from tool_runs where turn_id = turns.id group by name order by min(seq))),
                    coalesce(route_kind, '') = 'cloud_model'
             from turns where conversation_id = (select conversation_id from turns where id = ?1) and id < ?1
               and finished_ms is not null and coalesce(transcript, '') <> '' and coalesce(reply, '') <> '' and source <> 'said'
             order by id desc limit ?2",
        )?
        .query_map(rusqlite::params![key(turn), limit], |row| {
            let tools = serde_json::from_value(json(row, 2)?).unwrap_or_default();
            Ok(EarlierRow { transcript: row.get(0)?, untainted_reply: row.get(1)?, tools, by_cloud: row.get(3)? })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    rows.reverse();
    Ok(rows)
}

pub(super) fn events(tx: &Transaction<'_>, limit: u32) -> Result<Vec<EventRow>, StoreError> {
    Ok(tx
        .prepare_cached("select id, at_ms, kind, subject, detail from events order by id desc limit ?1")?
        .query_map([limit], |row| {
            Ok(EventRow {
                id: row.get::<_, i64>(0)?.unsigned_abs(),
                at_ms: row.get(1)?,
                kind: row.get(2)?,
                subject: row.get(3)?,
                detail: json(row, 4)?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

pub(super) fn integrity(tx: &Transaction<'_>) -> Result<Option<String>, StoreError> {
    let verdict: String = tx.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

fn bare(row: &Row<'_>) -> rusqlite::Result<TurnRow> {
    let source: String = row.get(4)?;
    let wake = match row.get::<_, Option<String>>(6)? {
        Some(phrase) => {
            Some(WakeRow { phrase, score: row.get::<_, Option<f64>>(7)?.unwrap_or(0.0) as f32, check: row.get(8)? })
        }
        None => None,
    };
    let route = match (row.get::<_, Option<String>>(10)?, row.get::<_, Option<String>>(11)?) {
        (Some(kind), reason) => Some((kind, reason.unwrap_or_default())),
        _ => None,
    };
    Ok(TurnRow {
        id: TurnId(row.get::<_, i64>(0)?.unsigned_abs()),
        conversation: row.get::<_, i64>(1)?.unsigned_abs(),
        room: row.get(2)?,
        satellite: row.get::<_, Option<String>>(3)?.map(SatelliteId),
        source: Source::parse(&source).ok_or_else(|| odd(4, &source))?,
        started_ms: row.get(5)?,
        wake,
        transcript: row.get(9)?,
        route,
        tools: Vec::new(),
        sentences: Vec::new(),
        reply: row.get(12)?,
        page: row.get(16)?,
        marks: Vec::new(),
        finished_ms: row.get(13)?,
        error: row.get(14)?,
        forgotten_ms: row.get(15)?,
    })
}

fn fill(tx: &Transaction<'_>, turn: &mut TurnRow) -> Result<(), StoreError> {
    let id = key(turn.id);
    turn.tools = tx
        .prepare_cached("select name, args, tier, outcome, duration_ms from tool_runs where turn_id = ?1 order by seq")?
        .query_map([id], |row| {
            let tier: String = row.get(2)?;
            Ok(ToolRow {
                name: row.get(0)?,
                args: json(row, 1)?,
                tier: parse_tier(&tier).ok_or_else(|| odd(2, &tier))?,
                outcome: row.get(3)?,
                ms: row.get::<_, i64>(4)?.unsigned_abs(),
            })
        })?
        .collect::<Result<_, _>>()?;
    turn.sentences = tx
        .prepare_cached("select place, text from sentences where turn_id = ?1 order by seq")?
        .query_map([id], |row| Ok(SentenceRow { place: row.get(0)?, text: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    turn.marks = tx
        .prepare_cached("select name, at_ms from marks where turn_id = ?1 order by name")?
        .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(())
}

fn parse_tier(text: &str) -> Option<Tier> {
    [Tier::Green, Tier::Yellow, Tier::Red, Tier::Black].into_iter().find(|tier| tier.name() == text)
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<serde_json::Value> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

fn odd(column: usize, found: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("unexpected value {found:?}").into())
}
