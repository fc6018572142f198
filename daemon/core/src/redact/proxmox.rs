//! What Proxmox VE, Proxmox Backup Server and Ceph issue.

use super::Kind;
use super::reader::{Reader, is_base64, is_word};
use super::run::{Class, Run};
use super::scan::{Look, Match};
use super::{shape, value};

/// Where a ticket begins, plain or with percent codes, and what it is for.
const TICKETS: &[&str] =
    &["PVE", "PBS", "PMG", "PDM", "PVEVNC", "PBSVNC", "PVETUNNEL", "PBSTUNNEL", "PVETERM", "PBSTERM"];

/// Bytes between a ticket's beginning and its signature.
const TICKET_HEAD: usize = 200;

/// Every detector: one line each.
const DETECTORS: &[fn(&Look<'_>) -> Option<Match>] =
    &[token_header, token_pair, ticket, spice_ticket, csrf_token, ceph_key, recovery_key, code_seed];

pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    DETECTORS.iter().find_map(|detect| detect(look))
}

/// `PVEAPIToken=user@realm!name=SECRET`, `PBSAPIToken=user@realm!name:SECRET`.
fn token_header(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(is_word)
        || !["PVEAPIToken", "PBSAPIToken", "PMGAPIToken"].iter().any(|h| reader.eat_exact(h))
    {
        return None;
    }
    reader.eat_if(|c| c == '=' || c == ' ' || c == ':')?;
    reader.take(120, |c| is_user(c) || c == '!' || c == '@' || c == '%');
    reader.eat_if(|c| c == '=' || c == ':')?;
    let secret = value::read(&mut reader)?;
    (!value::is_no_value(&secret) && secret.text.len() >= 8 && secret.text != "UUID")
        .then(|| secret.secret(Kind::ApiToken))
}

/// `user@realm!name` and its UUID, however they are joined: `=`, `:`, a space, a table's line.
fn token_pair(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(|c| is_user(c) || c == '@') || !reader.peek().is_some_and(is_user) {
        return None;
    }
    reader.take(64, is_user);
    let at = reader.eat('@') || reader.eat_exact("%40");
    if !at || reader.take(32, is_user).is_empty() || !(reader.eat('!') || reader.eat_exact("%21")) {
        return None;
    }
    reader.take(64, is_user);
    reader.take(24, |c| matches!(c, '=' | ':' | ' ' | '\t' | '"' | '\'' | ',' | '|' | '│'));
    uuid(reader, Kind::ApiToken)
}

/// A UUID here, as a secret of this kind.
pub(super) fn uuid(mut reader: Reader<'_>, kind: Kind) -> Option<Match> {
    let start = reader.at();
    let text = reader.take(37, |c| c.is_ascii_hexdigit() || c == '-');
    shape::is_uuid(text).then(|| Match::exact(kind, start, reader.at()))
}

fn is_user(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+')
}

/// Whether this names a token, `jarvis@pve!read`, with its secret behind it or without: the name is no secret.
pub(super) fn names_token(text: &str) -> bool {
    let text = text.split_once("APIToken=").map_or(text, |(_, rest)| rest);
    let parts =
        text.split_once('@').and_then(|(user, rest)| rest.split_once('!').map(|(realm, name)| (user, realm, name)));
    let word = |part: &str| !part.is_empty() && part.chars().all(is_user);
    parts.is_some_and(|(user, realm, name)| {
        word(user) && word(realm) && word(name.split(['=', ':']).next().unwrap_or(name))
    })
}

/// `PVE:root@pam:65F0A1B2::SIGNATURE`, in cookies with percent codes, and the tickets of consoles and tunnels.
fn ticket(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(is_word) {
        return None;
    }
    let issuer = reader.take(12, |c| c.is_ascii_uppercase());
    if !TICKETS.contains(&issuer) || !colon(&mut reader) {
        return None;
    }
    let head = reader.at();
    // The last part before the signature is the time in eight hexadecimal digits.
    let mut digits = 0;
    while reader.at() - head < TICKET_HEAD {
        if colon(&mut reader) {
            if !colon(&mut reader) {
                digits = 0;
                continue;
            }
            if digits != 8 {
                return None;
            }
            let signature = reader.take(32, |c| is_base64(c) || c == '%').len();
            return (signature >= 20).then(|| Match {
                kind: Kind::Ticket,
                start: 0,
                end: reader.at(),
                run: Run::Chars(Class::Percent),
            });
        }
        let c = reader.eat_if(|c| c.is_ascii_graphic() && c != '"' && c != '\'')?;
        digits = if c.is_ascii_hexdigit() { digits + 1 } else { 0 };
    }
    None
}

fn colon(reader: &mut Reader<'_>) -> bool {
    reader.eat(':') || reader.eat_str("%3A")
}

/// The host in a SPICE file, which opens the console by itself.
fn spice_ticket(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    let begins = reader.eat_exact("pvespiceproxy:") && reader.take(16, |c| c.is_ascii_hexdigit()).len() >= 8;
    begins.then(|| Match { kind: Kind::Ticket, start: 0, end: reader.at(), run: Run::Chars(Class::Solid) })
}

/// A time in eight hexadecimal digits and a SHA-256 in base64.
fn csrf_token(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(is_word) || reader.take(9, |c| Class::Upper.has(c) && c.is_ascii_hexdigit()).len() != 8 {
        return None;
    }
    if !reader.eat(':') {
        return None;
    }
    let hash = reader.take(45, |c| c.is_ascii_alphanumeric() || c == '+' || c == '/').len();
    if hash != 43 {
        return None;
    }
    reader.eat('=');
    Some(Match::exact(Kind::Session, 0, reader.at()))
}

/// A Ceph key: 28 bytes in base64, of which the first three and the eleventh and twelfth are always alike.
fn ceph_key(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(is_base64_char) || !reader.eat_exact("AQ") {
        return None;
    }
    let rest = reader.take(38, |c| c.is_ascii_alphanumeric() || c == '+' || c == '/');
    let shape = rest.len() == 36 && rest.starts_with(['A', 'B', 'C', 'D']) && rest.get(12..14) == Some("AA");
    (shape && reader.eat('=') && reader.eat('=')).then(|| Match::exact(Kind::SharedKey, 0, reader.at()))
}

fn is_base64_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '+' || c == '/'
}

/// A recovery key for the second factor: four groups of four hexadecimal digits.
fn recovery_key(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before.is_some_and(|c| is_word(c) || c == '-') {
        return None;
    }
    for group in 0..4 {
        if (group > 0 && !reader.eat('-')) || reader.take(5, |c| c.is_ascii_hexdigit()).len() != 4 {
            return None;
        }
    }
    let key = reader.since(0);
    let mixed = key.contains(|c: char| c.is_ascii_alphabetic()) && key.contains(|c: char| c.is_ascii_digit());
    let ends = reader.peek().is_none_or(|c| !is_word(c) && c != '-');
    (mixed && ends).then(|| Match::exact(Kind::RecoveryKey, 0, reader.at()))
}

/// `otpauth://totp/...?secret=BASE32`: the seed of one-time codes.
fn code_seed(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if !reader.eat_str("otpauth://") {
        return None;
    }
    for _ in 0..400 {
        if reader.eat_str("secret=") {
            let start = reader.at();
            reader.take(128, |c| Class::Upper.has(c) || c == '=' || c.is_ascii_lowercase());
            return Some(Match { kind: Kind::CodeSeed, start, end: reader.at(), run: Run::Chars(Class::Upper) });
        }
        reader.eat_if(|c| !c.is_whitespace() && c != '"')?;
    }
    None
}
