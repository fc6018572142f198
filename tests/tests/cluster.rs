//! The daemon's cluster client against the simulated cluster: every read, and every way a cluster can fail to answer.
//!
//! Length: one client and one simulator serve all of these tests, a fault each.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::time::{Duration, Instant};

use jarvis_core::cluster::{Cluster, GuestState, Presence, TaskEnd};
use jarvis_core::gate::{Cleared, Gate};
use jarvis_core::ids::{NodeName, Vmid};
use jarvis_core::tool::{Facts, GapReason, Read};
use jarvis_tests::pve::{Fault, Options, Simulator, State};
use jarvis_tests::sshd::{KeyPair, Sshd};
use jarvisd::cluster::{ClusterClient, ClusterConfig, Fingerprint, Limits, RUN_LIMIT, SensorsConfig};
use jarvisd::event::ToolRun;
use serde::Deserialize;

/// A person who asks about a dead node hears so within 2 s, the words included.
const _: () = assert!(RUN_LIMIT.as_millis() <= 1_500);
/// What a busy machine may add to a run's time, as the run itself measures it: less than a patient client would have waited.
const BUSY: Duration = Duration::from_secs(20);
/// What faults take here: far longer than any limit, so that whoever waited for one is found out on the slowest machine.
const FOREVER: Duration = Duration::from_secs(600);
const FAR_TOO_LONG: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct File {
    cluster: ClusterConfig,
}

fn config(simulator: &Simulator) -> ClusterConfig {
    toml::from_str::<File>(&simulator.toml().unwrap()).unwrap().cluster
}

/// A client with so much patience that the machine's other work decides nothing.
fn patient(config: &ClusterConfig) -> ClusterClient {
    let limits = Limits { run: FAR_TOO_LONG / 2, ..Limits::default() };
    ClusterClient::new(&ClusterConfig { limits, ..config.clone() }).unwrap()
}

/// A client as people have it, for questions that are not answered.
fn hurried(simulator: &Simulator) -> ClusterClient {
    ClusterClient::new(&config(simulator)).unwrap()
}

fn client(simulator: &Simulator) -> ClusterClient {
    patient(&config(simulator))
}

async fn without_sensors(seed: u64) -> Simulator {
    Simulator::with(Options { sensors: false, proxy_delay: FOREVER, refusal_delay: FOREVER, ..Options::seed(seed) })
        .await
        .unwrap()
}

fn cleared(reads: &[Read]) -> Vec<Cleared<Read>> {
    reads.iter().map(|read| Gate::new().clear(read.clone()).unwrap()).collect()
}

/// Runs reads, and sees that the client keeps to its limit.
async fn run(client: &ClusterClient, reads: &[Read]) -> (Facts, Vec<ToolRun>) {
    let begun = Instant::now();
    let (facts, tools) = client.run(cleared(reads)).await;
    assert!(begun.elapsed() < FAR_TOO_LONG, "{reads:?} took {:?}", begun.elapsed());
    assert_eq!(tools.len(), reads.len());
    (facts, tools)
}

async fn facts(client: &ClusterClient, read: Read) -> Facts {
    run(client, &[read]).await.0
}

fn reasons(facts: &Facts, node: &str) -> Vec<GapReason> {
    let of_node = facts.gaps.iter().filter(|gap| gap.node.as_ref().is_some_and(|n| n.as_str() == node));
    of_node.map(|gap| gap.reason).collect()
}

fn presence(cluster: &Cluster, node: &str) -> Presence {
    cluster.nodes.iter().find(|n| n.name.as_str() == node).unwrap().presence
}

/// A guest on `node`, of those the state says run there.
fn running_on(state: &State, node: &str) -> Vmid {
    Vmid(state.guests.iter().find(|guest| guest.node == node && guest.running).unwrap().vmid)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_brings_what_the_cluster_holds() {
    let simulator = Simulator::start(11).await.unwrap();
    let (state, client) = (simulator.state(), client(&simulator));
    let guest = state.guests.iter().find(|guest| !guest.snapshots.is_empty()).unwrap();
    let vmid = Vmid(guest.vmid);
    let reads = [
        Read::Cluster,
        Read::NodeStatus { node: "pve2".into() },
        Read::Temperatures { nodes: Vec::new() },
        Read::GuestConfig { vmid },
        Read::Snapshots { vmid },
        Read::Tasks,
        Read::Backups,
        Read::BackupJobs,
        Read::NotBackedUp,
        Read::Ha,
        Read::Replication,
        Read::Version,
    ];
    let (facts, tools) = run(&client, &reads).await;
    assert_eq!(facts.gaps, []);
    assert!(tools.iter().all(|tool| tool.outcome == "ok"), "{tools:?}");
    assert_eq!(tools[3].args, serde_json::json!({"vmid": vmid}));

    let cluster = facts.cluster.unwrap();
    assert_eq!((cluster.name.as_deref(), cluster.quorate), (Some("homelab"), Some(true)));
    for (node, truth) in cluster.nodes.iter().zip(&state.nodes) {
        assert_eq!((node.name.as_str(), node.presence), (truth.name.as_str(), Presence::Online));
        assert_eq!(node.cpu, Some(truth.cpu_percent as f64 / 100.0));
        assert_eq!(node.memory.map(|m| (m.used, m.total)), Some(truth.memory));
        assert_eq!(node.root.map(|r| (r.used, r.total)), Some(truth.root));
        let uptime = i64::try_from(node.uptime_s.unwrap()).unwrap();
        assert!((uptime - (state.born - truth.booted)).abs() < 120);
    }
    assert_eq!(cluster.guests.len(), state.guests.len());
    for (guest, truth) in cluster.guests.iter().zip(&state.guests) {
        assert_eq!((guest.vmid.0, guest.name.as_ref(), guest.kind), (truth.vmid, truth.name.as_ref(), truth.kind));
        assert_eq!(guest.node.as_str(), truth.node);
        assert_eq!(guest.state == GuestState::Running, truth.running);
        assert_eq!(guest.cpu, truth.running.then_some(truth.cpu_percent as f64 / 100.0));
    }
    let names: Vec<_> = cluster.storages.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["local", "local", "local", "local", "nas", "tank", "tank", "tank", "tank", "vault"]);
    assert!(cluster.storages.iter().all(|s| s.available == Some(true) && s.usage.is_some()));

    let status = facts.node_status.unwrap();
    assert_eq!(status.pve_version.as_deref(), Some("9.2.11"));
    assert_eq!(status.kernel.as_ref(), Some(&state.nodes[1].kernel));
    assert!(status.load.is_some());
    let celsius: Vec<_> = state.nodes.iter().map(|n| (NodeName(n.name.clone()), Some(n.celsius))).collect();
    assert_eq!(facts.temperatures, Some(celsius));
    let given = facts.guest_config.unwrap();
    assert_eq!((given.cores, given.memory), (Some(guest.cores as u32), Some(guest.memory.1)));
    assert_eq!((given.on_boot, given.protection), (Some(guest.on_boot), Some(guest.protection)));
    let snapshots: Vec<_> = facts.snapshots.unwrap().into_iter().map(|s| (s.name, s.taken.unwrap().0)).collect();
    assert_eq!(snapshots, guest.snapshots);
    let tasks = facts.tasks.unwrap();
    assert_eq!(tasks.len(), state.tasks.len());
    let failed = |end: &TaskEnd| matches!(end, TaskEnd::Failed(..));
    let wrong = tasks.iter().filter(|task| failed(&task.end)).count();
    assert_eq!(wrong, state.tasks.iter().filter(|task| task.failed()).count());
    let backups: Vec<_> = facts.backups.unwrap().iter().map(|b| (b.vmid.0, b.taken.0)).collect();
    let truth: Vec<_> = state.backups.iter().map(|b| (b.vmid, b.taken)).collect();
    assert_eq!(backups, truth);
    let jobs = facts.backup_jobs.unwrap();
    assert_eq!((jobs.len(), jobs[0].schedule.as_deref()), (2, Some("02:30")));
    assert_eq!(jobs[1].vmids, [Vmid(103), Vmid(109)]);
    let missing: Vec<_> = facts.not_backed_up.unwrap().iter().map(|vmid| vmid.0).collect();
    assert_eq!(missing, state.not_backed_up);
    let services = facts.ha.unwrap().into_iter().filter(|entry| entry.kind == "service").count();
    assert_eq!(services, state.ha.len());
    let replication = facts.replication.unwrap();
    assert_eq!(replication.len(), state.replication.len());
    assert_eq!(facts.version.as_deref(), Some("9.2.11"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_is_unknown_and_named() {
    let mut simulator = Simulator::start(12).await.unwrap();
    let client = client(&simulator);
    let before = facts(&client, Read::Temperatures { nodes: Vec::new() }).await;
    assert_eq!(before.gaps, []);
    simulator.kill("pve3").await.unwrap();
    let client = patient(&config(&simulator));
    let vmid = running_on(&simulator.state(), "pve3");
    let reads = [
        Read::Cluster,
        Read::NodeStatus { node: "pve3".into() },
        Read::Temperatures { nodes: Vec::new() },
        Read::GuestConfig { vmid },
        Read::Replication,
        Read::Backups,
    ];
    let (facts, tools) = run(&client, &reads).await;
    let cluster = facts.cluster.as_ref().unwrap();
    assert_eq!((presence(cluster, "pve3"), presence(cluster, "pve1")), (Presence::Offline, Presence::Online));
    assert_eq!(cluster.quorate, Some(true));
    let guest = cluster.guests.iter().find(|guest| guest.vmid == vmid).unwrap();
    assert_eq!((guest.state, guest.cpu, guest.memory), (GuestState::Unknown, None, None));
    let dead = cluster.nodes.iter().find(|node| node.name.as_str() == "pve3").unwrap();
    assert_eq!((dead.cpu, dead.memory, dead.uptime_s), (None, None, None));
    assert_eq!(facts.node_status, None);
    assert_eq!(facts.guest_config, None);
    let celsius = facts.temperatures.as_ref().unwrap();
    assert_eq!(celsius.iter().filter(|(_, celsius)| celsius.is_some()).count(), 3);
    assert_eq!(celsius[2], ("pve3".into(), None));
    assert_eq!(reasons(&facts, "pve3"), [GapReason::NodeUnknown; 5]);
    assert!(facts.backups.is_some_and(|backups| !backups.is_empty()), "another node reads the shared storage");
    assert!(tools[1].outcome.contains("pve3"), "{}", tools[1].outcome);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_of_a_node_is_forgotten_once_it_is_known_not_to_answer() {
    let mut simulator = Simulator::start(26).await.unwrap();
    let client = client(&simulator);
    let guest = running_on(&simulator.state(), "pve2");
    let reads = [
        Read::Temperatures { nodes: vec!["pve2".into()] },
        Read::NodeStatus { node: "pve2".into() },
        Read::GuestConfig { vmid: guest },
        Read::Temperatures { nodes: vec!["pve1".into()] },
    ];
    let (before, _) = run(&client, &reads).await;
    assert_eq!(before.gaps, []);
    simulator.kill("pve2").await.unwrap();
    let checks = client.check().await;
    assert!(checks[1].api.is_err() && checks[1].sensors.is_err(), "the doctor notices: {checks:?}");
    for read in &reads[..3] {
        let facts = facts(&client, read.clone()).await;
        assert_eq!(reasons(&facts, "pve2"), [GapReason::NodeUnknown], "{read:?}: {facts:?}");
        let celsius = facts.temperatures.into_iter().flatten().find_map(|(_, celsius)| celsius);
        assert_eq!((celsius, facts.node_status, facts.guest_config), (None, None, None), "{read:?}");
    }
    assert_eq!(facts(&client, reads[3].clone()).await.gaps, [], "the others are as well known as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_died_unnoticed_is_not_waited_for() {
    let mut simulator = without_sensors(13).await;
    let client = hurried(&simulator);
    simulator.silence("pve2").await.unwrap();
    let facts = facts(&client, Read::NodeStatus { node: "pve2".into() }).await;
    assert_eq!(facts.node_status, None);
    assert_eq!(reasons(&facts, "pve2"), [GapReason::NodeUnknown]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_became_of_a_node_the_run_is_over_in_time() {
    for (seed, what) in (40..).zip(["killed", "silent", "slow", "595 at once", "595 after long"]) {
        let proxy_delay = if what == "595 at once" { Duration::ZERO } else { FOREVER };
        let mut simulator = Simulator::with(Options { proxy_delay, ..Options::seed(seed) }).await.unwrap();
        let guest = running_on(&simulator.state(), "pve3");
        match what {
            "killed" => simulator.kill("pve3").await.unwrap(),
            "silent" => simulator.misbehave("pve3", Fault::Hangs).unwrap(),
            "slow" => simulator.misbehave("pve3", Fault::Slow(FOREVER)).unwrap(),
            _ => simulator.silence("pve3").await.unwrap(),
        }
        let reads = [Read::NodeStatus { node: "pve3".into() }, Read::GuestConfig { vmid: guest }];
        let (facts, tools) = run(&hurried(&simulator), &reads).await;
        assert_eq!((&facts.node_status, &facts.guest_config), (&None, &None), "{what}");
        let unknown = facts.gaps.iter().filter(|gap| gap.reason == GapReason::NodeUnknown).count();
        assert_eq!((unknown, facts.gaps.len()), (2, 2), "{what}: {:?}", facts.gaps);
        for tool in tools {
            println!("{what}: {} took {} ms", tool.name, tool.ms);
            assert!(Duration::from_millis(tool.ms) <= RUN_LIMIT + BUSY, "{what}: {tool:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxied_595_means_that_the_node_is_unknown() {
    let options = Options { sensors: false, proxy_delay: Duration::ZERO, ..Options::seed(14) };
    let mut simulator = Simulator::with(options).await.unwrap();
    simulator.silence("pve2").await.unwrap();
    let facts = facts(&client(&simulator), Read::NodeStatus { node: "pve2".into() }).await;
    assert_eq!(reasons(&facts, "pve2"), [GapReason::NodeUnknown]);
    assert!(facts.gaps[0].detail.contains("595"), "{}", facts.gaps[0].detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_node_may_be_dead_hang_be_slow_or_talk_nonsense() {
    let mut simulator = without_sensors(15).await;
    let faults = [Fault::Hangs, Fault::Slow(FOREVER), Fault::Garbage, Fault::Huge];
    for fault in faults {
        simulator.misbehave("pve1", fault).unwrap();
        let client = client(&simulator);
        let facts = facts(&client, Read::Cluster).await;
        assert_eq!(facts.gaps, [], "{fault:?}");
        assert_eq!(facts.cluster.unwrap().nodes.len(), 4);
    }
    simulator.misbehave("pve1", Fault::None).unwrap();
    simulator.kill("pve1").await.unwrap();
    let client = client(&simulator);
    let dead = facts(&client, Read::Cluster).await;
    assert_eq!(presence(&dead.cluster.unwrap(), "pve1"), Presence::Offline);
    let health = client.health();
    assert_eq!(health[0].answers, Some(false));
    assert!(health[0].trouble.as_ref().unwrap().contains("pve1"));
    simulator.revive("pve1").await.unwrap();
    let client = patient(&config(&simulator));
    assert_eq!(facts(&client, Read::Cluster).await.gaps, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_all_hang_or_talk_nonsense_leave_a_gap_and_names_stay_known() {
    let simulator = without_sensors(16).await;
    let known = client(&simulator);
    assert_eq!(known.names().await.unwrap().guests.len(), 18);
    let all =
        |fault| ["pve1", "pve2", "pve3", "pve4"].iter().for_each(|node| simulator.misbehave(node, fault).unwrap());
    for (fault, reason) in
        [(Fault::Hangs, GapReason::NodeUnknown), (Fault::Garbage, GapReason::Failed), (Fault::Huge, GapReason::Failed)]
    {
        all(fault);
        let client = if fault == Fault::Hangs { hurried(&simulator) } else { client(&simulator) };
        let (facts, tools) = run(&client, &[Read::Cluster, Read::Version, Read::Tasks]).await;
        assert_eq!((&facts.cluster, &facts.version, &facts.tasks), (&None, &None, &None));
        assert!(facts.gaps.iter().all(|gap| gap.reason == reason), "{fault:?} {:?}", facts.gaps);
        assert!(tools.iter().all(|tool| tool.outcome.starts_with("unknown")));
        assert_eq!(client.names().await, None);
    }
    assert_eq!(known.names().await.unwrap().guests.len(), 18, "what was known can still be named");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_and_one_without_rights_sees_nothing_rather_than_no_guests() {
    let options = Options { sensors: false, refusal_delay: Duration::ZERO, ..Options::seed(17) };
    let simulator = Simulator::with(options).await.unwrap();
    let with_token = |token: &str| {
        std::fs::write(simulator.token_file(), format!("{token}\n")).unwrap();
        client(&simulator)
    };
    let wrong = with_token("jarvis@pve!reader=00000000-0000-4000-8000-000000000000");
    let (facts, _) = run(&wrong, &[Read::Cluster, Read::Version]).await;
    assert_eq!(facts.gaps.iter().map(|gap| gap.reason).collect::<Vec<_>>(), [GapReason::Forbidden; 2]);
    assert!(facts.gaps[1].detail.contains("token"), "{}", facts.gaps[1].detail);
    let checks = wrong.check().await;
    assert!(checks.iter().all(|check| check.api.as_ref().is_err_and(|why| why.contains("401"))), "{checks:?}");
    let (facts, _) =
        run(&with_token(simulator.token_without_rights()), &[Read::Cluster, Read::Ha, Read::Version]).await;
    assert_eq!((facts.cluster, facts.ha), (None, None));
    assert_eq!(facts.gaps.iter().map(|gap| gap.reason).collect::<Vec<_>>(), [GapReason::Forbidden; 2]);
    assert_eq!(facts.version.as_deref(), Some("9.2.11"));
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_left_out_for_want_of_rights_are_not_taken_for_none() {
    let simulator = without_sensors(25).await;
    std::fs::write(simulator.token_file(), format!("{}\n", simulator.token_without_backups())).unwrap();
    let (facts, _) = run(&client(&simulator), &[Read::Backups, Read::Cluster]).await;
    assert_eq!((&facts.backups, facts.gaps[0].reason), (&None, GapReason::Forbidden));
    assert!(facts.gaps[0].detail.contains("VM.Backup"), "{}", facts.gaps[0].detail);
    assert!(facts.cluster.is_some());
    std::fs::write(simulator.token_file(), format!("{}\n", simulator.token())).unwrap();
    simulator.change(|state| state.backups.clear());
    let (facts, _) = run(&client(&simulator), &[Read::Backups]).await;
    assert_eq!((facts.backups, facts.gaps), (Some(Vec::new()), Vec::new()), "there really are none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_comes_late_is_not_waited_for() {
    let simulator = without_sensors(18).await;
    std::fs::write(simulator.token_file(), "jarvis@pve!reader=wrong\n").unwrap();
    let facts = facts(&hurried(&simulator), Read::Cluster).await;
    assert_eq!((facts.cluster, facts.gaps.len()), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_than_the_pinned_one_is_never_spoken_to() {
    let simulator = without_sensors(19).await;
    let mut config = config(&simulator);
    for node in &mut config.nodes {
        node.fingerprint = Fingerprint([7; 32]);
    }
    let client = patient(&config);
    let facts = facts(&client, Read::Cluster).await;
    assert_eq!((&facts.cluster, facts.gaps[0].reason), (&None, GapReason::Failed));
    let shown = &simulator.access()[0].fingerprint;
    assert!(facts.gaps[0].detail.contains(shown), "the remedy names the fingerprint: {}", facts.gaps[0].detail);
    config.nodes[2].fingerprint = Fingerprint::parse(&simulator.access()[2].fingerprint).unwrap();
    let client = patient(&config);
    let facts = client.run(cleared(&[Read::Version])).await.0;
    assert_eq!(facts.version.as_deref(), Some("9.2.11"), "the one node that is known answers for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_quorum_the_rest_is_unknown_not_offline() {
    let mut simulator = without_sensors(20).await;
    simulator.kill("pve3").await.unwrap();
    simulator.kill("pve4").await.unwrap();
    let facts = facts(&client(&simulator), Read::Cluster).await;
    let cluster = facts.cluster.as_ref().unwrap();
    assert_eq!(cluster.quorate, Some(false));
    assert_eq!((presence(cluster, "pve2"), presence(cluster, "pve3")), (Presence::Online, Presence::Unknown));
    assert_eq!(reasons(&facts, "pve4"), [GapReason::NodeUnknown]);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_without_a_name_a_missing_guest_and_an_unknown_node_are_told_apart() {
    let simulator = without_sensors(21).await;
    simulator.change(|state| {
        state.guests[2].name = None;
        state.guests[6].name = None;
    });
    let client = client(&simulator);
    let cluster = facts(&client, Read::Cluster).await.cluster.unwrap();
    assert_eq!((&cluster.guests[2].name, &cluster.guests[6].name), (&None, &None));
    assert!(cluster.guests[3].name.is_some());
    let missing = facts(&client, Read::GuestConfig { vmid: Vmid(999) }).await;
    assert_eq!(missing.gaps[0].reason, GapReason::Missing);
    let missing = facts(&client, Read::NodeStatus { node: "pve9".into() }).await;
    assert_eq!(reasons(&missing, "pve9"), [GapReason::Missing]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ssh_temperatures_are_unknown_and_say_why() {
    let simulator = without_sensors(22).await;
    let none = facts(&client(&simulator), Read::Temperatures { nodes: Vec::new() }).await;
    assert_eq!((none.temperatures, none.gaps[0].reason), (None, GapReason::NotConfigured));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_host_key_a_refused_key_and_a_missing_one_leave_the_others_their_temperature() {
    let simulator = Simulator::start(23).await.unwrap();
    let mut config = config(&simulator);
    let (other, truth) = (config.nodes[1].ssh_host_key.clone(), simulator.state());
    config.nodes[0].ssh_host_key = other;
    config.nodes[2].ssh_host_key = None;
    let client = patient(&config);
    let facts = facts(&client, Read::Temperatures { nodes: Vec::new() }).await;
    let celsius: Vec<_> = facts.temperatures.as_ref().unwrap().iter().map(|(_, celsius)| *celsius).collect();
    assert_eq!(celsius, [None, Some(truth.nodes[1].celsius), None, Some(truth.nodes[3].celsius)]);
    assert_eq!(reasons(&facts, "pve1"), [GapReason::Failed], "{:?}", facts.gaps);
    assert_eq!(reasons(&facts, "pve3"), [GapReason::NotConfigured]);
    let stranger = KeyPair::make(simulator.token_file().parent().unwrap(), "stranger").unwrap();
    config.sensors.as_mut().unwrap().key_file = stranger.private;
    let client = patient(&config);
    let refused = client.run(cleared(&[Read::Temperatures { nodes: vec!["pve2".into()] }])).await.0;
    assert_eq!(reasons(&refused, "pve2"), [GapReason::Forbidden]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ecdsa_host_key_is_pinned_and_a_node_that_shows_another_kind_is_told_which() {
    let simulator = without_sensors(27).await;
    let dir = tempfile::tempdir().unwrap();
    let [host, user] = ["host", "user"].map(|name| KeyPair::make_of("ecdsa", dir.path(), name).unwrap());
    let answer = dir.path().join("sensors.json");
    std::fs::write(&answer, r#"{"coretemp-isa-0000":{"Package id 0":{"temp1_input":47.0}}}"#).unwrap();
    let sshd = Sshd::start(dir.path(), &host, &user.public, &answer, None).unwrap();
    let mut config = config(&simulator);
    config.sensors = Some(SensorsConfig { user: Sshd::user().unwrap(), key_file: user.private });
    config.nodes[0].ssh_address = Some(sshd.address().to_string());
    config.nodes[0].ssh_host_key = Some(host.public);
    let read = Read::Temperatures { nodes: vec!["pve1".into()] };
    let known = facts(&patient(&config), read.clone()).await;
    assert_eq!((known.temperatures, known.gaps), (Some(vec![("pve1".into(), Some(47.0))]), Vec::new()));
    let other = KeyPair::make(dir.path(), "other").unwrap();
    config.nodes[0].ssh_host_key = Some(other.public);
    let unknown = facts(&patient(&config), read).await;
    let told = &unknown.gaps[0].detail;
    assert!(told.contains("ecdsa-sha2-nistp256") && told.contains("ssh-ed25519"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_questions_asks_once() {
    let simulator = without_sensors(24).await;
    let client = client(&simulator);
    assert!(client.names().await.is_some());
    simulator.change(|state| state.name = "renamed".to_owned());
    let (facts, _) = run(&client, &[Read::Cluster, Read::Cluster]).await;
    assert_eq!(facts.cluster.unwrap().name.as_deref(), Some("homelab"), "kept for some seconds");
}

#[tokio::test]
async fn no_node_configured_is_a_gap_not_an_error() {
    let client = ClusterClient::new(&ClusterConfig::default()).unwrap();
    let facts = facts(&client, Read::Cluster).await;
    assert_eq!(facts.gaps[0].reason, GapReason::NotConfigured);
    assert_eq!(client.names().await, None);
}
