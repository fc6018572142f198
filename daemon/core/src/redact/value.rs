//! Values: how they are read, and what their shape says.

use super::reader::Reader;
use super::run::{self, Run};
use super::words::{NO_VALUES, REFERENCES};
use super::{Kind, scan::Match, shape};

/// Bytes of a value that are looked at; a longer one is a secret for its length alone.
const LOOKED_AT: usize = 256;

/// A value as it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    pub text: &'a str,
    start: usize,
    end: usize,
    run: Run,
    pub quoted: bool,
    /// Its closing quote was in sight.
    pub closed: bool,
}

impl Value<'_> {
    /// It is a secret.
    pub fn secret(&self, kind: Kind) -> Match {
        Match { kind, start: self.start, end: self.end, run: self.run }
    }
}

/// Quotes that open a value, and what closes it.
const QUOTES: &[(&str, char)] = &[
    ("\"", '"'),
    ("'", '\''),
    ("`", '`'),
    ("\\\"", '\\'),
    ("\\'", '\\'),
    ("“", '”'),
    ("‘", '’'),
    ("„", '“'),
    ("«", '»'),
];

/// Reads the value here; `None` where there is none.
pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Option<Value<'a>> {
    // A YAML tag says what the value is.
    if reader.eat_exact("!!") {
        reader.take(20, char::is_alphanumeric);
        reader.spaces(4);
    }
    let mut ahead = *reader;
    ahead.take(1, |c| "brfu".contains(c));
    let prefixed = ahead.peek().is_some_and(|c| c == '"' || c == '\'');
    let mut reader_at = if prefixed { ahead } else { *reader };
    for (open, close) in QUOTES {
        if !reader_at.eat_exact(open) {
            continue;
        }
        let start = reader_at.at();
        run::quoted(&mut reader_at, *close, LOOKED_AT);
        let value = Value {
            text: reader_at.since(start),
            start,
            end: reader_at.at(),
            run: Run::Quoted(*close),
            quoted: true,
            closed: reader_at.peek() == Some(*close),
        };
        *reader = reader_at;
        return (!value.text.is_empty() && !reader.at_mark()).then_some(value);
    }
    reader.take(2, |c| c == '*');
    let start = reader.at();
    run::bare(reader, LOOKED_AT);
    let text = reader.since(start);
    let value = Value { text, start, end: reader.at(), run: Run::Bare, quoted: false, closed: false };
    (!text.is_empty() && !touches_mark(*reader)).then_some(value)
}

/// Whether a mark follows, punctuation aside: then this is a part of what was judged as a whole before its secret went.
fn touches_mark(mut reader: Reader<'_>) -> bool {
    reader.take(8, |c| c.is_ascii_punctuation());
    reader.at_mark()
}

/// Reads a value that ends at the end of its line, white space aside.
pub(super) fn read_line<'a>(reader: &mut Reader<'a>) -> Option<Value<'a>> {
    let start = reader.at();
    reader.take(LOOKED_AT, |c| c != '\n' && c != '\r');
    let text = reader.since(start).trim_end();
    (!text.is_empty() && !reader.at_mark()).then(|| Value {
        text,
        start,
        end: start + text.len(),
        run: if text.len() >= LOOKED_AT { Run::Line } else { Run::None },
        quoted: false,
        closed: false,
    })
}

/// Whether the value is none: empty words, references, masks.
pub(super) fn is_no_value(value: &Value<'_>) -> bool {
    let text = value.text.trim();
    let lower = text.to_ascii_lowercase();
    let core = lower.trim_matches(|c: char| !c.is_alphanumeric());
    core.is_empty()
        || NO_VALUES.has(core)
        || core.starts_with("change_me")
        || core.starts_with("change-me")
        || core.ends_with("-here")
        || core.ends_with("_here")
        || REFERENCES.begin(text)
        || (text.starts_with('/') && text[1..].contains('/'))
        || (text.starts_with('{') && text.ends_with('}'))
        || is_variable(text)
        || shape::is_mask(core)
}

/// `$NAME`, `$name`, `%NAME%`.
fn is_variable(text: &str) -> bool {
    let name = text.strip_prefix('$').or_else(|| text.strip_prefix('%').and_then(|t| t.strip_suffix('%')));
    name.is_some_and(|name| {
        let letters = |f: fn(&u8) -> bool| name.bytes().all(|b| f(&b) || b == b'_');
        let upper = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        !name.is_empty()
            && (letters(upper) || letters(u8::is_ascii_lowercase))
            && !name.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// An expression of a program rather than a value: `config.get(`, `self.password`, `&str`, `a::b`, `a[`.
pub(super) fn is_code(text: &str) -> bool {
    let variable = text.strip_prefix('$').is_some_and(|t| t.contains("->") || t.contains("::"));
    let text = text.trim_start_matches(['$', '@', '&', ':']);
    let name = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':'));
    let head = &text[..text.len() - name.len()];
    let starts = head.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let called = starts && (name.starts_with(['(', '[', '<']) || name.starts_with("->"));
    let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    let dotted = name.is_empty() && head.contains('.') && head.split('.').all(letters);
    let path = name.is_empty() && starts && head.contains("::");
    let number_type = text.trim_start_matches('_').strip_prefix(['u', 'i', 'f']);
    let typed = number_type.is_some_and(|bits| ["8", "16", "32", "64", "128", "size"].contains(&bits))
        || text.starts_with("_bindgen");
    called || dotted || path || typed || variable
}

/// Reads to the quote that opened before: `'user:` and then the value.
pub(super) fn read_to<'a>(reader: &mut Reader<'a>, close: char) -> Option<Value<'a>> {
    let start = reader.at();
    run::quoted(reader, close, LOOKED_AT);
    let text = reader.since(start);
    (!text.is_empty() && !reader.at_mark()).then(|| Value {
        text,
        start,
        end: reader.at(),
        run: Run::Quoted(close),
        quoted: true,
        closed: reader.peek() == Some(close),
    })
}
