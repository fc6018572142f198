//! Safety at work: what is asked, approved, run, verified and written down.
//!
//! [`Safety::propose`] is the only way for a call to run. It reads live state, lets the core's gate judge, and gives authority back,
//! a question, or a refusal. A change runs in the [owner's](run::Runs) task, whoever waits for it: its row is consumed first, its
//! task committed as soon as the node names it, its end read back. After a crash each row that was begun is looked for in the node's
//! task list; none is ever run again.
//!
//! Length: one method per thing that may be asked of safety, each with its errors.

mod config;
mod door;
mod ended;
mod hold;
mod journal;
mod lost;
mod power;
mod run;
mod servers;
mod switch;
mod view;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jarvis_core::approval::{Approver, Bound, Channel, Holds, NotApproved, Seal, SealKey, Stage, Told};
use jarvis_core::challenge::challenge;
use jarvis_core::gate::{Ask, Asker, Cleared, Decision, Gate, Origin, Policy, Power, Refusal, Situation, Work};
use jarvis_core::ids::{ApprovalId, TurnId, WallMillis};
use jarvis_core::tool::Tier;
use jarvis_core::tools::{Call, Effect};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::sync::{Mutex as AsyncMutex, Notify, broadcast, mpsc, watch};

use crate::cluster::ClusterClient;
use crate::event::{Bus, EventKind, UnixMillis};
use crate::mcp::Servers;
use crate::store::{ApprovalRow, Store, StoreError};

pub use config::{LeaveConfig, RaiseConfig, SafetyConfig, UNTRIED_EAR};
pub use door::{Door, stop_from_outside};
pub use hold::Hold;
pub use journal::{ACCEPT, Head, Journal};
pub use run::{MemoryWork, RECONCILE_EVERY, Runs, RunsConfig};
pub use switch::{KillSwitch, Seen, SwitchState};
pub use view::{Approval, Settled};

/// Changes that may wait to be begun; one more is told to try again.
const ORDERS_MAX: usize = 64;
/// Settled changes that a waiter may be behind; it looks at the row itself then.
const SETTLED_MAX: usize = 64;
/// An undo reaches back so far, in milliseconds.
const UNDO_MS: i64 = 60 * 60 * 1000;
/// Challenges that are kept to be hidden; more than can be open at once by far.
const HIDDEN_MAX: usize = 64;
/// What stands where a challenge was.
const HIDDEN: &str = "(two words)";
/// An hour, in milliseconds.
const HOUR_MS: i64 = 60 * 60 * 1000;

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

/// What became of a proposal.
#[derive(Debug)]
pub enum Proposed {
    /// It changes nothing in the cluster and may run now, by whoever holds this.
    Cleared(Cleared<Work>),
    /// It runs on standing leave; [`Safety::wait`] tells how it went.
    Runs(ApprovalId),
    /// Somebody must say yes first.
    Asked(Box<Question>),
    /// It does not run.
    Refused(Refusal),
}

/// A question that was asked and waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its approval.
    pub id: ApprovalId,
    /// What is asked, as it is spoken.
    pub text: String,
    /// Whether a spoken "yes" from the same room is enough.
    pub by_voice: bool,
    /// Its tier.
    pub tier: Tier,
    /// Two words that are spoken with it and must be confirmed at the second channel. `None` as well where they are shown on the page.
    pub challenge: Option<String>,
}

/// Why a "yes" did nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoApproval {
    /// There is no such question.
    #[error("there is no question {0}; `jarvisctl approvals` lists those that are open")]
    None(ApprovalId),
    /// It does not count.
    #[error(transparent)]
    Not(#[from] NotApproved),
    /// Safety itself failed.
    #[error(transparent)]
    Safety(#[from] SafetyError),
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

    /// Judges a call on live state, and writes down what was asked and how it was ruled.
    ///
    /// `question` puts a question into the words that are spoken: it is given what is asked, and the challenge where there is one.
    ///
    /// # Errors
    /// Where the store fails; nothing runs then.
    pub async fn propose(
        &self,
        call: Call,
        origin: Origin,
        asker: Asker,
        turn: Option<TurnId>,
        question: impl FnOnce(&Ask, Option<&str>) -> String + Send,
    ) -> Result<Proposed, SafetyError> {
        let inner = &self.0;
        let facts = inner.cluster.facts_for(&call).await;
        let foreign = inner.servers.standing(&call).await?;
        let now = now();
        let power = inner.switch.power();
        let told = json!({
            "tool": call.name(), "args": journal::clean(&call.json()), "origin": origin, "room": asker.room, "turn": turn,
        });
        let ruled = |what: &str, more: serde_json::Value| json!({"asked": told, "ruled": what, "more": more});
        let mut call = call;
        let decision = loop {
            let used = inner.store.on_leave_since(now.plus(-HOUR_MS)).await?;
            let foreign = foreign.as_ref();
            let situation = Situation { facts: &facts, policy: &inner.policy, on_leave_last_hour: used.count, foreign };
            match Gate::new().decide(call, &origin, &asker, &situation, power) {
                Decision::Run(cleared) if matches!(cleared.args().effect, Effect::Change(_)) => {
                    let entry = ruled("runs on standing leave", json!(cleared.args().ruling));
                    match run::on_leave(inner, cleared, origin.clone(), asker.clone(), turn, entry, used).await? {
                        Ok(id) => return Ok(Proposed::Runs(id)),
                        // Another change used the leave up in between: this one is judged once more.
                        Err(again) => call = *again,
                    }
                }
                decision => break decision,
            }
        };
        match decision {
            Decision::Run(cleared) => {
                inner.write("ruled", None, ruled("runs", json!(cleared.tier()))).await?;
                Ok(Proposed::Cleared(cleared))
            }
            Decision::Ask(ask) => {
                let words = if ask.challenge { Some(inner.challenge()?) } else { None };
                // Words that nobody would hear are shown on the page, and are in no sentence.
                let heard = words.as_deref().filter(|_| Told::of(asker.room.as_deref()) == Told::Room);
                let text = question(&ask, heard);
                let by_voice = ask.by_voice;
                let bound = Bound::new(&ask, origin, asker.room, turn, text.clone(), words.clone(), now);
                let asked = view::without(&text, words.as_deref());
                let entry = inner.entry(
                    "asked",
                    None,
                    ruled("asked", json!({"ruling": ask.work.ruling, "question": asked})),
                )?;
                inner.asking.lock().unwrap_or_else(PoisonError::into_inner).extend(turn);
                let withdrawn = inner.entry("withdrawn", None, json!({}))?;
                let (row, void) = inner.store.ask_approval(bound, entry, withdrawn).await?;
                inner.journal.note().await?;
                void.into_iter().for_each(|id| inner.settle_told(id));
                inner.tell_changed(row.id);
                let challenge = words.filter(|_| row.bound.told == Told::Room);
                Ok(Proposed::Asked(Box::new(Question { id: row.id, text, by_voice, tier: row.bound.tier, challenge })))
            }
            Decision::Refuse(refusal) => {
                inner.write("refused", None, ruled("refused", json!(format!("{refusal:?}")))).await?;
                Ok(Proposed::Refused(refusal))
            }
        }
    }

    /// A turn is over. `heard` is the question that its answer ended with, where it was heard to its end: only now may that room say
    /// "yes" to it. Whatever else the turn asked is void.
    ///
    /// # Errors
    /// Where the store fails: no "yes" counts then.
    pub async fn turn_over(&self, turn: TurnId, heard: Option<ApprovalId>) -> Result<(), SafetyError> {
        let inner = &self.0;
        if !inner.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&turn) {
            return Ok(());
        }
        let entry = inner.entry("withdrawn", None, json!({}))?;
        let changed = inner.store.close_questions(turn, heard, entry).await?;
        if !changed.is_empty() {
            inner.journal.note().await?;
            changed.into_iter().for_each(|id| inner.settle_told(id));
        }
        Ok(())
    }

    /// Says yes. The change begins when its mind-changing time is over; [`Safety::wait`] tells how it went.
    ///
    /// # Errors
    /// Where the yes does not count; wrong words are counted.
    pub async fn approve(&self, id: ApprovalId, by: Approver) -> Result<(), NoApproval> {
        let inner = &self.0;
        if inner.switch.power() == Power::Stopped {
            return Err(NotApproved::NotPending.into());
        }
        let announce = !matches!(by, Approver::Voice { .. });
        // Room for the order first: what was approved must not wait for somebody to begin it.
        let permit = inner.orders.try_reserve().map_err(|_| SafetyError::Busy)?;
        let entry = inner.entry("approved", Some(id), json!({}))?;
        let answered = inner.store.answer_approval(id, by, entry).await.map_err(SafetyError::from)?;
        let answered = answered.ok_or(NoApproval::None(id))?;
        inner.journal.note().await?;
        inner.tell_changed(id);
        answered?;
        permit.send(run::Order::Begin { id, announce });
        Ok(())
    }

    /// Approves at a second channel, by the seal that was shown there.
    ///
    /// # Errors
    /// As [`Safety::approve`].
    pub async fn approve_second(
        &self,
        id: ApprovalId,
        channel: Channel,
        seal: &str,
        words: Option<String>,
    ) -> Result<(), NoApproval> {
        let seal = Seal::from_hex(seal).ok_or(NotApproved::OtherQuestion)?;
        self.approve(id, Approver::Second { channel, seal, words }).await
    }

    /// Says no, or takes a yes back while it has not begun. False where there is nothing to take back any more.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn refuse(&self, id: ApprovalId, by: &str) -> Result<bool, SafetyError> {
        self.0.refuse(id, by).await
    }

    /// The newest of all rows for the owner who is signed in at the page: with the words that are shown nowhere else.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn past_with_words(&self, limit: u32) -> Result<Vec<Approval>, SafetyError> {
        Ok(self.0.store.approvals(&[], limit).await?.into_iter().map(Approval::with_words).collect())
    }

    /// The newest of all rows, newest first.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn past(&self, limit: u32) -> Result<Vec<Approval>, SafetyError> {
        let rows = self.0.store.approvals(&[], limit).await?;
        Ok(rows.into_iter().map(Approval::from).collect())
    }

    /// The newest question in a room that can still be answered or taken back.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn open_in(&self, room: Option<&str>) -> Result<Option<ApprovalRow>, SafetyError> {
        let now = now();
        let rows = self.0.store.approvals(&["pending", "approved"], 50).await?;
        Ok(rows.into_iter().find(|row| row.row.bound.room.as_deref() == room && now < row.row.bound.expires))
    }

    /// The question a "yes" in this place means: the one that was asked there last, whatever became of it since. In a room, those that
    /// other programs had spoken there are among them.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn asked_last_in(&self, room: Option<&str>) -> Result<Option<ApprovalRow>, SafetyError> {
        let rows = self.0.store.approvals(&[], 50).await?;
        let here = |row: &ApprovalRow| {
            let program = matches!(row.row.bound.origin, Origin::Outside { .. });
            row.row.bound.room.as_deref() == room && (room.is_some() || !program)
        };
        Ok(rows.into_iter().find(here))
    }

    /// A text for a second channel, without the words that must be confirmed there: they prove that somebody was at the first one.
    pub fn without_challenges(&self, text: String) -> String {
        let challenges = self.0.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges
            .iter()
            .fold(text, |text, words| if text.contains(words) { text.replace(words, HIDDEN) } else { text })
    }

    /// How many questions of another program wait for an answer.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn open_from(&self, client: &str) -> Result<usize, SafetyError> {
        let rows = self.0.store.approvals(&["pending", "approved"], 50).await?;
        let now = now();
        let theirs =
            |row: &&ApprovalRow| matches!(&row.row.bound.origin, Origin::Outside { client: name } if name == client);
        Ok(rows.iter().filter(theirs).filter(|row| now < row.row.bound.expires).count())
    }

    /// Writes down that another program asked for what it may not even ask for.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub async fn turned_away(&self, client: &str, tool: &str, why: &str) -> Result<(), SafetyError> {
        let origin = Origin::Outside { client: client.to_owned() };
        self.0
            .write(
                "refused",
                None,
                json!({"asked": {"tool": tool, "origin": origin}, "ruled": "turned away", "more": why}),
            )
            .await
    }

    /// One row, with what happened to it.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn row(&self, id: ApprovalId) -> Result<Option<ApprovalRow>, SafetyError> {
        Ok(self.0.store.approval(id).await?)
    }

    /// Waits until a change is over, or `limit`. Past it the outcome is announced in its room when it comes.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn wait(&self, id: ApprovalId, limit: Duration) -> Result<Option<Settled>, SafetyError> {
        let inner = &self.0;
        let mut settled = inner.settled.subscribe();
        let over = async {
            loop {
                if let Some(settled) = inner.store.approval(id).await?.and_then(view::settled) {
                    return Ok::<_, StoreError>(settled);
                }
                loop {
                    match settled.recv().await {
                        Ok(told) if told != id => {}
                        Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => break,
                        Err(broadcast::error::RecvError::Closed) => return Err(StoreError::Closed),
                    }
                }
            }
        };
        // A turn that is taken away while it waits does not hear how it ended; its room does.
        let mut unheard = hold::Unheard(Some((inner, id)));
        if let Ok(over) = tokio::time::timeout(limit, over).await {
            unheard.0 = None;
            return Ok(Some(over?));
        }
        Ok(None)
    }

    /// The call that takes back the newest change of a room, with that change; `None` where there is none.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn undo(&self, room: Option<&str>) -> Result<Option<(ApprovalId, Result<Call, String>)>, SafetyError> {
        let Some(done) = self.0.store.undoable(room, now().plus(-UNDO_MS)).await? else { return Ok(None) };
        let call = done.inverse.as_deref().and_then(journal::stored_call);
        Ok(Some((done.row.id, call.ok_or_else(|| done.row.bound.question.clone()))))
    }

    /// The change `done` is to be taken back by `undo`. It counts as taken back once `undo` was done and seen, whoever approves it and
    /// however often the daemon is restarted before; an `undo` that was refused or failed leaves it to be offered again.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn undo_by(&self, done: ApprovalId, undo: ApprovalId) -> Result<(), SafetyError> {
        Ok(self.0.store.undo_by(done, undo).await?)
    }
}

impl Inner {
    async fn refuse(&self, id: ApprovalId, by: &str) -> Result<bool, SafetyError> {
        let denied = self.entry("denied", Some(id), json!({"by": by}))?;
        let cancelled = self.entry("cancelled", Some(id), json!({"by": by}))?;
        let done = self.store.step_approval(id, &["pending"], Stage::Denied, denied).await?
            || self.store.step_approval(id, &["approved"], Stage::Cancelled, cancelled).await?;
        if done {
            self.journal.note().await?;
            self.settle_told(id);
        }
        Ok(done)
    }

    fn draw(&self) -> Result<u64, SafetyError> {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes).map_err(|_| SafetyError::NoRandom)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Two words for a question, remembered so that they can be hidden.
    fn challenge(&self) -> Result<String, SafetyError> {
        let words = challenge(self.draw()?);
        let mut all = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= HIDDEN_MAX {
            all.remove(0);
        }
        all.push(words.clone());
        Ok(words)
    }

    fn entry(
        &self,
        kind: &'static str,
        approval: Option<ApprovalId>,
        content: serde_json::Value,
    ) -> Result<crate::store::AuditEntry, SafetyError> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt).map_err(|_| SafetyError::NoRandom)?;
        Ok(crate::store::AuditEntry { at: now(), kind, approval, salt, content, key: self.key.clone() })
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
