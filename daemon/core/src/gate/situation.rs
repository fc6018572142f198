//! What the gate looks at: live state, and what the owner laid down.

use super::policy::Policy;
use crate::cluster::{Cluster, Guest, GuestKind, Node, Presence};
use crate::foreign::{Foreign, Pin};
use crate::ids::{NodeName, UnixSeconds, Vmid};
use crate::tool::Facts;
use crate::tools::{AskServer, Call, Target};
use serde::{Deserialize, Serialize};

/// Live state at the moment of judgement. What was not read is not known, and what is not known is dangerous.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What was read of the cluster.
    pub facts: &'a Facts,
    /// What the owner laid down.
    pub policy: &'a Policy,
    /// Changes that ran on standing leave within the last hour.
    pub on_leave_last_hour: u32,
    /// The tool of another server that is called; `None` where none is, or where nobody knows it.
    pub foreign: Option<&'a Foreign>,
}

impl<'a> Situation<'a> {
    /// Of these facts, with nothing run on leave lately, and no other server.
    pub fn new(facts: &'a Facts, policy: &'a Policy) -> Self {
        Self { facts, policy, on_leave_last_hour: 0, foreign: None }
    }

    fn cluster(&self) -> Option<&'a Cluster> {
        self.facts.cluster.as_ref()
    }

    /// A guest, where the cluster told of it.
    pub fn guest(&self, vmid: Vmid) -> Option<&'a Guest> {
        self.cluster()?.guests.iter().find(|guest| guest.vmid == vmid)
    }

    /// A node, where the cluster told of it.
    pub fn node(&self, name: &NodeName) -> Option<&'a Node> {
        self.cluster()?.nodes.iter().find(|node| node.name == *name)
    }

    /// Whether a guest is protected, by policy or by its own configuration; `None` where nobody knows.
    pub fn protected(&self, vmid: Vmid) -> Option<bool> {
        if self.policy.protected.contains(&vmid) {
            return Some(true);
        }
        let config = self.facts.guest_config.as_ref().filter(|config| config.vmid == vmid)?;
        Some(config.protection.unwrap_or(false))
    }

    /// Whether high availability watches over a guest; `None` where nobody knows.
    pub fn ha_managed(&self, vmid: Vmid) -> Option<bool> {
        if self.guest(vmid)?.ha.is_some() {
            return Some(true);
        }
        let services = self.facts.ha.as_ref()?;
        let number = vmid.to_string();
        Some(services.iter().any(|entry| entry.id.split_once(':').is_some_and(|(_, id)| id == number)))
    }

    /// How many nodes may go before quorum is lost, each with one vote; `None` where nobody knows.
    pub fn quorum_margin(&self) -> Option<usize> {
        let cluster = self.cluster()?;
        if !cluster.quorate? {
            return Some(0);
        }
        let online = cluster.nodes.iter().filter(|node| node.presence == Presence::Online).count();
        Some(online.saturating_sub(cluster.nodes.len() / 2 + 1))
    }

    /// Who a call acts on, so that an approval for one guest never serves for another that took its number.
    pub fn identity(&self, call: &Call) -> Identity {
        if let Some(AskServer { server, tool, .. }) = call.args() {
            let stands = self.foreign.filter(|foreign| foreign.server == *server && foreign.tool == *tool);
            let pin = stands.map(|foreign| foreign.pin);
            return Identity::Foreign { server: server.clone(), tool: tool.clone(), pin };
        }
        match call.target() {
            Target::Nothing => Identity::Nothing,
            Target::Guest(vmid) => {
                let Some(guest) = self.guest(vmid) else { return Identity::Unknown { vmid } };
                let config = self.facts.guest_config.as_ref().filter(|config| config.vmid == vmid);
                Identity::Guest {
                    vmid,
                    kind: guest.kind,
                    node: guest.node.clone(),
                    created: config.and_then(|config| config.created),
                    digest: config.and_then(|config| config.digest.clone()),
                }
            }
        }
    }
}

/// Who exactly is acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum Identity {
    /// Nothing of the cluster's.
    Nothing,
    /// A guest that nobody told of.
    Unknown {
        /// Its number.
        vmid: Vmid,
    },
    /// This very guest, configured like this.
    Guest {
        /// Its number.
        vmid: Vmid,
        /// What it is.
        kind: GuestKind,
        /// Where it is.
        node: NodeName,
        /// When it was created, where the API tells.
        created: Option<UnixSeconds>,
        /// Digest of its configuration.
        digest: Option<String>,
    },
    /// This tool of another server, described like this.
    Foreign {
        /// The server.
        server: String,
        /// Its tool.
        tool: String,
        /// Of what was approved; `None` where nothing is known of it.
        pin: Option<Pin>,
    },
}

impl Identity {
    /// Whether it tells this guest from any other, and from itself after it was changed. The digest does: every VM and container has
    /// one. When it was created does not: the API keeps it for VMs alone, and not for those of old releases.
    pub fn is_known(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Unknown { .. } => false,
            Self::Guest { digest, .. } => digest.as_deref().is_some_and(|digest| !digest.is_empty()),
            Self::Foreign { pin, .. } => pin.is_some(),
        }
    }
}
