//! Answers about the cluster as a whole.

use crate::answer::Reply;
use crate::answer::ask::both;
use crate::answer::ha;
use crate::answer::measure::{count, figure, percent, used_of, used_percent};
use crate::answer::view::{View, guest_label, page, some};
use crate::cluster::{Cluster, GuestState, Node, Presence, TaskEnd, Usage};
use crate::ids::UnixSeconds;

/// A storage or root disk above this share is a problem.
const FULL: f64 = 0.9;
/// Failed tasks of this long are a problem.
const RECENT_S: i64 = 86_400;
/// Degrees at which a node is called hot.
const HOT_C: f64 = 80.0;

pub(super) fn answer(view: &View<'_>, what: &str) -> Option<Reply> {
    let reply = match what {
        "status" => status(view),
        "problems" => problems(view),
        "quorum" => quorum(view),
        "nodes" => nodes(view),
        "load" => load(view),
        "memory" => memory(view),
        "version" => Ok(version(view)),
        "ha" => Ok(ha::answer(view)),
        "hottest" => Ok(hottest(view)),
        "busiest" => busiest(view),
        _ => return None,
    };
    Some(reply.unwrap_or_else(|sorry| sorry))
}

fn online(cluster: &Cluster) -> usize {
    let online = |n: &&Node| n.presence == Presence::Online;
    cluster.nodes.iter().filter(online).count()
}

fn away(cluster: &Cluster) -> Vec<String> {
    let away = cluster.nodes.iter().filter(|n| n.presence != Presence::Online);
    away.map(|n| n.name.to_string()).collect()
}

fn status(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let (up, all) = (online(cluster).to_string(), cluster.nodes.len());
    let running = cluster.guests.iter().filter(|g| g.state == GuestState::Running).count().to_string();
    let quorum = match cluster.quorate {
        Some(true) => "quorum_holds",
        Some(false) => "quorum_lost",
        None => "quorum_unknown",
    };
    let quorum = view.say(&format!("cluster.{quorum}"), &[]);
    let silent = away(cluster);
    let nodes = count(all, "node", "nodes");
    let values = [
        ("nodes", nodes.as_str()),
        ("up", up.as_str()),
        ("running", running.as_str()),
        ("guests", &count(cluster.guests.len(), "guest", "guests")),
        ("quorum", quorum.as_str()),
        ("silent", &both(&silent)),
    ];
    let key = if silent.is_empty() { "cluster.status" } else { "cluster.status_away" };
    Ok(view.reply(key, &values, Some(&up)))
}

fn problems(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let mut found = cluster_problems(view, cluster);
    found.extend(task_problems(view));
    if let Some(replication) = &view.facts.replication {
        let failing = replication.iter().filter(|r| r.failures > 0).count();
        if failing > 0 {
            let failing = count(failing, "replication job", "replication jobs");
            found.push(view.say("problem.replication", &[("jobs", &failing)]));
        }
    }
    found.extend(ha::problems(view));
    let blind: Vec<String> = view
        .facts
        .gaps
        .iter()
        .filter(|g| g.node.is_none())
        .map(|g| view.say(&format!("read.{}", g.read), &[]))
        .filter(|what| !what.is_empty())
        .collect();
    let mut reply = match found.len() {
        0 => view.reply("cluster.no_problems", &[], Some("nothing")),
        1 => view.reply("cluster.one_problem", &[("problem", &found[0])], Some("1")),
        n => view.reply(
            "cluster.problems",
            &[("count", &n.to_string()), ("problems", &some(&found))],
            Some(&n.to_string()),
        ),
    };
    if !blind.is_empty() {
        reply.speech.push(' ');
        let blind = both(&blind);
        reply.speech.push_str(&view.say("unknown.blind", &[("what", &blind)]));
    }
    reply.page = page(&found);
    Ok(reply)
}

fn cluster_problems(view: &View<'_>, cluster: &Cluster) -> Vec<String> {
    let mut found = Vec::new();
    if cluster.quorate == Some(false) {
        found.push(view.say("problem.quorum", &[]));
    }
    for node in &cluster.nodes {
        let name = [("node", node.name.as_str())];
        match node.presence {
            Presence::Offline => found.push(view.say("problem.offline", &name)),
            Presence::Unknown => found.push(view.say("problem.silent", &name)),
            Presence::Online => {}
        }
        if let Some(root) = node.root.filter(|u| u.ratio() > FULL) {
            let full = used_percent(root);
            let values = [("node", node.name.as_str()), ("percent", full.as_str())];
            found.push(view.say("problem.root", &values));
        }
    }
    let mut seen = Vec::new();
    for storage in &cluster.storages {
        let name = storage.name.as_str();
        if storage.shared && seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let full = storage.usage.filter(|u| u.ratio() > FULL).map(used_percent);
        if storage.available == Some(false) {
            found.push(view.say("problem.storage_away", &[("storage", name)]));
        } else if let Some(full) = full {
            let values = [("storage", name), ("percent", full.as_str())];
            found.push(view.say("problem.storage_full", &values));
        }
    }
    found
}

fn task_problems(view: &View<'_>) -> Option<String> {
    let since = UnixSeconds(view.asker.now.0.saturating_sub(RECENT_S));
    let failed =
        view.facts.tasks.iter().flatten().filter(|t| matches!(t.end, TaskEnd::Failed(at, _) if at >= since)).count();
    (failed > 0).then(|| {
        let failed = count(failed, "task", "tasks");
        view.say("problem.tasks", &[("tasks", &failed)])
    })
}

fn quorum(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let up = online(cluster).to_string();
    let all = cluster.nodes.len().to_string();
    let values = [("up", up.as_str()), ("all", all.as_str())];
    Ok(match cluster.quorate {
        Some(true) => view.reply("cluster.quorate", &values, Some("yes")),
        Some(false) => view.reply("cluster.not_quorate", &values, Some("no")),
        None => view.reply("cluster.quorate_unknown", &values, None),
    })
}

fn nodes(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let up = online(cluster);
    let away = away(cluster);
    let all = count(cluster.nodes.len(), "node", "nodes");
    let names: Vec<String> =
        cluster.nodes.iter().filter(|n| n.presence == Presence::Online).map(|n| n.name.to_string()).collect();
    let values = [
        ("up", up.to_string()),
        ("all", all),
        ("names", some(&names)),
        ("away", some(&away)),
        ("are", if away.len() == 1 { "is" } else { "are" }.to_owned()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let key = if away.is_empty() { "cluster.nodes_all" } else { "cluster.nodes_some" };
    Ok(view.reply(key, &values, Some(&up.to_string())))
}

fn load(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let known: Vec<(f64, f64)> = cluster
        .nodes
        .iter()
        .filter(|n| n.presence == Presence::Online)
        .filter_map(|n| Some((n.cpu?, f64::from(n.cores?))))
        .collect();
    let cores: f64 = known.iter().map(|(_, cores)| cores).sum();
    if cores == 0.0 {
        return Ok(view.not_learnt("cluster", "the load"));
    }
    let used = known.iter().map(|(cpu, cores)| cpu * cores).sum::<f64>();
    let percent = percent(used / cores);
    let (percent, cores) = (percent.as_str(), format!("{cores:.0}"));
    let values = [("percent", percent), ("cores", cores.as_str())];
    Ok(view.reply_with_gaps("cluster.load", &values, Some(percent)))
}

fn memory(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let known: Vec<Usage> =
        cluster.nodes.iter().filter(|n| n.presence == Presence::Online).filter_map(|n| n.memory).collect();
    if known.is_empty() {
        return Ok(view.not_learnt("cluster", "the memory"));
    }
    let sum = |part: fn(&Usage) -> u64| known.iter().map(part).fold(0, u64::saturating_add);
    let usage = Usage { used: sum(|u| u.used), total: sum(|u| u.total) };
    let (percent, used) = (used_percent(usage), used_of(usage));
    let values = [("percent", percent.as_str()), ("used", used.as_str())];
    Ok(view.reply_with_gaps("cluster.memory", &values, Some(&percent)))
}

fn version(view: &View<'_>) -> Reply {
    match &view.facts.version {
        Some(version) => view.reply("cluster.version", &[("version", version)], Some(version)),
        None => view.not_learnt("version", "the version"),
    }
}

fn hottest(view: &View<'_>) -> Reply {
    let known: Vec<(&str, f64)> = view
        .facts
        .temperatures
        .iter()
        .flatten()
        .filter_map(|(node, degrees)| Some((node.as_str(), (*degrees)?)))
        .collect();
    let Some((node, degrees)) = known.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return view.not_learnt("temperatures", "the temperatures");
    };
    let shown = format!("{degrees:.0}");
    let key = if degrees >= HOT_C { "cluster.hottest_hot" } else { "cluster.hottest" };
    let mut reply = view.reply(key, &[("node", node), ("degrees", &shown)], Some(node));
    let unknown: Vec<String> = view
        .facts
        .temperatures
        .iter()
        .flatten()
        .filter(|(_, degrees)| degrees.is_none())
        .map(|(node, _)| node.to_string())
        .collect();
    if unknown.is_empty() {
        reply = view.with_gaps(reply);
    } else {
        reply.speech.push(' ');
        let values = [("nodes", both(&unknown))];
        let [(name, nodes)] = &values;
        reply.speech.push_str(&view.say("unknown.without", &[(name, nodes)]));
    }
    reply.page =
        page(&known.iter().map(|(node, degrees)| format!("{node}: {} °C", figure(*degrees))).collect::<Vec<_>>());
    reply
}

fn busiest(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let known =
        cluster.nodes.iter().filter(|n| n.presence == Presence::Online).filter_map(|n| Some((n.name.as_str(), n.cpu?)));
    let Some((node, cpu)) = known.max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return Ok(view.not_learnt("cluster", "the load of the nodes"));
    };
    let percent = percent(cpu);
    let values = [("node", node), ("percent", percent.as_str())];
    let mut reply = view.reply_with_gaps("cluster.busiest", &values, Some(node));
    let top = cluster
        .guests
        .iter()
        .filter(|g| g.node.as_str() == node)
        .filter_map(|g| Some((g, g.cpu? * g.cores.unwrap_or(1.0))))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    reply.page = top.map(|(guest, _)| format!("{node}: {} works hardest", guest_label(guest)));
    Ok(reply)
}
