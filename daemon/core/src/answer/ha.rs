//! Answers about high availability: the manager's status lines are taken apart, and what they mean is said. The lines themselves, with
//! their clocks and brackets, go to the page alone.

use crate::answer::Reply;
use crate::answer::ask::both;
use crate::answer::measure::count;
use crate::answer::view::{View, page, some};
use crate::ids::Vmid;
use crate::tool::HaEntry;

/// What a line of the manager's status complains of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Complaint<'a> {
    /// The manager has no majority to act with.
    NoQuorum,
    /// The node that leads has not written its status for too long.
    LeaderSilent(Option<&'a str>),
    /// A node has not written its status for too long.
    NodeSilent(&'a str),
    /// A guest is in a state that asks for somebody.
    Guest { id: &'a str, state: &'static str },
}

/// States of a guest in the manager's care that ask for somebody, and the key of their words.
const BAD_STATES: [(&str, &str); 4] =
    [("error", "ha_error"), ("fence", "ha_fence"), ("recovery", "ha_recovery"), ("unknown", "ha_unknown")];

/// `pve3 (old timestamp - dead?, watchdog standby, Sun Nov 22 23:37:21 2026)`: the name, and what stands in brackets up to the first comma.
fn status_line(state: &str) -> Option<(&str, &str)> {
    let (node, rest) = state.split_once(" (")?;
    Some((node, rest.split([',', ')']).next().unwrap_or_default()))
}

fn is_silent(what: &str) -> bool {
    what.starts_with("old timestamp") || what.starts_with("unable to read")
}

fn complaint(entry: &HaEntry) -> Option<Complaint<'_>> {
    match entry.kind.as_str() {
        "quorum" => (entry.state.trim() != "OK").then_some(Complaint::NoQuorum),
        "master" => match status_line(&entry.state) {
            Some((node, what)) => is_silent(what).then_some(Complaint::LeaderSilent(Some(node))),
            None => is_silent(&entry.state).then_some(Complaint::LeaderSilent(None)),
        },
        "lrm" => {
            let what = status_line(&entry.state).map_or(entry.state.as_str(), |(_, what)| what);
            is_silent(what).then(|| Complaint::NodeSilent(entry.id.trim_start_matches("lrm:")))
        }
        "service" => {
            let state = entry.state.trim().to_lowercase();
            let (_, key) = BAD_STATES.into_iter().find(|(bad, _)| *bad == state)?;
            Some(Complaint::Guest { id: &entry.id, state: key })
        }
        _ => None,
    }
}

/// `vm:104` as a person calls it.
fn guest(view: &View<'_>, id: &str) -> String {
    let number = id.rsplit(':').next().and_then(|number| number.parse().ok());
    number.map_or_else(|| id.to_owned(), |number| view.label(Vmid(number)))
}

/// What is wrong with high availability, each a clause of its own. Silent nodes share one.
fn complaints(view: &View<'_>, entries: &[HaEntry]) -> Vec<String> {
    let all: Vec<Complaint<'_>> = entries.iter().filter_map(complaint).collect();
    let silent: Vec<String> = all
        .iter()
        .filter_map(|complaint| match complaint {
            Complaint::NodeSilent(node) => Some((*node).to_owned()),
            _ => None,
        })
        .collect();
    let mut said = Vec::new();
    for complaint in &all {
        match complaint {
            Complaint::NoQuorum => said.push(view.say("cluster.ha_no_quorum", &[])),
            Complaint::LeaderSilent(Some(node)) => said.push(view.say("cluster.ha_leader", &[("node", node)])),
            Complaint::LeaderSilent(None) => said.push(view.say("cluster.ha_no_leader", &[])),
            Complaint::Guest { id, state } => {
                said.push(view.say(&format!("cluster.{state}"), &[("guest", &guest(view, id))]));
            }
            Complaint::NodeSilent(_) => {}
        }
    }
    if !silent.is_empty() {
        said.push(view.say("cluster.ha_node", &[("nodes", &both(&silent))]));
    }
    said
}

/// Its troubles as a list of problems names them.
pub(super) fn problems(view: &View<'_>) -> Vec<String> {
    // Silent nodes and a lost quorum are problems of their own already.
    let guests: Vec<HaEntry> = view.facts.ha.iter().flatten().filter(|e| e.kind == "service").cloned().collect();
    complaints(view, &guests).iter().map(|what| view.say("problem.ha", &[("what", what)])).collect()
}

/// How it is.
pub(super) fn answer(view: &View<'_>) -> Reply {
    let Some(entries) = &view.facts.ha else {
        return view.not_learnt("ha", "the state of high availability");
    };
    let services = entries.iter().filter(|e| e.kind == "service").count();
    let bad = complaints(view, entries);
    let n = services.to_string();
    let things = count(services, "guest", "guests");
    let values = [("guests", things.as_str()), ("bad", &some(&bad))];
    let (key, fact) = match (services, bad.is_empty()) {
        (_, false) => ("cluster.ha_bad", None),
        (0, true) => ("cluster.ha_none", Some("no")),
        (_, true) => ("cluster.ha", Some(n.as_str())),
    };
    let lines = entries.iter().map(|e| format!("{} {}: {}", e.kind, e.id, e.state)).collect::<Vec<_>>();
    Reply { page: page(&lines), ..view.reply(key, &values, fact) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, id: &str, state: &str) -> HaEntry {
        HaEntry { kind: kind.to_owned(), id: id.to_owned(), state: state.to_owned() }
    }

    #[test]
    fn lines_of_a_cluster_are_taken_apart() {
        let silent = "n3 (old timestamp - dead?, watchdog standby, Sun Nov 22 23:37:21 2026)";
        for (kind, id, state, wanted) in [
            ("quorum", "quorum", "OK", None),
            ("quorum", "quorum", "No quorum on node 'n1'!", Some(Complaint::NoQuorum)),
            ("master", "master", "n2 (active, Sun Nov 22 23:38:00 2026)", None),
            (
                "master",
                "master",
                "n2 (old timestamp - dead?, Sun Nov 22 23:38:00 2026)",
                Some(Complaint::LeaderSilent(Some("n2"))),
            ),
            ("fencing", "fencing", "armed (CRM watchdog active)", None),
            ("lrm", "n1", "n1 (active, watchdog active, Sun Nov 22 23:38:00 2026)", None),
            ("lrm", "n2", "n2 (idle, watchdog standby, Sun Nov 22 23:38:00 2026)", None),
            ("lrm", "n2", "n2 (maintenance mode, Sun Nov 22 23:38:00 2026)", None),
            ("lrm", "n3", silent, Some(Complaint::NodeSilent("n3"))),
            ("lrm", "lrm:n3", silent, Some(Complaint::NodeSilent("n3"))),
            ("lrm", "n4", "n4 (unable to read lrm status)", Some(Complaint::NodeSilent("n4"))),
            ("service", "vm:101", "started", None),
            ("service", "vm:101", "error", Some(Complaint::Guest { id: "vm:101", state: "ha_error" })),
            ("service", "ct:7", "fence", Some(Complaint::Guest { id: "ct:7", state: "ha_fence" })),
            // A name that holds a word of alarm is no alarm.
            ("lrm", "error", "error (active, watchdog active, Sun Nov 22 23:38:00 2026)", None),
        ] {
            assert_eq!(complaint(&entry(kind, id, state)), wanted, "{kind} {state}");
        }
    }
}
