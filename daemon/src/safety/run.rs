//! Changes under way. One task owns them all: it begins what was approved, follows it to its end, and after a start looks for what
//! became of those that a former run had begun.
//!
//! Length: one change's way from its approval to its end is read in one piece.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jarvis_core::approval::{Bound, Stage};
use jarvis_core::gate::{Asker, Cleared, Gate, Identity, Origin, Power, Situation, Work};
use jarvis_core::ids::{ApprovalId, TurnId, Upid};
use jarvis_core::tools::{self, Call, Effect, Inverse, MemoryEffect};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::ended::Ended;
use super::{Inner, SafetyError, hold, journal, lost, now};
use crate::ctl::{Typed, TypedSender};
use crate::event::EventKind;
use crate::store::{ApprovalRow, Begun, LeaveUsed};

/// How often questions are looked at whose time may be over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often a change whose outcome is unknown is looked for again.
pub const RECONCILE_EVERY: Duration = Duration::from_secs(30);
/// An unknown outcome is looked for during so long, in milliseconds; then it stays unknown, and a person must look.
const RECONCILE_MS: i64 = 24 * 60 * 60 * 1000;

/// What the owner is told.
#[derive(Debug)]
pub(super) enum Order {
    /// It was approved.
    Begin {
        /// Which.
        id: ApprovalId,
        /// Whether its end is announced in its room, since nobody there waits for it.
        announce: bool,
    },
    /// It is cleared already, on standing leave.
    Run(ApprovalId, Box<Cleared<Work>>),
    /// Nobody waits for it any more: its end is to be announced.
    Announce(ApprovalId),
}

/// Does to the memory what was approved; `Ok` says what was done, `Err` why it was not.
pub type MemoryWork = Arc<dyn Fn(MemoryEffect, Bound) -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// What the owner needs beside.
pub struct RunsConfig {
    /// Where announcements go.
    pub typed: TypedSender,
    /// Puts an end into words.
    pub words: fn(&ApprovalRow) -> String,
    /// How often a change whose outcome is unknown is looked for again: [`RECONCILE_EVERY`], but in tests.
    pub look_every: Duration,
    /// Carries out what was approved of the memory.
    pub memory: MemoryWork,
}

/// The owner of changes under way.
pub struct Runs {
    inner: Arc<Inner>,
    orders: mpsc::Receiver<Order>,
    running: JoinSet<ApprovalId>,
    announce: HashSet<ApprovalId>,
    /// Changes that have a task now.
    busy: HashSet<ApprovalId>,
    /// Changes of which it is known already, to whoever is to know, that nobody knows how they ended.
    told_unknown: HashSet<ApprovalId>,
}

impl Runs {
    pub(super) fn new(inner: Arc<Inner>, orders: mpsc::Receiver<Order>) -> Self {
        Self {
            inner,
            orders,
            running: JoinSet::new(),
            announce: HashSet::new(),
            busy: HashSet::new(),
            told_unknown: HashSet::new(),
        }
    }

    /// Runs until it is dropped. What is under way then is found again at the next start.
    pub async fn run(mut self, config: RunsConfig) {
        if let Err(error) = self.pick_up().await {
            tracing::error!("changes of the former run could not be looked for: {error}");
        }
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reconcile = tokio::time::interval(config.look_every);
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.order(order, &config).await,
                    None => return,
                },
                Some(over) = self.running.join_next() => match over {
                    Ok(id) => {
                        self.busy.remove(&id);
                        self.over(id, &config).await;
                    }
                    Err(error) => {
                        tracing::error!("a change's task broke: {error}");
                        // Which one it was is not told; each of them may be looked for again.
                        self.busy.clear();
                    }
                },
                () = self.inner.poked.notified() => self.look_at_switch().await,
                _ = sweep.tick() => {
                    // The file may be written by whoever finds no door.
                    self.look_at_switch().await;
                    self.sweep().await;
                }
                _ = reconcile.tick() => self.look_for_unknown().await,
            }
        }
    }

    async fn order(&mut self, order: Order, config: &RunsConfig) {
        match order {
            Order::Begin { id, announce } => {
                if announce {
                    self.announce.insert(id);
                }
                self.busy.insert(id);
                let (inner, memory) = (self.inner.clone(), config.memory.clone());
                self.running.spawn(async move {
                    begin(&inner, &memory, id).await;
                    id
                });
            }
            Order::Run(id, cleared) => {
                self.busy.insert(id);
                let inner = self.inner.clone();
                self.running.spawn(async move {
                    carry_out(&inner, id, *cleared).await;
                    id
                });
            }
            Order::Announce(id) => {
                self.announce.insert(id);
                let settled = match self.inner.store.approval(id).await {
                    Ok(row) => row.and_then(super::view::settled).is_some(),
                    Err(_) => false,
                };
                if settled {
                    self.over(id, config).await;
                }
            }
        }
    }

    /// What a former run had begun is looked for; what it had asked is void since safety was opened.
    async fn pick_up(&mut self) -> Result<(), SafetyError> {
        self.look_at_switch().await;
        for row in self.inner.store.approvals(&["started"], 50).await? {
            self.announce.insert(row.row.id);
            self.reconcile(row);
        }
        Ok(())
    }

    async fn look_for_unknown(&mut self) {
        let rows = match self.inner.store.approvals(&["unknown"], 20).await {
            Ok(rows) => rows,
            Err(error) => return tracing::error!("unknown changes could not be read: {error}"),
        };
        let oldest = now().plus(-RECONCILE_MS);
        // What another server was asked can be looked for nowhere.
        let elsewhere = |row: &ApprovalRow| matches!(row.row.bound.identity, Identity::Foreign { .. });
        let looked_for = |row: &ApprovalRow| row.started.is_some_and(|at| at > oldest) && !elsewhere(row);
        for row in rows.into_iter().filter(looked_for) {
            if self.busy.contains(&row.row.id) {
                continue;
            }
            // That it is unknown was said when it became so; what it turns out to be is news.
            self.announce.insert(row.row.id);
            self.told_unknown.insert(row.row.id);
            self.reconcile(row);
        }
    }

    fn reconcile(&mut self, row: ApprovalRow) {
        let (inner, id) = (self.inner.clone(), row.row.id);
        self.busy.insert(id);
        self.running.spawn(async move {
            lost::reconcile(&inner, row).await;
            id
        });
    }

    /// Whoever stopped, and by whichever way: it is written down, and nothing that was open can be approved any more.
    async fn look_at_switch(&self) {
        if self.inner.switch.power() == Power::Stopped
            && let Err(error) = self.inner.note_stop().await
        {
            tracing::error!("a stop was not written down: {error}");
        }
    }

    async fn sweep(&self) {
        let closed = async {
            let entry = self.inner.entry("expired", None, json!({"restarted": false}))?;
            let closed = self.inner.store.close_approvals(now(), false, entry).await?;
            if closed > 0 {
                self.inner.journal.note().await?;
                self.inner.tell_changed(ApprovalId(0));
            }
            Ok::<_, SafetyError>(())
        };
        if let Err(error) = closed.await {
            tracing::error!("old questions could not be closed: {error}");
        }
    }

    /// Tells whoever waits; announces it where nobody does.
    async fn over(&mut self, id: ApprovalId, config: &RunsConfig) {
        self.inner.settle_told(id);
        let row = match self.inner.store.approval(id).await {
            Ok(Some(row)) => row,
            Ok(None) => return,
            Err(error) => return tracing::error!(%id, "its end could not be read: {error}"),
        };
        if super::view::settled(row.clone()).is_none() || !self.announce.contains(&id) {
            return;
        }
        if matches!(row.row.stage, Stage::Denied | Stage::Cancelled) && row.outcome.is_none() {
            // Whoever took it back was told so there and then.
            self.announce.remove(&id);
            return;
        }
        if row.row.stage == Stage::Unknown {
            // It stays to be announced: what becomes of it is told once more is known, and nothing until then.
            if !self.told_unknown.insert(id) {
                return;
            }
        } else {
            self.announce.remove(&id);
            self.told_unknown.remove(&id);
        }
        let Some(room) = row.row.bound.room.clone() else { return };
        let announce = Typed::Announce { text: (config.words)(&row), room };
        if config.typed.try_send(announce).is_err() {
            tracing::warn!(%id, "too many announcements wait; this one is on the page alone");
        }
    }
}

/// Waits until a mind can no longer be changed, then compares, judges again, consumes and runs.
async fn begin(inner: &Inner, memory: &MemoryWork, id: ApprovalId) {
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
    if matches!(cleared.args().effect, Effect::Memory(_)) {
        return remember(inner, memory, id, cleared, row.row.bound).await;
    }
    carry_out(inner, id, cleared).await;
    Ok(())
}

/// What was approved of the memory: no node takes part in it, so the switch is looked at here.
async fn remember(
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
        Effect::Change(_) | Effect::Read(_) | Effect::Note { .. } | Effect::Foreign(_) => {
            Err("it is nothing of the memory's".to_owned())
        }
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
async fn carry_out(inner: &Inner, id: ApprovalId, cleared: Cleared<Work>) {
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
