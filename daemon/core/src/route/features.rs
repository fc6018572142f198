//! What can be told of a request without understanding it.

use std::collections::BTreeSet;

use super::REQUEST_BYTES_MAX;
use super::phrases::words;
use super::rules::Rules;
use crate::names::Names;

/// Signs of code, of which a sentence has few.
const CODE_SIGNS: &[char] = &['{', '}', '[', ']', '<', '>', '=', ';', '|', '&', '`', '\\', '$', '#'];
/// So many of them are code.
const CODE_SIGNS_MIN: usize = 4;
/// Words that English has and its neighbours do not.
const ENGLISH: &[&str] = &[
    "the", "and", "is", "are", "of", "to", "what", "which", "how", "why", "when", "where", "my", "your", "you", "it",
    "that", "this", "for", "with", "do", "does", "did", "can", "could", "would", "should", "tell", "please", "have",
    "has", "there", "not", "from", "be", "if", "than", "i", "me",
];
/// Words of the neighbours that English does not have.
const FOREIGN: &[&str] = &[
    "ich", "mir", "mich", "bitte", "warum", "der", "das", "und", "ist", "sind", "kannst", "wie", "welche", "nicht",
    "auf", "heute", "wo", "wieviel", "le", "la", "les", "est", "pourquoi", "quel", "quelle", "je", "vous", "moi",
    "dans", "aujourd", "el", "los", "las", "por", "qué", "como", "cómo", "está", "cuál", "il", "perché", "che", "sono",
    "quale", "dove", "het", "een", "waarom", "welke", "niet", "jak", "proč", "jest", "och", "är", "varför",
];

/// What was told of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Features {
    /// How many words it has.
    pub words: u32,
    /// Whether it is in English, as far as a few words tell.
    pub english: bool,
    /// Whether there is code in it.
    pub code: bool,
    /// The private word that stands in it. It is never logged or said.
    pub private: Option<String>,
    /// The word that asks for thought.
    pub hard: Option<String>,
    /// Whether it is about the cluster as it is now, which takes tools.
    pub live: bool,
    /// How many changes it asks for.
    pub changes: u32,
    /// How many words part it into steps.
    pub steps: u32,
    /// Whether it is about a program and no more: one to be written, or one that stands in it. It asks for no change, for no other thought,
    /// and names nothing of the cluster.
    pub program: bool,
}

impl Features {
    /// Those of `text`; `named` are the things of the cluster, as [`named`] gives them.
    pub fn of(text: &str, rules: &Rules, named: &BTreeSet<String>) -> Self {
        let text = &text[..text.floor_char_boundary(REQUEST_BYTES_MAX)];
        let all = words(text);
        let among = |list: &[&str]| all.iter().filter(|word| list.contains(&word.as_str())).count();
        let foreign = among(FOREIGN) + all.iter().filter(|word| !word.is_ascii()).count();
        let phrases = rules.phrases();
        let code = text.contains("```") || text.matches(CODE_SIGNS).count() >= CODE_SIGNS_MIN;
        let named = names_one(&all, named);
        let live = phrases.live.first(&all).is_some() || named;
        let (hard, program) = (phrases.hard.first(&all), phrases.program.first(&all));
        let written = program.is_some() && phrases.write.first(&all).is_some() && hard.is_none();
        let changes = phrases.change.count(&all);
        Self {
            words: u32::try_from(all.len()).unwrap_or(u32::MAX),
            english: foreign == 0 || among(ENGLISH) > foreign,
            code,
            private: phrases.private.first(&all),
            hard: hard.or(program),
            live,
            changes,
            program: changes == 0 && !named && (written || (code && !live)),
            steps: phrases.steps.count(&all),
        }
    }

    /// Whether a model needs tools for it.
    pub fn needs_tools(&self) -> bool {
        self.live || self.changes > 0
    }
}

/// The names of what is in the cluster, in words.
pub fn named(names: &Names) -> BTreeSet<String> {
    names.written().map(|name| words(name).join(" ")).filter(|name| !name.is_empty()).collect()
}

fn names_one(text: &[String], named: &BTreeSet<String>) -> bool {
    /// Words of the longest name that is looked for.
    const WORDS: usize = 4;
    (0..text.len()).any(|at| (1..=WORDS.min(text.len() - at)).any(|len| named.contains(&text[at..at + len].join(" "))))
}
