//! Answers about one guest.

use crate::answer::Reply;
use crate::answer::measure::{ago, count, duration, first_word, percent, size, used_of, used_percent};
use crate::answer::view::{View, guest_label, page, some};
use crate::cluster::{Guest, GuestKind, GuestState};

pub(super) fn answer(view: &View<'_>, what: &str) -> Option<Reply> {
    let guest = match view.guest() {
        Ok(guest) => guest,
        Err(sorry) => return Some(sorry),
    };
    Some(match what {
        "status" => status(view, guest),
        "where" => place(view, guest),
        "memory" => memory(view, guest),
        "load" => load(view, guest),
        "disk" => disk(view, guest),
        "uptime" => uptime(view, guest),
        "config" => config(view, guest),
        "snapshots" => snapshots(view, guest),
        "id" => id(view, guest),
        _ => return None,
    })
}

/// Name and node, which most phrasings use.
fn named<'a>(label: &'a str, guest: &'a Guest) -> [(&'a str, &'a str); 2] {
    [("guest", label), ("node", guest.node.as_str())]
}

/// The reply where a guest that does not run cannot have the figure, or nobody knows it.
fn not_running(view: &View<'_>, guest: &Guest, what: &str) -> Reply {
    let label = guest_label(guest);
    let [name, node] = named(&label, guest);
    match guest.state {
        GuestState::Stopped => view.reply("guest.not_running", &[name], Some("stopped")),
        GuestState::Unknown => view.reply("guest.state_unknown", &[name, node], None),
        GuestState::Running | GuestState::Paused => view.reply("guest.unknown", &[name, ("what", what)], None),
    }
}

fn status(view: &View<'_>, guest: &Guest) -> Reply {
    let label = guest_label(guest);
    let [name, node] = named(&label, guest);
    let lock = guest.lock.as_deref().unwrap_or("");
    let mut reply = match guest.state {
        GuestState::Running => match guest.uptime_s {
            Some(seconds) => {
                let time = duration(seconds);
                let values = [name, node, ("time", time.as_str())];
                view.reply("guest.running", &values, Some("running"))
            }
            None => view.reply("guest.running_plain", &[name, node], Some("running")),
        },
        GuestState::Stopped => view.reply("guest.stopped", &[name, node], Some("stopped")),
        GuestState::Paused => view.reply("guest.paused", &[name, node], Some("paused")),
        GuestState::Unknown => view.reply("guest.state_unknown", &[name, node], None),
    };
    if !lock.is_empty() {
        reply.speech.push(' ');
        reply.speech.push_str(&view.say("guest.locked", &[("lock", lock)]));
    }
    reply
}

fn place(view: &View<'_>, guest: &Guest) -> Reply {
    let label = guest_label(guest);
    let values = named(&label, guest);
    let key = match guest.state {
        GuestState::Running => "guest.where",
        GuestState::Stopped | GuestState::Paused => "guest.where_stopped",
        GuestState::Unknown => "guest.where_unknown",
    };
    view.reply(key, &values, Some(guest.node.as_str()))
}

fn memory(view: &View<'_>, guest: &Guest) -> Reply {
    let usage = guest.memory.filter(|u| u.total > 0);
    let (Some(usage), GuestState::Running) = (usage, guest.state) else {
        return not_running(view, guest, "its memory");
    };
    let label = guest_label(guest);
    let (used, percent) = (used_of(usage), used_percent(usage));
    let values = [("guest", label.as_str()), ("used", used.as_str()), ("percent", percent.as_str())];
    view.reply("guest.memory", &values, Some(&percent))
}

fn load(view: &View<'_>, guest: &Guest) -> Reply {
    let (Some(cpu), GuestState::Running) = (guest.cpu, guest.state) else {
        return not_running(view, guest, "its load");
    };
    let label = guest_label(guest);
    let percent = percent(cpu);
    let cores = guest.cores.map_or_else(String::new, |c| count(c.round().max(0.0) as usize, "core", "cores"));
    let values = [("guest", label.as_str()), ("percent", percent.as_str()), ("cores", cores.as_str())];
    if cores.is_empty() {
        view.reply("guest.load", &values[..2], Some(&percent))
    } else {
        view.reply("guest.load_cores", &values, Some(&percent))
    }
}

fn disk(view: &View<'_>, guest: &Guest) -> Reply {
    let label = guest_label(guest);
    let name = ("guest", label.as_str());
    let Some(usage) = guest.disk.filter(|u| u.total > 0) else {
        return view.reply("guest.unknown", &[name, ("what", "its disk")], None);
    };
    let total = size(usage.total);
    // A VM's `used` is 0 where no agent tells: unknown, not empty.
    if guest.kind == GuestKind::Vm && usage.used == 0 {
        let values = [name, ("total", total.as_str())];
        return view.reply("guest.disk_size", &values, Some(first_word(&total)));
    }
    let (used, percent) = (used_of(usage), used_percent(usage));
    let values = [name, ("used", used.as_str()), ("percent", percent.as_str())];
    view.reply("guest.disk", &values, Some(&percent))
}

fn uptime(view: &View<'_>, guest: &Guest) -> Reply {
    let (Some(seconds), GuestState::Running) = (guest.uptime_s, guest.state) else {
        return not_running(view, guest, "its uptime");
    };
    let label = guest_label(guest);
    let time = duration(seconds);
    let values = [("guest", label.as_str()), ("time", time.as_str())];
    view.reply("guest.uptime", &values, Some(first_word(&time)))
}

fn config(view: &View<'_>, guest: &Guest) -> Reply {
    let label = guest_label(guest);
    let config = view.facts.guest_config.as_ref().filter(|c| c.vmid == guest.vmid);
    let cores = config.and_then(|c| c.cores).map(|c| c as usize);
    let memory = config.and_then(|c| c.memory).map(size);
    let name = ("guest", label.as_str());
    let cores_text = cores.map(|c| count(c, "core", "cores"));
    match (cores_text, memory) {
        (Some(cores_text), Some(memory)) => {
            let values = [name, ("cores", cores_text.as_str()), ("memory", memory.as_str())];
            view.reply("guest.config", &values, Some(first_word(&cores_text)))
        }
        (Some(cores), None) => {
            let values = [name, ("cores", cores.as_str())];
            view.reply("guest.config_cores", &values, Some(first_word(&cores)))
        }
        (None, Some(memory)) => {
            let values = [name, ("memory", memory.as_str())];
            view.reply("guest.config_memory", &values, Some(first_word(&memory)))
        }
        (None, None) => view.not_learnt("guest_config", &format!("the configuration of {label}")),
    }
}

fn snapshots(view: &View<'_>, guest: &Guest) -> Reply {
    let label = guest_label(guest);
    let name = ("guest", label.as_str());
    let Some(snapshots) = &view.facts.snapshots else {
        return view.not_learnt("snapshots", &format!("the snapshots of {label}"));
    };
    let Some(last) = snapshots.last() else {
        return view.reply("guest.no_snapshots", &[name], Some("no"));
    };
    let n = snapshots.len().to_string();
    let many = count(snapshots.len(), "snapshot", "snapshots");
    let values = [
        name,
        ("snapshots", many.as_str()),
        ("last", last.name.as_str()),
        ("ago", &last.taken.map_or_else(String::new, |t| ago(view.asker.now, t))),
    ];
    let mut reply = match (snapshots.len(), last.taken) {
        (1, Some(_)) => view.reply("guest.one_snapshot", &values, Some(&n)),
        (_, Some(_)) => view.reply("guest.snapshots", &values, Some(&n)),
        (_, None) => view.reply("guest.snapshots_undated", &values, Some(&n)),
    };
    let lines: Vec<String> = snapshots
        .iter()
        .map(|s| match s.taken {
            Some(taken) => format!("{}: {}", s.name, view.when(taken)),
            None => format!("{}: time unknown", s.name),
        })
        .collect();
    reply.page = page(&lines);
    reply
}

fn id(view: &View<'_>, guest: &Guest) -> Reply {
    let label = guest_label(guest);
    let vmid = guest.vmid.to_string();
    let kind = match guest.kind {
        GuestKind::Vm => "VM",
        GuestKind::Container => "container",
    };
    let twins: Vec<String> = view
        .facts
        .cluster
        .iter()
        .flat_map(|c| &c.guests)
        .filter(|g| g.name.is_some() && g.name == guest.name && g.vmid != guest.vmid)
        .map(|g| g.vmid.to_string())
        .collect();
    let values = [("guest", label.as_str()), ("vmid", vmid.as_str()), ("kind", kind)];
    let mut reply = view.reply("guest.id", &values, Some(&vmid));
    if !twins.is_empty() {
        reply.page = Some(format!("Also named {label}: {}", some(&twins)));
    }
    reply
}
