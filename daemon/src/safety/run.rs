//! Changes under way. One task owns them all: it has what was approved begun, tells how each ended, and after a start has those looked for
//! that a former run had begun.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jarvis_core::approval::{Bound, Stage};
use jarvis_core::gate::{Cleared, Power, Work};
use jarvis_core::ids::ApprovalId;
use jarvis_core::tools::MemoryEffect;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Inner, SafetyError, begin, lost, now};
use crate::ctl::{Typed, TypedSender};
use crate::store::ApprovalRow;

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
                    begin::approved(&inner, &memory, id).await;
                    id
                });
            }
            Order::Run(id, cleared) => {
                self.busy.insert(id);
                let inner = self.inner.clone();
                self.running.spawn(async move {
                    begin::carry_out(&inner, id, *cleared).await;
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
        let rows = match self.inner.store.lost_approvals(now().plus(-RECONCILE_MS), 20).await {
            Ok(rows) => rows,
            Err(error) => return tracing::error!("unknown changes could not be read: {error}"),
        };
        for row in rows {
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
