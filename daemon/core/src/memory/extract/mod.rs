//! What there is to remember in what somebody said, by rule and without a model.
//!
//! A request to remember ("remember that ...") is always taken at its word; a statement ("the router is at 192.168.1.1") only where its
//! form leaves no doubt. Either way a fact gets a subject and, where the form gives one, an attribute and its value: that is what lets a
//! newer fact supersede it.

mod event;
mod statement;

use super::question::{self, Question};
use super::subject::{Alias, Naming, topic_key};
use super::{
    Draft, Fact, IMPORTANCE_USUAL, Lifetime, MENTIONS_MAX, Source, Subject, TEXT_CHARS_MAX, UnixMillis,
    VALUE_CHARS_MAX, expiry, lifetime,
};
use crate::intent::Grammar;
use crate::names::Names;
use statement::{Form, Statement};

/// A note that names nothing is about this.
const NOTES: &str = "notes";
/// Words of a note that say what it is about, where no form of a statement does.
const TOPIC_WORDS_MAX: usize = 4;
/// What a request may begin with before it comes to its point.
const LEAD_IN: [&str; 9] = ["and", "but", "so", "then", "well", "also", "jarvis", "please", "now"];
/// A question, however it is written, begins with one of these.
const ASKING: [&str; 24] = [
    "what", "which", "who", "whose", "where", "when", "why", "how", "is", "are", "am", "was", "were", "do", "does",
    "did", "has", "have", "can", "could", "will", "would", "should", "shall",
];
/// What makes a fact matter more.
const WEIGHTY: [&str; 7] = ["never", "always", "must", "important", "careful", "cannot", "danger"];

/// Reads what was said, with what can be named now. Cheap to make.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// Cuts texts into words.
    pub grammar: &'a Grammar,
    /// The live names.
    pub names: &'a Names,
    /// Names that the owner gave.
    pub aliases: &'a [Alias],
    /// When it was said.
    pub now: UnixMillis,
    /// Local time minus UTC, in seconds.
    pub local_offset_s: i32,
}

/// A word as it was written, and bare: lower case, without the punctuation around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) written: &'a str,
    pub(super) bare: String,
}

pub(super) fn cut(text: &str) -> Vec<Word<'_>> {
    text.split_whitespace()
        .map(|written| {
            let bare = written.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            Word { written, bare }
        })
        .filter(|word| !word.bare.is_empty())
        .collect()
}

pub(super) fn join(words: &[Word<'_>]) -> String {
    let text = words.iter().map(|w| w.written).collect::<Vec<_>>().join(" ");
    text.trim_end_matches(['.', ',', ';', ':', '!', '?']).to_owned()
}

impl Reader<'_> {
    /// What a request to remember holds; `tail` is what follows "remember". `None` where it holds nothing.
    pub fn told(&self, tail: &str) -> Option<Draft> {
        let bounded: String = tail.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect();
        let words = cut(&bounded);
        let lower: Vec<String> = words.iter().map(|w| w.bare.clone()).collect();
        let span = lifetime::span(&lower, self.now, self.local_offset_s);
        let mut rest = words.get(span.map_or(0, |s| s.words)..).unwrap_or_default();
        while let Some((first, tail)) = rest.split_first()
            && ["that", "please"].contains(&first.bare.as_str())
            && !tail.is_empty()
        {
            rest = tail;
        }
        while let Some((last, head)) = rest.split_last()
            && ["please", "thanks"].contains(&last.bare.as_str())
            && !head.is_empty()
        {
            rest = head;
        }
        if rest.iter().all(|w| ["it", "that", "this", "please", "thanks"].contains(&w.bare.as_str())) {
            return None;
        }
        let mut draft = self.draft(rest, Source::Said)?;
        if let Some(span) = span {
            draft.fact.lifetime = span.lifetime;
            draft.expires = Some(span.expires);
        }
        Some(draft)
    }

    /// What a plain statement holds, where its form leaves no doubt that it is one: nobody asked for it to be remembered.
    pub fn stated(&self, text: &str) -> Option<Draft> {
        if text.trim_end().ends_with('?') || text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control)
        {
            return None;
        }
        let words = cut(text);
        if asks(&words) {
            return None;
        }
        let statement = self.statement(&words)?;
        (statement.clear && !event::is_one(&words)).then(|| self.draft(&words, Source::ByRule)).flatten()
    }

    /// What somebody wants to know.
    pub fn question(&self, text: &str) -> Question {
        question::read(text, &self.naming())
    }

    pub(super) fn naming(&self) -> Naming<'_> {
        Naming { grammar: self.grammar, names: self.names, aliases: self.aliases }
    }

    fn statement(&self, words: &[Word<'_>]) -> Option<Statement> {
        let named = |phrase: &[Word<'_>]| {
            let subject = self.naming().subject(&join(phrase));
            subject.is_some_and(|(subject, _)| !matches!(subject, Subject::Topic(_)))
        };
        statement::read(words, &named)
    }

    fn draft(&self, words: &[Word<'_>], source: Source) -> Option<Draft> {
        let statement = self.statement(words);
        let event = event::is_one(words);
        let text = match &statement {
            Some(Statement { form: Form::Call, subject, value, .. }) => format!("{subject} is called {value}"),
            _ => join(words),
        };
        let naming = self.naming();
        let mentions = naming.mentions(&naming.words(&text));
        let (subject, label) = match &statement {
            Some(statement) => naming.subject(&statement.subject)?,
            None => match mentions.first() {
                Some(mention) => (mention.subject.clone(), mention.label.clone()),
                None => note(&text),
            },
        };
        let mentions: Vec<Subject> =
            mentions.into_iter().map(|m| m.subject).filter(|m| *m != subject).take(MENTIONS_MAX).collect();
        let lifetime = if event { Lifetime::Episodic } else { Lifetime::Lasting };
        let weighty = words.iter().any(|w| WEIGHTY.contains(&w.bare.as_str()));
        // What happened does not contradict what happened before.
        let statement = statement.filter(|s| !event && !s.attribute.is_empty());
        let fact = Fact {
            subject,
            label,
            attribute: statement.as_ref().map(|s| topic_key(&s.attribute)),
            value: statement.as_ref().map(|s| s.value.chars().take(VALUE_CHARS_MAX).collect()),
            single: statement.is_some_and(|s| s.replaces),
            text,
            mentions,
            source,
            tainted: false,
            lifetime,
            importance: IMPORTANCE_USUAL + u8::from(weighty),
        };
        Some(Draft { expires: expiry(lifetime, self.now), fact })
    }
}

/// Whether somebody asks for something, and states nothing: "and what colour is it", "enlighten me about the release we are on".
fn asks(words: &[Word<'_>]) -> bool {
    let begin = words.iter().position(|word| !LEAD_IN.contains(&word.bare.as_str())).unwrap_or(words.len());
    let word = |at: usize| words.get(begin + at).map_or("", |word| word.bare.as_str());
    ASKING.contains(&word(0)) || ["me", "us"].contains(&word(1))
}

/// The topic of words that are no statement: the first that say something.
fn note(text: &str) -> (Subject, String) {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !question::is_small(word))
        .take(TOPIC_WORDS_MAX)
        .collect();
    let key = topic_key(&words.join(" "));
    let key = if key.is_empty() { NOTES.to_owned() } else { key };
    (Subject::Topic(key.clone()), key)
}

#[cfg(test)]
mod tests;
