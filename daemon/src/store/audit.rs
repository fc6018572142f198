//! The audit log's rows. An entry is written in the transaction of what it tells of, so neither is ever there without the other.

use jarvis_core::audit::{Broken, Hash, Link, Verifier, content_hash, next};
use jarvis_core::ids::{ApprovalId, WallMillis};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use super::{Store, StoreError};

/// Entries that one question brings.
const SHOWN_MAX: u32 = 1000;

/// An entry to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: WallMillis,
    /// What happened: `asked`, `ruled`, `approved`, `denied`, `started`, `sent`, `verified`, `stopped`, `resumed`, ...
    pub kind: &'static str,
    /// Of which approval, if of one.
    pub approval: Option<ApprovalId>,
    /// Drawn for this entry alone.
    pub salt: [u8; 16],
    /// What there is to know, secrets taken out.
    pub content: Value,
}

/// An entry as it is shown.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Shown {
    /// Counts up from 1.
    pub seq: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// What happened.
    pub kind: String,
    /// Of which approval, if of one.
    pub approval: Option<i64>,
    /// What there is to know; `None` once it was forgotten.
    pub content: Option<Value>,
}

/// Writes the entry that follows the newest; gives its number and hash.
pub(super) fn append(tx: &Transaction<'_>, entry: &Entry) -> Result<(u64, Hash), StoreError> {
    let content = entry.content.to_string();
    let last = tx
        .prepare_cached("select seq, at_ms, kind, content_hash, before, hash from audit order by seq desc limit 1")?
        .query_row([], link)
        .optional()?;
    let link = next(last.as_ref(), entry.at, entry.kind, content_hash(&entry.salt, &content));
    let seq = i64::try_from(link.seq).unwrap_or(i64::MAX);
    tx.prepare_cached(
        "insert into audit (seq, at_ms, kind, approval_id, content_hash, before, hash) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        seq,
        link.at.0,
        link.kind,
        entry.approval.map(|id| id.0),
        link.content.0,
        link.before.0,
        link.hash.0
    ])?;
    tx.prepare_cached("insert into audit_contents (seq, salt, content) values (?1, ?2, ?3)")?
        .execute(params![seq, entry.salt, content])?;
    Ok((link.seq, link.hash))
}

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: WallMillis(row.get(1)?),
        kind: row.get(2)?,
        content: Hash(row.get(3)?),
        before: Hash(row.get(4)?),
        hash: Hash(row.get(5)?),
    })
}

fn verify(tx: &Transaction<'_>, head: Option<(u64, Hash)>) -> Result<Result<u64, Broken>, StoreError> {
    let mut statement = tx.prepare(
        "select a.seq, a.at_ms, a.kind, a.content_hash, a.before, a.hash, c.salt, c.content
         from audit a left join audit_contents c on c.seq = a.seq order by a.seq",
    )?;
    let mut rows = statement.query([])?;
    let mut verifier = Verifier::default();
    while let Some(row) = rows.next()? {
        let (salt, content): (Option<[u8; 16]>, Option<String>) = (row.get(6)?, row.get(7)?);
        let content = salt.as_ref().zip(content.as_deref());
        if let Err(broken) = verifier.take(&link(row)?, content) {
            return Ok(Err(broken));
        }
    }
    Ok(verifier.finish(head))
}

impl Store {
    /// Writes one entry by itself; gives its number and hash, to be noted elsewhere as the log's head.
    pub async fn audit(&self, entry: Entry) -> Result<(u64, Hash), StoreError> {
        self.run(move |tx| append(tx, &entry)).await
    }

    /// Number and hash of the newest entry.
    pub async fn audit_head(&self) -> Result<Option<(u64, Hash)>, StoreError> {
        self.run(|tx| {
            let head = tx
                .prepare_cached("select seq, hash from audit order by seq desc limit 1")?
                .query_row([], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), Hash(row.get(1)?))));
            Ok(head.optional()?)
        })
        .await
    }

    /// Checks the whole log. `head` is what was noted elsewhere of the newest entry. Gives how many entries hold, or where it is broken.
    pub async fn verify_audit(&self, head: Option<(u64, Hash)>) -> Result<Result<u64, Broken>, StoreError> {
        self.run(move |tx| verify(tx, head)).await
    }

    /// The newest entries, newest last.
    pub async fn audit_tail(&self, limit: u32) -> Result<Vec<Shown>, StoreError> {
        self.run(move |tx| {
            let mut statement = tx.prepare_cached(
                "select a.seq, a.at_ms, a.kind, a.approval_id, c.content
                 from audit a left join audit_contents c on c.seq = a.seq order by a.seq desc limit ?1",
            )?;
            let rows = statement.query_map([limit.min(SHOWN_MAX)], |row| {
                Ok(Shown {
                    seq: row.get::<_, i64>(0)?.unsigned_abs(),
                    at_ms: row.get(1)?,
                    kind: row.get(2)?,
                    approval: row.get(3)?,
                    content: row.get::<_, Option<String>>(4)?.and_then(|text| serde_json::from_str(&text).ok()),
                })
            })?;
            let mut shown = rows.collect::<Result<Vec<_>, _>>()?;
            shown.reverse();
            Ok(shown)
        })
        .await
    }

    /// Forgets the contents of entries older than `before`; the chain stays. Gives how many.
    pub async fn forget_audit(&self, before: WallMillis) -> Result<u64, StoreError> {
        self.run(move |tx| {
            let gone = tx
                .prepare_cached("delete from audit_contents where seq in (select seq from audit where at_ms < ?1)")?
                .execute([before.0])?;
            Ok(gone as u64)
        })
        .await
    }
}
