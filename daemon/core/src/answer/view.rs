//! What an answer looks at: facts, who asks, and what was named; and the sentences that all families share.

use crate::answer::ask::both;
use crate::answer::measure::Local;
use crate::answer::{Asker, Reply, strings};
use crate::cluster::{Cluster, Guest, GuestKind, Node, Presence};
use crate::ids::{NodeName, UnixSeconds, Vmid};
use crate::intent::Slots;
use crate::tool::{Facts, GapReason};

/// Most names of a list that are said; the page has all.
const SAID_MAX: usize = 5;

pub(super) struct View<'a> {
    pub(super) facts: &'a Facts,
    pub(super) asker: &'a Asker<'a>,
    pub(super) slots: &'a Slots,
}

impl<'a> View<'a> {
    /// A phrasing of `key`.
    pub(super) fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        strings::say(key, self.asker.seed, values)
    }

    /// A whole reply of one phrasing.
    pub(super) fn reply(&self, key: &str, values: &[(&str, &str)], fact: Option<&str>) -> Reply {
        Reply { speech: self.say(key, values), key: fact.map(str::to_owned), ..Reply::default() }
    }

    /// A reply that says what of the cluster it does not know.
    pub(super) fn reply_with_gaps(&self, key: &str, values: &[(&str, &str)], fact: Option<&str>) -> Reply {
        let reply = self.reply(key, values, fact);
        self.with_gaps(reply)
    }

    /// Adds the nodes that did not answer, so that a sum is not taken for the whole.
    pub(super) fn with_gaps(&self, mut reply: Reply) -> Reply {
        let silent: Vec<String> = self.silent().iter().map(ToString::to_string).collect();
        if !silent.is_empty() {
            reply.speech.push(' ');
            let nodes = both(&silent);
            reply.speech.push_str(&self.say("unknown.without", &[("nodes", &nodes)]));
        }
        reply
    }

    /// Nodes that cannot be asked: gone, unknown, or silent in one of the reads.
    pub(super) fn silent(&self) -> Vec<NodeName> {
        let mut silent: Vec<NodeName> = self
            .facts
            .gaps
            .iter()
            .filter(|gap| gap.reason == GapReason::NodeUnknown)
            .filter_map(|gap| gap.node.clone())
            .collect();
        if let Some(cluster) = &self.facts.cluster {
            let away = cluster.nodes.iter().filter(|n| n.presence != Presence::Online);
            silent.extend(away.map(|n| n.name.clone()));
        }
        silent.sort();
        silent.dedup();
        silent
    }

    /// The cluster, or the reply that it cannot be asked.
    pub(super) fn cluster(&self) -> Result<&'a Cluster, Reply> {
        self.facts.cluster.as_ref().ok_or_else(|| self.reply("sorry.cluster", &[], None))
    }

    /// The node that was named, or the reply that it is not there.
    pub(super) fn node(&self) -> Result<&'a Node, Reply> {
        let cluster = self.cluster()?;
        let Some(name) = &self.slots.node else {
            return Err(self.reply("unknown.which", &[("noun", "node")], None));
        };
        cluster
            .nodes
            .iter()
            .find(|n| n.name == *name)
            .ok_or_else(|| self.reply("unknown.no_node", &[("node", name.as_str())], None))
    }

    /// The guest that was named, or the reply that it is not there.
    pub(super) fn guest(&self) -> Result<&'a Guest, Reply> {
        let cluster = self.cluster()?;
        let Some(vmid) = self.slots.guest else {
            return Err(self.reply("unknown.which", &[("noun", "guest")], None));
        };
        cluster
            .guests
            .iter()
            .find(|g| g.vmid == vmid)
            .ok_or_else(|| self.reply("unknown.no_guest", &[("vmid", &vmid.to_string())], None))
    }

    /// The reply where a read brought nothing: why, in words.
    pub(super) fn not_learnt(&self, read: &str, what: &str) -> Reply {
        let gap = self.facts.gaps.iter().find(|gap| gap.read == read);
        let node = gap.and_then(|g| g.node.as_ref()).map_or(String::new(), ToString::to_string);
        let values = [("what", what), ("node", node.as_str())];
        match gap.map(|g| g.reason) {
            Some(GapReason::NodeUnknown) if !node.is_empty() => self.reply("unknown.node_silent", &values, None),
            Some(GapReason::Forbidden) => self.reply("unknown.forbidden", &values[..1], None),
            Some(GapReason::Missing) => self.reply("unknown.missing", &values[..1], None),
            Some(GapReason::NotConfigured) => self.reply("unknown.not_configured", &values[..1], None),
            _ => self.reply("unknown.plain", &values[..1], None),
        }
    }

    /// A guest's name for the ear.
    pub(super) fn label(&self, vmid: Vmid) -> String {
        let guests = self.facts.cluster.iter().flat_map(|c| &c.guests);
        guests.into_iter().find(|g| g.vmid == vmid).map_or_else(|| format!("guest {vmid}"), guest_label)
    }

    pub(super) fn local(&self, at: UnixSeconds) -> Local {
        Local::new(at, self.asker.local_offset_s)
    }

    pub(super) fn now(&self) -> Local {
        self.local(self.asker.now)
    }

    /// "today at 02:30".
    pub(super) fn when(&self, at: UnixSeconds) -> String {
        self.local(at).beside(self.now())
    }
}

/// A guest's name, or its kind and number.
pub(super) fn guest_label(guest: &Guest) -> String {
    match guest.name.as_deref() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => match guest.kind {
            GuestKind::Vm => format!("VM {}", guest.vmid),
            GuestKind::Container => format!("container {}", guest.vmid),
        },
    }
}

/// "a, b, c and 4 more".
pub(super) fn some(names: &[String]) -> String {
    if names.len() <= SAID_MAX + 1 {
        return both(names);
    }
    let said = names.get(..SAID_MAX).unwrap_or_default().join(", ");
    format!("{said} and {} more", names.len() - SAID_MAX)
}

/// All lines for the page, where the ear got only some.
pub(super) fn page(lines: &[String]) -> Option<String> {
    (!lines.is_empty()).then(|| lines.join("\n"))
}
