//! Secrets inside base64: user data, configuration of plugins, logins.

use super::Kind;
use super::reader::is_base64;
use super::redact_at;
use super::run::{Class, Run};
use super::scan::{Look, Match};

/// Shortest word that is decoded.
const MIN_WORD: usize = 24;

/// Bytes of a word that are decoded; what lies beyond is judged by them.
const DECODED: usize = 1536;

/// How many encodings deep is looked.
const MAX_DEPTH: u8 = 1;

/// A word that decodes to a text with a secret in it. The whole word goes: part of it can't.
pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    if look.depth >= MAX_DEPTH || look.before.is_some_and(goes_on) {
        return basic(look);
    }
    let mut reader = look.reader;
    let word = reader.take(DECODED, goes_on);
    reader.take(2, |c| c == '=');
    if word.len() < MIN_WORD {
        return basic(look);
    }
    let text = decode(word).and_then(printable)?;
    let found = redact_at(&text, look.depth + 1);
    let kind = found.findings.first()?.kind;
    Some(Match { kind, start: 0, end: reader.at(), run: Run::Chars(Class::Base64) })
}

/// Base64 but for its padding: what follows a `=` is a word of its own.
fn goes_on(c: char) -> bool {
    is_base64(c) && c != '='
}

/// `Basic dXNlcjpwYXNz`.
fn basic(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(is_base64) || !reader.eat_str("basic ") {
        return None;
    }
    let start = reader.at();
    let word = reader.take(DECODED, is_base64);
    is_login(word).then(|| Match { kind: Kind::Login, start, end: reader.at(), run: Run::Chars(Class::Base64) })
}

/// Whether the word decodes to `user:password`.
pub(super) fn is_login(word: &str) -> bool {
    let text = decode(word).and_then(printable);
    text.is_some_and(|text| {
        text.split_once(':').is_some_and(|(user, password)| !user.contains(' ') && !password.is_empty())
    })
}

fn printable(bytes: Vec<u8>) -> Option<String> {
    let mut text = String::from_utf8(bytes).ok()?;
    let strange = text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    text.truncate(text.trim_end().len());
    (!strange && !text.is_empty()).then_some(text)
}

/// Decodes either alphabet, padded or not; what the last whole character leaves over is dropped. `None` where it is not base64.
fn decode(word: &str) -> Option<Vec<u8>> {
    let word = word.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(word.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for c in word.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(((bits >> held) & 0xff) as u8);
        }
    }
    // A word that was cut may end within a character.
    let whole = match std::str::from_utf8(&bytes) {
        Ok(_) => bytes.len(),
        Err(e) if e.error_len().is_none() => e.valid_up_to(),
        Err(_) => return None,
    };
    bytes.truncate(whole);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        assert_eq!(decode("aGVsbG8=").as_deref(), Some(b"hello".as_slice()));
        assert_eq!(decode("aGVsbG8").as_deref(), Some(b"hello".as_slice()));
        assert_eq!(decode("w7w").as_deref(), Some("ü".as_bytes()));
        assert_eq!(decode("no base64!"), None);
        assert_eq!(decode("/////w"), None, "not a text");
    }

    #[test]
    fn a_login_is_two_words() {
        assert!(is_login("YWRtaW46Q2hlc3RudXQtMzM="));
        assert!(!is_login("aGVsbG8="));
    }
}
