//! Cuts a growing text into sentences, so that the first can be spoken while the rest is still being written.
//!
//! A sentence is given out as soon as what follows can't change it. Where a full stop is doubtful (an abbreviation, an ellipsis, a
//! list number), the next visible character decides. No sentence is longer than [`MAX_SENTENCE_CHARS`], whatever comes in.

/// Longest sentence, in characters; a longer one is cut at a clause, else between words. It is about half a minute of speech.
pub const MAX_SENTENCE_CHARS: usize = 400;

/// Never the end of a sentence with their full stop, in this very case ("5 ms." may end one).
const TITLES: &[&str] = &["Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Sr", "Jr"];

/// Never the end of a sentence with their full stop.
const NEVER_ENDS: &[&str] = &["e.g", "i.e", "cf", "vs", "viz", "approx", "esp", "resp"];

/// With a full stop, the end of a sentence only where a capital follows.
const BEFORE_CAPITAL: &[&str] = &["etc", "min", "max", "avg", "temp", "incl", "excl", "dept", "ca"];

/// No end of a sentence where a number follows.
const BEFORE_NUMBER: &[&str] = &["no", "nos", "nr", "fig", "figs", "vol", "ch", "p", "pp", "art", "v", "ver"];

/// Characters that may close a sentence after its full stop.
const CLOSERS: &[char] = &['"', '\'', '”', '’', '»', ')', ']', '*', '_', '`'];

/// Takes a text in pieces and gives its sentences.
#[derive(Debug, Default)]
pub struct Sentences {
    /// What is not given out yet; its start is the start of a sentence.
    pending: String,
    /// Bytes of `pending` that can't hold an end any more.
    settled: usize,
}

/// What can be said of a place in the text.
enum Place {
    /// A sentence ends before this byte.
    End(usize),
    /// None ends here.
    Inside,
    /// What follows will tell.
    Open,
}

impl Sentences {
    /// Nothing has come yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece and gives the sentences that are whole now, in order, without white space around them.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        let mut whole = Vec::new();
        let mut rest = piece;
        while !rest.is_empty() {
            let end = rest.char_indices().nth(MAX_SENTENCE_CHARS).map_or(rest.len(), |(at, _)| at);
            self.pending.push_str(&rest[..end]);
            rest = &rest[end..];
            self.take_whole(&mut whole);
        }
        whole
    }

    /// The text is over: what was still open is its last sentence; `None` where nothing sayable is left.
    pub fn finish(mut self) -> Option<String> {
        take_sentence(&mut self.pending, usize::MAX)
    }

    fn take_whole(&mut self, whole: &mut Vec<String>) {
        loop {
            match self.next_end() {
                Some(end) => {
                    whole.extend(take_sentence(&mut self.pending, end));
                    self.settled = 0;
                }
                None if self.pending.chars().nth(MAX_SENTENCE_CHARS).is_some() => {
                    let end = forced_end(&self.pending);
                    whole.extend(take_sentence(&mut self.pending, end));
                    self.settled = 0;
                }
                None => return,
            }
        }
    }

    fn next_end(&mut self) -> Option<usize> {
        let text = self.pending.as_str();
        for (offset, c) in text[self.settled..].char_indices() {
            let at = self.settled + offset;
            let place = match c {
                '.' | '!' | '?' | '…' | '。' => full_stop(text, at),
                '\n' => line_end(text, at),
                _ => Place::Inside,
            };
            match place {
                Place::End(end) if chars_within(text, end) => return Some(end),
                Place::End(_) => return None,
                Place::Inside => {}
                Place::Open => {
                    self.settled = at;
                    return None;
                }
            }
        }
        // A run such as "?!" or "..." is judged at its last character, so the last one stays open.
        self.settled = text.char_indices().next_back().map_or(0, |(at, _)| at).max(self.settled);
        None
    }
}

/// Whether the sentence that ends there is short enough to be given out as it is.
fn chars_within(text: &str, end: usize) -> bool {
    text[..end].chars().nth(MAX_SENTENCE_CHARS).is_none()
}

/// Takes everything before `end` and the white space after it; `None` where that holds no letter and no digit.
fn take_sentence(pending: &mut String, end: usize) -> Option<String> {
    let rest = pending.get(end..).map(|rest| rest.trim_start().to_owned()).unwrap_or_default();
    pending.truncate(end.min(pending.len()));
    let sentence = std::mem::replace(pending, rest);
    sentence.contains(char::is_alphanumeric).then(|| sentence.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Judges the sentence mark at `at`.
fn full_stop(text: &str, at: usize) -> Place {
    let mut after = text[at..].char_indices().skip(1).peekable();
    let Some(&(_, next)) = after.peek() else {
        return Place::Open;
    };
    if is_mark(next) {
        return Place::Inside;
    }
    let mut end = None;
    for (offset, c) in after {
        if CLOSERS.contains(&c) {
            continue;
        }
        end = c.is_whitespace().then_some(at + offset);
        break;
    }
    let Some(end) = end else {
        let closers_only = text[at..].chars().skip(1).all(|c| CLOSERS.contains(&c));
        return if closers_only { Place::Open } else { Place::Inside };
    };
    if in_brackets(&text[..at]) && (!text.starts_with('(') || in_brackets(&text[..end])) {
        return Place::Inside;
    }
    let next = text[end..].chars().find(|c| !c.is_whitespace());
    let marks_end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    let run = text[..marks_end].trim_end_matches(is_mark);
    let marks = &text[run.len()..marks_end];
    if marks.contains(['!', '?', '。']) {
        return Place::End(end);
    }
    let ellipsis = marks.starts_with("..") || marks.contains('…');
    if ellipsis {
        return unless(next, end, char::is_lowercase);
    }
    let word = run.rsplit(|c: char| c.is_whitespace() || "([\"'“‘*_".contains(c)).next().unwrap_or_default();
    let lower = word.to_lowercase();
    if is_list_number(run, word) || is_initial(word) || TITLES.contains(&word) || NEVER_ENDS.contains(&lower.as_str()) {
        return Place::Inside;
    }
    if BEFORE_NUMBER.contains(&lower.as_str()) {
        return unless(next, end, |c| c.is_ascii_digit());
    }
    // "a.m.", "etc.", "U.K.": only a capital after them begins a sentence.
    let letters_with_stops =
        lower.contains('.') && lower.split('.').all(|part| part.len() == 1 && part.starts_with(char::is_alphabetic));
    if letters_with_stops || BEFORE_CAPITAL.contains(&lower.as_str()) {
        return unless(next, end, |c| !c.is_uppercase());
    }
    Place::End(end)
}

fn unless(next: Option<char>, end: usize, goes_on: impl Fn(char) -> bool) -> Place {
    match next {
        None => Place::Open,
        Some(c) if goes_on(c) => Place::Inside,
        Some(_) => Place::End(end),
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。')
}

/// "J." in "J. Smith", but not the pronoun.
fn is_initial(word: &str) -> bool {
    let mut chars = word.chars();
    matches!((chars.next(), chars.next()), (Some(c), None) if c.is_uppercase() && c != 'I')
}

/// "2." at the start of a line numbers an item.
fn is_list_number(run: &str, word: &str) -> bool {
    let line = run.rsplit('\n').next().unwrap_or(run);
    line.trim() == word && !word.is_empty() && word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a bracket is open: a full stop inside it ends nothing, unless the whole sentence stands in brackets.
fn in_brackets(text: &str) -> bool {
    let open = text.matches('(').count();
    open > text.matches(')').count()
}

/// A new line ends what stands on the old one, unless it goes on in small letters.
fn line_end(text: &str, at: usize) -> Place {
    let blank_line = text[at + 1..].chars().take_while(|c| c.is_whitespace()).any(|c| c == '\n');
    if blank_line {
        return Place::End(at);
    }
    unless(text[at..].chars().find(|c| !c.is_whitespace()), at, char::is_lowercase)
}

/// Where to cut a sentence that is too long: after a clause in its second half, else between words, else anywhere.
fn forced_end(text: &str) -> usize {
    let limit = text.char_indices().nth(MAX_SENTENCE_CHARS).map_or(text.len(), |(at, _)| at);
    let head = &text[..limit];
    let clause = head
        .char_indices()
        .rev()
        .find(|&(at, c)| {
            matches!(c, ',' | ';' | ':' | '—') && text[at + c.len_utf8()..].starts_with(char::is_whitespace)
        })
        .map(|(at, c)| at + c.len_utf8())
        .filter(|&at| at > limit / 2);
    clause.or_else(|| head.rfind(char::is_whitespace).filter(|&at| at > 0)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Splits the text in pieces of `size` characters.
    fn split(text: &str, size: usize) -> Vec<String> {
        let mut sentences = Sentences::new();
        let chars: Vec<char> = text.chars().collect();
        let mut all = Vec::new();
        for piece in chars.chunks(size) {
            all.extend(sentences.push(&piece.iter().collect::<String>()));
        }
        all.extend(sentences.finish());
        all
    }

    /// Sentences are separated by `|` in the expectation; the text is the expectation without it.
    #[test]
    fn texts_are_cut_where_a_reader_would() {
        let cases = [
            "Node two is well. |It runs five guests.",
            "Is it up? |Yes! |Good.",
            "Really?! |Quite so.",
            "Mr. Smith and Dr. Jones left. |Indeed.",
            "Some nodes, e.g. pve2, are warm. |Others, i.e. pve3, are not.",
            "It draws 61.4 watts at 1.5 GHz. |Fine.",
            "Version 9.2.3 runs on pve2. |The kernel is 6.8.12-4-pve.",
            "See https://pve.example.com:8006/?a=b.c! |Then return.",
            "The address is 192.168.1.10. |Ping it.",
            "Well... it works. |Hm... |That is odd.",
            "Wait… yes. |Wait… |No.",
            "No. |It is down.",
            "No. 5 is alive. |See fig. 3 for it.",
            "It was 9 a.m. in London. |It was 9 a.m. |Everybody slept.",
            "Disks, fans, etc. are well. |Disks, fans, etc. |All is well.",
            "He said \"Stop.\" |Then he left.",
            "He said “It is done.” |I agree.",
            "It is up (see the log. It is long.) and well. |Good.",
            "(It is long.) |So am I. |Then we agree.",
            "J. Smith asked.",
            "All is well, sir.",
            "Guest 104 uses 3.5 GiB, i.e. 44 %. |Nothing else.",
            "**Done.** |Next.",
            "It is 5. |Now 6.",
        ];
        for case in cases {
            let expected: Vec<_> = case.split('|').map(|s| s.trim().to_owned()).collect();
            let text = case.replace('|', "");
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(split(&text, size), expected, "pieces of {size}: {text}");
            }
        }
    }

    #[test]
    fn lines_of_a_list_are_sentences() {
        let text = "Here they are:\n- web-server\n- dns-server\n\n1. First\n2. Second one. Really.\n# End\nof it all";
        let expected = [
            "Here they are:",
            "- web-server",
            "- dns-server",
            "1. First",
            "2. Second one.",
            "Really.",
            "# End of it all",
        ];
        for size in [1, 3, 1000] {
            assert_eq!(split(text, size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn the_first_sentence_goes_out_as_soon_as_it_is_whole() {
        let mut sentences = Sentences::new();
        assert!(sentences.push("All is well.").is_empty());
        assert_eq!(sentences.push(" "), ["All is well."]);
        assert_eq!(sentences.push("Done! And"), ["Done!"]);
        assert_eq!(sentences.finish().as_deref(), Some("And"));
    }

    #[test]
    fn an_endless_sentence_is_cut_at_a_clause_or_a_word() {
        let clause = format!("{}, {}", "word ".repeat(50).trim(), "more ".repeat(100));
        let cut = split(&clause, 10);
        assert!(cut[0].ends_with("word,"), "{cut:?}");
        let words = split(&"word ".repeat(1000), 10);
        assert!(words.iter().all(|s| s.split(' ').all(|w| w == "word")));
    }

    #[test]
    fn nothing_to_say_is_no_sentence() {
        assert!(split("--- *** ... !!! \n\n\t", 1).is_empty());
        assert_eq!(Sentences::new().finish(), None);
    }

    proptest! {
        #[test]
        fn bounded_complete_and_in_order(text in "([a-zA-Z0-9 .!?,()\"\n*éß…]|\\. |Mr\\. ){0,1500}", size in 1usize..50) {
            let sentences = split(&text, size);
            for sentence in &sentences {
                prop_assert!(sentence.chars().count() <= MAX_SENTENCE_CHARS);
                prop_assert!(!sentence.is_empty());
            }
            let kept = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            prop_assert_eq!(kept(&sentences.concat()), kept(&text));
        }

        #[test]
        fn the_pieces_do_not_matter(text in "([a-zA-Z0-9.,]|\\. |e\\.g\\. |\\.\\.\\.|\n){0,60}", a in 1usize..20, b in 20usize..400) {
            prop_assert_eq!(split(&text, a), split(&text, b));
        }

        #[test]
        fn any_text_is_taken(text in any::<String>(), size in 1usize..9) {
            split(&text, size);
        }
    }
}
