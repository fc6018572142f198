//! What the shape of a value says: a word, a number, something chosen, something that chance made.

use super::proxmox::names_token;
use super::reader::is_base64;
use super::words::DESCRIBING;

/// A sentence about a value.
pub(super) fn describes(text: &str) -> bool {
    let mut words = text.split_whitespace().map(|w| w.trim_matches(|c: char| !c.is_alphanumeric()));
    text.contains(' ') && words.any(|w| DESCRIBING.has(w))
}

/// A word without digits: letters, and what joins words.
pub(super) fn is_wordy(text: &str) -> bool {
    text.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '_' | '.' | '\'' | '’'))
}

/// Digits alone.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A value that nobody would write as a word: letters and digits mixed, a sign inside, capitals inside. What has a known other meaning
/// (`sha256`, `12-character`, `pve2`, `token.cfg`, `root@pam`, a path) is none.
pub(super) fn looks_chosen(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    // A sign at the end may belong to the sentence.
    let inner = text.trim_end_matches(|c: char| !c.is_alphanumeric());
    let sign = inner.chars().any(|c| "!#$%^&*+=?~§€£@".contains(c));
    let inner_capital =
        text.char_indices().zip(text.chars().skip(1)).any(|((_, a), b)| a.is_lowercase() && b.is_uppercase());
    let mixed = letters > 0 && (digits > 0 || sign) || inner_capital;
    mixed && text.chars().count() >= 5 && !is_technical(text)
}

/// What stands in prose about computers and looks chosen.
fn is_technical(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let known = [
        "sha", "md5", "base64", "base32", "ipv", "x86", "utf", "ed25519", "rs256", "hs256", "aes", "argon2", "oauth",
        "http", "pbkdf2", "bcrypt",
    ];
    let counted = lower
        .find(|c: char| !c.is_ascii_digit())
        .is_some_and(|n| n > 0 && lower[n..].starts_with('-') && is_wordy(&lower[n..]));
    let ordinal = lower.trim_start_matches(|c: char| c.is_ascii_digit());
    let version =
        lower.strip_prefix('v').unwrap_or(&lower).bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    let host = lower.trim_end_matches(|c: char| c.is_ascii_digit());
    known.iter().any(|k| lower.starts_with(k))
        || counted
        || ["st", "nd", "rd", "th", "s", "ms", "bit", "gb", "mb", "fa", "d", "h", "m"].contains(&ordinal)
        || version
        || (host.len() <= 4 && lower.len() - host.len() <= 2 && is_wordy(host))
        || text.starts_with('/')
        || text.contains("://")
        || (text.contains('@') && !text.contains(|c: char| c.is_ascii_digit()))
        || text.contains("()")
        || names_token(text)
        || has_extension(&lower)
}

/// `token.cfg`, `id_rsa.pub`.
fn has_extension(lower: &str) -> bool {
    let extensions = [
        "cfg", "conf", "key", "pem", "pub", "txt", "json", "yaml", "yml", "toml", "env", "rs", "py", "js", "sh", "log",
        "service", "pw", "html", "md",
    ];
    lower.rsplit_once('.').is_some_and(|(stem, e)| !stem.is_empty() && extensions.contains(&e))
}

/// A value a machine made: at least `min` characters of a token, mixed as chance mixes them, and not words joined by signs.
pub(super) fn looks_random(text: &str, min: usize) -> bool {
    // Public keys of SSH begin so.
    if text.len() < min || text.starts_with("AAAA") || !text.chars().all(|c| is_base64(c) || ".:~%!|@$".contains(c)) {
        return false;
    }
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let mixed_case = text.bytes().any(|b| b.is_ascii_lowercase()) && text.bytes().any(|b| b.is_ascii_uppercase());
    let humps = text.as_bytes().windows(2).filter(|w| w[0].is_ascii_lowercase() != w[1].is_ascii_lowercase()).count();
    let mixed = (letters > 0 && digits > 0) || (mixed_case && text.len() >= 16 && humps * 3 >= text.len());
    mixed && !is_joined_words(text) && !is_time(text) && entropy_bits(text) >= needed_bits(text.len())
}

/// Digits in groups of four, as they stand on the sticker of a router: `5588-2210-9934-7761`.
pub(super) fn is_grouped(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() >= 4 && groups.iter().all(|g| g.len() >= 4 && g.len() == groups[0].len() && is_number(g))
}

/// Words and numbers joined by signs: `before-upgrade-2026-11-23`, `vm-104-disk-0`, `wiki.example.net`.
fn is_joined_words(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).all(|part| {
        let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let lower = letters.bytes().all(|b| b.is_ascii_lowercase()) || letters.bytes().all(|b| b.is_ascii_uppercase());
        let title = letters.bytes().skip(1).all(|b| b.is_ascii_lowercase());
        let digits = part.len() - letters.len();
        (lower || title) && letters.len() <= 14 && (digits <= 4 || letters.is_empty())
    })
}

/// `2026-11-23T02:00:03Z`.
fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(3, '-').map(|p| p.chars().take_while(char::is_ascii_digit).count());
    (parts.next(), parts.next(), parts.next()) == (Some(4), Some(2), Some(2))
}

/// Shannon entropy of a text's bytes, in bits for each.
pub(super) fn entropy_bits(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = text.len().max(1) as f64;
    counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / total).map(|p| -p * p.log2()).sum()
}

/// Bits that chance shows in a text of this length: short ones can't show many.
fn needed_bits(length: usize) -> f64 {
    match length {
        0..=11 => 2.0,
        12..=19 => 2.6,
        _ => 2.9,
    }
}

/// A UUID that is not all the same digit.
pub(super) fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths = [8, 4, 4, 4, 12];
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(p, n)| p.len() == n && p.bytes().all(|b| b.is_ascii_hexdigit()))
        && entropy_bits(text) > 2.5
}

/// The same character throughout, dashes aside: `xxxxxxxx-xxxx`, `00000000-0000`.
pub(super) fn is_mask(core: &str) -> bool {
    let mut chars = core.chars().filter(|c| *c != '-' && *c != '_');
    let first = chars.next();
    matches!(first, Some('x' | '0' | '.' | '*' | '#')) && chars.all(|c| Some(c) == first)
}
