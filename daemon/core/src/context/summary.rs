//! The cluster in short: for a model that is to answer a question about it, or to choose the tool that can.

use std::fmt::Write;

use crate::cluster::{Cluster, Guest, GuestKind, GuestState, Presence};

/// Above this share a storage or a memory is worth a word.
const FULL: f64 = 0.8;

/// How guests are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// By number alone. Names of guests are written by whoever may make one: a model that has read none is not tainted by any.
    Numbers,
    /// By number and name. What a model proposes after it is tainted.
    Names,
}

/// Nodes, guests and full storages in at most about `limit` bytes: guests beyond it are counted. [Fence](super::fence) it.
pub fn summary(cluster: &Cluster, naming: Naming, limit: usize) -> String {
    let mut text = String::new();
    let quorum = match cluster.quorate {
        Some(true) => "quorum holds",
        Some(false) => "NO QUORUM",
        None => "quorum unknown",
    };
    line(&mut text, format_args!("{} nodes, {} guests, {quorum}", cluster.nodes.len(), cluster.guests.len()));
    let mut nodes = Left::new(limit / 2);
    for node in &cluster.nodes {
        let presence = match node.presence {
            Presence::Online => "online",
            Presence::Offline => "OFFLINE",
            Presence::Unknown => "UNKNOWN",
        };
        let share = |name: &str, share: Option<f64>| {
            share.map_or_else(String::new, |share| format!(", {name} {:.0}%", share * 100.0))
        };
        let memory = share("memory", node.memory.map(|memory| memory.ratio()));
        nodes.add(&mut text, &format!("node {}: {presence}{}{memory}", node.name, share("cpu", node.cpu)));
    }
    nodes.end(&mut text, "nodes");
    let full = cluster
        .storages
        .iter()
        .filter_map(|s| s.usage.map(|usage| (s, usage.ratio())))
        .filter(|(_, share)| *share >= FULL);
    let mut storages = Left::new(limit / 8);
    for (storage, share) in full {
        storages.add(&mut text, &format!("storage {} on {}: {:.0}% full", storage.name, storage.node, share * 100.0));
    }
    storages.end(&mut text, "storages over 80%");
    let mut guests = Left::new(limit.saturating_sub(text.len()));
    for guest in &cluster.guests {
        guests.add(&mut text, &told(guest, naming));
    }
    guests.end(&mut text, "guests");
    text.trim_end().to_owned()
}

fn told(guest: &Guest, naming: Naming) -> String {
    let kind = if guest.kind == GuestKind::Vm { "VM" } else { "CT" };
    let state = match guest.state {
        GuestState::Running => "running",
        GuestState::Stopped => "stopped",
        GuestState::Paused => "paused",
        GuestState::Unknown => "UNKNOWN",
    };
    let name = match (naming, &guest.name) {
        (Naming::Names, Some(name)) => format!(" {name}"),
        _ => String::new(),
    };
    format!("{kind} {}{name} on {}: {state}", guest.vmid, guest.node)
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    if text.write_fmt(words).is_ok() {
        text.push('\n');
    }
}

/// Room for lines of a sort, and how many did not fit.
struct Left {
    bytes: usize,
    out: usize,
}

impl Left {
    fn new(bytes: usize) -> Self {
        Self { bytes, out: 0 }
    }

    fn add(&mut self, text: &mut String, words: &str) {
        let size = words.len() + 1;
        if size > self.bytes {
            self.out += 1;
            return;
        }
        self.bytes -= size;
        line(text, format_args!("{words}"));
    }

    fn end(&self, text: &mut String, what: &str) {
        if self.out > 0 {
            line(text, format_args!("and {} {what} more; a tool tells them", self.out));
        }
    }
}
