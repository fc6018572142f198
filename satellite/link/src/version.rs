//! Which versions of the protocol are spoken, and how it may change.
//!
//! - A version is one release's set of messages. `tests/golden/vN.txt` holds its bytes and is never edited: a change that breaks one of
//!   its lines needs a new version and a new file.
//! - A message's fields never change. New variants are appended, with a new [`CURRENT`], and sent only on a connection
//!   whose agreed version has them.
//! - A daemon serves satellites one release older: [`MIN`] is the version of the release before this one (now the first).
//!   A satellite is never newer than its daemon for long, and the newer end speaks the older one's version.
//! - `Hello` and `Refused` stay as they are for ever: they are how two ends find out that they don't agree.

/// Oldest version spoken.
pub const MIN: u16 = 1;
/// Newest version spoken.
pub const CURRENT: u16 = 2;
/// The first version that has [`Answer::Answered`](crate::message::Answer::Answered).
pub const ANSWERED: u16 = 2;

/// The two ends have no version in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// The other end is too old.
    #[error("it speaks versions up to {newest}, and {min} is the oldest spoken here: update it", min = MIN)]
    TooOld {
        /// Its newest.
        newest: u16,
    },
    /// The other end is too new.
    #[error("it speaks versions from {oldest} on, and {current} is the newest spoken here: update this end", current = CURRENT)]
    TooNew {
        /// Its oldest.
        oldest: u16,
    },
    /// Its oldest is newer than its newest.
    #[error("its range of versions is empty")]
    Empty,
}

/// The newest version both speak; `offered` is the other end's oldest and newest.
pub fn agree(offered: (u16, u16)) -> Result<u16, Disagreement> {
    let (oldest, newest) = offered;
    if oldest > newest {
        Err(Disagreement::Empty)
    } else if newest < MIN {
        Err(Disagreement::TooOld { newest })
    } else if oldest > CURRENT {
        Err(Disagreement::TooNew { oldest })
    } else {
        Ok(newest.min(CURRENT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_taken() {
        assert_eq!(agree((MIN, CURRENT)), Ok(CURRENT));
        assert_eq!(agree((0, u16::MAX)), Ok(CURRENT));
        assert_eq!(agree((CURRENT, CURRENT + 1)), Ok(CURRENT));
        assert_eq!(agree((0, MIN - 1)), Err(Disagreement::TooOld { newest: MIN - 1 }));
        let next = CURRENT + 1;
        assert_eq!(agree((next, next)), Err(Disagreement::TooNew { oldest: next }));
        assert_eq!(agree((2, 1)), Err(Disagreement::Empty));
    }
}
