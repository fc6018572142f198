//! Situations with a name: what the tools' examples, the tier matrix and the published table are judged in.
//!
//! The cluster is the one of the tests: four nodes, guests among which 100 is Jarvis himself and 117 votes in the quorum.
//!
//! Length: one table, an entry a situation; what it is judged to be is in the matrix beside it.

use super::{Asker, Leave, Origin, Own, Place, Policy, Power, Raise, Rights, Situation, Voice};
use crate::cluster::{Cluster, Guest, GuestKind, GuestState, Node, Presence, Storage, Usage};
use crate::foreign::{Foreign, Part, Pin, Standing};
use crate::ids::{NodeName, StorageName, UnixSeconds, Vmid};
use crate::tool::{Facts, GuestConfig, HaEntry, Snapshot, Tier};

const GIB: u64 = 1 << 30;
/// Guests there are: number and name.
const GUESTS: [(u32, &str); 6] = [
    (100, "jarvis"),
    (103, "database"),
    (104, "media-server"),
    (110, "file-server"),
    (112, "test-machine"),
    (117, "monitoring"),
];
/// Jarvis's own guest.
pub const OWN: Vmid = Vmid(100);
/// A guest like any other.
pub const PLAIN: Vmid = Vmid(104);
/// A guest that votes in the quorum.
pub const VOTER: Vmid = Vmid(117);
/// The snapshot that every guest has.
pub const SNAPSHOT: &str = "before-update";
/// The room that asks.
const ROOM: &str = "study";

/// A situation, owned.
#[derive(Debug, Clone, PartialEq)]
pub struct Owned {
    /// What was read.
    pub facts: Facts,
    /// What the owner laid down.
    pub policy: Policy,
    /// Who proposes.
    pub origin: Origin,
    /// Who asks.
    pub asker: Asker,
    /// The kill switch.
    pub power: Power,
    /// Changes on standing leave within the last hour.
    pub on_leave_last_hour: u32,
    /// The tool of another server that is called.
    pub foreign: Option<Foreign>,
}

impl Owned {
    /// As the gate takes it.
    pub fn situation(&self) -> Situation<'_> {
        Situation {
            facts: &self.facts,
            policy: &self.policy,
            on_leave_last_hour: self.on_leave_last_hour,
            foreign: self.foreign.as_ref(),
        }
    }
}

/// A situation with its name, made for the guest that is acted on.
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// What is special, for the published table.
    pub about: &'static str,
    change: fn(&mut Owned, Vmid),
}

impl Named {
    /// The situation, with `vmid` as the guest that was read.
    pub fn of(&self, vmid: Vmid) -> Owned {
        let mut owned = plain(vmid);
        (self.change)(&mut owned, vmid);
        owned
    }
}

/// The situation of a name, with `vmid` as the guest that was read.
pub fn named(name: &str, vmid: Vmid) -> Option<Owned> {
    ALL.iter().find(|named| named.name == name).map(|named| named.of(vmid))
}

/// Every situation.
pub const ALL: &[Named] = &[
    Named { name: "running guest", about: "the guest runs, everything is known", change: |_, _| {} },
    Named { name: "stopped guest", about: "it is stopped", change: |s, _| states(s, GuestState::Stopped) },
    Named { name: "paused guest", about: "it is paused", change: |s, _| states(s, GuestState::Paused) },
    Named {
        name: "protected guest",
        about: "its configuration protects it",
        change: |s, _| {
            if let Some(config) = &mut s.facts.guest_config {
                config.protection = Some(true);
            }
        },
    },
    Named {
        name: "protected by policy",
        about: "the owner's policy protects it",
        change: |s, vmid| s.policy.protected.push(vmid),
    },
    Named {
        name: "ha guest",
        about: "high availability watches over it",
        change: |s, vmid| {
            s.facts.ha =
                Some(vec![HaEntry { kind: "service".into(), id: format!("vm:{vmid}"), state: "started".into() }]);
        },
    },
    Named {
        name: "unknown guest",
        about: "its node does not say whether it runs",
        change: |s, _| states(s, GuestState::Unknown),
    },
    Named {
        name: "missing guest",
        about: "there is no such guest",
        change: |s, vmid| {
            if let Some(cluster) = &mut s.facts.cluster {
                cluster.guests.retain(|g| g.vmid != vmid);
            }
        },
    },
    Named {
        name: "config unknown",
        about: "its configuration could not be read",
        change: |s, _| s.facts.guest_config = None,
    },
    Named { name: "ha unknown", about: "high availability could not be asked", change: |s, _| s.facts.ha = None },
    Named {
        name: "snapshots unknown",
        about: "its snapshots could not be read",
        change: |s, _| s.facts.snapshots = None,
    },
    Named { name: "cluster unknown", about: "the cluster does not answer", change: |s, _| s.facts = Facts::default() },
    Named {
        name: "node away",
        about: "its node is gone",
        change: |s, _| {
            for node in s.facts.cluster.iter_mut().flat_map(|c| &mut c.nodes) {
                node.presence = Presence::Offline;
            }
            states(s, GuestState::Unknown);
        },
    },
    Named {
        name: "no quorum",
        about: "the cluster has no quorum",
        change: |s, _| {
            if let Some(cluster) = &mut s.facts.cluster {
                cluster.quorate = Some(false);
            }
        },
    },
    Named {
        name: "no quorum margin",
        about: "one more voter lost and quorum is gone",
        change: |s, _| {
            for node in s.facts.cluster.iter_mut().flat_map(|c| &mut c.nodes).skip(3) {
                node.presence = Presence::Offline;
            }
        },
    },
    Named {
        name: "locked guest",
        about: "a backup holds a lock on it",
        change: |s, _| {
            for guest in s.facts.cluster.iter_mut().flat_map(|c| &mut c.guests) {
                guest.lock = Some("backup".into());
            }
        },
    },
    Named {
        name: "node short of memory",
        about: "it is stopped and its node has little memory left",
        change: |s, _| {
            states(s, GuestState::Stopped);
            for node in s.facts.cluster.iter_mut().flat_map(|c| &mut c.nodes) {
                node.memory = Some(Usage { used: 60 * GIB, total: 64 * GIB });
            }
        },
    },
    Named {
        name: "storage nearly full",
        about: "a storage of its node is over 90 % full",
        change: |s, _| {
            for storage in s.facts.cluster.iter_mut().flat_map(|c| &mut c.storages) {
                storage.usage = Some(Usage { used: 95 * GIB, total: 100 * GIB });
            }
        },
    },
    Named {
        name: "storage unknown",
        about: "a storage of its node does not say how full it is",
        change: |s, _| {
            for storage in s.facts.cluster.iter_mut().flat_map(|c| &mut c.storages) {
                storage.usage = None;
            }
        },
    },
    Named {
        name: "no storage known",
        about: "no storage of its node is known",
        change: |s, _| {
            if let Some(cluster) = &mut s.facts.cluster {
                cluster.storages.clear();
            }
        },
    },
    Named {
        name: "digest unknown",
        about: "its configuration has no digest",
        change: |s, _| {
            if let Some(config) = &mut s.facts.guest_config {
                config.digest = None;
            }
        },
    },
    Named {
        name: "created unknown",
        about: "it is of a kind, or an age, of which the API does not say when it was created",
        change: |s, _| {
            if let Some(config) = &mut s.facts.guest_config {
                config.created = None;
            }
        },
    },
    Named {
        name: "own place unknown",
        about: "nobody told Jarvis which guest he is",
        change: |s, _| s.policy.own.place = Place::Unknown,
    },
    Named {
        name: "elsewhere",
        about: "Jarvis does not run in this cluster",
        change: |s, _| s.policy.own.place = Place::Elsewhere,
    },
    Named {
        name: "own storage",
        about: "Jarvis's storage depends on the guest",
        change: |s, vmid| s.policy.own.storage_guests.push(vmid),
    },
    Named {
        name: "raised by policy",
        about: "the policy makes every change RED",
        change: |s, _| {
            s.policy.raise.push(Raise { tool: None, vmid: None, tier: Tier::Red });
        },
    },
    Named {
        name: "lowered by policy",
        about: "the policy tries to make every change GREEN",
        change: |s, _| {
            s.policy.raise.push(Raise { tool: None, vmid: None, tier: Tier::Green });
        },
    },
    Named {
        name: "standing leave",
        about: "it is stopped, and there is leave to start, shut down, restart and snapshot it",
        change: |s, vmid| {
            states(s, GuestState::Stopped);
            leave(s, vmid);
        },
    },
    Named {
        name: "leave used up",
        about: "the same, twice in the last hour already",
        change: |s, vmid| {
            states(s, GuestState::Stopped);
            leave(s, vmid);
            s.on_leave_last_hour = 2;
        },
    },
    Named {
        name: "leave for a clean model",
        about: "there is leave, and a model asks that read nothing of strangers",
        change: |s, vmid| {
            states(s, GuestState::Stopped);
            leave(s, vmid);
            s.origin = Origin::Model { tainted: false };
        },
    },
    Named {
        name: "leave for a tainted model",
        about: "there is leave, and a tainted model asks",
        change: |s, vmid| {
            states(s, GuestState::Stopped);
            leave(s, vmid);
            s.origin = Origin::Model { tainted: true };
        },
    },
    Named {
        name: "leave for an untried ear",
        about: "there is leave, and the speech model was never tried on people",
        change: |s, vmid| {
            states(s, GuestState::Stopped);
            leave(s, vmid);
            s.asker.voice = Voice::Untried;
        },
    },
    Named {
        name: "leave in a demonstration",
        about: "the same, and the policy lets such an ear approve, for a demonstration",
        change: |s, vmid| {
            states(s, GuestState::Stopped);
            leave(s, vmid);
            s.asker.voice = Voice::Untried;
            s.policy.untried_ear_approves = true;
        },
    },
    Named {
        name: "clean model",
        about: "a model asks that read nothing of strangers",
        change: |s, _| s.origin = Origin::Model { tainted: false },
    },
    Named {
        name: "tainted model",
        about: "a model asks that read what strangers may have written",
        change: |s, _| s.origin = Origin::Model { tainted: true },
    },
    Named {
        name: "outside program",
        about: "another program asks, through MCP",
        change: |s, _| {
            s.origin = Origin::Outside { client: "assistant".into() };
            s.asker = Asker { room: None, voice: Voice::Typed };
        },
    },
    Named {
        name: "typed",
        about: "it is typed, in no room",
        change: |s, _| s.asker = Asker { room: None, voice: Voice::Typed },
    },
    Named {
        name: "untried ear",
        about: "the speech model was never tried on people",
        change: |s, _| s.asker.voice = Voice::Untried,
    },
    Named {
        name: "demonstration",
        about: "the same, and the policy lets it approve, for a demonstration",
        change: |s, _| {
            s.asker.voice = Voice::Untried;
            s.policy.untried_ear_approves = true;
        },
    },
    Named {
        name: "room that may only read",
        about: "the room has no right to change anything",
        change: |s, _| {
            s.policy.rooms.insert(ROOM.into(), Rights::Reads);
        },
    },
    Named {
        name: "room without red",
        about: "the room may do what is YELLOW",
        change: |s, _| {
            s.policy.rooms.insert(ROOM.into(), Rights::Yellow);
        },
    },
    Named {
        name: "server's tool named green",
        about: "the owner said of the server's tool that it only looks",
        change: |s, _| {
            if let Some(foreign) = &mut s.foreign {
                foreign.tier = Tier::Green;
            }
        },
    },
    Named {
        name: "server's tool new",
        about: "the server's tool was never approved",
        change: |s, _| stands(s, Standing::New),
    },
    Named {
        name: "server's tool changed",
        about: "the server's tool is not what was approved any more",
        change: |s, _| stands(s, Standing::Changed { parts: vec![Part::Description] }),
    },
    Named {
        name: "server's tool gone",
        about: "the server has that tool no more",
        change: |s, _| stands(s, Standing::Gone),
    },
    Named { name: "server unknown", about: "nobody knows that server", change: |s, _| s.foreign = None },
    Named { name: "kill switch set", about: "the kill switch is set", change: |s, _| s.power = Power::Stopped },
];

fn stands(owned: &mut Owned, standing: Standing) {
    if let Some(foreign) = &mut owned.foreign {
        foreign.standing = standing;
    }
}

fn states(owned: &mut Owned, state: GuestState) {
    for guest in owned.facts.cluster.iter_mut().flat_map(|cluster| &mut cluster.guests) {
        guest.state = state;
    }
}

fn leave(owned: &mut Owned, vmid: Vmid) {
    for tool in ["guest_start", "guest_shutdown", "guest_reboot", "snapshot_create", "guest_stop", "snapshot_delete"] {
        owned.policy.leave.push(Leave { tool: tool.into(), vmids: vec![vmid], rooms: vec![ROOM.into()], per_hour: 2 });
    }
}

fn plain(vmid: Vmid) -> Owned {
    let facts = Facts {
        cluster: Some(cluster()),
        guest_config: Some(GuestConfig {
            vmid,
            cores: Some(4),
            memory: Some(8 * GIB),
            on_boot: Some(true),
            protection: None,
            digest: Some("0a1b2c".into()),
            created: Some(UnixSeconds(1_700_000_000)),
        }),
        snapshots: Some(vec![Snapshot { name: SNAPSHOT.into(), taken: Some(UnixSeconds(1_750_000_000)) }]),
        ha: Some(vec![HaEntry { kind: "quorum".into(), id: "quorum".into(), state: "OK".into() }]),
        ..Facts::default()
    };
    let own = Own { place: Place::Guest(OWN), storage_guests: Vec::new(), quorum_guests: vec![VOTER] };
    Owned {
        facts,
        policy: Policy { own, ..Policy::default() },
        origin: Origin::Owner,
        asker: Asker { room: Some(ROOM.into()), voice: Voice::Tried },
        power: Power::On,
        on_leave_last_hour: 0,
        foreign: Some(Foreign {
            server: "notes".into(),
            tool: "add".into(),
            pin: Pin([7; 32]),
            tier: Tier::Yellow,
            standing: Standing::Approved,
        }),
    }
}

fn cluster() -> Cluster {
    let node = |n: u32| Node {
        name: NodeName(format!("pve{n}")),
        presence: Presence::Online,
        cpu: Some(0.2),
        cores: Some(16),
        memory: Some(Usage { used: 24 * GIB, total: 64 * GIB }),
        root: Some(Usage { used: 30 * GIB, total: 100 * GIB }),
        uptime_s: Some(90_000),
    };
    let guest = |(number, name): (u32, &str)| Guest {
        vmid: Vmid(number),
        name: Some(name.into()),
        kind: if number == VOTER.0 { GuestKind::Container } else { GuestKind::Vm },
        node: NodeName(format!("pve{}", number % 4 + 1)),
        state: GuestState::Running,
        cpu: Some(0.1),
        cores: Some(4.0),
        memory: Some(Usage { used: 2 * GIB, total: 8 * GIB }),
        disk: Some(Usage { used: 0, total: 32 * GIB }),
        uptime_s: Some(3_600),
        lock: None,
        ha: None,
    };
    let storage = |n: u32| Storage {
        name: StorageName::from("tank"),
        node: NodeName(format!("pve{n}")),
        kind: "zfspool".into(),
        shared: false,
        available: Some(true),
        usage: Some(Usage { used: 40 * GIB, total: 100 * GIB }),
    };
    Cluster {
        at: UnixSeconds(1_760_000_000),
        name: Some("home".into()),
        quorate: Some(true),
        nodes: (1..=4).map(node).collect(),
        guests: GUESTS.into_iter().map(guest).collect(),
        storages: (1..=4).map(storage).collect(),
    }
}
