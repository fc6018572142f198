//! Models at work: who is asked, with what, and how what they call is carried out. Every decision of the loop is
//! [`jarvis_core::agent`]'s; [`Run`] only carries it out, for one attempt of one turn.
//!
//! `choose` says who is asked, `prompt` what they are told, `tools` what they may call and how it runs, `record` what is kept of it. All
//! but reads goes through [`crate::safety`], and what needs a yes ends the run with the question. Dropping a run's future takes the
//! question back from the provider, which stops the bill.

mod choose;
mod config;
mod prompt;
mod record;
mod run;
mod start;
mod tools;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jarvis_core::agent::Limits;
use jarvis_core::mind::models::Models;

use crate::event::{Bus, EventKind};
use crate::mind::{MindsConfig, Provider, SetupError};

pub(crate) use choose::{Choice, choose};
pub use config::AgentConfig;
pub(crate) use run::{Finished, Progress, Run};
pub(crate) use start::{open, tell_cut_runs};

/// The models that may be asked. Cheap to clone.
#[derive(Clone, Default)]
pub struct Minds(Arc<Inner>);

#[derive(Default)]
struct Inner {
    providers: Vec<Arc<dyn Provider>>,
    limits: Limits,
    answer_tokens: u32,
    /// Providers that failed when they were asked last, by name.
    failing: Mutex<BTreeSet<String>>,
}

impl Minds {
    /// Those of the configuration.
    ///
    /// # Errors
    /// Where a provider cannot be made, or the embedded list of models cannot be read.
    pub fn new(minds: &MindsConfig, agent: &AgentConfig) -> Result<Self, SetupError> {
        let unreadable = |error: String| SetupError {
            name: "*".to_owned(),
            what: format!("the list of models: {error}"),
            remedy: "install jarvisd anew".to_owned(),
        };
        let models = Models::built_in().map_err(|error| unreadable(error.to_string()))?;
        let providers = minds.providers(&Arc::new(models))?;
        Ok(Self::of(providers, agent))
    }

    /// These.
    pub fn of(providers: Vec<Arc<dyn Provider>>, agent: &AgentConfig) -> Self {
        let (limits, answer_tokens) = (agent.limits(), agent.answer_tokens);
        Self(Arc::new(Inner { providers, limits, answer_tokens, failing: Mutex::default() }))
    }

    pub(crate) fn providers(&self) -> &[Arc<dyn Provider>] {
        &self.0.providers
    }

    /// A provider failed, or answered again: told once each.
    fn judge(&self, bus: &Bus, name: &str, trouble: Option<&str>) {
        let mut failing = self.0.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let part = format!("mind {name}");
        match trouble {
            Some(reason) => {
                failing.insert(name.to_owned());
                bus.tell(EventKind::Degraded { part, reason: reason.to_owned(), fallback: None });
            }
            None if failing.remove(name) => {
                bus.tell(EventKind::Restored { part });
            }
            None => {}
        }
    }
}
