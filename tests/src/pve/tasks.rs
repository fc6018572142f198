//! What the API tells of tasks and of a guest's present state.

use jarvis_core::cluster::GuestKind;
use serde_json::{Value, json};

use super::answers::{Reply, Request, privileged, seen_guest};
use super::state::{Guest, State, Task};

/// Lines and tasks that are listed where nobody asks for more.
const LISTED: usize = 50;

fn wanted<'r>(request: &'r Request<'_>, name: &str) -> Option<&'r str> {
    request.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn number<T: std::str::FromStr>(request: &Request<'_>, name: &str) -> Option<T> {
    wanted(request, name).and_then(|value| value.parse().ok())
}

/// A task's user as it is listed: a token's name stands beside it.
pub(super) fn name_user(entry: &mut Value, task: &Task) {
    let (user, token) = task.user.split_once('!').map_or((task.user.as_str(), None), |(user, id)| (user, Some(id)));
    entry["user"] = json!(user);
    if let Some(token) = token {
        entry["tokenid"] = json!(token);
    }
}

fn entry(task: &Task) -> Value {
    let hex = |n| task.upid.split(':').nth(n).and_then(|field| i64::from_str_radix(field, 16).ok());
    let mut entry = json!({
        "upid": task.upid, "node": task.node, "type": task.kind, "id": task.object, "starttime": task.started,
        "pid": hex(2), "pstart": hex(3),
    });
    name_user(&mut entry, task);
    entry
}

/// A token sees its own tasks, and those of others by Sys.Audit.
fn may_see(request: &Request<'_>, task: &Task) -> bool {
    task.user == request.user || request.rights.any_of(&["Sys.Audit"])
}

pub(super) fn node_tasks(state: &State, request: &Request<'_>) -> Reply {
    let source = wanted(request, "source").unwrap_or("archive");
    let of_source = |task: &&Task| match source {
        "active" => task.ended.is_none(),
        "all" => true,
        _ => task.ended.is_some(),
    };
    let fits = |task: &&Task| {
        task.node == request.slots[0]
            && wanted(request, "vmid").is_none_or(|vmid| task.object == vmid)
            && number::<i64>(request, "since").is_none_or(|since| task.started >= since)
            && number::<i64>(request, "until").is_none_or(|until| task.started <= until)
            && wanted(request, "typefilter").is_none_or(|kind| task.kind.contains(kind))
            && wanted(request, "userfilter").is_none_or(|user| task.user.contains(user))
            && may_see(request, task)
    };
    let mut listed: Vec<&Task> = state.tasks.iter().filter(of_source).filter(fits).collect();
    // What runs comes first.
    listed.sort_by_key(|task| (task.ended.is_some(), std::cmp::Reverse(task.started)));
    let (start, limit) = (number(request, "start").unwrap_or(0), number(request, "limit").unwrap_or(LISTED));
    let shown = |task: &Task| {
        let mut entry = entry(task);
        match &task.ended {
            Some((ended, status)) => {
                entry["endtime"] = json!(ended);
                entry["status"] = json!(status);
            }
            None => entry["status"] = json!("RUNNING"),
        }
        entry
    };
    Ok(listed.into_iter().skip(start).take(limit).map(shown).collect())
}

fn task<'s>(state: &'s State, request: &Request<'_>) -> Result<&'s Task, (u16, String)> {
    let (node, upid) = (request.slots[0], request.slots[1]);
    let found = state.tasks.iter().find(|task| task.upid == upid && task.node == node);
    let task = found.ok_or_else(|| (500, format!("no such task '{upid}'\n")))?;
    if !may_see(request, task) {
        privileged(request, &format!("/nodes/{node}"), &["Sys.Audit"])?;
    }
    Ok(task)
}

pub(super) fn task_status(state: &State, request: &Request<'_>) -> Reply {
    let task = task(state, request)?;
    let mut entry = entry(task);
    entry["status"] = json!(if task.ended.is_some() { "stopped" } else { "running" });
    if let Some((_, status)) = &task.ended {
        entry["exitstatus"] = json!(status);
    }
    Ok(entry)
}

pub(super) fn task_log(state: &State, request: &Request<'_>) -> Reply {
    let task = task(state, request)?;
    let (start, limit) = (number(request, "start").unwrap_or(0), number(request, "limit").unwrap_or(LISTED));
    let nothing = ["no content".to_owned()];
    let lines = match state.works.log(&task.upid) {
        [] => &nothing,
        lines => lines,
    };
    let line = |(n, text): (usize, &String)| json!({"n": n + 1, "t": text});
    Ok(lines.iter().enumerate().skip(start).take(limit).map(line).collect())
}

fn shared_state(state: &State, guest: &Guest, now: i64) -> Value {
    let running = guest.running;
    let mut entry = json!({
        "vmid": guest.vmid, "status": if running { "running" } else { "stopped" }, "cpus": guest.cores,
        "cpu": if running { guest.cpu_percent as f64 / 100.0 } else { 0.0 },
        "mem": if running { guest.memory.0 } else { 0 }, "maxmem": guest.memory.1,
        "disk": guest.disk.0, "maxdisk": guest.disk.1, "uptime": if running { now - guest.started } else { 0 },
        "netin": if running { 290_000 } else { 0 }, "netout": if running { 132_000 } else { 0 },
    });
    if let Some(name) = &guest.name {
        entry["name"] = json!(name);
    }
    if let Some(lock) = &guest.lock {
        entry["lock"] = json!(lock);
    }
    if running {
        // A process of its own after every start.
        entry["pid"] = json!(100 * guest.vmid + guest.starts);
    }
    entry["ha"] = match state.ha.iter().find(|(vmid, _)| *vmid == guest.vmid) {
        Some((_, bad)) => json!({"managed": 1, "state": if *bad { "error" } else { "started" }}),
        None => json!({"managed": 0}),
    };
    entry
}

pub(super) fn vm_current(state: &State, request: &Request<'_>) -> Reply {
    let guest = seen_guest(state, request, GuestKind::Vm)?;
    let mut entry = shared_state(state, guest, request.now);
    entry["qmpstatus"] = json!(if guest.running { "running" } else { "stopped" });
    entry["agent"] = json!(1);
    entry["memhost"] = entry["mem"].clone();
    for pressure in ["cpusome", "cpufull", "iosome", "iofull", "memorysome", "memoryfull"] {
        entry[format!("pressure{pressure}")] = json!(0);
    }
    if guest.running {
        let nic = format!("tap{}i0", guest.vmid);
        entry["nics"] = json!({nic: {"netin": entry["netin"], "netout": entry["netout"]}});
    }
    Ok(entry)
}

pub(super) fn ct_current(state: &State, request: &Request<'_>) -> Reply {
    let guest = seen_guest(state, request, GuestKind::Container)?;
    let mut entry = shared_state(state, guest, request.now);
    entry["type"] = json!("lxc");
    entry["swap"] = json!(0);
    entry["maxswap"] = json!(536_870_912);
    entry["diskread"] = json!(0);
    entry["diskwrite"] = json!(0);
    Ok(entry)
}
