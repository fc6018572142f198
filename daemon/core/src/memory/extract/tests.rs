use super::*;
use crate::ids::Vmid;
use crate::memory::testing::{NOW, reader};
use crate::memory::{EPISODIC_MS, IMPORTANCE_MAX, WORKING_MS};

fn topic(name: &str) -> Subject {
    Subject::Topic(name.to_owned())
}

#[test]
fn what_is_to_be_remembered_is_taken_at_its_word() {
    for (tail, text, subject, attribute) in [
        ("that the router is at 192.168.1.1", "the router is at 192.168.1.1", topic("router"), Some("address")),
        ("The router is at 192.168.1.1, please.", "The router is at 192.168.1.1", topic("router"), Some("address")),
        ("that pve2 must not be rebooted", "pve2 must not be rebooted", Subject::Node("pve2".into()), None),
        ("to dust the rack fan", "to dust the rack fan", topic("dust rack fan"), None),
        ("the milk", "the milk", topic("milk"), None),
        ("to look at vm 104", "to look at vm 104", Subject::Guest(Vmid(104)), None),
        ("call vm 104 the media box", "vm 104 is called the media box", Subject::Guest(Vmid(104)), Some("name")),
        ("that my budget is 600 euro", "my budget is 600 euro", topic("budget"), Some("is")),
    ] {
        let draft = reader(NOW).told(tail).unwrap_or_else(|| panic!("{tail}"));
        assert_eq!((draft.fact.text.as_str(), &draft.fact.subject), (text, &subject), "{tail}");
        assert_eq!(draft.fact.attribute.as_deref(), attribute, "{tail}");
        assert_eq!((draft.fact.source, draft.fact.tainted), (Source::Said, false));
        assert_eq!(draft.fact.attribute.is_some(), draft.fact.value.is_some());
    }
    for nothing in ["", " ", "that", "it", "that please", "this", "...", "for the next two hours that"] {
        assert_eq!(reader(NOW).told(nothing), None, "{nothing:?}");
    }
}

#[test]
fn a_lifetime_is_what_was_said_or_what_the_words_tell() {
    for (tail, lifetime, expires_ms) in [
        ("that the router is at 192.168.1.1", Lifetime::Lasting, None),
        ("that i replaced the fan of pve3 today", Lifetime::Episodic, Some(EPISODIC_MS)),
        ("for now that the garage door is stuck", Lifetime::Working, Some(WORKING_MS)),
        ("for the next two hours that the lift is out of order", Lifetime::Working, Some(7_200_000)),
        ("for three weeks that the ups is away", Lifetime::Episodic, Some(21 * 86_400_000)),
    ] {
        let draft = reader(NOW).told(tail).unwrap_or_else(|| panic!("{tail}"));
        assert_eq!(draft.fact.lifetime, lifetime, "{tail}");
        assert_eq!(draft.expires.map(|end| end.since(NOW)), expires_ms, "{tail}");
    }
}

#[test]
fn a_statement_is_taken_up_only_where_its_form_leaves_no_doubt() {
    for text in [
        "the router is at 192.168.1.1",
        "my provider is alder telecom",
        "call vm 104 the media box",
        "i prefer short answers",
        "grafana listens on port 3000",
        "the ups is in the cellar now",
    ] {
        let draft = reader(NOW).stated(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(draft.fact.source, Source::ByRule);
        assert!(draft.fact.single);
    }
    for text in [
        "the nas is noisy",
        "i replaced the fan of pve3 today",
        "the router was at 192.168.1.1 yesterday",
        "is the router at 192.168.1.1",
        "the router is at 192.168.1.1?",
        "how hot is node two",
        "stop",
        "the milk",
        "colourless green ideas",
        "my",
        "",
    ] {
        assert_eq!(reader(NOW).stated(text), None, "{text}");
    }
}

#[test]
fn what_a_fact_names_beside_its_subject_is_kept_and_weight_is_heard() {
    let draft = reader(NOW).told("that home assistant must never leave pve1").expect("a fact");
    assert_eq!(draft.fact.subject, Subject::Guest(Vmid(105)));
    assert_eq!(draft.fact.mentions, [Subject::Node("pve1".into())]);
    assert!(draft.fact.importance > IMPORTANCE_USUAL && draft.fact.importance <= IMPORTANCE_MAX);
    assert_eq!(draft.fact.label, "home-assistant");
}

#[test]
fn what_was_said_is_bounded() {
    let draft = reader(NOW).told(&"the shelf is full of cables ".repeat(500)).expect("a fact");
    assert!(draft.fact.text.chars().count() <= TEXT_CHARS_MAX);
    let draft = reader(NOW).told(&format!("my shelf is {}", "x".repeat(5000))).expect("a fact");
    assert!(draft.fact.value.is_some_and(|v| v.chars().count() <= VALUE_CHARS_MAX));
    assert_eq!(reader(NOW).stated(&format!("my shelf is {}", "x".repeat(5000))), None);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]

    #[test]
    fn no_words_make_it_panic(text in "\\PC{0,400}", words in proptest::collection::vec("(the|my|is|at|of|call|i|prefer|port|vm|104|for|until|two|hours|now|moved|to|'s|that)", 0..20)) {
        for text in [text, words.join(" ")] {
            for draft in reader(NOW).told(&text).into_iter().chain(reader(NOW).stated(&text)) {
                assert!(!draft.fact.text.is_empty() && draft.fact.text.chars().count() <= TEXT_CHARS_MAX);
                assert!(!draft.fact.label.is_empty());
                assert!(draft.expires.is_none_or(|end| end > NOW));
            }
            reader(NOW).question(&text);
        }
    }
}
