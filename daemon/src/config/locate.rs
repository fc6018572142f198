//! Finds the line of a key, for mistakes that only show after parsing.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::diagnose::{Mistake, mistake};

/// A mistake whose place is still a path of keys; a number among them counts an array's entries.
#[derive(Debug)]
pub(super) struct Unplaced {
    keys: Vec<String>,
    what: String,
    remedy: String,
}

impl Unplaced {
    pub(super) fn new(keys: &[&str], what: String, remedy: &str) -> Self {
        Self { keys: keys.iter().map(|k| (*k).to_owned()).collect(), what, remedy: remedy.to_owned() }
    }

    /// In a section, or in one entry of its array: the array's name, and which.
    pub(super) fn within(section: &str, entry: Option<(&str, usize)>, key: &str, what: String, remedy: &str) -> Self {
        let index = entry.map(|(_, index)| index.to_string());
        let keys: Vec<&str> = match (entry, &index) {
            (Some((array, _)), Some(index)) => vec![section, array, index, key],
            _ => vec![section, key],
        };
        Self::new(&keys, what, remedy)
    }

    pub(super) fn placed(self, text: &str, path: &Path) -> Mistake {
        let what = format!("{}: {}", self.keys.join("."), self.what);
        mistake(text, path, span(text, &self.keys), what, self.remedy)
    }
}

/// Where the deepest key of `keys` that is written stands.
fn span(text: &str, keys: &[String]) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut here = table.get_ref();
    let mut rest = keys;
    while let Some((key, after)) = rest.split_first() {
        let Some((name, value)) = here.get_key_value(key.as_str()) else { break };
        found = Some(name.span());
        rest = after;
        let mut value = value.get_ref();
        while let (DeValue::Array(entries), Some((index, after))) = (value, rest.split_first()) {
            let Some(entry) = index.parse().ok().and_then(|i: usize| entries.get(i)) else { return found };
            value = entry.get_ref();
            rest = after;
        }
        let DeValue::Table(inner) = value else { break };
        here = inner;
    }
    found
}
