//! Figures from known states.

use super::said::time_of_day;
use super::*;
use crate::judge;

/// Kinds that have no figure of the cluster.
const WITHOUT: [&str; 4] = ["self.", "talk.", "control.", "time."];

fn frozen() -> Vec<(String, Vec<(String, String)>)> {
    let text = include_str!("../../../frozen/requests.tsv");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut columns = line.split('\t').skip(1);
            let kind = columns.next()?.to_owned();
            let slots = columns.next()?.split(' ').filter_map(|slot| slot.split_once('='));
            Some((kind, slots.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()))
        })
        .collect()
}

#[test]
fn every_frozen_request_about_the_cluster_has_a_figure_in_every_cluster() {
    let requests = frozen();
    assert!(requests.len() > 200);
    for seed in 0..40 {
        let state = State::at(seed, 1_795_430_000, 3600);
        for (kind, slots) in &requests {
            let slots: Vec<_> = slots.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let figures = expected(&state, state.born + 60, kind, &slots);
            let free = WITHOUT.iter().any(|family| kind.starts_with(family));
            assert!(free || !figures.is_empty(), "{kind} {slots:?} with seed {seed}");
        }
    }
}

#[test]
fn figures_follow_the_state() {
    let mut state = State::at(7, 1_795_430_000, 0);
    state.nodes[1].celsius = 61.25;
    let now = state.born;
    let of = |state: &State, kind: &str, slots: &[(&str, &str)]| -> Vec<String> {
        expected(state, now, kind, slots).iter().map(ToString::to_string).collect()
    };
    assert_eq!(of(&state, "node.temperature", &[("node", "pve2")]), ["61 or 61.2"]);
    assert_eq!(of(&state, "guests.count", &[]), ["18"]);
    assert_eq!(of(&state, "guest.id", &[("guest", "102")]), ["102"]);
    assert!(of(&state, "cluster.version", &[])[0].contains("nine point two point eleven"));
    assert!(of(&state, "backup.schedule", &[])[0].contains("half past two"));
    state.nodes[1].alive = false;
    assert!(of(&state, "node.temperature", &[("node", "pve2")])[0].contains("unknown"));
    assert_eq!(of(&state, "cluster.nodes", &[]), ["3", "pve2"]);
    assert!(of(&state, "talk.hello", &[]).is_empty());
}

#[test]
fn a_summary_that_leaves_a_figure_out_is_wrong() {
    let mut state = State::at(7, 1_795_430_000, 0);
    state.nodes[1].alive = false;
    let running = state.guests.iter().filter(|guest| guest.running && state.reachable(guest)).count();
    let right = |said: &str| {
        let said = [said.to_owned()];
        expected(&state, state.born, "cluster.status", &[]).iter().all(|figure| figure.is_in(&said))
    };
    let [up, running, fewer] = [3, running as u64, running as u64 - 1].map(|n| judge::forms(&n.to_string()).remove(0));
    assert!(right(&format!("{up} of four nodes up pve two not answering {running} of eighteen guests running")));
    assert!(!right(&format!("{up} of four nodes up {running} of eighteen guests running")));
    assert!(!right(&format!("pve two is not answering and {running} guests are running")));
    assert!(!right(&format!("{up} of four nodes up pve two not answering {fewer} of eighteen guests running")));
}

#[test]
fn times_and_amounts_are_said_in_all_their_ways() {
    assert_eq!(time_of_day(2 * 3600 + 31 * 60), words(&["two thirty one"]));
    let five_past = ["seventeen oh five", "seventeen zero five", "five oh five", "five zero five"];
    assert_eq!(time_of_day(17 * 3600 + 300), words(&five_past));
    let figure = amount(3 * (1_u64 << 40) / 2);
    assert!(figure.is_in(&["one point five"]) && !figure.is_in(&["two"]), "{figure}");
}
