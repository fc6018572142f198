//! What the owner laid down: it can raise a tier, never lower one, and give standing leave for what is YELLOW.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::Vmid;
use crate::tool::Tier;

/// What the owner laid down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Who Jarvis is in the cluster.
    pub own: Own,
    /// Guests whose interruption is RED.
    pub protected: Vec<Vmid>,
    /// Tiers raised by hand.
    pub raise: Vec<Raise>,
    /// Standing leave.
    pub leave: Vec<Leave>,
    /// What may be asked from where; rooms that are not named may do what the owner may.
    pub rooms: BTreeMap<String, Rights>,
    /// Whether a "yes" heard by a speech model that was never tried on people may approve. For demonstrations.
    pub untried_ear_approves: bool,
}

/// Who Jarvis is in the cluster he runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Own {
    /// Where he runs.
    pub place: Place,
    /// Guests that his own storage depends on.
    pub storage_guests: Vec<Vmid>,
    /// Guests that vote in the quorum (a QDevice's machine).
    pub quorum_guests: Vec<Vmid>,
}

impl Own {
    /// His own guest, where he is one.
    pub fn vmid(&self) -> Option<Vmid> {
        match self.place {
            Place::Guest(vmid) => Some(vmid),
            Place::Unknown | Place::Elsewhere => None,
        }
    }
}

/// Where Jarvis runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Nobody said: any guest may be his own, so touching one is RED, and interrupting one BLACK.
    #[default]
    Unknown,
    /// Not in this cluster.
    Elsewhere,
    /// In this guest.
    Guest(Vmid),
}

/// A tier raised by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    /// Which tool; `None` for all that change something.
    pub tool: Option<String>,
    /// Which guest; `None` for all.
    pub vmid: Option<Vmid>,
    /// To what. A lower tier than the tool's own has no effect.
    pub tier: Tier,
}

/// Standing leave: a YELLOW call that matches, and whose verb and target are the owner's own words, runs without a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Which tool.
    pub tool: String,
    /// Which guests; none means none.
    pub vmids: Vec<Vmid>,
    /// From which rooms it may be asked; none means all.
    pub rooms: Vec<String>,
    /// How often in an hour, over all leave.
    pub per_hour: u32,
}

/// What may be asked from a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    /// Reads only.
    Reads,
    /// What is YELLOW, beside reads.
    Yellow,
    /// Everything; RED still needs its second channel.
    All,
}

impl Policy {
    /// What may be asked from a place; a typed request without a room is the owner's.
    pub fn rights(&self, room: Option<&str>) -> Rights {
        room.and_then(|room| self.rooms.get(room)).copied().unwrap_or(Rights::All)
    }

    /// The highest tier that a rule raises this to.
    pub(super) fn raised(&self, tool: &str, vmid: Option<Vmid>) -> Option<Tier> {
        let matches = |rule: &&Raise| {
            rule.tool.as_deref().is_none_or(|name| name == tool) && rule.vmid.is_none_or(|number| vmid == Some(number))
        };
        self.raise.iter().filter(matches).map(|rule| rule.tier).max()
    }

    /// Whether a YELLOW call has standing leave.
    pub(super) fn leaves(&self, tool: &str, vmid: Option<Vmid>, room: Option<&str>, used: u32) -> bool {
        self.leave.iter().any(|rule| {
            rule.tool == tool
                && vmid.is_some_and(|vmid| rule.vmids.contains(&vmid))
                && (rule.rooms.is_empty() || room.is_some_and(|room| rule.rooms.iter().any(|name| name == room)))
                && used < rule.per_hour
        })
    }
}
