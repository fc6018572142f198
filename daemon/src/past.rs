//! Stored turns and memories as jarvisctl and the page show them.

use std::collections::BTreeMap;

use jarvis_core::memory::Memory;
use serde::{Deserialize, Serialize};

use crate::event::ToolRun;
use crate::store::TurnRow;

/// A stored turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastTurn {
    /// Which.
    pub turn_id: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub started_ms: i64,
    /// Where.
    pub room: String,
    /// `voice`, `typed` or `said`.
    pub source: String,
    /// The satellite; `None` for a typed one.
    pub satellite: Option<String>,
    /// What woke it.
    pub wake: Option<PastWake>,
    /// The request; `None` where nothing was heard, or it was forgotten.
    pub transcript: Option<String>,
    /// Who answered, and why.
    pub route: Option<PastRoute>,
    /// Tools that ran.
    pub tools: Vec<ToolRun>,
    /// The answer.
    pub reply: Option<String>,
    /// What of it is read rather than heard.
    #[serde(default)]
    pub page: Option<String>,
    /// Times relative to the wake.
    pub marks_ms: BTreeMap<String, i64>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whether it is over.
    pub finished: bool,
    /// Whether its words were forgotten.
    pub forgotten: bool,
}

/// What woke a stored turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastWake {
    /// Which phrase.
    pub phrase: String,
    /// 0.0 to 1.0.
    pub score: f32,
    /// What the second check made of it.
    pub check: Option<String>,
}

/// Who answered a stored turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRoute {
    /// Who.
    pub kind: String,
    /// Why.
    pub reason: String,
}

impl From<TurnRow> for PastTurn {
    fn from(row: TurnRow) -> Self {
        let tool = |t: crate::store::ToolRow| ToolRun {
            name: t.name,
            args: t.args,
            tier: t.tier,
            outcome: t.outcome,
            ms: t.ms,
        };
        Self {
            turn_id: row.id.0,
            started_ms: row.started_ms,
            room: row.room,
            source: row.source.as_str().to_owned(),
            satellite: row.satellite.map(|s| s.0),
            wake: row.wake.map(|w| PastWake { phrase: w.phrase, score: w.score, check: w.check }),
            transcript: row.transcript,
            route: row.route.map(|(kind, reason)| PastRoute { kind, reason }),
            tools: row.tools.into_iter().map(tool).collect(),
            reply: row.reply,
            page: row.page,
            marks_ms: row.marks.into_iter().collect(),
            error: row.error,
            finished: row.finished_ms.is_some(),
            forgotten: row.forgotten_ms.is_some(),
        }
    }
}

/// A memory as `jarvisctl memory` and the page show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastMemory {
    /// Its number.
    pub id: u64,
    /// What was told.
    pub text: String,
    /// What it is about, as that was called then.
    pub label: String,
    /// Which attribute of that it gives.
    pub attribute: Option<String>,
    /// And what that is.
    pub value: Option<String>,
    /// `working`, `episodic` or `lasting`.
    pub lifetime: String,
    /// `said`, `by_rule`, `by_model` or `imported`.
    pub source: String,
    /// Whether untrusted text had a part in it.
    pub tainted: bool,
    /// Where it was told.
    pub room: String,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub told_ms: i64,
    /// From when on it holds.
    pub from_ms: i64,
    /// Until when; `None`: nothing superseded it.
    pub to_ms: Option<i64>,
    /// From when on it is gone; `None`: never by itself.
    pub expires_ms: Option<i64>,
    /// How often it was of use.
    pub uses: u32,
}

impl From<Memory> for PastMemory {
    fn from(memory: Memory) -> Self {
        let Memory { id, fact, room, told, validity, uses, .. } = memory;
        Self {
            id: id.0,
            text: fact.text,
            label: fact.label,
            attribute: fact.attribute,
            value: fact.value,
            lifetime: fact.lifetime.as_str().to_owned(),
            source: fact.source.as_str().to_owned(),
            tainted: fact.tainted,
            room,
            told_ms: told.0,
            from_ms: validity.from.0,
            to_ms: validity.closed.map(|c| c.at.0),
            expires_ms: validity.expires.map(|at| at.0),
            uses,
        }
    }
}
