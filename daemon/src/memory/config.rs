//! The `[memory]` section.

use serde::Deserialize;

/// The `[memory]` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// Whether a model takes down what is worth keeping, after a turn that a model answered.
    pub by_model: bool,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { by_model: true }
    }
}
