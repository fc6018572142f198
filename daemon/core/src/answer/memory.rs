//! What is said of memories: that something was noted, what was told and when, that it contradicts, that it is forgotten.

use crate::answer::ask::both;
use crate::answer::measure::{Local, count};
use crate::answer::strings::say;
use crate::answer::view::View;
use crate::answer::{Asker, Reply};
use crate::ids::UnixSeconds;
use crate::memory::{Memory, Ranked, Remembered, Source, UnixMillis};

/// Most memories that are said aloud; the page has all.
const SAID_MAX: usize = 2;
/// Longest text that is said, in characters; the page has the whole.
const TEXT_SAID_MAX: usize = 140;
/// Most former values that are said.
const FORMER_SAID_MAX: usize = 2;
/// Words that people say of themselves, and what they are to them.
const TURNED: [(&str, &str); 14] = [
    ("i", "you"),
    ("i'm", "you are"),
    ("i've", "you have"),
    ("i'd", "you would"),
    ("i'll", "you will"),
    ("me", "you"),
    ("my", "your"),
    ("mine", "yours"),
    ("myself", "yourself"),
    ("we", "you"),
    ("us", "you"),
    ("our", "your"),
    ("ours", "yours"),
    ("am", "are"),
];

/// A text as it is told back: "my router" is "your router" to its owner.
fn told_back(text: &str) -> String {
    let turned = |word: &str| {
        let bare = word.trim_end_matches([',', ';', ':']);
        let to = TURNED.iter().find(|(from, _)| bare.eq_ignore_ascii_case(from));
        to.map_or_else(|| word.to_owned(), |(_, to)| format!("{to}{}", &word[bare.len()..]))
    };
    text.split_whitespace().map(turned).collect::<Vec<_>>().join(" ")
}

/// The same, as far as an ear follows.
fn in_short(text: &str) -> String {
    let whole = told_back(text);
    if whole.chars().count() <= TEXT_SAID_MAX {
        return whole;
    }
    let mut short = String::new();
    for word in whole.split(' ') {
        if short.chars().count() + word.chars().count() > TEXT_SAID_MAX {
            break;
        }
        short.push_str(word);
        short.push(' ');
    }
    if short.is_empty() {
        short.extend(whole.chars().take(TEXT_SAID_MAX));
        short.push(' ');
    }
    short + "and so on"
}

fn local(at: UnixMillis, asker: &Asker<'_>) -> Local {
    Local::new(UnixSeconds(at.0.div_euclid(1000)), asker.local_offset_s)
}

fn now(asker: &Asker<'_>) -> Local {
    Local::new(asker.now, asker.local_offset_s)
}

/// "last week".
fn when(memory: &Memory, asker: &Asker<'_>) -> String {
    local(memory.told, asker).past(now(asker))
}

/// The answer of a house in which nothing is remembered; the shell answers from what is.
pub(super) fn answer(view: &View<'_>, what: &str) -> Option<Reply> {
    let asked = view.slots.text.as_deref().unwrap_or("that");
    match what {
        "remember" => Some(nothing_to_remember(view.asker)),
        "about" => Some(recalled(asked, &[], &[], view.asker)),
        "forget" | "forget_all" => Some(nothing_to_forget(asked, view.asker)),
        _ => None,
    }
}

fn spoken(speech: String) -> Reply {
    Reply { speech, ..Reply::default() }
}

/// What is said to "remember ..." once it is kept.
pub fn remembered(what: &Remembered, asker: &Asker<'_>) -> Reply {
    let seed = asker.seed;
    match what {
        Remembered::Known(memory) => spoken(say("memory.known", seed, &[("when", &when(memory, asker))])),
        Remembered::Kept { memory, closed, beside } => {
            let text = in_short(&memory.fact.text);
            // What was only read somewhere was nobody's word.
            let said = |m: &&Memory| !m.fact.tainted && matches!(m.fact.source, Source::Said | Source::ByRule);
            let former =
                closed.iter().filter(said).find(|m| m.fact.value.is_some() && m.fact.value != memory.fact.value);
            let mut speech = match (former, memory.validity.expires) {
                (Some(former), _) => {
                    let (old, at) = (value(former), when(former, asker));
                    say("memory.changed", seed, &[("text", &text), ("old", &old), ("when", &at)])
                }
                (None, Some(end)) => {
                    let until = local(end, asker).beside(now(asker));
                    say("memory.noted_until", seed, &[("text", &text), ("until", &until)])
                }
                (None, None) => say("memory.noted", seed, &[("text", &text)]),
            };
            if let Some(other) = beside.first() {
                let values = [("old", value(other)), ("when", when(other, asker))];
                let values: Vec<(&str, &str)> = values.iter().map(|(k, v)| (*k, v.as_str())).collect();
                speech.push(' ');
                speech.push_str(&say("memory.beside", seed, &values));
            }
            Reply { key: memory.fact.value.clone(), ..spoken(speech) }
        }
    }
}

/// What is said where nothing was kept because it is a secret.
pub fn secret(asker: &Asker<'_>) -> Reply {
    spoken(say("memory.secret", asker.seed, &[]))
}

/// What is said to "remember" with nothing after it.
pub fn nothing_to_remember(asker: &Asker<'_>) -> Reply {
    spoken(say("memory.empty", asker.seed, &[]))
}

/// What is said where no more can be kept.
pub fn full(asker: &Asker<'_>) -> Reply {
    spoken(say("memory.full", asker.seed, &[]))
}

/// What is said to "what do you know about ...": the best of what was told, what it was before, and where it contradicts itself.
/// `asked` are the words after "about"; `former` are former values of the first memory, the last one first.
pub fn recalled(asked: &str, found: &[Ranked], former: &[Memory], asker: &Asker<'_>) -> Reply {
    let seed = asker.seed;
    let Some(first) = found.first() else {
        let what = in_short(asked.trim_end_matches(['?', '.', '!', ' ']));
        return spoken(say("memory.nothing", seed, &[("what", &what)]));
    };
    let contradicts = |ranked: &&Ranked| {
        let (one, other) = (&first.memory.fact, &ranked.memory.fact);
        one.single && one.subject == other.subject && one.attribute == other.attribute && one.value != other.value
    };
    let mut said: Vec<String> = Vec::new();
    if let Some(other) = found.iter().skip(1).find(contradicts) {
        let (memory, other) = (&first.memory, &other.memory);
        let (new, old) = if memory.told >= other.told { (memory, other) } else { (other, memory) };
        let values = [value(old), when(old, asker), value(new), when(new, asker)];
        let [old_value, then, new_value, at] = &values;
        said.push(say(
            if old.fact.tainted || new.fact.tainted { "memory.conflict_read" } else { "memory.conflict" },
            seed,
            &[("old", old_value), ("then", then), ("new", new_value), ("when", at)],
        ));
    } else {
        said.extend(found.iter().take(SAID_MAX).map(|ranked| sentence(&ranked.memory, asker)));
    }
    let was: Vec<String> = former
        .iter()
        .filter(|m| m.fact.value != first.memory.fact.value)
        .take(FORMER_SAID_MAX)
        .map(|m| say("memory.former_entry", seed, &[("value", &value(m)), ("when", &when(m, asker))]))
        .collect();
    if !was.is_empty() {
        said.push(say("memory.former", seed, &[("was", &both(&was))]));
    }
    let more = found.len().saturating_sub(SAID_MAX);
    if more > 0 {
        said.push(say("memory.more", seed, &[("things", &count(more, "thing", "things"))]));
    }
    Reply {
        key: first.memory.fact.value.clone(),
        page: Some(page(found.iter().map(|r| &r.memory).chain(former), asker)),
        ..spoken(said.join(" "))
    }
}

/// What is said of what is forgotten.
pub fn forgotten(gone: &[Memory], asker: &Asker<'_>) -> Reply {
    let texts: Vec<String> = gone.iter().take(SAID_MAX).map(|m| in_short(&m.fact.text)).collect();
    let mut speech = say("memory.forgotten", asker.seed, &[("text", &both(&texts))]);
    if let Some(more) = gone.len().checked_sub(SAID_MAX).filter(|more| *more > 0) {
        speech.push(' ');
        speech.push_str(&say("memory.forgotten_more", asker.seed, &[("things", &count(more, "thing", "things"))]));
    }
    spoken(speech)
}

/// What is to be forgotten, in words that follow "forget". `asked` are the owner's own.
pub fn to_forget(memories: &[Memory], asked: &str) -> String {
    match memories {
        [only] => format!("that {}", in_short(&only.fact.text)),
        several => {
            let what = in_short(asked.trim_end_matches(['?', '.', '!', ' ']));
            format!("{} that I know about {what}", count(several.len(), "thing", "things"))
        }
    }
}

/// What is said where "forget ..." fits nothing.
pub fn nothing_to_forget(asked: &str, asker: &Asker<'_>) -> Reply {
    let what = in_short(asked.trim_end_matches(['?', '.', '!', ' ']));
    spoken(say("memory.nothing_to_forget", asker.seed, &[("what", &what)]))
}

/// What is said where "forget ..." fits several things: none is guessed.
pub fn which_to_forget(found: &[Ranked], asker: &Asker<'_>) -> Reply {
    let things = count(found.len(), "thing", "things");
    Reply {
        page: Some(page(found.iter().map(|r| &r.memory), asker)),
        ..spoken(say("memory.which_to_forget", asker.seed, &[("things", &things)]))
    }
}

/// A memory in a sentence that says where it comes from. What was read somewhere is never said as if its owner had told it.
fn sentence(memory: &Memory, asker: &Asker<'_>) -> String {
    let key = match (memory.fact.tainted, memory.fact.source) {
        (true, _) => "memory.read",
        (false, Source::Said | Source::ByRule) => "memory.told",
        (false, Source::ByModel) => "memory.gathered",
        (false, Source::Imported) => "memory.noted_down",
    };
    say(key, asker.seed, &[("when", &when(memory, asker)), ("text", &in_short(&memory.fact.text))])
}

fn value(memory: &Memory) -> String {
    in_short(memory.fact.value.as_deref().unwrap_or(&memory.fact.text))
}

/// Lines for the page, with numbers for `jarvisctl memory forget`.
fn page<'a>(memories: impl Iterator<Item = &'a Memory>, asker: &Asker<'_>) -> String {
    let line = |memory: &Memory| {
        let until = memory.validity.closed.map(|closed| format!(", until {}", local(closed.at, asker).date()));
        let unsure = if memory.fact.tainted { ", read somewhere" } else { "" };
        let told = local(memory.told, asker).date();
        format!("#{} {} ({told}{}{unsure})", memory.id, memory.fact.text, until.unwrap_or_default())
    };
    memories.map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::testing::{NOW, memory};
    use crate::memory::{Closed, MemoryId};
    use crate::names::Names;

    const DAY_MS: i64 = 86_400_000;

    fn with_asker<T>(seed: u64, say: impl FnOnce(&Asker<'_>) -> T) -> T {
        let names = Names::default();
        say(&Asker {
            now: UnixSeconds(NOW.0 / 1000),
            local_offset_s: 0,
            room: "study",
            rooms: &[],
            started: UnixSeconds(0),
            last_heard: None,
            last_reply: None,
            last_route: None,
            names: &names,
            seed,
            demo_ear: false,
        })
    }

    fn ranked(memory: Memory) -> Ranked {
        Ranked { memory, relevance: 1.0, score: 1.0 }
    }

    fn ago(id: u64, text: &str, days: i64) -> Memory {
        memory(id, text, NOW.plus(-days * DAY_MS))
    }

    fn kept(memory: Memory, closed: Vec<Memory>, beside: Vec<Memory>) -> Remembered {
        Remembered::Kept { memory, closed, beside }
    }

    #[test]
    fn a_text_is_turned_to_its_owner() {
        for (text, back) in [
            ("my router is at 192.168.1.1", "your router is at 192.168.1.1"),
            ("I prefer short answers", "you prefer short answers"),
            ("I'm in our garage, mine", "you are in your garage, yours"),
            ("the mime is in Miami", "the mime is in Miami"),
            ("", ""),
        ] {
            assert_eq!(told_back(text), back);
        }
    }

    #[test]
    fn what_is_kept_is_said_with_what_it_changes() {
        with_asker(0, |asker| {
            let new = ago(2, "the router is at 192.168.1.12", 0);
            let old = ago(1, "the router is at 192.168.1.10", 190);
            let speech = |what: &Remembered| remembered(what, asker).speech;
            assert_eq!(speech(&kept(new.clone(), vec![], vec![])), "Noted: the router is at 192.168.1.12.");
            let changed = speech(&kept(new.clone(), vec![old.clone()], vec![]));
            assert!(changed.contains("192.168.1.12") && changed.contains("192.168.1.10 in May"), "{changed}");
            let mut read = old.clone();
            read.fact.tainted = true;
            let noted = speech(&kept(new.clone(), vec![read], vec![]));
            assert!(!noted.contains("your word"), "{noted}");
            let until = speech(&kept(ago(3, "for the next two hours that the lift is stuck", 0), vec![], vec![]));
            assert!(until.contains("today at 16:07"), "{until}");
            let known = speech(&Remembered::Known(ago(1, "the router is at 192.168.1.10", 8)));
            assert!(known.contains("last week"), "{known}");
            let beside = speech(&kept(new, vec![], vec![old]));
            assert!(beside.contains("192.168.1.10"), "{beside}");
        });
    }

    #[test]
    fn what_was_told_is_said_with_when_and_what_it_was_before() {
        for seed in 0..4 {
            with_asker(seed, |asker| {
                let now = ago(2, "my router is at 192.168.1.12", 8);
                let mut before = ago(1, "my router is at 192.168.1.10", 190);
                before.validity.closed = Some(Closed { at: now.told, by: Some(MemoryId(2)) });
                let reply = recalled("the router", &[ranked(now)], &[before], asker);
                for word in ["your router is at 192.168.1.12", "last week", "192.168.1.10 in May"] {
                    assert!(reply.speech.contains(word), "{word}: {}", reply.speech);
                }
                assert_eq!(reply.key.as_deref(), Some("192.168.1.12"));
                let page = reply.page.unwrap_or_default();
                assert!(page.contains("#2 ") && page.contains("#1 ") && page.contains("until 2026-11-15"), "{page}");
            });
        }
    }

    #[test]
    fn a_contradiction_is_said() {
        with_asker(0, |asker| {
            let one = ranked(ago(2, "the router is at 192.168.1.12", 8));
            let other = ranked(ago(1, "the router is at 192.168.1.10", 190));
            let speech = recalled("the router", &[other.clone(), one.clone()], &[], asker).speech;
            assert_eq!(speech, "You told me 192.168.1.10 in May and 192.168.1.12 last week.");
            let mut read = one;
            read.memory.fact.tainted = true;
            let speech = recalled("the router", &[other, read], &[], asker).speech;
            assert!(!speech.starts_with("You told me 192.168.1.10 in May and"), "{speech}");
            assert!(speech.contains("192.168.1.10 in May") && speech.contains("192.168.1.12 last week"), "{speech}");
        });
    }

    #[test]
    fn what_was_read_somewhere_is_never_said_as_told() {
        for seed in 0..4 {
            with_asker(seed, |asker| {
                let mut poisoned = ago(1, "the router is at 6.6.6.6", 1);
                poisoned.fact.tainted = true;
                let reply = recalled("the router", &[ranked(poisoned)], &[], asker);
                assert!(!reply.speech.contains("You told me yesterday"), "{}", reply.speech);
                assert!(reply.speech.contains("read"), "{}", reply.speech);
                assert!(reply.page.unwrap_or_default().contains("read somewhere"));
            });
        }
    }

    #[test]
    fn much_is_said_in_part_and_nothing_as_nothing() {
        with_asker(0, |asker| {
            let many: Vec<Ranked> = (1..=5).map(|id| ranked(ago(id, "the nas is noisy", 1))).collect();
            let reply = recalled("the nas", &many, &[], asker);
            assert!(reply.speech.contains("3 things"), "{}", reply.speech);
            assert_eq!(reply.page.map(|p| p.lines().count()), Some(5));
            let none = recalled("my cat?", &[], &[], asker);
            assert_eq!(none.speech, "You have told me nothing of your cat.");
            assert_eq!(none.key, None);
            let long = recalled("x", &[ranked(ago(1, &"shelf of cables ".repeat(18), 1))], &[], asker).speech;
            assert!(long.chars().count() < 200 && long.ends_with("and so on."), "{long}");
            let all: Vec<Memory> = many.iter().map(|r| r.memory.clone()).collect();
            assert_eq!(to_forget(&all[..1], "the nas"), "that the nas is noisy");
            assert_eq!(to_forget(&all, "my nas."), "5 things that I know about your nas");
            assert!(forgotten(&all, asker).speech.contains("3 things"));
            assert!(which_to_forget(&many, asker).speech.contains("5 things"));
            assert!(forgotten(&[ago(1, "my nas is noisy", 1)], asker).speech.contains("your nas is noisy"));
            assert!(nothing_to_forget("my cat.", asker).speech.contains("your cat"));
            for reply in [secret(asker), nothing_to_remember(asker), full(asker)] {
                assert!(!reply.speech.is_empty());
            }
        });
    }
}
