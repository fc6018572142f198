//! Words of Jarvis's own that wait for a room's satellite, which is away, or has not come back since the daemon's start.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Announcements that wait; past it the oldest goes.
const WAITING_MAX: usize = 16;
/// News older than this are no news: they are on the page.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Announcements(VecDeque<(String, String, Instant)>);

impl Announcements {
    /// Keeps words for a room.
    pub(super) fn keep(&mut self, room: String, text: String) {
        if self.0.len() == WAITING_MAX
            && let Some((room, ..)) = self.0.pop_front()
        {
            tracing::warn!(room, "too many announcements wait; the oldest is on the page alone");
        }
        self.0.push_back((room, text, Instant::now()));
    }

    /// The words for a room that is there now, the oldest first.
    pub(super) fn take(&mut self, is_there: impl Fn(&str) -> bool) -> Vec<String> {
        self.0.retain(|(_, _, since)| since.elapsed() < WAIT_MAX);
        let (now, later): (VecDeque<_>, _) =
            std::mem::take(&mut self.0).into_iter().partition(|(room, ..)| is_there(room));
        self.0 = later;
        now.into_iter().map(|(_, text, _)| text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wait_for_their_room_and_a_flood_drops_the_oldest() {
        let mut waiting = Announcements::default();
        waiting.keep("study".into(), "one".into());
        waiting.keep("hall".into(), "two".into());
        waiting.keep("study".into(), "three".into());
        assert_eq!(waiting.take(|room| room == "study"), ["one", "three"]);
        assert!(waiting.take(|room| room == "study").is_empty());
        for n in 0..WAITING_MAX {
            waiting.keep("hall".into(), n.to_string());
        }
        let told = waiting.take(|_| true);
        assert_eq!((told.len(), told[0].as_str()), (WAITING_MAX, "0"));
    }
}
