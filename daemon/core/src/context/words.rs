//! Words of requests and of tools' names, to be compared.

/// The words of a text, in small letters.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether two words are the same, but for one's being several.
pub(crate) fn same(a: &str, b: &str) -> bool {
    let stem = |word: &str| word.strip_suffix('s').filter(|stem| stem.len() > 2).unwrap_or(word).to_owned();
    stem(a) == stem(b)
}
