//! The books of what models cost: money is set aside in the store before a question is sent, and settled when its answer is over.

use std::sync::{Arc, Mutex, PoisonError};

use jarvis_core::costs::{Caps, Dollars, Level, Notice, Span, Spent, with_margin};
use jarvis_core::ids::{ChargeId, TurnId, UnixSeconds, WallMillis};
use jarvis_core::mind::date::Day;
use jarvis_core::mind::error::Unpaid;
use jarvis_core::mind::message::Usage;
use jarvis_core::mind::prices::{MicroUsd, Price};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::event::{Bus, EventKind};
use crate::store::{Charge, Reserved, Store, StoreError};

/// Questions given up at once whose money waits to be written down. Beyond it they stay set aside, which counts as much, until the next start.
const GIVEN_UP_MAX: usize = 256;
/// The part of which the house is told.
const PART: &str = "budget";

/// `[minds.budget]`: the most that may be spent, in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetConfig {
    /// In a day of this machine's calendar.
    pub day_usd: Dollars,
    /// In a month of it.
    pub month_usd: Dollars,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self { day_usd: Dollars(MicroUsd(1_000_000)), month_usd: Dollars(MicroUsd(10_000_000)) }
    }
}

impl BudgetConfig {
    /// As the books take it.
    pub fn caps(&self) -> Caps {
        Caps { day: self.day_usd.0, month: self.month_usd.0 }
    }
}

/// Where a question is asked, for the figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Occasion {
    /// The turn, if it is one.
    pub turn: Option<TurnId>,
    /// The room; empty for none.
    pub room: String,
}

/// The present day of this machine's calendar, which is the owner's.
pub fn today() -> Day {
    let now = jiff::Zoned::now();
    Day::of(UnixSeconds(now.timestamp().as_second().saturating_add(i64::from(now.offset().seconds()))))
}

fn now() -> WallMillis {
    WallMillis(jiff::Timestamp::now().as_millisecond())
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Books {
    store: Store,
    caps: Caps,
    bus: Bus,
    given_up: mpsc::Sender<ChargeId>,
    due: Arc<Mutex<Due>>,
}

/// Words that are due, and what the house was told.
#[derive(Debug, Default)]
struct Due {
    /// Each is due once in its span, so there are never many.
    notices: Vec<Notice>,
    told: Option<(Span, Level)>,
}

/// Writes down questions that were given up.
#[derive(Debug)]
pub struct BookKeeper {
    inbox: mpsc::Receiver<ChargeId>,
}

impl BookKeeper {
    /// Runs until it is taken down: the books themselves keep it going.
    pub async fn run(mut self, books: Books) {
        while let Some(id) = self.inbox.recv().await {
            books.over(id, books.store.cost_unknown(id, books.caps, now()).await);
        }
    }
}

impl Books {
    /// The books, and who must run beside them.
    pub fn open(store: Store, caps: Caps, bus: Bus) -> (Self, BookKeeper) {
        let (given_up, inbox) = mpsc::channel(GIVEN_UP_MAX);
        (Self { store, caps, bus, given_up, due: Arc::default() }, BookKeeper { inbox })
    }

    /// The caps.
    pub fn caps(&self) -> Caps {
        self.caps
    }

    /// What was spent today and this month; tells the house where a cap is nearly or wholly used, or free again.
    pub async fn spent(&self) -> Result<Spent, StoreError> {
        let spent = self.store.spent(today()).await?;
        self.tell(&spent);
        Ok(spent)
    }

    /// A word that is due, once.
    pub fn take_notice(&self) -> Option<Notice> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        // The gravest is said; a lesser one beside it would be chatter.
        due.notices.sort_by_key(|notice| notice.level);
        let said = due.notices.pop();
        due.notices.clear();
        said
    }

    /// Sets aside what a question costs at most, by a price for prompts of that length. `None` is what may not be paid for.
    pub(super) async fn reserve(
        &self,
        occasion: &Occasion,
        provider: &str,
        model: &str,
        at_most: MicroUsd,
    ) -> Result<Open, Unpaid> {
        let charge = Charge {
            turn: occasion.turn,
            room: occasion.room.clone(),
            provider: provider.to_owned(),
            model: model.to_owned(),
            day: today(),
            at: now(),
            at_most,
        };
        match self.store.reserve_cost(charge, self.caps).await {
            Ok(Reserved::Yes(id)) => Ok(Open { books: self.clone(), id: Some(id) }),
            Ok(Reserved::No(why, notices)) => {
                self.note(notices);
                Err(why)
            }
            // What costs nothing is asked whether it can be written down or not.
            Err(error) if at_most.0 == 0 => {
                tracing::error!("a question that costs nothing is not in the books: {error}");
                Ok(Open { books: self.clone(), id: None })
            }
            Err(error) => {
                tracing::error!("nothing is bought that is not written down: {error}");
                Err(Unpaid::NoBooks)
            }
        }
    }

    fn note(&self, notices: Vec<Notice>) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).notices.extend(notices);
    }

    fn over(&self, id: ChargeId, settled: Result<Vec<Notice>, StoreError>) {
        match settled {
            Ok(notices) => self.note(notices),
            Err(error) => tracing::error!(?id, "what a question cost stays set aside in full: {error}"),
        }
    }

    fn tell(&self, spent: &Spent) {
        let worst = self.caps.levels(spent).into_iter().max_by_key(|(_, level)| *level);
        let worst = worst.filter(|(_, level)| *level != Level::Fine);
        {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            if due.told == worst {
                return;
            }
            due.told = worst;
        }
        let Some((span, level)) = worst else {
            self.bus.tell(EventKind::Restored { part: PART.to_owned() });
            return;
        };
        let (used, cap, name) = match span {
            Span::Day => (spent.day, self.caps.day, "day"),
            Span::Month => (spent.month, self.caps.month, "month"),
        };
        let fallback = (level == Level::Spent).then(|| "models in the house".to_owned());
        let reason = format!("{used} of the {name}'s {cap} is spent; raise {name}_usd in [minds.budget], or wait");
        tracing::warn!("{reason}");
        self.bus.tell(EventKind::Degraded { part: PART.to_owned(), reason, fallback });
    }
}

/// Tokens and price of a question, as they are set aside.
pub(super) fn at_most(price: &Price, prompt_tokens: u64, answer_tokens: u32) -> MicroUsd {
    price.at_most(with_margin(prompt_tokens), u64::from(answer_tokens))
}

/// Money set aside for a question under way. Dropped without an end, it counts in full: nobody knows what the provider did.
pub(super) struct Open {
    books: Books,
    id: Option<ChargeId>,
}

impl Open {
    /// The answer is over, and the provider said what it took.
    pub(super) async fn settle(mut self, usage: Usage, cost: MicroUsd) {
        let Some(id) = self.id else { return };
        // Given up while it is written, it counts in full unless this was first.
        self.books.over(id, self.books.store.settle_cost(id, usage, cost, self.books.caps, now()).await);
        self.id = None;
    }

    /// Nobody can say what it cost.
    pub(super) async fn unknown(mut self) {
        let Some(id) = self.id else { return };
        self.books.over(id, self.books.store.cost_unknown(id, self.books.caps, now()).await);
        self.id = None;
    }

    /// It was surely not billed.
    pub(super) async fn release(mut self) {
        let Some(id) = self.id else { return };
        self.books.over(id, self.books.store.release_cost(id).await.map(|()| Vec::new()));
        self.id = None;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(id) = self.id
            && let Err(error) = self.books.given_up.try_send(id)
        {
            tracing::warn!(?id, "a question that was given up stays set aside in full until the next start: {error}");
        }
    }
}
