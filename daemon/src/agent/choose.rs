//! Who answers a request that the grammar does not understand, and why: the router's plan, with providers that are paid from the books.

use std::sync::Arc;

use jarvis_core::context::HISTORY_TOKENS_MAX;
use jarvis_core::ids::TurnId;
use jarvis_core::route::{Reason, named};

use crate::event::{Route, RouteKind};
use crate::mind::{Occasion, Place, Provider};
use crate::turn::Parts;

/// Tokens of what goes before the request: the instructions, the cluster in short, the tools, and what was said before. With all of
/// them it is less.
const PREAMBLE_TOKENS: u64 = 4_000 + HISTORY_TOKENS_MAX;

/// Somebody to ask, and why.
pub(crate) struct Choice {
    /// Whom.
    pub(crate) provider: Arc<dyn Provider>,
    /// Who is asked, once, where he fails.
    pub(crate) next: Option<Arc<dyn Provider>>,
    /// The only tools of Jarvis's own that go with it, by the rule; `None` where all do.
    pub(crate) tools: Option<Vec<String>>,
    /// Why.
    pub(crate) reason: Reason,
}

impl Choice {
    /// As it is recorded and shown.
    pub(crate) fn route(&self) -> Route {
        let kind = match self.provider.abilities().place {
            Place::Local => RouteKind::LocalModel,
            Place::Cloud => RouteKind::CloudModel,
        };
        Route { kind, reason: self.reason.text() }
    }

    /// Hands the request over to who comes next. False where nobody does.
    pub(crate) fn hand_over(&mut self) -> bool {
        let Some(next) = self.next.take() else { return false };
        let to = (next.name().to_owned(), next.abilities().place);
        self.reason.handed_over(self.provider.name(), to);
        self.provider = next;
        true
    }
}

/// Why nobody is asked.
pub(crate) enum Nobody {
    /// None is configured.
    Configured,
    /// None may be asked, or can be.
    Free(Reason),
}

/// Who is asked, by the router's rules.
pub(crate) async fn choose(parts: &Parts, asked: &str, turn: TurnId, room: &str) -> Result<Choice, Nobody> {
    if parts.minds.is_empty() {
        return Err(Nobody::Configured);
    }
    // As they were heard last: a cluster that does not answer must not hold up who does.
    let things = named(&parts.names.now());
    let plan = parts.minds.plan(asked, &things, PREAMBLE_TOKENS, parts.bounds.answer_tokens()).await;
    let occasion = Occasion { turn: Some(turn), room: room.to_owned() };
    let mut asks = plan.asks.iter().filter_map(|name| parts.minds.provider(name, occasion.clone()));
    match asks.next() {
        Some(provider) => Ok(Choice { provider, next: asks.next(), tools: plan.tools, reason: plan.reason }),
        None => Err(Nobody::Free(plan.reason)),
    }
}
