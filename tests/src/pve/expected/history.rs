//! What right answers hold about tasks, backups, replication and the time.

use super::said::{Figure, name, number, time_of_day, words};
use super::{DAY, FINE, LIST_MAX, NOTHING};
use crate::pve::state::{State, Task};

/// An answer is judged this long after it was made, at most: it may have told the minute before (seconds).
const JUDGED_WITHIN: i64 = 30;
/// Tasks of which "the last ones" must be told.
const RECENT: usize = 3;

/// What an answer to a request about what was must hold.
pub(super) fn of_history(state: &State, now: i64, kind: &str) -> Vec<Figure> {
    let midnight = state.midnight(now);
    match kind {
        "tasks.recent" => {
            let newest: Vec<&Task> = state.tasks.iter().take(RECENT).collect();
            objects(state, &newest)
        }
        "tasks.running" => {
            // A dead node's tasks are nobody's to tell.
            let alive = |task: &Task| state.node(&task.node).is_some_and(|node| node.alive);
            let running: Vec<&Task> = state.tasks.iter().filter(|task| task.ended.is_none() && alive(task)).collect();
            counted(state, &running)
        }
        "tasks.failed" => {
            let failed: Vec<&Task> = state.tasks.iter().filter(|task| task.failed()).collect();
            counted(state, &failed)
        }
        "tasks.today" => match state.tasks.iter().filter(|task| task.started >= midnight).count() {
            0 => vec![words(&NOTHING)],
            today => vec![number(today)],
        },
        "backup.status" => match state.backup_failed().and_then(|vmid| state.guest(vmid)) {
            Some(guest) => vec![words(&["failed", "failure", "failures"]), name(guest).or(words(&[&guest.node]))],
            None => vec![words(&["succeeded", "successful", "success", "completed", "fine", "well", "without error"])],
        },
        "backup.missing" => {
            let missing: Vec<_> = state.not_backed_up.iter().filter_map(|vmid| state.guest(*vmid)).collect();
            match missing.len() {
                0 => vec![words(&NOTHING)],
                1..=LIST_MAX => missing.into_iter().map(name).collect(),
                count => vec![number(count)],
            }
        }
        "backup.schedule" => {
            let next = state.jobs.iter().filter(|job| job.enabled).map(|job| job.next_run).min();
            next.map(|at| time_of_day(at + state.offset_s)).into_iter().collect()
        }
        "replication.status" => {
            let failing: Vec<_> = state.replication.iter().filter(|job| job.failures > 0).collect();
            let named = failing.iter().filter_map(|job| state.guest(job.vmid)).map(name);
            match failing.is_empty() {
                true => vec![words(&FINE), number(state.replication.len())],
                false => named.chain([words(&["failing", "failed", "failure", "failures"])]).collect(),
            }
        }
        "self.who" => vec![words(&["jarvis"])],
        "time.now" => {
            let local = now + state.offset_s;
            vec![time_of_day(local).or(time_of_day(local - JUDGED_WITHIN))]
        }
        "time.date" => {
            let date = jiff::Timestamp::from_second(now + state.offset_s).unwrap_or_default();
            let part = |format: &str| Figure::any([date.strftime(format).to_string().to_lowercase()]);
            vec![part("%A"), part("%B")]
        }
        _ => Vec::new(),
    }
}

/// What each task was about: its guest, or what was done on the node where it has none.
fn objects(state: &State, tasks: &[&Task]) -> Vec<Figure> {
    let object = |task: &&Task| match task.object.parse().ok().and_then(|vmid| state.guest(vmid)) {
        Some(guest) => name(guest),
        None if task.kind == "vzdump" => words(&["backup", "backups"]),
        None => words(&[&task.node]),
    };
    tasks.iter().map(object).collect()
}

/// A short list's objects, a long one's count.
fn counted(state: &State, tasks: &[&Task]) -> Vec<Figure> {
    match tasks.len() {
        0 => vec![words(&NOTHING)],
        1..=LIST_MAX => objects(state, tasks),
        count => vec![number(count)],
    }
}

/// When a guest was last backed up, in one of the ways to date it.
pub(super) fn last_backup(state: &State, now: i64, vmid: u32) -> Figure {
    let Some(last) = state.backups.iter().find(|backup| backup.vmid == vmid) else {
        return words(&["no backup", "never", "none", "no", "not backed up"]);
    };
    let days = (state.midnight(now) - state.midnight(last.taken)) / DAY;
    let day = match days {
        0 => words(&["today", "last night", "this morning", "tonight"]),
        1 => words(&["yesterday", "last night"]),
        days => number(days),
    };
    let hours = (now - last.taken) as f64 / 3600.0;
    let date = jiff::Timestamp::from_second(last.taken + state.offset_s).unwrap_or_default();
    let weekday = Figure::any([date.strftime("%A").to_string().to_lowercase()]);
    let hours = number(hours.floor() as i64).or(number(hours.round() as i64));
    day.or(hours).or(time_of_day(last.taken + state.offset_s)).or(weekday)
}
