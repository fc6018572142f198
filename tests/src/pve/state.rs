//! The simulated cluster's state: the fleet of tests/frozen/README.md, its figures drawn from a seed.
//!
//! Figures that a question compares (hottest, busiest, fullest) are drawn apart, so that rounding never changes the right answer, and
//! uptimes lie hours from the next day, so that a run of the harness never crosses one.
//!
//! Length: what is drawn depends on what was drawn before, from nodes to backups.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use jarvis_core::cluster::GuestKind;

use super::dice::Dice;
use super::work::Works;
use super::written::Written;
use crate::fleet::{GUESTS, NODES};

const GIB: u64 = 1 << 30;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// When the nightly backups start, in seconds after local midnight.
const NIGHTLY: i64 = 2 * HOUR + 30 * MINUTE;
/// Nights whose backups are kept.
const NIGHTS: i64 = 5;

/// The cluster.
#[derive(Debug, Clone)]
pub struct State {
    /// What it was drawn from.
    pub seed: u64,
    /// When it was drawn, in seconds since 1970.
    pub born: i64,
    /// Local time minus UTC, in seconds.
    pub offset_s: i64,
    /// The cluster's name.
    pub name: String,
    /// What `/version` says.
    pub version: String,
    /// Nodes, by name.
    pub nodes: Vec<Node>,
    /// Guests, by VMID.
    pub guests: Vec<Guest>,
    /// Storages; one per node for those not shared.
    pub storages: Vec<Storage>,
    /// Tasks, newest first.
    pub tasks: Vec<Task>,
    /// Backups on `vault`, newest first.
    pub backups: Vec<Backup>,
    /// Backup jobs.
    pub jobs: Vec<Job>,
    /// Guests no job covers and no backup has, by VMID.
    pub not_backed_up: Vec<u32>,
    /// HA services: guest and whether it is in error.
    pub ha: Vec<(u32, bool)>,
    /// Replication jobs.
    pub replication: Vec<Replication>,
    /// What tasks are at work, and what is planned.
    pub works: Works,
    /// What people wrote.
    pub written: Written,
}

/// A node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub alive: bool,
    /// Its address inside the cluster.
    pub ip: String,
    /// Logical cores.
    pub cores: u64,
    /// Processor use in percent.
    pub cpu_percent: u64,
    /// Bytes.
    pub memory: (u64, u64),
    /// Bytes of the root file system.
    pub root: (u64, u64),
    /// When it started, in seconds since 1970.
    pub booted: i64,
    /// Its kernel's release.
    pub kernel: String,
    /// Load averages.
    pub load: [f64; 3],
    /// Degrees Celsius of its hottest sensor.
    pub celsius: f64,
}

/// A guest.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Its number.
    pub vmid: u32,
    /// Its name; `None` where nobody gave it one.
    pub name: Option<String>,
    /// VM or container.
    pub kind: GuestKind,
    /// Where it is.
    pub node: String,
    /// Whether it runs.
    pub running: bool,
    /// Cores.
    pub cores: u64,
    /// Processor use in percent of its cores.
    pub cpu_percent: u64,
    /// Bytes used of bytes given.
    pub memory: (u64, u64),
    /// Bytes used (0 for a VM) of bytes given.
    pub disk: (u64, u64),
    /// When it started.
    pub started: i64,
    /// How often it was started since the cluster was drawn.
    pub starts: u32,
    /// Started with its node.
    pub on_boot: bool,
    /// Protected against removal.
    pub protection: bool,
    /// Snapshots, oldest first: name and time.
    pub snapshots: Vec<(String, i64)>,
    /// From which snapshot each of them, and `current`, descends.
    pub lineage: BTreeMap<String, String>,
    /// A snapshot that is not whole, and why (`prepare`, `delete`).
    pub half: Option<(String, String)>,
    /// A lock that somebody else holds: `backup`.
    pub lock: Option<String>,
    /// Whether its system ignores being asked to stop.
    pub deaf: bool,
}

/// A storage on a node, or a shared one (`node` is `None`).
#[derive(Debug, Clone)]
pub struct Storage {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub node: Option<String>,
    /// `dir`, `zfspool`, ...
    pub kind: String,
    /// What it may hold.
    pub content: String,
    /// Bytes used of bytes there.
    pub bytes: (u64, u64),
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Where.
    pub node: String,
    /// `qmstart`, ...
    pub kind: String,
    /// A VMID, or nothing.
    pub object: String,
    /// Who.
    pub user: String,
    /// Start.
    pub started: i64,
    /// End and status; `None` while it runs.
    pub ended: Option<(i64, String)>,
    /// Its identifier.
    pub upid: String,
}

impl Task {
    /// Whether it ended badly.
    pub fn failed(&self) -> bool {
        let status = self.ended.as_ref().map(|(_, status)| status.as_str());
        status.is_some_and(|status| status != "OK" && !status.starts_with("WARNINGS"))
    }
}

/// A backup.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Of which guest.
    pub vmid: u32,
    /// When.
    pub taken: i64,
    /// Bytes.
    pub size: u64,
}

/// A backup job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// When, as a calendar event.
    pub schedule: String,
    /// Next run.
    pub next_run: i64,
    /// Whether it is on.
    pub enabled: bool,
    /// Where to.
    pub storage: String,
    /// Guests; empty for all but `not_backed_up`.
    pub vmids: Vec<u32>,
}

/// A replication job.
#[derive(Debug, Clone)]
pub struct Replication {
    /// Of which guest.
    pub vmid: u32,
    /// From.
    pub source: String,
    /// To.
    pub target: String,
    /// Last success.
    pub last_sync: i64,
    /// Failures since.
    pub failures: u32,
}

/// Cores, GiB of memory and GiB of disk, in the order of [`GUESTS`].
const SIZES: [(u64, u64, u64); 18] = [
    (2, 4, 32),
    (2, 4, 40),
    (4, 8, 120),
    (8, 16, 200),
    (4, 8, 500),
    (2, 4, 32),
    (1, 1, 8),
    (1, 1, 8),
    (2, 2, 16),
    (4, 8, 300),
    (4, 6, 1000),
    (8, 12, 150),
    (2, 2, 32),
    (4, 12, 100),
    (1, 1, 16),
    (1, 1, 10),
    (1, 2, 8),
    (2, 4, 40),
];
/// Guests of which some are stopped.
const MAY_STOP: [u32; 6] = [111, 112, 113, 114, 115, 110];
/// Cores and GiB of memory of the nodes.
const NODE_SIZES: [(u64, u64); 4] = [(24, 128), (16, 96), (12, 64), (8, 64)];

impl State {
    /// Draws a cluster at the present time.
    pub fn new(seed: u64) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let born = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let zone = jiff::tz::TimeZone::system();
        let at = jiff::Timestamp::from_second(born).unwrap_or_default();
        Self::at(seed, born, i64::from(zone.to_offset(at).seconds()))
    }

    /// Draws a cluster at `born`, where the clock shows `offset_s` more than UTC.
    pub fn at(seed: u64, born: i64, offset_s: i64) -> Self {
        let mut nodes = nodes(seed, born);
        let guests = guests(seed, born, &mut nodes);
        let storages = storages(seed, &nodes);
        let mut dice = Dice::new(seed, "jobs");
        let minor: Vec<u32> = vec![112, 113, 114, 116];
        let missing = dice.between(1, 2) as usize;
        let not_backed_up = dice.some(&minor, missing);
        let mut state = Self {
            seed,
            born,
            offset_s,
            name: "homelab".to_owned(),
            version: "9.2.11".to_owned(),
            nodes,
            guests,
            storages,
            tasks: Vec::new(),
            backups: Vec::new(),
            jobs: Vec::new(),
            not_backed_up,
            ha: Vec::new(),
            replication: Vec::new(),
            works: Works::default(),
            written: Written::default(),
        };
        state.draw_jobs(&mut dice);
        state.draw_backups();
        state.draw_tasks();
        state.draw_ha();
        state.draw_replication();
        state
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// A guest by number.
    pub fn guest(&self, vmid: u32) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.vmid == vmid)
    }

    /// Whether the nodes that are there are a majority.
    pub fn quorate(&self) -> bool {
        2 * self.nodes.iter().filter(|node| node.alive).count() > self.nodes.len()
    }

    /// Whether a guest's node is there.
    pub fn reachable(&self, guest: &Guest) -> bool {
        self.node(&guest.node).is_some_and(|node| node.alive)
    }

    /// Local midnight before `now`.
    pub fn midnight(&self, now: i64) -> i64 {
        (now + self.offset_s).div_euclid(DAY) * DAY - self.offset_s
    }

    /// When the backups of the last whole night began.
    pub fn last_night(&self) -> i64 {
        let tonight = self.midnight(self.born) + NIGHTLY;
        // Half an hour is what they take.
        if tonight + HOUR / 2 <= self.born { tonight } else { tonight - DAY }
    }

    fn draw_jobs(&mut self, dice: &mut Dice) {
        let next = self.last_night() + DAY;
        let days_to_saturday =
            (6 - ((self.midnight(self.born) + self.offset_s).div_euclid(DAY) + 4).rem_euclid(7)).rem_euclid(7);
        let mut saturday = self.midnight(self.born) + days_to_saturday * DAY + 5 * HOUR;
        if saturday <= self.born {
            saturday += 7 * DAY;
        }
        self.jobs = vec![
            Job {
                id: "backup-nightly".to_owned(),
                schedule: "02:30".to_owned(),
                next_run: next,
                enabled: true,
                storage: "vault".to_owned(),
                vmids: Vec::new(),
            },
            Job {
                id: "backup-weekly".to_owned(),
                schedule: "sat 05:00".to_owned(),
                next_run: saturday,
                enabled: dice.happens(50),
                storage: "vault".to_owned(),
                vmids: vec![103, 109],
            },
        ];
    }

    /// The guest whose backup failed last night, if one did.
    pub fn backup_failed(&self) -> Option<u32> {
        let mut dice = Dice::new(self.seed, "backup failure");
        let candidates: Vec<u32> =
            self.guests.iter().map(|g| g.vmid).filter(|v| !self.not_backed_up.contains(v)).collect();
        dice.happens(40).then(|| *dice.one(&candidates))
    }

    fn draw_backups(&mut self) {
        let mut dice = Dice::new(self.seed, "backups");
        let failed = self.backup_failed();
        for night in 0..NIGHTS {
            let begun = self.last_night() - night * DAY;
            for (n, guest) in self.guests.iter().enumerate() {
                let left_out = self.not_backed_up.contains(&guest.vmid);
                if left_out || (night == 0 && failed == Some(guest.vmid)) {
                    continue;
                }
                let size = guest.disk.1 / 100 * dice.between(5, 60);
                self.backups.push(Backup { vmid: guest.vmid, taken: begun + 60 * n as i64 + 5, size });
            }
        }
        self.backups.sort_by_key(|backup| std::cmp::Reverse(backup.taken));
    }

    fn draw_tasks(&mut self) {
        let mut dice = Dice::new(self.seed, "tasks");
        let failed_node = self.backup_failed().and_then(|vmid| self.guest(vmid)).map(|guest| guest.node.clone());
        let mut tasks = Vec::new();
        for night in 0..3 {
            let begun = self.last_night() - night * DAY;
            for node in &self.nodes {
                let bad = night == 0 && failed_node.as_ref() == Some(&node.name);
                let status = if bad { "job errors" } else { "OK" };
                let took = dice.between(300, 1500) as i64;
                tasks.push((
                    node.name.clone(),
                    "vzdump",
                    String::new(),
                    "root@pam",
                    begun,
                    Some((begun + took, status.to_owned())),
                ));
            }
        }
        let window = (self.born - self.midnight(self.born)).min(10 * HOUR);
        let today = if window < 30 * MINUTE { 0 } else { dice.between(3, 8) };
        let failures = if today == 0 { 0 } else { dice.between(0, 2) };
        for n in 0..today {
            let guest = dice.one(&self.guests).clone();
            let begun = self.born - dice.between(10 * MINUTE as u64, window as u64 - 1) as i64;
            let (kind, bad) = match guest.kind {
                GuestKind::Vm => *dice.one(&[
                    ("qmstart", "start failed: QEMU exited with code 1"),
                    ("qmshutdown", "VM quit/powerdown failed - got timeout"),
                    ("qmsnapshot", "snapshot feature is not available"),
                    ("qmreboot", "VM quit/powerdown failed - got timeout"),
                ]),
                GuestKind::Container => *dice.one(&[
                    ("vzstart", "startup for container failed"),
                    ("vzshutdown", "command 'lxc-stop' failed: exit code 1"),
                    ("vzsnapshot", "snapshot feature is not available"),
                ]),
            };
            let status = match n {
                n if n < failures => bad,
                n if n == failures && dice.happens(30) => "WARNINGS: 1",
                _ => "OK",
            };
            let took = dice.between(2, 45) as i64;
            tasks.push((
                guest.node,
                kind,
                guest.vmid.to_string(),
                "root@pam",
                begun,
                Some((begun + took, status.to_owned())),
            ));
        }
        if dice.happens(50) {
            let guest = dice.one(&self.guests).clone();
            let begun = self.born - dice.between(60, 500) as i64;
            tasks.push((guest.node, "vzdump", guest.vmid.to_string(), "root@pam", begun, None));
        }
        tasks.sort_by_key(|task| std::cmp::Reverse(task.4));
        let mut pid = 0x1a2b;
        for (node, kind, object, user, started, ended) in tasks {
            pid += dice.between(3, 4000);
            let upid = format!("UPID:{node}:{pid:08X}:{:08X}:{started:08X}:{kind}:{object}:{user}:", pid * 77);
            let (kind, user) = (kind.to_owned(), user.to_owned());
            self.tasks.push(Task { node, kind, object, user, started, ended, upid });
        }
    }

    fn draw_ha(&mut self) {
        let mut dice = Dice::new(self.seed, "ha");
        let mut services = dice.some(&[102, 103, 105, 106], 3);
        services.retain(|vmid| self.guest(*vmid).is_some_and(|guest| guest.running));
        let bad = if dice.happens(25) { services.first().copied() } else { None };
        self.ha = services.into_iter().map(|vmid| (vmid, Some(vmid) == bad)).collect();
    }

    fn draw_replication(&mut self) {
        let mut dice = Dice::new(self.seed, "replication");
        let bad = dice.happens(30);
        for (n, vmid) in [101, 103, 109].into_iter().enumerate() {
            let Some(guest) = self.guest(vmid) else { continue };
            let source = guest.node.clone();
            let others: Vec<&str> = NODES.into_iter().filter(|node| *node != source).collect();
            let target = (*dice.one(&others)).to_owned();
            let failures = if bad && n == 1 { dice.between(2, 5) as u32 } else { 0 };
            let last_sync = self.born - dice.between(60, 800) as i64 - i64::from(failures) * 15 * MINUTE;
            self.replication.push(Replication { vmid, source, target, last_sync, failures });
        }
    }
}

fn nodes(seed: u64, born: i64) -> Vec<Node> {
    let mut dice = Dice::new(seed, "nodes");
    let loads = dice.apart(4, 5, 92, 4);
    let celsius = dice.apart(4, 36, 84, 3);
    let roots = dice.apart(4, 14, 82, 3);
    let patch = dice.between(2, 13);
    NODES
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let (cores, memory) = NODE_SIZES[n];
            let root = 94 * GIB + 512 * (1 << 20);
            let busy = cores as f64 * loads[n] as f64 / 100.0;
            Node {
                name: (*name).to_owned(),
                alive: true,
                ip: format!("10.77.0.{}", 11 + n),
                cores,
                cpu_percent: loads[n],
                memory: (0, memory * GIB),
                root: (root / 100 * roots[n], root),
                booted: born - long_ago(&mut dice, 3, 120),
                kernel: format!("6.17.{patch}-{}-pve", dice.between(1, 3)),
                load: [busy, busy * 0.9 + 0.1, busy * 0.8 + 0.2],
                celsius: celsius[n] as f64 + *dice.one(&[0.0, 0.25]),
            }
        })
        .collect()
}

/// Some days and hours, never near the end of either.
fn long_ago(dice: &mut Dice, days_min: u64, days_max: u64) -> i64 {
    let days = dice.between(days_min, days_max) as i64;
    days * DAY + dice.between(2, 9) as i64 * HOUR + dice.between(10, 25) as i64 * MINUTE
}

fn guests(seed: u64, born: i64, nodes: &mut [Node]) -> Vec<Guest> {
    let mut dice = Dice::new(seed, "guests");
    let stopped_count = dice.between(2, 4) as usize;
    let stopped = dice.some(&MAY_STOP, stopped_count);
    let running = |vmid: u32| !stopped.contains(&vmid);
    // The guests that lead lead in share and in absolute terms, whichever an answer goes by.
    let busiest = if running(111) && dice.happens(50) { 111 } else { 103 };
    let hungriest = if running(111) && dice.happens(50) { 111 } else { 103 };
    let loads = dice.apart(GUESTS.len(), 2, 38, 1);
    let hunger = dice.apart(GUESTS.len(), 15, 60, 1);
    let mut guests: Vec<Guest> = Vec::new();
    for (n, (name, kind)) in GUESTS.iter().enumerate() {
        let vmid = 100 + n as u32;
        let (cores, memory, disk) = SIZES[n];
        let node = if vmid == 100 { 0 } else { (n + dice.between(0, 1) as usize) % 4 };
        let running = running(vmid);
        let cpu = if vmid == busiest { dice.between(86, 95) } else { loads[n] };
        let used = if vmid == hungriest { dice.between(93, 97) } else { hunger[n] };
        let memory = memory * GIB;
        let disk = disk * GIB;
        let disk_used = match kind {
            GuestKind::Container if running => disk / 100 * dice.between(10, 85),
            _ => 0,
        };
        let booted_days = ((born - nodes[node].booted) / DAY).max(3) as u64;
        let snapshots = snapshots(&mut dice, born);
        let names = snapshots.iter().map(|(name, _)| name.as_str()).chain(["current"]).collect::<Vec<_>>();
        let lineage = names.windows(2).map(|pair| (pair[1].to_owned(), pair[0].to_owned())).collect();
        guests.push(Guest {
            vmid,
            name: Some((*name).to_owned()),
            kind: *kind,
            node: NODES[node].to_owned(),
            running,
            cores,
            cpu_percent: if running { cpu } else { 0 },
            memory: (if running { memory / 100 * used } else { 0 }, memory),
            disk: (disk_used, disk),
            started: born - long_ago(&mut dice, 1, booted_days - 1),
            starts: 0,
            on_boot: running,
            protection: vmid == 100 || dice.happens(20),
            snapshots,
            lineage,
            half: None,
            lock: None,
            deaf: false,
        });
    }
    let shares = dice.apart(nodes.len(), 40, 90, 4);
    for (node, share) in nodes.iter_mut().zip(shares) {
        let of_guests: u64 = guests.iter().filter(|g| g.node == node.name).map(|g| g.memory.0).sum();
        let total = node.memory.1;
        node.memory.0 = (total / 100 * share).max(of_guests + GIB).min(total / 100 * 97);
    }
    guests
}

fn snapshots(dice: &mut Dice, born: i64) -> Vec<(String, i64)> {
    let names = ["clean", "before-upgrade", "before-migration", "known-good"];
    let count = dice.between(0, 3) as usize;
    let chosen = dice.some(&names, count);
    let mut taken = born - long_ago(dice, 60, 90);
    chosen
        .into_iter()
        .map(|name| {
            taken += dice.between(3, 18) as i64 * DAY;
            (name.to_owned(), taken)
        })
        .collect()
}

fn storages(seed: u64, nodes: &[Node]) -> Vec<Storage> {
    let mut dice = Dice::new(seed, "storages");
    let shares = dice.apart(6, 18, 96, 3);
    let tib = 1 << 40;
    let storage = |name: &str, node: Option<&Node>, kind: &str, content: &str, total: u64, share: u64| Storage {
        name: name.to_owned(),
        node: node.map(|node| node.name.clone()),
        kind: kind.to_owned(),
        content: content.to_owned(),
        bytes: (total / 1000 * (share * 10 + 1), total),
    };
    let mut storages = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        // `local` lies on the root file system.
        let mut local = storage("local", Some(node), "dir", "snippets,iso,vztmpl", node.root.1, 0);
        local.bytes = node.root;
        storages.push(local);
        let total = [4, 2, 2, 2][n] * tib;
        storages.push(storage("tank", Some(node), "zfspool", "images,rootdir", total, shares[n]));
    }
    storages.push(storage("nas", None, "nfs", "images,iso,vztmpl", 8 * tib, shares[4]));
    storages.push(storage("vault", None, "pbs", "backup", 16 * tib, shares[5]));
    storages
}

#[cfg(test)]
mod tests;
