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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jarvis_core::approval::{Bound, SealKey, Stage, Told};
    use jarvis_core::gate::{Identity, Origin};
    use jarvis_core::ids::WallMillis;
    use jarvis_core::tool::Tier;

    use super::*;
    use crate::cluster::{ClusterClient, ClusterConfig};
    use crate::event::Bus;
    use crate::mcp::{McpConfig, Servers};
    use crate::safety::{RECONCILE_EVERY, RunsConfig, SafetyConfig, now};
    use crate::store::{AuditEntry, Begun, Store};

    fn bound() -> Bound {
        Bound {
            tool: "ask_server".into(),
            version: 1,
            args: r#"{"server":"notes","tool":"add","arguments":{}}"#.into(),
            identity: Identity::Foreign { server: "notes".into(), tool: "add".into(), pin: None },
            tier: Tier::Yellow,
            origin: Origin::Model { tainted: false },
            room: None,
            turn: None,
            by_voice: false,
            challenge: None,
            told: Told::Page,
            question: "Shall I use add of your server notes?".into(),
            asked: now(),
            expires: WallMillis(i64::MAX),
        }
    }

    #[tokio::test]
    async fn a_call_that_the_daemons_end_cut_off_is_unknown_and_is_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("jarvis.db")).unwrap();
        let key = SealKey([1; 32]);
        store.seal_with(key.clone());
        let entry = AuditEntry { at: now(), kind: "started", approval: None, salt: [0; 16], content: json!({}), key };
        let begun = Begun { at: now(), change: None, inverse: None };
        let used = store.on_leave_since(now()).await.unwrap();
        let id = store.begin_on_leave(bound(), begun, entry, used).await.unwrap().unwrap();
        let bus = Bus::new();
        let cluster = ClusterClient::new(&ClusterConfig::default()).unwrap();
        let servers = Servers::new(&McpConfig::default(), store.clone(), bus.clone());
        let opened = Safety::open(dir.path(), &SafetyConfig::default(), store, cluster, servers, bus).await;
        let (safety, runs) = opened.unwrap();
        let (typed, _kept) = tokio::sync::mpsc::channel(4);
        let config = RunsConfig {
            typed,
            words: |_| String::new(),
            look_every: RECONCILE_EVERY,
            memory: Arc::new(|_, _| Box::pin(async { Err("nobody does it here".to_owned()) })),
        };
        let runs = tokio::spawn(runs.run(config));
        let settled = safety.wait(id, Duration::from_secs(60)).await.unwrap().unwrap();
        assert_eq!(settled.stage, Stage::Unknown);
        assert!(settled.outcome.contains("only notes knows"), "{settled:?}");
        runs.abort();
    }
}
