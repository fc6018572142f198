//! What is written down of a turn, for the store, the events and the journal.

use jarvis_core::ids::{SatelliteId, TurnId};
use jarvis_core::turn::{Ending, Turn};

use super::Parts;
use crate::event::{EventKind, MarksMs, Route, RouteKind, ToolRun, TurnRecord, Wake};
use crate::redaction;
use crate::store::StoreError;

/// What the turn before in a room left behind, for "say that again" and "why".
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// What was heard.
    pub heard: Option<String>,
    /// What was answered.
    pub reply: Option<String>,
    /// How: route and reason in words.
    pub route: Option<String>,
}

/// A record as it grows. Parts of an attempt that was withdrawn are replaced by the next.
pub(super) struct Recording {
    pub(super) record: TurnRecord,
    /// Parts that failed, and why in their own words.
    pub(super) broken: Vec<(String, String)>,
    /// What is to be read is in the store: an answer without any must take it out again.
    paged: bool,
}

impl Recording {
    pub(super) fn new(turn_id: TurnId, satellite: Option<SatelliteId>, wake: Option<Wake>) -> Self {
        let record = TurnRecord {
            turn_id,
            satellite,
            wake,
            transcript: None,
            route: None,
            tools: Vec::new(),
            reply: None,
            page: None,
            marks_ms: MarksMs::default(),
            error: None,
        };
        Self { record, broken: Vec::new(), paged: false }
    }

    pub(super) fn tool(&mut self, tool: ToolRun) {
        self.record.tools.push(tool);
    }

    /// What the attempt so far brought does not count any more.
    pub(super) fn withdraw(&mut self) {
        self.record.route = None;
        self.record.tools.clear();
        self.record.reply = None;
        self.record.page = None;
    }

    /// What of the answer is read rather than heard: committed before it is shown.
    pub(super) async fn page(&mut self, parts: &Parts, page: Option<String>) -> Result<(), StoreError> {
        if page.is_some() || self.paged {
            parts.store.page(self.record.turn_id, page.as_deref()).await?;
            self.paged = page.is_some();
        }
        self.record.page = page;
        Ok(())
    }

    /// The last state of things.
    pub(super) fn close(&mut self, turn: &Turn, ending: Ending) {
        self.record.marks_ms = turn.marks().relative();
        if let (Some(wake), Some(check)) = (&mut self.record.wake, turn.wake_check()) {
            wake.check = check;
        }
        self.record.error = error(ending).map(|what| match self.broken.is_empty() {
            true => what,
            false => format!("{what}: {}", self.reasons().join("; ")),
        });
        if let Ending::Sorry(trouble) = ending
            && self.record.route.is_none()
        {
            self.record.route = Some(Route { kind: RouteKind::Sorry, reason: format!("{trouble:?}") });
        }
        if ending == Ending::Stopped {
            self.record.transcript.get_or_insert_with(|| turn.asked().to_owned());
        }
        if ending == Ending::FalseWake {
            self.record.transcript = None;
            self.withdraw();
        }
    }

    fn reasons(&self) -> Vec<&str> {
        self.broken.iter().map(|(_, reason)| reason.as_str()).collect()
    }

    /// Commits what is left to commit, and tells that the turn is over.
    pub(super) async fn commit(&mut self, parts: &Parts, ending: Ending) {
        if let Err(error) = self.store(parts, ending).await {
            tracing::error!(turn = %self.record.turn_id, "the turn's end was not committed: {error}");
            let reason = error.to_string();
            self.broken.push(("store".into(), reason.clone()));
            parts.bus.tell(EventKind::Degraded { part: "store".into(), reason, fallback: None });
        }
        self.sum_up(ending);
        redaction::record(&mut self.record);
        parts.bus.tell(EventKind::Marks { turn: self.record.turn_id, marks_ms: self.record.marks_ms });
        parts.bus.tell(EventKind::TurnDone(Box::new(self.record.clone())));
    }

    async fn store(&self, parts: &Parts, ending: Ending) -> Result<(), StoreError> {
        let id = self.record.turn_id;
        if ending == Ending::FalseWake {
            return parts.store.discard(id).await;
        }
        if let Some(wake) = &self.record.wake {
            parts.store.wake_check(id, wake.check.as_str()).await?;
        }
        let marks = marks(&self.record.marks_ms);
        if !marks.is_empty() {
            parts.store.marks(id, marks).await?;
        }
        parts.store.finish(id, self.record.error.as_deref()).await
    }

    /// One line of the journal sums up a turn; words are never in it.
    fn sum_up(&self, ending: Ending) {
        let TurnRecord { turn_id, satellite, route, marks_ms: m, error, .. } = &self.record;
        tracing::info!(
            turn = turn_id.0,
            satellite = satellite.as_ref().map(SatelliteId::as_str),
            ?ending,
            route = route.as_ref().map(|r| r.kind.as_str()),
            speech_end_ms = m.speech_end,
            transcript_ms = m.transcript,
            first_sentence_ms = m.first_sentence,
            first_audio_ms = m.first_audio,
            played_ms = m.played,
            error,
            "turn over"
        );
    }
}

/// Marks by name, as the store takes them.
fn marks(ms: &MarksMs) -> Vec<(String, i64)> {
    let MarksMs { wake, first_frame, speech_end, end_due, end_decided, .. } = *ms;
    let MarksMs { transcript, first_sentence, first_audio, played, .. } = *ms;
    let all = [
        ("wake", wake),
        ("first_frame", first_frame),
        ("speech_end", speech_end),
        ("end_due", end_due),
        ("end_decided", end_decided),
        ("transcript", transcript),
        ("first_sentence", first_sentence),
        ("first_audio", first_audio),
        ("played", played),
    ];
    all.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?))).collect()
}

fn error(ending: Ending) -> Option<String> {
    let text = match ending {
        Ending::Answered | Ending::Quiet | Ending::FalseWake | Ending::Stopped => return None,
        Ending::Sorry(trouble) => format!("said sorry ({trouble:?})"),
        Ending::Superseded => "a newer turn began in the room".to_owned(),
        Ending::SpeechFailed => "no speech engine could speak the answer".to_owned(),
        Ending::SatelliteAway(trouble) => match trouble {
            Some(trouble) => format!("the satellite did not come back to hear the sorry ({trouble:?})"),
            None => "the satellite did not come back to hear the answer".to_owned(),
        },
        Ending::PlaybackUnknown => "the satellite never said that it played the answer".to_owned(),
        Ending::PlaybackBroken => "the satellite did not play the answer to its end".to_owned(),
        Ending::Shutdown => "the daemon stopped".to_owned(),
    };
    Some(text)
}
