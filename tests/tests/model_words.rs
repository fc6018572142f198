//! `jarvisctl model words`: a model rebuilt for an owner's own names hears them, and the one it was made of does not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::Path;

use jarvis_core::cluster::Cluster;
use jarvis_core::ids::NodeName;
use jarvis_core::intent::Grammar;
use jarvis_core::names::Names;
use jarvis_tests::fleet;
use jarvis_tests::house::{library, model};
use jarvis_tests::judge::Judge;
use jarvis_tests::process::programs;
use jarvis_tests::trial::spoken;
use jarvisd::model_words::rebuild;

/// A cluster with names that no request of the simulated one holds.
fn elsewhere() -> Cluster {
    let mut cluster = fleet::cluster();
    for (node, name) in cluster.nodes.iter_mut().zip(["zeppelin", "jupiter", "neptune", "mercury"]) {
        node.name = NodeName::from(name);
    }
    for (guest, name) in cluster.guests.iter_mut().zip(["gazelle", "pelican"]) {
        guest.name = Some(name.to_owned());
    }
    cluster
}

#[test]
fn a_rebuilt_model_hears_the_owners_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own");
    let names = Names::from_cluster(&elsewhere());
    let summary = rebuild(&model(root), &own, &Grammar::embedded().unwrap(), &names).unwrap();
    println!("{summary}");
    let worker = programs().unwrap().join("jarvis-ear");
    let mut judges = [model(root), own].map(|model| Judge::start(&worker, &model, &library(root)).unwrap());
    for (text, name) in [("how hot is zeppelin", "zeppelin"), ("how much memory is the gazelle using", "gazelle")] {
        let said = spoken("en-gb", text);
        let [before, after] = judges.each_mut().map(|judge| judge.hear(&said, &[]).unwrap());
        println!("{text:?}: {before:?}, rebuilt {after:?}");
        assert!(!before.contains(name), "the embedded model knows no {name}: {before}");
        assert_eq!(after, text);
    }
}
