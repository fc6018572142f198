//! Tokens: what stands between white space, without the punctuation around it.

/// One token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    front: &'a str,
    /// The token without punctuation around it.
    pub core: &'a str,
    back: &'a str,
}

/// Abbreviations that keep their full stop: it makes no pause.
const WITH_STOP: &[&str] =
    &["mr", "mrs", "ms", "dr", "prof", "st", "e.g", "i.e", "vs", "approx", "etc", "no", "fig", "incl"];

/// Splits at white space; empty cores are kept, they may carry a pause.
pub(super) fn split(text: &str) -> Vec<Token<'_>> {
    text.split_whitespace().map(Token::new).collect()
}

impl<'a> Token<'a> {
    fn new(token: &'a str) -> Self {
        let start = token.find(|c| !is_front(c)).unwrap_or(token.len());
        let (front, rest) = token.split_at(start);
        let end = rest.trim_end_matches(is_back).len();
        let (core, back) = rest.split_at(end);
        Self { front, core, back }
    }

    /// Whether it stands in brackets alone.
    pub fn is_bracketed(&self) -> bool {
        self.front.contains(['(', '[']) && self.back.contains([')', ']'])
    }

    /// Whether something follows it without a pause: then it may belong to the next token.
    pub fn goes_on(&self) -> bool {
        self.back.is_empty()
    }

    /// Whether a sentence or a clause with it is over.
    pub fn ends_sentence(&self) -> bool {
        self.back.contains(['.', '!', '?', ';'])
    }

    pub fn is_integer(&self) -> bool {
        !self.core.is_empty() && self.core.bytes().all(|b| b.is_ascii_digit())
    }

    pub fn pause_before(&self) -> &'static str {
        if self.front.contains(['(', '[', '{']) { ", " } else { "" }
    }

    pub fn pause_after(&self) -> &'static str {
        let back = if self.core.is_empty() {
            self.front
        } else if is_abbreviation(self.core) {
            self.back.strip_prefix('.').unwrap_or(self.back)
        } else {
            self.back
        };
        if back.contains('?') {
            "?"
        } else if back.contains('!') {
            "!"
        } else if back.contains('.') {
            "."
        } else if back.contains(';') {
            ";"
        } else if back.contains(':') {
            ":"
        } else if back.contains([',', ')', ']', '}']) {
            ","
        } else {
            ""
        }
    }
}

fn is_abbreviation(core: &str) -> bool {
    WITH_STOP.contains(&core.to_lowercase().as_str())
}

fn is_front(c: char) -> bool {
    matches!(c, '(' | '[' | '{' | '"' | '\'' | ',' | ';' | ':' | '!' | '?')
}

fn is_back(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | '"' | '\'' | ',' | ';' | ':' | '!' | '?' | '.')
}
