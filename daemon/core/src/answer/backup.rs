//! Answers about backups and replication.

use crate::answer::Reply;
use crate::answer::measure::{ago, count, duration};
use crate::answer::view::{View, guest_label, page, some};
use crate::cluster::{Task, TaskEnd};
use crate::ids::UnixSeconds;
use crate::tool::{BackupJob, Replication};

/// "Did the backups work" looks back this far: a night, with a late start.
const LAST_ROUND_S: i64 = 26 * 3600;

pub(super) fn answer(view: &View<'_>, what: &str) -> Option<Reply> {
    Some(match what {
        "last" => last(view),
        "status" => status(view),
        "missing" => missing(view),
        "schedule" => schedule(view),
        _ => return None,
    })
}

fn last(view: &View<'_>) -> Reply {
    let guest = match view.guest() {
        Ok(guest) => guest,
        Err(sorry) => return sorry,
    };
    let label = guest_label(guest);
    let Some(backups) = &view.facts.backups else {
        return view.not_learnt("backups", &format!("the backups of {label}"));
    };
    let mut own: Vec<_> = backups.iter().filter(|b| b.vmid == guest.vmid).collect();
    own.sort_by_key(|b| std::cmp::Reverse(b.taken));
    let name = ("guest", label.as_str());
    let blind = view.facts.gaps.iter().any(|g| g.read == "backups");
    let Some(last) = own.first() else {
        let key = if blind { "backup.none_seen" } else { "backup.none" };
        return view.reply(key, &[name], (!blind).then_some("no"));
    };
    let (ago, when) = (ago(view.asker.now, last.taken), view.when(last.taken));
    let values = [name, ("ago", ago.as_str()), ("when", when.as_str()), ("storage", last.storage.as_str())];
    let fact = ago.split(' ').next().filter(|w| *w != "a").unwrap_or("moment");
    let mut reply = view.reply("backup.last", &values, Some(fact));
    if blind {
        reply.speech.push(' ');
        reply.speech.push_str(&view.say("backup.blind", &[]));
    }
    let lines: Vec<String> = own.iter().map(|b| format!("{} on {}", view.when(b.taken), b.storage)).collect();
    reply.page = page(&lines);
    reply
}

fn status(view: &View<'_>) -> Reply {
    let since = UnixSeconds(view.asker.now.0.saturating_sub(LAST_ROUND_S));
    let Some(tasks) = &view.facts.tasks else {
        return view.not_learnt("tasks", "how the backups went");
    };
    let round: Vec<&Task> = tasks.iter().filter(|t| t.kind == "vzdump" && t.started >= since).collect();
    let is = |fits: fn(&TaskEnd) -> bool| round.iter().filter(|t| fits(&t.end)).count();
    let failed: Vec<String> = round
        .iter()
        .filter(|t| matches!(t.end, TaskEnd::Failed(..)))
        .map(|t| match t.object.as_deref().and_then(|o| o.parse().ok()) {
            Some(vmid) => view.label(crate::ids::Vmid(vmid)),
            None => format!("the job on {}", t.node),
        })
        .collect();
    let running = is(|end| *end == TaskEnd::Running);
    let unknown = is(|end| matches!(end, TaskEnd::Unknown(_)));
    let warned = is(|end| matches!(end, TaskEnd::Warnings(..)));
    let good = is(|end| matches!(end, TaskEnd::Ok(_) | TaskEnd::Warnings(..)));
    let values = [
        ("good", count(good, "backup", "backups")),
        ("failed", failed.len().to_string()),
        ("names", some(&failed)),
        ("warned", count(warned, "warning", "warnings")),
        ("running", count(running, "is still running", "are still running")),
        ("unknown", count(unknown, "ended", "ended")),
        ("have", if good == 1 { "has" } else { "have" }.to_owned()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let mut reply = match (round.len(), failed.len(), good) {
        (0, ..) => no_round(view),
        (_, 0, 0) => view.reply("backup.no_result", &values, None),
        (_, 0, _) => view.reply("backup.good", &values, Some(&good.to_string())),
        (_, 1, _) => view.reply("backup.one_failed", &values, Some("1")),
        (_, n, _) => view.reply("backup.failed", &values, Some(&n.to_string())),
    };
    for (n, key) in [(warned, "backup.warned"), (running, "backup.running"), (unknown, "backup.unknown")] {
        if n > 0 {
            reply.speech.push(' ');
            reply.speech.push_str(&view.say(key, &values));
        }
    }
    view.with_gaps(reply)
}

/// No backup task in the last round: the newest backup found says since when.
fn no_round(view: &View<'_>) -> Reply {
    let newest = view.facts.backups.iter().flatten().map(|b| b.taken).max();
    match newest {
        Some(taken) => {
            let ago = ago(view.asker.now, taken);
            view.reply("backup.no_round_since", &[("ago", &ago)], Some("no"))
        }
        None => view.reply("backup.no_round", &[], Some("no")),
    }
}

fn missing(view: &View<'_>) -> Reply {
    let Some(missing) = &view.facts.not_backed_up else {
        return view.not_learnt("not_backed_up", "which guests no backup job covers");
    };
    let names: Vec<String> = missing.iter().map(|v| view.label(*v)).collect();
    let n = names.len().to_string();
    let values = [("count", n.as_str()), ("names", &some(&names))];
    let mut reply = match names.as_slice() {
        [] => view.reply("backup.none_missing", &values, Some("every")),
        [one] => view.reply("backup.one_missing", &values, Some(one)),
        _ => view.reply("backup.missing", &values, Some(&n)),
    };
    reply.page = page(&names);
    reply
}

fn schedule(view: &View<'_>) -> Reply {
    let Some(jobs) = &view.facts.backup_jobs else {
        return view.not_learnt("backup_jobs", "the backup jobs");
    };
    let on: Vec<&BackupJob> = jobs.iter().filter(|j| j.enabled).collect();
    if on.is_empty() {
        let key = if jobs.is_empty() { "backup.no_jobs" } else { "backup.jobs_off" };
        return view.reply(key, &[], Some("no"));
    }
    let next = on.iter().filter_map(|j| j.next_run).min();
    let jobs_text = count(on.len(), "backup job", "backup jobs");
    let plain = on.iter().find_map(|j| j.schedule.as_deref()).unwrap_or("");
    let mut reply = match next {
        Some(next) => {
            let when = view.when(next);
            let clock = view.local(next).clock();
            let values = [("jobs", jobs_text.as_str()), ("when", when.as_str())];
            view.reply("backup.schedule", &values, Some(&clock))
        }
        None => {
            let values = [("jobs", jobs_text.as_str()), ("schedule", plain)];
            let key = if plain.is_empty() { "backup.schedule_unknown" } else { "backup.schedule_plain" };
            view.reply(key, &values, Some(&on.len().to_string()))
        }
    };
    let lines: Vec<String> = jobs
        .iter()
        .map(|j| {
            format!(
                "{}: {}{}",
                j.id,
                j.schedule.as_deref().unwrap_or("no schedule"),
                if j.enabled { "" } else { " (off)" }
            )
        })
        .collect();
    reply.page = page(&lines);
    reply
}

pub(super) fn replication(view: &View<'_>) -> Option<Reply> {
    let Some(jobs) = &view.facts.replication else {
        return Some(view.not_learnt("replication", "the state of replication"));
    };
    let failing: Vec<&Replication> = jobs.iter().filter(|j| j.failures > 0).collect();
    let names: Vec<String> = failing.iter().map(|j| format!("{} to {}", job_guest(view, j), j.target)).collect();
    let oldest = jobs.iter().filter_map(|j| j.last_sync).min();
    let lag = oldest
        .map_or_else(String::new, |at| duration(u64::try_from(view.asker.now.0.saturating_sub(at.0)).unwrap_or(0)));
    let values = [
        ("jobs", count(jobs.len(), "replication job", "replication jobs")),
        ("failing", failing.len().to_string()),
        ("names", some(&names)),
        ("lag", lag.clone()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let n = failing.len().to_string();
    let mut reply = match (jobs.is_empty(), failing.len(), lag.is_empty()) {
        (true, ..) => view.reply("replication.none", &[], Some("no")),
        (_, 0, false) => view.reply("replication.fine", &values, Some("well")),
        (_, 0, true) => view.reply("replication.fine_undated", &values, Some("well")),
        (_, 1, _) => view.reply("replication.one_failing", &values, Some(&n)),
        _ => view.reply("replication.failing", &values, Some(&n)),
    };
    let lines: Vec<String> = jobs
        .iter()
        .map(|j| {
            let error = j.error.as_deref().unwrap_or("");
            format!("{} {} to {}: {} failures {error}", j.id, j.source, j.target, j.failures)
        })
        .collect();
    reply.page = page(&lines);
    Some(view.with_gaps(reply))
}

/// The guest of a job `104-0`.
fn job_guest(view: &View<'_>, job: &Replication) -> String {
    let vmid = job.id.split('-').next().and_then(|v| v.parse().ok());
    vmid.map_or_else(|| job.id.clone(), |v| view.label(crate::ids::Vmid(v)))
}
