//! The `[agent]` section: how much work a model may put into one request.

use jarvis_core::agent::Limits;
use serde::Deserialize;

/// The `[agent]` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// How often a model is asked for one request.
    pub steps: u32,
    /// Seconds until a request is given up.
    pub seconds: u32,
    /// Tokens that one request may take, read and written.
    pub tokens: u64,
    /// Tokens that one answer may have.
    pub answer_tokens: u32,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self { steps: 12, seconds: 90, tokens: 200_000, answer_tokens: 2048 }
    }
}

impl AgentConfig {
    /// What types cannot hold: `(key, what is wrong, remedy)`.
    pub fn mistakes(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        if !(1..=50).contains(&self.steps) {
            wrong.push(("steps", format!("{} steps", self.steps), "give 1 to 50"));
        }
        // A turn as a whole ends after three minutes.
        if !(5..=150).contains(&self.seconds) {
            wrong.push(("seconds", format!("{} seconds", self.seconds), "give 5 to 150"));
        }
        if self.tokens < 1_000 {
            wrong.push(("tokens", format!("{} tokens", self.tokens), "give 1000 or more: one question takes as many"));
        }
        if !(64..=32_000).contains(&self.answer_tokens) {
            wrong.push(("answer_tokens", format!("{} tokens", self.answer_tokens), "give 64 to 32000"));
        }
        wrong
    }

    /// As core takes them.
    pub fn limits(&self) -> Limits {
        let wall_ms = u64::from(self.seconds).saturating_mul(1000);
        Limits { steps: self.steps, wall_ms, tokens: self.tokens, ..Limits::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_cannot_be_kept_are_told() {
        assert!(AgentConfig::default().mistakes().is_empty());
        let wrong = AgentConfig { steps: 0, seconds: 600, tokens: 1, answer_tokens: 1 }.mistakes();
        assert_eq!(
            wrong.iter().map(|(key, ..)| *key).collect::<Vec<_>>(),
            ["steps", "seconds", "tokens", "answer_tokens"]
        );
        let limits = AgentConfig { seconds: 20, ..AgentConfig::default() }.limits();
        assert_eq!((limits.wall_ms, limits.steps), (20_000, 12));
    }
}
