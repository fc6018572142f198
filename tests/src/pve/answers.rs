//! What the API answers: the state in the shape of Proxmox VE 9.2's own answers.
//!
//! Length: one function per method of the API that the simulator serves.

use jarvis_core::cluster::GuestKind;
use serde_json::{Map, Value, json};

use super::rights::Rights;
use super::state::{Guest, Node, State};
use super::tasks::{ct_current, name_user, node_tasks, task_log, task_status, vm_current};

/// A method served: its path as the official description writes it, and the query parameters it knows.
pub struct Method {
    /// `/nodes/{node}/status`.
    pub template: &'static str,
    /// Query parameters.
    pub parameters: &'static [&'static str],
    answer: fn(&State, &Request<'_>) -> Reply,
}

/// One question.
pub struct Request<'a> {
    /// The node that answers.
    pub node: &'a str,
    /// When.
    pub now: i64,
    /// What the path's `{...}` stand for, in their order.
    pub slots: Vec<&'a str>,
    /// The query, or the form's fields.
    pub query: Vec<(String, String)>,
    /// Whose the token is: `jarvis@pve!jarvis`.
    pub user: &'a str,
    /// What it may.
    pub rights: &'a Rights,
}

impl Request<'_> {
    fn may_audit(&self) -> bool {
        self.rights.any_of(&["Sys.Audit"])
    }
}

/// Status and message.
pub type Refusal = (u16, String);
/// An answer before it is bytes: `data`, or why there is none.
pub type Reply = Result<Value, Refusal>;

/// The methods of GET that are served; `changes` has the others.
pub const METHODS: &[Method] = &[
    Method { template: "/version", parameters: &[], answer: version },
    Method { template: "/cluster/status", parameters: &[], answer: cluster_status },
    Method { template: "/cluster/resources", parameters: &["type"], answer: cluster_resources },
    Method { template: "/cluster/tasks", parameters: &[], answer: cluster_tasks },
    Method { template: "/cluster/backup", parameters: &[], answer: backup_jobs },
    Method { template: "/cluster/backup-info/not-backed-up", parameters: &[], answer: not_backed_up },
    Method { template: "/cluster/ha/status/current", parameters: &[], answer: ha_status },
    Method { template: "/access/permissions", parameters: &["path", "userid"], answer: permissions },
    Method { template: "/nodes", parameters: &[], answer: nodes },
    Method { template: "/nodes/{node}/status", parameters: &[], answer: node_status },
    Method { template: "/nodes/{node}/replication", parameters: &["guest"], answer: replication },
    Method { template: "/nodes/{node}/storage/{storage}/content", parameters: &["content", "vmid"], answer: content },
    Method {
        template: "/nodes/{node}/tasks",
        parameters: &["vmid", "since", "until", "source", "limit", "start", "typefilter", "userfilter"],
        answer: node_tasks,
    },
    Method { template: "/nodes/{node}/tasks/{upid}/status", parameters: &[], answer: task_status },
    Method { template: "/nodes/{node}/tasks/{upid}/log", parameters: &["start", "limit"], answer: task_log },
    Method { template: "/nodes/{node}/qemu/{vmid}/status/current", parameters: &[], answer: vm_current },
    Method { template: "/nodes/{node}/lxc/{vmid}/status/current", parameters: &[], answer: ct_current },
    Method { template: "/nodes/{node}/qemu/{vmid}/config", parameters: &["current", "snapshot"], answer: vm_config },
    Method { template: "/nodes/{node}/lxc/{vmid}/config", parameters: &["current", "snapshot"], answer: ct_config },
    Method { template: "/nodes/{node}/qemu/{vmid}/snapshot", parameters: &[], answer: vm_snapshots },
    Method { template: "/nodes/{node}/lxc/{vmid}/snapshot", parameters: &[], answer: ct_snapshots },
];

/// The method of `path`, and what stands in its slots.
pub fn method(path: &str) -> Option<(&'static Method, Vec<&str>)> {
    METHODS.iter().find_map(|method| Some((method, slots_of(method.template, path)?)))
}

/// What stands in a template's slots; `None` where the path is another's.
pub(super) fn slots_of<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut slots = Vec::new();
    let mut parts = path.split('/');
    for wanted in template.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') {
            slots.push(part);
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(slots)
}

impl Method {
    /// The answer, or why there is none.
    pub fn answer(&self, state: &State, request: &Request<'_>) -> Reply {
        for (name, _) in &request.query {
            if !self.parameters.contains(&name.as_str()) {
                return Err((400, "Parameter verification failed.\n".to_owned()));
            }
        }
        (self.answer)(state, request)
    }
}

/// Fails as the API does where none of `privileges` is held.
pub(super) fn privileged(request: &Request<'_>, path: &str, privileges: &[&str]) -> Result<(), Refusal> {
    match request.rights.any_of(privileges) {
        true => Ok(()),
        false => Err((403, format!("Permission check failed ({path}, {})\n", privileges.join("|")))),
    }
}

fn audit(request: &Request<'_>, path: &str, privilege: &str) -> Result<(), Refusal> {
    privileged(request, path, &privilege.split('|').collect::<Vec<_>>())
}

fn version(state: &State, _: &Request<'_>) -> Reply {
    Ok(json!({"repoid": "14a22df3", "version": state.version, "release": "9.2"}))
}

fn permissions(_: &State, request: &Request<'_>) -> Reply {
    let privileges: Value = request.rights.iter().map(|name| (name.to_owned(), json!(1))).collect::<Map<_, _>>().into();
    if request.rights == &Rights::none() {
        return Ok(json!({}));
    }
    let paths = ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"];
    Ok(paths.into_iter().map(|path| (path.to_owned(), privileges.clone())).collect::<Map<_, _>>().into())
}

fn cluster_status(state: &State, request: &Request<'_>) -> Reply {
    audit(request, "/", "Sys.Audit")?;
    let quorate = u8::from(state.quorate());
    let mut entries = vec![
        json!({"type": "cluster", "id": "cluster", "name": state.name, "nodes": state.nodes.len(), "quorate": quorate, "version": 4}),
    ];
    for (n, node) in state.nodes.iter().enumerate() {
        entries.push(json!({
            "type": "node", "id": format!("node/{}", node.name), "name": node.name, "nodeid": n + 1, "ip": node.ip, "level": "",
            "local": u8::from(node.name == request.node), "online": u8::from(node.alive),
        }));
    }
    Ok(entries.into())
}

fn cluster_resources(state: &State, request: &Request<'_>) -> Reply {
    let kind = request.query.iter().find(|(name, _)| name == "type").map(|(_, value)| value.as_str());
    let wants = |of: &str| kind.is_none_or(|kind| kind == of);
    let mut entries = Vec::new();
    if wants("vm") && request.may_audit() {
        entries.extend(state.guests.iter().map(|guest| guest_resource(state, guest, request.now)));
    }
    if wants("node") {
        entries.extend(state.nodes.iter().map(|node| {
            let mut entry = node_entry(node, request, "cgroup-mode", json!(2));
            let ha = if node.alive { "online" } else { "unknown" };
            entry["hastate"] = json!(ha);
            entry
        }));
    }
    if wants("storage") && request.may_audit() {
        for storage in &state.storages {
            let on = match &storage.node {
                Some(node) => vec![node.clone()],
                None => state.nodes.iter().map(|node| node.name.clone()).collect(),
            };
            entries.extend(on.into_iter().map(|node| {
                json!({
                    "type": "storage", "id": format!("storage/{node}/{}", storage.name), "storage": storage.name, "node": node,
                    "plugintype": storage.kind, "content": storage.content, "shared": u8::from(storage.node.is_none()),
                    "status": "available", "disk": storage.bytes.0, "maxdisk": storage.bytes.1,
                })
            }));
        }
    }
    if wants("sdn") && request.may_audit() {
        entries.extend(state.nodes.iter().map(|node| {
            json!({
                "type": "network", "network-type": "zone", "network": "localnetwork", "status": "ok", "node": node.name,
                "id": format!("network/{}/zone/localnetwork", node.name),
            })
        }));
    }
    Ok(entries.into())
}

/// A guest as the cluster last heard of it: for minutes after its node's death that is its last state.
fn guest_resource(state: &State, guest: &Guest, now: i64) -> Value {
    let (kind, made_up) = match guest.kind {
        GuestKind::Vm => ("qemu", format!("VM {}", guest.vmid)),
        GuestKind::Container => ("lxc", format!("CT{}", guest.vmid)),
    };
    let mut entry = json!({
        "type": kind, "id": format!("{kind}/{}", guest.vmid), "vmid": guest.vmid, "node": guest.node, "template": 0,
        "name": guest.name.clone().unwrap_or(made_up),
        "status": if guest.running { "running" } else { "stopped" },
        "cpu": guest.cpu_percent as f64 / 100.0, "maxcpu": guest.cores,
        "mem": guest.memory.0, "maxmem": guest.memory.1, "memhost": guest.memory.0,
        "disk": guest.disk.0, "maxdisk": guest.disk.1, "diskread": 1_048_576, "diskwrite": 4_194_304,
        "netin": 290_000, "netout": 132_000,
        "uptime": if guest.running { now - guest.started } else { 0 },
    });
    if let Some((_, bad)) = state.ha.iter().find(|(vmid, _)| *vmid == guest.vmid) {
        entry["hastate"] = json!(if *bad { "error" } else { "started" });
    }
    if let Some(lock) = &guest.lock {
        entry["lock"] = json!(lock);
    }
    if let Some(tags) = state.written.tags.get(&guest.vmid) {
        entry["tags"] = json!(tags);
    }
    entry
}

/// A node in a list; what a token without rights sees of it, and what is left of a dead one, is less.
fn node_entry(node: &Node, request: &Request<'_>, extra: &str, value: Value) -> Value {
    let status = if node.alive { "online" } else { "offline" };
    let mut entry = json!({"type": "node", "id": format!("node/{}", node.name), "node": node.name, "status": status});
    if !request.may_audit() {
        return entry;
    }
    entry["level"] = json!("");
    entry["maxcpu"] = json!(node.cores);
    entry["maxmem"] = json!(node.memory.1);
    entry["maxdisk"] = json!(node.root.1);
    entry[extra] = value;
    if node.alive {
        entry["cpu"] = json!(node.cpu_percent as f64 / 100.0);
        entry["mem"] = json!(node.memory.0);
        entry["disk"] = json!(node.root.0);
        entry["uptime"] = json!(request.now - node.booted);
    }
    entry
}

fn nodes(state: &State, request: &Request<'_>) -> Reply {
    let entry = |(n, node): (usize, &Node)| {
        let shown = format!("{:02X}:", n + 17).repeat(32);
        node_entry(node, request, "ssl_fingerprint", json!(shown.trim_end_matches(':')))
    };
    Ok(state.nodes.iter().enumerate().map(entry).collect())
}

fn cluster_tasks(state: &State, request: &Request<'_>) -> Reply {
    if !request.may_audit() {
        return Ok(json!([]));
    }
    let entry = |task: &super::state::Task| {
        let mut entry = json!({
            "upid": task.upid, "node": task.node, "type": task.kind, "id": task.object, "starttime": task.started,
        });
        name_user(&mut entry, task);
        if let Some((ended, status)) = &task.ended {
            entry["endtime"] = json!(ended);
            entry["status"] = json!(status);
            entry["saved"] = json!("1");
        }
        entry
    };
    Ok(state.tasks.iter().map(entry).collect())
}

fn backup_jobs(state: &State, request: &Request<'_>) -> Reply {
    audit(request, "/", "Sys.Audit")?;
    let list = |vmids: &[u32]| vmids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let entry = |job: &super::state::Job| {
        let mut entry = json!({
            "id": job.id, "type": "vzdump", "schedule": job.schedule, "storage": job.storage, "mode": "snapshot",
            "enabled": u8::from(job.enabled), "next-run": job.next_run,
        });
        if job.vmids.is_empty() {
            entry["all"] = json!(1);
            entry["exclude"] = json!(list(&state.not_backed_up));
        } else {
            entry["vmid"] = json!(list(&job.vmids));
        }
        entry
    };
    Ok(state.jobs.iter().map(entry).collect())
}

fn not_backed_up(state: &State, request: &Request<'_>) -> Reply {
    audit(request, "/", "Sys.Audit")?;
    let entry = |vmid: &u32| {
        let guest = state.guest(*vmid)?;
        let kind = if guest.kind == GuestKind::Vm { "qemu" } else { "lxc" };
        Some(json!({"vmid": vmid, "type": kind, "name": guest.name}))
    };
    Ok(state.not_backed_up.iter().filter_map(entry).collect())
}

fn ha_status(state: &State, request: &Request<'_>) -> Reply {
    audit(request, "/", "Sys.Audit")?;
    let clock =
        jiff::Timestamp::from_second(request.now).unwrap_or_default().strftime("%a %b %e %H:%M:%S %Y").to_string();
    let master = state.nodes.iter().find(|node| node.alive).map_or(request.node, |node| node.name.as_str());
    let quorum = if state.quorate() { "OK".to_owned() } else { format!("No quorum on node '{}'!", request.node) };
    let mut entries = vec![
        json!({"type": "quorum", "id": "quorum", "node": request.node, "quorate": u8::from(state.quorate()), "status": quorum}),
        json!({
            "type": "master", "id": "master", "node": master, "status": format!("{master} (active, {clock})"), "timestamp": request.now,
        }),
        json!({
            "type": "fencing", "id": "fencing", "node": master, "status": "armed (CRM watchdog active)", "armed-state": "armed",
        }),
    ];
    for node in &state.nodes {
        let name = &node.name;
        let what = if node.alive { "active, watchdog active" } else { "old timestamp - dead?, watchdog standby" };
        entries.push(json!({
            "type": "lrm", "id": format!("lrm:{name}"), "node": name, "status": format!("{name} ({what}, {clock})"),
            "timestamp": request.now,
        }));
    }
    for (vmid, bad) in &state.ha {
        let Some(guest) = state.guest(*vmid) else { continue };
        let kind = if guest.kind == GuestKind::Vm { "vm" } else { "ct" };
        let (sid, now) = (format!("{kind}:{vmid}"), if *bad { "error" } else { "started" });
        entries.push(json!({
            "type": "service", "id": format!("service:{sid}"), "sid": sid, "node": guest.node, "state": now, "crm_state": now,
            "request_state": "started", "max_restart": 1, "max_relocate": 1, "failback": 1,
            "status": format!("{sid} ({}, {now})", guest.node),
        }));
    }
    Ok(entries.into())
}

fn node_status(state: &State, request: &Request<'_>) -> Reply {
    let node = state.node(request.slots[0]).ok_or_else(|| (500, "no such node\n".to_owned()))?;
    audit(request, &format!("/nodes/{}", node.name), "Sys.Audit")?;
    let load: Vec<String> = node.load.iter().map(|load| format!("{load:.2}")).collect();
    let (used, total) = node.memory;
    Ok(json!({
        "boot-info": {"mode": "efi", "secureboot": 0},
        "cpu": node.cpu_percent as f64 / 100.0,
        "cpuinfo": {
            "cpus": node.cores, "cores": node.cores / 2, "sockets": 1, "model": "AMD Ryzen", "vendor": "AuthenticAMD",
            "family": "25", "mhz": "3400.000", "hvm": "1", "user_hz": 100, "flags": "fpu vme de pse",
        },
        "current-kernel": {
            "sysname": "Linux", "machine": "x86_64", "release": node.kernel, "version": "#1 SMP PREEMPT_DYNAMIC PMX",
        },
        "kversion": format!("Linux {} #1 SMP PREEMPT_DYNAMIC PMX", node.kernel),
        "pveversion": format!("pve-manager/{}/14a22df3", state.version),
        "loadavg": load,
        "memory": {"used": used, "total": total, "free": total - used, "available": total - used},
        "rootfs": {"used": node.root.0, "total": node.root.1, "free": node.root.1 - node.root.0, "avail": node.root.1 - node.root.0},
        "swap": {"used": 0, "total": 8_589_934_592_u64, "free": 8_589_934_592_u64},
        "ksm": {"shared": 0}, "idle": 0, "wait": 0.001, "uptime": request.now - node.booted,
    }))
}

fn replication(state: &State, request: &Request<'_>) -> Reply {
    if !request.may_audit() {
        return Ok(json!([]));
    }
    let of_node = state.replication.iter().filter(|job| job.source == request.slots[0]);
    let entry = |job: &super::state::Replication| {
        let mut entry = json!({
            "id": format!("{}-0", job.vmid), "type": "local", "guest": job.vmid, "jobnum": 0, "source": job.source,
            "target": job.target, "schedule": "*/15", "vmtype": "qemu", "last_sync": job.last_sync,
            "last_try": if job.failures > 0 { request.now - 40 } else { job.last_sync }, "next_sync": request.now + 300,
            "duration": 4.2, "fail_count": job.failures,
        });
        if job.failures > 0 {
            let usual = "command 'zfs send' failed: exit code 1";
            entry["error"] = json!(state.written.replication_errors.get(&job.vmid).map_or(usual, String::as_str));
        }
        entry
    };
    Ok(of_node.map(entry).collect())
}

fn content(state: &State, request: &Request<'_>) -> Reply {
    let (node, storage) = (request.slots[0], request.slots[1]);
    audit(request, &format!("/storage/{storage}"), "Datastore.Audit|Datastore.AllocateSpace")?;
    let seen = |s: &&super::state::Storage| s.name == storage && s.node.as_deref().is_none_or(|n| n == node);
    let Some(found) = state.storages.iter().find(seen) else {
        return Err((500, format!("storage '{storage}' does not exist\n")));
    };
    let wanted = request.query.iter().find(|(name, _)| name == "content").map(|(_, value)| value.as_str());
    // The list is filtered, not refused.
    if !request.rights.sees_backups() || found.name != "vault" || wanted.is_some_and(|wanted| wanted != "backup") {
        return Ok(json!([]));
    }
    let entry = |backup: &super::state::Backup| {
        let kind = match state.guest(backup.vmid).map(|guest| guest.kind) {
            Some(GuestKind::Container) => "ct",
            _ => "vm",
        };
        let taken = jiff::Timestamp::from_second(backup.taken).unwrap_or_default();
        let mut entry = json!({
            "volid": format!("vault:backup/{kind}/{}/{taken}", backup.vmid), "content": "backup",
            "format": format!("pbs-{kind}"), "vmid": backup.vmid, "ctime": backup.taken, "size": backup.size, "protected": 0,
        });
        if let Some(notes) = state.written.backup_notes.get(&(backup.vmid, backup.taken)) {
            entry["notes"] = json!(notes);
        }
        entry
    };
    Ok(state.backups.iter().map(entry).collect())
}

/// The guest that a path is about. Who may change a guest need not be allowed to look at it.
pub(super) fn guest_of<'s>(state: &'s State, request: &Request<'_>, kind: GuestKind) -> Result<&'s Guest, Refusal> {
    let (node, vmid) = (request.slots[0], request.slots[1]);
    let folder = if kind == GuestKind::Vm { "qemu-server" } else { "lxc" };
    let found = vmid.parse().ok().and_then(|vmid| state.guest(vmid));
    found
        .filter(|guest| guest.node == node && guest.kind == kind)
        .ok_or_else(|| (500, format!("Configuration file 'nodes/{node}/{folder}/{vmid}.conf' does not exist\n")))
}

/// The guest that a path is about, to look at.
pub(super) fn seen_guest<'s>(state: &'s State, request: &Request<'_>, kind: GuestKind) -> Result<&'s Guest, Refusal> {
    audit(request, &format!("/vms/{}", request.slots[1]), "VM.Audit")?;
    guest_of(state, request, kind)
}

/// Another one whenever the configuration is another.
fn digest(guest: &Guest) -> String {
    use sha2::{Digest, Sha256};
    let Guest { vmid, name, cores, memory, disk, on_boot, protection, snapshots, lineage, half, lock, .. } = guest;
    let configured = format!(
        "{vmid} {name:?} {cores} {memory} {disk} {on_boot} {protection} {snapshots:?} {lineage:?} {half:?} {lock:?}",
        memory = memory.1,
        disk = disk.1
    );
    Sha256::digest(configured).iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

/// What stands in a configuration only where somebody put it.
fn note(state: &State, guest: &Guest, config: &mut Value) {
    if guest.protection {
        config["protection"] = json!(1);
    }
    if let Some(notes) = state.written.notes.get(&guest.vmid) {
        config["description"] = json!(notes);
    }
}

fn vm_config(state: &State, request: &Request<'_>) -> Reply {
    let guest = seen_guest(state, request, GuestKind::Vm)?;
    let vmid = guest.vmid;
    let mut config = json!({
        "boot": "order=scsi0;net0", "cores": guest.cores, "sockets": 1, "memory": (guest.memory.1 >> 20).to_string(), "agent": "1",
        "digest": digest(guest), "meta": "creation-qemu=10.0.13,ctime=1763000000", "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0",
        "scsi0": format!("tank:vm-{vmid}-disk-0,size={}G", guest.disk.1 >> 30), "smbios1": "uuid=9c839a31-3272-4b21-aa19-52b836bc2fa6",
        "vmgenid": "a047b214-cb55-497f-8f9e-484e8ac6ca84", "onboot": u8::from(guest.on_boot),
    });
    if let Some(name) = &guest.name {
        config["name"] = json!(name);
    }
    note(state, guest, &mut config);
    Ok(config)
}

fn ct_config(state: &State, request: &Request<'_>) -> Reply {
    let guest = seen_guest(state, request, GuestKind::Container)?;
    let mut config = json!({
        "arch": "amd64", "cores": guest.cores, "digest": digest(guest), "hostname": guest.name, "memory": guest.memory.1 >> 20,
        "net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=dhcp,type=veth", "onboot": u8::from(guest.on_boot),
        "ostype": "debian", "rootfs": format!("tank:subvol-{}-disk-0,size={}G", guest.vmid, guest.disk.1 >> 30), "swap": 512,
        "unprivileged": 1,
    });
    note(state, guest, &mut config);
    Ok(config)
}

fn vm_snapshots(state: &State, request: &Request<'_>) -> Reply {
    Ok(snapshots(seen_guest(state, request, GuestKind::Vm)?))
}

fn ct_snapshots(state: &State, request: &Request<'_>) -> Reply {
    Ok(snapshots(seen_guest(state, request, GuestKind::Container)?))
}

fn snapshots(guest: &Guest) -> Value {
    let entry = |name: &str, taken: i64, state: Option<&str>| {
        let mut entry = json!({"name": name, "snaptime": taken, "description": ""});
        if guest.kind == GuestKind::Vm {
            entry["vmstate"] = json!(0);
        }
        if let Some(state) = state {
            entry["snapstate"] = json!(state);
        }
        if let Some(parent) = guest.lineage.get(name) {
            entry["parent"] = json!(parent);
        }
        entry
    };
    let mut entries: Vec<Value> = guest.snapshots.iter().map(|(name, taken)| entry(name, *taken, None)).collect();
    entries.extend(guest.half.iter().map(|(name, state)| entry(name, guest.started, Some(state))));
    let mut current = json!({
        "name": "current", "description": "You are here!", "digest": digest(guest), "running": u8::from(guest.running),
    });
    if let Some(parent) = guest.lineage.get("current") {
        current["parent"] = json!(parent);
    }
    entries.push(current);
    entries.into()
}

/// `sensors -j` of a node.
pub fn sensors(node: &Node) -> Value {
    json!({
        "k10temp-pci-00c3": {
            "Adapter": "PCI adapter",
            "Tctl": {"temp1_input": node.celsius},
            "Tccd1": {"temp3_input": node.celsius - 3.5},
        },
        "nvme-pci-0100": {
            "Adapter": "PCI adapter",
            "Composite": {
                "temp1_input": 30.85, "temp1_max": 81.85, "temp1_min": -273.15, "temp1_crit": 84.85, "temp1_alarm": 0.0,
            },
            "Sensor 1": {"temp2_input": 30.85, "temp2_max": 65261.85, "temp2_min": -273.15},
        },
        "nct6798-isa-0290": {
            "Adapter": "ISA adapter",
            "fan2": {"fan2_input": 1180.0, "fan2_min": 0.0},
            "AUXTIN1": {"temp4_input": 127.0, "temp4_max": 80.0},
        },
    })
}
