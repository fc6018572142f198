//! Models at work: who is asked, with what, and how what they call is carried out. Every decision of the loop is
//! [`jarvis_core::agent`]'s; [`Run`] only carries it out, for one attempt of one turn.
//!
//! `choose` says who is asked, `prompt` what they are told, `tools` what they may call and how it runs, `record` what is kept of it, and
//! `glean` what is remembered after it. All but reads goes through [`crate::safety`], and what needs a yes ends the run with the
//! question. Dropping a run's future takes the question back from the provider, which stops the bill.

mod choose;
mod config;
mod glean;
mod prompt;
mod record;
mod run;
mod start;
mod tools;
mod words;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jarvis_core::agent::Limits;

use crate::event::{Bus, EventKind};

pub(crate) use choose::{Choice, Nobody, choose};
pub use config::AgentConfig;
pub(crate) use glean::Gleaning;
pub use glean::{Gleaner, Gleanings};
pub(crate) use run::{Finished, Progress, Run};
pub(crate) use start::tell_cut_runs;
pub(crate) use words::stood_down;

/// How much work a run may be, and which models failed of late. Cheap to clone.
#[derive(Clone)]
pub struct Bounds(Arc<Inner>);

struct Inner {
    limits: Limits,
    answer_tokens: u32,
    /// Providers that failed when they were asked last, by name.
    failing: Mutex<BTreeSet<String>>,
}

impl Bounds {
    /// Those of the configuration.
    pub fn new(config: &AgentConfig) -> Self {
        let (limits, answer_tokens) = (config.limits(), config.answer_tokens);
        Self(Arc::new(Inner { limits, answer_tokens, failing: Mutex::default() }))
    }

    /// Tokens that an answer may have.
    pub(crate) fn answer_tokens(&self) -> u32 {
        self.0.answer_tokens
    }

    /// How much work a run may be.
    fn limits(&self) -> Limits {
        self.0.limits
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
