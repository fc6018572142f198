//! Which tools go with a request: what its room may ask for, what its route lets go along, and few where a small model would drown in
//! schemas.
//!
//! A tool is named by a request if every word of its name but the family stands there, in its own or another form ("turn off" is shutdown).
//! Those always go along. The rest of the places are filled by how many words of names and descriptions the request shares.

use super::words::{same, words};
use crate::gate::Rights;
use crate::mind::message::ToolSpec;
use crate::tools::{AnyTool, Kind, MemoryForget, TOOLS, Tool};

/// Tools that go with a request to a model of a small window.
const SMALL_SET: usize = 7;
/// Longest request that is looked at, in bytes.
const REQUEST_BYTES_MAX: usize = 4 << 10;
/// Words of a name that say whose tool it is, not what it does.
const FAMILIES: &[&str] = &["read", "guest", "memory"];
/// What goes along with whatever is asked: most questions begin there.
const ALWAYS: &str = "read_cluster";
/// Other ways to say a word of a tool's name. A word may mean several.
const SAID_AS: &[(&str, &str)] = &[
    ("boot", "start"),
    ("turn on", "start"),
    ("switch on", "start"),
    ("power on", "start"),
    ("bring up", "start"),
    ("shut down", "shutdown"),
    ("shut", "shutdown"),
    ("turn off", "shutdown"),
    ("switch off", "shutdown"),
    ("power off", "shutdown"),
    ("kill", "stop"),
    ("force", "stop"),
    ("restart", "reboot"),
    ("roll back", "rollback"),
    ("revert", "rollback"),
    ("take", "create"),
    ("make", "create"),
    ("new", "create"),
    ("remove", "delete"),
    ("drop", "delete"),
    ("hot", "temperatures"),
    ("warm", "temperatures"),
    ("degrees", "temperatures"),
    ("cores", "config"),
    ("protected", "config"),
    ("memory", "config"),
    ("high availability", "ha"),
    ("without a backup", "not backed up"),
    ("no backup", "not backed up"),
    ("schedule", "jobs"),
    ("failed", "tasks"),
    ("happened", "tasks"),
    ("running now", "tasks"),
    ("load", "node status"),
    ("kernel", "node status"),
    ("note", "remember"),
    ("keep in mind", "remember"),
    ("what do you know", "about"),
    ("did i tell", "about"),
    ("write down", "page note"),
    ("put", "note"),
    ("list", "page note"),
];

/// The tools that a model is told of with `request`, for somebody with these rights: `only` those that the route lets go with it, where it
/// names some; those that fit, where its window is `small`; else all.
pub fn tools_for(request: &str, rights: Rights, only: Option<&[String]>, small: bool) -> Vec<ToolSpec> {
    let fitting = (only.is_none() && small).then(|| choose(request, SMALL_SET));
    let goes_along = |tool: &&'static dyn AnyTool| {
        only.is_none_or(|only| only.iter().any(|name| name == tool.name()))
            && fitting.as_ref().is_none_or(|fitting| fitting.iter().any(|fit| fit.name() == tool.name()))
    };
    offered(rights).filter(goes_along).map(|tool| tool.spec()).collect()
}

/// The tools that a model may be told of, for somebody with these rights.
fn offered(rights: Rights) -> impl Iterator<Item = &'static dyn AnyTool> {
    let fits = move |tool: &&'static dyn AnyTool| {
        // What is forgotten is told by the owner himself, whose words are checked against what is known. Tools of his other servers are
        // offered by names of their own, where a request calls for one.
        let apart = tool.name() == MemoryForget::NAME || tool.kind() == Kind::Foreign;
        !apart && (tool.kind() == Kind::Read || rights > Rights::Reads)
    };
    TOOLS.iter().copied().filter(fits)
}

/// The tools for `request`: those it names, and others that may serve until there are `limit`, in the order of the table.
fn choose(request: &str, limit: usize) -> Vec<&'static dyn AnyTool> {
    let said = said(request);
    // Tools of the owner's other servers go with a request by rules of their own.
    let own = TOOLS.iter().enumerate().filter(|(_, tool)| tool.kind() != Kind::Foreign);
    let mut scored: Vec<(usize, Score)> = own.map(|(at, tool)| (at, score(*tool, &said))).collect();
    // The table's order among equals, so that the same request gets the same tools.
    scored.sort_by_key(|(at, score)| (std::cmp::Reverse(*score), *at));
    let mut chosen: Vec<usize> = scored
        .iter()
        .enumerate()
        .filter(|(rank, (_, score))| *rank < limit || score.named)
        .map(|(_, (at, _))| *at)
        .collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|at| TOOLS[at]).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    named: bool,
    shared: usize,
}

/// Words of a request, with the words of names that it means beside them.
fn said(request: &str) -> Vec<String> {
    let mut all = words(&request[..request.floor_char_boundary(REQUEST_BYTES_MAX)]);
    let spoken = format!(" {} ", all.join(" "));
    for (way, meant) in SAID_AS {
        if spoken.contains(&format!(" {way} ")) {
            all.extend(words(meant));
        }
    }
    all
}

fn score(tool: &dyn AnyTool, said: &[String]) -> Score {
    let is_said = |word: &String| said.iter().any(|other| same(other, word));
    let name = words(tool.name());
    let own: Vec<&String> = name.iter().filter(|word| !FAMILIES.contains(&word.as_str())).collect();
    let named = tool.name() == ALWAYS || own.iter().all(|word| is_said(word));
    let about = words(tool.about()).iter().filter(|word| word.len() > 3 && is_said(word)).count();
    Score { named, shared: own.iter().filter(|word| is_said(word)).count() * 3 + about }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn names(request: &str) -> BTreeSet<&'static str> {
        choose(request, SMALL_SET).iter().map(|tool| tool.name()).collect()
    }

    #[test]
    fn a_room_of_reads_is_offered_reads_and_nobody_is_offered_to_forget() {
        let names = |rights| offered(rights).map(|tool| tool.name()).collect::<Vec<_>>();
        let all = names(Rights::All);
        assert!(all.contains(&"guest_stop") && !all.contains(&"memory_forget"), "{all:?}");
        let reads = names(Rights::Reads);
        assert!(reads.iter().all(|name| name.starts_with("read_") || *name == "memory_about"), "{reads:?}");
        assert!(reads.len() > 10);
    }

    #[test]
    fn the_route_and_a_small_window_leave_some_tools_out_and_a_room_of_reads_gets_no_more_by_either() {
        let told = |rights, only: Option<&[String]>, small| {
            let tools = tools_for("switch off the media server", rights, only, small);
            tools.into_iter().map(|tool| tool.name).collect::<Vec<_>>()
        };
        let all = told(Rights::All, None, false);
        assert!(all.iter().eq(offered(Rights::All).map(|tool| tool.name())), "{all:?}");
        let few = told(Rights::All, None, true);
        assert!(few.len() <= SMALL_SET && few.contains(&"guest_shutdown".to_owned()), "{few:?}");
        let only = ["page_note".to_owned(), "memory_forget".to_owned()];
        for small in [false, true] {
            assert_eq!(told(Rights::All, Some(&only[..]), small), ["page_note"]);
            assert_eq!(told(Rights::Reads, Some(&only[..]), small), [""; 0]);
            assert!(!told(Rights::Reads, None, small).contains(&"guest_shutdown".to_owned()));
        }
    }

    #[test]
    fn what_is_asked_for_in_other_words_is_there() {
        for (request, tool) in [
            ("switch off the media server", "guest_shutdown"),
            ("please restart grafana", "guest_reboot"),
            ("boot the test machine", "guest_start"),
            ("kill vm 104", "guest_stop"),
            ("take a snapshot of the wiki", "snapshot_create"),
            ("roll the snapshot of the wiki back, I mean roll back", "snapshot_rollback"),
            ("remove the oldest snapshot", "snapshot_delete"),
            ("how hot is node two", "read_temperatures"),
            ("which guests have no backup", "read_not_backed_up"),
            ("what happened last night", "read_tasks"),
            ("how many cores has the database", "read_guest_config"),
            ("keep in mind that the lift is stuck", "memory_remember"),
            ("what do you know about the lift", "memory_about"),
            ("put a list of the guests on the page", "page_note"),
            ("tell me a joke", "read_cluster"),
        ] {
            assert!(names(request).contains(tool), "{request}: {:?}", names(request));
            assert!(names(request).len() >= SMALL_SET, "{request}: the places are filled");
            assert!(names(request).len() < TOOLS.len(), "{request}: not all of them");
        }
    }

    #[test]
    fn every_word_that_means_another_means_one_of_a_tools_name() {
        let all: BTreeSet<String> = TOOLS.iter().flat_map(|tool| words(tool.name())).collect();
        for (way, meant) in SAID_AS {
            for word in words(meant) {
                assert!(all.iter().any(|other| same(other, &word)), "{way}: no tool is named {word}");
            }
        }
        assert!(TOOLS.iter().any(|tool| tool.name() == ALWAYS));
    }

    proptest! {
        #[test]
        fn what_the_request_names_is_in_the_set(
            at in 0..TOOLS.len(),
            filler in prop::collection::vec("[a-z]{1,9}", 0..30),
            shuffle in any::<prop::sample::Index>(),
            limit in 0usize..12,
        ) {
            let tool = TOOLS[at];
            prop_assume!(tool.kind() != Kind::Foreign);
            let mut request = filler;
            let own = words(tool.name());
            for word in own.iter().filter(|word| !FAMILIES.contains(&word.as_str())) {
                request.insert(shuffle.index(request.len() + 1), word.clone());
            }
            let chosen = choose(&request.join(" "), limit);
            prop_assert!(chosen.iter().any(|other| other.name() == tool.name()), "{} in {:?}", tool.name(), request);
            let unique: BTreeSet<_> = chosen.iter().map(|tool| tool.name()).collect();
            prop_assert_eq!(unique.len(), chosen.len());
        }

        #[test]
        fn any_request_gets_as_many_as_it_may(text in any::<String>(), limit in 1usize..12) {
            prop_assert!(choose(&text, limit).len() >= limit);
        }
    }
}
