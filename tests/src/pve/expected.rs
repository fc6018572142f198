//! What a right answer holds, from the simulator's state and without any of Jarvis's code.
//!
//! A right answer to a question holds one figure or several ("4 nodes up, 14 guests running"), and each of them may be said in more
//! than one way: a share or an amount, rounded or not, in binary or decimal units. An answer that lacks one [`Figure`] is wrong.
//!
//! `said` has the ways to say things, `history` the requests about tasks, backups and time.

mod history;
mod said;

use jarvis_core::cluster::GuestKind;
use jarvis_core::intent::Intent;

use super::state::{Guest, Node, State, Storage};
use history::of_history;
pub use said::Figure;
use said::{amount, free, name, number, rounded, since, used, version, words};

const DAY: i64 = 86_400;
/// Lists up to this long are said whole; of longer ones only the count must be heard.
const LIST_MAX: usize = 3;
/// What is said where nobody can know.
const UNKNOWN: [&str; 9] = [
    "unknown",
    "can't say",
    "cannot say",
    "don't know",
    "do not know",
    "not answer",
    "not answering",
    "offline",
    "down",
];
const STOPPED: [&str; 4] = ["stopped", "not running", "down", "off"];
const NOTHING: [&str; 4] = ["nothing", "no", "none", "every"];
const FINE: [&str; 6] = ["fine", "well", "order", "healthy", "good", "complaint"];

/// Kinds whose answers hold nothing that could be computed: talk, what only acts, and what Jarvis says of himself.
const WITHOUT_FIGURE: [&str; 14] = [
    "control.cancel",
    "control.louder",
    "control.quieter",
    "control.repeat",
    "control.stand_down",
    "control.stop",
    "control.volume",
    "self.heard",
    "self.help",
    "self.status",
    "self.why",
    "talk.bye",
    "talk.hello",
    "talk.thanks",
];

/// Whether an answer to `kind` is right without any figure. Of every other kind an empty list of figures says that nobody knows.
pub fn without_figure(kind: &str) -> bool {
    WITHOUT_FIGURE.contains(&kind)
}

/// What an answer to `kind` must hold, all of it; empty where the kind has no figure ([`without_figure`]), and where nobody knows it: an
/// unknown kind, or a slot that is missing or names nothing.
///
/// `slots` are as in tests/frozen/requests.tsv: `node=pve2`, `guest=104`, `storage=nas`.
pub fn expected(state: &State, now: i64, kind: &str, slots: &[(&str, &str)]) -> Vec<Figure> {
    let slot = |name: &str| slots.iter().find(|(slot, _)| *slot == name).map(|(_, value)| *value);
    let figures = if kind.starts_with("node.") {
        slot("node").and_then(|name| state.node(name)).map(|node| of_node(state, now, kind, node))
    } else if kind.starts_with("guest.") {
        let vmid = slot("guest").and_then(|vmid| vmid.parse().ok());
        vmid.and_then(|vmid| state.guest(vmid)).map(|guest| of_guest(state, now, kind, guest))
    } else {
        match kind {
            "storage.free" => slot("storage").map(|name| storage_free(state, name)),
            "backup.last" => {
                let vmid = slot("guest").and_then(|vmid| vmid.parse().ok());
                vmid.map(|vmid| vec![history::last_backup(state, now, vmid)])
            }
            kind => Some(of_cluster(state, now, kind)),
        }
    };
    let mut all = figures.unwrap_or_default();
    all.retain(|figure| !figure.is_empty());
    all.sort();
    all.dedup();
    all
}

/// Likewise, of a request that was understood.
pub fn wanted(state: &State, now: i64, intent: &Intent) -> Vec<Figure> {
    let slots = &intent.slots;
    let guest = slots.guest.map(|guest| guest.to_string());
    let given = [
        ("node", slots.node.as_ref().map(|node| node.as_str())),
        ("guest", guest.as_deref()),
        ("storage", slots.storage.as_ref().map(|storage| storage.as_str())),
    ];
    let given: Vec<(&str, &str)> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    expected(state, now, &intent.kind, &given)
}

/// The names of a short list, or how many a long one has.
fn listed(guests: &[&Guest]) -> Vec<Figure> {
    match guests.len() {
        1..=LIST_MAX => guests.iter().map(|guest| name(guest)).collect(),
        count => vec![number(count)],
    }
}

fn of_node(state: &State, now: i64, kind: &str, node: &Node) -> Vec<Figure> {
    if !node.alive {
        return vec![words(&UNKNOWN)];
    }
    let running: Vec<&Guest> = state.guests.iter().filter(|guest| guest.node == node.name && guest.running).collect();
    match kind {
        "node.status" => vec![words(&["up", "online", "running"])],
        "node.load" => vec![number(node.cpu_percent)],
        "node.memory" => vec![used(node.memory)],
        "node.disk" => vec![used(node.root).or(free(node.root))],
        "node.uptime" => vec![since(now, node.booted)],
        "node.temperature" => vec![rounded(node.celsius)],
        "node.guests" if running.is_empty() => vec![words(&NOTHING)],
        "node.guests" => listed(&running),
        // Whoever asks for a version means the one or the other.
        "node.version" => {
            let kernel = node.kernel.trim_end_matches("-pve");
            vec![version(&state.version).or(version(kernel)).or(version(kernel.split('-').next().unwrap_or_default()))]
        }
        _ => Vec::new(),
    }
}

fn of_guest(state: &State, now: i64, kind: &str, guest: &Guest) -> Vec<Figure> {
    match kind {
        "guest.id" => return vec![number(guest.vmid)],
        "guest.where" => return vec![words(&[&guest.node])],
        _ => {}
    }
    if !state.reachable(guest) {
        return vec![words(&UNKNOWN)];
    }
    match kind {
        "guest.status" if guest.running => vec![words(&["running", "up", "runs"])],
        "guest.config" => vec![number(guest.cores), amount(guest.memory.1)],
        "guest.snapshots" => vec![number(guest.snapshots.len())],
        "guest.disk" if guest.kind == GuestKind::Container && guest.running => {
            vec![used(guest.disk).or(free(guest.disk))]
        }
        "guest.disk" => vec![amount(guest.disk.1)],
        _ if !guest.running => vec![words(&STOPPED)],
        "guest.memory" => vec![used(guest.memory)],
        "guest.load" => vec![number(guest.cpu_percent)],
        "guest.uptime" => vec![since(now, guest.started)],
        _ => Vec::new(),
    }
}

fn of_cluster(state: &State, now: i64, kind: &str) -> Vec<Figure> {
    let alive: Vec<&Node> = state.nodes.iter().filter(|node| node.alive).collect();
    let dead = || state.nodes.iter().filter(|node| !node.alive).map(|node| words(&[&node.name]));
    let known: Vec<&Guest> = state.guests.iter().filter(|guest| state.reachable(guest)).collect();
    let running: Vec<&Guest> = known.iter().copied().filter(|guest| guest.running).collect();
    let stopped: Vec<&Guest> = known.iter().copied().filter(|guest| !guest.running).collect();
    let name_of = |node: Option<&&Node>| node.map(|node| words(&[&node.name])).into_iter().collect();
    match kind {
        "cluster.status" => dead().chain([number(alive.len()), number(running.len())]).collect(),
        "cluster.problems" => problems(state, now),
        "cluster.quorum" => {
            let holds = match state.quorate() {
                true => words(&["quorate", "has quorum", "have quorum", "quorum holds", "quorum is present"]),
                false => words(&["no quorum", "lost", "not quorate", "not have quorum", "without quorum"]),
            };
            vec![holds, number(alive.len())]
        }
        "cluster.nodes" => dead().chain([number(alive.len())]).collect(),
        "cluster.load" => {
            let cores: u64 = alive.iter().map(|node| node.cores).sum();
            let busy: u64 = alive.iter().map(|node| node.cores * node.cpu_percent).sum();
            // A half may be rounded either way.
            vec![rounded(busy as f64 / cores.max(1) as f64).or(number(busy / cores.max(1)))]
        }
        // "How much is left" is the same kind as "how much is in use".
        "cluster.memory" => {
            let all = alive.iter().fold((0, 0), |(u, t), node| (u + node.memory.0, t + node.memory.1));
            vec![used(all).or(free(all))]
        }
        "cluster.version" => vec![version(&state.version)],
        "cluster.ha" => {
            let bad: Vec<_> = state.ha.iter().filter(|(_, bad)| *bad).collect();
            let named = bad.iter().filter_map(|(vmid, _)| Some(name(state.guest(*vmid)?).or(number(*vmid))));
            match bad.is_empty() {
                true if state.nodes.iter().any(|node| !node.alive) => vec![words(&["not happy"])],
                true => vec![words(&FINE), number(state.ha.len())],
                false => named.chain([words(&["error", "trouble"])]).collect(),
            }
        }
        "cluster.hottest" => name_of(alive.iter().max_by(|a, b| a.celsius.total_cmp(&b.celsius))),
        "cluster.busiest" => name_of(alive.iter().max_by_key(|node| node.cpu_percent)),
        "guests.running" => vec![number(running.len())],
        "guests.stopped" => listed(&stopped),
        "guests.count" => vec![number(state.guests.len())],
        "guests.where" => {
            let on = |node: &&Node| running.iter().filter(|guest| guest.node == node.name).count();
            alive.iter().map(|node| number(on(node))).collect()
        }
        "guests.top_memory" => running.iter().max_by_key(|guest| guest.memory.0).map(|g| name(g)).into_iter().collect(),
        "guests.top_load" => {
            running.iter().max_by_key(|guest| guest.cpu_percent * guest.cores).map(|g| name(g)).into_iter().collect()
        }
        "storage.status" => {
            let fullest = fullest(state);
            let shares = fullest.iter().map(|storage| format!("{:.0}", share(storage)));
            vec![names(&fullest), Figure::any(shares)]
        }
        "storage.fullest" => vec![names(&fullest(state))],
        _ => of_history(state, now, kind),
    }
}

/// What is grave must be named, each of it. A storage between 85 and 90 percent and a guest without a backup job are worth a word, and
/// no problem yet.
fn problems(state: &State, now: i64) -> Vec<Figure> {
    let dead = state.nodes.iter().filter(|node| !node.alive).map(|node| words(&[&node.name]));
    let full = state.storages.iter().filter(|storage| share(storage) > 90.0).map(|storage| words(&[&storage.name]));
    let ha = state.ha.iter().filter(|(_, bad)| *bad).filter_map(|(vmid, _)| Some((*vmid, state.guest(*vmid)?)));
    let ha = ha.map(|(vmid, guest)| name(guest).or(number(vmid)));
    let mut found: Vec<Figure> = dead.chain(full).chain(ha).collect();
    let failed = state.tasks.iter().filter(|task| task.failed() && task.started >= now - DAY).count();
    if failed > 0 {
        found.extend([number(failed), words(&["failed", "failure", "failures"])]);
    }
    if state.replication.iter().any(|job| job.failures > 0) {
        found.push(words(&["replication"]));
    }
    if !state.quorate() {
        found.push(words(&["quorum"]));
    }
    if found.is_empty() { vec![words(&NOTHING)] } else { found }
}

fn share(storage: &Storage) -> f64 {
    storage.bytes.0 as f64 / storage.bytes.1.max(1) as f64 * 100.0
}

fn names(storages: &[&Storage]) -> Figure {
    Figure::any(storages.iter().map(|storage| storage.name.clone()))
}

/// The fullest storages; several where rounding makes them equal.
fn fullest(state: &State) -> Vec<&Storage> {
    let known = || {
        state.storages.iter().filter(|storage| match &storage.node {
            Some(node) => state.node(node).is_some_and(|node| node.alive),
            None => true,
        })
    };
    let most = known().map(share).fold(0.0, f64::max);
    known().filter(|storage| share(storage) > most - 1.0).collect()
}

/// Space left, or how full it is: a storage of every node is that of one of them, or of all.
fn storage_free(state: &State, name: &str) -> Vec<Figure> {
    let alive = |storage: &&Storage| {
        let node = storage.node.as_deref().and_then(|node| state.node(node));
        storage.name == name && node.is_none_or(|node| node.alive)
    };
    let parts: Vec<(u64, u64)> = state.storages.iter().filter(alive).map(|storage| storage.bytes).collect();
    let all = parts.iter().fold((0, 0), |(u, t), part| (u + part.0, t + part.1));
    match parts.is_empty() {
        true => vec![words(&UNKNOWN)],
        false => vec![
            parts.into_iter().chain([all]).map(|part| used(part).or(free(part))).fold(Figure::default(), Figure::or),
        ],
    }
}

#[cfg(test)]
mod tests;
