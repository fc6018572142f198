//! Ends of turns: what a turn leaves behind, and what is told of one whose task broke.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jarvis_core::ids::{SatelliteId, TurnId};
use jarvis_link::message::Utterance;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinError};

use super::record::Recording;
use super::{Before, Turns};
use crate::event::{EventKind, TurnRecord};

/// Parts that turns need, each its own way: the ear only what is heard.
const NEEDED: [&str; 3] = ["store", "ear", "turn"];
/// The store must write down the end of a turn that broke within this: every other turn waits for it.
const STORE_MAX: Duration = Duration::from_secs(1);

/// What a turn leaves behind.
pub(super) struct Over {
    pub(super) satellite: Option<SatelliteId>,
    pub(super) utterance: Option<Utterance>,
    pub(super) record: TurnRecord,
    /// Parts that failed in it.
    pub(super) broken: Vec<String>,
    pub(super) done: Option<oneshot::Sender<Result<TurnRecord, String>>>,
}

/// What is known of a turn from outside of its task.
pub(super) struct UnderWay {
    pub(super) satellite: Option<SatelliteId>,
    pub(super) utterance: Option<Utterance>,
    /// Its number, once it has one. Before that nobody was told of it.
    pub(super) number: Arc<OnceLock<TurnId>>,
}

impl UnderWay {
    /// What is left of it once its task broke; `None` where nobody was told that it began.
    fn broken(self, error: &JoinError) -> Option<Over> {
        let mut record = Recording::new(*self.number.get()?, self.satellite.clone(), None).record;
        record.error = Some(format!("the turn broke: {error}"));
        let broken = vec!["turn".to_owned()];
        Some(Over { satellite: self.satellite, utterance: self.utterance, record, broken, done: None })
    }
}

impl Turns {
    /// A turn's task has ended, one way or the other.
    pub(super) async fn over(&mut self, over: Result<(Id, Over), JoinError>) {
        self.parts.gleanings.under_way(self.running.len());
        match over {
            Ok((id, over)) => {
                self.under_way.remove(&id);
                self.judge_parts(&over.broken, over.utterance.is_some());
                self.leave(over);
            }
            Err(error) => {
                tracing::error!("a turn broke: {error}");
                if let Some(over) = self.under_way.remove(&error.id()).and_then(|turn| turn.broken(&error)) {
                    self.tell_broken(&over).await;
                    self.leave(over);
                }
            }
        }
    }

    /// What its own task can't commit and tell any more.
    async fn tell_broken(&mut self, over: &Over) {
        self.troubled.extend(over.broken.iter().cloned());
        let record = over.record.clone();
        let reason = record.error.clone().unwrap_or_default();
        let commit = self.parts.store.finish(record.turn_id, Some(&reason));
        if !matches!(tokio::time::timeout(STORE_MAX, commit).await, Ok(Ok(()))) {
            tracing::error!(turn = record.turn_id.0, "the turn's end was not committed");
        }
        self.parts.bus.tell(EventKind::Degraded { part: "turn".into(), reason, fallback: None });
        self.parts.bus.tell(EventKind::TurnDone(Box::new(record)));
    }

    /// Its room is free, and whoever waits has its record.
    fn leave(&mut self, over: Over) {
        let mut free = false;
        if let Some(room) = self.rooms.get_mut(&over.satellite) {
            if room.turn.as_ref().is_some_and(|(utterance, inbox)| *utterance == over.utterance && inbox.is_closed()) {
                room.turn = None;
                free = true;
            }
            if let (Some(heard), Some(reply)) = (&over.record.transcript, &over.record.reply) {
                room.before = Before {
                    heard: Some(heard.clone()),
                    reply: Some(reply.clone()),
                    route: over.record.route.as_ref().map(|r| r.reason.clone()),
                };
            }
        }
        if let Some(satellite) = over.satellite.filter(|_| free) {
            self.announce_what_waits(&satellite);
        }
        if let Some(done) = over.done
            && done.send(Ok(over.record)).is_err()
        {
            tracing::debug!("nobody waits for that turn any more");
        }
    }

    /// A turn told the parts that failed in it. One that needed a part and found it well shows that it is well again.
    fn judge_parts(&mut self, broken: &[String], heard: bool) {
        for part in NEEDED.into_iter().filter(|part| heard || *part != "ear") {
            if !broken.iter().any(|failed| failed == part) {
                self.restore(part);
            }
        }
        self.troubled.extend(broken.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    async fn breaks() {
        panic!("no such room");
    }

    #[tokio::test]
    async fn a_turn_whose_task_broke_ends_with_an_error_and_frees_its_room() {
        let mut tasks = JoinSet::new();
        tasks.spawn(breaks());
        let error = tasks.join_next().await.unwrap().unwrap_err();
        let number = Arc::new(OnceLock::new());
        let turn =
            || UnderWay { satellite: Some("study".into()), utterance: Some(Utterance(3)), number: Arc::clone(&number) };
        assert!(turn().broken(&error).is_none(), "nobody was told that it began");
        number.set(TurnId(7)).unwrap();
        let over = turn().broken(&error).unwrap();
        assert_eq!((over.record.turn_id, over.record.satellite), (TurnId(7), Some("study".into())));
        assert!(over.record.error.unwrap().contains("the turn broke"));
        assert_eq!(
            (over.satellite, over.utterance),
            (Some("study".into()), Some(Utterance(3))),
            "by these it is found"
        );
    }
}
