//! The local intent grammar: what is asked, decided without a model or a network, in milliseconds.
//!
//! Patterns are data (`daemon/core/intents/*.toml`). A text is cut into words, names are looked up at every place, and each
//! pattern that could take all the words is tried. Small words may be missing or too many; a word that decides the kind never.

mod corpus;
mod file;
mod generate;
mod machine;
mod natural;
mod needs;
mod pattern;
mod search;
mod whole;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{NodeName, StorageName, Vmid};
use crate::names::Names;
pub use corpus::Corpus;
pub use file::Example;
use machine::{Machine, Token, Weight};
use pattern::Part;
use words::Lexis;

/// What a request names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Slots {
    /// A node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// A guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Vmid>,
    /// A storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageName>,
    /// 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// The rest of the words as they were written, bounded like every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A request that was understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// `node.temperature`: one of the table in tests/frozen/README.md, or a kind of an owner's own file.
    pub kind: String,
    /// What it names.
    pub slots: Slots,
}

/// What became of a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Understood {
    /// One request, clearly.
    Intent {
        /// Which.
        intent: Intent,
        /// 0.0 to 1.0: how closely the words fit. Below 1.0 something was skipped or mended.
        score: f32,
        /// The pattern that fitted, for the journal.
        pattern: String,
    },
    /// The kind is clear, the name is not: ask, never guess.
    Ambiguous {
        /// One short question, for the ear.
        question: String,
        /// What it may have meant.
        choices: Vec<String>,
        /// The kind that waits for the name.
        intent_kind: String,
    },
    /// Nothing that Jarvis knows.
    Nothing {
        /// What it heard, bounded and tidied.
        heard: String,
    },
}

/// Whether somebody has finished a request, for the end of speech by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// A whole request.
    Complete,
    /// A whole request that is also the beginning of a longer one, which asks for something else: "how is the cluster" and
    /// "how is the cluster on node two".
    Extendable,
    /// The beginning of requests, or it hangs on a preposition or an article: more is to come.
    Open,
    /// Cannot tell.
    Unknown,
}

/// What is wrong with an intent file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}. {remedy}")]
pub struct GrammarError {
    /// The file's name as it was given.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// The families that come with Jarvis, one file each, and the words they share.
const EMBEDDED: &[(&str, &str)] = &[
    ("words.toml", include_str!("../../intents/words.toml")),
    ("cluster.toml", include_str!("../../intents/cluster.toml")),
    ("node.toml", include_str!("../../intents/node.toml")),
    ("guest.toml", include_str!("../../intents/guest.toml")),
    ("storage.toml", include_str!("../../intents/storage.toml")),
    ("task.toml", include_str!("../../intents/task.toml")),
    ("backup.toml", include_str!("../../intents/backup.toml")),
    ("self.toml", include_str!("../../intents/self.toml")),
    ("talk.toml", include_str!("../../intents/talk.toml")),
    ("control.toml", include_str!("../../intents/control.toml")),
    ("memory.toml", include_str!("../../intents/memory.toml")),
    ("change.toml", include_str!("../../intents/change.toml")),
    ("costs.toml", include_str!("../../intents/costs.toml")),
];

/// Words that stand for themselves when they were never interned.
const STRANGE: u32 = u32::MAX;

/// The compiled intent files.
#[derive(Debug, Clone, Default)]
pub struct Grammar {
    lexis: Lexis,
    interned: BTreeMap<String, Token>,
    /// Words that decide, in any pattern.
    deciding: BTreeSet<String>,
    before: Machine,
    after: Machine,
    frames: (Vec<Part>, Vec<Part>),
    patterns: Vec<Compiled>,
    examples: Vec<Example>,
}

#[derive(Debug, Clone)]
struct Compiled {
    kind: String,
    text: String,
    part: Part,
    machine: Machine,
    topic_first: Option<Machine>,
}

impl Grammar {
    /// The families that come with Jarvis.
    pub fn embedded() -> Result<Self, GrammarError> {
        Self::from_files(EMBEDDED)
    }

    /// The embedded files as `(name, content)`, to which an owner's own are added for [`Grammar::from_files`].
    pub fn embedded_files() -> &'static [(&'static str, &'static str)] {
        EMBEDDED
    }

    /// From files as `(name, content)`. Word lists and phrases hold for all files; nothing is added to what is given.
    pub fn from_files(files: &[(&str, &str)]) -> Result<Self, GrammarError> {
        let content = file::read(files)?;
        let mut grammar = Self {
            lexis: content.lexis,
            examples: content.examples,
            frames: (content.before, content.after),
            ..Self::default()
        };
        let lexis = grammar.lexis.clone();
        let mut interned = BTreeMap::new();
        let mut intern = |word: &str| intern(&mut interned, &lexis, word);
        for word in lexis.fillers.iter().chain(&lexis.functions) {
            intern(word);
        }
        let frame = |parts: &[Part]| Part::Either(parts.to_vec());
        if !grammar.frames.0.is_empty() {
            grammar.before = Machine::new(&frame(&grammar.frames.0), &mut intern);
        }
        if !grammar.frames.1.is_empty() {
            grammar.after = Machine::new(&frame(&grammar.frames.1), &mut intern);
        }
        for pattern in content.patterns {
            let mut words = Vec::new();
            pattern.part.words(&mut words);
            grammar.deciding.extend(
                words
                    .into_iter()
                    .filter(|w| !lexis.fillers.contains(*w) && !lexis.functions.contains(*w))
                    .map(str::to_owned),
            );
            grammar.patterns.push(Compiled {
                machine: Machine::new(&pattern.part, &mut intern),
                topic_first: Machine::topic_first(&pattern.part, &mut intern),
                kind: pattern.kind,
                text: pattern.text,
                part: pattern.part,
            });
        }
        grammar.interned = interned;
        Ok(grammar)
    }

    /// The kinds it knows.
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.patterns.iter().map(|p| p.kind.as_str()).collect()
    }

    /// What its entries promise to understand.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// What a text asks for.
    pub fn understand(&self, text: &str, names: &Names) -> Understood {
        self.search(text, names).understood(self, names, text)
    }

    /// Whether a text, perhaps a partial one, is a whole request.
    pub fn complete(&self, text: &str, names: &Names) -> Completeness {
        self.completeness(text, names)
    }

    /// Up to `limit` distinct requests as a recogniser would write them (lower case, numbers in words), spread over all kinds,
    /// for the language model. The same seed gives the same sentences.
    pub fn sentences(&self, names: &Names, limit: usize, seed: u64) -> Vec<String> {
        generate::sentences(self, names, limit, seed)
    }

    /// The examples, each so many times with other names in its place; `theirs` are the names that the examples use (those of
    /// tests/frozen/README.md, for the embedded files). Where a language model learns what is likely, beside [`Grammar::sentences`].
    pub fn natural(&self, theirs: &Names, names: &Names, each: usize, seed: u64) -> Vec<String> {
        natural::natural(self, theirs, names, each, seed)
    }

    /// Every word that a request may use, as a recogniser would write it.
    pub fn vocabulary(&self, names: &Names) -> BTreeSet<String> {
        generate::vocabulary(self, names)
    }

    /// A text as its names are looked up: lower case, contractions written out, letters apart from digits; bounded.
    pub(crate) fn words(&self, text: &str) -> Vec<String> {
        self.lexis.cut(text)
    }

    fn token(&self, word: &str) -> Token {
        if word == "[unk]" {
            return Token { word: STRANGE, stem: STRANGE, weight: Weight::Decides, unknown: true };
        }
        let known = |word: &str| self.interned.get(word).copied();
        known(word)
            .or_else(|| {
                // A plural or singular that no pattern writes still has its stem.
                let other = match word.strip_suffix('s') {
                    Some(singular) => known(singular),
                    None => known(&format!("{word}s")),
                }?;
                Some(Token { word: STRANGE, ..other })
            })
            .unwrap_or(Token { word: STRANGE, stem: STRANGE, weight: Weight::Decides, unknown: false })
    }
}

fn intern(interned: &mut BTreeMap<String, Token>, lexis: &Lexis, word: &str) -> Token {
    if let Some(token) = interned.get(word) {
        return *token;
    }
    // More than 2^32 words cannot come out of bounded files.
    let next = u32::try_from(interned.len()).unwrap_or(STRANGE - 1);
    let weight = if lexis.fillers.contains(word) {
        Weight::Filler
    } else if lexis.functions.contains(word) {
        Weight::Function
    } else {
        Weight::Decides
    };
    let other = match word.strip_suffix('s') {
        Some(singular) => interned.get(singular),
        None => interned.get(&format!("{word}s")),
    };
    let stem = other.filter(|other| word.len() >= 4 && other.weight == weight).map_or(next, |other| other.stem);
    let token = Token { word: next, stem, weight, unknown: false };
    interned.insert(word.to_owned(), token);
    token
}

#[cfg(test)]
mod tests;
