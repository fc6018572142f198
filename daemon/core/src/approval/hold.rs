//! The changed mind: what a spoken "yes" approved waits while somebody speaks again in its room.
//!
//! "Hey jarvis, cancel that" takes longer than the second in which a mind may be changed. So a turn that is opened by voice within that
//! second holds what was approved until it is over, though not for ever.

use std::collections::BTreeMap;

use super::{CHANGED_MIND_MS, Stage};
use crate::ids::WallMillis;

/// What was approved is held for so long at most after its turn to run came, in milliseconds.
pub const HOLD_MAX_MS: i64 = 10_000;
/// Turns that are remembered; beyond it the oldest holds nothing any more.
const TURNS_MAX: usize = 64;

/// A turn that somebody opened by voice. Unique while the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Opened(u64);

/// Turns that are under way, by voice.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    next: u64,
    turns: BTreeMap<Opened, (String, WallMillis)>,
}

/// Whether what was approved may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Now.
    Begin,
    /// To be asked again then, or when a turn is opened or over.
    Until(WallMillis),
}

impl Holds {
    /// Somebody opened a turn in `room`.
    pub fn opened(&mut self, room: &str, now: WallMillis) -> Opened {
        if self.turns.len() >= TURNS_MAX {
            self.turns.pop_first();
        }
        let opened = Opened(self.next);
        self.next = self.next.wrapping_add(1);
        self.turns.insert(opened, (room.to_owned(), now));
        opened
    }

    /// That turn is over.
    pub fn over(&mut self, opened: Opened) {
        self.turns.remove(&opened);
    }

    /// Whether what stands so may begin in `room`. Only a spoken yes is held: whoever says it elsewhere has buttons to take it back.
    pub fn wait(&self, stage: &Stage, room: Option<&str>, now: WallMillis) -> Wait {
        let Stage::Approved { clears, .. } = stage else { return Wait::Begin };
        if now < *clears {
            return Wait::Until(*clears);
        }
        let end = clears.plus(HOLD_MAX_MS);
        let said = clears.plus(-CHANGED_MIND_MS);
        // The turn of the "yes" itself was opened before it.
        let holds = |(at, since): &(String, WallMillis)| room == Some(at.as_str()) && *since > said && since <= clears;
        if stage.is_spoken() && now < end && self.turns.values().any(holds) { Wait::Until(end) } else { Wait::Begin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: WallMillis = WallMillis(1_000_000);

    fn at(ms: i64) -> WallMillis {
        YES.plus(ms)
    }

    fn approved(by: &str) -> Stage {
        Stage::Approved { by: by.to_owned(), clears: at(CHANGED_MIND_MS) }
    }

    fn wait(holds: &Holds, ms: i64) -> Wait {
        holds.wait(&approved("voice in study"), Some("study"), at(ms))
    }

    #[test]
    fn without_a_further_word_it_begins_after_its_second() {
        let holds = Holds::default();
        assert_eq!(wait(&holds, 0), Wait::Until(at(1_000)));
        assert_eq!(wait(&holds, 999), Wait::Until(at(1_000)));
        assert_eq!(wait(&holds, 1_000), Wait::Begin);
        assert_eq!(holds.wait(&Stage::Cancelled, Some("study"), at(0)), Wait::Begin, "nothing is waited for");
    }

    #[test]
    fn a_turn_within_the_second_holds_it_until_it_is_over_or_ten_seconds_have_passed() {
        let mut holds = Holds::default();
        let turn = holds.opened("study", at(900));
        assert_eq!(wait(&holds, 1_000), Wait::Until(at(11_000)));
        assert_eq!(wait(&holds, 10_999), Wait::Until(at(11_000)));
        assert_eq!(wait(&holds, 11_000), Wait::Begin, "nobody holds it for ever");
        holds.over(turn);
        assert_eq!(wait(&holds, 1_500), Wait::Begin);
        let [first, _second] = [holds.opened("study", at(400)), holds.opened("study", at(800))];
        holds.over(first);
        assert_eq!(wait(&holds, 1_500), Wait::Until(at(11_000)), "the second one goes on");
    }

    #[test]
    fn the_turn_of_the_yes_another_room_and_a_later_turn_hold_nothing() {
        for (room, ms) in [("study", -700), ("study", 0), ("kitchen", 500), ("study", 1_001)] {
            let mut holds = Holds::default();
            holds.opened(room, at(ms));
            assert_eq!(wait(&holds, 1_100), Wait::Begin, "{room} at {ms}");
        }
        let mut holds = Holds::default();
        holds.opened("study", at(500));
        for by in ["page", "jarvisctl", "voiceless"] {
            assert_eq!(holds.wait(&approved(by), Some("study"), at(1_000)), Wait::Begin, "{by}");
        }
        assert_eq!(holds.wait(&approved("voice in study"), None, at(1_000)), Wait::Begin);
    }

    #[test]
    fn a_flood_of_turns_is_bounded() {
        let mut holds = Holds::default();
        for n in 0..1_000 {
            holds.opened("study", at(n));
        }
        assert_eq!(holds.turns.len(), TURNS_MAX);
    }
}
