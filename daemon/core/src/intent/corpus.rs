//! What a recogniser's words and language model are made from.
//!
//! Two makers read it: `make words` for the model that comes with Jarvis, `jarvisctl model words` for an owner's names.

use super::Grammar;
use crate::challenge;
use crate::names::{Names, Sort};

/// Requests of patterns.
const SENTENCES: usize = 60_000;
/// Times an example of the grammar comes, each time with other names.
const EACH: usize = 40;
/// Any; the same one gives the same corpus for the same names.
const SEED: u64 = 20;

/// What people may say, and what they are likely to say. The same grammar and names give the same corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corpus {
    /// Distinct requests over all the grammar makes possible, so that every request can be heard.
    pub sentences: Vec<String>,
    /// What is likely, repeats and all, so that it is heard first.
    pub natural: Vec<String>,
    /// Every word that must be hearable, sorted.
    pub vocabulary: Vec<String>,
    /// How each thing may be called: its sort, and the ways to say it, between tabs.
    pub names: Vec<String>,
}

impl Corpus {
    /// Of a grammar whose names are `names`; `examples` are those that its examples use ([`Names::examples`] for the embedded files).
    pub fn new(grammar: &Grammar, examples: &Names, names: &Names) -> Self {
        let mut natural = grammar.natural(examples, names, EACH, SEED);
        natural.extend(challenge::phrases());
        let mut vocabulary = grammar.vocabulary(names);
        vocabulary.extend(challenge::words().map(str::to_owned));
        Self {
            sentences: grammar.sentences(names, SENTENCES, SEED),
            natural,
            vocabulary: vocabulary.into_iter().collect(),
            names: called(names),
        }
    }

    /// Its parts, each with its name in front: files of one line an entry, as the scripts in `daemon/models/words` read them.
    pub fn files(&self) -> [(&'static str, String); 4] {
        let parts = [
            ("sentences", &self.sentences),
            ("natural", &self.natural),
            ("vocabulary", &self.vocabulary),
            ("names", &self.names),
        ];
        parts.map(|(name, lines)| (name, lines.join("\n")))
    }
}

fn called(names: &Names) -> Vec<String> {
    let sorts = [("node", Sort::Node), ("guest", Sort::Guest), ("storage", Sort::Storage)];
    let of = |(word, sort): (&str, Sort)| {
        let things = names.spoken(sort).into_iter().filter(|ways| !ways.is_empty());
        things.map(|ways| format!("{word}\t{}", ways.join("\t"))).collect::<Vec<_>>()
    };
    sorts.into_iter().flat_map(of).collect()
}
