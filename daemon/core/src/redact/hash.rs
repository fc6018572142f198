//! Hashes of passwords: whoever has one can guess at leisure.

use super::Kind;
use super::reader::is_word;
use super::run::{Class, Run};
use super::scan::{Look, Match};

struct Hash {
    /// How it begins.
    prefix: &'static str,
    /// Characters that follow at least.
    min: usize,
}

const fn hash(prefix: &'static str, min: usize) -> Hash {
    Hash { prefix, min }
}

/// Every form: one line each.
const HASHES: &[Hash] = &[
    hash("$1$", 20),
    hash("$5$", 40),
    hash("$6$", 60),
    hash("$7$", 40),
    hash("$y$", 40),
    hash("$gy$", 40),
    hash("$2a$", 50),
    hash("$2b$", 50),
    hash("$2x$", 50),
    hash("$2y$", 50),
    hash("$apr1$", 20),
    hash("$sha1$", 20),
    hash("$scrypt$", 30),
    hash("$argon2", 40),
    hash("$pbkdf2-", 30),
    hash("{SSHA}", 20),
    hash("{SHA}", 20),
    hash("{SSHA256}", 40),
    hash("{SSHA512}", 60),
    hash("{SMD5}", 20),
    hash("{CRYPT}", 13),
    hash("{PBKDF2", 30),
];

/// Whether a text begins like a hash.
pub(super) fn begins(text: &str) -> bool {
    HASHES.iter().any(|h| text.starts_with(h.prefix))
}

pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    if look.before.is_some_and(|c| is_word(c) && c != '_') || !matches!(look.reader.peek(), Some('$' | '{')) {
        return None;
    }
    HASHES.iter().find_map(|hash| {
        let mut reader = look.reader;
        if !reader.eat_exact(hash.prefix) {
            return None;
        }
        let rest = reader.take(hash.min, |c| Class::Crypt.has(c) || c == '}');
        (rest.len() >= hash.min).then(|| Match {
            kind: Kind::PasswordHash,
            start: 0,
            end: reader.at(),
            run: Run::Chars(Class::Crypt),
        })
    })
}
