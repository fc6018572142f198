//! Finding the task of a change whose answer was lost: by a crash, a cut cable, a node that fell silent.

use std::time::Duration;

use jarvis_core::cluster::{GuestKind, Task, TaskEnd};
use jarvis_core::ids::{UnixSeconds, Upid, WallMillis};
use jarvis_core::tools::{Change, Method};
use tokio::time::Instant;

use super::super::api::ApiError;
use super::super::{ClusterClient, convert, reads, upid, wall};
use super::read_back::guest_path;
use super::{Pause, look_until, remedy};

/// Tasks of the guest looked through, newest first.
const TASKS_MAX: usize = 200;
/// A node's clock may be wrong by so much, in seconds; how wrong it is, is learnt from its answer.
const CLOCK_WRONG_MAX_S: i64 = 86_400;
/// What is forgiven to two clocks that count in whole seconds, in seconds.
const CLOCK_SLACK_S: i64 = 2;

/// What a search for a task found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The task, and how it stands. [`ClusterClient::follow`] tells what became of the change.
    Task {
        /// Which.
        upid: Upid,
        /// How it stands.
        end: TaskEnd,
    },
    /// The node answers, and began no such task: the change did not happen.
    None,
    /// The node does not answer: ask again later.
    NodeUnknown {
        /// In its words.
        why: String,
    },
}

impl ClusterClient {
    /// Looks for the task of a change that was begun at `since` and whose identifier never came, in its node's own list. `lost` is when
    /// its answer was given up: until then the request itself was alive. `known` are tasks that belong to other changes.
    ///
    /// [`Found::None`] is said only when so much time has passed since the answer was lost that no task of its can still turn up; until
    /// then this waits and looks again.
    pub async fn find_task(&self, change: &Change, since: WallMillis, lost: WallMillis, known: &[Upid]) -> Found {
        let limits = self.reader.limits.change;
        let settled = Instant::now() + left(lost, wall(), limits.settle);
        let mut pause = Pause::new(&limits);
        loop {
            // Before the list is asked for: a task begun after it is looked for again.
            let last = Instant::now() >= settled;
            match self.search(change, since, known).await {
                Ok(Some(task)) => return Found::Task { upid: task.upid, end: task.end },
                Ok(None) if last => return Found::None,
                Ok(None) => {
                    pause.wait(settled).await;
                }
                Err(error) => return Found::NodeUnknown { why: remedy::bounded(&error.detail) },
            }
        }
    }

    async fn search(&self, change: &Change, since: WallMillis, known: &[Upid]) -> Result<Option<Task>, ApiError> {
        let api = &self.reader.api;
        let since = UnixSeconds(since.0.div_euclid(1000));
        let path = format!(
            "/nodes/{}/tasks?vmid={}&since={}&source=all&limit={TASKS_MAX}",
            change.node,
            change.vmid,
            since.0 - CLOCK_WRONG_MAX_S
        );
        let asked = wall();
        let answer = api.answer(Some(&change.node), &path, look_until(Instant::now())).await?;
        let ahead_s = answer.at.map_or(0, |at| at.0 - asked.0.div_euclid(1000));
        let earliest = UnixSeconds(since.0 + ahead_s - CLOCK_SLACK_S);
        let tasks = convert::tasks(reads::elements(answer.data)?);
        let kinds = kinds(change);
        let ours = |task: &Task| {
            upid::parts(&task.upid).is_some_and(|parts| {
                parts.started >= earliest
                    && parts.is_about(change.vmid)
                    && parts.user == api.user
                    && kinds.iter().any(|kind| kind == parts.kind)
            })
        };
        // Of several, the first begun: a later one would be that of a later request.
        Ok(tasks.into_iter().filter(ours).filter(|task| !known.contains(&task.upid)).min_by_key(|task| task.started))
    }
}

/// How much longer a task may still turn up whose answer was lost at `lost`. A clock that was set back must not make it endless.
fn left(lost: WallMillis, now: WallMillis, settle: Duration) -> Duration {
    let settle_ms = i64::try_from(settle.as_millis()).unwrap_or(i64::MAX);
    let left_ms = lost.plus(settle_ms).0.saturating_sub(now.0);
    Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)).min(settle)
}

/// The kinds of task that a change may become.
fn kinds(change: &Change) -> Vec<String> {
    let prefix = match change.kind {
        GuestKind::Vm => "qm",
        GuestKind::Container => "vz",
    };
    let beneath = guest_path(change, &change.node, "");
    let what: Vec<&str> = change.path.strip_prefix(&beneath).unwrap_or_default().split('/').collect();
    let (own, ha) = match (change.method, what.as_slice()) {
        (Method::Post, ["status", "start"]) => ("start", Some("hastart")),
        (Method::Post, ["status", verb @ ("stop" | "shutdown")]) => (*verb, Some("hastop")),
        (Method::Post, ["status", verb]) => (*verb, None),
        (Method::Post, ["snapshot"]) => ("snapshot", None),
        (Method::Post, ["snapshot", _, "rollback"]) => ("rollback", None),
        (Method::Delete, ["snapshot", _]) => ("delsnapshot", None),
        _ => return Vec::new(),
    };
    std::iter::once(format!("{prefix}{own}")).chain(ha.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ChangeLimits;
    use super::super::remedy::tests::start;
    use super::*;

    #[test]
    fn nothing_is_said_to_be_missing_while_its_request_may_still_be_alive() {
        let limits = ChangeLimits::default();
        let asked = WallMillis(1_760_000_000_000);
        let later = |at: WallMillis, by: Duration| at.plus(i64::try_from(by.as_millis()).unwrap());
        // A look before a restart that took its minute, then an answer that was waited for to the end.
        let lost = later(asked, limits.answer * 2);
        assert_eq!(
            left(lost, lost, limits.settle),
            limits.settle,
            "nothing of it was used up by waiting for the answer"
        );
        let soon = Duration::from_secs(1);
        assert_eq!(left(lost, later(lost, limits.settle - soon), limits.settle), soon);
        assert_eq!(left(lost, later(lost, limits.settle + soon), limits.settle), Duration::ZERO);
        assert_eq!(left(lost, asked, limits.settle), limits.settle, "the clock was set back");
    }

    #[test]
    fn every_change_has_its_kinds_of_task() {
        let with = |method, kind, what: &str| {
            let change = Change { method, kind, ..start() };
            Change { path: guest_path(&change, &change.node, what), ..change }
        };
        let vm = |method, what| kinds(&with(method, GuestKind::Vm, what));
        assert_eq!(vm(Method::Post, "status/start"), ["qmstart", "hastart"]);
        assert_eq!(vm(Method::Post, "status/shutdown"), ["qmshutdown", "hastop"]);
        assert_eq!(vm(Method::Post, "status/stop"), ["qmstop", "hastop"]);
        assert_eq!(vm(Method::Post, "status/reboot"), ["qmreboot"]);
        assert_eq!(vm(Method::Post, "snapshot"), ["qmsnapshot"]);
        assert_eq!(vm(Method::Delete, "snapshot/104"), ["qmdelsnapshot"]);
        assert_eq!(kinds(&with(Method::Post, GuestKind::Container, "snapshot/a/rollback")), ["vzrollback"]);
        assert_eq!(vm(Method::Delete, "config"), Vec::<String>::new());
    }
}
