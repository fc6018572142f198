//! All providers together: who is asked for a request, by the router's rules, and how each stands.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jarvis_core::costs::{Caps, Spent};
use jarvis_core::ids::Millis;
use jarvis_core::mind::error::Fault;
use jarvis_core::mind::estimate;
use jarvis_core::mind::models::Basis;
use jarvis_core::mind::prices::Price;
use jarvis_core::route::breaker::Breaker;
use jarvis_core::route::{Candidate, Features, Plan, Rules, Why, decide};
use serde::{Deserialize, Serialize};

use super::books::{Books, Occasion, at_most, today};
use super::catalogue::{Catalogue, Listed};
use super::config::base_url;
use super::metered::Metered;
use super::{MindsConfig, Place, Provider};

/// How long a provider may take to accept a connection before it counts as out of reach. A request is routed within this, whatever the
/// network does.
const REACH_LIMIT: Duration = Duration::from_millis(700);
/// With time to read the books, a request is routed within a second and a half.
const _: () = assert!(REACH_LIMIT.as_millis() <= 1_000);
/// How long a provider that was reached is taken to be there.
const REACHED_FOR: Duration = Duration::from_secs(30);
/// How long one that was not is taken to be gone.
const GONE_FOR: Duration = Duration::from_secs(5);

/// A provider, with what is known of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) provider: Arc<dyn Provider>,
    /// From the configuration.
    price: Option<Price>,
    catalogue: Catalogue,
    address: Option<(String, u16)>,
    breaker: Mutex<Breaker>,
    reached: Mutex<Option<(Instant, bool)>>,
    started: Instant,
}

impl Entry {
    fn now(&self) -> Millis {
        Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn turn(&self, step: impl FnOnce(Breaker, Millis) -> Breaker) {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *breaker;
        *breaker = step(before, self.now());
        if std::mem::discriminant(&before) != std::mem::discriminant(&*breaker) {
            tracing::info!(provider = self.provider.name(), circuit = breaker.words(self.now()), "the circuit changed");
        }
    }

    pub(super) fn asked(&self) {
        self.turn(|breaker, now| breaker.asked(now));
    }

    pub(super) fn answered(&self) {
        self.turn(|breaker, _| breaker.answered());
        self.saw(true);
    }

    pub(super) fn failed(&self, fault: &Fault) {
        self.turn(|breaker, now| breaker.failed(fault, now));
    }

    fn saw(&self, there: bool) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), there));
    }

    fn breaker(&self) -> Breaker {
        *self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a prompt of so many tokens costs now; `None` where nobody said.
    pub(super) fn price(&self, prompt_tokens: u64) -> Option<Price> {
        let listed = || {
            let quote = self.catalogue.models().quote(self.provider.model(), today(), prompt_tokens);
            (quote.basis == Basis::Listed).then_some(quote.price)
        };
        self.price.or_else(listed)
    }

    /// Whether it costs nothing.
    pub(super) fn is_free(&self) -> bool {
        self.price == Some(Price::default())
    }

    /// Whether somebody accepts connections there, as of late.
    async fn is_reached(&self) -> bool {
        let known = *self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, there)) = known
            && at.elapsed() < if there { REACHED_FOR } else { GONE_FOR }
        {
            return there;
        }
        let Some((host, port)) = &self.address else { return true };
        let dial = tokio::net::TcpStream::connect((host.as_str(), *port));
        let there = matches!(tokio::time::timeout(REACH_LIMIT, dial).await, Ok(Ok(_)));
        self.saw(there);
        there
    }

    async fn barred(&self, tokens: u64, answer_tokens: u32, caps: &Caps, spent: Option<&Spent>) -> Option<Why> {
        if !self.is_free() {
            let Some(price) = self.price(tokens) else { return Some(Why::NoPrice) };
            let covered = spent.is_some_and(|spent| caps.admit(spent, at_most(&price, tokens, answer_tokens)).is_ok());
            if !covered {
                return Some(Why::Budget);
            }
        }
        if !self.is_reached().await {
            return Some(Why::Offline);
        }
        (!self.breaker().allows(self.now())).then_some(Why::Broken)
    }
}

/// How a provider stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MindLine {
    /// Its name.
    pub name: String,
    /// The model that is asked.
    pub model: String,
    /// Where it runs.
    pub place: Place,
    /// Its circuit, in words.
    pub circuit: String,
    /// Whether it is asked at all now.
    pub asked: bool,
    /// Whether anybody said what it costs.
    pub price_known: bool,
    /// Tokens that prompt and answer may have together.
    pub window_tokens: u64,
    /// What came of its provider's list of models.
    pub listed: Listed,
}

/// How the minds stand, and the money for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MindsStatus {
    /// The providers, in the owner's order.
    pub minds: Vec<MindLine>,
    /// What was spent; `None` where the books can't be read.
    pub spent: Option<Spent>,
    /// The most that may be.
    pub caps: CapsLine,
}

/// The caps, as they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapsLine {
    /// Of a day, in micro-dollars.
    pub day: u64,
    /// Of a month, in micro-dollars.
    pub month: u64,
}

/// All of them. Cheap to clone.
#[derive(Clone)]
pub struct Minds(Arc<Inner>);

struct Inner {
    rules: Rules,
    entries: Vec<Arc<Entry>>,
    books: Books,
    catalogue: Catalogue,
}

impl Minds {
    /// Those of the configuration. The text says what is wrong with it, and the remedy.
    pub fn new(config: &MindsConfig, catalogue: &Catalogue, books: Books) -> Result<Self, String> {
        let rules = Rules::new(&config.route).map_err(|e| format!("[minds.route]: {e}"))?;
        let providers = config.providers(catalogue).map_err(|e| e.to_string())?;
        let started = Instant::now();
        let entries = config.providers.iter().zip(providers).map(|(settings, provider)| {
            Arc::new(Entry {
                provider,
                price: settings.price(),
                catalogue: catalogue.clone(),
                address: base_url(settings.url()).and_then(|url| {
                    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
                    Some((host, url.port_or_known_default()?))
                }),
                breaker: Mutex::default(),
                reached: Mutex::default(),
                started,
            })
        });
        Ok(Self(Arc::new(Inner { rules, entries: entries.collect(), books, catalogue: catalogue.clone() })))
    }

    /// Whether nobody can be asked because nobody is configured.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// What is known of their models.
    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    /// The books.
    pub fn books(&self) -> &Books {
        &self.0.books
    }

    /// Who answers `text`. `named` are the things of the cluster; `preamble_tokens` go before the request, and the answer may have
    /// `answer_tokens`. Decided within a second, however the network is.
    pub async fn plan(&self, text: &str, named: &BTreeSet<String>, preamble_tokens: u64, answer_tokens: u32) -> Plan {
        let features = Features::of(text, &self.0.rules, named);
        let tokens = preamble_tokens.saturating_add(estimate::text(text));
        let spent = match self.0.books.spent().await {
            Ok(spent) => Some(spent),
            Err(error) => {
                tracing::error!("what was spent is not known, so nothing is bought: {error}");
                None
            }
        };
        let caps = self.0.books.caps();
        let barred = self.0.entries.iter().map(|entry| entry.barred(tokens, answer_tokens, &caps, spent.as_ref()));
        let barred = futures_util::future::join_all(barred).await;
        let candidates: Vec<Candidate> =
            self.0.entries.iter().zip(barred).map(|(entry, barred)| candidate(&*entry.provider, barred)).collect();
        decide(&features, &self.0.rules, &candidates)
    }

    /// Whether words stay in the house, by the rules. `named` are the things of the cluster.
    pub fn keep_in_house(&self, text: &str, named: &BTreeSet<String>) -> bool {
        self.0.rules.keep_in_house(&Features::of(text, &self.0.rules, named))
    }

    /// The provider of that name, for questions of one occasion: each is paid for from the books.
    pub fn provider(&self, name: &str, occasion: Occasion) -> Option<Arc<dyn Provider>> {
        let entry = self.0.entries.iter().find(|entry| entry.provider.name() == name)?;
        Some(Arc::new(Metered { entry: Arc::clone(entry), books: self.0.books.clone(), occasion }))
    }

    /// Who may be asked for a service of the house's own, for which nobody waits: a model in the house before one elsewhere, and that one
    /// only where the words were `outside` already. `None` where nobody is well, or the allowance does not cover it.
    pub async fn for_service(
        &self,
        outside: bool,
        tokens: u64,
        answer_tokens: u32,
        occasion: Occasion,
    ) -> Option<Arc<dyn Provider>> {
        let spent = self.0.books.spent().await.ok();
        let caps = self.0.books.caps();
        let (local, cloud): (Vec<_>, Vec<_>) =
            self.0.entries.iter().partition(|entry| entry.provider.abilities().place == Place::Local);
        for entry in local.into_iter().chain(cloud.into_iter().filter(|_| outside)) {
            if entry.barred(tokens, answer_tokens, &caps, spent.as_ref()).await.is_none() {
                return self.provider(entry.provider.name(), occasion);
            }
        }
        None
    }

    /// Where a provider runs.
    pub fn place(&self, name: &str) -> Option<Place> {
        let entry = self.0.entries.iter().find(|entry| entry.provider.name() == name)?;
        Some(entry.provider.abilities().place)
    }

    /// The providers themselves, without a meter, for those who only ask what they offer.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.0.entries.iter().map(|entry| &entry.provider)
    }

    /// How they stand.
    pub async fn status(&self) -> MindsStatus {
        let line = |entry: &Arc<Entry>| MindLine {
            name: entry.provider.name().to_owned(),
            model: entry.provider.model().as_str().to_owned(),
            place: entry.provider.abilities().place,
            circuit: entry.breaker().words(entry.now()),
            asked: entry.breaker().allows(entry.now()),
            price_known: entry.price(0).is_some(),
            window_tokens: entry.provider.abilities().window_tokens,
            listed: self.0.catalogue.listed(entry.provider.name()),
        };
        MindsStatus {
            minds: self.0.entries.iter().map(line).collect(),
            spent: self.0.books.spent().await.ok(),
            caps: self.caps(),
        }
    }

    /// The caps, as they are shown.
    pub fn caps(&self) -> CapsLine {
        let caps = self.0.books.caps();
        CapsLine { day: caps.day.0, month: caps.month.0 }
    }
}

/// A provider as the router sees it.
pub(super) fn candidate(provider: &dyn Provider, barred: Option<Why>) -> Candidate {
    let abilities = provider.abilities();
    Candidate { name: provider.name().to_owned(), place: abilities.place, tools: abilities.tools, barred }
}
