//! Requests of a file, routed without being asked: where each would go, why, and what it is expected to cost.
//!
//! Nothing is sent. Every provider is taken to be well and every price to be covered, so that the rules alone are seen at work.

use std::collections::BTreeSet;

use jarvis_core::cluster::Cluster;
use jarvis_core::context::{self, Facts, Naming, Personality};
use jarvis_core::gate::Rights;
use jarvis_core::ids::UnixSeconds;
use jarvis_core::intent::{Grammar, Understood};
use jarvis_core::mind::date::Day;
use jarvis_core::mind::estimate;
use jarvis_core::mind::message::ModelId;
use jarvis_core::mind::models::{Basis, Models};
use jarvis_core::mind::prices::{MicroUsd, Price};
use jarvis_core::names::Names;
use jarvis_core::route::{Candidate, Features, Forecast, Rules, decide, named};
use serde::Serialize;

use super::catalogue::Catalogue;
use super::context::SUMMARY_BYTES;
use super::minds::candidate;
use super::{MindsConfig, Place};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The grammar.
    Intent,
    /// A model in the house.
    Local,
    /// A model elsewhere.
    Cloud,
    /// Nobody.
    Nobody,
}

impl Class {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Local => "local",
            Self::Cloud => "cloud",
            Self::Nobody => "nobody",
        }
    }
}

/// A request, routed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Routed {
    /// It.
    pub text: String,
    /// Who answers.
    pub class: Class,
    /// The provider, where it is one.
    pub provider: Option<String>,
    /// Why.
    pub reason: String,
    /// What it is expected to cost; `None` where nobody said what the provider costs.
    pub expected: Option<MicroUsd>,
    /// What it is expected to cost at the dearest cloud that is configured; `None` where there is none with a price.
    pub dearest: Option<MicroUsd>,
}

struct Known {
    candidate: Candidate,
    model: ModelId,
    price: Option<Price>,
}

/// Routes requests.
pub struct Replay {
    grammar: Grammar,
    names: Names,
    named: BTreeSet<String>,
    cluster: Option<String>,
    rules: Rules,
    models: Models,
    providers: Vec<Known>,
    day: Day,
}

impl Replay {
    /// By this configuration, with the names of this cluster. The text says what is wrong, and the remedy.
    pub fn new(config: &MindsConfig, cluster: Option<&Cluster>, day: Day) -> Result<Self, String> {
        let models = Models::built_in().map_err(|e| e.to_string())?;
        let made = config.providers(&Catalogue::new(models.clone())).map_err(|e| e.to_string())?;
        let providers = config.providers.iter().zip(made).map(|(settings, provider)| Known {
            candidate: candidate(&*provider, None),
            model: provider.model().clone(),
            price: settings.price(),
        });
        let names = cluster.map(Names::from_cluster).unwrap_or_default();
        Ok(Self {
            grammar: Grammar::embedded().map_err(|e| e.to_string())?,
            named: named(&names),
            names,
            cluster: cluster.map(|cluster| context::summary(cluster, Naming::Numbers, SUMMARY_BYTES)),
            rules: Rules::new(&config.route).map_err(|e| format!("[minds.route]: {e}"))?,
            models,
            providers: providers.collect(),
            day,
        })
    }

    /// Routes one request.
    pub fn route(&self, text: &str) -> Routed {
        let features = Features::of(text, &self.rules, &self.named);
        let clouds = self.providers.iter().filter(|known| known.candidate.place == Place::Cloud);
        let dearest = clouds.filter_map(|known| self.expected(known, text, &features)).max();
        let by_grammar = |reason: String| Routed {
            text: text.to_owned(),
            class: Class::Intent,
            provider: None,
            reason,
            expected: Some(MicroUsd(0)),
            dearest,
        };
        match self.grammar.understand(text, &self.names) {
            Understood::Intent { intent, score, .. } => {
                return by_grammar(format!("{}, score {score:.2}", intent.kind));
            }
            Understood::Ambiguous { intent_kind, .. } => return by_grammar(format!("{intent_kind}, asks which")),
            Understood::Nothing { .. } => {}
        }
        let candidates: Vec<Candidate> = self.providers.iter().map(|known| known.candidate.clone()).collect();
        let plan = decide(&features, &self.rules, &candidates);
        let asked =
            plan.asks.first().and_then(|name| self.providers.iter().find(|known| known.candidate.name == *name));
        Routed {
            text: text.to_owned(),
            class: match asked.map(|known| known.candidate.place) {
                Some(Place::Local) => Class::Local,
                Some(Place::Cloud) => Class::Cloud,
                None => Class::Nobody,
            },
            provider: asked.map(|known| known.candidate.name.clone()),
            reason: plan.reason.text(),
            expected: asked.map_or(Some(MicroUsd(0)), |known| self.expected(known, text, &features)),
            dearest,
        }
    }

    fn expected(&self, known: &Known, text: &str, features: &Features) -> Option<MicroUsd> {
        let small = known.candidate.place == Place::Local;
        let preamble = self.preamble(text, small, self.rules.tools(features));
        let forecast = Forecast::of(features, &self.rules, preamble, estimate::text(text));
        let each = forecast.usage.input.div_ceil(forecast.rounds.max(1));
        let listed = || {
            let quote = self.models.quote(&known.model, self.day, each);
            (quote.basis == Basis::Listed).then_some(quote.price)
        };
        known.price.or_else(listed).map(|price| price.cost(&forecast.usage))
    }

    /// Tokens of instructions and tools; `only` are those that the rule lets go with it.
    fn preamble(&self, text: &str, small: bool, only: Option<&[String]>) -> u64 {
        let facts = Facts {
            personality: Personality::default(),
            cluster: self.cluster.as_deref(),
            memories: &[],
            room: "",
            now: UnixSeconds(0),
            local_offset_s: 0,
        };
        // Tools of the owner's other servers go with few requests.
        estimate::preamble(&context::system(&facts), &context::tools_for(text, Rights::All, only, small))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
        [[providers]]
        kind = "openai"
        name = "qwen"
        url = "http://127.0.0.1:1/v1"
        model = "qwen3-4b"
        [[providers]]
        kind = "claude"
        model = "claude-sonnet-5-5"
        [[providers]]
        kind = "claude"
        name = "grand"
        model = "claude-opus-5-5"
    "#;

    fn replay(config: &str) -> Replay {
        Replay::new(&toml::from_str(config).unwrap(), None, "2026-11-26".parse().unwrap()).unwrap()
    }

    #[test]
    fn requests_are_routed_and_priced_without_being_asked() {
        let replay = replay(CONFIG);
        let intent = replay.route("how is the cluster");
        assert_eq!((intent.class, intent.expected), (Class::Intent, Some(MicroUsd(0))));
        let joke = replay.route("tell me a joke about servers");
        assert_eq!(
            (joke.class, joke.provider.as_deref(), joke.expected),
            (Class::Local, Some("qwen"), Some(MicroUsd(0)))
        );
        let hard = replay.route("write me a python program that sorts the guests");
        assert_eq!((hard.class, hard.provider.as_deref()), (Class::Cloud, Some("claude")));
        let (expected, dearest) = (hard.expected.unwrap().0, hard.dearest.unwrap().0);
        // Opus costs twice what Sonnet does, but for what is rounded up.
        assert!(expected > 1_000 && dearest.abs_diff(expected * 2) <= 2, "{expected} {dearest}");
        assert!(intent.dearest.unwrap().0 > 1_000, "the dearest cloud would be paid for this as well");
    }

    #[test]
    fn a_price_that_nobody_said_is_not_guessed() {
        let odd =
            replay(&CONFIG.replace("claude-sonnet-5-5", "claude-next").replace("claude-opus-5-5", "claude-next-2"));
        let hard = odd.route("write me a python program");
        assert_eq!((hard.expected, hard.dearest), (None, None));
        let nobody = replay("").route("write me a python program");
        assert_eq!((nobody.class, nobody.provider), (Class::Nobody, None));
    }
}
