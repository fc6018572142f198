//! Every kind, with everything known, nothing known, and a node silent.

use super::*;
use crate::cluster::{GuestState, Presence, Task, TaskEnd};
use crate::ids::{NodeName, StorageName, Upid, Vmid};
use crate::intent::{Grammar, Slots};
use crate::sample;
use crate::tool::{Backup, BackupJob, Gap, GapReason, GuestConfig, HaEntry, NodeStatus, Replication, Snapshot};

const NOW: i64 = 1_795_442_820;
/// Enough to meet every phrasing.
const SEEDS: u64 = 6;

fn task(kind: &str, object: &str, ago_s: i64, end: TaskEnd) -> Task {
    Task {
        upid: Upid("UPID:pve2:1".to_owned()),
        node: NodeName::from("pve2"),
        kind: kind.to_owned(),
        object: Some(object.to_owned()),
        user: "root@pam".to_owned(),
        started: UnixSeconds(NOW - ago_s),
        end,
    }
}

fn at(ago_s: i64) -> UnixSeconds {
    UnixSeconds(NOW - ago_s)
}

fn facts() -> Facts {
    Facts {
        cluster: Some(sample::cluster()),
        node_status: Some(NodeStatus {
            node: NodeName::from("pve2"),
            pve_version: Some("9.2.3".to_owned()),
            kernel: Some("6.14.8-2-pve".to_owned()),
            load: Some([1.52, 1.0, 0.7]),
        }),
        temperatures: Some(vec![(NodeName::from("pve1"), Some(48.2)), (NodeName::from("pve2"), Some(61.4))]),
        guest_config: Some(GuestConfig {
            vmid: Vmid(104),
            cores: Some(4),
            memory: Some(8 * sample::GIB),
            on_boot: None,
            protection: None,
            digest: None,
            created: None,
        }),
        snapshots: Some(vec![Snapshot { name: "before-update".to_owned(), taken: Some(at(7200)) }]),
        tasks: Some(vec![
            task("vzdump", "104", 3600, TaskEnd::Ok(at(3000))),
            task("vzdump", "105", 3700, TaskEnd::Failed(at(3000), "no space".to_owned())),
            task("qmstart", "103", 300, TaskEnd::Running),
        ]),
        backups: Some(vec![Backup {
            vmid: Vmid(104),
            taken: at(86_400),
            size: None,
            storage: StorageName::from("vault"),
        }]),
        backup_jobs: Some(vec![BackupJob {
            id: "nightly".to_owned(),
            schedule: Some("02:30".to_owned()),
            next_run: Some(UnixSeconds(NOW + 40_000)),
            enabled: true,
            vmids: Vec::new(),
        }]),
        not_backed_up: Some(vec![Vmid(113), Vmid(112)]),
        ha: Some(vec![HaEntry { kind: "service".to_owned(), id: "vm:104".to_owned(), state: "started".to_owned() }]),
        replication: Some(vec![Replication {
            id: "104-0".to_owned(),
            source: NodeName::from("pve1"),
            target: NodeName::from("pve2"),
            last_sync: Some(at(600)),
            failures: 0,
            error: None,
        }]),
        version: Some("9.2.3".to_owned()),
        gaps: Vec::new(),
    }
}

/// All nodes but pve1 silent, and what only they know unknown.
fn silent() -> Facts {
    let mut facts = facts();
    let cluster = facts.cluster.as_mut().expect("a cluster");
    for node in cluster.nodes.iter_mut().skip(1) {
        node.presence = Presence::Unknown;
        (node.cpu, node.memory, node.root, node.uptime_s) = (None, None, None, None);
    }
    for guest in &mut cluster.guests {
        if guest.node.as_str() != "pve1" {
            guest.state = GuestState::Unknown;
            (guest.cpu, guest.memory, guest.disk, guest.uptime_s) = (None, None, None, None);
        }
    }
    let gap = |read: &Read| Gap {
        read: read.name().to_owned(),
        node: Some(NodeName::from("pve2")),
        reason: GapReason::NodeUnknown,
        detail: "595".to_owned(),
    };
    let node = NodeName::from("pve2");
    facts.gaps = vec![
        gap(&Read::Temperatures { nodes: Vec::new() }),
        gap(&Read::NodeStatus { node }),
        gap(&Read::Snapshots { vmid: Vmid(105) }),
    ];
    facts.temperatures = Some(vec![(NodeName::from("pve2"), None)]);
    (facts.node_status, facts.snapshots, facts.guest_config) = (None, None, None);
    facts
}

fn intent(kind: &str, vmid: u32) -> Intent {
    let mut slots = Slots::default();
    match kind.split_once('.').map(|(family, _)| family) {
        Some("node") => slots.node = Some(NodeName::from("pve2")),
        Some("guest" | "backup") => slots.guest = Some(Vmid(vmid)),
        Some("storage") => slots.storage = Some(StorageName::from("nas")),
        Some("control") => slots.percent = Some(40),
        _ => {}
    }
    Intent { kind: kind.to_owned(), slots }
}

fn with_asker<T>(seed: u64, run: impl FnOnce(&Asker<'_>) -> T) -> T {
    let rooms = ["kitchen".to_owned(), "study".to_owned()];
    run(&Asker {
        now: UnixSeconds(NOW),
        local_offset_s: 3600,
        room: "kitchen",
        rooms: &rooms,
        started: at(93_784),
        last_heard: Some("how hot is node two"),
        last_reply: Some("pve2 is at 61 degrees."),
        last_route: Some("the local grammar knew it"),
        names: &Names::default(),
        seed,
        demo_ear: false,
    })
}

fn said(kind: &str, facts: &Facts) -> Reply {
    with_asker(0, |asker| answer(&intent(kind, 104), facts, asker))
}

#[test]
fn every_kind_has_a_whole_answer_that_holds_its_key() {
    let grammar = Grammar::embedded().expect("the grammar");
    // What is about changes is answered by what became of them, not of facts.
    let of_changes =
        |kind: &str| kind.starts_with("change.") || kind.starts_with("reply.") || kind == "control.stand_down";
    for facts in [facts(), silent(), Facts::default()] {
        for kind in grammar.kinds().into_iter().filter(|kind| !of_changes(kind)) {
            for (seed, vmid) in (0..SEEDS).flat_map(|s| [(s, 104), (s, 105), (s, 112), (s, 106)]) {
                let reply = with_asker(seed, |a| answer(&intent(kind, vmid), &facts, a));
                let speech = &reply.speech;
                assert!(!speech.is_empty() || kind == "control.stop", "{kind} says nothing");
                assert!(!speech.contains(['{', '}']), "{kind}: {speech}");
                assert!(!speech.contains("  "), "{kind}: {speech}");
                assert!(!speech.contains("no answer to it"), "{kind}: {speech}");
                assert!(speech.len() < 260, "{kind} is long: {speech}");
                if let Some(key) = &reply.key {
                    assert!(speech.to_lowercase().contains(&key.to_lowercase()), "{kind} lacks {key}: {speech}");
                }
            }
        }
    }
}

/// Names that no voice of ours can say, and what was said before in another script.
fn foreign(mut facts: Facts) -> Facts {
    for guest in facts.cluster.iter_mut().flat_map(|cluster| &mut cluster.guests) {
        guest.name = Some("сервер".to_owned());
    }
    for snapshot in facts.snapshots.iter_mut().flatten() {
        snapshot.name = "更新前".to_owned();
    }
    facts
}

#[test]
fn no_fixed_answer_is_silent_whatever_is_named_in_it() {
    use crate::sentences::Sentences;
    use crate::speakable::speakable;
    let heard = |reply: &Reply| {
        let mut cut = Sentences::new();
        let mut sentences = cut.push(&reply.speech);
        sentences.extend(cut.finish());
        sentences.iter().any(|sentence| speakable(sentence).contains(char::is_alphanumeric))
    };
    let grammar = Grammar::embedded().expect("the grammar");
    for facts in [foreign(facts()), foreign(silent()), Facts::default()] {
        for kind in grammar.kinds().into_iter().filter(|kind| *kind != "control.stop") {
            for seed in 0..SEEDS {
                let reply = with_asker(seed, |asker| {
                    let said = ["<think>", "Все в порядке.", "一切正常。", "🎉"][seed as usize % 4];
                    let asker = Asker {
                        last_heard: Some("как дела"),
                        last_reply: Some(said),
                        last_route: Some("маршрут"),
                        ..*asker
                    };
                    answer(&intent(kind, 104), &facts, &asker)
                });
                assert!(heard(&reply), "{kind} is silent: {:?}", reply.speech);
            }
        }
    }
    for said in ["как дела", "<think>", "```", "你好"] {
        assert!(heard(&with_asker(0, |asker| not_understood(said, asker))), "{said}");
    }
}

#[test]
fn figures_are_those_of_the_facts() {
    let facts = facts();
    for (kind, key) in [
        ("node.temperature", "61"),
        ("node.load", "23"),
        ("node.memory", "38"),
        ("node.disk", "31"),
        ("node.uptime", "3"),
        ("node.version", "9.2.3"),
        ("cluster.hottest", "pve2"),
        ("cluster.load", "23"),
        ("cluster.nodes", "4"),
        ("cluster.quorum", "yes"),
        ("cluster.problems", "1"),
        ("guest.status", "running"),
        ("guest.where", "pve1"),
        ("guest.config", "4"),
        ("guest.id", "104"),
        ("guest.snapshots", "1"),
        ("guest.disk", "32"),
        ("guests.running", "17"),
        ("guests.count", "18"),
        ("guests.stopped", "1"),
        ("guests.top_memory", "monitoring"),
        ("storage.free", "290"),
        ("storage.fullest", "nas"),
        ("tasks.failed", "1"),
        ("tasks.running", "1"),
        ("tasks.today", "3"),
        ("backup.last", "1"),
        ("backup.status", "1"),
        ("backup.missing", "2"),
        ("backup.schedule", "02:13"),
        ("self.uptime", "1"),
        ("self.rooms", "2"),
        ("time.now", "15:07"),
        ("time.date", "Monday"),
        ("control.volume", "40"),
    ] {
        let reply = said(kind, &facts);
        assert_eq!(reply.key.as_deref(), Some(key), "{kind}: {}", reply.speech);
    }
}

#[test]
fn what_is_unknown_is_said_as_unknown_and_never_as_zero() {
    let facts = silent();
    for kind in [
        "node.status",
        "node.load",
        "node.memory",
        "node.disk",
        "node.uptime",
        "node.temperature",
        "node.version",
        "cluster.hottest",
    ] {
        let reply = said(kind, &facts);
        let speech = reply.speech.to_lowercase();
        assert!(speech.contains("not answer") || speech.contains("unknown"), "{kind}: {speech}");
        assert!(!speech.contains(" 0 "), "{kind}: {speech}");
        assert_eq!(reply.key, None, "{kind}: {speech}");
    }
    let guest = with_asker(0, |a| answer(&intent("guest.memory", 105), &facts, a));
    assert!(guest.speech.contains("not answer"), "{}", guest.speech);
    for kind in ["cluster.load", "cluster.memory", "guests.count", "storage.status"] {
        let speech = said(kind, &facts).speech;
        assert!(speech.contains("pve3"), "{kind} hides a gap: {speech}");
    }
    let blind = said("cluster.status", &Facts::default());
    assert!(blind.speech.contains("cluster"), "{}", blind.speech);
}

#[test]
fn a_guest_that_is_gone_is_not_invented() {
    let reply = with_asker(0, |a| answer(&intent("guest.status", 999), &facts(), a));
    assert!(reply.speech.contains("no guest 999"), "{}", reply.speech);
}

#[test]
fn a_disk_without_an_agent_is_not_called_empty() {
    let reply = said("guest.disk", &facts());
    assert!(reply.speech.contains("agent"), "{}", reply.speech);
}

#[test]
fn forbidden_and_unconfigured_reads_are_told_apart() {
    let mut facts = facts();
    facts.temperatures = None;
    for (reason, word) in [
        (GapReason::NotConfigured, "access"),
        (GapReason::Forbidden, "permitted"),
        (GapReason::Failed, "temperature of pve2"),
    ] {
        facts.gaps = vec![Gap { read: "temperatures".to_owned(), node: None, reason, detail: String::new() }];
        let speech = said("node.temperature", &facts).speech;
        assert!(speech.contains(word), "{speech}");
    }
}

#[test]
fn high_availability_is_said_in_words_and_its_lines_go_to_the_page() {
    let entry = |kind: &str, id: &str, state: &str| HaEntry {
        kind: kind.to_owned(),
        id: id.to_owned(),
        state: state.to_owned(),
    };
    let line = "pve3 (old timestamp - dead?, watchdog standby, Thu Nov 26 11:40:12 2026)";
    let mut facts = facts();
    facts.ha =
        Some(vec![entry("quorum", "quorum", "OK"), entry("lrm", "pve3", line), entry("service", "vm:104", "started")]);
    let reply = said("cluster.ha", &facts);
    assert_eq!(reply.speech, "High availability is not happy: it has lost sight of pve3.");
    assert!(reply.page.is_some_and(|page| page.contains(line)));
    assert!(!said("cluster.problems", &facts).speech.contains("timestamp"));
    facts.ha = Some(vec![entry("lrm", "pve3", line), entry("lrm", "pve4", line), entry("service", "vm:104", "error")]);
    let speech = said("cluster.ha", &facts).speech;
    assert!(speech.contains("media-server is in error") && speech.contains("pve3 and pve4"), "{speech}");
    assert!(said("cluster.problems", &facts).speech.contains("media-server is in error"));
    facts.ha = Some(vec![entry("service", "vm:104", "started")]);
    assert_eq!(said("cluster.ha", &facts).key.as_deref(), Some("1"));
}

#[test]
fn control_acts() {
    let facts = Facts::default();
    for (kind, act) in [
        ("control.stop", Act::Stop),
        ("control.cancel", Act::Cancel),
        ("control.repeat", Act::Repeat),
        ("control.louder", Act::Louder),
        ("control.quieter", Act::Quieter),
        ("control.volume", Act::Volume(40)),
    ] {
        assert_eq!(said(kind, &facts).act, Some(act));
    }
    assert_eq!(said("control.repeat", &facts).speech, "pve2 is at 61 degrees.");
}

#[test]
fn the_last_answer_goes_to_the_page_and_none_is_said_to_be_none() {
    let facts = Facts::default();
    let noted = said("control.page", &facts);
    assert_eq!(noted.page.as_deref(), Some("pve2 is at 61 degrees."));
    assert!(noted.speech.contains("on the page"), "{}", noted.speech);
    let none = with_asker(0, |a| answer(&intent("control.page", 0), &facts, &Asker { last_reply: Some(" "), ..*a }));
    assert!(none.page.is_none() && none.speech.contains("nothing yet"), "{}", none.speech);
}

#[test]
fn phrasings_vary_with_the_seed_and_hold_still_with_it() {
    let facts = facts();
    let say = |seed| with_asker(seed, |a| answer(&intent("node.temperature", 0), &facts, a).speech);
    assert_eq!(say(1), say(1));
    assert_ne!(say(0), say(1));
}

#[test]
fn what_was_not_understood_is_told_back() {
    let reply = with_asker(0, |a| not_understood("bake me a cake", a));
    assert!(reply.speech.contains("bake me a cake"));
    let reply = with_asker(0, |a| not_understood("  ", a));
    assert!(reply.speech.contains("did not catch"));
    for trouble in [
        Trouble::EarLost,
        Trouble::EarBusy,
        Trouble::MicLost,
        Trouble::TooLong,
        Trouble::ClusterUnknown,
        Trouble::LinkLost,
        Trouble::NoRecords,
        Trouble::Internal,
    ] {
        assert!(!with_asker(3, |a| sorry(trouble, a)).speech.is_empty());
    }
}

#[test]
fn every_kind_reads_only_what_it_needs() {
    let node = Read::Temperatures { nodes: vec![NodeName::from("pve2")] };
    assert_eq!(reads(&intent("node.temperature", 0)), [Read::Cluster, node]);
    assert_eq!(reads(&intent("time.now", 0)), []);
    assert_eq!(reads(&intent("control.stop", 0)), []);
}
