//! The minds at the daemon's start.

use std::sync::Arc;

use jarvis_core::mind::models::Models;

use super::{Books, Minds, MindsConfig};
use crate::event::{Bus, EventKind};
use crate::store::Store;

/// The minds of the configuration, and the keeper of their books, who must run beside them. Where the section has a mistake there are
/// none, and the house is told.
pub fn open(
    config: &MindsConfig,
    store: &Store,
    bus: &Bus,
) -> Result<(Minds, impl Future<Output = ()> + use<>), String> {
    let models = Arc::new(Models::built_in().map_err(|error| error.to_string())?);
    let (books, keeper) = Books::open(store.clone(), config.budget.caps(), bus.clone());
    let keeping = keeper.run(books.clone());
    let broken = match Minds::new(config, &models, books.clone()) {
        Ok(minds) => return Ok((minds, keeping)),
        Err(broken) => broken,
    };
    tracing::error!("no model can be asked: {broken}");
    bus.tell(EventKind::Degraded { part: "minds".into(), reason: broken, fallback: Some("the grammar".into()) });
    Ok((Minds::new(&MindsConfig::default(), &models, books)?, keeping))
}
