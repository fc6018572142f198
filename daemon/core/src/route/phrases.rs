//! Phrases looked for in a text, word by word.

/// A text as lower-case words; everything but letters and digits parts them.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Phrases, each a sequence of words; one that ends in `*` begins a word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Phrases(Vec<Phrase>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Phrase {
    words: Vec<String>,
    /// Whether the last word is only the beginning of one.
    open: bool,
}

impl Phrases {
    pub(super) fn new(phrases: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let each = phrases.into_iter().map(|phrase| {
            let phrase = phrase.as_ref().trim();
            Phrase { words: words(phrase), open: phrase.ends_with('*') }
        });
        Self(each.filter(|phrase| !phrase.words.is_empty()).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The first phrase that stands in `text`, as it is written there.
    pub(super) fn first(&self, text: &[String]) -> Option<String> {
        (0..text.len()).find_map(|at| self.at(text, at).map(|len| text[at..at + len].join(" ")))
    }

    /// How often one of them stands in `text`; words are counted once.
    pub(super) fn count(&self, text: &[String]) -> u32 {
        let (mut at, mut found) = (0, 0u32);
        while at < text.len() {
            match self.at(text, at) {
                Some(len) => {
                    found = found.saturating_add(1);
                    at += len;
                }
                None => at += 1,
            }
        }
        found
    }

    /// Words of the longest phrase that begins at `at`.
    fn at(&self, text: &[String], at: usize) -> Option<usize> {
        self.0.iter().filter(|phrase| phrase.is_at(&text[at..])).map(|phrase| phrase.words.len()).max()
    }
}

impl Phrase {
    fn is_at(&self, text: &[String]) -> bool {
        let Some((last, before)) = self.words.split_last() else { return false };
        let Some(found) = text.get(before.len()) else { return false };
        let ends = if self.open { found.starts_with(last.as_str()) } else { found == last };
        ends && text[..before.len()] == *before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_at_the_bounds_of_words() {
        let phrases = Phrases::new(["pin", "blood test*", "Analys*", "", "*"]);
        let first = |text: &str| phrases.first(&words(text));
        assert_eq!(first("the PIN, please"), Some("pin".to_owned()));
        assert_eq!(first("pinned to the spinning wheel"), None);
        assert_eq!(first("my blood-tests"), Some("blood tests".to_owned()));
        assert_eq!(first("blood and a test"), None);
        assert_eq!(first("blood"), None);
        assert_eq!(first("an analysis"), Some("analysis".to_owned()));
        assert_eq!(phrases.len(), 3, "an empty phrase finds nothing");
        assert_eq!(Phrases::new(["then", "and then"]).count(&words("do this and then that, then stop")), 2);
    }
}
