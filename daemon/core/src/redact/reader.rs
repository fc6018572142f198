//! Reads ahead, and notices when it came to the edge of what is known.
//!
//! A detector is written as if the whole text lay before it. Whether it looked at the edge, where more may still come, is noticed here,
//! once for all of them; such a finding is thrown away and sought again when more is known. That is why a text in pieces and a whole
//! text come out alike.

use std::cell::Cell;

use super::kind::{self, Begins};

/// A place in a window of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    edge: &'a Cell<bool>,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, edge: &'a Cell<bool>) -> Self {
        Self { text, at: 0, edge }
    }

    /// Bytes read since the window's start.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes to a byte that was read before.
    pub fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// What was read since `from`.
    pub fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    /// The next character; `None` at the end, and at a mark: nothing reaches over a secret that is gone.
    pub fn peek(&self) -> Option<char> {
        let rest = &self.text[self.at..];
        match rest.as_bytes().first() {
            None => {
                self.edge.set(true);
                None
            }
            Some(b'[') => match kind::begins(rest) {
                Begins::Mark(_) => None,
                Begins::MaybeMark => {
                    self.edge.set(true);
                    None
                }
                Begins::Other => Some('['),
            },
            Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
            Some(_) => rest.chars().next(),
        }
    }

    /// Whether a mark stands here.
    pub fn at_mark(&self) -> bool {
        matches!(kind::begins(&self.text[self.at..]), Begins::Mark(_))
    }

    pub fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// The character `n` places on.
    pub fn peek_at(&self, n: usize) -> Option<char> {
        let mut ahead = *self;
        for _ in 0..n {
            ahead.bump()?;
        }
        ahead.peek()
    }

    pub fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    pub fn eat_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let c = self.peek().filter(|c| wanted(*c))?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Eats the literal, or nothing. ASCII letters match in either case. A literal never begins with `[`.
    pub fn eat_str(&mut self, wanted: &str) -> bool {
        self.eat_bytes(wanted, |a, b| a.eq_ignore_ascii_case(&b))
    }

    /// Eats the literal in this very case, or nothing.
    pub fn eat_exact(&mut self, wanted: &str) -> bool {
        self.eat_bytes(wanted, |a, b| a == b)
    }

    fn eat_bytes(&mut self, wanted: &str, same: impl Fn(u8, u8) -> bool) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let equal = rest.iter().zip(wanted.as_bytes()).take_while(|(a, b)| same(**a, **b)).count();
        if equal == wanted.len() {
            self.at += equal;
            return true;
        }
        if equal == rest.len() {
            self.edge.set(true);
        }
        false
    }

    /// Takes at most `max` bytes of such characters.
    pub fn take(&mut self, max: usize, wanted: impl Fn(char) -> bool) -> &'a str {
        let from = self.at;
        while self.at - from < max && self.eat_if(&wanted).is_some() {}
        self.since(from)
    }

    /// Spaces and tabs.
    pub fn spaces(&mut self, max: usize) -> usize {
        self.take(max, |c| c == ' ' || c == '\t').len()
    }

    /// Whether nothing that belongs to a word follows.
    pub fn word_ends(&self) -> bool {
        self.peek().is_none_or(|c| !is_word(c))
    }

    /// Whether the line ends here, white space aside.
    pub fn line_ends(&self) -> bool {
        let mut ahead = *self;
        ahead.spaces(64);
        matches!(ahead.peek(), None | Some('\n' | '\r')) && !ahead.at_mark()
    }
}

/// Pairs of characters with which the words of a table begin or end. Most words of a text share none with it and need not be compared.
/// Case and the upper bits do not count, so it may say yes too often, never no.
pub(super) struct Pairs([bool; 1024]);

impl Pairs {
    pub const fn none() -> Self {
        Self([false; 1024])
    }

    /// With the first two bytes of this word.
    pub const fn beginning(mut self, word: &str) -> Self {
        let bytes = word.as_bytes();
        self.0[Self::index(bytes[0], bytes[1])] = true;
        self
    }

    /// With the last two bytes of this word.
    pub const fn ending(mut self, word: &str) -> Self {
        let bytes = word.as_bytes();
        self.0[Self::index(bytes[bytes.len() - 2], bytes[bytes.len() - 1])] = true;
        self
    }

    /// Whether a word of the table may begin here.
    pub fn may_begin(&self, reader: Reader<'_>) -> bool {
        match reader.text.as_bytes()[reader.at..] {
            [a, b, ..] => self.0[Self::index(a, b)],
            _ => true,
        }
    }

    /// Whether this may end as a word of the table does.
    pub fn may_end(&self, word: &str) -> bool {
        matches!(word.as_bytes(), [.., a, b] if self.0[Self::index(*a, *b)])
    }

    const fn index(a: u8, b: u8) -> usize {
        ((a & 31) as usize) << 5 | (b & 31) as usize
    }
}

/// Letters, digits and `_`. Letters of other scripts stand beside a secret without a space, so they are not among them.
pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Characters of base64, either alphabet.
pub(super) fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_')
}

/// Characters of a token that may stand in an address.
pub(super) fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}
