//! `snapshot_create`: takes a snapshot of a guest's disks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Call, Effect, Example, Inverse, Kind, Method, Reason, Ruling, SnapshotDelete, Summary, Target, Tool, Wanted, guest,
};
use crate::gate::Situation;
use crate::ids::Vmid;
use crate::tool::{Read, Tier};

/// Longest it may take, in seconds.
const LIMIT_S: u32 = 600;

/// Arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotCreate {
    /// The guest's number.
    pub vmid: Vmid,
    /// How it is called: a letter, then letters, digits, - and _.
    pub name: String,
}

impl Tool for SnapshotCreate {
    const NAME: &'static str = "snapshot_create";
    const VERSION: u16 = 1;
    const ABOUT: &'static str = "Takes a snapshot of a guest's disks. The guest goes on running.";
    const KIND: Kind = Kind::Change;
    const EXAMPLES: &'static [Example] = &[
        Example { args: r#"{"vmid":104,"name":"before-update"}"#, situation: "running guest", tier: Tier::Yellow },
        Example { args: r#"{"vmid":104,"name":"before-update"}"#, situation: "storage nearly full", tier: Tier::Red },
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
        let ruling = guest::touched(Ruling::new(Tier::Yellow, Reason::Reversible), self.vmid, situation);
        guest::storage_judged(ruling, self.vmid, situation)
    }

    fn summary(&self, situation: &Situation<'_>) -> Summary {
        guest::summary("take a snapshot of", self.vmid, &format!("It will be called {}.", self.name), situation)
    }

    fn effect(&self, situation: &Situation<'_>) -> Result<Effect, String> {
        let guest = guest::reachable(self.vmid, situation)?;
        if guest::snapshot_there(self.vmid, &self.name, situation).is_ok() {
            return Err(format!("{} has a snapshot called {} already", guest::label(self.vmid, situation), self.name));
        }
        let wanted = Wanted::SnapshotThere(self.name.clone());
        Ok(guest::with(guest::change(guest, Method::Post, "snapshot", wanted, LIMIT_S), "snapname", &self.name))
    }

    fn inverse(&self, _situation: &Situation<'_>) -> Inverse {
        let call = Call::of(SnapshotDelete { vmid: self.vmid, name: self.name.clone() });
        call.map_or(Inverse::Never("the snapshot has no name"), |call| Inverse::Call(Box::new(call)))
    }
}
