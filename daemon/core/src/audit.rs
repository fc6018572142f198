//! The audit log's chain: each entry's hash covers the one before, so that nothing can be changed, taken out or put in between
//! without a trace. The content stands beside the chain behind a salted hash, so that it can be forgotten and the chain still holds.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::WallMillis;

/// SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first entry points back to.
    pub const ZERO: Self = Self([0; 32]);

    /// In hexadecimal.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
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
pub fn next(last: Option<&Link>, at: WallMillis, kind: &str, content: Hash) -> Link {
    let (seq, before) = last.map_or((1, Hash::ZERO), |last| (last.seq + 1, last.hash));
    let hash = hash(seq, at, kind, &content, &before);
    Link { seq, at, kind: kind.to_owned(), content, before, hash }
}

fn hash(seq: u64, at: WallMillis, kind: &str, content: &Hash, before: &Hash) -> Hash {
    let digest = Sha256::new()
        .chain_update(b"jarvis audit 1\0")
        .chain_update(seq.to_be_bytes())
        .chain_update(at.0.to_be_bytes())
        .chain_update((kind.len() as u64).to_be_bytes())
        .chain_update(kind.as_bytes())
        .chain_update(content.0)
        .chain_update(before.0);
    Hash(digest.finalize().into())
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
}

/// Checks a log entry by entry, in its order.
#[derive(Debug, Default)]
pub struct Verifier {
    last: Option<(u64, Hash)>,
}

impl Verifier {
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
        if link.hash != hash(link.seq, link.at, &link.kind, &link.content, &link.before) {
            return Err(Broken::Entry(link.seq));
        }
        if let Some((salt, content)) = content
            && content_hash(salt, content) != link.content
        {
            return Err(Broken::Content(link.seq));
        }
        self.last = Some((link.seq, link.hash));
        Ok(())
    }

    /// How many entries held. `head` is the number and hash that were noted elsewhere when the newest entry was written.
    ///
    /// # Errors
    /// Where the end of the log was cut off or replaced.
    pub fn finish(self, head: Option<(u64, Hash)>) -> Result<u64, Broken> {
        let (seq, hash) = self.last.unwrap_or((0, Hash::ZERO));
        match head {
            Some((expected, _)) if expected > seq => Err(Broken::Cut { expected, found: seq }),
            Some((expected, at)) if expected == seq && at != hash => Err(Broken::Entry(seq)),
            _ => Ok(seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(contents: &[&str]) -> Vec<(Link, [u8; 16], String)> {
        let mut all: Vec<(Link, [u8; 16], String)> = Vec::new();
        for (n, content) in contents.iter().enumerate() {
            let salt = [n as u8; 16];
            let last = all.last().map(|(link, ..)| link.clone());
            let link = next(last.as_ref(), WallMillis(n as i64), "ran", content_hash(&salt, content));
            all.push((link, salt, (*content).to_owned()));
        }
        all
    }

    fn verify(log: &[(Link, [u8; 16], String)], head: Option<(u64, Hash)>) -> Result<u64, Broken> {
        let mut verifier = Verifier::default();
        for (link, salt, content) in log {
            verifier.take(link, Some((salt, content)))?;
        }
        verifier.finish(head)
    }

    #[test]
    fn a_log_holds_and_every_way_to_tamper_is_found() {
        let good = log(&["a", "b", "c", "d"]);
        let head = good.last().map(|(link, ..)| (link.seq, link.hash));
        assert_eq!(verify(&good, head), Ok(4));

        let mut changed = good.clone();
        changed[1].2 = "x".into();
        assert_eq!(verify(&changed, head), Err(Broken::Content(2)));

        let mut rewritten = good.clone();
        rewritten[1].2 = "x".into();
        rewritten[1].0.content = content_hash(&rewritten[1].1, "x");
        assert_eq!(verify(&rewritten, head), Err(Broken::Entry(2)));
        rewritten[1].0.hash = hash(2, rewritten[1].0.at, "ran", &rewritten[1].0.content, &rewritten[1].0.before);
        assert_eq!(verify(&rewritten, head), Err(Broken::Chain(3)));

        let mut without = good.clone();
        without.remove(2);
        assert_eq!(verify(&without, head), Err(Broken::Gap { expected: 3, found: 4 }));
        let cut = &good[..2];
        assert_eq!(verify(cut, head), Err(Broken::Cut { expected: 4, found: 2 }));

        let mut moved = good.clone();
        moved[0].0.at = WallMillis(99);
        assert_eq!(verify(&moved, head), Err(Broken::Entry(1)));
        let mut renamed = good;
        renamed[0].0.kind = "asked".into();
        assert_eq!(verify(&renamed, head), Err(Broken::Entry(1)));
    }

    #[test]
    fn what_was_forgotten_leaves_the_chain_whole() {
        let good = log(&["a", "b", "c"]);
        let mut verifier = Verifier::default();
        for (n, (link, salt, content)) in good.iter().enumerate() {
            let kept = (n != 1).then_some((salt, content.as_str()));
            verifier.take(link, kept).unwrap();
        }
        assert_eq!(verifier.finish(None), Ok(3));
    }
}
