//! `read_temperatures`: hottest sensor of the nodes named, in degrees Celsius; of all nodes where none is named.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, Reason, Ruling, Summary, Target, Tool, read};
use crate::gate::Situation;
use crate::ids::NodeName;
use crate::tool::{Read, Tier};

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadTemperatures {
    /// Which nodes; none for all.
    #[serde(default)]
    pub nodes: Vec<NodeName>,
}

impl Tool for ReadTemperatures {
    const NAME: &'static str = "read_temperatures";
    const VERSION: u16 = 1;
    const ABOUT: &'static str =
        "Hottest sensor of the nodes named, in degrees Celsius; of all nodes where none is named.";
    const KIND: Kind = Kind::Read;
    const EXAMPLES: &'static [Example] =
        &[Example { args: r#"{"nodes":["pve2"]}"#, situation: "running guest", tier: Tier::Green }];

    fn check(&self) -> Result<(), String> {
        read::check_nodes(&self.nodes)
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
        read::summary("read the temperatures", "")
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Read(Read::Temperatures { nodes: self.nodes.clone() }))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never(read::NOTHING_CHANGED)
    }
}
