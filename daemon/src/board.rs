//! The board: what somebody who looks in now must know of what happened before: degraded parts, and turns under way.
//!
//! One owner task listens to the bus and puts a new picture on a watch channel; whoever looks never makes it wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jarvis_core::ids::TurnId;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::event::{Event, EventKind, Listener, Told, UnixMillis};

/// Turns under way that are remembered; older ones are given up as ended.
const TURNS_MAX: usize = 16;
/// Events remembered of one turn; beyond it the oldest partial ones go.
const EVENTS_PER_TURN_MAX: usize = 64;
/// Parts that can be degraded at once; there are fewer kinds of part, but nodes and rooms come from outside.
const PARTS_MAX: usize = 128;

/// A part that is broken or replaced by a lesser one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    /// `ear`, `speech`, `cluster`, ...
    pub part: String,
    /// Why, with a remedy.
    pub reason: String,
    /// What is used instead.
    pub fallback: Option<String>,
    /// Since when.
    pub since: UnixMillis,
}

/// What the board shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Picture {
    degraded: BTreeMap<String, Degraded>,
    running: VecDeque<(TurnId, Vec<Arc<Event>>)>,
}

impl Picture {
    /// Degraded parts, by name.
    pub fn degraded(&self) -> Vec<Degraded> {
        self.degraded.values().cloned().collect()
    }

    /// Events of the turns under way, oldest turn first.
    pub fn running(&self) -> Vec<Arc<Event>> {
        self.running.iter().flat_map(|(_, events)| events.iter().cloned()).collect()
    }

    fn take(&mut self, event: &Arc<Event>) {
        match &event.kind {
            EventKind::Degraded { part, reason, fallback } => self.degrade(event.at, part, reason, fallback.as_ref()),
            EventKind::Restored { part } => {
                self.degraded.remove(part);
            }
            EventKind::TurnDone(record) => self.running.retain(|(turn, _)| *turn != record.turn_id),
            EventKind::Wake { turn, .. } => {
                self.running.retain(|(known, _)| known != turn);
                if self.running.len() == TURNS_MAX {
                    self.running.pop_front();
                }
                self.running.push_back((*turn, vec![event.clone()]));
            }
            EventKind::Partial { turn, .. }
            | EventKind::Transcript { turn, .. }
            | EventKind::Route { turn, .. }
            | EventKind::Tool { turn, .. }
            | EventKind::Reply { turn, .. }
            | EventKind::Sentence { turn, .. }
            | EventKind::Marks { turn, .. } => self.add(*turn, event),
            EventKind::Satellite { .. }
            | EventKind::Node { .. }
            | EventKind::Approval { .. }
            | EventKind::Interrupted { .. }
            | EventKind::Remembered { .. }
            | EventKind::Power { .. } => {}
        }
    }

    fn degrade(&mut self, at: UnixMillis, part: &str, reason: &str, fallback: Option<&String>) {
        let since = self.degraded.get(part).map_or(at, |known| known.since);
        if self.degraded.len() >= PARTS_MAX && !self.degraded.contains_key(part) {
            tracing::warn!(part, reason, "more degraded parts than the board holds");
            return;
        }
        let degraded =
            Degraded { part: part.to_owned(), reason: reason.to_owned(), fallback: fallback.cloned(), since };
        self.degraded.insert(part.to_owned(), degraded);
    }

    fn add(&mut self, turn: TurnId, event: &Arc<Event>) {
        let Some((_, events)) = self.running.iter_mut().find(|(known, _)| *known == turn) else { return };
        // Only the newest partial says anything.
        events.retain(|known| !matches!(known.kind, EventKind::Partial { .. }));
        if events.len() < EVENTS_PER_TURN_MAX {
            events.push(event.clone());
        }
    }
}

/// Keeps the picture until the bus is gone. Run it before anything is told.
pub async fn keep(mut listener: Listener, board: watch::Sender<Picture>) {
    while let Some(told) = listener.next().await {
        match told {
            Told::Event(event) => board.send_modify(|picture| picture.take(&event)),
            Told::Lost(lost) => tracing::warn!(lost, "the board fell behind and may show what is over"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(kinds: Vec<EventKind>) -> Picture {
        let mut picture = Picture::default();
        for (at, kind) in kinds.into_iter().enumerate() {
            picture.take(&Arc::new(Event { at: UnixMillis(at as i64), kind }));
        }
        picture
    }

    fn degraded(reason: &str) -> EventKind {
        EventKind::Degraded { part: "ear".into(), reason: reason.into(), fallback: None }
    }

    fn wake(turn: u64) -> EventKind {
        EventKind::Wake { turn: TurnId(turn), satellite: None, wake: None }
    }

    fn partial(turn: u64, text: &str) -> EventKind {
        EventKind::Partial { turn: TurnId(turn), text: text.into() }
    }

    #[test]
    fn a_part_is_degraded_since_it_was_first_told_until_it_is_restored() {
        let told = picture(vec![degraded("gone"), degraded("still gone")]).degraded();
        assert_eq!((told.len(), told[0].since, told[0].reason.as_str()), (1, UnixMillis(0), "still gone"));
        let told = picture(vec![degraded("gone"), EventKind::Restored { part: "ear".into() }]);
        assert_eq!(told, Picture::default());
    }

    #[test]
    fn a_running_turn_keeps_its_events_but_of_partials_only_the_newest() {
        let told = picture(vec![wake(1), partial(1, "how"), partial(1, "how hot"), partial(2, "of no known turn")]);
        let kinds: Vec<_> = told.running().iter().map(|e| e.kind.clone()).collect();
        assert_eq!(kinds, [wake(1), partial(1, "how hot")]);
    }

    #[test]
    fn a_hundred_wakes_leave_a_bounded_picture() {
        let told = picture((0..100).map(wake).collect());
        assert_eq!(told.running().len(), TURNS_MAX);
    }
}
