//! Answers about the guests together.

use crate::answer::Reply;
use crate::answer::measure::{count, figure, percent, size};
use crate::answer::view::{View, guest_label, page, some};
use crate::cluster::{Guest, GuestKind, GuestState};

pub(super) fn answer(view: &View<'_>, what: &str) -> Option<Reply> {
    let reply = match what {
        "running" => in_state(view, true),
        "stopped" => in_state(view, false),
        "count" => how_many(view),
        "where" => places(view),
        "top_memory" => top(view, "guests.top_memory", |g| g.memory.map(|m| m.used as f64)),
        "top_load" => top(view, "guests.top_load", |g| g.cpu.map(|cpu| cpu * g.cores.unwrap_or(1.0).max(1.0))),
        _ => return None,
    };
    Some(reply.unwrap_or_else(|sorry| sorry))
}

/// Adds how many guests nobody can speak for.
fn with_unknown(view: &View<'_>, guests: &[Guest], mut reply: Reply) -> Reply {
    let unknown = guests.iter().filter(|g| g.state == GuestState::Unknown).count();
    if unknown > 0 {
        let unknown = count(unknown, "guest", "guests");
        reply.speech.push(' ');
        reply.speech.push_str(&view.say("guests.unknown", &[("guests", &unknown)]));
    }
    reply
}

fn in_state(view: &View<'_>, running: bool) -> Result<Reply, Reply> {
    let guests = &view.cluster()?.guests;
    let fits = |g: &&Guest| match g.state {
        GuestState::Running => running,
        GuestState::Stopped | GuestState::Paused => !running,
        GuestState::Unknown => false,
    };
    let names: Vec<String> = guests.iter().filter(fits).map(guest_label).collect();
    let (n, all) = (names.len().to_string(), guests.len().to_string());
    let said = some(&names);
    let values = [
        ("count", n.as_str()),
        ("all", all.as_str()),
        ("names", said.as_str()),
        ("guests", &count(names.len(), "guest", "guests")),
        ("are", if names.len() == 1 { "is" } else { "are" }),
    ];
    let key = match (running, names.len()) {
        (true, 0) => "guests.none_running",
        (true, _) => "guests.running",
        (false, 0) => "guests.none_stopped",
        (false, 1) => "guests.one_stopped",
        (false, _) => "guests.stopped",
    };
    let fact = if names.is_empty() { "none" } else { &n };
    let mut reply = with_unknown(view, guests, view.reply(key, &values, Some(fact)));
    reply.page = page(&names);
    Ok(reply)
}

fn how_many(view: &View<'_>) -> Result<Reply, Reply> {
    let guests = &view.cluster()?.guests;
    let vms = guests.iter().filter(|g| g.kind == GuestKind::Vm).count();
    let n = guests.len().to_string();
    let values = [
        ("guests", count(guests.len(), "guest", "guests")),
        ("vms", count(vms, "VM", "VMs")),
        ("containers", count(guests.len() - vms, "container", "containers")),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let fact = if guests.is_empty() { "no" } else { &n };
    Ok(view.reply_with_gaps("guests.count", &values, Some(fact)))
}

fn places(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let mut said = Vec::new();
    let mut lines = Vec::new();
    let mut first = None;
    for node in &cluster.nodes {
        let here: Vec<&Guest> =
            cluster.guests.iter().filter(|g| g.node == node.name && g.state == GuestState::Running).collect();
        let names: Vec<String> = here.iter().map(|g| guest_label(g)).collect();
        first.get_or_insert(names.len().to_string());
        said.push(format!(
            "{} on {}",
            if names.is_empty() { "none".to_owned() } else { names.len().to_string() },
            node.name
        ));
        lines.push(format!("{}: {}", node.name, names.join(", ")));
    }
    let placed = some(&said);
    let mut reply = view.reply_with_gaps("guests.where", &[("places", placed.as_str())], first.as_deref());
    reply.page = page(&lines);
    Ok(reply)
}

fn top(view: &View<'_>, key: &str, of: impl Fn(&Guest) -> Option<f64>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let running = cluster.guests.iter().filter(|g| g.state == GuestState::Running);
    let mut known: Vec<(&Guest, f64)> = running.filter_map(|g| Some((g, of(g)?))).collect();
    known.sort_by(|a, b| b.1.total_cmp(&a.1));
    let Some((guest, value)) = known.first() else {
        return Ok(view.reply("guests.top_unknown", &[], None));
    };
    let label = guest_label(guest);
    let memory = guest.memory.map_or_else(String::new, |m| size(m.used));
    let share = guest.cpu.map_or_else(String::new, percent);
    let cores = figure(*value);
    let values = [
        ("guest", label.as_str()),
        ("memory", memory.as_str()),
        ("percent", share.as_str()),
        ("cores", cores.as_str()),
        ("node", guest.node.as_str()),
    ];
    let mut reply = view.reply_with_gaps(key, &values, Some(&label));
    let line = |(g, _): &(&Guest, f64)| {
        let memory = g.memory.map_or_else(|| "unknown".to_owned(), |m| size(m.used));
        let load = g.cpu.map_or_else(|| "unknown".to_owned(), percent);
        format!("{}: {memory}, {load} % of its cores", guest_label(g))
    };
    reply.page = page(&known.iter().take(10).map(line).collect::<Vec<_>>());
    Ok(reply)
}
