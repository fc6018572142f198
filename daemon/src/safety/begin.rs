//! One change, from its approval or its leave to its end: compared, judged again, its row consumed, carried out, verified, written down.

use jarvis_core::approval::{Bound, Stage};
use jarvis_core::gate::{Asker, Cleared, Gate, Origin, Power, Situation, Work};
use jarvis_core::ids::{ApprovalId, TurnId, Upid};
use jarvis_core::tools::{self, Call, Effect, Inverse, MemoryEffect};
use serde_json::json;

use super::ended::Ended;
use super::run::Order;
use super::{Inner, MemoryWork, SafetyError, hold, journal, now};
use crate::event::EventKind;
use crate::store::{Begun, LeaveUsed};

/// Waits until a mind can no longer be changed, then compares, judges again, consumes and runs.
pub(super) async fn approved(inner: &Inner, memory: &MemoryWork, id: ApprovalId) {
    if let Err(error) = try_begin(inner, memory, id).await {
        tracing::error!(%id, "an approved change was not begun: {error}");
        inner.bus.tell(EventKind::Degraded { part: "safety".into(), reason: error.to_string(), fallback: None });
    }
}

async fn try_begin(inner: &Inner, memory: &MemoryWork, id: ApprovalId) -> Result<(), SafetyError> {
    let Some(row) = inner.store.approval(id).await? else { return Ok(()) };
    if !matches!(row.row.stage, Stage::Approved { .. }) {
        return Ok(());
    }
    hold::until_it_may_begin(&inner.holds, &row.row).await;
    let Some(row) = inner.store.approval(id).await? else { return Ok(()) };
    if !row.row.stage.is_open() {
        return Ok(());
    }
    let bound = &row.row.bound;
    let (facts, foreign) = match tools::parse(&bound.tool, &bound.args) {
        Ok(call) => (inner.cluster.facts_for(&call).await, inner.servers.standing(&call).await?),
        // Redeeming says what is wrong with it.
        Err(_) => (jarvis_core::tool::Facts::default(), None),
    };
    let situation = Situation { foreign: foreign.as_ref(), ..Situation::new(&facts, &inner.policy) };
    let redeemed = Gate::new().redeem(&row.row, &inner.key, &situation, inner.switch.power(), now());
    let redemption = match redeemed {
        Ok(redemption) => redemption,
        Err(why) => {
            let entry = inner.entry("not begun", Some(id), json!({"why": why.to_string()}))?;
            inner.store.drop_approval(id, &why.to_string(), entry).await?;
            return inner.journal.note().await;
        }
    };
    let work = redemption.work();
    let begun = Begun { at: now(), change: changed(work), inverse: inverse(work) };
    let entry = inner.entry("started", Some(id), json!({"call": format!("{:?}", work.call), "ruling": work.ruling}))?;
    let Some(cleared) = inner.store.consume_approval(redemption, begun, entry).await? else { return Ok(()) };
    inner.journal.note().await?;
    inner.tell_changed(id);
    if matches!(cleared.args().effect, Effect::Memory(_) | Effect::Note { .. }) {
        return at_home(inner, memory, id, cleared, row.row.bound).await;
    }
    carry_out(inner, id, cleared).await;
    Ok(())
}

/// What was approved of the memory or for the page: no node takes part in it, so the switch is looked at here.
async fn at_home(
    inner: &Inner,
    memory: &MemoryWork,
    id: ApprovalId,
    cleared: Cleared<Work>,
    bound: Bound,
) -> Result<(), SafetyError> {
    let done = match cleared.into_args().effect {
        _ if inner.switch.power() == Power::Stopped => Err("the kill switch was set before it was done".to_owned()),
        Effect::Memory(effect) => {
            let forgets = matches!(effect, MemoryEffect::Forget { .. });
            let done = memory(effect, bound).await;
            if forgets && done.is_ok() {
                // The question names what is forgotten: its words go as well, and what is left says that something was.
                inner.store.forget_words(id).await?;
            }
            done
        }
        // How it ended is shown beside its question, and the turn that waits for it shows the text as its own.
        Effect::Note { text } => Ok(crate::redaction::text(&text)),
        Effect::Change(_) | Effect::Read(_) | Effect::Foreign(_) => Err("it is nothing of the house's own".to_owned()),
    };
    let (stage, words) = match done {
        Ok(words) => (Stage::Done, words),
        Err(why) => (Stage::Failed, why),
    };
    end(inner, id, stage, words, Vec::new()).await;
    Ok(())
}

fn changed(work: &Work) -> Option<tools::Change> {
    match &work.effect {
        Effect::Change(change) => Some(change.clone()),
        Effect::Read(_) | Effect::Memory(_) | Effect::Note { .. } | Effect::Foreign(_) => None,
    }
}

fn inverse(work: &Work) -> Option<String> {
    match &work.inverse {
        Inverse::Call(call) => Some(journal::store_call(call)),
        Inverse::Never(_) => None,
    }
}

/// Writes the row of a call with standing leave, already begun, and hands it to the owner. Gives the call back where its leave was
/// used up since it was judged.
pub(super) async fn on_leave(
    inner: &Inner,
    cleared: Cleared<Work>,
    origin: Origin,
    asker: Asker,
    turn: Option<TurnId>,
    ruled: serde_json::Value,
    used: LeaveUsed,
) -> Result<Result<ApprovalId, Box<Call>>, SafetyError> {
    let permit = inner.orders.try_reserve().map_err(|_| SafetyError::Busy)?;
    let begun = Begun { at: now(), change: changed(cleared.args()), inverse: inverse(cleared.args()) };
    let sentence = cleared.args().summary.sentence();
    let bound = Bound::on_leave(cleared.args(), origin, asker.room, turn, sentence, now());
    let entry = inner.entry("started", None, ruled)?;
    let Some(id) = inner.store.begin_on_leave(bound, begun, entry, used).await? else {
        return Ok(Err(Box::new(cleared.into_args().call)));
    };
    inner.journal.note().await?;
    permit.send(Order::Run(id, Box::new(cleared)));
    inner.tell_changed(id);
    Ok(Ok(id))
}

/// The effect itself. The switch is looked at once more by whoever sends it, at the last moment: much may be read before.
pub(super) async fn carry_out(inner: &Inner, id: ApprovalId, cleared: Cleared<Work>) {
    let may = || inner.switch.power() == Power::On;
    if matches!(cleared.args().effect, Effect::Foreign(_)) {
        return settle(inner, id, Box::pin(inner.servers.call(cleared, &may)).await).await;
    }
    let outcome = inner.cluster.change(cleared, &may, |upid| sent(inner, id, upid)).await;
    settle(inner, id, outcome).await;
}

pub(super) async fn sent(inner: &Inner, id: ApprovalId, upid: Upid) {
    let noted = async {
        let entry = inner.entry("sent", Some(id), json!({"upid": upid.as_str()}))?;
        inner.store.approval_task(id, &upid, entry).await?;
        inner.journal.note().await
    };
    if let Err(error) = noted.await {
        // The task runs; without its name on disk a crash would have to look for it.
        tracing::error!(%id, %upid, "the task's name was not committed: {error}");
    }
}

pub(super) async fn settle(inner: &Inner, id: ApprovalId, ended: impl Into<Ended>) {
    let Ended { stage, words, log } = ended.into();
    end(inner, id, stage, words, log).await;
}

async fn end(inner: &Inner, id: ApprovalId, stage: Stage, words: String, log: Vec<String>) {
    let written = async {
        let told = json!({"stage": stage.name(), "outcome": words, "log": log});
        let entry = inner.entry("verified", Some(id), told)?;
        inner.store.settle_approval(id, stage, &words, entry).await?;
        inner.journal.note().await
    };
    if let Err(error) = written.await {
        tracing::error!(%id, "its end was not committed; it is looked for at the next start: {error}");
        inner.bus.tell(EventKind::Degraded { part: "safety".into(), reason: error.to_string(), fallback: None });
    }
}
