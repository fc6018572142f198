//! Which of the owner's servers a request calls for, and which of their tools go with it.
//!
//! Only the owner's words decide whether a model is told of a server at all: its name, and the words he gave it in the configuration.
//! Nothing that the server itself says of its tools can bring it into a request.

use super::Described;
use crate::context::words::{same, words};

/// Most tools of other servers that go with a request.
pub const OFFERED_MAX: usize = 12;
/// The same for a model of a small window.
pub const OFFERED_SMALL: usize = 3;

/// Whether a request calls for a server: it says its name, or one of the owner's `words` for it, whole and in a row.
pub fn calls_for(request: &str, server: &str, about: &[String]) -> bool {
    let said = words(request);
    let is_said = |phrase: &str| {
        let phrase = words(phrase);
        !phrase.is_empty()
            && said.windows(phrase.len()).any(|part| part.iter().zip(&phrase).all(|(said, word)| same(said, word)))
    };
    is_said(server) || about.iter().any(|phrase| is_said(phrase))
}

/// The `limit` tools whose names and descriptions share most words with a request, best first; in their own order among equals.
pub fn fitting<'a, T>(request: &str, tools: Vec<(T, &'a Described)>, limit: usize) -> Vec<(T, &'a Described)> {
    let said = words(request);
    let is_said = |word: &String| said.iter().any(|other| same(other, word));
    let score = |tool: &Described| {
        let named = words(&tool.name).iter().filter(|word| is_said(word)).count();
        named * 3 + words(&tool.about).iter().filter(|word| word.len() > 3 && is_said(word)).count()
    };
    let mut scored: Vec<_> = tools.into_iter().map(|tool| (score(tool.1), tool)).collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().take(limit).map(|(_, tool)| tool).collect()
}
