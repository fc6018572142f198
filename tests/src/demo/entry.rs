//! `target/demo/turns.json`: a list with every field in every entry, `null` where nobody knows.

use std::path::Path;

use anyhow::{Context, Result};
use jarvis_core::ids::{SatelliteId, TurnId};
use jarvisd::event::{MarksMs, Route, ToolRun, TurnRecord, Wake};
use serde::Serialize;

use super::referee::Judged;
use super::request::Request;
use crate::house::Asked;
use crate::pve::expected::Figure;

/// One turn: the program's own record of it, and what was measured and judged from outside.
#[derive(Debug, Default, Serialize)]
pub struct Entry {
    turn_id: Option<TurnId>,
    satellite: Option<SatelliteId>,
    wake: Option<Wake>,
    transcript: Option<String>,
    route: Option<Route>,
    tools: Vec<ToolRun>,
    reply: Option<String>,
    /// The program's own, from the wake on.
    marks_ms: MarksMs,
    /// Measured from the recording, from the request's first sample on.
    heard_ms: HeardMs,
    error: Option<String>,
    /// What was said into the room; `None` for a person's own words.
    request: Option<String>,
    /// What was asked by that, without the wake word.
    asked: Option<String>,
    /// Figures that must be heard, each in one of its ways, from the simulator's state; `None` where no figure was looked for.
    wanted: Option<Vec<Figure>>,
    /// What the second recogniser heard of the answer; `None` where it did not listen.
    heard: Option<[String; 2]>,
    /// Why this turn is no success; `None` if it is one, and where nobody judged.
    miss: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct HeardMs {
    speech_end: Option<f64>,
    first_audio: Option<f64>,
}

impl Entry {
    /// A turn that was judged.
    pub fn judged(request: &Request, judged: Judged) -> Self {
        Self {
            request: Some(request.to_string()),
            asked: Some(judged.text),
            wanted: Some(judged.wanted),
            heard: Some(judged.heard),
            miss: judged.miss,
            ..Self::measured(&judged.asked)
        }
    }

    /// A turn nobody recorded: what people say in a real room is not.
    pub fn unrecorded(turn: TurnRecord) -> Self {
        Self::of(Some(turn), HeardMs::default())
    }

    /// Why it is no success.
    pub fn miss(&self) -> Option<&str> {
        self.miss.as_deref()
    }

    /// What was said.
    pub fn request(&self) -> &str {
        self.request.as_deref().unwrap_or_default()
    }

    fn measured(asked: &Asked) -> Self {
        let heard = HeardMs { speech_end: Some(asked.speech_end_ms), first_audio: asked.first_audio_ms };
        Self::of(asked.turn.clone(), heard)
    }

    /// Where nobody woke there is no turn, and the program knows nothing of it.
    fn of(turn: Option<TurnRecord>, heard_ms: HeardMs) -> Self {
        let mut entry = Self { heard_ms, ..Self::default() };
        if let Some(turn) = turn {
            let TurnRecord { turn_id, satellite, wake, transcript, route, tools, reply, marks_ms, error, page: _ } =
                turn;
            let turn_id = Some(turn_id);
            entry = Self { turn_id, satellite, wake, transcript, route, tools, reply, marks_ms, error, ..entry };
        }
        entry
    }
}

/// Writes the file.
pub fn write(path: &Path, entries: &[Entry]) -> Result<()> {
    std::fs::write(path, serde_json::to_string_pretty(entries)?).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::room::Recording;
    use jarvisd::event::{RouteKind, WakeCheck};
    use serde_json::{Value, json};

    /// A turn as the house tells it.
    pub fn turn() -> TurnRecord {
        TurnRecord {
            turn_id: TurnId(7),
            satellite: Some(SatelliteId::from("study")),
            wake: Some(Wake { phrase: "hey jarvis".into(), score: 0.75, check: WakeCheck::Confirmed }),
            transcript: Some("how hot is node two".into()),
            route: Some(Route {
                kind: RouteKind::Intent,
                reason: "node.temperature, score 1.00: how hot is {node}".into(),
            }),
            tools: vec![ToolRun {
                name: "node_sensors".into(),
                args: json!({"node": "pve2"}),
                tier: jarvis_core::tool::Tier::Green,
                outcome: "ok".into(),
                ms: 12,
            }],
            reply: Some("Node pve2 stands at 61 degrees.".into()),
            page: None,
            marks_ms: MarksMs { wake: Some(0), played: Some(4100), ..MarksMs::default() },
            error: None,
        }
    }

    fn asked(turn: Option<TurnRecord>) -> Asked {
        let recording = Recording { said: Vec::new(), heard: Vec::new() };
        Asked { turn, recording, speech_end_ms: 1800.0, first_audio_ms: None }
    }

    /// Names of fields, nested ones with their parent's.
    fn keys(value: &Value, of: &str) -> Vec<String> {
        let fields = value.as_object().into_iter().flatten();
        fields
            .flat_map(|(name, value)| [vec![format!("{of}{name}")], keys(value, &format!("{of}{name}."))].concat())
            .collect()
    }

    const FIELDS: [&str; 10] =
        ["turn_id", "satellite", "wake", "transcript", "route", "tools", "reply", "marks_ms", "heard_ms", "error"];
    const MEASURED: [&str; 8] = [
        "marks_ms.wake",
        "marks_ms.first_frame",
        "marks_ms.speech_end",
        "marks_ms.transcript",
        "marks_ms.first_sentence",
        "marks_ms.first_audio",
        "marks_ms.played",
        "heard_ms.speech_end",
    ];

    #[test]
    fn a_turn_has_every_field_and_every_field_within() {
        let spoken = Request::Spoken { voice: "en-gb".into(), text: "hey jarvis, how hot is node two".into() };
        let judged = Judged {
            asked: asked(Some(turn())),
            text: "how hot is node two".into(),
            wanted: vec![Figure::any(["61".into()])],
            heard: ["sixty one".into(), "sixty one".into()],
            miss: None,
        };
        let entry = serde_json::to_value(Entry::judged(&spoken, judged)).unwrap();
        let found = keys(&entry, "");
        let within = ["wake.phrase", "wake.score", "wake.check", "route.kind", "route.reason", "heard_ms.first_audio"];
        for field in FIELDS.iter().chain(&MEASURED).chain(&within) {
            assert!(found.iter().any(|name| name == field), "{field} is not in {entry:#}");
        }
        let tool = keys(&entry["tools"][0], "");
        for field in ["name", "args", "tier", "outcome", "ms"] {
            assert!(tool.iter().any(|name| name == field), "tools[].{field} is not in {entry:#}");
        }
        assert_eq!((&entry["turn_id"], &entry["wake"]["check"]), (&json!(7), &json!("confirmed")));
        assert_eq!((&entry["heard_ms"]["speech_end"], &entry["wanted"]), (&json!(1800.0), &json!([["61"]])));
    }

    #[test]
    fn where_nobody_woke_and_where_nobody_recorded_the_same_fields_are_null() {
        let spoken = Request::Spoken { voice: "en-gb".into(), text: "hello".into() };
        let judged = Judged {
            asked: asked(None),
            text: "hello".into(),
            wanted: Vec::new(),
            heard: Default::default(),
            miss: Some("nobody woke".into()),
        };
        let nobody = serde_json::to_value(Entry::judged(&spoken, judged)).unwrap();
        let unrecorded = serde_json::to_value(Entry::unrecorded(turn())).unwrap();
        for entry in [&nobody, &unrecorded] {
            let found = keys(entry, "");
            for field in FIELDS.iter().chain(&MEASURED) {
                assert!(found.iter().any(|name| name == field), "{field} is not in {entry:#}");
            }
        }
        for field in ["turn_id", "satellite", "wake", "transcript", "route", "reply", "error"] {
            assert_eq!(nobody[field], Value::Null, "{field}");
        }
        for field in ["request", "asked", "wanted", "heard", "miss"] {
            assert_eq!(unrecorded[field], Value::Null, "{field}");
        }
        assert_eq!((&nobody["tools"], &nobody["marks_ms"]["wake"]), (&json!([]), &Value::Null));
        assert_eq!(unrecorded["heard_ms"], json!({"speech_end": null, "first_audio": null}));
        assert_eq!(unrecorded["reply"], json!("Node pve2 stands at 61 degrees."));
    }
}
