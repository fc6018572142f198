//! Task workers: what a change becomes once it was asked for, how long it takes, and what can go wrong with it.
//!
//! Nothing runs by itself: [`State::advance`] does what was due by then. What a worker really did to a guest is in
//! [`Works::history`], so that a test can judge what a client claims.

use std::collections::BTreeMap;
use std::time::Duration;

use jarvis_core::cluster::GuestKind;

use super::deeds::task_kind;
use super::state::{Guest, State, Task};

/// What is done to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It starts.
    Start,
    /// Its plug is pulled.
    Stop,
    /// Its system is asked to stop.
    Shutdown,
    /// Its system is asked to stop, and it starts again.
    Reboot,
    /// A snapshot is taken.
    Snapshot(String),
    /// A snapshot is deleted.
    DeleteSnapshot(String),
    /// It is rolled back.
    RollBack(String),
}

/// How the task of a change goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fate {
    /// As the guest's state has it: well, or with the error that a real one would end with.
    #[default]
    Usual,
    /// Well, with warnings in its log.
    Warnings(u32),
    /// Badly, with this status, and nothing was done.
    Fails(String),
    /// Its worker is killed: the log has no last line. Whether the deed was done before that.
    Unexpected {
        /// Whether it was.
        done: bool,
    },
    /// It says OK, and nothing was done.
    Lies,
    /// It says OK, and the deed is done so much later.
    Late(Duration),
    /// It never ends.
    Endless,
    /// Its node dies so long after it was begun.
    NodeDies(Duration),
}

/// What becomes of a change's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mishap {
    /// It is refused with this status and reason; nothing is begun.
    Refused(u16, String),
    /// The connection is cut before the request counts.
    RequestLost,
    /// The task is begun, and the connection is cut instead of an answer.
    AnswerLost,
    /// The task is begun, and the answer comes so much later.
    AnswerSlow(Duration),
    /// The task is begun, and the answer is this instead.
    Answers(u16, String),
}

/// What happens to the next change of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// To its request; `None`: nothing odd.
    pub mishap: Option<Mishap>,
    /// To its task.
    pub fate: Fate,
}

impl From<Mishap> for Plan {
    fn from(mishap: Mishap) -> Self {
        Self { mishap: Some(mishap), fate: Fate::Usual }
    }
}

impl From<Fate> for Plan {
    fn from(fate: Fate) -> Self {
        Self { mishap: None, fate }
    }
}

/// Something that was really done to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Milliseconds since 1970.
    pub at: i64,
    /// To which.
    pub vmid: u32,
    /// What.
    pub deed: Deed,
    /// By which task.
    pub upid: String,
}

/// The workers, and what is planned for those to come.
#[derive(Debug, Clone, Default)]
pub struct Works {
    /// How long a task takes.
    pub pace: Duration,
    /// How long high availability takes to do what it was asked for.
    pub ha_delay: Duration,
    /// How long a node that a task's fate kills stays away; `None`: until it is brought back.
    pub away: Option<Duration>,
    /// How many nodes were killed by a task's fate so far.
    pub deaths: usize,
    /// What was really done, in its order.
    pub history: Vec<Happened>,
    /// Requests that would change something, whatever became of them: verb and path.
    pub asked: Vec<String>,
    workers: Vec<Worker>,
    later: Vec<Later>,
    dying: Vec<Dying>,
    returning: Vec<(i64, String)>,
    plans: BTreeMap<u32, Vec<Plan>>,
    logs: BTreeMap<String, Vec<String>>,
    begun: Vec<(i64, String)>,
    arrivals: Vec<i64>,
}

#[derive(Debug, Clone)]
struct Worker {
    upid: String,
    vmid: u32,
    deed: Deed,
    fate: Fate,
    due: i64,
    by_ha: bool,
}

/// A deed whose task said OK before it was done.
#[derive(Debug, Clone)]
struct Later {
    at: i64,
    vmid: u32,
    deed: Deed,
    upid: String,
}

/// A node that will die by the fate of a guest's task.
#[derive(Debug, Clone)]
struct Dying {
    at: i64,
    vmid: u32,
    node: String,
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Works {
    /// Plans what happens to the next change of a guest that has no plan yet.
    pub fn plan(&mut self, vmid: u32, plan: impl Into<Plan>) {
        self.plans.entry(vmid).or_default().push(plan.into());
    }

    /// What was planned for the next change of a guest.
    pub(super) fn next_plan(&mut self, vmid: u32) -> Plan {
        let plans = self.plans.entry(vmid).or_default();
        if plans.is_empty() { Plan::default() } else { plans.remove(0) }
    }

    /// A request for a change arrived, whatever becomes of it.
    pub(super) fn asked(&mut self, now: i64) {
        self.arrivals.push(now);
    }

    /// When requests for changes arrived, from `at` on (milliseconds since 1970).
    pub fn asked_since(&self, at: i64) -> impl Iterator<Item = i64> {
        self.arrivals.iter().copied().filter(move |arrived| *arrived >= at)
    }

    /// The tasks that were begun before `at` (milliseconds since 1970).
    pub fn begun_before(&self, at: i64) -> impl Iterator<Item = &str> {
        self.begun.iter().filter(move |(begun, _)| *begun < at).map(|(_, upid)| upid.as_str())
    }

    /// A task's log as far as it is written.
    pub(super) fn log(&self, upid: &str) -> &[String] {
        self.logs.get(upid).map_or(&[], Vec::as_slice)
    }
}

impl State {
    /// Begins the task of a change at `now` (milliseconds since 1970); returns its identifier.
    pub fn begin(&mut self, now: i64, user: &str, vmid: u32, deed: Deed, fate: Fate) -> Option<String> {
        let guest = self.guest(vmid)?;
        let by_ha = self.ha.iter().any(|(managed, _)| *managed == vmid)
            && matches!(deed, Deed::Start | Deed::Stop | Deed::Shutdown);
        let (node, kind) = (guest.node.clone(), task_kind(guest.kind, &deed, by_ha));
        let started = now.div_euclid(1000);
        let pid = 0x0010_0000 + self.works.begun.len();
        let upid =
            format!("UPID:{node}:{pid:08X}:{:08X}:{started:08X}:{kind}:{vmid}:{user}:", started - self.born + 9000);
        self.works.begun.push((now, upid.clone()));
        if fate != Fate::Endless
            && let Some(guest) = self.guest_mut(vmid).filter(|guest| guest.lock.is_none())
        {
            guest.half = match &deed {
                Deed::Snapshot(name) if !guest.snapshots.iter().any(|(taken, _)| taken == name) => {
                    Some((name.clone(), "prepare".to_owned()))
                }
                _ => None,
            };
        }
        let first = match (&deed, by_ha) {
            (Deed::Start, true) => format!("Requesting HA start for VM {vmid}"),
            (_, true) => format!("Requesting HA stop for VM {vmid}"),
            (deed, false) => format!("working on {deed:?}").to_lowercase(),
        };
        self.works.logs.insert(upid.clone(), vec![first]);
        if let Fate::NodeDies(after) = &fate {
            self.works.dying.push(Dying { at: now + ms(*after), vmid, node: node.clone() });
        }
        // One after the other: whoever comes second waits for the guest's lock.
        let before = self.works.workers.iter().filter(|worker| worker.vmid == vmid).map(|worker| worker.due).max();
        let due = before.unwrap_or(now).max(now) + ms(self.works.pace);
        self.works.workers.push(Worker { upid: upid.clone(), vmid, deed, fate, due, by_ha });
        let (object, user) = (vmid.to_string(), user.to_owned());
        self.tasks.insert(0, Task { node, kind, object, user, started, ended: None, upid: upid.clone() });
        Some(upid)
    }

    /// Does all that was due by `now` (milliseconds since 1970), each thing in its time: what is due while a node is dead is not done
    /// there, however late anybody looks.
    pub(super) fn advance(&mut self, now: i64) {
        while let Some(at) = self.next_due().filter(|at| *at <= now) {
            self.step(at);
        }
    }

    /// When something is done next, if nobody interferes.
    fn next_due(&self) -> Option<i64> {
        let works = &self.works;
        let workers = works.workers.iter().filter(|worker| worker.fate != Fate::Endless).map(|worker| worker.due);
        let later = works.later.iter().filter(|later| self.is_at_work(later.vmid)).map(|later| later.at);
        let dying = works.dying.iter().map(|dying| dying.at);
        workers.chain(later).chain(dying).chain(works.returning.iter().map(|(at, _)| *at)).min()
    }

    fn step(&mut self, now: i64) {
        for (at, node) in due(&mut self.works.returning, |(at, _)| *at <= now) {
            self.bring_back(&node, at);
        }
        for Dying { at, node, .. } in due(&mut self.works.dying, |dying| dying.at <= now) {
            self.works.deaths += 1;
            self.nodes.iter_mut().filter(|n| n.name == node).for_each(|n| n.alive = false);
            if let Some(away) = self.works.away {
                self.works.returning.push((at + ms(away), node));
            }
        }
        let mut ready = due(&mut self.works.workers, |worker| worker.due <= now && worker.fate != Fate::Endless);
        ready.sort_by_key(|worker| worker.due);
        for worker in ready {
            if self.is_at_work(worker.vmid) && !matches!(worker.fate, Fate::NodeDies(_)) {
                self.end(worker);
            } else {
                // What a node was doing when it died stays unfinished until it is back.
                self.works.workers.push(Worker { fate: Fate::Endless, ..worker });
            }
        }
        let all = std::mem::take(&mut self.works.later).into_iter();
        let (ready, waiting): (Vec<Later>, Vec<Later>) =
            all.partition(|later| later.at <= now && self.is_at_work(later.vmid));
        self.works.later = waiting;
        for Later { at, vmid, deed, upid } in ready {
            self.does(at, vmid, &deed, upid);
        }
    }

    /// Whether the node of a guest lives.
    fn is_at_work(&self, vmid: u32) -> bool {
        self.guest(vmid).is_some_and(|guest| self.reachable(guest))
    }

    /// Brings a dead node back. What ran there when it died ended, and the node cannot say how; what was due meanwhile is due now.
    pub fn bring_back(&mut self, node: &str, now: i64) {
        for there in self.nodes.iter_mut().filter(|n| n.name == node) {
            if there.alive {
                return;
            }
            there.alive = true;
        }
        let on_node = |upid: &str| upid.starts_with(&format!("UPID:{node}:"));
        for worker in due(&mut self.works.workers, |worker| on_node(&worker.upid)) {
            self.finish(&worker.upid, now, "unexpected status");
        }
        for later in self.works.later.iter_mut().filter(|later| on_node(&later.upid)) {
            later.at = later.at.max(now);
        }
    }

    /// Lets go of all that is planned for a guest or still to be done to it: whatever was under way ends, and its node cannot say how.
    pub fn let_go(&mut self, vmid: u32, now: i64) {
        let works = &mut self.works;
        works.plans.remove(&vmid);
        works.later.retain(|later| later.vmid != vmid);
        works.dying.retain(|dying| dying.vmid != vmid);
        for worker in due(&mut works.workers, |worker| worker.vmid == vmid) {
            self.finish(&worker.upid, now, "unexpected status");
        }
    }

    fn end(&mut self, worker: Worker) {
        let Worker { upid, vmid, deed, fate, due, by_ha } = worker;
        let obstacle = if by_ha { None } else { self.obstacle(vmid, &deed) };
        let (status, done) = match (fate, obstacle) {
            (Fate::Fails(status), _) | (Fate::Usual | Fate::Warnings(_), Some(status)) => (status, None),
            (Fate::Unexpected { done }, _) => ("unexpected status".to_owned(), done.then_some(due)),
            (Fate::Lies, _) => ("OK".to_owned(), None),
            (Fate::Late(after), _) => ("OK".to_owned(), Some(due + ms(after))),
            (Fate::Warnings(count), None) => (format!("WARNINGS: {count}"), Some(due)),
            (_, _) => ("OK".to_owned(), Some(if by_ha { due + ms(self.works.ha_delay) } else { due })),
        };
        // A worker that was killed leaves a half snapshot behind.
        let kept = status == "unexpected status" && done.is_none();
        if let Some(guest) = self.guest_mut(vmid).filter(|_| !kept) {
            guest.half = None;
        }
        match done {
            Some(at) if at == due => self.does(at, vmid, &deed, upid.clone()),
            Some(at) => self.works.later.push(Later { at, vmid, deed, upid: upid.clone() }),
            None => {}
        }
        self.finish(&upid, due, &status);
    }

    fn finish(&mut self, upid: &str, now: i64, status: &str) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.upid == upid) {
            task.ended = Some((now.div_euclid(1000), status.to_owned()));
        }
        let log = self.works.logs.entry(upid.to_owned()).or_default();
        match status {
            "unexpected status" => {}
            "OK" => log.push("TASK OK".to_owned()),
            status if status.starts_with("WARNINGS") => {
                log.extend(["WARN: no efidisk configured!".to_owned(), format!("TASK {status}")]);
            }
            status => log.push(format!("TASK ERROR: {status}")),
        }
    }

    /// What a worker would find in its way.
    fn obstacle(&self, vmid: u32, deed: &Deed) -> Option<String> {
        let guest = self.guest(vmid)?;
        let what = match guest.kind {
            GuestKind::Vm => "VM",
            GuestKind::Container => "CT",
        };
        let there = |name: &String| guest.snapshots.iter().any(|(taken, _)| taken == name);
        if let Some(lock) = &guest.lock {
            return Some(format!("{what} is locked ({lock})"));
        }
        match deed {
            Deed::Start if guest.running => Some(format!("{what} {vmid} already running")),
            Deed::Shutdown | Deed::Reboot if guest.deaf && guest.running => Some(match guest.kind {
                GuestKind::Vm => "VM quit/powerdown failed - got timeout".to_owned(),
                GuestKind::Container => {
                    format!("command 'lxc-stop -n {vmid} --nokill --timeout 60' failed: exit code 1")
                }
            }),
            Deed::Snapshot(name) if there(name) => Some(format!("snapshot name '{name}' already used")),
            Deed::DeleteSnapshot(name) | Deed::RollBack(name) if !there(name) => {
                Some(format!("snapshot '{name}' does not exist"))
            }
            _ => None,
        }
    }

    /// Really does it.
    fn does(&mut self, at: i64, vmid: u32, deed: &Deed, upid: String) {
        let Some(guest) = self.guest_mut(vmid) else { return };
        guest.does(at.div_euclid(1000), deed);
        self.works.history.push(Happened { at, vmid, deed: deed.clone(), upid });
    }

    /// A guest by number, to change it.
    pub fn guest_mut(&mut self, vmid: u32) -> Option<&mut Guest> {
        self.guests.iter_mut().find(|guest| guest.vmid == vmid)
    }
}

/// Takes out what `is_due`.
fn due<T>(of: &mut Vec<T>, is_due: impl Fn(&T) -> bool) -> Vec<T> {
    let (ready, rest) = std::mem::take(of).into_iter().partition(|one| is_due(one));
    *of = rest;
    ready
}
