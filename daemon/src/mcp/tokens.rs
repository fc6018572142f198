//! Who is let in: named tokens, of which the file keeps the SHA-256 alone.
//!
//! A token has 192 random bits, so its plain hash tells nothing of it. The file is read at start and written whole at each change; one
//! that is damaged lets nobody in.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jarvis_core::hex::hex;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::UnixMillis;
use crate::whole_file;

/// Most tokens.
const TOKENS_MAX: usize = 32;
/// Longest name, in characters.
const NAME_MAX: usize = 32;
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Random bytes of a token.
const TOKEN_BYTES: usize = 24;
/// What a token begins with, so that those who look for secrets in files know it.
const PREFIX: &str = "jarvis_mcp_";

/// What a program may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Looks at the cluster.
    Read,
    /// That, and changes: each waits for its owner's yes.
    Change,
}

/// Why a token was not made or taken away.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name will not do.
    #[error("\"{0}\" is no name: give 1 to {NAME_MAX} of a-z, 0-9 and -, other than \"stdio\"")]
    Name(String),
    /// There is one already.
    #[error("there is a token for {0} already; `jarvisctl mcp token revoke {0}` takes it away")]
    Taken(String),
    /// There is none.
    #[error("there is no token for \"{0}\"; `jarvisctl mcp token list` shows those that there are")]
    None(String),
    /// There are too many.
    #[error("there are {TOKENS_MAX} tokens already; revoke one")]
    Full,
    /// The file is damaged.
    #[error("{0}; move it away, and make new tokens")]
    Damaged(String),
    /// The file can't be written, or the kernel gives no random bytes.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A token as it is shown: never itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLine {
    /// Of the program.
    pub name: String,
    /// What it may ask for.
    pub scope: Scope,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub made_ms: i64,
    /// When it was last used since the daemon's start.
    pub used_ms: Option<i64>,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    name: String,
    scope: Scope,
    made_ms: i64,
    /// SHA-256 of the token, in hexadecimal.
    sha256: String,
}

enum Book {
    Good(Vec<Kept>),
    Damaged(String),
}

/// All of them.
pub(super) struct Tokens {
    path: PathBuf,
    book: Mutex<Book>,
    used: Mutex<HashMap<String, i64>>,
    random: SystemRandom,
}

impl Tokens {
    pub(super) fn open(state_dir: &Path) -> Self {
        let path = state_dir.join("mcp.tokens");
        let book = Mutex::new(read(&path));
        Self { path, book, used: Mutex::default(), random: SystemRandom::new() }
    }

    pub(super) fn add(&self, name: &str, scope: Scope) -> Result<String, TokenError> {
        if !is_name(name) {
            return Err(TokenError::Name(name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()));
        }
        let mut bytes = [0; TOKEN_BYTES];
        let fail = |source| TokenError::File { path: self.path.clone(), source };
        self.random.fill(&mut bytes).map_err(|_| fail(io::Error::other("no random bytes can be had")))?;
        let token = format!("{PREFIX}{}", hex(&bytes));
        let kept = Kept { name: name.to_owned(), scope, made_ms: UnixMillis::now().0, sha256: digest(&token) };
        self.change(|all| {
            if all.iter().any(|kept| kept.name == name) {
                return Err(TokenError::Taken(name.to_owned()));
            }
            if all.len() >= TOKENS_MAX {
                return Err(TokenError::Full);
            }
            all.push(kept);
            Ok(())
        })?;
        Ok(token)
    }

    pub(super) fn revoke(&self, name: &str) -> Result<(), TokenError> {
        self.change(|all| {
            let before = all.len();
            all.retain(|kept| kept.name != name);
            if all.len() == before { Err(TokenError::None(name.to_owned())) } else { Ok(()) }
        })
    }

    /// Whose token it is. Every one is compared, whole, so that the time it takes tells nothing.
    pub(super) fn whose(&self, token: &str) -> Option<(String, Scope)> {
        let given = digest(token);
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let Book::Good(all) = &*book else { return None };
        let mut found = None;
        for kept in all {
            if same(given.as_bytes(), kept.sha256.as_bytes()) {
                found = Some((kept.name.clone(), kept.scope));
            }
        }
        drop(book);
        if let Some((name, _)) = &found {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.insert(name.clone(), UnixMillis::now().0);
        }
        found
    }

    /// All, and what is wrong with the file.
    pub(super) fn list(&self) -> (Vec<TokenLine>, Option<String>) {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match &*book {
            Book::Good(all) => {
                let line = |kept: &Kept| TokenLine {
                    name: kept.name.clone(),
                    scope: kept.scope,
                    made_ms: kept.made_ms,
                    used_ms: used.get(&kept.name).copied(),
                };
                (all.iter().map(line).collect(), None)
            }
            Book::Damaged(why) => (Vec::new(), Some(why.clone())),
        }
    }

    /// Changes all, on the disk first.
    fn change(&self, change: impl FnOnce(&mut Vec<Kept>) -> Result<(), TokenError>) -> Result<(), TokenError> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = match &*book {
            Book::Good(all) => all.clone(),
            Book::Damaged(why) => return Err(TokenError::Damaged(why.clone())),
        };
        change(&mut all)?;
        write(&self.path, &all).map_err(|source| TokenError::File { path: self.path.clone(), source })?;
        *book = Book::Good(all);
        Ok(())
    }
}

fn read(path: &Path) -> Book {
    let damaged = |why: String| Book::Damaged(format!("{}: {why}", path.display()));
    let size = match fs::metadata(path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Book::Good(Vec::new()),
        Err(error) => return damaged(error.to_string()),
    };
    if size > FILE_BYTES_MAX {
        return damaged(format!("{size} bytes are too many"));
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return damaged(error.to_string()),
    };
    match serde_json::from_slice::<Vec<Kept>>(&bytes) {
        Ok(all) if all.len() <= TOKENS_MAX && all.iter().all(|kept| is_name(&kept.name) && kept.sha256.len() == 64) => {
            Book::Good(all)
        }
        Ok(_) => damaged("it holds what Jarvis did not write".to_owned()),
        Err(error) => damaged(error.to_string()),
    }
}

fn write(path: &Path, all: &[Kept]) -> io::Result<()> {
    whole_file::replace(path, &serde_json::to_vec_pretty(all)?)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && name != super::STDIO
}

fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// Compares every byte, whatever the first ones are.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_known_until_it_is_revoked_and_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path());
        let desk = tokens.add("desk", Scope::Change).unwrap();
        let reader = tokens.add("reader", Scope::Read).unwrap();
        assert_eq!(tokens.whose(&desk), Some(("desk".to_owned(), Scope::Change)));
        for wrong in ["", "jarvis_mcp_", &desk[..desk.len() - 1], &desk.to_uppercase(), &format!("{desk} ")] {
            assert_eq!(tokens.whose(wrong), None, "{wrong}");
        }
        let kept = fs::read_to_string(dir.path().join("mcp.tokens")).unwrap();
        assert!(!kept.contains(&desk[PREFIX.len()..]), "the file does not hold the token");
        let mode = fs::metadata(dir.path().join("mcp.tokens")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        tokens.revoke("desk").unwrap();
        assert_eq!((tokens.whose(&desk), tokens.whose(&reader).is_some()), (None, true));
        let again = Tokens::open(dir.path());
        assert_eq!((again.whose(&desk), again.whose(&reader)), (None, Some(("reader".to_owned(), Scope::Read))));
        assert!(matches!(again.revoke("desk"), Err(TokenError::None(_))));
    }

    #[test]
    fn names_are_plain_and_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path());
        for bad in ["", "a b", "UPPER", "stdio", "a\n", "ä", &"x".repeat(33)] {
            assert!(matches!(tokens.add(bad, Scope::Read), Err(TokenError::Name(_))), "{bad:?}");
        }
        tokens.add("desk", Scope::Read).unwrap();
        assert!(matches!(tokens.add("desk", Scope::Change), Err(TokenError::Taken(_))));
        for n in 1..TOKENS_MAX {
            tokens.add(&format!("t{n}"), Scope::Read).unwrap();
        }
        assert!(matches!(tokens.add("one-more", Scope::Read), Err(TokenError::Full)));
    }

    #[test]
    fn a_damaged_file_lets_nobody_in_and_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let token = Tokens::open(dir.path()).add("desk", Scope::Read).unwrap();
        let path = dir.path().join("mcp.tokens");
        let good = fs::read_to_string(&path).unwrap();
        for damage in ["", "{}", "[1]", &good.replace("desk", "De sk"), &good.replace("read", "root"), &good[1..]] {
            fs::write(&path, damage).unwrap();
            let tokens = Tokens::open(dir.path());
            assert_eq!(tokens.whose(&token), None, "{damage}");
            assert!(tokens.list().1.is_some() && tokens.add("new", Scope::Read).is_err(), "{damage}");
            assert_eq!(fs::read_to_string(&path).unwrap(), damage);
        }
    }
}
