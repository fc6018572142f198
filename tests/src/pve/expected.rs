//! What a right answer holds, from the simulator's state and without any of Jarvis's code.
//!
//! A question has one right answer and several ways to say it: a share or an amount, rounded or not, in binary or decimal units. Each
//! string returned is one acceptable figure, name or word; an answer that holds none of them is wrong.
//!
//! Length: one function per kind of request.

use jarvis_core::cluster::GuestKind;

use super::state::{Guest, Node, State, Storage, Task};
use crate::judge::forms;

const DAY: i64 = 86_400;
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
const FINE: [&str; 9] = ["fine", "well", "order", "healthy", "all", "nothing", "no", "none", "good"];

/// What one of an answer to `kind` must hold; empty where the kind has no figure (talk and control).
///
/// `slots` are as in tests/frozen/requests.tsv: `node=pve2`, `guest=104`, `storage=nas`.
pub fn expected(state: &State, now: i64, kind: &str, slots: &[(&str, &str)]) -> Vec<String> {
    let slot = |name: &str| slots.iter().find(|(slot, _)| *slot == name).map(|(_, value)| *value);
    let figures = if kind.starts_with("node.") {
        slot("node").and_then(|name| state.node(name)).map(|node| of_node(state, now, kind, node))
    } else if kind.starts_with("guest.") {
        let vmid = slot("guest").and_then(|vmid| vmid.parse().ok());
        vmid.and_then(|vmid| state.guest(vmid)).map(|guest| of_guest(state, now, kind, guest))
    } else {
        match kind {
            "storage.free" => slot("storage").map(|name| storage_free(state, name)),
            "backup.last" => slot("guest").and_then(|vmid| vmid.parse().ok()).map(|vmid| last_backup(state, now, vmid)),
            kind => Some(of_cluster(state, now, kind)),
        }
    };
    let mut figures = figures.unwrap_or_default();
    figures.sort();
    figures.dedup();
    figures
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn number(number: impl TryInto<u64>) -> String {
    number.try_into().unwrap_or_default().to_string()
}

fn name(guest: &Guest) -> String {
    guest.name.clone().unwrap_or_else(|| guest.vmid.to_string())
}

/// `61.25` as `61` or `61.3`.
fn rounded(value: f64) -> Vec<String> {
    let tenths = format!("{value:.1}");
    let whole = format!("{value:.0}");
    match tenths.strip_suffix(".0") {
        Some(_) => vec![whole],
        None => vec![whole, tenths],
    }
}

/// An amount of bytes in whatever unit suits.
fn amount(bytes: u64) -> Vec<String> {
    let mut figures = Vec::new();
    for unit in [1 << 20, 1_000_000, 1 << 30, 1_000_000_000, 1_u64 << 40, 1_000_000_000_000] {
        let value = bytes as f64 / unit as f64;
        if !(0.5..2000.0).contains(&value) {
            continue;
        }
        let mut rounded = rounded(value);
        // A small amount rounded to the next whole one is not right any more.
        if value < 3.0 && rounded.len() == 2 {
            rounded.remove(0);
        }
        figures.extend(rounded);
    }
    figures
}

/// Bytes used of bytes there: share or amount, used or free.
fn usage((used, total): (u64, u64)) -> Vec<String> {
    let share = used as f64 / total.max(1) as f64 * 100.0;
    let mut figures = vec![format!("{share:.0}"), format!("{:.0}", 100.0 - share)];
    figures.extend(amount(used));
    figures.extend(amount(total - used));
    figures
}

fn since(now: i64, then: i64) -> Vec<String> {
    let days = (now - then) / DAY;
    let mut figures = vec![number(days)];
    if days == 0 {
        figures.push(number((now - then) / 3600));
    }
    figures
}

/// `9.2.11` as a person says it.
fn version(version: &str) -> Vec<String> {
    let spoken = |part: &str| forms(part).into_iter().next().unwrap_or_default();
    let parts: Vec<String> = version.split(['.', '-']).filter(|p| p.parse::<u64>().is_ok()).map(spoken).collect();
    let digits: Vec<String> = version.chars().filter(char::is_ascii_digit).map(|c| spoken(&c.to_string())).collect();
    vec![parts.join(" point "), parts.join(" dot "), parts.join(" "), digits.join(" ")]
}

fn of_node(state: &State, now: i64, kind: &str, node: &Node) -> Vec<String> {
    if !node.alive {
        return words(&UNKNOWN);
    }
    let here: Vec<&Guest> = state.guests.iter().filter(|guest| guest.node == node.name).collect();
    let running: Vec<&&Guest> = here.iter().filter(|guest| guest.running).collect();
    match kind {
        "node.status" => words(&["up", "online", "running"]),
        "node.load" => {
            let mut figures = vec![number(node.cpu_percent)];
            figures.extend(node.load.iter().flat_map(|load| rounded(*load)));
            figures
        }
        "node.memory" => usage(node.memory),
        "node.disk" => usage(node.root),
        "node.uptime" => since(now, node.booted),
        "node.temperature" => rounded(node.celsius),
        "node.guests" if here.is_empty() => words(&FINE),
        "node.guests" => {
            let mut figures = vec![number(running.len()), number(here.len())];
            figures.extend(running.iter().map(|guest| name(guest)));
            figures
        }
        "node.version" => {
            let mut figures = version(&state.version);
            let kernel = node.kernel.trim_end_matches("-pve");
            figures.extend(version(kernel));
            figures.extend(version(kernel.split('-').next().unwrap_or_default()));
            figures
        }
        _ => Vec::new(),
    }
}

fn of_guest(state: &State, now: i64, kind: &str, guest: &Guest) -> Vec<String> {
    match kind {
        "guest.id" => return vec![number(guest.vmid)],
        "guest.where" => return vec![guest.node.clone()],
        _ => {}
    }
    if !state.reachable(guest) {
        return words(&UNKNOWN);
    }
    match kind {
        "guest.status" if guest.running => words(&["running", "up", "runs"]),
        "guest.config" => {
            let mut figures = vec![number(guest.cores)];
            figures.extend(amount(guest.memory.1));
            figures
        }
        "guest.snapshots" => {
            let mut figures = vec![number(guest.snapshots.len())];
            figures.extend(guest.snapshots.iter().map(|(name, _)| name.clone()));
            figures
        }
        "guest.disk" => {
            let mut figures = amount(guest.disk.1);
            if guest.kind == GuestKind::Container && guest.running {
                figures.extend(usage(guest.disk));
            }
            figures
        }
        _ if !guest.running => words(&STOPPED),
        "guest.memory" => usage(guest.memory),
        "guest.load" => vec![number(guest.cpu_percent)],
        "guest.uptime" => since(now, guest.started),
        _ => Vec::new(),
    }
}

fn of_cluster(state: &State, now: i64, kind: &str) -> Vec<String> {
    let alive: Vec<&Node> = state.nodes.iter().filter(|node| node.alive).collect();
    let known: Vec<&Guest> = state.guests.iter().filter(|guest| state.reachable(guest)).collect();
    let running: Vec<&Guest> = known.iter().copied().filter(|guest| guest.running).collect();
    let stopped: Vec<&Guest> = known.iter().copied().filter(|guest| !guest.running).collect();
    let counted = |guests: &[&Guest]| {
        let mut figures = vec![number(guests.len())];
        figures.extend(guests.iter().map(|guest| name(guest)));
        figures
    };
    let name_of = |node: Option<&&Node>| node.map(|node| vec![node.name.clone()]).unwrap_or_default();
    match kind {
        "cluster.status" => vec![number(alive.len()), number(running.len())],
        "cluster.problems" => problems(state, now),
        "cluster.quorum" if state.quorate() => {
            let mut figures = words(&["quorate", "has quorum", "have quorum", "quorum is present"]);
            figures.push(number(alive.len()));
            figures
        }
        "cluster.quorum" => words(&["no quorum", "lost", "not quorate", "not have quorum", "without quorum"]),
        "cluster.nodes" => {
            let dead = state.nodes.iter().filter(|node| !node.alive);
            let mut figures = vec![number(alive.len())];
            figures.extend(dead.map(|node| node.name.clone()));
            figures
        }
        "cluster.load" => {
            let cores: u64 = alive.iter().map(|node| node.cores).sum();
            let busy: u64 = alive.iter().map(|node| node.cores * node.cpu_percent).sum();
            // A half may be rounded either way.
            let mut figures = rounded(busy as f64 / cores.max(1) as f64);
            figures.push(number(busy / cores.max(1)));
            figures
        }
        "cluster.memory" => {
            let (used, total) = alive.iter().fold((0, 0), |(u, t), node| (u + node.memory.0, t + node.memory.1));
            let mut figures = usage((used, total));
            figures.extend(amount(total));
            figures
        }
        "cluster.version" => version(&state.version),
        "cluster.ha" => {
            let bad: Vec<_> = state.ha.iter().filter(|(_, bad)| *bad).collect();
            let mut figures: Vec<String> = bad.iter().filter_map(|(vmid, _)| state.guest(*vmid)).map(name).collect();
            match bad.is_empty() {
                true => figures.extend(words(&["fine", "well", "order", "healthy", "started", "active"])),
                false => figures.extend(words(&["error", "trouble"])),
            }
            figures.push(number(state.ha.len()));
            figures
        }
        "cluster.hottest" => name_of(alive.iter().max_by(|a, b| a.celsius.total_cmp(&b.celsius))),
        "cluster.busiest" => name_of(alive.iter().max_by_key(|node| node.cpu_percent)),
        "guests.running" => counted(&running),
        "guests.stopped" => counted(&stopped),
        "guests.count" => vec![number(state.guests.len())],
        "guests.where" => {
            let on = |node: &&Node| running.iter().filter(|guest| guest.node == node.name).count();
            alive
                .iter()
                .map(|node| number(on(node)))
                .chain([number(running.len()), number(state.guests.len())])
                .collect()
        }
        "guests.top_memory" => {
            running.iter().max_by_key(|guest| guest.memory.0).map(|guest| vec![name(guest)]).unwrap_or_default()
        }
        "guests.top_load" => running
            .iter()
            .max_by_key(|guest| guest.cpu_percent * guest.cores)
            .map(|guest| vec![name(guest)])
            .unwrap_or_default(),
        "storage.status" => {
            let mut figures: Vec<String> = fullest(state).iter().map(|storage| storage.name.clone()).collect();
            figures.extend(fullest(state).iter().map(|storage| format!("{:.0}", share(storage))));
            figures
        }
        "storage.fullest" => fullest(state).iter().map(|storage| storage.name.clone()).collect(),
        _ => of_history(state, now, kind),
    }
}

fn of_history(state: &State, now: i64, kind: &str) -> Vec<String> {
    let midnight = state.midnight(now);
    let objects = |tasks: &[&super::state::Task]| -> Vec<String> {
        let guests = tasks.iter().filter_map(|task| state.guest(task.object.parse().ok()?));
        let mut figures: Vec<String> = guests.map(name).collect();
        if tasks.iter().any(|task| task.kind == "vzdump") {
            figures.extend(words(&["backup", "backups"]));
        }
        figures
    };
    let tasks = |keep: &dyn Fn(&super::state::Task) -> bool| -> Vec<_> {
        state.tasks.iter().filter(|task| keep(task)).collect()
    };
    match kind {
        "tasks.recent" => objects(&state.tasks.iter().take(3).collect::<Vec<_>>()),
        "tasks.running" => {
            // A dead node's tasks are nobody's to tell.
            let alive = |task: &Task| state.node(&task.node).is_some_and(|node| node.alive);
            let running = tasks(&|task| task.ended.is_none() && alive(task));
            let mut figures = objects(&running);
            figures.push(number(running.len()));
            if running.is_empty() {
                figures.extend(words(&["nothing", "no", "none"]));
            }
            figures
        }
        "tasks.failed" => {
            let failed = tasks(&|task| task.failed());
            let within = |since: i64| number(failed.iter().filter(|task| task.started >= since).count());
            let mut figures = objects(&failed);
            figures.extend([number(failed.len()), within(midnight), within(now - DAY)]);
            figures
        }
        "tasks.today" => {
            let within = |since: i64| number(state.tasks.iter().filter(|task| task.started >= since).count());
            vec![within(midnight), within(now - DAY)]
        }
        "backup.status" => match state.backup_failed().and_then(|vmid| state.guest(vmid)) {
            Some(guest) => vec![name(guest), guest.node.clone(), "failed".to_owned(), "1".to_owned()],
            None => words(&["succeeded", "successful", "success", "completed", "fine", "well", "all", "without error"]),
        },
        "backup.missing" => {
            let mut figures: Vec<String> =
                state.not_backed_up.iter().filter_map(|vmid| state.guest(*vmid)).map(name).collect();
            figures.push(number(state.not_backed_up.len()));
            figures
        }
        "backup.schedule" => words(&["two thirty", "half past two", "oh two thirty", "2:30", "02:30"]),
        "replication.status" => {
            let failing: Vec<_> = state.replication.iter().filter(|job| job.failures > 0).collect();
            let mut figures: Vec<String> = failing.iter().filter_map(|job| state.guest(job.vmid)).map(name).collect();
            match failing.is_empty() {
                true => figures.extend(words(&FINE)),
                false => figures.extend(words(&["failing", "failed", "failure", "failures"])),
            }
            figures.push(number(state.replication.len()));
            figures
        }
        "self.who" => words(&["jarvis"]),
        "time.now" => time_of_day(now + state.offset_s),
        "time.date" => {
            let date = jiff::Timestamp::from_second(now + state.offset_s).unwrap_or_default();
            let weekday = date.strftime("%A").to_string().to_lowercase();
            vec![weekday, date.strftime("%B").to_string().to_lowercase()]
        }
        _ => Vec::new(),
    }
}

fn problems(state: &State, now: i64) -> Vec<String> {
    let dead = state.nodes.iter().filter(|node| !node.alive).map(|node| node.name.clone());
    let full = state.storages.iter().filter(|storage| share(storage) >= 85.0).map(|storage| storage.name.clone());
    let mut found: Vec<String> = dead.chain(full).collect();
    let guests = state.ha.iter().filter(|(_, bad)| *bad).map(|(vmid, _)| *vmid);
    let guests = guests.chain(state.replication.iter().filter(|job| job.failures > 0).map(|job| job.vmid));
    let guests = guests.chain(state.backup_failed()).chain(state.not_backed_up.iter().copied());
    found.extend(guests.filter_map(|vmid| state.guest(vmid)).map(name));
    let failed = state.tasks.iter().filter(|task| task.failed() && task.started >= now - DAY).count();
    if failed > 0 {
        found.extend(words(&["failed", "backup"]));
        found.push(number(failed));
    }
    if !state.quorate() {
        found.push("quorum".to_owned());
    }
    if state.replication.iter().any(|job| job.failures > 0) {
        found.push("replication".to_owned());
    }
    // A storage between 85 and 90 percent and a guest without a backup job are worth a word, and no problem yet.
    let grave = state.nodes.iter().any(|node| !node.alive)
        || state.storages.iter().any(|storage| share(storage) > 90.0)
        || state.ha.iter().any(|(_, bad)| *bad)
        || state.replication.iter().any(|job| job.failures > 0)
        || failed > 0
        || !state.quorate();
    if !grave {
        found.extend(words(&FINE));
    }
    found
}

fn share(storage: &Storage) -> f64 {
    storage.bytes.0 as f64 / storage.bytes.1.max(1) as f64 * 100.0
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

/// Space left: a storage of every node is that of one of them, or of all.
fn storage_free(state: &State, name: &str) -> Vec<String> {
    let alive = |storage: &&Storage| {
        let node = storage.node.as_deref().and_then(|node| state.node(node));
        storage.name == name && node.is_none_or(|node| node.alive)
    };
    let parts: Vec<(u64, u64)> = state.storages.iter().filter(alive).map(|storage| storage.bytes).collect();
    let all = parts.iter().fold((0, 0), |(u, t), part| (u + part.0, t + part.1));
    match parts.is_empty() {
        true => words(&UNKNOWN),
        false => parts.into_iter().chain([all]).flat_map(usage).collect(),
    }
}

fn last_backup(state: &State, now: i64, vmid: u32) -> Vec<String> {
    let Some(last) = state.backups.iter().find(|backup| backup.vmid == vmid) else {
        return words(&["no backup", "never", "none", "no", "not backed up"]);
    };
    let days = (state.midnight(now) - state.midnight(last.taken)) / DAY;
    let mut figures = match days {
        0 => words(&["today", "last night", "this morning", "tonight"]),
        1 => words(&["yesterday", "last night"]),
        days => vec![number(days)],
    };
    let hours = (now - last.taken) as f64 / 3600.0;
    figures.extend([number(hours.floor() as i64), number(hours.round() as i64)]);
    figures.extend(time_of_day(last.taken + state.offset_s));
    let date = jiff::Timestamp::from_second(last.taken + state.offset_s).unwrap_or_default();
    figures.push(date.strftime("%A").to_string().to_lowercase());
    figures
}

/// A time of day, `local` seconds since 1970, as it is said with hours first.
fn time_of_day(local: i64) -> Vec<String> {
    let minutes = local.rem_euclid(DAY) / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    let spoken = |n: i64| forms(&number(n)).into_iter().next().unwrap_or_default();
    let mut figures = Vec::new();
    for hour in [hour, (hour + 11) % 12 + 1] {
        let hour = spoken(hour);
        match minute {
            0 => figures.push(format!("{hour} o'clock")),
            1..10 => {
                figures.extend([format!("{hour} oh {}", spoken(minute)), format!("{hour} zero {}", spoken(minute))])
            }
            _ => figures.push(format!("{hour} {}", spoken(minute))),
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds that have no figure of the cluster.
    const WITHOUT: [&str; 4] = ["self.", "talk.", "control.", "time."];

    fn frozen() -> Vec<(String, Vec<(String, String)>)> {
        let text = include_str!("../../frozen/requests.tsv");
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .filter_map(|line| {
                let mut columns = line.split('\t').skip(1);
                let kind = columns.next()?.to_owned();
                let slots = columns.next()?.split(' ').filter_map(|slot| slot.split_once('='));
                Some((kind, slots.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()))
            })
            .collect()
    }

    #[test]
    fn every_frozen_request_about_the_cluster_has_a_figure_in_every_cluster() {
        let requests = frozen();
        assert!(requests.len() > 200);
        for seed in 0..40 {
            let state = State::at(seed, 1_795_430_000, 3600);
            for (kind, slots) in &requests {
                let slots: Vec<_> = slots.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                let figures = expected(&state, state.born + 60, kind, &slots);
                let free = WITHOUT.iter().any(|family| kind.starts_with(family));
                assert!(free || !figures.is_empty(), "{kind} {slots:?} with seed {seed}");
            }
        }
    }

    #[test]
    fn figures_follow_the_state() {
        let mut state = State::at(7, 1_795_430_000, 0);
        state.nodes[1].celsius = 61.25;
        let now = state.born;
        let of = |state: &State, kind: &str, slots: &[(&str, &str)]| expected(state, now, kind, slots);
        assert_eq!(of(&state, "node.temperature", &[("node", "pve2")]), ["61", "61.2"]);
        assert_eq!(of(&state, "guests.count", &[]), ["18"]);
        assert_eq!(of(&state, "guest.id", &[("guest", "102")]), ["102"]);
        assert!(of(&state, "cluster.version", &[]).contains(&"nine point two point eleven".to_owned()));
        assert!(of(&state, "backup.schedule", &[]).contains(&"half past two".to_owned()));
        state.nodes[1].alive = false;
        assert!(of(&state, "node.temperature", &[("node", "pve2")]).contains(&"unknown".to_owned()));
        assert_eq!(of(&state, "cluster.nodes", &[]), ["3", "pve2"]);
        assert!(of(&state, "talk.hello", &[]).is_empty());
    }

    #[test]
    fn times_and_amounts_are_said_in_all_their_ways() {
        assert_eq!(time_of_day(2 * 3600 + 31 * 60), ["two thirty one", "two thirty one"]);
        assert_eq!(
            time_of_day(17 * 3600 + 300),
            ["seventeen oh five", "seventeen zero five", "five oh five", "five zero five"]
        );
        let figures = amount(3 * (1_u64 << 40) / 2);
        assert!(figures.contains(&"1.5".to_owned()) && !figures.contains(&"2".to_owned()), "{figures:?}");
    }
}
