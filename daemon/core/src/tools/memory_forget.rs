//! `memory_forget`: forgets memories, by the numbers that its owner's words were found to mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, MemoryEffect, Reason, Ruling, Summary, Target, Tool, read};
use crate::gate::Situation;
use crate::tool::{Read, Tier};

/// Longest text, in characters.
const TEXT_CHARS_MAX: usize = 500;
/// Most memories of one call.
const IDS_MAX: usize = 50;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryForget {
    /// What is forgotten, in words that follow "forget": "what I know about the router".
    pub about: String,
    /// The memories themselves, by number.
    #[serde(default)]
    pub ids: Vec<u64>,
}

impl Tool for MemoryForget {
    const NAME: &'static str = "memory_forget";
    const VERSION: u16 = 2;
    const ABOUT: &'static str = "Forgets memories, by their numbers.";
    const KIND: Kind = Kind::Memory;
    const EXAMPLES: &'static [Example] = &[Example {
        args: r#"{"about":"what I know about the router","ids":[7]}"#,
        situation: "running guest",
        tier: Tier::Yellow,
    }];

    fn check(&self) -> Result<(), String> {
        if self.ids.len() > IDS_MAX {
            return Err(format!("{} memories are named; at most {IDS_MAX} are forgotten at once", self.ids.len()));
        }
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
        let consequence = "What is forgotten is gone.".to_owned();
        Summary { consequence, ..read::summary("forget", &self.about) }
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        if self.ids.is_empty() {
            return Err("no memory is named that could be forgotten".to_owned());
        }
        Ok(Effect::Memory(MemoryEffect::Forget { ids: self.ids.clone() }))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never("what is forgotten is gone")
    }
}
