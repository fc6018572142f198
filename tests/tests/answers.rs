//! The core's answers to every frozen request beside what the simulator's state makes a right one: the same words that `make demo`
//! judges by ear, here as text.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::Path;

use jarvis_core::answer::{self, Asker};
use jarvis_core::gate::Gate;
use jarvis_core::ids::UnixSeconds;
use jarvis_core::intent::{Grammar, Understood};
use jarvis_core::names::Names;
use jarvis_tests::frozen::{self, Frozen};
use jarvis_tests::judge::as_heard;
use jarvis_tests::pve::Simulator;
use jarvis_tests::pve::expected::wanted;
use jarvisd::cluster::{ClusterClient, ClusterConfig};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    cluster: ClusterConfig,
}

/// Clusters drawn: what fails, is full or stopped differs between them.
const SEEDS: std::ops::Range<u64> = 100..112;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_holds_what_the_cluster_says() {
    let mut wrong = Vec::new();
    for seed in SEEDS {
        let mut simulator = Simulator::start(seed).await.unwrap();
        if seed % 3 == 2 {
            simulator.kill("pve3").await.unwrap();
        }
        wrong.extend(judged(&simulator).await.into_iter().map(|miss| format!("seed {seed}: {miss}")));
    }
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n"));
}

/// Requests answered otherwise than the state says.
async fn judged(simulator: &Simulator) -> Vec<String> {
    let mut config = toml::from_str::<File>(&simulator.toml().unwrap()).unwrap().cluster;
    config.limits.run = std::time::Duration::from_secs(30);
    let client = ClusterClient::new(&config).unwrap();
    let names = Names::from_cluster(&client.names().await.unwrap());
    let grammar = Grammar::embedded().unwrap();
    let state = simulator.state();
    let now = UnixSeconds(state.born + 30);
    let rooms = ["study".to_owned()];
    let (mut wrong, mut asked, mut otherwise) = (Vec::new(), 0, 0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for Frozen { text, intent: asked_for } in frozen::requests(root).unwrap() {
        let right = wanted(&state, now.0, &asked_for);
        if right.is_empty() {
            continue;
        }
        asked += 1;
        let kind = &asked_for.kind;
        let intent = match grammar.understand(&text, &names) {
            Understood::Intent { intent, .. } if intent.kind == *kind => intent,
            // How many are understood is measured by itself (m1); what is not can't be answered.
            _ => {
                otherwise += 1;
                continue;
            }
        };
        let reads = answer::reads(&intent).into_iter().map(|read| Gate::new().clear(read).unwrap());
        let (facts, _) = client.run(reads.collect()).await;
        let asker = Asker {
            now,
            local_offset_s: state.offset_s as i32,
            room: "study",
            rooms: &rooms,
            started: UnixSeconds(state.born - 7200),
            last_heard: None,
            last_reply: None,
            last_route: None,
            names: &names,
            seed: state.seed,
            demo_ear: false,
        };
        let reply = answer::answer(&intent, &facts, &asker);
        let said = as_heard(&reply.speech);
        let lacking: Vec<_> = right.iter().filter(|figure| !figure.is_in(&[&said])).collect();
        if !lacking.is_empty() {
            wrong.push(format!("{text} ({kind}): {:?} said as {said:?} lacks {lacking:?}", reply.speech));
        }
    }
    println!("{asked} requests, {otherwise} understood otherwise, {} answered wrongly", wrong.len());
    assert!(otherwise * 20 <= asked, "too few are understood to judge the answers");
    wrong
}
