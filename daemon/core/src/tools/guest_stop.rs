//! `guest_stop`: pulls a guest's plug.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Call, Effect, Example, GuestStart, Inverse, Kind, Method, Reason, Ruling, Summary, Target, Tool, Wanted, guest,
};
use crate::cluster::GuestState;
use crate::gate::Situation;
use crate::ids::Vmid;
use crate::tool::{Read, Tier};

/// Longest it may take, in seconds.
const LIMIT_S: u32 = 60;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuestStop {
    /// The guest's number.
    pub vmid: Vmid,
}

impl Tool for GuestStop {
    const NAME: &'static str = "guest_stop";
    const VERSION: u16 = 1;
    const ABOUT: &'static str =
        "Pulls a guest's plug: what it had not written is lost. Only where guest_shutdown does not help.";
    const KIND: Kind = Kind::Change;
    const EXAMPLES: &'static [Example] = &[
        Example { args: r#"{"vmid":104}"#, situation: "running guest", tier: Tier::Red },
        Example { args: r#"{"vmid":100}"#, situation: "running guest", tier: Tier::Black },
    ];

    fn check(&self) -> Result<(), String> {
        self.vmid.check()
    }

    fn needs(&self) -> Vec<Read> {
        guest::needs(self.vmid)
    }

    fn target(&self) -> Target {
        Target::Guest(self.vmid)
    }

    fn tier(&self, situation: &Situation<'_>) -> Ruling {
        guest::judged(Ruling::new(Tier::Red, Reason::Forced), self.vmid, situation)
    }

    fn summary(&self, situation: &Situation<'_>) -> Summary {
        guest::summary("pull the plug on", self.vmid, "What it has not written will be lost.", situation)
    }

    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String> {
        let guest = guest::reachable(self.vmid, situation)?;
        if guest.state == GuestState::Stopped {
            return Err(format!("{} is stopped already", guest::label(self.vmid, situation)));
        }
        Ok(guest::change(guest, Method::Post, "status/stop", Wanted::State(GuestState::Stopped), LIMIT_S))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Call::of(GuestStart { vmid: self.vmid })
            .map_or(Inverse::Never("the guest has no number"), |call| Inverse::Call(Box::new(call)))
    }
}
