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
            "text" => slots.text = Some(value.clone()),
            _ => slots.percent = Some(value.parse().expect("a percentage")),
        }
    }
    slots
}

/// `text -> kind slots`, or what came instead.
fn shown(understood: &Understood) -> String {
    match understood {
        Understood::Intent { intent, .. } => {
            let Slots { node, guest, storage, percent, text: rest } = &intent.slots;
            let mut text = intent.kind.clone();
            text.extend(node.iter().map(|n| format!(" node={n}")));
            text.extend(guest.iter().map(|g| format!(" guest={g}")));
            text.extend(storage.iter().map(|s| format!(" storage={s}")));
            text.extend(percent.iter().map(|p| format!(" percent={p}")));
            text.extend(rest.iter().map(|r| format!(" text={r}")));
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

#[test]
fn names_are_understood_as_people_say_them() {
    check(&[
        ("how hot is p v e two", "node.temperature node=pve2"),
        ("how hot is pve two", "node.temperature node=pve2"),
        ("how hot is the second node", "node.temperature node=pve2"),
        ("how hot is node number two", "node.temperature node=pve2"),
        ("how hot is PVE2?", "node.temperature node=pve2"),
        ("is one zero four running", "guest.status guest=104"),
        ("is one hundred and four running", "guest.status guest=104"),
        ("is one oh four running", "guest.status guest=104"),
        ("is a hundred and four running", "guest.status guest=104"),
        ("is one fourteen running", "guest.status guest=114"),
        ("is vm 104 running", "guest.status guest=104"),
        ("is container one zero six running", "guest.status guest=106"),
        ("is virtual machine number one zero four running", "guest.status guest=104"),
        ("is the d n s server up", "guest.status guest=106"),
        ("is the mail vm up", "guest.status guest=102"),
        ("is the media box up", "guest.status guest=104"),
        ("how full is the n a s", "storage.free storage=nas"),
        ("how full is the nas share", "storage.free storage=nas"),
    ]);
}

#[test]
fn names_that_were_misheard_are_found_by_likeness() {
    check(&[
        ("is next cloud running", "guest.status guest=109"),
        ("is graph anna running", "guest.status guest=108"),
        ("is the data base running", "guest.status guest=103"),
        ("is the male server running", "guest.status guest=102"),
        ("how full is the volt", "storage.free storage=vault"),
        ("how hot is node to", "node.temperature node=pve2"),
        ("is home assistent up", "guest.status guest=105"),
    ]);
}

#[test]
fn small_words_and_polite_frames_do_not_matter() {
    check(&[
        ("hot is node two", "nothing"),
        ("how hot node two", "node.temperature node=pve2"),
        ("how hot is the node two right now please", "node.temperature node=pve2"),
        ("um could you please tell me how hot node two is", "node.temperature node=pve2"),
        ("hey jarvis would you mind telling me what the time is", "time.now"),
        ("how hot [unk] node two", "node.temperature node=pve2"),
        ("[unk] how hot is node two", "node.temperature node=pve2"),
        ("how hot is [unk] node two", "node.temperature node=pve2"),
        ("node two how hot is it", "node.temperature node=pve2"),
        ("on node two how much memory is used", "node.memory node=pve2"),
        ("what's node two's temperature", "node.temperature node=pve2"),
    ]);
}

#[test]
fn words_that_decide_are_never_guessed() {
    check(&[
        ("delete vm one zero four", "nothing"),
        ("restart node two", "nothing"),
        ("stop vm one zero four", "change.shutdown guest=104"),
        ("shut down the mail server", "change.shutdown guest=102"),
        ("stop the backup", "nothing"),
        ("how [unk] is node two", "nothing"),
        ("how fluffy is node two", "nothing"),
        ("how is the weather", "nothing"),
        ("what [unk] it", "nothing"),
        ("is my wife running", "nothing"),
        ("play some music", "nothing"),
        ("", "nothing"),
        ("[unk] [unk] [unk]", "nothing"),
        ("the of a", "nothing"),
        ("node two", "nothing"),
        ("one zero four", "nothing"),
        ("you", "nothing"),
    ]);
}

#[test]
fn free_text_is_all_the_rest_as_it_was_written_and_no_more_than_a_request_holds() {
    check(&[
        ("Remember that the NAS is at 192.168.1.60!", "memory.remember text=that the NAS is at 192.168.1.60!"),
        ("hey jarvis, remember: PVE2's fan hums", "memory.remember text=PVE2's fan hums"),
        ("could you please remember the milk", "memory.remember text=the milk"),
        ("remember", "nothing"),
        ("remember please", "memory.remember text=please"),
        ("what do you know about the media server?", "memory.about text=the media server?"),
        ("forget everything you know about the pool", "memory.forget_all text=the pool"),
    ]);
    let most = format!("remember {}", "word ".repeat(words::WORDS_MAX - 1));
    let more = format!("{most} word");
    check(&[
        (&most, &format!("memory.remember text={}", "word ".repeat(words::WORDS_MAX - 1).trim())),
        (&more, "nothing"),
    ]);
}

#[test]
fn free_text_takes_nothing_from_what_other_patterns_know() {
    check(&[
        ("forget it", "control.cancel"),
        ("forget that", "control.cancel"),
        ("forget about it", "control.cancel"),
        ("forget the question", "control.cancel"),
        ("forget i asked", "control.cancel"),
        ("call it off", "control.cancel"),
        ("do you know how hot node two is", "node.temperature node=pve2"),
        ("remind me how hot node two is", "node.temperature node=pve2"),
        ("what did you say", "control.repeat"),
        ("how much memory does node two use", "node.memory node=pve2"),
    ]);
}

#[test]
fn nobody_knows_when_a_free_text_is_over() {
    let (grammar, names) = (grammar(), names());
    for (text, wanted) in [
        ("remember", Completeness::Open),
        ("remember that the", Completeness::Open),
        ("remember that the router is", Completeness::Open),
        ("remember that the router is old", Completeness::Unknown),
        ("what do you know about node two", Completeness::Unknown),
    ] {
        assert_eq!(grammar.complete(text, &names), wanted, "\"{text}\"");
    }
}

#[test]
fn an_unclear_name_is_asked_for() {
    let (grammar, names) = (grammar(), names());
    let ask = |text: &str| match grammar.understand(text, &names) {
        Understood::Ambiguous { question, choices, intent_kind } => (question, choices, intent_kind),
        other => panic!("{text}: {other:?}"),
    };
    let (question, choices, kind) = ask("how hot is pve");
    assert_eq!(choices, ["pve1", "pve2", "pve3", "pve4"]);
    assert_eq!(kind, "node.temperature");
    assert_eq!(question, "Which do you mean, pve1, pve2, pve3 or pve4?");
    let (question, ..) = ask("how hot is node nine");
    assert_eq!(question, "I know of no node 9. Do you mean pve1, pve2, pve3 or pve4?");
    let (question, ..) = ask("is vm nine nine nine running");
    assert_eq!(question, "I know of no guest 999. Which one do you mean?");
    let unseen = grammar.understand("how hot is node two", &Names::default());
    let Understood::Ambiguous { question, choices, .. } = unseen else { panic!("{unseen:?}") };
    assert!(question.starts_with("No node has answered me yet") && choices.is_empty(), "{question}");
}

#[test]
fn guests_of_the_same_name_are_told_apart() {
    let mut cluster = sample::cluster();
    cluster.guests.push(sample::guest(204, "media-server"));
    let names = Names::from_cluster(&cluster);
    let got = grammar().understand("is the media server up", &names);
    let Understood::Ambiguous { choices, .. } = got else {
        panic!("{got:?}");
    };
    assert_eq!(choices, ["media-server 104", "media-server 204"]);
}

#[test]
fn a_request_is_whole_open_or_neither() {
    let (grammar, names) = (grammar(), names());
    for (text, wanted) in [
        ("how hot is node two", Completeness::Complete),
        ("could you tell me how hot node two is", Completeness::Complete),
        ("which node is the mail server on", Completeness::Complete),
        ("how is the cluster", Completeness::Extendable),
        ("how is the cluster on node two", Completeness::Complete),
        ("how many guests are there", Completeness::Extendable),
        ("which guests are running", Completeness::Extendable),
        ("are there any problems", Completeness::Extendable),
        ("how much memory is free", Completeness::Extendable),
        ("is the mail server up", Completeness::Complete),
        ("is node two up", Completeness::Complete),
        ("what time is it", Completeness::Complete),
        ("what is running on node two", Completeness::Complete),
        ("stop", Completeness::Complete),
        ("how", Completeness::Open),
        ("how hot", Completeness::Open),
        ("how hot is", Completeness::Open),
        ("how hot is node", Completeness::Open),
        ("how hot is pve", Completeness::Open),
        ("how hot is p v", Completeness::Open),
        ("is one zero", Completeness::Open),
        ("is the mail", Completeness::Open),
        ("is home", Completeness::Open),
        ("how is the cluster on", Completeness::Open),
        ("what is running on", Completeness::Open),
        ("what is running on the", Completeness::Open),
        ("could you tell me", Completeness::Open),
        ("could you", Completeness::Open),
        ("set the volume to", Completeness::Open),
        ("how much memory does node two", Completeness::Complete),
        ("when was the last", Completeness::Open),
        ("", Completeness::Unknown),
        ("bananas are yellow today", Completeness::Unknown),
    ] {
        assert_eq!(grammar.complete(text, &names), wanted, "\"{text}\"");
    }
}

#[test]
fn generated_sentences_are_understood_and_their_words_known() {
    let (grammar, names) = (grammar(), names());
    let sentences = grammar.sentences(&names, 4_000, 7);
    assert_eq!(sentences.len(), 4_000);
    assert_eq!(sentences, grammar.sentences(&names, 4_000, 7));
    assert_ne!(sentences, grammar.sentences(&names, 4_000, 8));
    let vocabulary = grammar.vocabulary(&names);
    let mut kinds = BTreeSet::new();
    let mut wrong = Vec::new();
    for sentence in &sentences {
        for word in sentence.split(' ') {
            let bare = word.strip_suffix("'s").unwrap_or(word);
            assert!(
                vocabulary.contains(word) || vocabulary.contains(bare),
                "\"{word}\" of \"{sentence}\" is not in the vocabulary"
            );
        }
        match grammar.understand(sentence, &names) {
            Understood::Intent { intent, .. } => {
                kinds.insert(intent.kind);
            }
            other => wrong.push(format!("{sentence}: {}", shown(&other))),
        }
    }
    assert_eq!(kinds.len(), grammar.kinds().len());
    let ratio = wrong.len() as f64 / sentences.len() as f64;
    let some = wrong.get(..20.min(wrong.len())).unwrap_or_default();
    assert!(ratio < 0.01, "{ratio}:\n{}", some.join("\n"));
}

#[test]
fn mistakes_in_files_name_file_line_and_remedy() {
    let entry =
        |patterns: &str| format!("[[intent]]\nkind = \"my.thing\"\npatterns = [{patterns}]\nexamples = [\"a b\"]\n");
    for (content, line, problem, remedy) in [
        ("[[intent]\n".to_owned(), 1, "", ""),
        ("\n[[intent]]\nkindd = \"a.b\"\n".to_owned(), 3, "kindd", "`kind`"),
        (entry("\"how {nod}\""), 3, "{nod}", "`node`"),
        (entry("\"(how\""), 3, "not closed", "Add"),
        (entry("\"the {node}\""), 3, "decides", "Add a word"),
        (entry(""), 2, "lacks patterns", "at least one"),
        (entry("\"how odd\"").replace("my.thing", "Thing"), 2, "no kind", "family.name"),
        (entry("\"how odd\"").replace("a b", "a -> b=2"), 4, "no slot", "node=pve2"),
        ("[phrases]\na = \"<b>\"\nb = \"<a>\"\n".to_owned(), 2, "no phrase", "There are"),
        ("[phrases]\na = \"x\"\n\na = \"y\"\n".to_owned(), 4, "", ""),
    ] {
        let files = [("words.toml", EMBEDDED[0].1), ("mine.toml", content.as_str())];
        let error = Grammar::from_files(&files).expect_err(&content);
        assert_eq!((error.file.as_str(), error.line), ("mine.toml", line), "{error}");
        assert!(error.problem.contains(problem), "{error}");
        assert!(error.remedy.contains(remedy), "{error}");
        assert!(!error.remedy.is_empty());
    }
}

#[test]
fn an_owner_adds_a_family() {
    let mine = "[[intent]]\nkind = \"coffee.ready\"\npatterns = [\"is the coffee ready\"]\nexamples = [\"is the coffee ready\"]\n";
    let mut files = Grammar::embedded_files().to_vec();
    files.push(("coffee.toml", mine));
    let grammar = Grammar::from_files(&files).expect("the files");
    let got = grammar.understand("could you tell me if the coffee is ready", &names());
    assert_eq!(shown(&got), "coffee.ready");
}

#[test]
fn five_hundred_guests_and_ten_thousand_words_take_bounded_work() {
    let mut cluster = sample::cluster();
    let more = (1000..1500).map(|vmid| sample::guest(vmid, &format!("worker-{vmid}")));
    cluster.guests.extend(more);
    let (grammar, names) = (grammar(), Names::from_cluster(&cluster));
    let got = grammar.understand("is worker one one one one running", &names);
    assert_eq!(shown(&got), "guest.status guest=1111");
    for word in ["how ", "node two ", "one ", "[unk] ", "zxcv ", "ünïcödé "] {
        let text = word.repeat(10_000);
        let got = grammar.understand(&text, &names);
        assert!(matches!(got, Understood::Nothing { heard } if heard.len() <= 130));
        assert_eq!(grammar.complete(&text, &names), Completeness::Unknown);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        SHARED.with(|(grammar, names)| {
            grammar.understand(&text, names);
            grammar.complete(&text, names);
        });
    }

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec(0_usize..1_000, 0..60)) {
        SHARED.with(|(grammar, names)| {
            let all: Vec<String> = grammar.vocabulary(names).into_iter().collect();
            let text: Vec<&str> = words.iter().map(|i| all[i % all.len()].as_str()).collect();
            let text = text.join(" ");
            grammar.understand(&text, names);
            grammar.complete(&text, names);
        });
    }
}

thread_local! {
    static SHARED: (Grammar, Names) = (grammar(), names());
}
