//! Safety at work: what is asked, approved, run, verified and written down.
//!
//! [`Safety::propose`] is the only way for a call to run. It reads live state, lets the core's gate judge, and gives authority back,
//! a question, or a refusal. A change runs in the [owner's](run::Runs) task, whoever waits for it: its row is consumed first, its
//! task committed as soon as the node names it, its end read back. After a crash each row that was begun is looked for in the node's
//! task list; none is ever run again.
//!
//! Here is what safety is made of. What is asked of it is in `ask`, what is answered in `answer`, how all of it stands in `rows`, stopping
//! and resuming in `power`; a change's way to its end in `begin`, and the task that owns them all in `run`.

mod answer;
mod ask;
mod begin;
mod config;
mod door;
mod ended;
mod hold;
mod journal;
mod lost;
mod power;
mod rows;
mod run;
mod servers;
mod switch;
mod view;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jarvis_core::approval::{Holds, SealKey};
use jarvis_core::gate::Policy;
use jarvis_core::ids::{ApprovalId, TurnId, WallMillis};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::sync::{Mutex as AsyncMutex, Notify, broadcast, mpsc, watch};

use crate::cluster::ClusterClient;
use crate::event::{Bus, EventKind, UnixMillis};
use crate::mcp::Servers;
use crate::store::{AuditEntry, Store, StoreError};

pub use answer::NoApproval;
pub use ask::{Proposed, Question};
pub use config::{LeaveConfig, RaiseConfig, SafetyConfig, UNTRIED_EAR};
pub use door::{DAEMON_STOPPED, Door, stop_from_outside};
pub use hold::Hold;
pub use journal::{ACCEPT, Head, Journal};
pub use run::{MemoryWork, RECONCILE_EVERY, Runs, RunsConfig};
pub use switch::{KillSwitch, Seen, SwitchState};
pub use view::{Approval, Settled};

/// Changes that may wait to be begun; one more is told to try again.
const ORDERS_MAX: usize = 64;
/// Settled changes that a waiter may be behind; it looks at the row itself then.
const SETTLED_MAX: usize = 64;
/// Open rows that are looked at where all of them are: programs with a token may have more than a hundred.
const OPEN_MAX: u32 = 200;

/// Why safety could not do its part; nothing runs then.
#[derive(Debug, thiserror::Error)]
pub enum SafetyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key, the switch or the log's head could not be read or made.
    #[error("{doing} {path}: {source}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: std::path::PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The kernel gave no random bytes.
    #[error("no random bytes can be had; nothing is approved without")]
    NoRandom,
    /// Too much is under way.
    #[error("too many changes wait already; try again when they are done")]
    Busy,
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Safety(Arc<Inner>);

pub(crate) struct Inner {
    store: Store,
    cluster: ClusterClient,
    servers: Servers,
    bus: Bus,
    switch: KillSwitch,
    key: SealKey,
    policy: Policy,
    journal: Journal,
    random: SystemRandom,
    orders: mpsc::Sender<run::Order>,
    settled: broadcast::Sender<ApprovalId>,
    /// Turns by voice that are under way.
    holds: watch::Sender<Holds>,
    /// Wakes the owner of changes when the switch was set past him.
    poked: Notify,
    /// The stop that was written down last, by whoever has this to himself.
    written_down: AsyncMutex<Option<SwitchState>>,
    /// Challenges that were given out lately.
    challenges: Mutex<Vec<String>>,
    /// Turns under way that asked something.
    asking: Mutex<HashSet<TurnId>>,
}

impl Safety {
    /// Opens key, switch and log in `state_dir`; the second half must be run.
    ///
    /// # Errors
    /// Where one of them cannot be read or made.
    pub async fn open(
        state_dir: &Path,
        config: &SafetyConfig,
        store: Store,
        cluster: ClusterClient,
        servers: Servers,
        bus: Bus,
    ) -> Result<(Self, Runs), SafetyError> {
        let random = SystemRandom::new();
        let key = journal::seal_key(state_dir, &random)?;
        let journal = Journal::open(state_dir, store.clone(), key.clone(), bus.clone()).await?;
        let fail = |source| SafetyError::File { doing: "cannot make", path: state_dir.join("power"), source };
        let switch = KillSwitch::open(state_dir, journal.is_new()).map_err(fail)?;
        store.seal_with(key.clone());
        if config.untried_ear_approves {
            tracing::warn!("{UNTRIED_EAR}");
            // It stands as long as the daemon runs: on the page, in the status, before everybody who looks.
            bus.tell(EventKind::Degraded { part: "untried ear".into(), reason: UNTRIED_EAR.into(), fallback: None });
        }
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (settled, _) = broadcast::channel(SETTLED_MAX);
        let inner = Arc::new(Inner {
            store,
            cluster,
            servers,
            bus,
            switch,
            key,
            policy: config.policy(),
            journal,
            random,
            orders,
            settled,
            holds: watch::Sender::default(),
            poked: Notify::new(),
            written_down: AsyncMutex::default(),
            challenges: Mutex::default(),
            asking: Mutex::default(),
        });
        if inner.journal.is_accepted() {
            inner.write("accepted", None, json!({"what": "the log's head was noted anew, as its owner asked"})).await?;
        }
        // Nobody who hears this run was asked what the former one asked, and its clock may have been another.
        let void = inner.entry("expired", None, json!({"restarted": true}))?;
        if inner.store.close_approvals(now(), true, void).await? > 0 {
            inner.journal.note().await?;
        }
        let runs = Runs::new(inner.clone(), inbox);
        Ok((Self(inner), runs))
    }

    /// The kill switch.
    pub fn switch(&self) -> &KillSwitch {
        &self.0.switch
    }

    /// The audit log.
    pub fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// What the owner laid down.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }
}

impl Inner {
    fn entry(
        &self,
        kind: &'static str,
        approval: Option<ApprovalId>,
        content: serde_json::Value,
    ) -> Result<AuditEntry, SafetyError> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt).map_err(|_| SafetyError::NoRandom)?;
        Ok(AuditEntry { at: now(), kind, approval, salt, content, key: self.key.clone() })
    }

    async fn write(
        &self,
        kind: &'static str,
        approval: Option<ApprovalId>,
        content: serde_json::Value,
    ) -> Result<(), SafetyError> {
        let entry = self.entry(kind, approval, content)?;
        self.store.audit(entry).await?;
        self.journal.note().await
    }

    /// Pages and `jarvisctl` look again.
    fn tell_changed(&self, id: ApprovalId) {
        self.bus.tell(EventKind::Approval { id });
    }

    fn settle_told(&self, id: ApprovalId) {
        self.tell_changed(id);
        if self.settled.send(id).is_err() {
            tracing::trace!(%id, "nobody waits for it");
        }
    }
}

/// The present time.
pub(crate) fn now() -> WallMillis {
    WallMillis(UnixMillis::now().0)
}
