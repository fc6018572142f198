use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn rules(prefer: Preference) -> Rules {
    Rules::new(&OwnRules { prefer, ..OwnRules::default() }).unwrap()
}

fn qwen() -> Candidate {
    Candidate { name: "qwen".to_owned(), place: Place::Local, tools: true, barred: None }
}

fn claude() -> Candidate {
    Candidate { name: "claude".to_owned(), place: Place::Cloud, tools: true, barred: None }
}

fn features(text: &str) -> Features {
    Features::of(text, &rules(Preference::Local), &BTreeSet::from(["next cloud".to_owned(), "wiki".to_owned()]))
}

fn plan(text: &str, prefer: Preference, candidates: &[Candidate]) -> Plan {
    decide(&features(text), &rules(prefer), candidates)
}

#[test]
fn features_are_told_from_the_words() {
    let of = features("Restart the wiki, and then tell me my PIN.");
    assert_eq!((of.words, of.english, of.code, of.changes, of.steps), (9, true, false, 1, 1));
    assert_eq!((of.private.as_deref(), of.live, of.hard), (Some("pin"), true, None));
    assert!(features("is Next-Cloud well").live, "a name is enough");
    assert!(features("fix `a[0] = {b}`").code && !features("is 10.0.0.1 up?").code);
    assert!(!features("warum ist das so langsam").english && !features("pourquoi est-il si lent").english);
    assert!(features("is the café's machine up").english);
    assert_eq!(features(&"é".repeat(REQUEST_BYTES_MAX)).words, 1, "a long text is looked at in part");
}

#[test]
fn plans_by_rule_and_preference() {
    let both = [claude(), qwen()];
    let asks = |text: &str, prefer| plan(text, prefer, &both).asks;
    let (plain, hard, private) = ("what is swap", "debug this script", "debug the script with my password");
    for (text, prefer, wanted) in [
        (plain, Preference::Local, &["qwen", "claude"][..]),
        (plain, Preference::Best, &["claude", "qwen"]),
        (plain, Preference::LocalOnly, &["qwen"]),
        (hard, Preference::Local, &["claude", "qwen"]),
        (hard, Preference::LocalOnly, &["qwen"]),
        (private, Preference::Local, &["qwen"]),
        (private, Preference::Best, &["qwen"]),
    ] {
        assert_eq!(asks(text, prefer), wanted, "{text} {prefer:?}");
    }
}

#[test]
fn who_cannot_be_asked_is_passed_over_with_a_word() {
    let barred = |candidate: Candidate, why| Candidate { barred: Some(why), ..candidate };
    let hard = "investigate this";
    let broke = plan(hard, Preference::Local, &[barred(claude(), Why::Budget), qwen()]);
    assert_eq!(broke.asks, ["qwen"]);
    assert!(broke.reason.is_out_of_money());
    assert_eq!(
        broke.reason.text(),
        "asked qwen, because it asks for more thought than a small model has; claude is passed over, its allowance is spent"
    );
    let plain = plan("what is swap", Preference::Local, &[barred(claude(), Why::Budget), qwen()]);
    assert!(!plain.reason.is_out_of_money(), "nothing was missed");
    assert_eq!(plain.reason.text(), "asked qwen, because it is a plain question");
    let nobody = plan("my password", Preference::Local, &[claude()]);
    assert_eq!(nobody.asks, Vec::<String>::new());
    assert_eq!(
        nobody.reason.text(),
        "asked nobody, though that stays in the house; claude is passed over, it is private"
    );
    // Whose circuit is open is asked where there is nobody else, and only there.
    let broken = [barred(qwen(), Why::Broken), barred(claude(), Why::Offline)];
    let last = plan("what is swap", Preference::Local, &broken);
    assert_eq!((last.asks, last.reason.passed.len()), (vec!["qwen".to_owned()], 1));
    assert_eq!(plan("what is swap", Preference::Local, &[barred(qwen(), Why::Broken), claude()]).asks, ["claude"]);
    let mute = Candidate { tools: false, ..qwen() };
    assert_eq!(plan("is the wiki well", Preference::Local, &[mute.clone(), claude()]).asks, ["claude"]);
    assert_eq!(plan("tell me a joke", Preference::Local, &[mute, claude()]).asks, ["qwen", "claude"]);
}

#[test]
fn the_request_is_handed_over_to_the_other_place() {
    let other = Candidate { name: "haiku".to_owned(), ..claude() };
    let small = Candidate { name: "small".to_owned(), ..qwen() };
    let all = [claude(), other.clone(), small.clone()];
    assert_eq!(plan("debug it", Preference::Local, &all).asks, ["claude", "small"]);
    assert_eq!(plan("debug it", Preference::Local, &[claude(), other]).asks, ["claude", "haiku"]);
    let mut reason = plan("tell me a joke", Preference::Local, &[qwen(), claude()]).reason;
    reason.handed_over("qwen", ("claude".to_owned(), Place::Cloud));
    assert_eq!(reason.text(), "asked claude, because it is a plain question; qwen is passed over, it failed");
    let kept = serde_json::to_string(&reason).unwrap();
    assert_eq!(serde_json::from_str::<Reason>(&kept).unwrap(), reason);
}

#[test]
fn an_owners_rules_come_first() {
    let own: OwnRules = toml::from_str(
        "private = ['grandmother*']\nprefer = 'best'\n[[rules]]\nname = 'wiki'\nlive = true\nwho = 'house'\nbecause = 'I say so'",
    )
    .unwrap();
    let rules = Rules::new(&own).unwrap();
    let decide = |text: &str| decide(&Features::of(text, &rules, &BTreeSet::new()), &rules, &[claude(), qwen()]);
    assert_eq!(
        (decide("debug the node").asks, decide("debug it").asks),
        (vec!["qwen".into()], vec!["claude".into(), "qwen".into()])
    );
    assert_eq!(decide("my grandmother's cake").asks, ["qwen"]);
    assert_eq!(decide("debug the node").reason.because, "I say so");
    assert!(toml::from_str::<OwnRules>("[[rules]]\nname = 'x'\nwho = 'house'\nbecause = 'y'\nprivte = true").is_err());
}

#[test]
fn a_table_with_a_mistake_is_refused() {
    let rule = |text: &str| -> Rule { toml::from_str(text).unwrap() };
    let fine = "name = 'x'\nwho = 'local'\nbecause = 'y'";
    let many = OwnRules { rules: vec![rule(fine); RULES_MAX], ..OwnRules::default() };
    assert_eq!(Rules::new(&many), Err(RulesError::TooMany { what: "rules", most: RULES_MAX }));
    let nameless = OwnRules { rules: vec![rule(fine), rule(&fine.replace('x', " "))], ..OwnRules::default() };
    assert_eq!(Rules::new(&nameless), Err(RulesError::Nameless(2)));
    let words = OwnRules { private: vec!["word".to_owned(); PHRASES_MAX], ..OwnRules::default() };
    assert!(matches!(Rules::new(&words), Err(RulesError::TooMany { .. })));
    let armed = OwnRules {
        rules: vec![rule(&format!("{fine}\ntools = ['page_note', 'format_disks']"))],
        ..OwnRules::default()
    };
    let unknown = RulesError::NoTool { rule: "x".to_owned(), tool: "format_disks".to_owned() };
    assert_eq!(Rules::new(&armed), Err(unknown));
    let table = include_str!("../../route.toml");
    let open = table.replace("name = \"plain\"\n", "name = \"plain\"\nlive = false\n");
    assert_eq!(Rules::parse(&open, &OwnRules::default()), Err(RulesError::NoEnd));
    assert!(matches!(Rules::parse("rule = 7", &OwnRules::default()), Err(RulesError::Form(_))));
}

#[test]
fn what_is_about_a_program_alone_takes_no_tools_to_look_with() {
    let all = [claude(), qwen()];
    for text in [
        "write me a perl script that renames my photos",
        "could you draft an ansible role, I mean a playbook, that sets the time zone",
        "what does `for x in {1..9}; do echo $x; done` mean",
    ] {
        let plan = plan(text, Preference::Local, &all);
        assert_eq!(
            (plan.asks[0].as_str(), plan.tools.as_deref()),
            ("claude", Some(&["page_note".to_owned()][..])),
            "{text}"
        );
    }
    for text in [
        "is the backup script running",
        "write a script that restarts the wiki",
        "restart it, then write a script for that",
        "analyse the failed tasks and write a script that repeats them",
        "write down which nodes are slow",
        "is the node's `{\"state\": [1]; <x>}` right",
        "debug the slow backups",
    ] {
        assert_eq!(plan(text, Preference::Local, &all).tools, None, "{text}");
    }
    let rules = rules(Preference::Local);
    let (program, hard) = ("write a perl script", "think through the nodes' load");
    let takes = |text: &str| Forecast::of(&features(text), &rules, 1_000, 20);
    assert!(takes(program).rounds < takes(hard).rounds, "nothing is looked up");
    assert_eq!(takes(program).usage.output, takes(hard).usage.output);
}

#[test]
fn a_harder_request_takes_more() {
    let rules = rules(Preference::Local);
    let cost = |text: &str| {
        let usage = Forecast::of(&features(text), &rules, 1_000, 20).usage;
        (usage.input, usage.output)
    };
    let (plain, live, hard) = (cost("tell me a joke"), cost("is the wiki well"), cost("analyse the wiki's logs"));
    assert!(plain < live && live < hard, "{plain:?} {live:?} {hard:?}");
    assert_eq!(plain.0, 1_020);
    assert_eq!(live.0, 2 * 1_020 + 600, "the second round sends the first again, and the result");
}

fn why() -> impl Strategy<Value = Option<Why>> {
    prop::option::of(prop_oneof![Just(Why::Broken), Just(Why::Offline), Just(Why::Budget), Just(Why::NoPrice)])
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (any::<bool>(), any::<bool>(), why()).prop_map(|(cloud, tools, barred)| Candidate {
        name: String::new(),
        place: if cloud { Place::Cloud } else { Place::Local },
        tools,
        barred,
    });
    prop::collection::vec(one, 0..6).prop_map(|all| {
        all.into_iter().enumerate().map(|(n, one)| Candidate { name: format!("p{n}"), ..one }).collect()
    })
}

fn prefer() -> impl Strategy<Value = Preference> {
    prop_oneof![Just(Preference::Local), Just(Preference::Best), Just(Preference::LocalOnly)]
}

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("password"),
        Just("wiki"),
        Just("debug"),
        Just("restart"),
        Just("then"),
        Just("the"),
        Just("warum"),
        Just("{=;|"),
        Just("joke"),
    ];
    prop::collection::vec(word, 0..20).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn a_plan_keeps_every_promise(text in text(), prefer in prefer(), candidates in candidates()) {
        let of = features(&text);
        let made = plan(&text, prefer, &candidates);
        prop_assert!(made.asks.len() <= 2);
        prop_assert_eq!(made.asks.first(), made.reason.asked.as_ref().map(|asked| &asked.0));
        let find = |name: &String| candidates.iter().find(|c| c.name == *name).unwrap();
        for name in &made.asks {
            let asked = find(name);
            let better = candidates.iter().any(|c| {
                let inside = c.place == Place::Local || (of.private.is_none() && prefer != Preference::LocalOnly);
                c.barred.is_none() && inside && (c.tools || !of.needs_tools())
            });
            prop_assert!(asked.barred.is_none() || (asked.barred == Some(Why::Broken) && !better));
            prop_assert!(asked.tools || !of.needs_tools());
            prop_assert!(asked.place == Place::Local || (of.private.is_none() && prefer != Preference::LocalOnly));
        }
        prop_assert!(made.asks.len() < 2 || made.asks[0] != made.asks[1]);
        // Whoever may be asked, is.
        let able = candidates.iter().any(|c| c.barred.is_none() && c.place == Place::Local && (c.tools || !of.needs_tools()));
        prop_assert!(!able || !made.asks.is_empty());
        for passed in &made.reason.passed {
            prop_assert!(!made.asks.contains(&passed.provider));
        }
        prop_assert!(!made.reason.text().is_empty());
        prop_assert_eq!(plan(&text, prefer, &candidates), made);
    }

    #[test]
    fn a_private_word_anywhere_keeps_it_in_the_house(before in "[a-z{}=; ]{0,60}", after in "[a-z{}=; ]{0,60}", prefer in prefer()) {
        let made = plan(&format!("{before}, PASSWORD. {after}"), prefer, &[claude(), qwen()]);
        prop_assert_eq!(made.asks, ["qwen"]);
    }

    #[test]
    fn any_text_is_judged(text in any::<String>()) {
        prop_assert!(!plan(&text, Preference::Local, &[qwen()]).asks.is_empty());
    }
}
