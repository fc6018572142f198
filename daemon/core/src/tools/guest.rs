//! What the tools that touch one guest share: how it is judged, named and addressed.

use super::{Change, Effect, Method, Reason, Ruling, Summary, Wanted};
use crate::cluster::{Guest, GuestKind, GuestState, Presence, Storage};
use crate::gate::{Place, Situation};
use crate::ids::Vmid;
use crate::tool::{Read, Tier};

/// Share of a node's memory that may be in use after a start.
const MEMORY_RATIO_MAX: f64 = 0.95;
/// Share of a storage that may be in use when a snapshot is taken.
const STORAGE_RATIO_MAX: f64 = 0.90;

/// What must be known of a guest before it is touched.
pub(super) fn needs(vmid: Vmid) -> Vec<Read> {
    vec![Read::Cluster, Read::GuestConfig { vmid }, Read::Ha]
}

/// Raises what interrupts a guest, or touches it at all, to what the guest deserves.
pub(super) fn judged(ruling: Ruling, vmid: Vmid, situation: &Situation<'_>) -> Ruling {
    let own = situation.policy.own.place;
    let ruling = touched(ruling, vmid, situation).raised_if(own == Place::Unknown, Tier::Black, Reason::OwnUnknown);
    let Some(guest) = situation.guest(vmid) else { return ruling };
    let ha = situation.ha_managed(vmid);
    ruling
        .raised_if(
            situation.protected(vmid) != Some(false),
            Tier::Red,
            match situation.protected(vmid) {
                None => Reason::NotKnown,
                Some(_) => Reason::Protected,
            },
        )
        .raised_if(ha != Some(false), Tier::Red, if ha.is_none() { Reason::NotKnown } else { Reason::HaManaged })
        .raised_if(guest.state == GuestState::Unknown, Tier::Red, Reason::NotKnown)
        .raised_if(
            situation.policy.own.quorum_guests.contains(&vmid) && situation.quorum_margin() == Some(0),
            Tier::Black,
            Reason::LastMargin,
        )
        .raised_if(
            situation.policy.own.quorum_guests.contains(&vmid) && situation.quorum_margin().is_none(),
            Tier::Black,
            Reason::NotKnown,
        )
}

/// Raises what touches Jarvis himself, and what is not known at all.
pub(super) fn touched(ruling: Ruling, vmid: Vmid, situation: &Situation<'_>) -> Ruling {
    let own = &situation.policy.own;
    ruling
        .raised_if(own.vmid() == Some(vmid), Tier::Black, Reason::OwnGuest)
        .raised_if(own.place == Place::Unknown, Tier::Red, Reason::NotKnown)
        .raised_if(own.storage_guests.contains(&vmid), Tier::Black, Reason::OwnStorage)
        .raised_if(situation.guest(vmid).is_none(), Tier::Red, Reason::NotKnown)
}

/// Raises a start for which the node lacks memory, or nobody knows whether it does.
pub(super) fn memory_judged(ruling: Ruling, vmid: Vmid, situation: &Situation<'_>) -> Ruling {
    let Some(guest) = situation.guest(vmid) else { return ruling };
    let node = situation.node(&guest.node).and_then(|node| node.memory);
    match (node, guest.memory) {
        (Some(node), Some(guest)) if node.total > 0 => {
            let after = (node.used.saturating_add(guest.total)) as f64 / node.total as f64;
            ruling.raised_if(after > MEMORY_RATIO_MAX, Tier::Red, Reason::MemoryShort)
        }
        _ => ruling.raised(Tier::Red, Reason::NotKnown),
    }
}

/// Raises a snapshot on a node one of whose storages is nearly full, or where nobody knows how full they are. Which of them the guest's
/// disks lie on is not looked at: a snapshot grows on any that can hold them.
pub(super) fn storage_judged(ruling: Ruling, vmid: Vmid, situation: &Situation<'_>) -> Ruling {
    let Some(guest) = situation.guest(vmid) else { return ruling };
    let storages = situation.facts.cluster.iter().flat_map(|cluster| &cluster.storages);
    // A backup server holds no disks.
    let holds = |storage: &&Storage| (storage.node == guest.node || storage.shared) && storage.kind != "pbs";
    let usages: Vec<_> = storages.filter(holds).map(|storage| storage.usage).collect();
    let full = usages.iter().flatten().any(|usage| usage.ratio() > STORAGE_RATIO_MAX);
    let unknown = usages.is_empty() || usages.contains(&None);
    ruling.raised_if(full, Tier::Red, Reason::StorageShort).raised_if(unknown, Tier::Red, Reason::NotKnown)
}

/// `media-server, VM 104`.
pub(super) fn label(vmid: Vmid, situation: &Situation<'_>) -> String {
    match situation.guest(vmid) {
        None => format!("guest {vmid}"),
        Some(guest) => {
            let kind = match guest.kind {
                GuestKind::Vm => "VM",
                GuestKind::Container => "container",
            };
            match guest.name.as_deref().filter(|name| !name.is_empty()) {
                Some(name) => format!("{name}, {kind} {vmid}"),
                None => format!("{kind} {vmid}"),
            }
        }
    }
}

pub(super) fn summary(verb: &str, vmid: Vmid, consequence: &str, situation: &Situation<'_>) -> Summary {
    Summary {
        verb: verb.to_owned(),
        target: label(vmid, situation),
        node: situation.guest(vmid).map(|guest| guest.node.to_string()),
        consequence: consequence.to_owned(),
    }
}

/// The guest, where it can be touched now; the text says why it can't.
pub(super) fn reachable<'a>(vmid: Vmid, situation: &Situation<'a>) -> Result<&'a Guest, String> {
    let Some(cluster) = &situation.facts.cluster else {
        return Err("the cluster does not answer".to_owned());
    };
    let Some(guest) = cluster.guests.iter().find(|guest| guest.vmid == vmid) else {
        return Err(format!("there is no guest {vmid}"));
    };
    let node = cluster.nodes.iter().find(|node| node.name == guest.node);
    if node.is_some_and(|node| node.presence != Presence::Online) {
        return Err(format!("{} does not answer", guest.node));
    }
    if cluster.quorate == Some(false) {
        return Err("the cluster has no quorum".to_owned());
    }
    if let Some(lock) = guest.lock.as_deref().filter(|lock| !lock.is_empty()) {
        return Err(format!("{} is locked by a {lock}", label(vmid, situation)));
    }
    Ok(guest)
}

/// A change of `guest`; `what` is the path beneath it.
pub(super) fn change(guest: &Guest, method: Method, what: &str, wanted: Wanted, limit_s: u32) -> Effect {
    let kind = match guest.kind {
        GuestKind::Vm => "qemu",
        GuestKind::Container => "lxc",
    };
    Effect::Change(Change {
        node: guest.node.clone(),
        method,
        path: format!("/nodes/{}/{kind}/{}/{what}", guest.node, guest.vmid),
        params: Vec::new(),
        wanted,
        vmid: guest.vmid,
        kind: guest.kind,
        limit_s,
    })
}

/// `effect` with one more form field.
pub(super) fn with(effect: Effect, name: &str, value: &str) -> Effect {
    match effect {
        Effect::Change(mut change) => {
            change.params.push((name.to_owned(), value.to_owned()));
            Effect::Change(change)
        }
        other => other,
    }
}

/// Longest name of a snapshot (Proxmox VE API schema, `pve-configid` with `maxLength` 40).
const SNAPSHOT_NAME_MAX: usize = 40;

/// Whether a snapshot may be called so: a letter, then letters, digits, `_` and `-` (`pve-configid`), and not `current`.
pub(super) fn check_snapshot_name(name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if first && rest && (2..=SNAPSHOT_NAME_MAX).contains(&name.len()) && name != "current" {
        return Ok(());
    }
    Err(format!(
        "\"{}\" cannot be a snapshot's name: begin with a letter, go on with letters, digits, - and _, at most {SNAPSHOT_NAME_MAX}",
        name.chars().filter(|c| !c.is_control()).take(SNAPSHOT_NAME_MAX).collect::<String>()
    ))
}

/// The snapshot of that name, where it is there; the text says that it is not.
pub(super) fn snapshot_there(vmid: Vmid, name: &str, situation: &Situation<'_>) -> Result<(), String> {
    let Some(snapshots) = &situation.facts.snapshots else {
        return Err(format!("the snapshots of {} are not known", label(vmid, situation)));
    };
    if snapshots.iter().any(|snapshot| snapshot.name == name) {
        return Ok(());
    }
    Err(format!("{} has no snapshot called {name}", label(vmid, situation)))
}
