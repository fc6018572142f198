//! `snapshot_delete`: deletes a snapshot of a guest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Effect, Example, Inverse, Kind, Method, Reason, Ruling, Summary, Target, Tool, Wanted, guest};
use crate::gate::Situation;
use crate::ids::Vmid;
use crate::tool::{Read, Tier};

/// Longest it may take, in seconds.
const LIMIT_S: u32 = 600;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotDelete {
    /// The guest's number.
    pub vmid: Vmid,
    /// Which snapshot.
    pub name: String,
}

impl Tool for SnapshotDelete {
    const NAME: &'static str = "snapshot_delete";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Deletes a snapshot of a guest. What only it held is lost.";
    const KIND: Kind = Kind::Change;
    const EXAMPLES: &'static [Example] = &[
        Example { args: r#"{"vmid":104,"name":"before-update"}"#, situation: "running guest", tier: Tier::Red },
        Example { args: r#"{"vmid":100,"name":"before-update"}"#, situation: "running guest", tier: Tier::Black },
    ];

    fn check(&self) -> Result<(), String> {
        self.vmid.check()?;
        guest::check_snapshot_name(&self.name)
    }

    fn needs(&self) -> Vec<Read> {
        let mut needs = guest::needs(self.vmid);
        needs.push(Read::Snapshots { vmid: self.vmid });
        needs
    }

    fn target(&self) -> Target {
        Target::Guest(self.vmid)
    }

    fn tier(&self, situation: &Situation<'_>) -> Ruling {
        guest::touched(Ruling::new(Tier::Red, Reason::Destroys), self.vmid, situation)
    }

    fn summary(&self, situation: &Situation<'_>) -> Summary {
        guest::summary(
            "delete a snapshot of",
            self.vmid,
            &format!("The snapshot {} will be gone for good.", self.name),
            situation,
        )
    }

    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String> {
        let guest = guest::reachable(self.vmid, situation)?;
        guest::snapshot_there(self.vmid, &self.name, situation)?;
        let (what, wanted) = (format!("snapshot/{}", self.name), Wanted::SnapshotGone(self.name.clone()));
        Ok(guest::change(guest, Method::Delete, &what, wanted, LIMIT_S))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        Inverse::Never("what a deleted snapshot held is gone")
    }
}
