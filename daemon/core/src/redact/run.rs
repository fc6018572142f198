//! What belongs to a secret that has begun.

use super::reader::{Reader, is_base64, is_token};

/// Bytes that are swallowed in one step.
const STEP_BYTES: usize = 512;

/// Soft characters in a row of which the end decides whether they belong to a value.
const MAX_SOFT: usize = 8;

/// Characters of which a token consists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Letters, digits, `_` and `-`.
    Token,
    /// The same, and `.`.
    Dotted,
    /// Base64 of either alphabet.
    Base64,
    /// Base64 with its signs as percent codes.
    Percent,
    /// What crypt and its kin write.
    Crypt,
    /// Hexadecimal digits.
    Hex,
    /// Upper-case letters and digits.
    Upper,
    /// Letters and digits.
    Alphanumeric,
    /// All but white space and quotes.
    Solid,
}

impl Class {
    pub fn has(self, c: char) -> bool {
        match self {
            Self::Token => is_token(c),
            Self::Dotted => is_token(c) || c == '.',
            Self::Base64 => is_base64(c),
            Self::Percent => is_base64(c) || c == '%' || c == '!' || c == '.',
            Self::Crypt => c.is_ascii_alphanumeric() || "./$=,+-".contains(c),
            Self::Hex => c.is_ascii_hexdigit(),
            Self::Upper => c.is_ascii_uppercase() || c.is_ascii_digit(),
            Self::Alphanumeric => c.is_ascii_alphanumeric(),
            Self::Solid => c.is_ascii_graphic() && !"\"'`<>\\".contains(c),
        }
    }
}

/// How a secret goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// It does not.
    None,
    /// As long as such characters come.
    Chars(Class),
    /// As a value without quotes.
    Bare,
    /// To this quote, or the end of the line.
    Quoted(char),
    /// As the lines of a private key.
    Pem,
    /// To the end of the line.
    Line,
    /// As the lines of a key in base64 or hexadecimal digits.
    Dump,
}

/// One step of swallowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes belong to the secret, and it goes on so.
    Take(usize, Run),
    /// The secret is over.
    End,
}

impl Run {
    pub fn step(self, mut reader: Reader<'_>) -> Step {
        let next = match self {
            Self::None => return Step::End,
            Self::Chars(class) => {
                reader.take(STEP_BYTES, |c| class.has(c));
                self
            }
            Self::Bare => {
                bare(&mut reader, STEP_BYTES);
                self
            }
            Self::Quoted(close) => {
                quoted(&mut reader, close, STEP_BYTES);
                self
            }
            Self::Line => {
                reader.take(STEP_BYTES, |c| c != '\n' && c != '\r');
                self
            }
            Self::Pem => pem(&mut reader),
            Self::Dump => {
                dump(&mut reader);
                self
            }
        };
        if reader.at() == 0 { Step::End } else { Step::Take(reader.at(), next) }
    }
}

/// Takes a value without quotes, at most `max` bytes: to white space, a quote, or punctuation that belongs to what stands around it.
pub(super) fn bare(reader: &mut Reader<'_>, max: usize) {
    let from = reader.at();
    while reader.at() - from < max {
        let Some(c) = reader.peek() else { return };
        match c {
            c if c.is_whitespace() || c.is_control() => return,
            '"' | '`' | '“' | '”' | '„' | '«' | '»' | '。' | '，' | '、' | '│' => return,
            '\'' | '’' if !reader.peek_at(1).is_some_and(char::is_alphanumeric) => return,
            '<' if reader.peek_at(1) == Some('/') => return,
            '\\' if reader.peek_at(1).is_none_or(|c| "nrt\"'\\".contains(c)) => return,
            ',' | ';' | '&' if assigns(*reader) => return,
            c if is_soft(c) && soft_ends(*reader) => return,
            _ => {
                reader.bump();
            }
        }
    }
}

/// Punctuation that belongs to a value only where more of the value follows.
fn is_soft(c: char) -> bool {
    ",;&|)]}:.>*".contains(c)
}

fn soft_ends(mut reader: Reader<'_>) -> bool {
    let soft = reader.take(MAX_SOFT, is_soft).len();
    let next = reader.peek();
    soft == MAX_SOFT
        || next.is_none_or(|c| c.is_whitespace() || "\"'`<\\”’".contains(c))
        || (next == Some('[') && reader.at_mark())
}

/// Whether the next name is assigned a value: `,vers=3.0`, `&page=1`, `;Encrypt=true`, `,type: text`.
fn assigns(mut reader: Reader<'_>) -> bool {
    reader.bump();
    let name = reader.take(40, |c| is_token(c) || c == '.');
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return false;
    }
    match reader.bump() {
        Some('=') => true,
        Some(':') => reader.peek() == Some(' '),
        _ => false,
    }
}

/// Takes what stands before the closing quote, at most `max` bytes and never beyond the line. A quote that is escaped closes a value
/// which an escaped quote opened; else it belongs to the value.
pub(super) fn quoted(reader: &mut Reader<'_>, close: char, max: usize) {
    let from = reader.at();
    while reader.at() - from < max {
        match reader.peek() {
            None | Some('\n' | '\r') => return,
            Some(c) if c == close => return,
            Some('\\') if close != '\\' => {
                reader.bump();
                if reader.peek().is_some_and(|c| c != '\n' && c != '\r') {
                    reader.bump();
                }
            }
            Some(_) => {
                reader.bump();
            }
        }
    }
}

/// Takes more of the line, or the next one where that is nothing but such characters; a long line may be followed by a short last one.
fn dump(reader: &mut Reader<'_>) {
    if !reader.take(STEP_BYTES, is_base64).is_empty() {
        return;
    }
    let start = reader.at();
    reader.eat('\r');
    if reader.eat('\n')
        && reader.take(STEP_BYTES, is_base64).len() >= 4
        && matches!(reader.peek(), None | Some('\n' | '\r'))
        && !reader.at_mark()
    {
        return;
    }
    reader.back_to(start);
}

/// Headers that stand in a private key before its lines.
const PEM_HEADERS: &[&str] = &["Proc-Type:", "DEK-Info:", "Version:", "Comment:", "Charset:", "Hash:"];

/// Shortest word that is a line of a key whatever follows.
const PEM_WORD: usize = 16;

/// Takes the next line of a private key, with what stands before it.
fn pem(reader: &mut Reader<'_>) -> Run {
    let start = reader.at();
    let lined = pem_gap(reader);
    let gap = reader.at() > start;
    if PEM_HEADERS.iter().any(|h| reader.eat_str(h)) {
        reader.take(STEP_BYTES, |c| c != '\n' && c != '\\');
        return Run::Pem;
    }
    if pem_end(reader) {
        return Run::None;
    }
    let word = reader.take(STEP_BYTES, |c| c.is_ascii_alphanumeric() || "+/=".contains(c));
    let mut after = *reader;
    pem_gap(&mut after);
    let ends_line = matches!(reader.peek(), None | Some('\n' | '\r' | '\\')) && !reader.at_mark();
    let alone = lined && ends_line && word.contains(|c: char| c.is_ascii_digit() || "+/=".contains(c));
    let goes_on = word.len() >= PEM_WORD || !gap || alone || after.eat_exact("-----END");
    if word.is_empty() || !goes_on {
        reader.back_to(start);
    }
    Run::Pem
}

/// White space, escaped line breaks and the marks of quotations; tells whether there was a line break.
fn pem_gap(reader: &mut Reader<'_>) -> bool {
    let mut lined = false;
    for _ in 0..64 {
        match reader.peek() {
            Some('\n') => lined = true,
            Some('\\') if reader.peek_at(1).is_some_and(|c| "nrt".contains(c)) => {
                lined = true;
                reader.bump();
            }
            Some(c) if c == '>' || c == '|' || c == '#' || c.is_whitespace() => {}
            _ => break,
        }
        reader.bump();
    }
    lined
}

/// Takes `-----END ...-----`.
pub(super) fn pem_end(reader: &mut Reader<'_>) -> bool {
    let start = *reader;
    if reader.eat_exact("-----END ") && !reader.take(60, |c| c.is_ascii_alphanumeric() || c == ' ').is_empty() {
        reader.take(5, |c| c == '-');
        return true;
    }
    *reader = start;
    false
}
