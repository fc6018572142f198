//! The audit log's chain: each entry's hash covers the one before, so that nothing can be changed, taken out or put in between
//! without a trace. The content stands beside the chain behind a salted hash, so that it can be forgotten and the chain still holds.
//!
//! The hashes are keyed, so that whoever can write the database and cannot read the daemon's key makes no chain that holds. Entries of
//! before that are plain: they count up to the first keyed one. Number and hash of the newest entry are noted elsewhere, and must be
//! found again under that number, however the log went on.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::approval::SealKey;
use crate::ids::WallMillis;

/// SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first entry points back to.
    pub const ZERO: Self = Self([0; 32]);
}

/// An entry without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Counts up from 1, without a hole.
    pub seq: u64,
    /// When.
    pub at: WallMillis,
    /// `asked`, `ruled`, `approved`, `started`, `verified`, `stopped`, ...
    pub kind: String,
    /// [`content_hash`] of the content.
    pub content: Hash,
    /// Hash of the entry before.
    pub before: Hash,
    /// Hash of this one.
    pub hash: Hash,
}

/// Hash of a content with its salt. Without the salt nobody can try contents out against it.
pub fn content_hash(salt: &[u8; 16], content: &str) -> Hash {
    Hash(Sha256::new().chain_update(salt).chain_update(content.as_bytes()).finalize().into())
}

/// The entry that follows `last`.
pub fn next(key: &SealKey, last: Option<&Link>, at: WallMillis, kind: &str, content: Hash) -> Link {
    let (seq, before) = last.map_or((1, Hash::ZERO), |last| (last.seq + 1, last.hash));
    let mut link = Link { seq, at, kind: kind.to_owned(), content, before, hash: Hash::ZERO };
    link.hash = Hash(link.keyed(key).finalize().into_bytes().into());
    link
}

impl Link {
    /// All but the hash, the length of the only part whose length varies before it.
    fn bytes(&self) -> Vec<u8> {
        let (kind, length) = (self.kind.as_bytes(), (self.kind.len() as u64).to_be_bytes());
        [&self.seq.to_be_bytes()[..], &self.at.0.to_be_bytes(), &length, kind, &self.content.0, &self.before.0].concat()
    }

    fn keyed(&self, key: &SealKey) -> Hmac<Sha256> {
        key.mac().chain_update(b"jarvis audit 2\0").chain_update(self.bytes())
    }

    fn plain(&self) -> Hash {
        Hash(Sha256::new().chain_update(b"jarvis audit 1\0").chain_update(self.bytes()).finalize().into())
    }
}

/// Where a log does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is missing, or one was put in.
    #[error("entry {expected} is missing: entry {found} follows")]
    Gap {
        /// The number that should come.
        expected: u64,
        /// The number that comes.
        found: u64,
    },
    /// An entry does not follow from the one before.
    #[error("entry {0} does not follow from the one before it")]
    Chain(u64),
    /// An entry is not what its hash says.
    #[error("entry {0} was changed")]
    Entry(u64),
    /// An entry's content is not what it was.
    #[error("the content of entry {0} was changed")]
    Content(u64),
    /// Entries at the end are missing.
    #[error("the log ends at entry {found}, and {expected} were written")]
    Cut {
        /// How many there were.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// Another entry stands where the newest one was noted.
    #[error("entry {0} is not the one that was noted when it was written: what follows was written anew")]
    Replaced(u64),
    /// Nothing tells which entry is the newest.
    #[error("the note of the newest entry is gone, so nobody can say whether entries are missing after {0}")]
    NoHead(u64),
}

/// Checks a log entry by entry, in its order.
#[derive(Debug)]
pub struct Verifier {
    key: SealKey,
    head: Option<(u64, Hash)>,
    last: Option<(u64, Hash)>,
    /// Whether a keyed entry came: a plain one after it is forged.
    keyed: bool,
}

impl Verifier {
    /// `head` is the number and hash that were noted elsewhere when the newest entry was written.
    pub fn new(key: SealKey, head: Option<(u64, Hash)>) -> Self {
        Self { key, head, last: None, keyed: false }
    }

    /// Takes the next entry, with salt and content where they were not forgotten.
    ///
    /// # Errors
    /// Where it does not hold.
    pub fn take(&mut self, link: &Link, content: Option<(&[u8; 16], &str)>) -> Result<(), Broken> {
        let (seq, before) = self.last.unwrap_or((0, Hash::ZERO));
        if link.seq != seq + 1 {
            return Err(Broken::Gap { expected: seq + 1, found: link.seq });
        }
        if link.before != before {
            return Err(Broken::Chain(link.seq));
        }
        if link.keyed(&self.key).verify_slice(&link.hash.0).is_ok() {
            self.keyed = true;
        } else if self.keyed || link.hash != link.plain() {
            return Err(Broken::Entry(link.seq));
        }
        if self.head.is_some_and(|(noted, hash)| noted == link.seq && hash != link.hash) {
            return Err(Broken::Replaced(link.seq));
        }
        if let Some((salt, content)) = content
            && content_hash(salt, content) != link.content
        {
            return Err(Broken::Content(link.seq));
        }
        self.last = Some((link.seq, link.hash));
        Ok(())
    }

    /// How many entries held.
    ///
    /// # Errors
    /// Where the end of the log was cut off, or nobody can say.
    pub fn finish(self) -> Result<u64, Broken> {
        let (seq, _) = self.last.unwrap_or((0, Hash::ZERO));
        match self.head {
            Some((expected, _)) if expected > seq => Err(Broken::Cut { expected, found: seq }),
            None if seq > 0 => Err(Broken::NoHead(seq)),
            Some(_) | None => Ok(seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SealKey = SealKey([7; 32]);

    type Log = Vec<(Link, [u8; 16], String)>;

    /// Appends as the daemon does; `key`: another's, for a forger who has none.
    fn append(log: &mut Log, key: &SealKey, content: &str) {
        let n = log.len();
        let salt = [n as u8; 16];
        let last = log.last().map(|(link, ..)| link.clone());
        let link = next(key, last.as_ref(), WallMillis(n as i64), "ran", content_hash(&salt, content));
        log.push((link, salt, content.to_owned()));
    }

    fn log(contents: &[&str]) -> Log {
        let mut all = Log::new();
        contents.iter().for_each(|content| append(&mut all, &KEY, content));
        all
    }

    fn head(log: &Log) -> Option<(u64, Hash)> {
        log.last().map(|(link, ..)| (link.seq, link.hash))
    }

    /// Makes every entry's hash anew from `from` on, as whoever knows all of this but the key can.
    fn made_plain(log: &mut Log, from: usize) {
        for n in from..log.len() {
            let before = if n == 0 { Hash::ZERO } else { log[n - 1].0.hash };
            let (link, salt, content) = &mut log[n];
            (link.before, link.content) = (before, content_hash(salt, content));
            link.hash = link.plain();
        }
    }

    fn verify(log: &[(Link, [u8; 16], String)], head: Option<(u64, Hash)>) -> Result<u64, Broken> {
        let mut verifier = Verifier::new(KEY, head);
        for (link, salt, content) in log {
            verifier.take(link, Some((salt, content)))?;
        }
        verifier.finish()
    }

    #[test]
    fn a_log_holds_and_every_way_to_tamper_is_found() {
        let good = log(&["a", "b", "c", "d"]);
        let noted = head(&good);
        assert_eq!(verify(&good, noted), Ok(4));
        assert_eq!(verify(&[], None), Ok(0));

        let mut changed = good.clone();
        changed[1].2 = "x".into();
        assert_eq!(verify(&changed, noted), Err(Broken::Content(2)));
        let mut rewritten = changed;
        rewritten[1].0.content = content_hash(&rewritten[1].1, "x");
        assert_eq!(verify(&rewritten, noted), Err(Broken::Entry(2)));

        let mut without = good.clone();
        without.remove(2);
        assert_eq!(verify(&without, noted), Err(Broken::Gap { expected: 3, found: 4 }));
        assert_eq!(verify(&good[..2], noted), Err(Broken::Cut { expected: 4, found: 2 }));
        assert_eq!(verify(&good, None), Err(Broken::NoHead(4)), "the note was taken away");

        let mut moved = good.clone();
        moved[0].0.at = WallMillis(99);
        assert_eq!(verify(&moved, noted), Err(Broken::Entry(1)));
        let mut renamed = good;
        renamed[0].0.kind = "asked".into();
        assert_eq!(verify(&renamed, noted), Err(Broken::Entry(1)));
    }

    #[test]
    fn a_log_that_was_cut_and_went_on_is_found_at_the_entry_that_was_noted() {
        let good = log(&["a", "b", "c", "d"]);
        let noted = head(&good);
        // The daemon itself goes on after the cut, with its key: longer than what was noted.
        let mut went_on = good[..2].to_vec();
        ["x", "y", "z"].iter().for_each(|content| append(&mut went_on, &KEY, content));
        assert_eq!(verify(&went_on, noted), Err(Broken::Replaced(4)));
        // One entry was committed and its note was not: that is a crash, and no harm.
        let mut longer = good;
        append(&mut longer, &KEY, "e");
        assert_eq!(verify(&longer, noted), Ok(5));
    }

    #[test]
    fn whoever_has_no_key_makes_no_chain_that_holds() {
        let good = log(&["a", "b", "c", "d"]);
        let noted = head(&good);
        for from in 0..4 {
            let mut forged = good.clone();
            forged[from].2 = "x".into();
            made_plain(&mut forged, from);
            let found = verify(&forged, noted);
            let wanted = if from == 0 { Broken::Replaced(4) } else { Broken::Entry(from as u64 + 1) };
            assert_eq!(found, Err(wanted), "rewritten from entry {}", from + 1);
        }
        let mut appended = good;
        append(&mut appended, &SealKey([8; 32]), "x");
        assert_eq!(verify(&appended, noted), Err(Broken::Entry(5)));
    }

    #[test]
    fn entries_of_before_there_was_a_key_still_hold() {
        let mut old = log(&["a", "b"]);
        made_plain(&mut old, 0);
        let before = head(&old);
        assert_eq!(verify(&old, before), Ok(2));
        append(&mut old, &KEY, "c");
        assert_eq!(verify(&old, before), Ok(3));
        let mut changed = old.clone();
        changed[0].2 = "x".into();
        assert_eq!(verify(&changed, before), Err(Broken::Content(1)));
    }

    #[test]
    fn what_was_forgotten_leaves_the_chain_whole() {
        let good = log(&["a", "b", "c"]);
        let mut verifier = Verifier::new(KEY, head(&good));
        for (n, (link, salt, content)) in good.iter().enumerate() {
            let kept = (n != 1).then_some((salt, content.as_str()));
            verifier.take(link, kept).unwrap();
        }
        assert_eq!(verifier.finish(), Ok(3));
    }
}
