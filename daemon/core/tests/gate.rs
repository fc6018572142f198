//! The reviewed matrix and the published table are what the gate says today.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::Path;

use jarvis_core::gate::{Case, Decision, Gate, Leave, Origin, cases, matrix, situations, table};
use jarvis_core::tool::Tier;
use jarvis_core::tools::{Target, parse};

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_gate_judges_as_it_was_reviewed() {
    let (reviewed, now) = (file("tests/tiers.tsv"), matrix());
    let differs: Vec<String> = reviewed
        .lines()
        .zip(now.lines())
        .filter(|(a, b)| a != b)
        .map(|(a, b)| format!("reviewed: {a}\n     now: {b}"))
        .collect();
    assert!(
        differs.is_empty() && reviewed.lines().count() == now.lines().count(),
        "the tiers changed ({} lines, {} reviewed). `cargo run -p jarvis-core --example tiers matrix` writes \
         daemon/core/tests/tiers.tsv; review the difference.\n{}",
        now.lines().count(),
        reviewed.lines().count(),
        differs.join("\n")
    );
    assert!(now.lines().count() >= 400, "{} cases", now.lines().count());
}

#[test]
fn the_published_table_is_the_gates() {
    let doc = file("../../docs/safety.md");
    assert!(
        doc.contains(&table()),
        "docs/safety.md does not hold the table; `cargo run -p jarvis-core --example tiers table` prints it"
    );
}

#[test]
fn what_must_hold_holds_in_every_case() {
    for case in cases() {
        let Case { tool, tier, outcome, situation, args } = &case;
        let own = args.contains(r#""vmid":100"#);
        let read = tool.starts_with("read_") || *tool == "memory_about";
        if read {
            assert_eq!((*tier, outcome.as_str()), (Tier::Green, "runs"), "{case:?}");
        } else {
            // The kill switch stops everything that changes something, whoever asks.
            assert!(*situation != "kill switch set" || outcome != "runs", "{case:?}");
        }
        if own && !read && !["own place unknown", "elsewhere"].contains(situation) {
            assert_eq!(*tier, Tier::Black, "Jarvis's own guest: {case:?}");
        }
        let interrupts = ["guest_shutdown", "guest_reboot", "guest_stop", "snapshot_rollback"].contains(tool);
        if interrupts && *situation == "own place unknown" {
            assert_eq!(*tier, Tier::Black, "it may be Jarvis's own guest: {case:?}");
        }
        if *tier == Tier::Black {
            assert!(outcome.starts_with("refused"), "{case:?}");
        }
        if *tier == Tier::Red {
            assert!(outcome == "asks with a challenge" || outcome.starts_with("refused"), "{case:?}");
        }
        if *tier == Tier::Yellow {
            let leave = ["standing leave", "leave in a demonstration"].contains(situation);
            assert!(outcome != "runs" || leave, "YELLOW ran unasked: {case:?}");
        }
        // What may have been misheard changes nothing in the cluster before somebody approved it on a second channel.
        let untried = ["untried ear", "leave for an untried ear"].contains(situation);
        let remembers = ["memory_remember", "page_note"].contains(tool);
        assert!(!untried || read || remembers || !["runs", "asks by voice"].contains(&outcome.as_str()), "{case:?}");
        let destroys = ["guest_stop", "snapshot_delete", "snapshot_rollback"].contains(tool);
        assert!(!destroys || *tier >= Tier::Red, "{case:?}");
    }
}

#[test]
fn standing_leave_is_for_the_owners_own_words_and_for_nobody_elses() {
    let others =
        [Origin::Model { tainted: false }, Origin::Model { tainted: true }, Origin::Outside { client: "other".into() }];
    let mut on_leave = 0;
    for Case { tool, args, situation, .. } in cases() {
        let call = || parse(tool, &args).unwrap();
        let Target::Guest(vmid) = call().target() else { continue };
        let mut owned = situations::named(situation, vmid).unwrap();
        // All the leave that there can be.
        owned.policy.leave =
            vec![Leave { tool: tool.to_owned(), vmids: vec![vmid], rooms: Vec::new(), per_hour: u32::MAX }];
        let runs =
            |origin: &Origin| match Gate::new().decide(call(), origin, &owned.asker, &owned.situation(), owned.power) {
                Decision::Run(cleared) => Some(cleared.tier()),
                Decision::Ask(_) | Decision::Refuse(_) => None,
            };
        on_leave += usize::from(runs(&Origin::Owner) == Some(Tier::Yellow));
        for origin in &others {
            assert!(runs(origin).is_none_or(|tier| tier == Tier::Green), "{tool} {args}, {situation}: {origin:?}");
        }
    }
    assert!(on_leave >= 20, "the owner's own words run on it in {on_leave} cases");
}
