//! The books. Each step of a request's money (set aside, settled, released) is one transaction, and the check of the caps is in the one
//! that sets aside: since the store has one thread, no two requests see the same money.

use jarvis_core::costs::{Caps, Level, Notice, Span, Spent};
use jarvis_core::ids::{ChargeId, TurnId, WallMillis};
use jarvis_core::mind::date::Day;
use jarvis_core::mind::error::Unpaid;
use jarvis_core::mind::message::Usage;
use jarvis_core::mind::prices::MicroUsd;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use super::write::key;
use super::{MAX_ROWS, Store, StoreError};

/// The books of the present month and the one before are never forgotten: the caps are counted by them.
const KEPT_MS_MIN: i64 = 62 * 24 * 60 * 60 * 1000;

/// A request that is to be paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// In which turn, if in one.
    pub turn: Option<TurnId>,
    /// In which room; empty for none.
    pub room: String,
    /// Who is asked.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// The day of the owner's calendar.
    pub day: Day,
    /// The moment.
    pub at: WallMillis,
    /// The most that it can cost.
    pub at_most: MicroUsd,
}

/// What became of a wish to set money aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// It is set aside.
    Yes(ChargeId),
    /// It would pass a cap; and the word that is due for it, the first time.
    No(Unpaid, Vec<Notice>),
}

/// By what figures are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Days.
    #[default]
    Day,
    /// Models, with their provider.
    Model,
    /// Rooms.
    Room,
    /// Turns.
    Turn,
}

/// One line of the figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    /// The day, `provider model`, the room, or the turn's number.
    pub key: String,
    /// Requests.
    pub asks: u64,
    /// Tokens of their prompts, from the cache or not.
    pub prompt_tokens: u64,
    /// Of those, read from the provider's cache.
    pub cached_tokens: u64,
    /// The same as a share, in thousandths; `None` without a prompt.
    pub hit_rate_permille: Option<u32>,
    /// Tokens of their answers.
    pub answer_tokens: u64,
    /// What they cost, known or not.
    pub cost: MicroUsd,
    /// Of it, what was written down in full because nobody can say.
    pub unknown: MicroUsd,
    /// Set aside for requests under way.
    pub open: MicroUsd,
}

fn money(value: i64) -> MicroUsd {
    MicroUsd(value.unsigned_abs())
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The first and the last text that days of its month can have.
fn month(day: Day) -> (String, String, String) {
    let text = day.to_string();
    let month = text.rsplit_once('-').map_or(text.as_str(), |(month, _)| month).to_owned();
    (format!("{month}-00"), format!("{month}-99"), month)
}

fn spent(tx: &Transaction<'_>, day: Day) -> Result<Spent, StoreError> {
    let (first, last, _) = month(day);
    let mut sums = tx.prepare_cached(
        "select coalesce(sum(cost), 0), coalesce(sum(at_most) filter (where state = 'open'), 0) from costs where day between ?1 and ?2",
    )?;
    let mut sum = |from: &str, to: &str| {
        sums.query_row([from, to], |row| Ok((money(row.get(0)?), money(row.get(1)?)))).map_err(StoreError::from)
    };
    let (day, day_open) = sum(&day.to_string(), &day.to_string())?;
    let (month, month_open) = sum(&first, &last)?;
    Ok(Spent { day, day_open, month, month_open })
}

/// Writes down the words that are due and were not said in their span before, and gives them back.
fn due(tx: &Transaction<'_>, day: Day, levels: &[(Span, Level)], at: WallMillis) -> Result<Vec<Notice>, StoreError> {
    let mut notices = Vec::new();
    for (span, level) in levels {
        let name = match level {
            Level::Fine => continue,
            Level::Warned => "warned",
            Level::Spent => "spent",
        };
        let period = match span {
            Span::Day => day.to_string(),
            Span::Month => month(day).2,
        };
        let new = tx
            .prepare_cached(
                "insert into cost_notices (period, level, at_ms) values (?1, ?2, ?3) on conflict do nothing",
            )?
            .execute(params![period, name, at.0])?;
        if new > 0 {
            notices.push(Notice { span: *span, level: *level });
        }
    }
    Ok(notices)
}

fn reserve(tx: &Transaction<'_>, charge: &Charge, caps: &Caps) -> Result<Reserved, StoreError> {
    let spent = spent(tx, charge.day)?;
    if let Err(why) = caps.admit(&spent, charge.at_most) {
        let span = if why == Unpaid::Month { Span::Month } else { Span::Day };
        return Ok(Reserved::No(why, due(tx, charge.day, &[(span, Level::Spent)], charge.at)?));
    }
    let id = tx
        .prepare_cached(
            "insert into costs (turn_id, room, provider, model, day, at_ms, state, at_most)
             values (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7) returning id",
        )?
        .query_row(
            params![
                charge.turn.map(key),
                charge.room,
                charge.provider,
                charge.model,
                charge.day.to_string(),
                charge.at.0,
                whole(charge.at_most.0)
            ],
            |row| row.get(0),
        )?;
    Ok(Reserved::Yes(ChargeId(id)))
}

/// What requests of a former run would have cost at most, is what they cost: it can't be known any more. Gives their number.
pub(super) fn settle_orphans(connection: &Connection) -> Result<u64, StoreError> {
    let changed = connection.execute("update costs set state = 'unknown', cost = at_most where state = 'open'", [])?;
    Ok(changed as u64)
}

/// Forgets at most [`MAX_ROWS`] old lines at once.
pub(super) fn retain(tx: &Transaction<'_>, keep_ms: i64, now_ms: i64) -> Result<(), StoreError> {
    let before = now_ms - keep_ms.max(KEPT_MS_MIN);
    tx.prepare_cached("delete from costs where id in (select id from costs where at_ms < ?1 and state <> 'open' order by id limit ?2)")?
        .execute(params![before, MAX_ROWS])?;
    tx.prepare_cached("delete from cost_notices where at_ms < ?1")?.execute([before])?;
    Ok(())
}

impl Store {
    /// Sets `charge.at_most` aside, if no cap is passed by it.
    pub async fn reserve_cost(&self, charge: Charge, caps: Caps) -> Result<Reserved, StoreError> {
        self.run(move |tx| reserve(tx, &charge, &caps)).await
    }

    /// What it really cost; gives the words that are due. One that is not open stays as it is.
    pub async fn settle_cost(
        &self,
        id: ChargeId,
        usage: Usage,
        cost: MicroUsd,
        caps: Caps,
        at: WallMillis,
    ) -> Result<Vec<Notice>, StoreError> {
        self.run(move |tx| {
            tx.prepare_cached(
                "update costs set state = 'settled', cost = ?2, input = ?3, output = ?4, cache_write_5m = ?5, cache_write_1h = ?6,
                 cache_read = ?7 where id = ?1 and state = 'open'",
            )?
            .execute(params![
                id.0,
                whole(cost.0),
                whole(usage.input),
                whole(usage.output),
                whole(usage.cache_write_5m),
                whole(usage.cache_write_1h),
                whole(usage.cache_read)
            ])?;
            after(tx, id, &caps, at)
        })
        .await
    }

    /// Nobody can say what it cost: it counts in full.
    pub async fn cost_unknown(&self, id: ChargeId, caps: Caps, at: WallMillis) -> Result<Vec<Notice>, StoreError> {
        self.run(move |tx| {
            tx.prepare_cached("update costs set state = 'unknown', cost = at_most where id = ?1 and state = 'open'")?
                .execute([id.0])?;
            after(tx, id, &caps, at)
        })
        .await
    }

    /// It was surely not billed.
    pub async fn release_cost(&self, id: ChargeId) -> Result<(), StoreError> {
        self.run(move |tx| {
            tx.prepare_cached("update costs set state = 'released', cost = 0 where id = ?1 and state = 'open'")?
                .execute([id.0])?;
            Ok(())
        })
        .await
    }

    /// What was spent on a day, and in its month.
    pub async fn spent(&self, day: Day) -> Result<Spent, StoreError> {
        self.run(move |tx| spent(tx, day)).await
    }

    /// Figures since a day, the newest or dearest first; at most [`MAX_ROWS`].
    pub async fn cost_figures(&self, by: By, since: Day) -> Result<Vec<CostLine>, StoreError> {
        self.run(move |tx| figures(tx, by, since)).await
    }
}

/// The words that are due once something was settled.
fn after(tx: &Transaction<'_>, id: ChargeId, caps: &Caps, at: WallMillis) -> Result<Vec<Notice>, StoreError> {
    let day: String = tx.prepare_cached("select day from costs where id = ?1")?.query_row([id.0], |row| row.get(0))?;
    let Ok(day) = day.parse::<Day>() else { return Ok(Vec::new()) };
    due(tx, day, &caps.levels(&spent(tx, day)?), at)
}

fn figures(tx: &Transaction<'_>, by: By, since: Day) -> Result<Vec<CostLine>, StoreError> {
    let (key, order) = match by {
        By::Day => ("day", "1 desc"),
        By::Model => ("provider || ' ' || model", "8 desc, 1"),
        By::Room => ("case room when '' then 'typed' else room end", "8 desc, 1"),
        By::Turn => ("coalesce(cast(turn_id as text), '-')", "max(id) desc"),
    };
    let sql = format!(
        "select {key}, count(*), sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read),
                coalesce(sum(cost), 0), coalesce(sum(cost) filter (where state = 'unknown'), 0),
                coalesce(sum(at_most) filter (where state = 'open'), 0)
         from costs where day >= ?1 group by 1 order by {order} limit ?2"
    );
    let count = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(tx
        .prepare_cached(&sql)?
        .query_map(params![since.to_string(), MAX_ROWS], |row| {
            let usage = Usage {
                input: count(row, 2)?,
                output: count(row, 3)?,
                cache_write_5m: count(row, 4)?,
                cache_write_1h: count(row, 5)?,
                cache_read: count(row, 6)?,
            };
            Ok(CostLine {
                key: row.get(0)?,
                asks: count(row, 1)?,
                prompt_tokens: usage.prompt(),
                cached_tokens: usage.cache_read,
                hit_rate_permille: usage.hit_rate_permille(),
                answer_tokens: usage.output,
                cost: MicroUsd(count(row, 7)?),
                unknown: MicroUsd(count(row, 8)?),
                open: MicroUsd(count(row, 9)?),
            })
        })?
        .collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests;
