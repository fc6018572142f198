//! `memory_about`: recalls what is known about something.

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
pub struct MemoryAbout {
    /// About what.
    pub about: String,
}

impl Tool for MemoryAbout {
    const NAME: &'static str = "memory_about";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Recalls what is known about something.";
    const KIND: Kind = Kind::Read;
    const EXAMPLES: &'static [Example] =
        &[Example { args: r#"{"about":"the router"}"#, situation: "running guest", tier: Tier::Green }];

    fn check(&self) -> Result<(), String> {
        read::check_text(&self.about, TEXT_CHARS_MAX)
    }

    fn needs(&self) -> Vec<Read> {
        Vec::new()
    }

    fn target(&self) -> Target {
        Target::Nothing
    }

    fn tier(&self, _situation: &Situation<'_>) -> Ruling {
        Ruling::new(Tier::Green, Reason::ReadOnly)
    }

    fn summary(&self, _situation: &Situation<'_>) -> Summary {
        read::summary("recall what I know about", &self.about)
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Memory(MemoryEffect::About { about: self.about.clone() }))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never("nothing was changed")
    }
}
