//! Phrasings, from `strings/en.toml`: several per thing to say, picked by a seed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Phrasings by key.
type Table = BTreeMap<String, Vec<String>>;

static ENGLISH: LazyLock<Table> = LazyLock::new(|| {
    // The file is embedded and a test parses it, so that an empty table never ships.
    toml::from_str::<BTreeMap<String, Table>>(include_str!("../../strings/en.toml"))
        .unwrap_or_default()
        .into_iter()
        .flat_map(|(family, keys)| keys.into_iter().map(move |(key, list)| (format!("{family}.{key}"), list)))
        .collect()
});

/// One phrasing of `key` with its `{names}` filled in. An unknown key says nothing; tests know them all.
pub(crate) fn say(key: &str, seed: u64, values: &[(&str, &str)]) -> String {
    let Some(list) = ENGLISH.get(key).filter(|list| !list.is_empty()) else {
        debug_assert!(false, "strings/en.toml lacks {key}");
        return String::new();
    };
    let count = u64::try_from(list.len()).unwrap_or(1);
    let index = usize::try_from(seed % count).unwrap_or(0);
    let template = list.get(index).map_or("", String::as_str);
    fill(template, values)
}

/// Whether the file has `key`.
pub(crate) fn has(key: &str) -> bool {
    ENGLISH.get(key).is_some_and(|list| !list.is_empty())
}

/// One pass, so that a value that holds braces is never filled again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            rest = after;
            continue;
        };
        let value = values.iter().find(|(known, _)| *known == name);
        debug_assert!(value.is_some(), "{{{name}}} is not filled in \"{template}\"");
        text.push_str(value.map_or("", |(_, value)| value));
        rest = tail;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_parses_and_every_key_has_phrasings() {
        let parsed: Result<BTreeMap<String, Table>, _> = toml::from_str(include_str!("../../strings/en.toml"));
        let table = parsed.expect("strings/en.toml parses");
        for (family, keys) in &table {
            for (key, list) in keys {
                assert!(!list.is_empty(), "{family}.{key} has no phrasing");
            }
        }
    }

    /// A tool needs no words of its own; what has some here is a tool, by its right name.
    #[test]
    fn words_for_the_end_of_a_change_are_of_tools_that_are_there() {
        let of_tools: Vec<&str> = ENGLISH.keys().filter_map(|key| key.strip_prefix("change.done_")).collect();
        assert!(of_tools.len() > 5 && of_tools.iter().all(|name| crate::tools::find(name).is_some()), "{of_tools:?}");
        assert!(has("change.done") && !has("change.done_nothing"));
    }

    #[test]
    fn values_are_filled_in_once() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "two")]), "{b} and two");
    }
}
