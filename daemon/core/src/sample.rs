//! The cluster of tests/frozen/README.md, for tests beside the code.

use crate::cluster::{Cluster, Guest, GuestKind, GuestState, Node, Presence, Storage, Usage};
use crate::ids::{NodeName, StorageName, UnixSeconds, Vmid};

pub(crate) const GIB: u64 = 1 << 30;

const GUESTS: [(u32, &str); 18] = [
    (100, "jarvis"),
    (101, "web-server"),
    (102, "mail-server"),
    (103, "database"),
    (104, "media-server"),
    (105, "home-assistant"),
    (106, "dns-server"),
    (107, "proxy"),
    (108, "grafana"),
    (109, "nextcloud"),
    (110, "file-server"),
    (111, "build-server"),
    (112, "test-machine"),
    (113, "game-server"),
    (114, "print-server"),
    (115, "wiki"),
    (116, "redis"),
    (117, "monitoring"),
];

pub(crate) fn node(name: &str) -> Node {
    Node {
        name: NodeName::from(name),
        presence: Presence::Online,
        cpu: Some(0.23),
        cores: Some(16),
        memory: Some(Usage { used: 24 * GIB, total: 64 * GIB }),
        root: Some(Usage { used: 31 * GIB, total: 100 * GIB }),
        uptime_s: Some(3 * 86_400 + 7_200),
    }
}

pub(crate) fn guest(vmid: u32, name: &str) -> Guest {
    let container = matches!(vmid, 106..=108 | 115..=117);
    Guest {
        vmid: Vmid(vmid),
        name: Some(name.to_owned()),
        kind: if container { GuestKind::Container } else { GuestKind::Vm },
        node: NodeName(format!("pve{}", vmid % 4 + 1)),
        state: if vmid == 112 { GuestState::Stopped } else { GuestState::Running },
        cpu: (vmid != 112).then_some(f64::from(vmid % 10) / 20.0),
        cores: Some(4.0),
        memory: Some(Usage { used: 2 * GIB + u64::from(vmid) * 1024 * 1024, total: 8 * GIB }),
        disk: Some(Usage { used: if container { 5 * GIB } else { 0 }, total: 32 * GIB }),
        uptime_s: (vmid != 112).then_some(5 * 3600),
        lock: None,
        ha: None,
    }
}

fn storage(name: &str, node: &str, shared: bool, used: u64) -> Storage {
    Storage {
        name: StorageName::from(name),
        node: NodeName::from(node),
        kind: "dir".to_owned(),
        shared,
        available: Some(true),
        usage: Some(Usage { used: used * GIB, total: 1000 * GIB }),
    }
}

pub(crate) fn cluster() -> Cluster {
    let nodes = ["pve1", "pve2", "pve3", "pve4"];
    let mut storages = vec![storage("nas", "pve1", true, 710), storage("vault", "pve1", true, 455)];
    for (name, used) in [("local", 120), ("tank", 333)] {
        storages.extend(nodes.map(|n| storage(name, n, false, used)));
    }
    Cluster {
        at: UnixSeconds(1_795_000_000),
        name: Some("home".to_owned()),
        quorate: Some(true),
        nodes: nodes.map(node).to_vec(),
        guests: GUESTS.map(|(vmid, name)| guest(vmid, name)).to_vec(),
        storages,
    }
}
