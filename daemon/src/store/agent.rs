//! Runs of models: begun, stepped, ended; and those that the daemon's end cut off.

use jarvis_core::ids::TurnId;
use rusqlite::{Connection, Transaction, params};

use super::write::{exists, key};
use super::{Store, StoreError, now_ms};

/// A run. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Which.
    pub id: RunId,
    /// Of which turn.
    pub turn: TurnId,
    /// Who was asked: the provider's configured name.
    pub provider: String,
    /// `running`, `ended`, `cancelled` or `interrupted`.
    pub state: String,
    /// JSON of [`jarvis_core::agent::End`], where it ended by itself.
    pub ending: Option<String>,
    /// Its steps, kind and JSON, in order.
    pub steps: Vec<(String, String)>,
}

/// A run that the end of the daemon cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutRun {
    /// Of which turn.
    pub turn: TurnId,
    /// Where it was asked; empty for one typed without a room.
    pub room: String,
    /// Steps that it had made.
    pub steps: u32,
    /// Changes of that turn which were begun, and of which nobody knows yet what became.
    pub open_changes: u32,
}

impl Store {
    /// Begins a run.
    pub async fn begin_run(&self, turn: TurnId, provider: &str, model: &str) -> Result<RunId, StoreError> {
        let (provider, model, now) = (provider.to_owned(), model.to_owned(), now_ms());
        self.run(move |tx| {
            exists(tx, turn)?;
            let id = tx
                .prepare_cached(
                    "insert into agent_runs (turn_id, provider, model, begun_ms, state)
                     values (?1, ?2, ?3, ?4, 'running') returning id",
                )?
                .query_row(params![key(turn), provider, model, now], |row| row.get(0))?;
            Ok(RunId(id))
        })
        .await
    }

    /// A step of a run; with `ending`, JSON, it is its last.
    pub async fn run_step(
        &self,
        run: RunId,
        kind: &'static str,
        content: String,
        ending: Option<String>,
    ) -> Result<(), StoreError> {
        let now = now_ms();
        self.run(move |tx| {
            tx.prepare_cached(
                "insert into agent_steps (run_id, seq, at_ms, kind, content)
                 values (?1, (select count(*) from agent_steps where run_id = ?1), ?2, ?3, ?4)",
            )?
            .execute(params![run.0, now, kind, content])?;
            if let Some(ending) = ending {
                tx.prepare_cached(
                    "update agent_runs set state = 'ended', ending = ?2, ended_ms = ?3 where id = ?1 and state = 'running'",
                )?
                .execute(params![run.0, ending, now])?;
            }
            Ok(())
        })
        .await
    }

    /// The newest runs, newest first, with their steps.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        self.run(move |tx| newest(tx, limit.min(super::MAX_ROWS))).await
    }
}

fn newest(tx: &Transaction<'_>, limit: u32) -> Result<Vec<RunRow>, StoreError> {
    let mut rows = tx
        .prepare_cached("select id, turn_id, provider, state, ending from agent_runs order by id desc limit ?1")?
        .query_map([limit], |row| {
            Ok(RunRow {
                id: RunId(row.get(0)?),
                turn: TurnId(row.get::<_, i64>(1)?.unsigned_abs()),
                provider: row.get(2)?,
                state: row.get(3)?,
                ending: row.get(4)?,
                steps: Vec::new(),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for row in &mut rows {
        row.steps = tx
            .prepare_cached("select kind, content from agent_steps where run_id = ?1 order by seq")?
            .query_map([row.id.0], |step| Ok((step.get(0)?, step.get(1)?)))?
            .collect::<Result<_, _>>()?;
    }
    Ok(rows)
}

/// The turn is over, so nobody wants what still runs for it.
pub(super) fn cancel(tx: &Transaction<'_>, turn: TurnId, now_ms: i64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "update agent_runs set state = 'cancelled', ended_ms = ?2 where turn_id = ?1 and state = 'running'",
    )?
    .execute(params![key(turn), now_ms])?;
    Ok(())
}

/// The words of a turn are forgotten: those of its runs as well.
pub(super) fn forget(tx: &Transaction<'_>, turn: i64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "update agent_steps set content = 'null' where run_id in (select id from agent_runs where turn_id = ?1)",
    )?
    .execute([turn])?;
    Ok(())
}

/// Runs that a former daemon left get their end. None of them is gone on with.
pub(super) fn end_cut_runs(connection: &mut Connection, now_ms: i64) -> Result<Vec<CutRun>, StoreError> {
    let tx = connection.transaction()?;
    let cut = tx
        .prepare(
            "select turn_id, turns.room, (select count(*) from agent_steps where run_id = agent_runs.id),
                    (select count(*) from approvals
                     where json_extract(bound, '$.turn') = turn_id and stage in ('started', 'unknown'))
             from agent_runs join turns on turns.id = turn_id where state = 'running' order by agent_runs.id",
        )?
        .query_map([], |row| {
            Ok(CutRun {
                turn: TurnId(row.get::<_, i64>(0)?.unsigned_abs()),
                room: row.get(1)?,
                steps: row.get(2)?,
                open_changes: row.get(3)?,
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    tx.execute("update agent_runs set state = 'interrupted', ended_ms = ?1 where state = 'running'", [now_ms])?;
    for run in &cut {
        let told = format!(
            "the daemon ended in the middle of this turn, after {} steps of a model's run; the run is not gone on with",
            run.steps
        );
        tx.execute(
            "update turns set finished_ms = ?2, error = ?3 where id = ?1",
            params![key(run.turn), now_ms, told],
        )?;
    }
    tx.commit()?;
    Ok(cut)
}
