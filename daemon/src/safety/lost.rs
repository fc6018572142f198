//! Changes that were begun, and of which nobody knows what became: they are looked for, and never sent again.

use jarvis_core::approval::Stage;
use jarvis_core::gate::Identity;
use jarvis_core::ids::Upid;

use super::begin::{sent, settle};
use super::ended::Ended;
use super::{Inner, now};
use crate::cluster::{Found, Outcome};
use crate::event::UnixMillis;
use crate::store::ApprovalRow;

/// Looks for what became of a change that was begun. It is never sent again.
pub(super) async fn reconcile(inner: &Inner, row: ApprovalRow) {
    let id = row.row.id;
    if let Identity::Foreign { server, .. } = &row.row.bound.identity {
        let words =
            format!("the daemon stopped in the middle of it; only {server} knows, and it is not asked a second time");
        return settle(inner, id, Ended { stage: Stage::Unknown, words, log: Vec::new() }).await;
    }
    // Its row says when the answer was given up; where the daemon ended before that, it was lost at the latest now.
    let lost = row.ended.filter(|_| row.row.stage == Stage::Unknown).unwrap_or_else(now);
    let (Some(change), Some(started)) = (row.change, row.started) else {
        // Nothing of the cluster's: the memory itself shows how far it came, and asking again does no harm.
        let reason = "the daemon stopped before it was seen to be done; ask again".to_owned();
        return settle(inner, id, Ended::failed(reason)).await;
    };
    if row.row.stage != Stage::Unknown {
        let why = "the daemon stopped in the middle of it; the node's task list is being searched".to_owned();
        settle(inner, id, Outcome::Unknown { upid: row.upid.clone(), why }).await;
        inner.settle_told(id);
    }
    let upid = match row.upid {
        Some(upid) => upid,
        None => match inner.cluster.find_task(&change, started, lost, &known_tasks(inner).await).await {
            Found::Task { upid, .. } => {
                sent(inner, id, upid.clone()).await;
                upid
            }
            Found::None => {
                let reason = "it was never sent: the node began no such task".to_owned();
                return settle(inner, id, Ended::failed(reason)).await;
            }
            Found::NodeUnknown { why } => {
                tracing::warn!(%id, at = UnixMillis::now().0, "a change is still unknown: {why}");
                return;
            }
        },
    };
    let outcome = inner.cluster.follow(&change, upid, started).await;
    if !matches!(outcome, Outcome::Unknown { .. }) {
        settle(inner, id, outcome).await;
    }
}

/// Tasks that belong to other rows.
async fn known_tasks(inner: &Inner) -> Vec<Upid> {
    match inner.store.approvals(&[], 200).await {
        Ok(rows) => rows.into_iter().filter_map(|row| row.upid).collect(),
        Err(error) => {
            tracing::error!("tasks of other changes could not be read: {error}");
            Vec::new()
        }
    }
}
