//! Keeps out of speech what small models write between tags when their server does not take it out: `<think>` and `<tool_call>`.
//!
//! The text may be cut anywhere, in the middle of a tag too; what may be the beginning of one is held back until it is clear.

use jarvis_core::mind::args::MAX_ARGS_BYTES;

const THINK: &str = "<think>";
const THINK_END: &str = "</think>";
const CALL: &str = "<tool_call>";
const CALL_END: &str = "</tool_call>";

/// A part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// To be spoken.
    Speech(String),
    /// Not to be.
    Thought(String),
    /// A call as it stood between its tags.
    Call(String),
}

/// Takes a text apart as it comes.
#[derive(Debug, Default)]
pub(super) struct Tags {
    held: String,
    inside: Inside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Inside {
    #[default]
    Speech,
    Thought,
    Call,
}

/// A call that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Tags {
    /// Takes the next words.
    pub(super) fn push(&mut self, text: &str) -> Result<Vec<Piece>, TooLong> {
        self.held.push_str(text);
        let mut pieces = Vec::new();
        loop {
            let tags: &[(&str, Inside)] = match self.inside {
                // An end without a beginning: the template wrote the beginning into the prompt.
                Inside::Speech => &[(THINK, Inside::Thought), (CALL, Inside::Call), (THINK_END, Inside::Speech)],
                Inside::Thought => &[(THINK_END, Inside::Speech)],
                Inside::Call => &[(CALL_END, Inside::Speech)],
            };
            let found = tags
                .iter()
                .filter_map(|(tag, then)| Some((self.held.find(tag)?, *tag, *then)))
                .min_by_key(|found| found.0);
            match found {
                Some((at, tag, then)) => {
                    let rest = self.held.split_off(at + tag.len());
                    self.held.truncate(at);
                    let part = std::mem::replace(&mut self.held, rest);
                    self.give(part, &mut pieces);
                    self.inside = then;
                }
                None if self.inside == Inside::Call => {
                    return if self.held.len() > MAX_ARGS_BYTES { Err(TooLong) } else { Ok(pieces) };
                }
                None => {
                    let begun = tags.iter().map(|(tag, _)| begun(&self.held, tag)).max().unwrap_or(0);
                    let rest = self.held.split_off(self.held.len() - begun);
                    let part = std::mem::replace(&mut self.held, rest);
                    self.give(part, &mut pieces);
                    return Ok(pieces);
                }
            }
        }
    }

    /// The rest, at the end of the text.
    pub(super) fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let part = std::mem::take(&mut self.held);
        self.give(part, &mut pieces);
        pieces
    }

    fn give(&self, part: String, pieces: &mut Vec<Piece>) {
        if !part.is_empty() {
            pieces.push(match self.inside {
                Inside::Speech => Piece::Speech(part),
                Inside::Thought => Piece::Thought(part),
                Inside::Call => Piece::Call(part),
            });
        }
    }
}

/// Bytes at the end of `text` with which `tag` begins.
fn begun(text: &str, tag: &str) -> usize {
    (1..tag.len()).rev().find(|n| text.ends_with(&tag[..*n])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Speech, thoughts and calls, each as one text.
    fn take(text: &str, sizes: &[usize]) -> (String, String, Vec<String>) {
        let (mut tags, mut all) = (Tags::default(), (String::new(), String::new(), Vec::new()));
        let (mut rest, mut sizes) = (text, sizes.iter().cycle());
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let size = rest.ceil_char_boundary(sizes.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len()));
            let (part, later) = rest.split_at(size);
            pieces.extend(tags.push(part).unwrap());
            rest = later;
        }
        pieces.extend(tags.finish());
        for piece in pieces {
            match piece {
                Piece::Speech(text) => all.0.push_str(&text),
                Piece::Thought(text) => all.1.push_str(&text),
                Piece::Call(text) => all.2.push(text),
            }
        }
        all
    }

    #[test]
    fn what_stands_between_tags_is_not_spoken() {
        let cases: [(&str, &str, &str, &[&str]); 7] = [
            ("Good evening, sir.", "Good evening, sir.", "", &[]),
            ("<think>Hm.</think>\n\nYes.", "\n\nYes.", "Hm.", &[]),
            ("<think>never ends", "", "never ends", &[]),
            ("Yes.<tool_call>{\"name\":1}</tool_call><tool_call>{}</tool_call>", "Yes.", "", &["{\"name\":1}", "{}"]),
            ("a < b <thin c", "a < b <thin c", "", &[]),
            ("Yes.</think> No.", "Yes. No.", "", &[]),
            ("<tool_call>{\"a\": \"<think>\"}</tool_call>", "", "", &["{\"a\": \"<think>\"}"]),
        ];
        for (text, speech, thought, calls) in cases {
            for size in [1, 2, 3, 100] {
                let taken = take(text, &[size]);
                assert_eq!((taken.0.as_str(), taken.1.as_str()), (speech, thought), "{text}");
                assert_eq!(taken.2, calls, "{text}");
            }
        }
        assert_eq!(Tags::default().push(&format!("<tool_call>{}", "x".repeat(MAX_ARGS_BYTES + 1))), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_split_says_the_same(
            parts in prop::collection::vec(prop_oneof![Just("<think>"), Just("</think>"), Just("<tool_call>"), Just("</tool_call>"), Just("<"), Just("é x"), Just("/th")], 0..20),
            sizes in prop::collection::vec(1usize..9, 1..9),
        ) {
            let text = parts.concat();
            prop_assert_eq!(take(&text, &sizes), take(&text, &[usize::MAX]));
        }
    }
}
