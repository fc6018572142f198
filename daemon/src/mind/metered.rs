//! A provider with a meter: every question is paid for from the books, and its failures are told to the circuit breaker.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use jarvis_core::mind::error::{Fault, ProviderError, Unpaid, Waited};
use jarvis_core::mind::message::{Ask, Delta, ModelId, Usage};
use jarvis_core::mind::models::Discovered;

use super::books::{Books, Occasion, Open, at_most};
use super::minds::Entry;
use super::{Abilities, DeltaStream, Provider};

/// A provider, as one turn asks it.
#[derive(Clone)]
pub(super) struct Metered {
    pub(super) entry: Arc<Entry>,
    pub(super) books: Books,
    pub(super) occasion: Occasion,
}

impl std::fmt::Debug for Metered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metered").field("provider", &self.entry.provider).field("occasion", &self.occasion).finish()
    }
}

impl Provider for Metered {
    fn name(&self) -> &str {
        self.entry.provider.name()
    }

    fn model(&self) -> &ModelId {
        self.entry.provider.model()
    }

    fn abilities(&self) -> Abilities {
        self.entry.provider.abilities()
    }

    fn ask(&self, ask: Arc<Ask>) -> BoxFuture<'static, Result<DeltaStream, ProviderError>> {
        let this = self.clone();
        Box::pin(async move { this.ask(ask).await })
    }

    fn count(&self, ask: Arc<Ask>) -> BoxFuture<'static, u64> {
        self.entry.provider.count(ask)
    }

    fn models(&self) -> BoxFuture<'static, Result<Vec<Discovered>, ProviderError>> {
        self.entry.provider.models()
    }
}

impl Metered {
    async fn ask(self, ask: Arc<Ask>) -> Result<DeltaStream, ProviderError> {
        let open = self.pay(&ask).await.map_err(|why| ProviderError::new(self.name(), Fault::Budget(why), ""))?;
        self.entry.asked();
        match self.entry.provider.ask(ask).await {
            Ok(stream) => {
                let flow = Flow { stream, open: Some(open), usage: None, heard: false, entry: self.entry };
                Ok(stream::unfold(flow, Flow::next).boxed())
            }
            Err(error) => {
                self.entry.failed(&error.fault);
                if is_unbilled(&error.fault) {
                    open.release().await;
                } else {
                    open.unknown().await;
                }
                Err(error)
            }
        }
    }

    async fn pay(&self, ask: &Arc<Ask>) -> Result<Open, Unpaid> {
        let most = if self.entry.is_free() {
            Default::default()
        } else {
            let tokens = self.entry.provider.count(Arc::clone(ask)).await;
            let price = self.entry.price(jarvis_core::costs::with_margin(tokens)).ok_or(Unpaid::NoPrice)?;
            at_most(&price, tokens, ask.max_tokens)
        };
        self.books.reserve(&self.occasion, self.name(), self.model().as_str(), most).await
    }
}

/// Whether a question that ended so before any answer was surely not billed.
fn is_unbilled(fault: &Fault) -> bool {
    match fault {
        Fault::NoKey
        | Fault::WrongKey
        | Fault::Forbidden
        | Fault::NoSuchModel
        | Fault::RateLimited { .. }
        | Fault::Overloaded { .. }
        | Fault::SpendLimit
        | Fault::BadRequest
        | Fault::Budget(_)
        | Fault::ContextExceeded
        | Fault::Timeout(Waited::Connect)
        | Fault::Unreachable(_) => true,
        Fault::Timeout(Waited::FirstByte | Waited::Idle)
        | Fault::BrokenStream
        | Fault::Garbage
        | Fault::TooMuch(_)
        | Fault::Failed { .. } => false,
    }
}

/// An answer on its way, and the money that is set aside for it.
struct Flow {
    stream: DeltaStream,
    open: Option<Open>,
    usage: Option<Usage>,
    heard: bool,
    entry: Arc<Entry>,
}

impl Flow {
    async fn next(mut self) -> Option<(Result<Delta, ProviderError>, Self)> {
        let next = self.stream.next().await;
        match &next {
            Some(Ok(Delta::Usage(usage))) => self.usage = Some(*usage),
            // The books are written before anybody hears that it is over.
            Some(Ok(Delta::Stop(_))) => self.settle().await,
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                self.entry.failed(&error.fault);
                self.unknown().await;
            }
            None => self.unknown().await,
        }
        if matches!(next, Some(Ok(_))) && !self.heard {
            self.heard = true;
            self.entry.answered();
        }
        next.map(|delta| (delta, self))
    }

    async fn settle(&mut self) {
        let Some(open) = self.open.take() else { return };
        let Some(usage) = self.usage.or_else(|| self.entry.is_free().then(Usage::default)) else {
            return open.unknown().await;
        };
        match self.entry.price(usage.prompt()) {
            Some(price) => open.settle(usage, price.cost(&usage)).await,
            None => open.unknown().await,
        }
    }

    async fn unknown(&mut self) {
        if let Some(open) = self.open.take() {
            open.unknown().await;
        }
    }
}
