use super::live::{rooms, token};
use super::*;
use crate::cluster::{Lacking, Part};

#[test]
fn a_list_ends_in_a_verdict_and_moves_no_cursor() {
    let all = [Finding::good("disk", "9 MiB free"), Finding::problem("ear", "no \u{1b}[2J model", "install it")];
    let text = listed(&all);
    assert_eq!(
        text,
        "  ok    disk  9 MiB free\n  BAD   ear   no \u{fffd}[2J model\n              -> install it\n1 problem.\n"
    );
    assert_eq!(listed(&[]), "All is well.\n");
}

#[test]
fn a_token_that_may_not_change_is_worth_a_note_and_one_that_may_not_look_is_a_problem() {
    let lacking = |privilege, part| Lacking { privilege, path: "/vms", part, consequence: "no good", partly: false };
    let found = token(&Ok(vec![lacking("VM.Audit", Part::Reads), lacking("VM.PowerMgmt", Part::Changes)]));
    let levels: Vec<_> = found.iter().map(|f| (f.level, f.what.as_str())).collect();
    assert_eq!(
        levels,
        [(Level::Problem, "the token lacks VM.Audit on /vms"), (Level::Note, "the token lacks VM.PowerMgmt on /vms"),]
    );
    assert!(found[1].remedy.contains("JarvisChanges"), "{}", found[1].remedy);
    assert_eq!(token(&Ok(Vec::new()))[0].level, Level::Good);
    assert_eq!(token(&Err("no node answers".to_owned()))[0].level, Level::Note);
}

#[test]
fn a_yes_that_nobody_may_have_said_is_told_with_its_remedy() {
    let mut config = crate::config::Config::default();
    let told = |config: &crate::config::Config| {
        let found = files(config, &crate::environment::Environment::default());
        found.into_iter().find(|f| f.part == "safety" && f.what.contains("untried"))
    };
    assert_eq!(told(&config), None);
    config.safety.untried_ear_approves = true;
    let found = told(&config).expect("it is told");
    assert!(found.what.contains("untried_ear_approves") && found.remedy.contains("[safety]"), "{found:?}");
}

#[test]
fn a_rule_for_a_room_that_nobody_has_is_told() {
    let text = "rooms = { kichen = 'reads', Hall = 'reads' }\n";
    let policy = toml::from_str::<crate::safety::SafetyConfig>(text).unwrap().policy();
    let found = rooms(&policy, &["kitchen", "hall"]).expect("it is told");
    assert_eq!(found.level, Level::Note);
    assert!(found.what.ends_with(": kichen") && found.remedy.contains("jarvisctl rooms"), "{found:?}");
    assert_eq!(rooms(&policy, &["kichen", "hall"]), None);
}
