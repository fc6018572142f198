//! From the API's types to the domain's: what the wire leaves out, or says of a node that is not there, becomes unknown.

use std::collections::BTreeMap;

use jarvis_core::cluster::{Cluster, Guest, GuestKind, GuestState, Node, Presence, Storage, Task, TaskEnd, Usage};
use jarvis_core::ids::{NodeName, StorageName, UnixSeconds, Upid, Vmid};
use jarvis_core::tool::{Backup, BackupJob, GuestConfig, HaEntry, NodeStatus, Replication, Snapshot};

use super::wire;

/// The highest VMID (`pve-vmid`).
const VMID_MAX: u64 = 999_999_999;

/// A storage that may hold backups, and a node that sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BackupPlace {
    pub(super) node: NodeName,
    pub(super) storage: StorageName,
}

/// The cluster as `/cluster/resources` and `/cluster/status` describe it; `status` is `None` where it could not be read.
pub(super) fn cluster(resources: &[wire::Resource], status: Option<&[wire::StatusEntry]>, at: UnixSeconds) -> Cluster {
    let entry = |kind: &str| {
        let of_kind = status.into_iter().flatten();
        let kind = Some(kind.to_owned());
        of_kind.filter(move |entry| entry.kind == kind)
    };
    // A single node has no `cluster` entry and needs no quorum but its own.
    let quorate = match entry("cluster").next() {
        Some(cluster) => cluster.quorate,
        None => status.map(|_| true),
    };
    let members: BTreeMap<_, _> = entry("node").filter_map(|node| Some((node.name.clone()?, node.online?))).collect();
    let presence = |name: &str, status: Option<&str>| {
        let online = members.get(name).copied().or(match status {
            Some("online") => Some(true),
            Some("offline") => Some(false),
            _ => None,
        });
        match online {
            Some(true) => Presence::Online,
            // A minority cannot tell a dead node from one on the other side of a split.
            Some(false) if quorate == Some(false) => Presence::Unknown,
            Some(false) => Presence::Offline,
            None => Presence::Unknown,
        }
    };
    let mut nodes: Vec<Node> = of_kind(resources, "node")
        .filter_map(|resource| {
            let name = resource.node.clone()?;
            Some(node(resource, presence(&name, resource.status.as_deref())))
        })
        .collect();
    for name in members.keys() {
        if !nodes.iter().any(|node| node.name.as_str() == name) {
            let unknown = wire::Resource { node: Some(name.clone()), ..wire::Resource::default() };
            nodes.push(node(&unknown, presence(name, None)));
        }
    }
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let is_online = |name: &str| {
        let node = nodes.iter().find(|node| node.name.as_str() == name);
        node.is_some_and(|node| node.presence == Presence::Online)
    };
    let mut guests: Vec<Guest> = ["qemu", "lxc"]
        .into_iter()
        .flat_map(|kind| of_kind(resources, kind))
        .filter(|resource| resource.template != Some(true))
        .filter_map(|resource| guest(resource, is_online))
        .collect();
    guests.sort_by_key(|guest| guest.vmid);
    let storages = storages(resources, is_online);
    Cluster { at, name: entry("cluster").next().and_then(|c| c.name.clone()), quorate, nodes, guests, storages }
}

/// Where backups can be looked for: a shared storage once, on a node that is there.
pub(super) fn backup_places(resources: &[wire::Resource], cluster: &Cluster) -> Vec<BackupPlace> {
    let mut places: Vec<BackupPlace> = Vec::new();
    let online = |name: &str| {
        let node = cluster.nodes.iter().find(|n| n.name.as_str() == name);
        node.is_some_and(|n| n.presence == Presence::Online)
    };
    let holds_backups = |resource: &&wire::Resource| {
        let content = resource.content.as_deref().unwrap_or("backup");
        content.split(',').any(|c| c.trim() == "backup")
    };
    let mut candidates: Vec<_> = of_kind(resources, "storage").filter(holds_backups).collect();
    candidates.sort_by_key(|resource| !resource.node.as_deref().is_some_and(online));
    for resource in candidates {
        let (Some(node), Some(storage)) = (&resource.node, &resource.storage) else {
            continue;
        };
        let shared = resource.shared == Some(true);
        if shared && places.iter().any(|place| place.storage.as_str() == storage) {
            continue;
        }
        places.push(BackupPlace { node: NodeName(node.clone()), storage: StorageName(storage.clone()) });
    }
    places
}

fn of_kind<'a>(resources: &'a [wire::Resource], kind: &'a str) -> impl Iterator<Item = &'a wire::Resource> {
    resources.iter().filter(move |resource| resource.kind.as_deref() == Some(kind))
}

fn usage(used: Option<u64>, total: Option<u64>) -> Option<Usage> {
    let total = total.filter(|total| *total > 0)?;
    Some(Usage { used: used?, total })
}

fn node(resource: &wire::Resource, presence: Presence) -> Node {
    let there = presence == Presence::Online;
    Node {
        name: NodeName(resource.node.clone().unwrap_or_default()),
        presence,
        cpu: resource.cpu.filter(|_| there),
        cores: resource.maxcpu.map(|cores| cores as u32),
        memory: usage(resource.mem, resource.maxmem).filter(|_| there),
        root: usage(resource.disk, resource.maxdisk).filter(|_| there),
        uptime_s: resource.uptime.filter(|s| there && *s > 0),
    }
}

/// For some minutes after a node's death the cluster repeats its guests' last state; that is not knowledge.
fn guest(resource: &wire::Resource, is_online: impl Fn(&str) -> bool) -> Option<Guest> {
    let vmid = vmid(resource.vmid)?;
    let node = resource.node.clone()?;
    let known = is_online(&node);
    let state = match resource.status.as_deref() {
        _ if !known => GuestState::Unknown,
        Some("running") => GuestState::Running,
        Some("stopped") => GuestState::Stopped,
        Some("paused" | "suspended" | "prelaunch") => GuestState::Paused,
        _ => GuestState::Unknown,
    };
    let running = matches!(state, GuestState::Running | GuestState::Paused);
    let kind = match resource.kind.as_deref() {
        Some("lxc") => GuestKind::Container,
        _ => GuestKind::Vm,
    };
    // The API makes up a name for a guest that has none.
    let made_up = [format!("VM {vmid}"), format!("CT{vmid}")];
    let name = resource.name.clone();
    Some(Guest {
        vmid,
        name: name.filter(|name| !made_up.contains(name)),
        kind,
        node: NodeName(node),
        state,
        cpu: resource.cpu.filter(|_| running),
        cores: resource.maxcpu,
        memory: usage(resource.mem, resource.maxmem).filter(|_| known),
        disk: usage(resource.disk, resource.maxdisk).filter(|_| known),
        uptime_s: resource.uptime.filter(|s| running && *s > 0),
        lock: resource.lock.clone(),
        ha: resource.hastate.clone(),
    })
}

fn storages(resources: &[wire::Resource], is_online: impl Fn(&str) -> bool) -> Vec<Storage> {
    let mut storages: Vec<Storage> = Vec::new();
    for resource in of_kind(resources, "storage") {
        let (Some(node), Some(name)) = (&resource.node, &resource.storage) else {
            continue;
        };
        let known = is_online(node);
        let storage = Storage {
            name: StorageName(name.clone()),
            node: NodeName(node.clone()),
            kind: resource.plugintype.clone().unwrap_or_default(),
            shared: resource.shared == Some(true),
            available: match resource.status.as_deref() {
                _ if !known => None,
                Some("available") => Some(true),
                Some("unknown") | None => None,
                Some(_) => Some(false),
            },
            usage: usage(resource.disk, resource.maxdisk).filter(|_| known),
        };
        // Every node lists a shared storage; the entry that knows most stands for all.
        let same = |other: &&mut Storage| other.shared && other.name == storage.name;
        match storages.iter_mut().find(same).filter(|_| storage.shared) {
            Some(kept) => {
                let knows = |s: &Storage| (s.available == Some(true), s.usage.is_some());
                if knows(&storage) > knows(kept) {
                    *kept = storage;
                }
            }
            None => storages.push(storage),
        }
    }
    storages.sort_by(|a, b| (&a.name, &a.node).cmp(&(&b.name, &b.node)));
    storages
}

fn vmid(number: Option<u64>) -> Option<Vmid> {
    let number = number.filter(|n| (1..=VMID_MAX).contains(n))?;
    u32::try_from(number).ok().map(Vmid)
}

fn at(seconds: Option<u64>) -> Option<UnixSeconds> {
    let seconds = seconds.filter(|s| *s > 0)?;
    i64::try_from(seconds).ok().map(UnixSeconds)
}

pub(super) fn node_status(node: &NodeName, wire: wire::NodeStatus) -> NodeStatus {
    let release = wire.current_kernel.get("release").and_then(|r| r.as_str());
    let from_kversion = wire.kversion.as_deref().and_then(|k| k.split(' ').nth(1));
    let load = wire.loadavg.as_array().and_then(|loads| {
        let mut loads = loads.iter().map(|load| serde_json::from_value::<wire::Number>(load.clone()).ok()?.0);
        Some([loads.next()??, loads.next()??, loads.next()??])
    });
    NodeStatus {
        node: node.clone(),
        pve_version: wire.pveversion.map(|v| v.split('/').nth(1).unwrap_or(&v).to_owned()),
        kernel: release.or(from_kversion).map(str::to_owned),
        load,
    }
}

pub(super) fn guest_config(vmid: Vmid, wire: wire::GuestConfig) -> GuestConfig {
    /// The API leaves defaults out: one socket, one core, 512 MiB.
    const MEMORY_DEFAULT_MIB: u64 = 512;
    let cores = wire.cores.unwrap_or(1).saturating_mul(wire.sockets.unwrap_or(1));
    let mib = match wire.memory {
        // `current=2048` and what newer versions may put behind it.
        Some(text) => {
            let text = text.split(',').next().unwrap_or_default();
            text.trim_start_matches("current=").trim().parse().ok()
        }
        None => Some(MEMORY_DEFAULT_MIB),
    };
    GuestConfig {
        vmid,
        cores: u32::try_from(cores).ok(),
        memory: mib.and_then(|mib: u64| mib.checked_mul(1 << 20)),
        on_boot: Some(wire.onboot.unwrap_or(false)),
        protection: Some(wire.protection.unwrap_or(false)),
        digest: wire.digest,
        created: wire.meta.as_deref().and_then(created),
    }
}

/// When a VM was created, from its `meta`: `creation-qemu=10.0.2,ctime=1763000000`.
fn created(meta: &str) -> Option<UnixSeconds> {
    let value = meta.split(',').find_map(|part| part.trim().strip_prefix("ctime="))?;
    value.parse().ok().map(UnixSeconds)
}

pub(super) fn snapshots(wire: Vec<wire::SnapshotEntry>) -> Vec<Snapshot> {
    let mut snapshots: Vec<_> = wire
        .into_iter()
        .filter_map(|entry| {
            let name = entry.name.filter(|name| name != "current")?;
            Some(Snapshot { name, taken: at(entry.snaptime) })
        })
        .collect();
    snapshots.sort_by_key(|snapshot| snapshot.taken);
    snapshots
}

pub(super) fn tasks(wire: Vec<wire::TaskEntry>) -> Vec<Task> {
    let mut tasks: Vec<_> = wire.into_iter().filter_map(task).collect();
    tasks.sort_by(|a, b| (b.started, &b.upid).cmp(&(a.started, &a.upid)));
    tasks
}

/// What a task's status says, once it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exit {
    Ok,
    Warnings(u32),
    Failed(String),
    Unknown,
}

/// What a node says of a task whose log does not tell how it ended; none of these is an error of the task's own.
const UNTOLD: [&str; 5] =
    ["unexpected status", "unable to open file", "unable to read tail", "unable to extract last line", "RUNNING"];

/// What the `status` of a list or the `exitstatus` of a task means.
pub(super) fn exit(status: Option<&str>) -> Exit {
    match status.map(str::trim) {
        Some("OK") => Exit::Ok,
        None | Some("") => Exit::Unknown,
        Some(text) if UNTOLD.iter().any(|untold| text.starts_with(untold)) => Exit::Unknown,
        Some(text) => match text.strip_prefix("WARNINGS: ") {
            Some(count) => Exit::Warnings(count.trim().parse().unwrap_or(1)),
            None => Exit::Failed(text.to_owned()),
        },
    }
}

fn task(wire: wire::TaskEntry) -> Option<Task> {
    let end = match at(wire.endtime) {
        None => TaskEnd::Running,
        Some(ended) => match exit(wire.status.as_deref()) {
            Exit::Ok => TaskEnd::Ok(ended),
            Exit::Warnings(count) => TaskEnd::Warnings(ended, count),
            Exit::Failed(text) => TaskEnd::Failed(ended, text),
            Exit::Unknown => TaskEnd::Unknown(ended),
        },
    };
    Some(Task {
        upid: Upid(wire.upid?),
        node: NodeName(wire.node?),
        kind: wire.kind?,
        object: wire.id,
        user: wire.user.unwrap_or_default(),
        started: at(wire.starttime)?,
        end,
    })
}

pub(super) fn backups(place: &BackupPlace, wire: Vec<wire::Volume>) -> Vec<Backup> {
    wire.into_iter()
        .filter(|volume| volume.content.as_deref().is_none_or(|c| c == "backup"))
        .filter_map(|volume| {
            let from_name = || vmid_of_volume(volume.volid.as_deref()?);
            Some(Backup {
                vmid: vmid(volume.vmid.or_else(from_name))?,
                taken: at(volume.ctime)?,
                size: volume.size,
                storage: place.storage.clone(),
            })
        })
        .collect()
}

/// `local:backup/vzdump-qemu-100-2026_08_28-12_00_00.vma.zst` or `vault:backup/vm/100/2026-08-28T12:00:00Z`.
fn vmid_of_volume(volid: &str) -> Option<u64> {
    volid.split(['/', '-']).skip_while(|part| !matches!(*part, "qemu" | "lxc" | "vm" | "ct")).nth(1)?.parse().ok()
}

pub(super) fn backup_jobs(wire: Vec<wire::BackupJob>) -> Vec<BackupJob> {
    wire.into_iter()
        .filter_map(|job| {
            let vmids = job.vmid.unwrap_or_default();
            Some(BackupJob {
                id: job.id?,
                schedule: job.schedule,
                next_run: at(job.next_run),
                enabled: job.enabled.unwrap_or(true),
                vmids: vmids.split(',').filter_map(|n| vmid(n.trim().parse().ok())).collect(),
            })
        })
        .collect()
}

pub(super) fn not_backed_up(wire: Vec<wire::NotBackedUp>) -> Vec<Vmid> {
    let mut vmids: Vec<_> = wire.into_iter().filter_map(|g| vmid(g.vmid)).collect();
    vmids.sort_unstable();
    vmids
}

pub(super) fn ha(wire: Vec<wire::HaEntry>) -> Vec<HaEntry> {
    wire.into_iter()
        .filter_map(|entry| {
            let kind = entry.kind?;
            let id = match kind.as_str() {
                "service" => entry.sid.or(entry.id),
                "lrm" => entry.node.or(entry.id),
                _ => entry.id,
            };
            Some(HaEntry { state: entry.state.or(entry.status)?, id: id?, kind })
        })
        .collect()
}

pub(super) fn replication(source: &NodeName, wire: Vec<wire::ReplicationEntry>) -> Vec<Replication> {
    wire.into_iter()
        .filter_map(|job| {
            Some(Replication {
                id: job.id?,
                source: job.source.map_or_else(|| source.clone(), NodeName),
                target: NodeName(job.target?),
                last_sync: at(job.last_sync),
                failures: u32::try_from(job.fail_count.unwrap_or(0)).unwrap_or(u32::MAX),
                error: job.error,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_and_warnings_are_a_good_end() {
        assert_eq!(exit(Some("OK")), Exit::Ok);
        assert_eq!(exit(Some("WARNINGS: 3")), Exit::Warnings(3));
        assert_eq!(exit(Some("WARNINGS: many")), Exit::Warnings(1));
        assert_eq!(exit(Some("VM is locked (backup)")), Exit::Failed("VM is locked (backup)".to_owned()));
        assert_eq!(exit(Some("OK then")), Exit::Failed("OK then".to_owned()));
        for untold in [None, Some(""), Some("unexpected status"), Some("unable to read tail (got 0 bytes)")] {
            assert_eq!(exit(untold), Exit::Unknown, "{untold:?}");
        }
    }
}
