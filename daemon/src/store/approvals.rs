//! The rows of approvals. Every move from one stage to the next is a transaction that checks the stage it comes from and the row's
//! seal, seals it anew, and writes its audit entry.

mod rows;

use std::collections::HashMap;

use jarvis_core::approval::{Approver, Bound, NotApproved, Row, SealKey, Stage, WRONG_WORDS_MAX};
use jarvis_core::gate::{Cleared, Redemption, Work};
use jarvis_core::ids::{ApprovalId, TurnId, Upid, WallMillis};
use jarvis_core::tools::Change;
use rusqlite::{ToSql, params};
use serde_json::json;

use super::audit::{Entry, append};
use super::{Store, StoreError};
use crate::redaction;
pub(super) use rows::forget_words;
use rows::{all, insert, on_leave, one, seal_anew, set, spoken, step, unreadable, withdraw};

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
    /// Whether it ran on standing leave.
    pub on_leave: bool,
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

/// Standing leave as it was judged: it holds while no more ran on leave since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaveUsed {
    /// From when on it is counted.
    pub since: WallMillis,
    /// How many changes ran on leave from then on.
    pub count: u32,
}

impl Store {
    /// The key that rows are sealed with from now on. The first one stays.
    pub fn seal_with(&self, key: SealKey) {
        if self.seals.set(key).is_err() {
            tracing::debug!("the store has its key already");
        }
    }

    /// That key, once it is known.
    pub(crate) fn known_seal_key(&self) -> Option<SealKey> {
        self.seals.get().cloned()
    }

    fn seal_key(&self) -> Result<SealKey, StoreError> {
        self.known_seal_key().ok_or(StoreError::NoSealKey)
    }

    /// A new question. What its room was asked before and may still answer with a bare "yes" is void from then on, each with the
    /// entry `withdrawn`. Gives the row, and those that are void.
    pub async fn ask_approval(
        &self,
        bound: Bound,
        mut entry: Entry,
        withdrawn: Entry,
    ) -> Result<(Row, Vec<ApprovalId>), StoreError> {
        let key = self.seal_key()?;
        self.run(move |tx| {
            let id = insert(tx, &bound, &key)?;
            entry.approval = Some(id);
            append(tx, &entry)?;
            let before = all(tx, "stage = 'pending' and id < ?1 and room is ?2", &[&id.0, &bound.room], ROWS_MAX)?;
            let by_voice = before.into_iter().filter(|found| found.row.bound.by_voice).map(|found| found.row.id);
            let void = by_voice.collect::<Vec<_>>();
            for id in &void {
                withdraw(tx, &key, *id, "another question was asked", &withdrawn)?;
            }
            let row = one(tx, id)?.map(|found| found.row);
            Ok((row.unwrap_or_else(|| Row::asked(id, bound, [0; 32], &key)), void))
        })
        .await
    }

    /// A turn is over: the question `heard` was spoken to its end in it, and whatever else it asked is void, each with the entry
    /// `withdrawn`. Gives those that changed.
    pub async fn close_questions(
        &self,
        turn: TurnId,
        heard: Option<ApprovalId>,
        withdrawn: Entry,
    ) -> Result<Vec<ApprovalId>, StoreError> {
        let key = self.seal_key()?;
        self.run(move |tx| {
            let mut changed = Vec::new();
            for found in all(tx, "stage = 'pending'", &[], ROWS_MAX)? {
                let id = found.row.id;
                if found.row.bound.turn != Some(turn) || !found.row.is_sealed_by(&key) {
                    continue;
                }
                if Some(id) == heard {
                    spoken(tx, &key, id, withdrawn.at)?;
                } else {
                    withdraw(tx, &key, id, "it was withdrawn before it was heard to its end", &withdrawn)?;
                }
                changed.push(id);
            }
            Ok(changed)
        })
        .await
    }

    /// A question was spoken to its end at `at`. False where it is not there, or was altered.
    pub async fn spoken(&self, id: ApprovalId, at: WallMillis) -> Result<bool, StoreError> {
        let key = self.seal_key()?;
        self.run(move |tx| spoken(tx, &key, id, at)).await
    }

    /// One row.
    pub async fn approval(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, StoreError> {
        self.run(move |tx| one(tx, id)).await
    }

    /// The newest rows, newest first; those in `stages` alone, where some are named.
    pub async fn approvals(&self, stages: &'static [&'static str], limit: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        self.run(move |tx| {
            let names = stages.iter().map(|stage| format!("'{stage}'")).collect::<Vec<_>>().join(", ");
            let which = if stages.is_empty() { "true".to_owned() } else { format!("stage in ({names})") };
            all(tx, &which, &[], limit.min(ROWS_MAX))
        })
        .await
    }

    /// The newest changes that were begun after `since` and of which nobody knows how they ended, newest first. What another server was
    /// asked is not among them: it can be looked for nowhere.
    pub async fn lost_approvals(&self, since: WallMillis, limit: u32) -> Result<Vec<ApprovalRow>, StoreError> {
        self.run(move |tx| {
            let which =
                "stage = 'unknown' and started_ms > ?1 and json_extract(bound, '$.identity.target') is not 'foreign'";
            all(tx, which, &[&since.0], limit.min(ROWS_MAX))
        })
        .await
    }

    /// The two words of these questions, where they have some.
    pub async fn challenges(&self, of: Vec<i64>) -> Result<HashMap<i64, String>, StoreError> {
        self.run(move |tx| {
            let mut words = HashMap::new();
            for id in of {
                if let Some(challenge) = one(tx, ApprovalId(id))?.and_then(|found| found.row.bound.challenge) {
                    words.insert(id, challenge);
                }
            }
            Ok(words)
        })
        .await
    }

    /// Answers a question with yes: looked at, compared, counted and moved in one transaction. `None` where there is no such question.
    /// `entry` is written with what came of it.
    pub async fn answer_approval(
        &self,
        id: ApprovalId,
        by: Approver,
        mut entry: Entry,
    ) -> Result<Option<Result<(), NotApproved>>, StoreError> {
        let key = self.seal_key()?;
        self.run(move |tx| {
            let Some(found) = one(tx, id)? else { return Ok(None) };
            let now = entry.at;
            let answered = match found.row.approve(&by, &key, now) {
                Ok(stage) if step(tx, &key, id, &["pending"], &stage, now, &[])? => Ok(()),
                Ok(_) => Err(NotApproved::NotPending),
                Err(refused) => Err(refused),
            };
            (entry.kind, entry.content) = match &answered {
                Ok(()) => ("approved", json!({"by": by.name()})),
                Err(NotApproved::WrongWords { .. }) => ("wrong words", json!({"by": by.name()})),
                Err(refused) => ("not approved", json!({"by": by.name(), "why": refused.to_string()})),
            };
            append(tx, &entry)?;
            if let Err(NotApproved::WrongWords { .. }) = answered {
                let count = found.row.wrong_words.saturating_add(1);
                set(tx, &key, id, "wrong_words", &count)?;
                if count >= WRONG_WORDS_MAX {
                    step(tx, &key, id, &["pending"], &Stage::Denied, now, &[])?;
                }
            }
            Ok(Some(answered))
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
        let key = self.seal_key()?;
        self.run(move |tx| {
            let moved = step(tx, &key, id, from, &to, entry.at, &[])?;
            if moved {
                append(tx, &entry)?;
            }
            Ok(moved)
        })
        .await
    }

    /// An approved row that is not good any more: it will not run. False where it was no longer approved.
    pub async fn drop_approval(&self, id: ApprovalId, why: &str, entry: Entry) -> Result<bool, StoreError> {
        let (key, why) = (self.seal_key()?, redaction::text(why));
        self.run(move |tx| {
            let moved = step(tx, &key, id, &["approved"], &Stage::Cancelled, entry.at, &[("outcome", &why)])?;
            if moved {
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
        let key = self.seal_key()?;
        self.run(move |tx| {
            let change = begun.change.as_ref().map(serde_json::to_string).transpose().map_err(|e| unreadable(8, e))?;
            let cleared = redemption.commit(|id| {
                let more: [(&str, &dyn ToSql); 3] =
                    [("started_ms", &begun.at.0), ("change", &change), ("inverse", &begun.inverse)];
                if !step(tx, &key, id, &["approved"], &Stage::Started, begun.at, &more).map_err(Some)? {
                    return Err(None);
                }
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
        let (key, upid) = (self.seal_key()?, upid.clone());
        self.run(move |tx| {
            set(tx, &key, id, "upid", &upid.as_str())?;
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
        let (key, outcome) = (self.seal_key()?, redaction::text(outcome));
        self.run(move |tx| {
            let from = ["started", "unknown"];
            let moved = step(tx, &key, id, &from, &stage, entry.at, &[("outcome", &outcome)])?;
            if moved {
                append(tx, &entry)?;
            }
            Ok(moved)
        })
        .await
    }

    /// Questions whose time is over. At a start of the daemon (`restarted`) every other open one as well: whoever was asked has not
    /// heard it from this run, and no clock of a former run counts. None of them runs.
    pub async fn close_approvals(&self, now: WallMillis, restarted: bool, entry: Entry) -> Result<u64, StoreError> {
        let key = self.seal_key()?;
        self.run(move |tx| {
            let open = ["pending", "approved"];
            let old = all(tx, "stage in ('pending', 'approved') and expires_ms <= ?1", &[&now.0], u32::MAX)?;
            for found in &old {
                step(tx, &key, found.row.id, &open, &Stage::Expired, now, &[])?;
            }
            let mut closed = old.len();
            if restarted {
                let why = "the daemon was restarted";
                for found in all(tx, "stage in ('pending', 'approved')", &[], u32::MAX)? {
                    step(tx, &key, found.row.id, &open, &Stage::Cancelled, now, &[("outcome", &why)])?;
                    closed += 1;
                }
            }
            if closed > 0 {
                append(tx, &entry)?;
            }
            Ok(closed as u64)
        })
        .await
    }

    /// The newest change that was done in `room` (anywhere, without one) since `since`, and neither was taken back nor is being taken
    /// back. What was altered since is offered to nobody.
    pub async fn undoable(&self, room: Option<&str>, since: WallMillis) -> Result<Option<ApprovalRow>, StoreError> {
        let (key, room) = (self.seal_key()?, room.map(str::to_owned));
        self.run(move |tx| {
            let which = "stage = 'done' and ended_ms >= ?1 and (?2 is null or room = ?2)
                 and not exists (select 1 from approvals as back
                                 where back.id = approvals.undone_by and back.stage in ('approved', 'started', 'done'))";
            let done = all(tx, which, &[&since.0, &room], ROWS_MAX)?;
            let ours = done.into_iter().filter(|found| found.row.is_sealed_by(&key));
            Ok(ours.max_by_key(|found| (found.ended, found.row.id)))
        })
        .await
    }

    /// `undo` is to take `done` back: it counts as taken back once `undo` is done, and only then.
    pub async fn undo_by(&self, done: ApprovalId, undo: ApprovalId) -> Result<(), StoreError> {
        let key = self.seal_key()?;
        self.run(move |tx| set(tx, &key, done, "undone_by", &undo.0).map(|_| ())).await
    }

    /// How many changes ran on standing leave since `since`. One begun at a time that is still to come, since the clock was set back,
    /// counts, and so does every row that was altered.
    pub async fn on_leave_since(&self, since: WallMillis) -> Result<LeaveUsed, StoreError> {
        let key = self.seal_key()?;
        self.run(move |tx| Ok(LeaveUsed { since, count: on_leave(tx, &key, since)? })).await
    }

    /// Writes the row of a call that runs on standing leave, in stage 'started' from the first: a crash finds it like any other.
    /// `None` where more ran on leave since it was judged: it is to be judged again.
    pub async fn begin_on_leave(
        &self,
        bound: Bound,
        begun: Begun,
        mut entry: Entry,
        used: LeaveUsed,
    ) -> Result<Option<ApprovalId>, StoreError> {
        let key = self.seal_key()?;
        self.run(move |tx| {
            if on_leave(tx, &key, used.since)? > used.count {
                return Ok(None);
            }
            let id = insert(tx, &bound, &key)?;
            let change = begun.change.as_ref().map(serde_json::to_string).transpose().map_err(|e| unreadable(8, e))?;
            tx.prepare_cached(
                "update approvals set stage = 'started', approved_by = 'leave', clears_ms = ?2, started_ms = ?2, change = ?3, inverse = ?4
                 where id = ?1",
            )?
            .execute(params![id.0, begun.at.0, change, begun.inverse])?;
            seal_anew(tx, id, &key)?;
            entry.approval = Some(id);
            append(tx, &entry)?;
            Ok(Some(id))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
