//! Figures from known states.

use std::path::Path;

use super::said::time_of_day;
use super::*;
use crate::frozen::{self, Frozen};
use crate::judge;
use crate::judge::as_heard;

/// Kinds whose figure is not the cluster's to give: how long Jarvis has run, and who is connected to him.
const ELSEWHERE: [&str; 2] = ["self.uptime", "self.rooms"];

fn frozen() -> Vec<Frozen> {
    frozen::requests(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap()
}

#[test]
fn every_frozen_request_about_the_cluster_has_a_figure_in_every_cluster() {
    let requests = frozen();
    assert!(requests.len() > 200);
    for seed in 0..40 {
        let state = State::at(seed, 1_795_430_000, 3600);
        for Frozen { intent, .. } in &requests {
            let figures = wanted(&state, state.born + 60, intent);
            let none = without_figure(&intent.kind) || ELSEWHERE.contains(&intent.kind.as_str());
            assert_eq!(none, figures.is_empty(), "{intent:?} with seed {seed}: {figures:?}");
        }
    }
}

#[test]
fn kinds_without_a_figure_are_kinds_of_the_grammar() {
    let grammar = jarvis_core::intent::Grammar::embedded().unwrap();
    let kinds: Vec<&str> = grammar.examples().iter().map(|example| example.kind.as_str()).collect();
    for kind in WITHOUT_FIGURE {
        assert!(kinds.contains(&kind), "{kind}");
    }
}

/// It depends on the day and the hour: whoever asks on a Saturday between the two is told of the weekly one, where that is on.
#[test]
fn the_next_backup_is_the_earliest_of_the_jobs_that_are_on() {
    // A Saturday, 04:00.
    let mut state = State::at(7, 1_795_838_400, 0);
    let of = |state: &State| expected(state, state.born, "backup.schedule", &[])[0].to_string();
    state.jobs[1].enabled = true;
    assert!(of(&state).contains("five o'clock"), "{}", of(&state));
    state.jobs[1].enabled = false;
    assert!(of(&state).contains("half past two"), "{}", of(&state));
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
fn every_minute_of_the_day_is_known_as_it_is_said() {
    for minutes in 0..24 * 60 {
        let said = as_heard(&format!("It is {:02}:{:02}.", minutes / 60, minutes % 60));
        assert!(time_of_day(minutes * 60).is_in(&[&said]), "{minutes}: {said}");
        assert!(!time_of_day(minutes * 60 + 3 * 60).is_in(&[&said]), "{minutes}: {said} is three minutes off");
    }
}

#[test]
fn times_and_amounts_are_said_in_all_their_ways() {
    assert_eq!(time_of_day(2 * 3600 + 31 * 60), words(&["two thirty one"]));
    let five_past = ["seventeen oh five", "seventeen zero five", "five oh five", "five zero five"];
    assert_eq!(time_of_day(17 * 3600 + 300), words(&five_past));
    let figure = amount(3 * (1_u64 << 40) / 2);
    assert!(figure.is_in(&["one point five"]) && !figure.is_in(&["two"]), "{figure}");
}

#[test]
fn who_asks_for_what_is_not_there_gets_no_figure_and_is_no_talk() {
    let state = State::at(7, 1_795_430_000, 0);
    for (kind, slot) in [
        ("node.temperature", None),
        ("node.temperature", Some(("node", "pve9"))),
        ("guest.memory", Some(("node", "pve2"))),
        ("storage.free", None),
        ("backup.last", Some(("guest", "nextcloud"))),
        ("owners.own", None),
    ] {
        let figures = expected(&state, state.born, kind, slot.as_slice());
        assert!(figures.is_empty() && !without_figure(kind), "{kind} {slot:?}: {figures:?}");
    }
}
