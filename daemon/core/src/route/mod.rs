//! The router: who answers what the grammar did not understand, by rules that are data (`daemon/core/route.toml`).
//!
//! [`Features`] are what can be told of a request without understanding it; [`Rules`] say who should answer it; [`decide`] looks at who
//! can, and makes a [`Plan`]: who is asked first, to whom the request is handed over if he fails, and the [`Reason`], in words. Whether a
//! provider is asked at all after failures is [`breaker`]'s. Nothing here waits, so a network that is gone costs no time.

pub mod breaker;
mod features;
mod forecast;
mod phrases;
mod plan;
mod reason;
mod rules;

pub use features::{Features, named};
pub use forecast::Forecast;
pub use plan::{Candidate, Place, Plan, decide};
pub use reason::{Passed, Reason, Why};
pub use rules::{OwnRules, Preference, Rule, Rules, RulesError, Who};

/// Longest request that is looked at, in bytes; what comes after is not needed to judge it.
pub const REQUEST_BYTES_MAX: usize = 16 << 10;
/// Most rules that a table may hold.
pub const RULES_MAX: usize = 64;
/// Most phrases of a sort.
pub const PHRASES_MAX: usize = 1_000;

#[cfg(test)]
mod tests;
