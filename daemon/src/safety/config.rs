//! The `[safety]` section: what the owner lays down. It can raise a tier, never lower one.

use std::collections::BTreeMap;

use jarvis_core::gate::{Leave, Own, Place, Policy, Raise, Rights};
use jarvis_core::ids::Vmid;
use jarvis_core::tool::Tier;
use jarvis_core::tools;
use serde::Deserialize;

use crate::hub::tidy_room;

/// The `[safety]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SafetyConfig {
    /// The guest Jarvis runs in. Without it, and without `elsewhere`, every guest may be his own: touching one is
    /// RED, and interrupting one BLACK.
    pub own_guest: Option<u32>,
    /// Jarvis does not run in this cluster.
    pub elsewhere: bool,
    /// Guests that his own storage depends on: never touched.
    pub storage_guests: Vec<u32>,
    /// Guests that vote in the quorum (a QDevice's machine).
    pub quorum_guests: Vec<u32>,
    /// Guests whose interruption is RED.
    pub protected: Vec<u32>,
    /// Tiers raised by hand.
    pub raise: Vec<RaiseConfig>,
    /// Standing leave for what is YELLOW and asked for in the owner's own words.
    pub leave: Vec<LeaveConfig>,
    /// What may be asked from a room: `reads`, `yellow` or `all`.
    pub rooms: BTreeMap<String, Rights>,
    /// A "yes" heard by a speech model that was never tried on people approves as well. For demonstrations alone.
    pub untried_ear_approves: bool,
}

/// A tier raised by hand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaiseConfig {
    /// Which tool; every one that changes something, without it.
    pub tool: Option<String>,
    /// Which guest; every one, without it.
    pub guest: Option<u32>,
    /// `YELLOW`, `RED` or `BLACK`.
    pub tier: Tier,
}

/// Standing leave.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaveConfig {
    /// Which tool.
    pub tool: String,
    /// Which guests.
    pub guests: Vec<u32>,
    /// From which rooms; from everywhere, without it.
    #[serde(default)]
    pub rooms: Vec<String>,
    /// How often in an hour, over all leave.
    pub per_hour: u32,
}

/// What is said wherever a "yes" that nobody may have said approves: what it means, and how to end it.
pub const UNTRIED_EAR: &str = "untried_ear_approves = true: a \"yes\" heard by a speech model that was never tried on people starts YELLOW \
    changes, whoever or whatever it heard; for demonstrations alone. Take it out of [safety] in jarvisd.toml and restart jarvisd";

impl SafetyConfig {
    /// What types cannot hold: `(keys, what is wrong, remedy)`.
    pub fn mistakes(&self) -> Vec<(&'static [&'static str], String, &'static str)> {
        let mut wrong: Vec<(&'static [&'static str], String, &'static str)> = Vec::new();
        if self.own_guest.is_some() && self.elsewhere {
            wrong.push((
                &["safety", "elsewhere"],
                "own_guest is given as well".to_owned(),
                "keep one of them: Jarvis runs in a guest of this cluster, or elsewhere",
            ));
        }
        let unknown = |name: &str| tools::find(name).is_none();
        for name in self.raise.iter().filter_map(|rule| rule.tool.as_deref()).filter(|name| unknown(name)) {
            wrong.push((
                &["safety", "raise"],
                format!("there is no tool \"{name}\""),
                "docs/safety.md lists the tools",
            ));
        }
        for rule in self.leave.iter().filter(|rule| unknown(&rule.tool)) {
            let what = format!("there is no tool \"{}\"", rule.tool);
            wrong.push((&["safety", "leave"], what, "docs/safety.md lists the tools"));
        }
        wrong
    }

    /// As the gate takes it.
    pub fn policy(&self) -> Policy {
        let vmids = |numbers: &[u32]| numbers.iter().copied().map(Vmid).collect::<Vec<_>>();
        let place = match (self.own_guest, self.elsewhere) {
            (Some(vmid), _) => Place::Guest(Vmid(vmid)),
            (None, true) => Place::Elsewhere,
            (None, false) => Place::Unknown,
        };
        let mut rooms = BTreeMap::new();
        for (name, rights) in &self.rooms {
            // A room that is written twice, in two ways, may do the less.
            let least = rooms.entry(tidy_room(name)).or_insert(*rights);
            *least = (*least).min(*rights);
        }
        Policy {
            own: Own { place, storage_guests: vmids(&self.storage_guests), quorum_guests: vmids(&self.quorum_guests) },
            protected: vmids(&self.protected),
            raise: self
                .raise
                .iter()
                .map(|rule| Raise { tool: rule.tool.clone(), vmid: rule.guest.map(Vmid), tier: rule.tier })
                .collect(),
            leave: self
                .leave
                .iter()
                .map(|rule| Leave {
                    tool: rule.tool.clone(),
                    vmids: vmids(&rule.guests),
                    rooms: rule.rooms.iter().map(|name| tidy_room(name)).collect(),
                    per_hour: rule.per_hour,
                })
                .collect(),
            rooms,
            untried_ear_approves: self.untried_ear_approves,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_meant_however_its_name_is_written() {
        let text = "rooms = { 'Living  Room' = 'reads', HALL = 'yellow', hall = 'reads' }\n\
             leave = [{ tool = 'guest_start', guests = [104], rooms = ['Study '], per_hour = 3 }]\n";
        let policy = toml::from_str::<SafetyConfig>(text).unwrap().policy();
        assert_eq!(policy.rights(Some("living room")), Rights::Reads);
        assert_eq!(policy.rights(Some("hall")), Rights::Reads, "written twice, it may do the less");
        assert_eq!(policy.rights(Some("kitchen")), Rights::All);
        assert_eq!(policy.leave[0].rooms, ["study"]);
    }
}
