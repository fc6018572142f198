//! Models: who can be asked, and how an answer streams back.
//!
//! A provider is a file beside this one and a line in [`config`]'s table. It turns an [`Ask`] into its own protocol and what comes back
//! into [`Delta`]s; everything that needs no network is decided in [`jarvis_core::mind`]. [`Answering`] carries one question to its end:
//! retries, interruptions by the provider, a conversation that is too long. [`Minds`] holds all of them: it plans who is asked, and every
//! question it lets through is paid for from the [`Books`]. What is known of their models stands in the
//! [`Catalogue`], which `refresh` brings up to date.

mod answering;
mod books;
mod catalogue;
mod claude;
pub mod config;
mod context;
mod http;
mod metered;
mod minds;
mod open;
mod openai;
mod refresh;
mod replay;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jarvis_core::mind::error::ProviderError;
use jarvis_core::mind::message::{Ask, Delta, ModelId};
use jarvis_core::mind::models::Discovered;

pub use answering::{Answering, Event};
pub use books::{BookKeeper, Books, BudgetConfig, Occasion, today};
pub use catalogue::{Catalogue, Listed};
pub use claude::ClaudeConfig;
pub use config::{MindsConfig, ProviderConfig};
pub use context::{Context, Told};
pub use jarvis_core::route::Place;
pub use minds::{CapsLine, MindLine, Minds, MindsStatus};
pub use open::open;
pub use openai::OpenAiConfig;
pub use replay::{Class, Replay, Routed};

/// An answer as it streams. It ends after [`Delta::Stop`] or after an error. Dropping it closes the connection: the provider stops, and
/// so does the bill.
pub type DeltaStream = BoxStream<'static, Result<Delta, ProviderError>>;

/// Somebody who can be asked.
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// Its configured name, in events, on the page and in the books.
    fn name(&self) -> &str;

    /// The model that is asked.
    fn model(&self) -> &ModelId;

    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Asks. The future is done when the provider has accepted the question; dropping it, or the stream, takes the question back.
    fn ask(&self, ask: Arc<Ask>) -> BoxFuture<'static, Result<DeltaStream, ProviderError>>;

    /// Tokens of the prompt that `ask` would be, as good as can be known without asking: for a reservation.
    fn count(&self, ask: Arc<Ask>) -> BoxFuture<'static, u64>;

    /// What it offers, for the list of models and for the doctor: an answer shows that address and key are right.
    fn models(&self) -> BoxFuture<'static, Result<Vec<Discovered>, ProviderError>>;
}

/// What a provider can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Tokens that prompt and answer may have together.
    pub window_tokens: u64,
    /// Whether it is trusted to call tools.
    pub tools: bool,
    /// Where it runs, as the configuration says.
    pub place: Place,
}

/// Settings with which no provider can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("provider {name}: {what}; {remedy}")]
pub struct SetupError {
    /// Which.
    pub name: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

#[cfg(test)]
mod tests;
