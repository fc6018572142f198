//! From the pieces in which a model writes to sentences for the ear, and the rest for the page.
//!
//! In this order: secrets are taken out, then what is not for the ear (code, thoughts), then the text is cut into sentences. The first
//! sentence is given out as soon as it is whole. A long answer is spoken to a point and shown whole; an answer that cannot be spoken is
//! shown, and [`Told::silence`] says why nothing was heard of it.

use crate::redact;
use crate::sentences::Sentences;
use crate::speakable::{Asides, speakable};

/// Most sentences of one message that are spoken; the page has the rest.
pub const SPOKEN_SENTENCES_MAX: usize = 8;
/// Most characters of one message that are spoken.
pub const SPOKEN_CHARS_MAX: usize = 900;
/// Longest text that is kept for the page, in bytes.
const WRITTEN_BYTES_MAX: usize = 64 << 10;

/// Why nothing of an answer was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// There was none.
    Empty,
    /// It is written in letters that no engine here reads.
    Script,
    /// It is code, a table, or the like.
    Markup,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The last sentences.
    pub rest: Vec<String>,
    /// All that was written, where not all of it was spoken.
    pub page: Option<String>,
    /// Why nothing at all was given out; `None` where something was.
    pub silence: Option<Silence>,
    /// Whether the spoken part was cut short for its length.
    pub long: bool,
    /// Whether a part of it is in letters that no engine here reads, and was left out of what was spoken.
    pub unread: bool,
}

/// An answer as it is written. See the module.
#[derive(Debug)]
pub struct Telling {
    redact: redact::Stream,
    asides: Asides,
    sentences: Sentences,
    written: String,
    /// Bytes that are for the ear, as they were written.
    for_ear: usize,
    spoken: usize,
    /// Of the message at hand.
    sentences_spoken: usize,
    chars_spoken: usize,
    full: bool,
    foreign: bool,
    long: bool,
}

impl Default for Telling {
    fn default() -> Self {
        Self::new()
    }
}

impl Telling {
    /// Nothing was written yet.
    pub fn new() -> Self {
        Self {
            redact: redact::Stream::new(),
            asides: Asides::new(),
            sentences: Sentences::new(),
            written: String::new(),
            for_ear: 0,
            spoken: 0,
            sentences_spoken: 0,
            chars_spoken: 0,
            full: false,
            foreign: false,
            long: false,
        }
    }

    /// Takes the next piece and gives the sentences to be spoken now.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        let clean = self.redact.push(piece).text;
        self.clean(&clean)
    }

    /// A message is over: its last sentence, even without a full stop.
    pub fn pause(&mut self) -> Vec<String> {
        let clean = std::mem::take(&mut self.redact).finish().text;
        let mut out = self.clean(&clean);
        let heard = std::mem::take(&mut self.asides).finish();
        self.asides = Asides::new();
        self.for_ear += heard.len();
        let mut last = self.sentences.push(&heard);
        last.extend(std::mem::take(&mut self.sentences).finish());
        out.extend(last.into_iter().filter(|sentence| self.takes(sentence)));
        if !self.written.is_empty() && !self.written.ends_with('\n') {
            self.keep("\n");
            self.for_ear += 1;
        }
        (self.sentences_spoken, self.chars_spoken, self.full) = (0, 0, false);
        out
    }

    /// The answer is over.
    pub fn close(mut self) -> Told {
        let rest = self.pause();
        let hidden = self.for_ear < self.written.len();
        let silence = match (self.spoken, self.written.trim().is_empty()) {
            (0, true) => Some(Silence::Empty),
            (0, false) if self.foreign => Some(Silence::Script),
            (0, false) => Some(Silence::Markup),
            _ => None,
        };
        let page = (hidden || self.foreign || self.long || silence.is_some()) && !self.written.trim().is_empty();
        let unread = self.foreign && silence.is_none();
        Told { rest, page: page.then(|| self.written.trim().to_owned()), silence, long: self.long, unread }
    }

    fn clean(&mut self, clean: &str) -> Vec<String> {
        self.keep(clean);
        let heard = self.asides.push(clean);
        self.for_ear += heard.len();
        let whole = self.sentences.push(&heard);
        whole.into_iter().filter(|sentence| self.takes(sentence)).collect()
    }

    fn keep(&mut self, text: &str) {
        let room = WRITTEN_BYTES_MAX.saturating_sub(self.written.len());
        self.written.push_str(&text[..text.floor_char_boundary(room)]);
    }

    /// Whether a sentence is for the ear.
    fn takes(&mut self, sentence: &str) -> bool {
        if !readable(sentence) {
            self.foreign = true;
            return false;
        }
        if speakable(sentence).is_empty() {
            return false;
        }
        let chars = sentence.chars().count();
        let room = self.sentences_spoken < SPOKEN_SENTENCES_MAX && self.chars_spoken + chars <= SPOKEN_CHARS_MAX;
        // Once something was left out, nothing that follows it is spoken.
        if self.full || !(room || self.sentences_spoken == 0) {
            (self.full, self.long) = (true, true);
            return false;
        }
        self.spoken += 1;
        self.sentences_spoken += 1;
        self.chars_spoken += chars;
        true
    }
}

/// Whether most letters are Latin: others are spelled out by their code points, or not at all.
fn readable(sentence: &str) -> bool {
    let letters = || sentence.chars().filter(|c| c.is_alphabetic());
    let latin = letters().filter(|c| ('a'..='\u{24f}').contains(&c.to_ascii_lowercase())).count();
    latin * 2 >= letters().count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tell(pieces: &[&str]) -> (Vec<String>, Told) {
        let mut telling = Telling::new();
        let said = pieces.iter().flat_map(|piece| telling.push(piece)).collect();
        (said, telling.close())
    }

    #[test]
    fn the_first_sentence_comes_before_the_second_is_whole() {
        let (said, told) = tell(&["Node two stands", " at 61 °C, sir. The others", " are cooler."]);
        assert_eq!(said, ["Node two stands at 61 °C, sir."]);
        assert_eq!(told.rest, ["The others are cooler."]);
        assert_eq!((told.page, told.silence, told.long), (None, None, false));
    }

    #[test]
    fn secrets_go_before_anything_is_said_or_shown() {
        let (said, told) = tell(&[
            "The password is Wint3r!Gar",
            "den-77x. Good evening, sir. ",
            "```\npassword=Wint3r!Garden-77x\n```",
        ]);
        let all = format!("{said:?}{told:?}");
        assert!(!all.contains("Wint3r"), "{all}");
        assert!(told.page.is_some_and(|page| page.contains("[secret")), "the page shows that something was there");
    }

    #[test]
    fn what_cannot_be_spoken_is_not_silent() {
        let (said, told) = tell(&["Узел два работает хорошо. Всё в порядке."]);
        assert!(said.is_empty() && told.rest.is_empty());
        assert_eq!((told.silence, told.page.is_some()), (Some(Silence::Script), true));
        let (_, told) = tell(&["```sh\nqm list\n```"]);
        assert_eq!((told.silence, told.page.as_deref()), (Some(Silence::Markup), Some("```sh\nqm list\n```")));
        let (_, told) = tell(&["  \n", "<think>hm</think>"]);
        assert_eq!(told.silence, Some(Silence::Markup));
        let (_, told) = tell(&[]);
        assert_eq!((told.silence, told.page), (Some(Silence::Empty), None));
        let (_, told) = tell(&["Der Knoten läuft."]);
        assert_eq!((told.silence, told.unread), (None, false), "a voice can read it, however oddly");
    }

    #[test]
    fn what_is_left_out_for_its_letters_is_told_apart_from_an_answer_without_a_word() {
        let mut telling = Telling::new();
        assert_eq!(telling.push("I shall look. "), ["I shall look."]);
        telling.pause();
        assert!(telling.push("Узел два работает хорошо.").is_empty());
        let told = telling.close();
        assert_eq!((told.silence, told.unread), (None, true), "the answer itself was not heard");
        assert!(told.page.is_some_and(|page| page.contains("Узел")));
        let (_, told) = tell(&["Узел два работает хорошо."]);
        assert_eq!((told.silence, told.unread), (Some(Silence::Script), false));
    }

    #[test]
    fn a_long_answer_is_cut_for_the_ear_and_whole_on_the_page() {
        let long = "This is a sentence about nothing much. ".repeat(40);
        let (said, told) = tell(&[&long]);
        assert_eq!(said.len() + told.rest.len(), SPOKEN_SENTENCES_MAX);
        assert!(told.long && told.page.is_some_and(|page| page.len() + 1 >= long.trim().len()));
    }

    #[test]
    fn a_message_ends_its_sentence_and_the_next_begins_anew() {
        let mut telling = Telling::new();
        assert!(telling.push("One moment, sir").is_empty());
        assert_eq!(telling.pause(), ["One moment, sir"]);
        assert!(telling.push("Node two is well.").is_empty());
        let told = telling.close();
        assert_eq!((told.rest.as_slice(), told.page), (["Node two is well.".to_owned()].as_slice(), None));
    }

    proptest! {
        #[test]
        fn how_it_is_cut_into_pieces_changes_nothing(text in "[a-zA-Z0-9 .,!?`<>/*\n\u{444}-]{0,200}", cut in 0usize..200) {
            let cut = text.floor_char_boundary(cut);
            let whole = tell(&[&text]);
            let pieces = tell(&[&text[..cut], &text[cut..]]);
            let all = |(said, told): (Vec<String>, Told)| (said.into_iter().chain(told.rest).collect::<Vec<_>>(), told.page, told.silence);
            prop_assert_eq!(all(whole), all(pieces));
        }

        #[test]
        fn nothing_is_ever_both_silent_and_unexplained(text in "\\PC{0,120}") {
            let (said, told) = tell(&[&text]);
            prop_assert_eq!(said.is_empty() && told.rest.is_empty(), told.silence.is_some());
        }
    }
}
