//! What happens in the house, told to whoever listens: the status page, `jarvisctl turns --follow`, the demo.
//!
//! Listeners never slow a turn down: one that falls more than [`EVENTS_MAX`] behind loses the oldest and is told how many.
//!
//! Length: one list of what can happen.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub use jarvis_core::marks::MarksMs;
pub use jarvis_core::turn::WakeCheck;

use jarvis_core::cluster::Presence;
use jarvis_core::ids::{NodeName, SatelliteId, TurnId};
use jarvis_core::tool::Tier;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::redaction;

/// Events kept for a listener that is behind.
pub const EVENTS_MAX: usize = 1024;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The present time; zero on a machine whose clock is before 1970.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Something that happened. As JSON: `{"at": ..., "kind": "partial", "turn": 7, ...}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: UnixMillis,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// A turn began.
    Wake {
        /// Which.
        turn: TurnId,
        /// Where; `None` for a typed one.
        satellite: Option<SatelliteId>,
        /// The wake word; `None` for a typed turn or the button.
        wake: Option<Wake>,
    },
    /// The request as heard so far.
    Partial {
        /// Of which turn.
        turn: TurnId,
        /// Its text, wake phrase taken off.
        text: String,
    },
    /// The request, committed. May come again in a turn that reopened.
    Transcript {
        /// Of which turn.
        turn: TurnId,
        /// Its text, wake phrase taken off.
        text: String,
    },
    /// Who answers, and why.
    Route {
        /// Of which turn.
        turn: TurnId,
        /// The choice.
        route: Route,
    },
    /// A tool ran.
    Tool {
        /// Of which turn.
        turn: TurnId,
        /// The run.
        tool: ToolRun,
    },
    /// The answer, whole.
    Reply {
        /// Of which turn.
        turn: TurnId,
        /// What is spoken.
        text: String,
        /// Longer matter for the page.
        page: Option<String>,
    },
    /// A sentence of the answer, committed, is about to be spoken.
    Sentence {
        /// Of which turn.
        turn: TurnId,
        /// Counts up from 0.
        index: u16,
        /// Its text as written.
        text: String,
    },
    /// Times of a turn so far.
    Marks {
        /// Of which turn.
        turn: TurnId,
        /// The times.
        marks_ms: MarksMs,
    },
    /// A satellite came or went.
    Satellite {
        /// Which.
        satellite: SatelliteId,
        /// Whether it is connected now.
        connected: bool,
        /// Why it went; version and the like when it came.
        detail: String,
    },
    /// A node came or went.
    Node {
        /// Which.
        node: NodeName,
        /// What can be said of it now.
        presence: Presence,
    },
    /// A part of Jarvis is broken or replaced by a lesser one.
    Degraded {
        /// `ear`, `speech`, `cluster`, `store`, `link`, ...
        part: String,
        /// Why, with a remedy.
        reason: String,
        /// What is used instead, if anything.
        fallback: Option<String>,
    },
    /// A part told [`EventKind::Degraded`] works again.
    Restored {
        /// Which.
        part: String,
    },
    /// A question was asked, answered or settled; 0 for several at once. What it is now is to be looked up.
    Approval {
        /// Which.
        id: jarvis_core::ids::ApprovalId,
    },
    /// At its start the daemon found a model's run that its last end had cut off. It is not gone on with.
    Interrupted {
        /// Of which turn.
        turn: TurnId,
        /// Where it was asked; empty for one typed without a room.
        room: String,
        /// Whether a change of that turn was begun, of which nobody knows yet what became.
        open: bool,
    },
    /// A model took down what the owner had said, after a turn.
    Remembered {
        /// Of which turn.
        turn: TurnId,
        /// What is kept now, a sentence each.
        texts: Vec<String>,
    },
    /// The kill switch was set or released.
    Power {
        /// How it stands.
        state: crate::safety::SwitchState,
    },
    /// A turn is over, whichever way.
    TurnDone(Box<TurnRecord>),
}

/// One turn, as `jarvisctl turns --json` and `target/demo/turns.json` show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// Which.
    pub turn_id: TurnId,
    /// Where; `None` for a typed one.
    pub satellite: Option<SatelliteId>,
    /// The wake word; `None` for a typed turn or the button.
    pub wake: Option<Wake>,
    /// The request, wake phrase taken off; `None` where nothing was heard.
    pub transcript: Option<String>,
    /// Who answered, and why; `None` for a turn that ended before.
    pub route: Option<Route>,
    /// Tools that ran.
    pub tools: Vec<ToolRun>,
    /// The whole answer as written; `None` for a turn that stayed silent.
    pub reply: Option<String>,
    /// What of it is read rather than heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// Times relative to the wake.
    pub marks_ms: MarksMs,
    /// What went wrong, for the owner; `None` if nothing did.
    pub error: Option<String>,
}

/// How a turn was woken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wake {
    /// Which phrase.
    pub phrase: String,
    /// The detector's score, 0.0 to 1.0.
    pub score: f32,
    /// What the second check made of it.
    pub check: WakeCheck,
}

/// Who answered a turn, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Who.
    pub kind: RouteKind,
    /// Why: `guest.status, score 0.97: "is the {guest} up"`, `two guests match`, ...
    pub reason: String,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// The local intent grammar.
    Intent,
    /// A model in the house.
    LocalModel,
    /// A model elsewhere.
    CloudModel,
    /// A short question back, because a name was ambiguous.
    Question,
    /// Nobody: the request was not understood, and Jarvis said so.
    NotUnderstood,
    /// Nobody: something broke, and Jarvis said sorry.
    Sorry,
}

impl RouteKind {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::LocalModel => "local_model",
            Self::CloudModel => "cloud_model",
            Self::Question => "question",
            Self::NotUnderstood => "not_understood",
            Self::Sorry => "sorry",
        }
    }
}

/// One run of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolRun {
    /// Its stable name.
    pub name: String,
    /// The very arguments it ran with.
    pub args: serde_json::Value,
    /// Their tier.
    pub tier: Tier,
    /// `ok`, or what went wrong, in few words.
    pub outcome: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// Where events are told. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    sender: broadcast::Sender<Arc<Event>>,
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus {
    /// A bus without listeners.
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(EVENTS_MAX) }
    }

    /// Tells it to whoever listens, secrets taken out; nobody listening is no error.
    pub fn tell(&self, kind: EventKind) -> Arc<Event> {
        let kind = redaction::event(kind);
        let event = Arc::new(Event { at: UnixMillis::now(), kind });
        if self.sender.send(event.clone()).is_err() {
            tracing::trace!("nobody listens to {:?}", event.kind);
        }
        event
    }

    /// Listens from now on.
    pub fn listen(&self) -> Listener {
        Listener { receiver: self.sender.subscribe() }
    }
}

/// Receives what a [`Bus`] tells.
#[derive(Debug)]
pub struct Listener {
    receiver: broadcast::Receiver<Arc<Event>>,
}

/// What a listener gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The next event.
    Event(Arc<Event>),
    /// The listener was too slow and lost this many.
    Lost(u64),
}

impl Listener {
    /// The next event; `None` once the bus is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Told> {
        match self.receiver.recv().await {
            Ok(event) => Some(Told::Event(event)),
            Err(broadcast::error::RecvError::Lagged(lost)) => Some(Told::Lost(lost)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> TurnRecord {
        TurnRecord {
            turn_id: TurnId(7),
            satellite: Some("kitchen".into()),
            wake: Some(Wake { phrase: "hey jarvis".into(), score: 0.5, check: WakeCheck::CannotTell }),
            transcript: Some("how hot is node two".into()),
            route: Some(Route { kind: RouteKind::Intent, reason: "node.temperature".into() }),
            tools: vec![ToolRun {
                name: "temperatures".into(),
                args: serde_json::json!({"nodes": ["pve2"]}),
                tier: Tier::Green,
                outcome: "ok".into(),
                ms: 12,
            }],
            reply: Some("61 °C, sir.".into()),
            page: None,
            marks_ms: MarksMs { wake: Some(0), ..MarksMs::default() },
            error: None,
        }
    }

    #[test]
    fn a_record_has_the_promised_fields_and_comes_back_from_json() {
        let json = serde_json::to_value(record()).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected =
            ["turn_id", "satellite", "wake", "transcript", "route", "tools", "reply", "marks_ms", "error"];
        expected.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!(json["wake"]["check"], "cannot_tell");
        assert_eq!(json["tools"][0]["tier"], "GREEN");
        let mut marks: Vec<_> = json["marks_ms"].as_object().unwrap().keys().cloned().collect();
        marks.sort_unstable();
        assert_eq!(
            marks,
            [
                "end_decided",
                "end_due",
                "first_audio",
                "first_frame",
                "first_sentence",
                "played",
                "speech_end",
                "transcript",
                "wake"
            ]
        );
        assert_eq!(serde_json::from_value::<TurnRecord>(json).unwrap(), record());
    }

    #[test]
    fn events_come_back_from_json() {
        let kinds = [
            EventKind::TurnDone(Box::new(record())),
            EventKind::Partial { turn: TurnId(1), text: "how".into() },
            EventKind::Degraded { part: "ear".into(), reason: "libvosk is missing".into(), fallback: None },
        ];
        for kind in kinds {
            let event = Event { at: UnixMillis(5), kind };
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
        }
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_what_it_lost() {
        let bus = Bus::new();
        let mut listener = bus.listen();
        for n in 0..EVENTS_MAX as u64 + 5 {
            bus.tell(EventKind::Partial { turn: TurnId(n), text: String::new() });
        }
        assert_eq!(listener.next().await, Some(Told::Lost(5)));
        let Some(Told::Event(event)) = listener.next().await else { panic!("an event was due") };
        assert_eq!(event.kind, EventKind::Partial { turn: TurnId(5), text: String::new() });
    }
}
