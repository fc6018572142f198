//! What the tests of this module share.

use std::sync::LazyLock;

use super::{Draft, Memory, MemoryId, Reader, UnixMillis, Validity};
use crate::intent::Grammar;
use crate::names::Names;
use crate::sample;

/// 2026-11-23 14:07 UTC, a Monday.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_442_820_000);

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| Grammar::embedded().unwrap_or_else(|error| panic!("{error}")));
static NAMES: LazyLock<Names> = LazyLock::new(|| Names::from_cluster(&sample::cluster()));

/// A reader at `now`, in a house without names of its own.
pub(crate) fn reader(now: UnixMillis) -> Reader<'static> {
    Reader { grammar: &GRAMMAR, names: &NAMES, aliases: &[], now, local_offset_s: 0 }
}

/// A memory of these words, told at `told`.
pub(crate) fn memory(id: u64, text: &str, told: UnixMillis) -> Memory {
    kept(id, reader(told).told(text).unwrap_or_else(|| panic!("nothing to remember in {text:?}")), told)
}

/// The draft as it is kept.
pub(crate) fn kept(id: u64, draft: Draft, told: UnixMillis) -> Memory {
    Memory {
        id: MemoryId(id),
        fact: draft.fact,
        room: "study".to_owned(),
        turn: None,
        told,
        validity: Validity { from: told, closed: None, expires: draft.expires },
        uses: 0,
        last_used: None,
    }
}
