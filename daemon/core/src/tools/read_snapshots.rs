//! `read_snapshots`: snapshots of a guest, oldest first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, Reason, Ruling, Summary, Target, Tool, read};
use crate::gate::Situation;
use crate::ids::Vmid;
use crate::tool::{Read, Tier};

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadSnapshots {
    /// The guest's number.
    pub vmid: Vmid,
}

impl Tool for ReadSnapshots {
    const NAME: &'static str = "read_snapshots";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Snapshots of a guest, oldest first.";
    const KIND: Kind = Kind::Read;
    const EXAMPLES: &'static [Example] =
        &[Example { args: r#"{"vmid":104}"#, situation: "running guest", tier: Tier::Green }];

    fn check(&self) -> Result<(), String> {
        self.vmid.check()
    }

    fn needs(&self) -> Vec<Read> {
        Vec::new()
    }

    fn target(&self) -> Target {
        Target::Guest(self.vmid)
    }

    fn tier(&self, _situation: &Situation<'_>) -> Ruling {
        Ruling::new(Tier::Green, Reason::ReadOnly)
    }

    fn summary(&self, situation: &Situation<'_>) -> Summary {
        read::summary("list a guest's snapshots", &super::guest::label(self.vmid, situation))
    }

    fn effect(&self, _situation: &Situation<'_>) -> Result<Effect, String> {
        Ok(Effect::Read(Read::Snapshots { vmid: self.vmid }))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never(read::NOTHING_CHANGED)
    }
}
