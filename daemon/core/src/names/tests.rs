//! Names apart from the grammar: what is said for what, and what is alike.

use super::*;
use crate::sample;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The cheapest whole match, by label.
fn found(names: &Names, text: &str, sort: Sort) -> Vec<String> {
    let words = words(text);
    let mut whole = names.exact(&words, 0, sort);
    whole.retain(|f| f.end == words.len());
    let least = whole.iter().map(|f| f.cost).min();
    whole.retain(|f| Some(f.cost) == least);
    whole.iter().map(|f| names.label(f.thing)).collect()
}

#[test]
fn nodes_without_numbers_go_by_name_and_rank() {
    let mut cluster = sample::cluster();
    cluster.nodes = ["hermes", "atlas", "zeus-main"].map(sample::node).to_vec();
    let names = Names::from_cluster(&cluster);
    for (text, node) in [
        ("atlas", "atlas"),
        ("node atlas", "atlas"),
        ("first node", "atlas"),
        ("zeus main", "zeus-main"),
        ("zeus", "zeus-main"),
    ] {
        assert_eq!(found(&names, text, Sort::Node), [node], "{text}");
    }
    assert!(found(&names, "node two", Sort::Node).is_empty());
    assert_eq!(names.nobody(&words("node two"), 0, Sort::Node), Some(("2".to_owned(), 2)));
}

#[test]
fn the_only_node_needs_no_name() {
    let mut cluster = sample::cluster();
    cluster.nodes.truncate(1);
    let names = Names::from_cluster(&cluster);
    let node = names.exact(&words("node"), 0, Sort::Node);
    assert!(node.iter().any(|f| f.cost == 0), "{node:?}");
}

#[test]
fn likeness_knows_sounds_and_keeps_its_distance() {
    let alike =
        |name: &str, heard: &str| sound::unlikeness(name, &sound::key(name), heard, &sound::key(heard)).is_some();
    for (name, heard) in [("grafana", "graphanna"), ("vault", "volt"), ("nextcloud", "nextclout"), ("wiki", "wicki")] {
        assert!(alike(name, heard), "{name} {heard}");
    }
    for (name, heard) in [("redis", "the"), ("nas", "noise"), ("proxy", "wife"), ("wiki", "week"), ("database", "data")]
    {
        assert!(!alike(name, heard), "{name} {heard}");
    }
}

#[test]
fn the_words_hold_spelled_names_and_numbers() {
    let words = Names::from_cluster(&sample::cluster()).words();
    for word in ["p", "v", "e", "two", "second", "mail", "server", "one", "zero", "oh", "hundred", "nas", "grafana"] {
        assert!(words.iter().any(|w| w == word), "{word}");
    }
}

#[test]
fn odd_names_do_no_harm() {
    let mut cluster = sample::cluster();
    for name in ["", "---", "99999999999999999999", "ünï", "a", "[unk]", "the", "vm"] {
        cluster.guests.push(sample::guest(900, name));
        cluster.nodes.push(sample::node(name));
    }
    let names = Names::from_cluster(&cluster);
    assert!(!names.words().iter().any(String::is_empty));
    names.alike(&words("graph anna the unk"), 0, Sort::Guest, &|_| false);
}
