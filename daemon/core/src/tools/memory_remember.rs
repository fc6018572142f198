//! `memory_remember`: keeps a fact for later, in one sentence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, MemoryEffect, Reason, Ruling, Summary, Target, Tool, read};
use crate::gate::Situation;
use crate::tool::{Read, Tier};

/// Longest text, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryRemember {
    /// The fact, in one sentence.
    pub text: String,
}

impl Tool for MemoryRemember {
    const NAME: &'static str = "memory_remember";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Keeps a fact for later, in one sentence.";
    const KIND: Kind = Kind::Memory;
    const EXAMPLES: &'static [Example] = &[Example {
        args: r#"{"text":"The router is at 192.168.1.1."}"#,
        situation: "running guest",
        tier: Tier::Green,
    }];

    fn check(&self) -> Result<(), String> {
        read::check_text(&self.text, TEXT_CHARS_MAX)
    }

    fn needs(&self) -> Vec<Read> {
        Vec::new()
    }

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn tier(&self, _situation: &Situation<'_>) -> Ruling {
        Ruling::new(Tier::Green, Reason::Reversible)
    }

    fn summary(&self, _situation: &Situation<'_>) -> Summary {
        read::summary("remember", &self.text)
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Memory(MemoryEffect::Remember { text: self.text.clone() }))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        // Under which number it will be kept nobody knows before it is.
        Inverse::Never("it is forgotten by its own words: forget that ...")
    }
}
