//! The local intent grammar: what is asked, decided without a model or a network, in milliseconds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{NodeName, StorageName, Vmid};
use crate::names::Names;

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

/// The compiled intent files.
#[derive(Debug, Clone, Default)]
pub struct Grammar {}

impl Grammar {
    /// The families that come with Jarvis.
    pub fn embedded() -> Result<Self, GrammarError> {
        Ok(Self {})
    }

    /// From files, as `(name, content)`; the embedded ones are not added: use [`Grammar::embedded_files`] for those.
    pub fn from_files(_files: &[(&str, &str)]) -> Result<Self, GrammarError> {
        Ok(Self {})
    }

    /// The embedded files, as `(name, content)`, to which an owner's own can be added.
    pub fn embedded_files() -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// What a text asks for.
    pub fn understand(&self, text: &str, _names: &Names) -> Understood {
        Understood::Nothing {
            heard: text.to_owned(),
        }
    }

    /// Whether a text, perhaps a partial one, is a whole request.
    pub fn complete(&self, _text: &str, _names: &Names) -> Completeness {
        Completeness::Unknown
    }

    /// Up to `limit` distinct requests as a recogniser would write them (lower case, numbers in words), spread over all kinds,
    /// for the language model. The same seed gives the same sentences.
    pub fn sentences(&self, _names: &Names, _limit: usize, _seed: u64) -> Vec<String> {
        Vec::new()
    }

    /// Every word that a request may use, as a recogniser would write it.
    pub fn vocabulary(&self, _names: &Names) -> BTreeSet<String> {
        BTreeSet::new()
    }
}
