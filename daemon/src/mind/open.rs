//! The minds at the daemon's start.

use std::path::Path;

use jarvis_core::ids::UnixSeconds;
use jarvis_core::mind::models::Models;

use super::refresh::keep_fresh;
use super::{Books, Catalogue, Minds, MindsConfig};
use crate::event::{Bus, EventKind};
use crate::store::Store;

/// The minds of the configuration, and who keeps their books and their catalogue, who must run beside them: nothing here waits for a
/// provider. Where the section has a mistake there are none, and the house is told.
pub fn open(
    config: &MindsConfig,
    state_dir: &Path,
    store: &Store,
    bus: &Bus,
) -> Result<(Minds, impl Future<Output = ()> + use<>), String> {
    let models = Models::built_in().map_err(|error| error.to_string())?;
    let catalogue = Catalogue::kept(models, state_dir, UnixSeconds(jiff::Timestamp::now().as_second()));
    let (books, keeper) = Books::open(store.clone(), config.budget.caps(), bus.clone());
    let keeping = keeper.run(books.clone());
    let minds = match Minds::new(config, &catalogue, books.clone()) {
        Ok(minds) => minds,
        Err(broken) => {
            tracing::error!("no model can be asked: {broken}");
            bus.tell(EventKind::Degraded {
                part: "minds".into(),
                reason: broken,
                fallback: Some("the grammar".into()),
            });
            Minds::new(&MindsConfig::default(), &catalogue, books)?
        }
    };
    let fresh = keep_fresh(minds.clone());
    let both = async move {
        tokio::join!(keeping, fresh);
    };
    Ok((minds, both))
}
