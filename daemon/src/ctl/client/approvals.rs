//! Questions, their ends, and the audit log, for people.

use jarvis_core::approval::Told;
use serde_json::Value;

use super::show::{clock, safe};
use crate::safety::Approval;
use crate::store::AuditShown;

/// Questions, newest first.
pub(super) fn list(approvals: Vec<Approval>) -> String {
    if approvals.is_empty() {
        return "Nothing was ever asked.\n".to_owned();
    }
    let line = |approval: Approval| {
        let open = approval.stage == "pending";
        let how = match (open, approval.needs_words) {
            (true, true) if approval.told == Told::Page => {
                format!("\n      jarvisctl approve {} WORD WORD (the page shows them to its owner)", approval.id)
            }
            (true, true) => format!("\n      jarvisctl approve {} WORD WORD", approval.id),
            (true, false) => format!("\n      jarvisctl approve {}", approval.id),
            (false, _) => String::new(),
        };
        let outcome = approval.outcome.filter(|text| !text.is_empty()).map(|text| format!(": {}", safe(&text)));
        format!(
            "{:>4}  {}  {:?}  {}{}  {}{how}\n",
            approval.id,
            clock(approval.asked_ms),
            approval.tier,
            safe(&approval.stage),
            outcome.unwrap_or_default(),
            safe(&approval.question),
        )
    };
    approvals.into_iter().map(line).collect()
}

/// How an approved change ended.
pub(super) fn ended(told: Value) -> String {
    let said = told["said"].as_str().unwrap_or("It is under way; `jarvisctl approvals` tells how it ends.");
    format!("{}\n", safe(said))
}

/// Entries of the audit log, newest last.
pub(super) fn log(entries: Vec<AuditShown>) -> String {
    let line = |entry: AuditShown| {
        let of = entry.approval.map(|id| format!(" #{id}")).unwrap_or_default();
        let content = entry.content.map_or_else(|| "(forgotten)".to_owned(), |content| content.to_string());
        format!("{:>5}  {}  {}{of}  {}\n", entry.seq, clock(entry.at_ms), safe(&entry.kind), safe(&content))
    };
    entries.into_iter().map(line).collect()
}
