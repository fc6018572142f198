//! Two words that are spoken with a RED question and must be confirmed at a second channel: whoever confirms was in the room, or was
//! told by somebody who was.
//!
//! They are short, harmless, and as far apart in sound as possible: `daemon/models/words/challenge.py` chose them, and says how far.

/// One word a line; `#` begins a comment.
const WORDS: &str = include_str!("challenge_words.txt");

/// All of them, in alphabetical order.
pub fn words() -> impl Iterator<Item = &'static str> + Clone {
    WORDS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Every challenge of two words, as it is said; for the recogniser's language model.
pub fn phrases() -> impl Iterator<Item = String> {
    words()
        .flat_map(|first| words().filter(move |second| *second != first).map(move |second| format!("{first} {second}")))
}

/// Two different words; `random` decides which.
pub fn challenge(random: u64) -> String {
    let words: Vec<&str> = words().collect();
    let count = words.len().max(2) as u64;
    let first = random % count;
    // The second is one of the others.
    let second = (first + 1 + (random >> 32) % (count - 1)) % count;
    let word = |n: u64| usize::try_from(n).ok().and_then(|n| words.get(n)).copied().unwrap_or("jarvis");
    format!("{} {}", word(first), word(second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_sixty_four_distinct_words_in_order() {
        let all: Vec<_> = words().collect();
        assert_eq!(all.len(), 64);
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
        assert!(all.iter().all(|word| word.chars().all(|c| c.is_ascii_lowercase())), "{all:?}");
        assert_eq!(phrases().count(), 64 * 63);
    }

    #[test]
    fn a_challenge_is_two_different_words_of_the_list() {
        let all: BTreeSet<_> = words().collect();
        let mut seen = BTreeSet::new();
        let mut random = 1_u64;
        for _ in 0..80_000 {
            // xorshift64 (Marsaglia 2003).
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let text = challenge(random);
            let (a, b) = text.split_once(' ').unwrap();
            assert!(a != b && all.contains(a) && all.contains(b), "{text}");
            seen.insert(text);
        }
        assert_eq!(seen.len(), all.len() * (all.len() - 1), "every pair is drawn");
    }
}
