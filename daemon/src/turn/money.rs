//! Questions about what models have cost.

use jarvis_core::answer::{Asker, Reply};
use jarvis_core::costs::{self, Span};
use jarvis_core::intent::Intent;

use crate::mind::Minds;
use crate::store::StoreError;

/// The span that is asked about, if a request is about money.
pub(super) fn asked(intent: &Intent) -> Option<Span> {
    match intent.kind.as_str() {
        "costs.today" => Some(Span::Day),
        "costs.month" => Some(Span::Month),
        _ => None,
    }
}

/// What was spent in it.
pub(super) async fn reply(minds: &Minds, span: Span, asker: &Asker<'_>) -> Result<Reply, StoreError> {
    let spent = minds.books().spent().await?;
    Ok(costs::spent_in(span, &spent, &minds.books().caps(), asker))
}
