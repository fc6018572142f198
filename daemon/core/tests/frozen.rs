//! The frozen requests of tests/frozen against the grammar: how many are understood, and how fast.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]
#![allow(clippy::disallowed_methods, reason = "how long understanding takes is measured from outside")]

use std::collections::BTreeSet;
use std::time::Instant;

use jarvis_core::cluster::{Cluster, Guest, GuestKind, GuestState, Node, Presence, Storage};
use jarvis_core::ids::{NodeName, StorageName, UnixSeconds, Vmid};
use jarvis_core::intent::{Completeness, Grammar, Intent, Slots, Understood};
use jarvis_core::names::Names;

/// Of the frozen requests, as many must be understood with the right kind and slots.
const UNDERSTOOD_MIN: f64 = 0.95;
/// And as many must be phrased as no example is.
const NOVEL_MIN: f64 = 0.20;

const GUESTS: [&str; 18] = [
    "jarvis",
    "web-server",
    "mail-server",
    "database",
    "media-server",
    "home-assistant",
    "dns-server",
    "proxy",
    "grafana",
    "nextcloud",
    "file-server",
    "build-server",
    "test-machine",
    "game-server",
    "print-server",
    "wiki",
    "redis",
    "monitoring",
];

fn names() -> Names {
    let nodes = ["pve1", "pve2", "pve3", "pve4"];
    let guests = (100..).zip(GUESTS).map(|(vmid, name)| Guest {
        vmid: Vmid(vmid),
        name: Some(name.to_owned()),
        kind: GuestKind::Vm,
        node: NodeName::from("pve1"),
        state: GuestState::Running,
        cpu: None,
        cores: None,
        memory: None,
        disk: None,
        uptime_s: None,
        lock: None,
        ha: None,
    });
    let storages = ["local", "tank", "nas", "vault"].map(|name| Storage {
        name: StorageName::from(name),
        node: NodeName::from("pve1"),
        kind: "dir".to_owned(),
        shared: true,
        available: None,
        usage: None,
    });
    Names::from_cluster(&Cluster {
        at: UnixSeconds(0),
        name: None,
        quorate: None,
        nodes: nodes
            .map(|name| Node {
                name: NodeName::from(name),
                presence: Presence::Online,
                cpu: None,
                cores: None,
                memory: None,
                root: None,
                uptime_s: None,
            })
            .to_vec(),
        guests: guests.collect(),
        storages: storages.to_vec(),
    })
}

struct Request {
    text: String,
    wanted: Intent,
}

fn requests() -> Vec<Request> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/frozen/requests.tsv");
    let content = std::fs::read_to_string(file).expect("tests/frozen/requests.tsv");
    content.lines().filter(|l| !l.is_empty()).map(request).collect()
}

fn request(line: &str) -> Request {
    let mut cells = line.split('\t');
    let mut cell = || cells.next().expect("three cells").trim();
    let (text, kind, pairs) = (cell(), cell(), cell());
    let mut slots = Slots::default();
    for pair in pairs.split_whitespace().filter(|p| *p != "-") {
        match pair.split_once('=').expect("name=value") {
            ("node", node) => slots.node = Some(NodeName::from(node)),
            ("guest", vmid) => slots.guest = Some(Vmid(vmid.parse().expect("a VMID"))),
            ("storage", storage) => slots.storage = Some(StorageName::from(storage)),
            ("percent", percent) => slots.percent = Some(percent.parse().expect("a number")),
            (other, _) => panic!("no slot {other} in \"{line}\""),
        }
    }
    Request { text: text.to_owned(), wanted: Intent { kind: kind.to_owned(), slots } }
}

#[test]
fn frozen_requests_are_understood() {
    let grammar = Grammar::embedded().expect("the embedded grammar");
    let (names, requests) = (names(), requests());
    let mut missed = 0;
    let mut took = Vec::new();
    for request in &requests {
        let start = Instant::now();
        let got = grammar.understand(&request.text, &names);
        took.push(start.elapsed());
        let right = matches!(&got, Understood::Intent { intent, .. } if *intent == request.wanted);
        if !right {
            missed += 1;
            println!("missed: \"{}\"", request.text);
            println!("    wanted {:?}", request.wanted);
            println!("    got    {got:?}");
        }
    }
    took.sort_unstable();
    let p95 = took[took.len() * 95 / 100];
    let ratio = 1.0 - f64::from(missed) / requests.len() as f64;
    println!(
        "{} requests, {missed} missed: {ratio:.4} understood; p95 {:.2} ms, worst {:.2} ms",
        requests.len(),
        p95.as_secs_f64() * 1e3,
        took[took.len() - 1].as_secs_f64() * 1e3
    );
    assert!(ratio >= UNDERSTOOD_MIN, "{ratio:.4} understood");
}

#[test]
fn enough_frozen_phrasings_are_no_examples() {
    let grammar = Grammar::embedded().expect("the embedded grammar");
    let examples: BTreeSet<&str> = grammar.examples().iter().map(|e| e.text.as_str()).collect();
    let requests = requests();
    let novel = requests.iter().filter(|r| !examples.contains(r.text.as_str())).count();
    let ratio = novel as f64 / requests.len() as f64;
    println!("{novel} of {} are no examples: {ratio:.4}", requests.len());
    assert!(ratio >= NOVEL_MIN);
}

#[test]
fn frozen_requests_are_whole() {
    let grammar = Grammar::embedded().expect("the embedded grammar");
    let (names, requests) = (names(), requests());
    let mut took = Vec::new();
    let mut missed = 0;
    for request in &requests {
        let start = Instant::now();
        let whole = grammar.complete(&request.text, &names);
        took.push(start.elapsed());
        if !matches!(whole, Completeness::Complete | Completeness::Extendable) {
            missed += 1;
            println!("not whole: \"{}\" is {whole:?}", request.text);
        }
    }
    took.sort_unstable();
    println!("{missed} of {} not whole; p95 {:.2} ms", requests.len(), took[took.len() * 95 / 100].as_secs_f64() * 1e3);
    assert!(f64::from(missed) / (requests.len() as f64) < 0.05);
}

#[test]
fn frozen_sentences_for_the_ear_are_requests() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/frozen/wer.txt");
    let content = std::fs::read_to_string(file).expect("tests/frozen/wer.txt");
    let grammar = Grammar::embedded().expect("the embedded grammar");
    let names = names();
    let (mut count, mut missed) = (0, 0);
    for text in content.lines().map(str::trim).filter(|l| !l.is_empty()) {
        count += 1;
        let got = grammar.understand(text, &names);
        if !matches!(got, Understood::Intent { .. }) {
            missed += 1;
            println!("no request: \"{text}\": {got:?}");
        }
    }
    println!("{count} sentences, {missed} no requests");
    assert!(f64::from(missed) / f64::from(count) <= 0.05);
}

#[test]
fn talk_that_is_no_request_is_not_understood() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/frozen/confusable.txt");
    let content = std::fs::read_to_string(file).expect("tests/frozen/confusable.txt");
    let grammar = Grammar::embedded().expect("the embedded grammar");
    let names = names();
    let (mut count, mut taken) = (0, 0);
    for text in content.lines().map(str::trim).filter(|l| !l.is_empty()) {
        count += 1;
        let got = grammar.understand(text, &names);
        if !matches!(got, Understood::Nothing { .. }) {
            taken += 1;
            println!("taken for a request: \"{text}\": {got:?}");
        }
    }
    println!("{count} phrases, {taken} taken for requests");
    assert!(f64::from(taken) / f64::from(count) <= 0.05);
}
