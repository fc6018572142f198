//! The embedded grammar against its own examples, and against what must not be understood.

use super::*;
use crate::sample;

fn grammar() -> Grammar {
    Grammar::embedded().unwrap_or_else(|error| panic!("{error}"))
}

fn names() -> Names {
    Names::from_cluster(&sample::cluster())
}

fn slots(pairs: &[(String, String)]) -> Slots {
    let mut slots = Slots::default();
    for (name, value) in pairs {
        match name.as_str() {
            "node" => slots.node = Some(NodeName::from(value.as_str())),
            "guest" => slots.guest = Some(Vmid(value.parse().expect("a VMID"))),
            "storage" => slots.storage = Some(StorageName::from(value.as_str())),
            _ => slots.percent = Some(value.parse().expect("a percentage")),
        }
    }
    slots
}

/// `text -> kind slots`, or what came instead.
fn shown(understood: &Understood) -> String {
    match understood {
        Understood::Intent { intent, .. } => {
            let Slots { node, guest, storage, percent } = &intent.slots;
            let mut text = intent.kind.clone();
            text.extend(node.iter().map(|n| format!(" node={n}")));
            text.extend(guest.iter().map(|g| format!(" guest={g}")));
            text.extend(storage.iter().map(|s| format!(" storage={s}")));
            text.extend(percent.iter().map(|p| format!(" percent={p}")));
            text
        }
        Understood::Ambiguous { intent_kind, choices, .. } => format!("{intent_kind}? {}", choices.join(",")),
        Understood::Nothing { .. } => "nothing".to_owned(),
    }
}

fn check(cases: &[(&str, &str)]) {
    let (grammar, names) = (grammar(), names());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(text, wanted)| {
            let got = shown(&grammar.understand(text, &names));
            (got != *wanted).then(|| format!("\"{text}\": wanted {wanted}, got {got}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_example_is_understood_as_its_entry_says() {
    let (grammar, names) = (grammar(), names());
    let mut wrong = Vec::new();
    for example in grammar.examples() {
        let got = grammar.understand(&example.text, &names);
        let wanted = Intent { kind: example.kind.clone(), slots: slots(&example.slots) };
        if !matches!(&got, Understood::Intent { intent, .. } if *intent == wanted) {
            wrong.push(format!("{}: \"{}\" wants {}, got {}", example.place, example.text, example.kind, shown(&got)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_kinds_are_those_of_the_table() {
    let table = include_str!("../../../../tests/frozen/README.md");
    let mut wanted = BTreeSet::new();
    for line in table.lines() {
        let cell = line.trim_start_matches('|').split('|').next().unwrap_or("").trim();
        if cell.contains('.') && !cell.contains(' ') {
            wanted.insert(cell);
        }
    }
    assert!(wanted.len() >= 40);
    assert_eq!(grammar().kinds(), wanted);
}
