//! The audit log's rows. An entry is written in the transaction of what it tells of, so neither is ever there without the other.

use jarvis_core::approval::SealKey;
use jarvis_core::audit::{Broken, Hash, Link, Verifier, content_hash, next};
use jarvis_core::ids::{ApprovalId, WallMillis};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use super::{Store, StoreError, approvals};
use crate::redaction;

/// Entries that one question brings.
const SHOWN_MAX: u32 = 1000;

/// An entry to be written.
#[derive(Debug, Clone)]
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
    /// What its hash is made with.
    pub key: SealKey,
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
    let content = redaction::value(entry.content.clone()).to_string();
    let last = tx
        .prepare_cached("select seq, at_ms, kind, content_hash, before, hash from audit order by seq desc limit 1")?
        .query_row([], link)
        .optional()?;
    let link = next(&entry.key, last.as_ref(), entry.at, entry.kind, content_hash(&entry.salt, &content));
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

fn verify(tx: &Transaction<'_>, key: SealKey, head: Option<(u64, Hash)>) -> Result<Result<u64, Broken>, StoreError> {
    let mut statement = tx.prepare(
        "select a.seq, a.at_ms, a.kind, a.content_hash, a.before, a.hash, c.salt, c.content
         from audit a left join audit_contents c on c.seq = a.seq order by a.seq",
    )?;
    let mut rows = statement.query([])?;
    let mut verifier = Verifier::new(key, head);
    while let Some(row) = rows.next()? {
        let (salt, content): (Option<[u8; 16]>, Option<String>) = (row.get(6)?, row.get(7)?);
        let content = salt.as_ref().zip(content.as_deref());
        if let Err(broken) = verifier.take(&link(row)?, content) {
            return Ok(Err(broken));
        }
    }
    Ok(verifier.finish())
}

/// Forgets the contents of entries older than `before`, and those about the memory that are older than `words_before`. The chain
/// stays: what happened when, and that it was so.
pub(super) fn retain(tx: &Transaction<'_>, before_ms: i64, words_before_ms: i64) -> Result<u64, StoreError> {
    let old = tx
        .prepare_cached("delete from audit_contents where seq in (select seq from audit where at_ms < ?1)")?
        .execute([before_ms])?;
    let words = tx
        .prepare_cached(&format!(
            "delete from audit_contents where seq in (select seq from audit where at_ms < ?1) and {OF_MEMORY}"
        ))?
        .execute([words_before_ms])?;
    Ok((old + words) as u64)
}

/// An entry that holds words for the memory.
const OF_MEMORY: &str = "case when json_valid(content) then json_extract(content, '$.asked.tool') end in ('memory_remember', 'memory_forget')";

/// Forgets what was written down when a memory was told in that turn, or was to be forgotten by its number; questions about it that
/// nobody answered go with it.
pub(crate) fn forget_memory(
    tx: &Transaction<'_>,
    key: Option<&SealKey>,
    id: i64,
    turn: Option<i64>,
) -> Result<(), StoreError> {
    let about: Vec<i64> = tx
        .prepare_cached(
            "select id from approvals where json_extract(bound, '$.tool') in ('memory_remember', 'memory_forget')
             and stage not in ('approved', 'started')
             and (json_extract(bound, '$.turn') = ?2
                  or ?1 in (select value from json_each(json_extract(json_extract(bound, '$.args'), '$.ids'))))",
        )?
        .query_map(params![id, turn], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for approval in about {
        forget_words(tx, key, ApprovalId(approval))?;
    }
    tx.prepare_cached(&format!(
        "delete from audit_contents where {OF_MEMORY} and json_extract(content, '$.asked.turn') = ?1"
    ))?
    .execute([turn])?;
    Ok(())
}

/// Takes the words out of an approval, and out of what was written down of it.
fn forget_words(tx: &Transaction<'_>, key: Option<&SealKey>, id: ApprovalId) -> Result<(), StoreError> {
    approvals::forget_words(tx, key, id)?;
    tx.prepare_cached("delete from audit_contents where seq in (select seq from audit where approval_id = ?1)")?
        .execute([id.0])?;
    Ok(())
}

impl Store {
    /// Takes the words out of an approval that was consumed, and out of what was written down of it: it was about something that is
    /// forgotten now. The rows and the chain stay.
    pub async fn forget_words(&self, id: ApprovalId) -> Result<(), StoreError> {
        let key = self.known_seal_key();
        self.run(move |tx| forget_words(tx, key.as_ref(), id)).await?;
        self.fold_log().await
    }

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

    /// Kind and time of the newest entry of these kinds.
    pub async fn audit_last(&self, kinds: &'static [&'static str]) -> Result<Option<(String, WallMillis)>, StoreError> {
        self.run(move |tx| {
            let names = kinds.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ");
            let sql = format!("select kind, at_ms from audit where kind in ({names}) order by seq desc limit 1");
            let last = tx.prepare_cached(&sql)?.query_row([], |row| Ok((row.get(0)?, WallMillis(row.get(1)?))));
            Ok(last.optional()?)
        })
        .await
    }

    /// Checks the whole log. `head` is what was noted elsewhere of the newest entry. Gives how many entries hold, or where it is broken.
    pub async fn verify_audit(
        &self,
        key: SealKey,
        head: Option<(u64, Hash)>,
    ) -> Result<Result<u64, Broken>, StoreError> {
        self.run(move |tx| verify(tx, key, head)).await
    }

    /// Hash of the entry of that number.
    pub async fn audit_hash(&self, seq: u64) -> Result<Option<Hash>, StoreError> {
        self.run(move |tx| {
            let seq = i64::try_from(seq).unwrap_or(i64::MAX);
            let hash = tx.prepare_cached("select hash from audit where seq = ?1")?.query_row([seq], |row| row.get(0));
            Ok(hash.optional()?.map(Hash))
        })
        .await
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
}
