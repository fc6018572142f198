//! The embedded model's words: its graph is what the intent files make, and its challenge words are as far apart as they say.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use jarvis_core::challenge;
use jarvis_core::intent::{Corpus, Grammar};
use jarvis_core::names::Names;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("daemon/models")
}

#[test]
fn the_committed_graph_is_what_the_intent_files_make() {
    let corpus = tempfile::tempdir().unwrap();
    let names = Names::examples().unwrap();
    for (name, text) in Corpus::new(&Grammar::embedded().unwrap(), &names, &names).files() {
        std::fs::write(corpus.path().join(name), text).unwrap();
    }
    let check = Command::new("python3")
        .current_dir(models())
        .args(["-B", "-m", "words", "--base", "en-commands", "--check", "--corpus"])
        .arg(corpus.path())
        .output()
        .expect("python3 starts");
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{}: `make words`, and commit daemon/models/en-commands", said.trim());
}

/// The lexicon: pronunciations by word.
fn lexicon() -> BTreeMap<String, Vec<Vec<String>>> {
    let text = std::fs::read_to_string(models().join("en-commands/lexicon.tsv")).unwrap();
    let mut lexicon: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for line in text.lines() {
        let [word, _, phones] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        lexicon.entry(word.to_owned()).or_default().push(phones.split(' ').map(str::to_owned).collect());
    }
    lexicon
}

/// Phones to insert, delete or replace, between the two pronunciations that are nearest.
fn distance(one: &[Vec<String>], other: &[Vec<String>]) -> usize {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| edits(a, b)));
    pairs.min().expect("every word has a pronunciation")
}

fn edits(one: &[String], other: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, phone) in one.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, another) in other.iter().enumerate() {
            let replaced = before + usize::from(phone != another);
            before = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(before + 1);
        }
    }
    row[other.len()]
}

/// What the file of challenge words says of its distances.
fn stated(what: &str) -> usize {
    let text = std::fs::read_to_string(models().join("../core/src/challenge_words.txt")).unwrap();
    let line = text.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("it does not say: {what}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn challenge_words_are_as_far_apart_as_they_say() {
    let lexicon = lexicon();
    let between = stated("least distance between two of them, in phones:");
    let from_requests = stated("least distance from a word of a request, in phones:");
    assert!(between >= 4 && from_requests >= 2, "{between} and {from_requests} phones are not far");
    let words: Vec<&str> = challenge::words().collect();
    for (n, one) in words.iter().enumerate() {
        for (other, pronunciations) in &lexicon {
            let least = match words.iter().position(|word| word == other) {
                Some(place) if place <= n => continue,
                Some(_) => between,
                None => from_requests,
            };
            let apart = distance(&lexicon[*one], pronunciations);
            assert!(apart >= least, "{one} and {other} are {apart} phones apart");
        }
    }
}

#[test]
fn the_distance_is_one_of_edits() {
    let phones = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (one, other, wanted) in
        [("K AE T", "K AE T", 0), ("K AE T", "AE T", 1), ("K AE T", "B IH T S", 3), ("A", "B C D", 3)]
    {
        assert_eq!(edits(&phones(one), &phones(other)), wanted, "{one} / {other}");
        assert_eq!(edits(&phones(other), &phones(one)), wanted, "{other} / {one}");
    }
}
