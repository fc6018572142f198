//! Answers about tasks.

use crate::answer::Reply;
use crate::answer::measure::{ago, count};
use crate::answer::view::{View, page, some};
use crate::cluster::{Task, TaskEnd};
use crate::ids::{UnixSeconds, Vmid};

/// Tasks that are said one by one.
const SAID_MAX: usize = 3;
/// Lines of the page.
const LINES_MAX: usize = 30;
/// "Which tasks failed" looks back this far.
const FAILED_S: i64 = 7 * 86_400;

pub(super) fn answer(view: &View<'_>, what: &str) -> Option<Reply> {
    if !["recent", "running", "failed", "today"].contains(&what) {
        return None;
    }
    let Some(tasks) = &view.facts.tasks else {
        return Some(view.not_learnt("tasks", "the tasks"));
    };
    let mut tasks: Vec<&Task> = tasks.iter().collect();
    tasks.sort_by_key(|t| std::cmp::Reverse(t.started));
    let reply = match what {
        "recent" => recent(view, &tasks),
        "running" => running(view, &tasks),
        "failed" => failed(view, &tasks),
        _ => today(view, &tasks),
    };
    Some(view.with_gaps(reply))
}

/// "backup of media-server".
pub(super) fn describe(view: &View<'_>, task: &Task) -> String {
    let object = task.object.as_deref().unwrap_or("");
    let object = match object.parse::<u32>() {
        Ok(vmid) => view.label(Vmid(vmid)),
        Err(_) => object.to_owned(),
    };
    let known = what(&task.kind);
    match (known, object.is_empty()) {
        (Some((alone, _)), true) => format!("{alone} on {}", task.node),
        (Some((_, of)), false) => format!("{of} {object}"),
        (None, true) => format!("{} task on {}", task.kind, task.node),
        (None, false) => format!("{} task of {object}", task.kind),
    }
}

/// A task's kind alone, and before its object.
fn what(kind: &str) -> Option<(&'static str, &'static str)> {
    let verb =
        kind.strip_prefix("qm").or_else(|| kind.strip_prefix("vz")).or_else(|| kind.strip_prefix("ha")).unwrap_or(kind);
    Some(match (kind, verb) {
        ("vzdump", _) => ("backup", "backup of"),
        ("qmrestore" | "vzrestore", _) => ("restore", "restore of"),
        ("aptupdate", _) => ("package update", "package update of"),
        ("startall", _) => ("start of all guests", "start of"),
        ("stopall", _) => ("stop of all guests", "stop of"),
        ("migrateall", _) => ("migration of all guests", "migration of"),
        ("vncproxy" | "vncshell" | "termproxy" | "spiceproxy", _) => ("console", "console of"),
        ("prunebackups", _) => ("pruning of backups", "pruning of backups of"),
        ("imgcopy" | "move_volume" | "qmmove", _) => ("disk move", "disk move of"),
        ("download", _) => ("download", "download of"),
        ("replicate", _) => ("replication", "replication of"),
        (_, "start") => ("start", "start of"),
        (_, "stop") => ("stop", "stop of"),
        (_, "shutdown") => ("shutdown", "shutdown of"),
        (_, "reboot" | "reset") => ("restart", "restart of"),
        (_, "suspend" | "pause") => ("suspension", "suspension of"),
        (_, "resume") => ("resumption", "resumption of"),
        (_, "create") => ("creation", "creation of"),
        (_, "clone") => ("clone", "clone of"),
        (_, "destroy") => ("removal", "removal of"),
        (_, "migrate") => ("migration", "migration of"),
        (_, "snapshot") => ("snapshot", "snapshot of"),
        (_, "delsnapshot") => ("removal of a snapshot", "removal of a snapshot of"),
        (_, "rollback") => ("rollback", "rollback of"),
        (_, "config" | "set") => ("change of configuration", "change of configuration of"),
        (_, "resize") => ("disk resize", "disk resize of"),
        _ => return None,
    })
}

fn end(view: &View<'_>, task: &Task) -> String {
    let key = match &task.end {
        TaskEnd::Running => "task.running",
        TaskEnd::Ok(_) => "task.ok",
        TaskEnd::Warnings(..) => "task.warnings",
        TaskEnd::Failed(..) => "task.failed",
        TaskEnd::Unknown(_) => "task.unknown",
    };
    view.say(key, &[])
}

fn lines(view: &View<'_>, tasks: &[&Task]) -> Option<String> {
    let line = |task: &&Task| {
        let detail = match &task.end {
            TaskEnd::Failed(_, text) => format!(": {text}"),
            TaskEnd::Warnings(_, n) => format!(": {n}"),
            TaskEnd::Running | TaskEnd::Ok(_) | TaskEnd::Unknown(_) => String::new(),
        };
        let when = view.when(task.started);
        let described = describe(view, task);
        format!("{when}, {}: {described}, {}{detail}", task.node, end(view, task))
    };
    page(&tasks.iter().take(LINES_MAX).map(line).collect::<Vec<_>>())
}

fn recent(view: &View<'_>, tasks: &[&Task]) -> Reply {
    let Some(last) = tasks.first() else {
        return view.reply("task.none", &[], Some("no"));
    };
    let said: Vec<String> =
        tasks.iter().take(SAID_MAX).map(|t| format!("{}, {}", describe(view, t), end(view, t))).collect();
    let values = [
        ("tasks", said.join("; ")),
        ("ago", ago(view.asker.now, last.started)),
        ("last", said.first().cloned().unwrap_or_default()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let fact = match last.object.as_deref() {
        Some(object) if !object.is_empty() => match object.parse() {
            Ok(vmid) => view.label(Vmid(vmid)),
            Err(_) => object.to_owned(),
        },
        _ => last.node.to_string(),
    };
    let mut reply = view.reply("task.recent", &values, Some(&fact));
    reply.page = lines(view, tasks);
    reply
}

fn running(view: &View<'_>, tasks: &[&Task]) -> Reply {
    let running: Vec<&Task> = tasks.iter().filter(|t| t.end == TaskEnd::Running).copied().collect();
    let Some(first) = running.first() else {
        return view.reply("task.none_running", &[], Some("nothing"));
    };
    let said: Vec<String> = running.iter().map(|t| format!("the {} on {}", describe(view, t), t.node)).collect();
    let values =
        [("count", running.len().to_string()), ("tasks", some(&said)), ("ago", ago(view.asker.now, first.started))];
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let key = if running.len() == 1 { "task.one_running" } else { "task.many_running" };
    let mut reply = view.reply(key, &values, Some(&running.len().to_string()));
    reply.page = lines(view, &running);
    reply
}

fn failed(view: &View<'_>, tasks: &[&Task]) -> Reply {
    let since = UnixSeconds(view.asker.now.0.saturating_sub(FAILED_S));
    let failed: Vec<&Task> =
        tasks.iter().filter(|t| matches!(t.end, TaskEnd::Failed(at, _) if at >= since)).copied().collect();
    let unknown = tasks.iter().filter(|t| matches!(t.end, TaskEnd::Unknown(at) if at >= since)).count();
    let said: Vec<String> =
        failed.iter().map(|t| format!("the {} {}", describe(view, t), ago(view.asker.now, t.started))).collect();
    let n = failed.len().to_string();
    let values = [("count", n.as_str()), ("tasks", &some(&said))];
    let mut reply = match failed.len() {
        0 => view.reply("task.none_failed", &[], Some("no")),
        1 => view.reply("task.one_failed", &values, Some("1")),
        _ => view.reply("task.many_failed", &values, Some(&n)),
    };
    if unknown > 0 {
        let unknown = count(unknown, "task", "tasks");
        reply.speech.push(' ');
        reply.speech.push_str(&view.say("task.end_unknown", &[("tasks", &unknown)]));
    }
    reply.page = lines(view, &failed);
    reply
}

fn today(view: &View<'_>, tasks: &[&Task]) -> Reply {
    let midnight = view.now().midnight(view.asker.local_offset_s);
    let today: Vec<&Task> = tasks.iter().filter(|t| t.started >= midnight).copied().collect();
    let failed = today.iter().filter(|t| matches!(t.end, TaskEnd::Failed(..))).count();
    // The same thing done to many is said once: "3 backups" rather than three sentences.
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for task in &today {
        let name = what(&task.kind).map_or(task.kind.as_str(), |(alone, _)| alone);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, n)) => *n += 1,
            None => groups.push((name, 1)),
        }
    }
    groups.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let said: Vec<String> = groups.iter().map(|(name, n)| count(*n, name, &plural(name))).collect();
    let n = today.len().to_string();
    let values = [
        ("tasks", count(today.len(), "task", "tasks")),
        ("groups", some(&said)),
        ("failed", count(failed, "of them failed", "of them failed")),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let mut reply = match (today.len(), failed) {
        (0, _) => view.reply("task.none_today", &[], Some("nothing")),
        (_, 0) => view.reply("task.today", &values, Some(&n)),
        (_, _) => view.reply("task.today_failed", &values, Some(&n)),
    };
    reply.page = lines(view, &today);
    reply
}

fn plural(name: &str) -> String {
    match name.split_once(" of ") {
        Some((head, tail)) => format!("{head}s of {tail}"),
        None => format!("{name}s"),
    }
}
