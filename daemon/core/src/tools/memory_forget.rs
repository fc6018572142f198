//! `memory_forget`: forgets what is known about something.

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
pub struct MemoryForget {
    /// About what.
    pub about: String,
}

impl Tool for MemoryForget {
    const NAME: &'static str = "memory_forget";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Forgets what is known about something.";
    const KIND: Kind = Kind::Memory;
    const EXAMPLES: &'static [Example] =
        &[Example { args: r#"{"about":"the router"}"#, situation: "running guest", tier: Tier::Yellow }];

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
        Ruling::new(Tier::Yellow, Reason::Destroys)
    }

    fn summary(&self, _situation: &Situation<'_>) -> Summary {
        read::summary("forget what I know about", &self.about)
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Memory(MemoryEffect::Forget { about: self.about.clone() }))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never("what is forgotten is gone")
    }
}
