//! `read_ha`: state of high availability: master, nodes, services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, Reason, Ruling, Summary, Target, Tool, read};
use crate::gate::Situation;
use crate::tool::{Read, Tier};

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadHa {}

impl Tool for ReadHa {
    const NAME: &'static str = "read_ha";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "State of high availability: master, nodes, services.";
    const KIND: Kind = Kind::Read;
    const EXAMPLES: &'static [Example] = &[Example { args: r#"{}"#, situation: "running guest", tier: Tier::Green }];

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
        read::summary("look at high availability", "")
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Read(Read::Ha))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never(read::NOTHING_CHANGED)
    }
}
