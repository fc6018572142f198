//! Export and import: one JSON object a line. What is imported is hostile until it is parsed, and gains nothing by it: it is marked as
//! imported, keeps its taint, passes redaction, and never makes the owner's newer word obsolete.

use jarvis_core::memory::{
    Closed, Draft, EPISODIC_MS, Fact, IMPORTANCE_MAX, KEY_CHARS_MAX, Lifetime, MENTIONS_MAX, Memory, MemoryId, Plan,
    Source, Subject, TEXT_CHARS_MAX, UnixMillis, VALUE_CHARS_MAX, Validity, plan, without_secrets,
};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::row::{key, parse_source, subject};
use super::{Redact, query, write};
use crate::store::StoreError;

/// Lines of one export or import call; the client goes on.
pub const LINES_MAX: usize = 500;
/// Longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// Version of a line. A newer one is refused with that reason.
const VERSION: u32 = 1;
/// Longest name of a room.
const ROOM_CHARS_MAX: usize = 60;
/// What lasts may not end later than this after it was told; episodes that were told with an end may last a year.
const SPAN_MAX_MS: i64 = 366 * 86_400_000;
/// A clock that is ahead by so much is forgiven.
const AHEAD_MAX_MS: i64 = 86_400_000;

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Imported {
    /// Memories that are new.
    pub added: u64,
    /// Lines that were known already.
    pub known: u64,
    /// Lines whose time is over.
    pub expired: u64,
    /// Lines that were not taken: their number in this call, from 1, and why.
    pub refused: Vec<(usize, String)>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    v: u32,
    /// Only for people: an import gives numbers of its own.
    id: u64,
    lifetime: Lifetime,
    subject: Subject,
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    single: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<Subject>,
    source: String,
    tainted: bool,
    importance: u8,
    room: String,
    told_ms: i64,
    from_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<i64>,
    uses: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_ms: Option<i64>,
}

pub(super) fn export(
    tx: &Transaction<'_>,
    after: MemoryId,
    now: UnixMillis,
) -> Result<(Vec<String>, Option<MemoryId>), StoreError> {
    let limit = u32::try_from(LINES_MAX).unwrap_or(u32::MAX);
    let memories = query::after(tx, after, limit, now)?;
    let next = memories.last().map(|m| m.id).filter(|_| memories.len() == LINES_MAX);
    let written = |memory: Memory| {
        serde_json::to_string(&line(memory))
            .map_err(|e| StoreError::Sqlite(rusqlite::Error::ToSqlConversionFailure(Box::new(e))))
    };
    Ok((memories.into_iter().map(written).collect::<Result<_, _>>()?, next))
}

fn line(memory: Memory) -> Line {
    let Memory { id, fact, room, turn: _, told, validity, uses, last_used } = memory;
    Line {
        v: VERSION,
        id: id.0,
        lifetime: fact.lifetime,
        subject: fact.subject,
        label: fact.label,
        attribute: fact.attribute,
        text: fact.text,
        value: fact.value,
        single: fact.single,
        mentions: fact.mentions,
        source: fact.source.as_str().to_owned(),
        tainted: fact.tainted,
        importance: fact.importance,
        room,
        told_ms: told.0,
        from_ms: validity.from.0,
        to_ms: validity.closed.map(|c| c.at.0),
        expires_ms: validity.expires.map(|at| at.0),
        uses,
        last_used_ms: last_used.map(|at| at.0),
    }
}

pub(super) fn import(
    tx: &Transaction<'_>,
    lines: &[String],
    redact: Redact,
    now: UnixMillis,
) -> Result<Imported, StoreError> {
    let mut done = Imported::default();
    for (n, text) in lines.iter().enumerate() {
        let taken = match n {
            0..LINES_MAX => parse(text, redact, now),
            _ => Err(format!("more than {LINES_MAX} lines in one call")),
        };
        match taken {
            Err(why) => done.refused.push((n + 1, why)),
            Ok(None) => done.expired += 1,
            Ok(Some(memory)) => match add(tx, memory)? {
                Added::New => done.added += 1,
                Added::Known => done.known += 1,
                Added::Full => done.refused.push((n + 1, super::MemoryError::Full.to_string())),
            },
        }
    }
    Ok(done)
}

/// A line as a memory; `None` where its time is over.
fn parse(text: &str, redact: Redact, now: UnixMillis) -> Result<Option<Memory>, String> {
    if text.len() > LINE_BYTES_MAX {
        return Err(format!("it has {} bytes, a line has at most {LINE_BYTES_MAX}", text.len()));
    }
    let line: Line = serde_json::from_str(text).map_err(|e| format!("{e}; give lines of `jarvisctl memory export`"))?;
    if line.v != VERSION {
        return Err(format!("its version is {}, this jarvisd reads {VERSION}: use the jarvisd that wrote it", line.v));
    }
    if parse_source(&line.source).is_none() {
        return Err(format!("there is no source {:?}", line.source));
    }
    words("text", &line.text, TEXT_CHARS_MAX)?;
    words("label", &line.label, KEY_CHARS_MAX)?;
    for (field, text, most) in [("attribute", &line.attribute, KEY_CHARS_MAX), ("value", &line.value, VALUE_CHARS_MAX)]
    {
        text.as_ref().map_or(Ok(()), |text| words(field, text, most))?;
    }
    if line.room.chars().count() > ROOM_CHARS_MAX || line.room.chars().any(char::is_control) {
        return Err("its room is no room's name".to_owned());
    }
    for subject in std::iter::once(&line.subject).chain(&line.mentions) {
        named(subject)?;
    }
    times(&line, now)?;
    if line.attribute.is_some() != line.value.is_some() || (line.single && line.attribute.is_none()) {
        return Err("attribute and value come together".to_owned());
    }
    if line.mentions.len() > MENTIONS_MAX || !(1..=IMPORTANCE_MAX).contains(&line.importance) {
        return Err("it names too much, or is too important".to_owned());
    }
    if line.expires_ms.is_some_and(|at| at <= now.0) {
        return Ok(None);
    }
    let (told, last_used) = (UnixMillis(line.told_ms), line.last_used_ms.map(UnixMillis));
    let validity = Validity {
        from: UnixMillis(line.from_ms),
        closed: line.to_ms.map(|at| Closed { at: UnixMillis(at), by: None }),
        expires: line.expires_ms.map(UnixMillis),
    };
    let fact = Fact {
        subject: line.subject,
        label: line.label,
        attribute: line.attribute,
        text: line.text,
        value: line.value,
        single: line.single,
        mentions: line.mentions,
        // Whatever the file says of itself.
        source: Source::Imported,
        tainted: line.tainted,
        lifetime: line.lifetime,
        importance: line.importance,
    };
    let draft = without_secrets(Draft { fact, expires: validity.expires }, &redact).map_err(|e| e.to_string())?;
    let (id, fact, turn) = (MemoryId(0), draft.fact, None);
    Ok(Some(Memory { id, fact, room: line.room, turn, told, validity, uses: line.uses, last_used }))
}

fn words(field: &str, text: &str, chars_max: usize) -> Result<(), String> {
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > chars_max || text.chars().any(char::is_control) {
        return Err(format!("its {field} is empty, longer than {chars_max} characters, or holds control characters"));
    }
    Ok(())
}

fn named(subject: &Subject) -> Result<(), String> {
    match subject {
        Subject::Guest(_) => Ok(()),
        Subject::Node(name) => words("node", name.as_str(), KEY_CHARS_MAX),
        Subject::Storage(name) => words("storage", name.as_str(), KEY_CHARS_MAX),
        Subject::Topic(key) => words("topic", key, KEY_CHARS_MAX),
    }
}

fn times(line: &Line, now: UnixMillis) -> Result<(), String> {
    let latest = now.plus(AHEAD_MAX_MS).0;
    let past = |at: i64| (0..=latest).contains(&at);
    let used = line.last_used_ms.is_none_or(past);
    let closed = line.to_ms.is_none_or(|to| past(to) && to >= line.from_ms);
    if !past(line.told_ms) || !past(line.from_ms) || !used || !closed {
        return Err("its times are not in the past and in order".to_owned());
    }
    let span = line.expires_ms.map(|at| at.saturating_sub(line.told_ms));
    let fits = match (line.lifetime, span) {
        (Lifetime::Lasting, None) => true,
        (Lifetime::Working, Some(span)) => (1..=EPISODIC_MS).contains(&span),
        (Lifetime::Episodic, Some(span)) => (1..=SPAN_MAX_MS).contains(&span),
        _ => false,
    };
    if fits { Ok(()) } else { Err("its end does not fit its lifetime".to_owned()) }
}

enum Added {
    New,
    Known,
    Full,
}

fn add(tx: &Transaction<'_>, memory: Memory) -> Result<Added, StoreError> {
    if is_there(tx, &memory)? {
        return Ok(Added::Known);
    }
    if write::is_full(tx)? {
        return Ok(Added::Full);
    }
    let from = memory.validity.from;
    let draft = Draft { fact: memory.fact.clone(), expires: memory.validity.expires };
    let known = query::of_subject(tx, &draft, from)?;
    if memory.validity.closed.is_some() {
        let by = successor(tx, &memory)?;
        let closed = memory.validity.closed.map(|closed| Closed { by, ..closed });
        let memory = write::insert(tx, Memory { validity: Validity { closed, ..memory.validity }, ..memory })?;
        follow(tx, &memory)?;
        return Ok(Added::New);
    }
    match plan(&draft, from, &known) {
        Plan::Known(_) => return Ok(Added::Known),
        Plan::History { until, by } => {
            let closed = Some(Closed { at: until, by: Some(by) });
            write::insert(tx, Memory { validity: Validity { closed, ..memory.validity }, ..memory })?;
        }
        Plan::Keep { closes, .. } => {
            let memory = write::insert(tx, memory)?;
            write::close(tx, &closes, &memory)?;
            follow(tx, &memory)?;
        }
    }
    Ok(Added::New)
}

/// Whether the very same is there.
fn is_there(tx: &Transaction<'_>, memory: &Memory) -> Result<bool, StoreError> {
    let (kind, name) = subject(&memory.fact.subject);
    Ok(tx
        .prepare_cached(
            "select 1 from memories where subject_kind = ?1 and subject = ?2 and attribute is ?3 and text = ?4 and from_ms = ?5",
        )?
        .exists(params![kind, name, memory.fact.attribute, memory.fact.text, memory.validity.from.0])?)
}

/// What took this closed memory's place: the one of its attribute that begins where it ends.
fn successor(tx: &Transaction<'_>, memory: &Memory) -> Result<Option<MemoryId>, StoreError> {
    let (kind, name) = subject(&memory.fact.subject);
    let to = memory.validity.closed.map(|c| c.at.0);
    let id: Option<i64> = tx
        .prepare_cached(
            "select id from memories where subject_kind = ?1 and subject = ?2 and attribute = ?3 and from_ms = ?4 limit 1",
        )?
        .query_row(params![kind, name, memory.fact.attribute, to], |row| row.get(0))
        .optional()?;
    Ok(id.map(|id| MemoryId(id.unsigned_abs())))
}

/// Makes what ends where this memory begins point to it.
fn follow(tx: &Transaction<'_>, memory: &Memory) -> Result<(), StoreError> {
    let (kind, name) = subject(&memory.fact.subject);
    tx.prepare_cached(
        "update memories set superseded_by = ?1 where subject_kind = ?2 and subject = ?3 and attribute = ?4 and to_ms = ?5
           and superseded_by is null and id <> ?1",
    )?
    .execute(params![key(memory.id), kind, name, memory.fact.attribute, memory.validity.from.0])?;
    Ok(())
}
