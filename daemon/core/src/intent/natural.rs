//! The grammar's own examples with other names in them, for the language model.
//!
//! Patterns put words together that nobody puts together; examples are sentences that somebody would say. A language model needs both:
//! patterns so that every request can be heard, examples so that the likely ones are.

use super::Grammar;
use super::file::Example;
use super::generate::Dice;
use crate::names::{Names, Sort};

/// Every example `each` times, its name replaced by one of `names` where it has one. `theirs` are the names the examples use. Examples of
/// free text are left out: their words are nothing that a recogniser could be taught to expect.
pub(super) fn natural(grammar: &Grammar, theirs: &Names, names: &Names, each: usize, seed: u64) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let mut all = Vec::new();
    for example in grammar.examples().iter().filter(|e| e.slots.iter().all(|(slot, _)| slot != "text")) {
        let words: Vec<String> = example.text.split_whitespace().map(str::to_owned).collect();
        let place = place(example, &words, theirs);
        for _ in 0..each {
            let other = place.and_then(|(start, end, sort)| {
                let ways = names.spoken(sort);
                let thing = dice.pick(&ways)?;
                let name = dice.pick(thing)?;
                Some([&words[..start], std::slice::from_ref(name), &words[end..]].concat().join(" "))
            });
            all.push(other.unwrap_or_else(|| example.text.clone()));
        }
    }
    all
}

/// Where the example's name stands: the longest of the sort its slot says.
fn place(example: &Example, words: &[String], theirs: &Names) -> Option<(usize, usize, Sort)> {
    let sort = example.slots.iter().find_map(|(slot, _)| match slot.as_str() {
        "node" => Some(Sort::Node),
        "guest" => Some(Sort::Guest),
        "storage" => Some(Sort::Storage),
        _ => None,
    })?;
    let found = (0..words.len()).flat_map(|at| theirs.exact(words, at, sort).into_iter().map(move |f| (at, f.end)));
    found.max_by_key(|(start, end)| end - start).map(|(start, end)| (start, end, sort))
}
