//! Changes under way. One task owns them all: it begins what was approved, follows it to its end, and after a start looks for what
//! became of those that a former run had begun.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jarvis_core::approval::{Bound, Stage};
use jarvis_core::gate::{Asker, Cleared, Gate, Identity, Origin, Situation, Work};
use jarvis_core::ids::{ApprovalId, TurnId, Upid};
use jarvis_core::tools::{self, Effect, Inverse};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ended::Ended;
use super::{Inner, SafetyError, journal, now};
use crate::cluster::{Found, Outcome};
use crate::ctl::{Typed, TypedSender};
use crate::event::{EventKind, UnixMillis};
use crate::store::{ApprovalRow, Begun};

/// How often questions are looked at whose time may be over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often a change whose outcome is unknown is looked for again.
const RECONCILE_EVERY: Duration = Duration::from_secs(30);
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

/// What the owner needs beside.
pub struct RunsConfig {
    /// Where announcements go.
    pub typed: TypedSender,
    /// Puts an end into words: the row, and whether it was looked for after a crash.
    pub words: fn(&ApprovalRow) -> String,
}

/// The owner of changes under way.
pub struct Runs {
    inner: Arc<Inner>,
    orders: mpsc::Receiver<Order>,
    running: JoinSet<ApprovalId>,
    announce: HashSet<ApprovalId>,
}

impl Runs {
    pub(super) fn new(inner: Arc<Inner>, orders: mpsc::Receiver<Order>) -> Self {
        Self { inner, orders, running: JoinSet::new(), announce: HashSet::new() }
    }

    /// Runs until it is dropped. What is under way then is found again at the next start.
    pub async fn run(mut self, config: RunsConfig) {
        if let Err(error) = self.pick_up().await {
            tracing::error!("changes of the former run could not be looked for: {error}");
        }
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        let mut reconcile = tokio::time::interval(RECONCILE_EVERY);
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.order(order, &config).await,
                    None => return,
                },
                Some(over) = self.running.join_next() => match over {
                    Ok(id) => self.over(id, &config).await,
                    Err(error) => tracing::error!("a change's task broke: {error}"),
                },
                _ = sweep.tick() => self.sweep(false).await,
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
                let inner = self.inner.clone();
                self.running.spawn(async move {
                    begin(&inner, id).await;
                    id
                });
            }
            Order::Run(id, cleared) => {
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

    /// What a former run left: questions approved and never begun are void, what was begun is looked for.
    async fn pick_up(&mut self) -> Result<(), SafetyError> {
        self.sweep(true).await;
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
            self.announce.insert(row.row.id);
            self.reconcile(row);
        }
    }

    fn reconcile(&mut self, row: ApprovalRow) {
        let (inner, id) = (self.inner.clone(), row.row.id);
        self.running.spawn(async move {
            reconcile(&inner, row).await;
            id
        });
    }

    async fn sweep(&self, restarted: bool) {
        let closed = async {
            let entry = self.inner.entry("expired", None, json!({"restarted": restarted}))?;
            let closed = self.inner.store.close_approvals(now(), restarted, entry).await?;
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
        if super::view::settled(row.clone()).is_none() || !self.announce.remove(&id) {
            return;
        }
        let Some(room) = row.row.bound.room.clone() else { return };
        let announce = Typed::Announce { text: (config.words)(&row), room };
        if config.typed.try_send(announce).is_err() {
            tracing::warn!(%id, "too many announcements wait; this one is on the page alone");
        }
    }
}

/// Waits until a mind can no longer be changed, then compares, judges again, consumes and runs.
async fn begin(inner: &Inner, id: ApprovalId) {
    if let Err(error) = try_begin(inner, id).await {
        tracing::error!(%id, "an approved change was not begun: {error}");
        inner.bus.tell(EventKind::Degraded { part: "safety".into(), reason: error.to_string(), fallback: None });
    }
}

async fn try_begin(inner: &Inner, id: ApprovalId) -> Result<(), SafetyError> {
    let Some(row) = inner.store.approval(id).await? else { return Ok(()) };
    let Stage::Approved { clears, .. } = &row.row.stage else { return Ok(()) };
    let wait = u64::try_from(clears.0.saturating_sub(now().0)).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(wait)).await;
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
    carry_out(inner, id, cleared).await;
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

/// Writes the row of a call with standing leave, already begun, and hands it to the owner.
pub(super) async fn on_leave(
    inner: &Inner,
    cleared: Cleared<Work>,
    origin: Origin,
    asker: Asker,
    turn: Option<TurnId>,
    ruled: serde_json::Value,
) -> Result<ApprovalId, SafetyError> {
    let permit = inner.orders.try_reserve().map_err(|_| SafetyError::Busy)?;
    let begun = Begun { at: now(), change: changed(cleared.args()), inverse: inverse(cleared.args()) };
    let sentence = cleared.args().summary.sentence();
    let bound = Bound::on_leave(cleared.args(), origin, asker.room, turn, sentence, now());
    let entry = inner.entry("started", None, ruled)?;
    let id = inner.store.begin_on_leave(bound, inner.key.clone(), begun, entry).await?;
    inner.journal.note().await?;
    permit.send(Order::Run(id, Box::new(cleared)));
    inner.tell_changed(id);
    Ok(id)
}

/// The effect itself. The switch is looked at once more, at the last moment.
async fn carry_out(inner: &Inner, id: ApprovalId, cleared: Cleared<Work>) {
    let ended = if inner.switch.power() == jarvis_core::gate::Power::Stopped {
        Ended::failed("the kill switch was set before it was sent".into())
    } else if matches!(cleared.args().effect, Effect::Foreign(_)) {
        Box::pin(inner.servers.call(cleared)).await.into()
    } else {
        inner.cluster.change(cleared, |upid| sent(inner, id, upid)).await.into()
    };
    settle(inner, id, ended).await;
}

async fn sent(inner: &Inner, id: ApprovalId, upid: Upid) {
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

async fn settle(inner: &Inner, id: ApprovalId, ended: impl Into<Ended>) {
    let Ended { stage, words, log } = ended.into();
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

/// Looks for what became of a change that was begun. It is never sent again.
async fn reconcile(inner: &Inner, row: ApprovalRow) {
    let id = row.row.id;
    if let Identity::Foreign { server, .. } = &row.row.bound.identity {
        let words =
            format!("the daemon stopped in the middle of it; only {server} knows, and it is not asked a second time");
        return settle(inner, id, Ended { stage: Stage::Unknown, words, log: Vec::new() }).await;
    }
    let (Some(change), Some(started)) = (row.change, row.started) else {
        return settle(inner, id, Ended::failed("it was never sent".to_owned())).await;
    };
    if row.row.stage != Stage::Unknown {
        let why = "the daemon stopped in the middle of it; the node's task list is being searched".to_owned();
        settle(inner, id, Outcome::Unknown { upid: row.upid.clone(), why }).await;
        inner.settle_told(id);
    }
    let upid = match row.upid {
        Some(upid) => upid,
        None => match inner.cluster.find_task(&change, started, &known_tasks(inner).await).await {
            Found::Task { upid, .. } => {
                sent(inner, id, upid.clone()).await;
                upid
            }
            Found::None => {
                let reason = "it was never sent: the node began no such task".to_owned();
                return settle(inner, id, Ended::failed(reason)).await;
            }
            Found::NodeUnknown { why } => {
                tracing::warn!(%id, at = UnixMillis::now().0, "a change is still unknown: {why}");
                return;
            }
        },
    };
    let outcome = inner.cluster.follow(&change, upid, started).await;
    if !matches!(outcome, Outcome::Unknown { .. }) {
        settle(inner, id, outcome).await;
    }
}

/// Tasks that belong to other rows.
async fn known_tasks(inner: &Inner) -> Vec<Upid> {
    match inner.store.approvals(&[], 200).await {
        Ok(rows) => rows.into_iter().filter_map(|row| row.upid).collect(),
        Err(error) => {
            tracing::error!("tasks of other changes could not be read: {error}");
            Vec::new()
        }
    }
}
