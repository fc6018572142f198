//! What happened, as against what is so: it is kept for weeks, and nothing contradicts it.

use super::Word;

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Past forms that do not end in -ed.
const PAST: [&str; 29] = [
    "was", "were", "had", "did", "went", "came", "took", "gave", "got", "made", "put", "ran", "broke", "bought",
    "brought", "found", "lost", "fell", "sent", "built", "swapped", "threw", "wrote", "cut", "rebuilt", "saw", "lent",
    "began", "blew",
];

fn is_past(word: &str) -> bool {
    PAST.contains(&word) || (word.len() > 4 && word.ends_with("ed"))
}

/// Whether the words tell of something that happened.
pub(super) fn is_one(words: &[Word<'_>]) -> bool {
    let word = |i: usize| words.get(i).map_or("", |w| w.bare.as_str());
    let past = words.iter().any(|w| is_past(&w.bare));
    let mine = ["i", "we"].contains(&word(0)) && (is_past(word(1)) || (word(1) == "have" && is_past(word(2))));
    mine || (0..words.len()).any(|i| match (word(i), word(i + 1)) {
        ("yesterday" | "ago", _) | ("last", "night" | "week" | "month" | "weekend") => true,
        ("this", "morning" | "afternoon" | "week") | ("today" | "earlier", _) => past,
        ("last" | "on", day) => past && WEEKDAYS.contains(&day),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::extract::cut;

    #[test]
    fn what_happened_is_told_from_what_is_so() {
        for (text, wanted) in [
            ("I replaced the fan of pve3", true),
            ("we have moved the rack", true),
            ("the power went out last night", true),
            ("the scrub of tank found two errors today", true),
            ("the internet was down on Monday because of the road works", true),
            ("the restore took an hour two days ago", true),
            ("the router is at 192.168.1.1", false),
            ("I want no music before nine in the morning", false),
            ("the cleaner comes on thursdays", false),
            ("the bins go out on monday", false),
            ("backups are encrypted", false),
            ("today the plumber comes", false),
            ("", false),
        ] {
            assert_eq!(is_one(&cut(text)), wanted, "{text}");
        }
    }
}
