//! Who answers a request that the grammar does not understand, and why.

use std::sync::Arc;

use super::Minds;
use crate::event::RouteKind;
use crate::mind::{Place, Provider};

/// Somebody to ask, and why.
pub(crate) struct Choice {
    /// Whom.
    pub(crate) provider: Arc<dyn Provider>,
    /// As it is shown.
    pub(crate) kind: RouteKind,
    /// Why, in words.
    pub(crate) reason: String,
}

/// The first provider of the configuration, those in the house before those elsewhere; `None` where none is configured.
pub(crate) fn choose(minds: &Minds) -> Option<Choice> {
    let of = |place| minds.providers().iter().find(move |provider| provider.abilities().place == place);
    let provider = of(Place::Local).or_else(|| of(Place::Cloud))?;
    let kind = match provider.abilities().place {
        Place::Local => RouteKind::LocalModel,
        Place::Cloud => RouteKind::CloudModel,
    };
    let reason = format!("{}, {}: no request that the grammar knows", provider.name(), provider.model());
    Some(Choice { provider: provider.clone(), kind, reason })
}
