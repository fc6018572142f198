//! Answers about one node.

use crate::answer::Reply;
use crate::answer::measure::{count, duration, figure, first_word, percent, size, used_of, used_percent};
use crate::answer::view::{View, guest_label, page, some};
use crate::cluster::{GuestState, Node, Presence, Usage};

pub(super) fn answer(view: &View<'_>, what: &str) -> Option<Reply> {
    let known = ["status", "load", "memory", "disk", "uptime", "temperature", "guests", "version"];
    if !known.contains(&what) {
        return None;
    }
    Some(of_node(view, what).unwrap_or_else(|sorry| sorry))
}

fn of_node(view: &View<'_>, what: &str) -> Result<Reply, Reply> {
    let node = view.node()?;
    let name = ("node", node.name.as_str());
    match (node.presence, what) {
        // What is configured on a silent node is known all the same.
        (Presence::Online, _) | (_, "guests") => {}
        (Presence::Offline, "status") => {
            return Ok(view.reply("node.offline", &[name], Some("down")));
        }
        (Presence::Offline, _) => return Ok(view.reply("node.offline_unknown", &[name], None)),
        (Presence::Unknown, _) => return Ok(view.reply("node.silent", &[name], None)),
    }
    Ok(match what {
        "status" => status(view, node),
        "load" => load(view, node),
        "memory" => usage(view, node, node.memory, "node.memory", "its memory"),
        "disk" => disk(view, node),
        "uptime" => match node.uptime_s {
            Some(seconds) => {
                let time = duration(seconds);
                let values = [name, ("time", time.as_str())];
                view.reply("node.uptime", &values, Some(first_word(&time)))
            }
            None => unknown(view, node, "its uptime"),
        },
        "temperature" => temperature(view, node),
        "guests" => guests(view, node)?,
        _ => version(view, node),
    })
}

fn unknown(view: &View<'_>, node: &Node, what: &str) -> Reply {
    let values = [("node", node.name.as_str()), ("what", what)];
    view.reply("node.unknown", &values, None)
}

fn status(view: &View<'_>, node: &Node) -> Reply {
    let name = ("node", node.name.as_str());
    match (node.cpu, node.memory, node.uptime_s) {
        (Some(cpu), Some(memory), Some(uptime)) => {
            let (cpu, memory, time) = (percent(cpu), used_percent(memory), duration(uptime));
            let values = [name, ("cpu", cpu.as_str()), ("memory", memory.as_str()), ("time", time.as_str())];
            view.reply("node.status", &values, Some("up"))
        }
        _ => view.reply("node.up", &[name], Some("up")),
    }
}

fn load(view: &View<'_>, node: &Node) -> Reply {
    let Some(cpu) = node.cpu else {
        return unknown(view, node, "its load");
    };
    let percent = percent(cpu);
    let one_minute = view
        .facts
        .node_status
        .as_ref()
        .filter(|status| status.node == node.name)
        .and_then(|status| status.load)
        .map(|load| figure(load[0]));
    let average = one_minute.as_deref().unwrap_or("");
    let values = [("node", node.name.as_str()), ("percent", percent.as_str()), ("average", average)];
    if average.is_empty() {
        view.reply("node.load", &values[..2], Some(&percent))
    } else {
        view.reply("node.load_average", &values, Some(&percent))
    }
}

fn usage(view: &View<'_>, node: &Node, usage: Option<Usage>, key: &str, what: &str) -> Reply {
    let Some(usage) = usage.filter(|u| u.total > 0) else {
        return unknown(view, node, what);
    };
    let (used, percent, free) = (used_of(usage), used_percent(usage), size(usage.free()));
    let values =
        [("node", node.name.as_str()), ("used", used.as_str()), ("percent", percent.as_str()), ("free", free.as_str())];
    view.reply(key, &values, Some(&percent))
}

fn disk(view: &View<'_>, node: &Node) -> Reply {
    usage(view, node, node.root, "node.disk", "its root disk")
}

fn temperature(view: &View<'_>, node: &Node) -> Reply {
    let degrees =
        view.facts.temperatures.iter().flatten().find(|(name, _)| *name == node.name).and_then(|(_, degrees)| *degrees);
    match degrees {
        Some(degrees) => {
            let degrees = format!("{degrees:.0}");
            let values = [("node", node.name.as_str()), ("degrees", degrees.as_str())];
            view.reply("node.temperature", &values, Some(&degrees))
        }
        None if view.facts.gaps.iter().any(|g| g.read == "temperatures") => {
            view.not_learnt("temperatures", &format!("the temperature of {}", node.name))
        }
        None => unknown(view, node, "its temperature"),
    }
}

fn guests(view: &View<'_>, node: &Node) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let here: Vec<_> = cluster.guests.iter().filter(|g| g.node == node.name).collect();
    let running: Vec<String> = here.iter().filter(|g| g.state == GuestState::Running).map(|g| guest_label(g)).collect();
    let n = running.len().to_string();
    let name = ("node", node.name.as_str());
    if node.presence != Presence::Online {
        let configured = count(here.len(), "guest", "guests");
        let values = [name, ("guests", configured.as_str())];
        return Ok(view.reply("node.guests_silent", &values, None));
    }
    let guests = count(running.len(), "guest", "guests");
    let names = some(&running);
    let values = [name, ("guests", guests.as_str()), ("names", names.as_str())];
    let mut reply = if running.is_empty() {
        view.reply("node.no_guests", &[name], Some("nothing"))
    } else {
        view.reply("node.guests", &values, Some(&n))
    };
    let lines: Vec<String> = here.iter().map(|g| format!("{} {} {:?}", g.vmid, guest_label(g), g.state)).collect();
    reply.page = page(&lines);
    Ok(reply)
}

fn version(view: &View<'_>, node: &Node) -> Reply {
    let status = view.facts.node_status.as_ref().filter(|status| status.node == node.name);
    let Some(status) = status else {
        return view.not_learnt("node_status", &format!("the version of {}", node.name));
    };
    let kernel = status.kernel.as_deref().map(spoken_kernel);
    let name = ("node", node.name.as_str());
    match (status.pve_version.as_deref(), kernel.as_deref()) {
        (Some(version), Some(kernel)) => {
            let values = [name, ("version", version), ("kernel", kernel)];
            view.reply("node.version", &values, Some(version))
        }
        (Some(version), None) => {
            let values = [name, ("version", version)];
            view.reply("node.version_only", &values, Some(version))
        }
        (None, Some(kernel)) => {
            let values = [name, ("kernel", kernel)];
            view.reply("node.kernel_only", &values, Some(kernel))
        }
        (None, None) => unknown(view, node, "its version"),
    }
}

/// `6.14.8-2-pve` is "6.14.8" for the ear; the page has the rest.
fn spoken_kernel(kernel: &str) -> String {
    kernel.split('-').next().unwrap_or(kernel).to_owned()
}
