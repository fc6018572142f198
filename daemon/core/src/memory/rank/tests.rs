use super::*;
use crate::memory::Closed;
use crate::memory::testing::{NOW, memory, reader};

const DAY_MS: i64 = 86_400_000;

/// What an index would bring: a memory holds a term where it holds any of its words or keys. Only the plural is taken off; the real
/// index stems (`daemon/src/memory/`).
fn found(question: &Question, memories: &[Memory]) -> Candidate {
    let holds = |memory: &Memory, term: &super::super::Term| {
        let plain = |word: &str| word.strip_suffix('s').unwrap_or(word).to_owned();
        let text: Vec<String> = memory.fact.text.to_lowercase().split_whitespace().map(plain).collect();
        let (text, keys) = (format!(" {} ", text.join(" ")), format!(" {} ", memory.fact.keys()));
        term.text.iter().any(|w| text.contains(&format!(" {} ", plain(w))))
            || term.keys.iter().any(|k| keys.contains(&format!(" {k} ")))
    };
    let terms = question.terms.iter().map(|term| TermHits {
        hits: memories.iter().filter(|m| holds(m, term)).map(|m| Hit { id: m.id, bm25: -1.0 }).collect(),
    });
    Candidate { total: memories.len(), terms: terms.collect() }
}

fn ask(text: &str, memories: &[Memory]) -> Vec<Ranked> {
    let question = reader(NOW).question(text);
    let found = found(&question, memories);
    let chosen = preselect(&question, &found);
    let memories = memories.iter().filter(|m| chosen.contains(&m.id)).cloned().collect();
    rank(&question, &found, memories, NOW)
}

fn ids(text: &str, memories: &[Memory]) -> Vec<u64> {
    ask(text, memories).iter().map(|r| r.memory.id.0).collect()
}

fn some() -> Vec<Memory> {
    [
        "the router is at 192.168.1.1",
        "the switch is at 192.168.1.2",
        "the ups is in the garage",
        "the media server transcodes with quick sync",
        "the wiki must not be moved to pve2",
        "my bicycle is in the hall",
        "the guest wifi is called acorn",
        "the heat pump is in the garage",
    ]
    .into_iter()
    .zip(1..)
    .map(|(text, id)| memory(id, text, NOW.plus(-DAY_MS)))
    .collect()
}

#[test]
fn what_holds_more_of_the_question_comes_first() {
    assert_eq!(ids("what is the address of the router", &some())[0], 1);
    assert_eq!(ids("where is the ups", &some())[0], 3);
    assert_eq!(ids("what is in the garage", &some()), [8, 3]);
}

#[test]
fn a_thing_is_found_under_any_of_its_names_and_its_subject_before_its_mention() {
    assert_eq!(ids("how does vm 104 transcode", &some()), [4]);
    let mut memories = some();
    memories.push(memory(9, "node two hums", NOW.plus(-30 * DAY_MS)));
    assert_eq!(ids("what do you know about pve2", &memories), [9, 5]);
}

#[test]
fn what_was_never_told_is_not_answered_by_what_sounds_like_it() {
    for question in [
        "where is the lawn mower",
        "what is the address of the scanner",
        "what is my cat called",
        "what do you know about the swimming pool",
        "where",
        "what do you know",
        "",
    ] {
        assert_eq!(ids(question, &some()), [0; 0], "{question}");
    }
}

#[test]
fn yes_or_no_is_not_answered_by_one_word_of_it() {
    for question in ["is the router in the hall", "will the switch go into the garage", "must the bicycle be quick"] {
        assert_eq!(ids(question, &some()), [0; 0], "{question}");
    }
    assert_eq!(ids("is the heat pump in the garage", &some()), [8]);
    assert_eq!(
        ids("can you tell me why the router is in the hall", &some()),
        [6, 1],
        "that asks for more than yes or no"
    );
    let two = [memory(1, "node two hums", NOW), memory(2, "the boiler rattles", NOW)];
    assert_eq!(ids("must pve2 rattle", &two), [1], "a thing of the cluster is enough");
}

#[test]
fn what_is_spoken_of_weighs_more_than_the_sort_of_thing_that_is_asked_for() {
    let ports = ["grafana listens on port 3000", "wireguard listens on port 51820", "the proxy listens on port 443"];
    let mut memories: Vec<Memory> = ports.iter().zip(1..).map(|(text, id)| memory(id, text, NOW)).collect();
    assert_eq!(ids("which port does wireguard listen on", &memories)[0], 2);
    assert_eq!(ids("which port does the jellyfish listen on", &memories), [0; 0]);
    memories.push(memory(4, "the electrician is reached at 0555 0142", NOW));
    memories.push(memory(5, "the fuse is number fourteen", NOW));
    assert_eq!(ids("which number does the electrician have", &memories), [4]);
}

#[test]
fn recency_use_and_importance_order_what_is_relevant_and_make_nothing_relevant() {
    let twins = |change: fn(&mut Memory)| {
        let mut memories: Vec<Memory> =
            (1..=2).map(|id| memory(id, "shelf keys hang in the hall", NOW.plus(-60 * DAY_MS))).collect();
        change(&mut memories[0]);
        memories
    };
    let question = "where do the shelf keys hang";
    assert_eq!(ids(question, &twins(|_| {})), [2, 1], "the newer number of two that are equal");
    assert_eq!(ids(question, &twins(|m| m.told = NOW)), [1, 2]);
    assert_eq!(ids(question, &twins(|m| m.uses = 5)), [1, 2]);
    assert_eq!(ids(question, &twins(|m| m.fact.importance = IMPORTANCE_MAX)), [1, 2]);
    let loud = twins(|m| {
        (m.told, m.uses, m.fact.importance) = (NOW, u32::MAX, u8::MAX);
    });
    assert_eq!(ids("where do the garden keys lie", &loud), [0; 0]);
}

#[test]
fn what_is_not_current_is_left_out_whatever_the_index_says() {
    let mut memories: Vec<Memory> =
        (1..=4).map(|id| memory(id, "the ups is in the garage", NOW.plus(-DAY_MS))).collect();
    memories[0].validity.closed = Some(Closed { at: NOW, by: Some(MemoryId(4)) });
    memories[1].validity.expires = Some(NOW);
    memories[2].validity.from = NOW.plus(1);
    assert_eq!(ids("where is the ups", &memories), [4]);
}

#[test]
fn what_comes_back_is_bounded_and_odd_figures_do_no_harm() {
    let memories: Vec<Memory> = (1..=200).map(|id| memory(id, "the ups is in the garage", NOW)).collect();
    assert_eq!(ask("where is the ups", &memories).len(), RECALLED_MAX);
    let question = ask("where is the ups", &memories);
    assert!(question.iter().all(|r| r.score.is_finite() && (0.0..=1.0).contains(&r.relevance)));
    let asked = reader(NOW).question("the ups in the garage");
    for bm25 in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0] {
        let hits = vec![Hit { id: MemoryId(1), bm25 }];
        let found = Candidate { total: 0, terms: vec![TermHits { hits: hits.clone() }, TermHits { hits }] };
        let ranked = rank(&asked, &found, vec![memory(1, "the ups is in the garage", NOW)], NOW);
        assert!(ranked.iter().all(|r| r.score.is_finite()), "{bm25}");
    }
}
