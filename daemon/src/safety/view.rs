//! Approvals as they are shown, and how they ended.

use jarvis_core::approval::Stage;
use jarvis_core::gate::Origin;
use jarvis_core::tool::Tier;
use serde::{Deserialize, Serialize};

use crate::redaction;
use crate::store::ApprovalRow;

/// An approval as the page and `jarvisctl` show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Its number.
    pub id: i64,
    /// The question as it was asked.
    pub question: String,
    /// The tool.
    pub tool: String,
    /// Its arguments, JSON.
    pub args: String,
    /// Its tier.
    pub tier: Tier,
    /// Where it was asked.
    pub room: Option<String>,
    /// The other program that asks, by the name of its token.
    pub program: Option<String>,
    /// Where it stands.
    pub stage: String,
    /// Who said yes.
    pub approved_by: Option<String>,
    /// Whether two spoken words must be given.
    pub needs_words: bool,
    /// Whether a spoken "yes" is enough.
    pub by_voice: bool,
    /// What an answer must name.
    pub seal: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub asked_ms: i64,
    /// The same, when it is void.
    pub expires_ms: i64,
    /// How it ended.
    pub outcome: Option<String>,
    /// The task.
    pub upid: Option<String>,
    /// Whether it was taken back.
    pub undone: bool,
}

impl From<ApprovalRow> for Approval {
    fn from(shown: ApprovalRow) -> Self {
        let row = shown.row;
        // The words prove that somebody was in the room: they are heard there, and shown nowhere.
        let question = match &row.bound.challenge {
            Some(words) => row.bound.question.replace(words.as_str(), "..."),
            None => row.bound.question.clone(),
        };
        let approved_by = match &row.stage {
            Stage::Approved { by, .. } => Some(by.clone()),
            _ => None,
        };
        let program = match &row.bound.origin {
            Origin::Outside { client } => Some(client.clone()),
            Origin::Owner | Origin::Model { .. } => None,
        };
        Self {
            program,
            id: row.id.0,
            tool: row.bound.tool,
            // Sealed byte for byte, and shown without what nobody at a screen need see.
            args: redaction::text(&row.bound.args),
            tier: row.bound.tier,
            room: row.bound.room,
            stage: row.stage.name().to_owned(),
            approved_by,
            needs_words: row.bound.challenge.is_some(),
            by_voice: row.bound.by_voice,
            seal: row.seal.hex(),
            asked_ms: row.bound.asked.0,
            expires_ms: row.bound.expires.0,
            question: redaction::text(&question),
            outcome: shown.outcome,
            upid: shown.upid.map(|upid| upid.0),
            undone: shown.undone,
        }
    }
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// `Done`, `Failed`, `Unknown`, `Denied`, `Cancelled` or `Expired`.
    pub stage: Stage,
    /// In words, where there are some. May hold words of a node's: untrusted.
    pub outcome: String,
    /// The tool.
    pub tool: String,
    /// The task.
    pub upid: Option<String>,
}

/// How it ended; `None` while it has not.
pub(super) fn settled(shown: ApprovalRow) -> Option<Settled> {
    let open = shown.row.stage.is_open() || shown.row.stage == Stage::Started;
    (!open).then(|| Settled {
        stage: shown.row.stage,
        outcome: shown.outcome.unwrap_or_default(),
        tool: shown.row.bound.tool,
        upid: shown.upid.map(|upid| upid.0),
    })
}
