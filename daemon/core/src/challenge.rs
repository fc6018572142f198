//! Two words that are spoken with a RED question and must be confirmed at a second channel: whoever confirms was in the room, or was
//! told by somebody who was.

/// Short words that are easily told apart by ear.
const WORDS: &str = include_str!("challenge_words.txt");

/// The words, one a line.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.lines().map(str::trim).filter(|word| !word.is_empty() && !word.starts_with('#'))
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
    fn a_challenge_is_two_different_words_of_the_list() {
        let all: BTreeSet<_> = words().collect();
        assert!(all.len() >= 64, "{} words", all.len());
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
