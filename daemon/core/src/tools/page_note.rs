//! `page_note`: puts a longer text on the status page, for what is too long to be spoken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, Reason, Ruling, Summary, Target, Tool, read};
use crate::gate::Situation;
use crate::tool::{Read, Tier};

/// Longest text, in characters.
const NOTE_CHARS_MAX: usize = 8000;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageNote {
    /// The text, plain or Markdown.
    pub text: String,
}

impl Tool for PageNote {
    const NAME: &'static str = "page_note";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Puts a longer text on the status page, for what is too long to be spoken.";
    const KIND: Kind = Kind::Note;
    const EXAMPLES: &'static [Example] = &[Example {
        args: r#"{"text":"Backups of the last week: ..."}"#,
        situation: "running guest",
        tier: Tier::Green,
    }];

    fn check(&self) -> Result<(), String> {
        read::check_text(&self.text, NOTE_CHARS_MAX)
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
        read::summary("put a note on the page", "")
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Note { text: self.text.clone() })
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never("a note is only shown")
    }
}
