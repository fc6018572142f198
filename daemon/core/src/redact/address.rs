//! Passwords in addresses: `scheme://user:PASSWORD@host`.

use super::Kind;
use super::reader::Reader;
use super::scan::{Look, Match};
use super::shape;

/// Longest user and password together, in bytes.
const MAX_USERINFO: usize = 300;

/// Words that stand for a password in an example.
const EXAMPLES: &[&str] = &["password", "pass", "passwd", "secret", "pw", "token", "user"];

pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if !look.before.is_some_and(|c| c.is_ascii_alphanumeric()) || !reader.eat_exact("://") {
        return None;
    }
    let authority = reader;
    let (mut colon, mut at) = (None, None);
    while reader.at() < MAX_USERINFO {
        let Some(c) = reader.peek().filter(|c| !c.is_whitespace() && !"\"'`<\\".contains(*c)) else { break };
        match c {
            ':' if colon.is_none() => colon = Some(reader.at()),
            '@' => at = Some(reader.at()),
            // A password may hold these; what follows the host may, too. Past the first `@` they end the host.
            '/' | '?' | '#' if at.is_some() || port_only(authority, colon, reader.at()) => break,
            _ => {}
        }
        reader.bump();
    }
    let (colon, at) = (colon?, at?);
    let start = colon + 1;
    let mut password = reader;
    password.back_to(at);
    let text = password.since(start.min(at));
    let example = EXAMPLES.contains(&text.to_ascii_lowercase().as_str());
    let reference = ["$", "{", "<", "%s", "%("].iter().any(|r| text.starts_with(r)) && !text.starts_with("$2");
    let masked = text.chars().all(|c| matches!(c, '*' | 'x' | '.'));
    let plausible = !text.is_empty() && !example && !reference && !masked && colon < at && !shape::describes(text);
    plausible.then(|| Match::exact(Kind::Password, start, at))
}

/// Whether what was read is a host and at most a port, so that a path follows and no password.
fn port_only(authority: Reader<'_>, colon: Option<usize>, end: usize) -> bool {
    let mut reader = authority;
    let Some(colon) = colon else { return true };
    reader.back_to(end);
    shape::is_number(reader.since(colon + 1)) || reader.since(colon + 1).is_empty()
}
