//! Turns text as it is written into words that any speech engine can say, in British English.
//!
//! Engines disagree about everything but plain words, and a figure read wrongly is a wrong answer. So numbers, units, dates and names
//! are written out here: what comes out holds letters, spaces and the punctuation that makes a pause, and no digit.
//!
//! A number counts ("one hundred and four guests") unless it names something: VMIDs, ports, addresses and status codes are read digit
//! by digit ("VM one zero four").

mod address;
mod asides;
mod clean;
mod date;
mod figure;
mod html;
mod math;
mod name;
mod number;
mod token;
mod upid;

pub use asides::{Asides, MAX_HELD_BYTES as MAX_ASIDE_HELD_BYTES, without_asides};
use token::Token;

/// Longest text that is turned into words, in characters; what is beyond is left out. Sentences are shorter
/// ([`crate::sentences::MAX_SENTENCE_CHARS`]).
pub const MAX_TEXT_CHARS: usize = 2000;

/// Longest result, in bytes.
pub const MAX_SPOKEN_BYTES: usize = 16 * 1024;

/// The words to say for `text`; empty where it holds nothing that can be said.
pub fn speakable(text: &str) -> String {
    let text: String = text.chars().take(MAX_TEXT_CHARS).collect();
    let text = clean::clean(&crate::redact::spoken(&text));
    let tokens = token::split(&text);
    let mut spoken = String::new();
    let mut at = 0;
    let mut before = Before::default();
    while at < tokens.len() {
        let (words, taken) = say(&tokens[at..], &before);
        push(&mut spoken, &tokens[at], &words, &tokens[at + taken - 1]);
        before.remember(&tokens[at..at + taken], &words);
        at += taken;
    }
    clean::finish(&spoken, MAX_SPOKEN_BYTES)
}

/// What the tokens before say about a number.
#[derive(Debug, Default)]
struct Before {
    /// The last token, in lower case.
    word: String,
    /// A list of VMIDs or the like is going on.
    digits: bool,
}

impl Before {
    fn remember(&mut self, tokens: &[Token<'_>], words: &str) {
        let Some(last) = tokens.last() else { return };
        let joins = matches!(last.core, "and" | "or" | "&");
        let names = figure::names_things(last.core) && !last.ends_sentence();
        let listed = self.digits && tokens.len() == 1 && last.is_integer() && !words.is_empty();
        self.digits = names || (self.digits && joins) || (listed && !last.ends_sentence());
        self.word = last.core.to_lowercase();
    }
}

/// The words of the first token, or of several that belong together, and how many those are.
fn say(tokens: &[Token<'_>], before: &Before) -> (String, usize) {
    let core = tokens[0].core;
    let one = |words: String| (words, 1);
    None.or_else(|| upid::say(core).map(one))
        .or_else(|| address::say(core).map(one))
        .or_else(|| date::say(tokens, &before.word))
        .or_else(|| figure::say(tokens, before))
        .unwrap_or_else(|| one(name::say(core)))
}

/// Adds the words, with the pauses of the first token's front and the last one's back.
fn push(spoken: &mut String, first: &Token<'_>, words: &str, last: &Token<'_>) {
    spoken.push_str(first.pause_before());
    spoken.push_str(words);
    spoken.push_str(last.pause_after());
    spoken.push(' ');
}

#[cfg(test)]
mod tests;
