//! Answers about storages.

use crate::answer::Reply;
use crate::answer::ask::both;
use crate::answer::measure::{count, first_word, size, used_percent};
use crate::answer::view::{View, page};
use crate::cluster::{Cluster, Storage, Usage};

pub(super) fn answer(view: &View<'_>, what: &str) -> Option<Reply> {
    let reply = match what {
        "status" => status(view),
        "free" => free(view),
        "fullest" => fullest(view),
        _ => return None,
    };
    Some(reply.unwrap_or_else(|sorry| sorry))
}

/// Each storage once: a shared one is reported by every node, a local one is one per node.
fn distinct(cluster: &Cluster) -> Vec<&Storage> {
    let mut seen: Vec<&Storage> = Vec::new();
    for storage in &cluster.storages {
        let twin = seen.iter_mut().find(|s| s.shared && storage.shared && s.name == storage.name);
        match twin {
            // The one that knows its usage speaks for all.
            Some(known) if known.usage.is_none() => *known = storage,
            Some(_) => {}
            None => seen.push(storage),
        }
    }
    seen
}

fn usable(storage: &Storage) -> Option<Usage> {
    storage.usage.filter(|u| u.total > 0 && storage.available != Some(false))
}

/// "tank on pve2" where each node has its own.
fn label(storage: &Storage, storages: &[&Storage]) -> String {
    let alone = storages.iter().filter(|s| s.name == storage.name).count() == 1;
    if storage.shared || alone { storage.name.to_string() } else { format!("{} on {}", storage.name, storage.node) }
}

fn lines(storages: &[&Storage]) -> Option<String> {
    let line = |s: &&Storage| match (s.available, usable(s)) {
        (Some(false), _) => format!("{}: not available", label(s, storages)),
        (_, Some(usage)) => {
            format!("{}: {} % used, {} free", label(s, storages), used_percent(usage), size(usage.free()))
        }
        (_, None) => format!("{}: unknown", label(s, storages)),
    };
    page(&storages.iter().map(line).collect::<Vec<_>>())
}

fn fullest_of<'a>(storages: &[&'a Storage]) -> Option<(&'a Storage, Usage)> {
    storages.iter().filter_map(|s| Some((*s, usable(s)?))).max_by(|a, b| a.1.ratio().total_cmp(&b.1.ratio()))
}

fn status(view: &View<'_>) -> Result<Reply, Reply> {
    let storages = distinct(view.cluster()?);
    let away: Vec<String> =
        storages.iter().filter(|s| s.available == Some(false)).map(|s| label(s, &storages)).collect();
    let free = storages.iter().filter_map(|s| usable(s)).fold(0_u64, |sum, u| sum.saturating_add(u.free()));
    let Some((full, usage)) = fullest_of(&storages) else {
        return Ok(view.not_learnt("cluster", "the state of the storage"));
    };
    let percent = used_percent(usage);
    let mut names: Vec<&str> = storages.iter().map(|s| s.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let values = [
        ("storages", count(names.len(), "storage", "storages")),
        ("free", size(free)),
        ("fullest", label(full, &storages)),
        ("percent", percent.clone()),
        ("away", both(&away)),
        ("are", if away.len() == 1 { "is" } else { "are" }.to_owned()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let key = if away.is_empty() { "storage.status" } else { "storage.status_away" };
    let mut reply = view.reply_with_gaps(key, &values, Some(&percent));
    reply.page = lines(&storages);
    Ok(reply)
}

fn free(view: &View<'_>) -> Result<Reply, Reply> {
    let cluster = view.cluster()?;
    let Some(name) = &view.slots.storage else {
        return Err(view.reply("unknown.which", &[("noun", "storage")], None));
    };
    let all = distinct(cluster);
    let these: Vec<&Storage> = all.iter().filter(|s| s.name == *name).copied().collect();
    let named = [("storage", name.as_str())];
    if these.is_empty() {
        return Ok(view.reply("unknown.no_storage", &named, None));
    }
    let Some((full, usage)) = fullest_of(&these) else {
        let key = if these.iter().any(|s| s.available == Some(false)) { "storage.away" } else { "storage.unknown" };
        return Ok(view.reply(key, &named, None));
    };
    let (percent, left) = (used_percent(usage), size(usage.free()));
    let values = [
        ("storage", name.as_str()),
        ("percent", percent.as_str()),
        ("free", left.as_str()),
        ("total", &size(usage.total)),
        ("node", full.node.as_str()),
        ("count", &these.len().to_string()),
    ];
    let key = if these.len() == 1 { "storage.free" } else { "storage.free_each" };
    let mut reply = view.reply(key, &values, Some(first_word(&left)));
    let known = these.iter().filter(|s| usable(s).is_some()).count();
    if known < these.len() {
        reply = view.with_gaps(reply);
    }
    reply.page = lines(&these);
    Ok(reply)
}

fn fullest(view: &View<'_>) -> Result<Reply, Reply> {
    let storages = distinct(view.cluster()?);
    let Some((full, usage)) = fullest_of(&storages) else {
        return Ok(view.not_learnt("cluster", "which storage is the fullest"));
    };
    let (name, percent, left) = (label(full, &storages), used_percent(usage), size(usage.free()));
    let values = [("storage", name.as_str()), ("percent", percent.as_str()), ("free", left.as_str())];
    let mut reply = view.reply_with_gaps("storage.fullest", &values, Some(full.name.as_str()));
    reply.page = lines(&storages);
    Ok(reply)
}
