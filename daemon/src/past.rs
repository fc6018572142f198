//! Stored turns as `jarvisctl turns` and the page show them: the fields of a turn record, and when and where.

use std::collections::BTreeMap;

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
            marks_ms: row.marks.into_iter().collect(),
            error: row.error,
            finished: row.finished_ms.is_some(),
            forgotten: row.forgotten_ms.is_some(),
        }
    }
}
