//! A simulated cluster, a client of it, and the honest way to a clearance.

use std::sync::Mutex;
use std::time::Duration;

use jarvis_core::approval::{Approver, Bound, Channel, Row, SealKey};
use jarvis_core::gate::{Asker, Cleared, Decision, Gate, Leave, Origin, Place, Policy, Power, Situation, Voice, Work};
use jarvis_core::ids::{ApprovalId, Upid, Vmid, WallMillis};
use jarvis_core::tool::Facts;
use jarvis_core::tools::{Change, Effect, parse};
use jarvis_tests::pve::state::{Guest, State};
use jarvis_tests::pve::{Options, Simulator};
use jarvisd::cluster::{ChangeLimits, ClusterClient, ClusterConfig, Limits, Outcome};
use serde::Deserialize;

pub const KEY: SealKey = SealKey([7; 32]);
pub const ROOM: &str = "study";
const WORDS: &str = "amber falcon";

/// For what must come: so long that the machine's other work decides nothing.
const PATIENT: Duration = Duration::from_secs(300);
/// For a manager's task, which is over at once, and for the guest that it never starts.
const MANAGED: Duration = Duration::from_secs(8);
/// For what never comes.
const HURRIED: Duration = Duration::from_millis(700);

#[derive(Deserialize)]
struct File {
    cluster: ClusterConfig,
}

pub fn config(simulator: &Simulator) -> ClusterConfig {
    toml::from_str::<File>(&simulator.toml().unwrap()).unwrap().cluster
}

fn limits(change: Duration) -> Limits {
    let change = ChangeLimits {
        answer: change,
        poll_first: Duration::from_millis(20),
        poll_longest: Duration::from_millis(200),
        read_back: change,
        settle: HURRIED,
        task: change,
    };
    Limits { run: PATIENT / 5, change, ..Limits::default() }
}

fn with(config: &ClusterConfig, limits: Limits) -> ClusterClient {
    ClusterClient::new(&ClusterConfig { limits, ..config.clone() }).unwrap()
}

/// A client that waits for what must come.
pub fn patient(config: &ClusterConfig) -> ClusterClient {
    with(config, limits(PATIENT))
}

/// A client that gives up soon, for what never comes.
pub fn hurried(config: &ClusterConfig) -> ClusterClient {
    with(config, limits(HURRIED))
}

/// A client that waits for every answer, and gives up soon on what never comes after it: so a request is lost by its fate alone, never
/// by the machine's other work.
pub fn resigned(config: &ClusterConfig) -> ClusterClient {
    let limits = limits(HURRIED);
    let change = ChangeLimits { answer: PATIENT, ..limits.change };
    with(config, Limits { change, ..limits })
}

/// A client that waits for every answer and every task's end, and gives up soon on a guest that never comes to be as it was wanted.
pub fn unseeing(config: &ClusterConfig) -> ClusterClient {
    let limits = limits(PATIENT);
    let change = ChangeLimits { read_back: HURRIED, ..limits.change };
    with(config, Limits { change, ..limits })
}

/// The same for what high availability was asked for: from the request until the guest is seen there is one limit, the task's.
pub fn unseeing_of_a_manager(config: &ClusterConfig) -> ClusterClient {
    let limits = limits(PATIENT);
    let change = ChangeLimits { task: MANAGED, read_back: HURRIED, ..limits.change };
    with(config, Limits { change, ..limits })
}

/// A client that looks for lost tasks for as long as it takes.
pub fn tireless(config: &ClusterConfig) -> ClusterClient {
    let limits = limits(PATIENT);
    let change = ChangeLimits { settle: PATIENT, ..limits.change };
    with(config, Limits { change, ..limits })
}

/// Options for quick tasks.
pub fn quick(seed: u64) -> Options {
    Options {
        sensors: false,
        proxy_delay: Duration::ZERO,
        refusal_delay: Duration::ZERO,
        pace: Duration::from_millis(60),
        ha_delay: Duration::from_millis(150),
        ..Options::seed(seed)
    }
}

pub async fn simulator(seed: u64) -> Simulator {
    simulator_with(quick(seed)).await
}

pub async fn simulator_with(options: Options) -> Simulator {
    let simulator = Simulator::with(options).await.unwrap();
    simulator.calm();
    simulator
}

/// Leave for everything that is YELLOW, so that only RED asks.
pub fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.own.place = Place::Guest(Vmid(100));
    for tool in ["guest_start", "guest_shutdown", "guest_reboot", "snapshot_create"] {
        let vmids = (101..=117).map(Vmid).collect();
        policy.leave.push(Leave { tool: tool.to_owned(), vmids, rooms: Vec::new(), per_hour: u32::MAX });
    }
    policy
}

fn asker() -> Asker {
    Asker { room: Some(ROOM.to_owned()), voice: Voice::Tried }
}

pub fn wall() -> WallMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    WallMillis(i64::try_from(since.as_millis()).unwrap())
}

pub fn decide(tool: &str, args: &str, facts: &Facts) -> Decision {
    let policy = policy();
    let call = parse(tool, args).unwrap();
    Gate::new().decide(call, &Origin::Owner, &asker(), &Situation::new(facts, &policy), Power::On)
}

/// An approval that somebody gave at the second channel.
pub fn approved(ask: &jarvis_core::gate::Ask) -> Row {
    let words = ask.challenge.then(|| WORDS.to_owned());
    let bound = Bound::new(ask, Origin::Owner, Some(ROOM.to_owned()), None, "Shall I, sir?".to_owned(), words, wall());
    let id = ApprovalId(1);
    let row = Row::asked(id, bound, [0; 32], &KEY);
    let by = Approver::Second { channel: Channel::Ctl, seal: row.seal, words: Some(WORDS.to_owned()) };
    let stage = row.approve(&by, &KEY, wall()).unwrap();
    Row { stage, ..row }.sealed_anew(&KEY)
}

/// A clearance as it is come by: by standing leave, or by an approval that is redeemed on facts read anew.
pub async fn cleared(client: &ClusterClient, tool: &str, args: &str) -> Result<Cleared<Work>, String> {
    let call = parse(tool, args).unwrap();
    let facts = client.facts_for(&call).await;
    match decide(tool, args, &facts) {
        Decision::Run(cleared) => Ok(cleared),
        Decision::Refuse(refusal) => Err(format!("{refusal:?}")),
        Decision::Ask(ask) => {
            let row = approved(&ask);
            let (facts, policy) = (client.facts_for(&call).await, policy());
            let redeemed = Gate::new().redeem(&row, &KEY, &Situation::new(&facts, &policy), Power::On, wall());
            let redemption = redeemed.map_err(|error| error.to_string())?;
            redemption.commit(|_| Ok::<_, String>(()))
        }
    }
}

pub fn change_of(cleared: &Cleared<Work>) -> Change {
    match &cleared.args().effect {
        Effect::Change(change) => change.clone(),
        other => panic!("{other:?}"),
    }
}

/// Clears and carries out; what the callback was told comes with the outcome.
pub async fn carried_out(client: &ClusterClient, tool: &str, args: &str) -> (Outcome, Option<Upid>) {
    let cleared = cleared(client, tool, args).await.unwrap();
    run(client, cleared).await
}

pub async fn run(client: &ClusterClient, cleared: Cleared<Work>) -> (Outcome, Option<Upid>) {
    let told = Mutex::new(None);
    let outcome = client
        .change(cleared, &always, async |upid| {
            *told.lock().unwrap() = Some(upid);
        })
        .await;
    (outcome, told.into_inner().unwrap())
}

/// Nobody stops anything.
pub fn always() -> bool {
    true
}

pub fn args(vmid: u32) -> String {
    format!(r#"{{"vmid":{vmid}}}"#)
}

pub fn snapshot_args(vmid: u32, name: &str) -> String {
    format!(r#"{{"vmid":{vmid},"name":"{name}"}}"#)
}

/// A VM that may be touched, made to run or not.
pub fn vm(simulator: &Simulator, running: bool) -> Guest {
    set_running(simulator, 112, running)
}

/// A container that may be touched, made to run or not.
pub fn container(simulator: &Simulator, running: bool) -> Guest {
    set_running(simulator, 115, running)
}

fn set_running(simulator: &Simulator, vmid: u32, running: bool) -> Guest {
    simulator.change(|state| state.guest_mut(vmid).unwrap().running = running);
    guest(simulator, vmid)
}

pub fn guest(simulator: &Simulator, vmid: u32) -> Guest {
    simulator.state().guest(vmid).unwrap().clone()
}

/// How many tasks of ours the cluster has of a guest.
pub fn begun(state: &State, vmid: u32) -> usize {
    state.tasks.iter().filter(|task| task.object == vmid.to_string() && task.user == "jarvis@pve!jarvis").count()
}
