//! `guest_start`: starts a guest (VM or container) that is stopped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Call, Effect, Example, GuestShutdown, Inverse, Kind, Method, Reason, Ruling, Summary, Target, Tool, Wanted, guest,
};
use crate::cluster::GuestState;
use crate::gate::Situation;
use crate::ids::Vmid;
use crate::tool::{Read, Tier};

/// Longest it may take, in seconds.
const LIMIT_S: u32 = 120;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuestStart {
    /// The guest's number.
    pub vmid: Vmid,
}

impl Tool for GuestStart {
    const NAME: &'static str = "guest_start";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Starts a guest (VM or container) that is stopped.";
    const KIND: Kind = Kind::Change;
    const EXAMPLES: &'static [Example] = &[
        Example { args: r#"{"vmid":112}"#, situation: "stopped guest", tier: Tier::Yellow },
        Example { args: r#"{"vmid":112}"#, situation: "node short of memory", tier: Tier::Red },
        Example { args: r#"{"vmid":100}"#, situation: "stopped guest", tier: Tier::Black },
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
        let ruling = Ruling::new(Tier::Yellow, Reason::Reversible);
        guest::memory_judged(guest::touched(ruling, self.vmid, situation), self.vmid, situation)
    }

    fn summary(&self, situation: &Situation<'_>) -> Summary {
        guest::summary("start", self.vmid, "", situation)
    }

    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String> {
        let guest = guest::reachable(self.vmid, situation)?;
        if guest.state == GuestState::Running {
            return Err(format!("{} runs already", guest::label(self.vmid, situation)));
        }
        Ok(guest::change(guest, Method::Post, "status/start", Wanted::State(GuestState::Running), LIMIT_S))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Call::of(GuestShutdown { vmid: self.vmid })
            .map_or(Inverse::Never("the guest has no number"), |call| Inverse::Call(Box::new(call)))
    }
}
