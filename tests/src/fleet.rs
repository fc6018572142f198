//! The simulated cluster's names, as tests/frozen/README.md lists them, in Jarvis's own terms.

use jarvis_core::cluster::{Cluster, Guest, GuestKind, GuestState, Node, Presence, Storage};
use jarvis_core::ids::{NodeName, StorageName, Vmid};

/// Nodes.
pub const NODES: [&str; 4] = ["pve1", "pve2", "pve3", "pve4"];

/// Guests, from VMID 100 on; containers are marked.
pub const GUESTS: [(&str, GuestKind); 18] = [
    ("jarvis", GuestKind::Vm),
    ("web-server", GuestKind::Vm),
    ("mail-server", GuestKind::Vm),
    ("database", GuestKind::Vm),
    ("media-server", GuestKind::Vm),
    ("home-assistant", GuestKind::Vm),
    ("dns-server", GuestKind::Container),
    ("proxy", GuestKind::Container),
    ("grafana", GuestKind::Container),
    ("nextcloud", GuestKind::Vm),
    ("file-server", GuestKind::Vm),
    ("build-server", GuestKind::Vm),
    ("test-machine", GuestKind::Vm),
    ("game-server", GuestKind::Vm),
    ("print-server", GuestKind::Vm),
    ("wiki", GuestKind::Container),
    ("redis", GuestKind::Container),
    ("monitoring", GuestKind::Container),
];

/// Storages and whether every node sees the same.
pub const STORAGES: [(&str, bool); 4] = [("local", false), ("tank", false), ("nas", true), ("vault", true)];

/// A cluster that knows these names and nothing else.
pub fn cluster() -> Cluster {
    let node = |name: &str| Node {
        name: NodeName::from(name),
        presence: Presence::Online,
        cpu: None,
        cores: None,
        memory: None,
        root: None,
        uptime_s: None,
    };
    let guest = |(n, (name, kind)): (usize, &(&str, GuestKind))| Guest {
        vmid: Vmid(100 + n as u32),
        name: Some((*name).to_owned()),
        kind: *kind,
        node: NodeName::from(NODES[n % NODES.len()]),
        state: GuestState::Unknown,
        cpu: None,
        cores: None,
        memory: None,
        disk: None,
        uptime_s: None,
        lock: None,
        ha: None,
    };
    let storage = |(name, shared): &(&str, bool)| Storage {
        name: StorageName::from(*name),
        node: NodeName::from(NODES[0]),
        kind: String::new(),
        shared: *shared,
        available: None,
        usage: None,
    };
    Cluster {
        nodes: NODES.iter().map(|n| node(n)).collect(),
        guests: GUESTS.iter().enumerate().map(guest).collect(),
        storages: STORAGES.iter().map(storage).collect(),
        ..Cluster::default()
    }
}
