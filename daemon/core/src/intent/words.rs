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
        self.cut_with_places(text).0
    }

    /// The same, and for each word the byte of the text where what it was written as begins.
    pub(super) fn cut_with_places(&self, text: &str) -> (Vec<String>, Vec<usize>) {
        let (raw, places) = raw_words(text);
        let mut words: Vec<(String, usize)> = Vec::with_capacity(raw.len() + 4);
        let mut at = 0;
        while let (Some(word), Some(place)) = (raw.get(at), places.get(at)) {
            let rest = raw.get(at + 1..).unwrap_or(&[]);
            let rewrite = self.rewrites.get(word).and_then(|list| list.iter().find(|(tail, _)| rest.starts_with(tail)));
            if let Some((tail, to)) = rewrite {
                words.extend(to.iter().map(|word| (word.clone(), *place)));
                at += 1 + tail.len();
                continue;
            }
            match word.strip_suffix("'s") {
                Some(stem) if !stem.is_empty() => {
                    words.extend([(stem.to_owned(), *place), ("'s".to_owned(), *place)]);
                }
                Some(_) => words.push((word.clone(), *place)),
                None => words.push((word.trim_matches('\'').to_owned(), *place)),
            }
            at += 1;
        }
        words.retain(|(word, _)| !word.is_empty());
        words.truncate(WORDS_MAX + 1);
        words.into_iter().unzip()
    }
}

/// Lower-case runs of letters, of digits, and `[unk]`; and the byte where each begins.
fn raw_words(text: &str) -> (Vec<String>, Vec<usize>) {
    #[derive(PartialEq)]
    enum Run {
        None,
        Letters,
        Digits,
    }
    let mut words: Vec<String> = Vec::new();
    let mut places = Vec::new();
    let mut run = Run::None;
    // A few words more than are looked at, so that "too many" can be told.
    let bounded = text.char_indices().take(WORD_MAX * (WORDS_MAX + 8));
    for (place, c) in bounded.flat_map(|(place, c)| c.to_lowercase().map(move |c| (place, c))) {
        // A mark upon the letter before it, as the lower case of "İ" has one: it neither ends a word nor is looked at.
        if ('\u{300}'..='\u{36f}').contains(&c) {
            continue;
        }
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
            places.push(place);
        }
        if now != Run::None {
            if now != run {
                words.push(String::new());
                places.push(place);
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
    places.truncate(WORDS_MAX + 1);
    (words, places)
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
    fn each_word_knows_where_it_was_written() {
        let mut lexis = Lexis::default();
        lexis.add_rewrite("don't", "do not");
        let text = "  Don't forget: the İstanbul NAS's at 10.0.0.1";
        let (words, places) = lexis.cut_with_places(text);
        assert_eq!(words.len(), places.len());
        let shown: Vec<&str> = places.iter().map(|place| text[*place..].split(' ').next().unwrap_or("")).collect();
        assert_eq!(shown[..7], ["Don't", "Don't", "forget:", "the", "İstanbul", "NAS's", "NAS's"], "{words:?}");
        assert_eq!(shown[7..], ["at", "10.0.0.1", "0.0.1", "0.1", "1"]);
    }

    #[test]
    fn long_texts_are_bounded() {
        let lexis = Lexis::default();
        assert_eq!(lexis.cut(&"a ".repeat(100_000)).len(), WORDS_MAX + 1);
        assert!(lexis.cut(&"a".repeat(100_000)).iter().all(|w| w.len() <= WORD_MAX));
        assert!(tidy(&"word ".repeat(10_000)).len() <= 121);
    }
}
