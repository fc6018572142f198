//! `read_node_status`: version, kernel and load averages of one node.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, Reason, Ruling, Summary, Target, Tool, read};
use crate::gate::Situation;
use crate::ids::NodeName;
use crate::tool::{Read, Tier};

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadNodeStatus {
    /// Which node.
    pub node: NodeName,
}

impl Tool for ReadNodeStatus {
    const NAME: &'static str = "read_node_status";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Version, kernel and load averages of one node.";
    const KIND: Kind = Kind::Read;
    const EXAMPLES: &'static [Example] =
        &[Example { args: r#"{"node":"pve2"}"#, situation: "running guest", tier: Tier::Green }];

    fn check(&self) -> Result<(), String> {
        self.node.check()
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
        read::summary("look at a node", self.node.as_str())
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Read(Read::NodeStatus { node: self.node.clone() }))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never(read::NOTHING_CHANGED)
    }
}
