//! Words before patterns: what a text is cut into, and which words matter little.

use std::collections::{BTreeMap, BTreeSet};

/// Most words of a text that are looked at; a request is far shorter, and the rest only costs time.
pub(super) const WORDS_MAX: usize = 40;
/// Longest word that is looked at, in bytes.
const WORD_MAX: usize = 40;

/// What may follow the first word, and what is written instead of all.
pub(super) type Rewrite = (Vec<String>, Vec<String>);

/// How words are treated, from `words.toml`.
#[derive(Debug, Clone, Default)]
pub(super) struct Lexis {
    /// Skipped for next to nothing: "um", "please", "now".
    pub(super) fillers: BTreeSet<String>,
    /// Small words that may be missing or too many: articles, auxiliaries, prepositions.
    pub(super) functions: BTreeSet<String>,
    /// A request that ends in one of these goes on.
    pub(super) hanging: BTreeSet<String>,
    /// Sequences that are rewritten, longest first by first word: contractions, spelled abbreviations, spellings.
    pub(super) rewrites: BTreeMap<String, Vec<Rewrite>>,
}

impl Lexis {
    pub(super) fn add_rewrite(&mut self, from: &str, to: &str) {
        let split = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let mut words = split(from);
        if words.is_empty() {
            return;
        }
        let first = words.remove(0);
        let list = self.rewrites.entry(first).or_default();
        list.push((words, split(to)));
        list.sort_by_key(|(tail, _)| std::cmp::Reverse(tail.len()));
    }

    /// Cuts a text into words: lower case, no punctuation, letters apart from digits, contractions written out.
    pub(super) fn cut(&self, text: &str) -> Vec<String> {
        let raw = raw_words(text);
        let mut words = Vec::with_capacity(raw.len() + 4);
        let mut at = 0;
        while let Some(word) = raw.get(at) {
            let rest = raw.get(at + 1..).unwrap_or(&[]);
            let rewrite = self.rewrites.get(word).and_then(|list| list.iter().find(|(tail, _)| rest.starts_with(tail)));
            if let Some((tail, to)) = rewrite {
                words.extend(to.iter().cloned());
                at += 1 + tail.len();
                continue;
            }
            match word.strip_suffix("'s") {
                Some(stem) if !stem.is_empty() => {
                    words.extend([stem.to_owned(), "'s".to_owned()]);
                }
                Some(_) => words.push(word.clone()),
                None => words.push(word.trim_matches('\'').to_owned()),
            }
            at += 1;
        }
        words.retain(|w| !w.is_empty());
        words.truncate(WORDS_MAX + 1);
        words
    }
}

/// Lower-case runs of letters, of digits, and `[unk]`.
fn raw_words(text: &str) -> Vec<String> {
    #[derive(PartialEq)]
    enum Run {
        None,
        Letters,
        Digits,
    }
    let mut words: Vec<String> = Vec::new();
    let mut run = Run::None;
    // A few words more than are looked at, so that "too many" can be told.
    let bounded = text.chars().take(WORD_MAX * (WORDS_MAX + 8));
    for c in bounded.flat_map(char::to_lowercase) {
        let c = if c == '\u{2019}' { '\'' } else { c };
        let now = if c.is_ascii_digit() {
            Run::Digits
        } else if c.is_alphabetic() || matches!(c, '\'' | '[' | ']') {
            Run::Letters
        } else {
            Run::None
        };
        if c == '%' {
            words.push("percent".to_owned());
        }
        if now != Run::None {
            if now != run {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut()
                && word.len() < WORD_MAX
            {
                word.push(c);
            }
        }
        run = now;
    }
    words.truncate(WORDS_MAX + 1);
    words
}

/// A text as it is told back: on one line and not endless.
pub(super) fn tidy(text: &str) -> String {
    const SHOWN_MAX: usize = 120;
    let mut tidy = String::new();
    for word in text.split_whitespace().filter(|w| *w != "[unk]") {
        if tidy.len() + word.len() > SHOWN_MAX {
            if tidy.is_empty() {
                tidy.extend(word.chars().filter(|c| !c.is_control()).take(SHOWN_MAX / 4));
            }
            break;
        }
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        tidy.extend(word.chars().filter(|c| !c.is_control()));
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_words() {
        let mut lexis = Lexis::default();
        lexis.add_rewrite("what's", "what is");
        lexis.add_rewrite("v m", "vm");
        assert_eq!(
            lexis.cut("What’s PVE2's [unk] temperature, v m 104?"),
            ["what", "is", "pve", "2", "'s", "[unk]", "temperature", "vm", "104"]
        );
        assert_eq!(lexis.cut("web-server  40%"), ["web", "server", "40", "percent"]);
    }

    #[test]
    fn long_texts_are_bounded() {
        let lexis = Lexis::default();
        assert_eq!(lexis.cut(&"a ".repeat(100_000)).len(), WORDS_MAX + 1);
        assert!(lexis.cut(&"a".repeat(100_000)).iter().all(|w| w.len() <= WORD_MAX));
        assert!(tidy(&"word ".repeat(10_000)).len() <= 121);
    }
}
