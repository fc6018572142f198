//! What a request is expected to take, before it is asked.

use serde::Deserialize;

use super::features::Features;
use super::rules::Rules;
use crate::mind::message::Usage;

/// Tokens and rounds of a request of each sort, as `route.toml` guesses them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Costing {
    plain_rounds: u64,
    plain_answer: u64,
    live_rounds: u64,
    live_answer: u64,
    writing_rounds: u64,
    hard_rounds: u64,
    hard_answer: u64,
    result_per_round: u64,
}

/// What a request is expected to take of any model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Questions to the model: one more than tools are called one after another.
    pub rounds: u64,
    /// Tokens of all of them, none of them from a cache.
    pub usage: Usage,
}

impl Forecast {
    /// For a request with these features; `preamble` and `request` are tokens of instructions with tools, and of the request.
    pub fn of(features: &Features, rules: &Rules, preamble: u64, request: u64) -> Self {
        let costing = rules.costing();
        let demanding = features.hard.is_some() || features.code || features.steps > 1;
        let (rounds, answer) = match (demanding, features.needs_tools()) {
            // What nothing can be looked up for takes the answer, and a word that it is on the page.
            _ if rules.tools(features).is_some() => (costing.writing_rounds, costing.hard_answer),
            (true, true) => (costing.hard_rounds, costing.hard_answer),
            (true, false) => (costing.plain_rounds, costing.hard_answer),
            (false, true) => (costing.live_rounds, costing.live_answer),
            (false, false) => (costing.plain_rounds, costing.plain_answer),
        };
        // Every round sends again what was there, and the results of the tools called since.
        let grown = costing.result_per_round.saturating_mul(rounds.saturating_mul(rounds.saturating_sub(1)) / 2);
        let input = rounds.saturating_mul(preamble.saturating_add(request)).saturating_add(grown);
        Self { rounds, usage: Usage { input, output: answer, ..Usage::default() } }
    }
}
