//! Approvals of other servers' tools: kept and written down in one transaction.

use serde_json::json;

use super::{Safety, SafetyError};
use crate::store::ToolApproval;

impl Safety {
    /// Approves tools of a server, as they are described in `tools`.
    ///
    /// # Errors
    /// Where the store or the log fails; nothing is approved then.
    pub async fn approve_tools(&self, by: &str, tools: Vec<ToolApproval>) -> Result<(), SafetyError> {
        let told: Vec<_> =
            tools.iter().map(|tool| json!({"server": tool.server, "tool": tool.tool, "pin": tool.pin})).collect();
        let entry = self.0.entry("tools approved", None, json!({"by": by, "tools": told}))?;
        self.0.store.approve_tools(tools, entry).await?;
        self.0.journal.note().await
    }

    /// Takes the approval of every tool of a server back; gives how many there were.
    ///
    /// # Errors
    /// Where the store or the log fails.
    pub async fn forget_tools(&self, by: &str, server: &str) -> Result<usize, SafetyError> {
        let entry = self.0.entry("tools forgotten", None, json!({"by": by, "server": server}))?;
        let gone = self.0.store.forget_tools(server, entry).await?;
        if gone > 0 {
            self.0.journal.note().await?;
        }
        Ok(gone)
    }
}
