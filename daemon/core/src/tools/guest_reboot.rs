//! `guest_reboot`: reboots a running guest gracefully.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, Method, Reason, Ruling, Summary, Target, Tool, Wanted, guest};
use crate::cluster::GuestState;
use crate::gate::Situation;
use crate::ids::Vmid;
use crate::tool::{Read, Tier};

/// Longest it may take, in seconds.
const LIMIT_S: u32 = 240;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuestReboot {
    /// The guest's number.
    pub vmid: Vmid,
}

impl Tool for GuestReboot {
    const NAME: &'static str = "guest_reboot";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Reboots a running guest gracefully.";
    const KIND: Kind = Kind::Change;
    const EXAMPLES: &'static [Example] = &[
        Example { args: r#"{"vmid":104}"#, situation: "running guest", tier: Tier::Yellow },
        Example { args: r#"{"vmid":104}"#, situation: "unknown guest", tier: Tier::Red },
        Example { args: r#"{"vmid":103}"#, situation: "no quorum margin", tier: Tier::Yellow },
        Example { args: r#"{"vmid":117}"#, situation: "no quorum margin", tier: Tier::Black },
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
        guest::judged(Ruling::new(Tier::Yellow, Reason::BriefInterruption), self.vmid, situation)
    }

    fn summary(&self, situation: &Situation<'_>) -> Summary {
        guest::summary("restart", self.vmid, "It will be away for a minute or so.", situation)
    }

    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String> {
        let guest = guest::reachable(self.vmid, situation)?;
        if guest.state == GuestState::Stopped {
            return Err(format!(
                "{} is stopped, so it cannot be restarted; it can be started",
                guest::label(self.vmid, situation)
            ));
        }
        Ok(guest::change(guest, Method::Post, "status/reboot", Wanted::Rebooted, LIMIT_S))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never("a restart is over once it is done")
    }
}
