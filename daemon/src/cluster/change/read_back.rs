//! Looking at a guest after its task ended well: 'done' is what was seen.

use std::time::Duration;

use jarvis_core::cluster::{GuestKind, GuestState};
use jarvis_core::ids::NodeName;
use jarvis_core::tool::GapReason;
use jarvis_core::tools::{Change, Wanted};
use serde_json::Value;
use tokio::time::Instant;

use super::super::api::{Api, ApiError};
use super::super::wire;
use super::{ChangeLimits, Pause, look_until, object, remedy};

/// What is known of the time before a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// When it was sent, or shortly before.
    pub(super) at: Instant,
    /// How long the guest had been up then, in whole seconds; 0 where nobody knows.
    up_s: u64,
    /// Its process then, where the node said.
    pid: Option<u64>,
}

impl Before {
    /// Nothing but when the change was sent.
    pub(super) fn unknown(at: Instant) -> Self {
        Self { at, up_s: 0, pid: None }
    }

    /// Whether a guest that says this of itself at `now` has started since; `pid` is its process where it is still on the same node.
    ///
    /// Where no process tells, the clock must: a guest says 7 from 7.0 to just below 8.0 seconds, so it started at `now - up_s - 1`
    /// at the earliest, and the one before at `at - self.up_s` at the latest. Where nothing is known of that one, it may have
    /// started at the very moment of the change.
    fn is_outlived_by(&self, up_s: u64, pid: Option<u64>, now: Instant) -> bool {
        if let (Some(before), Some(pid)) = (self.pid, pid) {
            return before != pid;
        }
        let passed = now.saturating_duration_since(self.at);
        passed + Duration::from_secs(self.up_s) >= Duration::from_secs(up_s.saturating_add(1))
    }
}

/// Looks at a guest before a change where the look after it needs that. Fails where that look brings nothing: what nobody could prove
/// to be done is better not begun.
pub(super) async fn before(api: &Api, change: &Change, limit: Duration) -> Result<Before, ApiError> {
    if change.wanted != Wanted::Rebooted {
        return Ok(Before::unknown(Instant::now()));
    }
    let path = guest_path(change, &change.node, "status/current");
    let data = api.get(Some(&change.node), &path, Instant::now() + limit).await?;
    let status: wire::GuestStatus = object(data)?;
    Ok(Before { at: Instant::now(), up_s: status.uptime.unwrap_or(0), pid: status.pid })
}

/// Looks until the guest is as it was wanted; the text says what was seen instead, or why nothing was.
pub(super) async fn until_seen(
    api: &Api,
    change: &Change,
    before: &Before,
    deadline: Instant,
    limits: &ChangeLimits,
) -> Result<(), String> {
    let begun = Instant::now();
    let mut pause = Pause::new(limits);
    let mut node = change.node.clone();
    loop {
        let instead = match look(api, change, before, &node, deadline).await {
            Ok(Seen::AsWanted) => return Ok(()),
            Ok(Seen::Otherwise(what)) => what,
            Err(error) if error.reason == GapReason::Missing => {
                // High availability may have started it elsewhere.
                match whereabouts(api, change, deadline).await {
                    Some(elsewhere) if elsewhere != node => node = elsewhere,
                    Some(_) | None => {}
                }
                error.detail
            }
            Err(error) => error.detail,
        };
        if !pause.wait(deadline).await {
            let waited = begun.elapsed().as_secs();
            let guest = remedy::guest(change);
            return Err(remedy::bounded(&format!(
                "the task ended well, but in {waited} seconds {guest} was not seen as wanted: {instead}"
            )));
        }
    }
}

/// What a look at the guest showed.
enum Seen {
    AsWanted,
    Otherwise(String),
}

impl Seen {
    fn when(as_wanted: bool, otherwise: impl FnOnce() -> String) -> Self {
        if as_wanted { Self::AsWanted } else { Self::Otherwise(otherwise()) }
    }
}

async fn look(
    api: &Api,
    change: &Change,
    before: &Before,
    node: &NodeName,
    deadline: Instant,
) -> Result<Seen, ApiError> {
    let what = match &change.wanted {
        Wanted::State(_) | Wanted::Rebooted => "status/current",
        Wanted::SnapshotThere(_) | Wanted::SnapshotGone(_) | Wanted::RolledBackTo(_) => "snapshot",
    };
    // Before the answer: the guest says how long it has been up at some moment after this one.
    let asked = Instant::now();
    let data = api.get(Some(node), &guest_path(change, node, what), look_until(deadline)).await?;
    match &change.wanted {
        Wanted::State(wanted) => {
            let status: wire::GuestStatus = object(data)?;
            let state = state(&status);
            Ok(Seen::when(state == *wanted, || format!("it is {}", shown(state))))
        }
        Wanted::Rebooted => {
            let status: wire::GuestStatus = object(data)?;
            let (state, up_s) = (state(&status), status.uptime);
            let pid = status.pid.filter(|_| *node == change.node);
            let anew = up_s.is_some_and(|up_s| before.is_outlived_by(up_s, pid, asked));
            Ok(Seen::when(state == GuestState::Running && anew, || match up_s {
                Some(up_s) if state == GuestState::Running => format!("it has been up for {up_s} seconds"),
                _ => format!("it is {}", shown(state)),
            }))
        }
        Wanted::SnapshotThere(name) => Ok(snapshots(data)?.there(name)),
        Wanted::SnapshotGone(name) => Ok(snapshots(data)?.gone(name)),
        Wanted::RolledBackTo(name) => Ok(snapshots(data)?.descends_from(name)),
    }
}

/// What `status/current` means. A VM whose process runs may be paused all the same, which only QEMU knows.
fn state(status: &wire::GuestStatus) -> GuestState {
    match (status.status.as_deref(), status.qmpstatus.as_deref()) {
        (Some("running"), None | Some("running")) => GuestState::Running,
        (Some("running"), Some("paused" | "suspended" | "prelaunch")) => GuestState::Paused,
        (Some("stopped"), None | Some("stopped")) => GuestState::Stopped,
        _ => GuestState::Unknown,
    }
}

fn shown(state: GuestState) -> &'static str {
    match state {
        GuestState::Running => "running",
        GuestState::Stopped => "stopped",
        GuestState::Paused => "paused",
        GuestState::Unknown => "in a state that its node does not name",
    }
}

/// A guest's snapshots as they are listed, `current` among them.
struct Snapshots(Vec<wire::SnapshotEntry>);

/// A list without `current` is not the whole one, and proves nothing.
fn snapshots(data: Value) -> Result<Snapshots, ApiError> {
    let entries: Option<Vec<wire::SnapshotEntry>> = wire::list(data);
    let list = entries.map(Snapshots).filter(|list| list.entry("current").is_some());
    list.ok_or_else(|| ApiError::new(GapReason::Failed, "the list of snapshots is not whole"))
}

impl Snapshots {
    fn entry(&self, name: &str) -> Option<&wire::SnapshotEntry> {
        self.0.iter().find(|entry| entry.name.as_deref() == Some(name))
    }

    fn there(&self, name: &str) -> Seen {
        match self.entry(name).map(|entry| entry.snapstate.as_deref()) {
            Some(None) => Seen::AsWanted,
            Some(Some(state)) => Seen::Otherwise(format!("the snapshot {name} is not whole ({state})")),
            None => Seen::Otherwise(format!("there is no snapshot {name}")),
        }
    }

    fn gone(&self, name: &str) -> Seen {
        Seen::when(self.entry(name).is_none(), || format!("the snapshot {name} is still there"))
    }

    fn descends_from(&self, name: &str) -> Seen {
        let parent = self.entry("current").and_then(|current| current.parent.as_deref());
        Seen::when(parent == Some(name), || match parent {
            Some(parent) => format!("it descends from the snapshot {parent}"),
            None => "it descends from no snapshot".to_owned(),
        })
    }
}

/// The node a guest is on now, as the cluster says.
async fn whereabouts(api: &Api, change: &Change, deadline: Instant) -> Option<NodeName> {
    let data = api.get(None, "/cluster/resources?type=vm", look_until(deadline)).await.ok()?;
    let resources: Vec<wire::Resource> = wire::list(data)?;
    let guest = resources.into_iter().find(|resource| resource.vmid == Some(change.vmid.0.into()))?;
    guest.node.map(NodeName)
}

/// `what` beneath the guest, on `node`.
pub(super) fn guest_path(change: &Change, node: &NodeName, what: &str) -> String {
    let kind = match change.kind {
        GuestKind::Vm => "qemu",
        GuestKind::Container => "lxc",
    };
    format!("/nodes/{node}/{kind}/{}/{what}", change.vmid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reboot_is_proven_by_the_process_or_by_the_clock() {
        let at = Instant::now();
        let after = |ms| at + Duration::from_millis(ms);
        let days = Before { at, up_s: 500_000, pid: None };
        assert!(!days.is_outlived_by(500_010, Some(7), after(10_000)), "it simply went on");
        assert!(!days.is_outlived_by(500_010, None, after(10_900)));
        assert!(days.is_outlived_by(3, None, after(10_000)));
        let unknown = Before::unknown(at);
        assert!(!unknown.is_outlived_by(10, None, after(10_500)), "it may have been started just before the change");
        assert!(!unknown.is_outlived_by(0, Some(7), after(900)));
        assert!(unknown.is_outlived_by(3, None, after(10_500)));
        let known = Before { at, up_s: 0, pid: Some(7) };
        assert!(known.is_outlived_by(0, Some(8), after(100)), "another process has been started");
        assert!(!known.is_outlived_by(0, Some(7), after(90_000)), "whatever its clock says");
    }

    fn seen_state(status: Value) -> GuestState {
        state(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn a_paused_vm_does_not_run() {
        assert_eq!(seen_state(json!({"status": "running", "qmpstatus": "running"})), GuestState::Running);
        assert_eq!(seen_state(json!({"status": "running"})), GuestState::Running, "containers have no QEMU");
        assert_eq!(seen_state(json!({"status": "running", "qmpstatus": "paused"})), GuestState::Paused);
        assert_eq!(seen_state(json!({"status": "running", "qmpstatus": "io-error"})), GuestState::Unknown);
        assert_eq!(seen_state(json!({"status": "stopped", "qmpstatus": "stopped"})), GuestState::Stopped);
        assert_eq!(seen_state(json!({})), GuestState::Unknown);
    }

    #[test]
    fn a_list_of_snapshots_that_is_not_whole_proves_nothing() {
        assert!(snapshots(json!([])).is_err());
        assert!(snapshots(json!([{"name": "clean", "snaptime": 5}])).is_err());
        let list = snapshots(json!([
            {"name": "clean", "snaptime": 5},
            {"name": "half", "snaptime": 6, "snapstate": "prepare"},
            {"name": "current", "parent": "clean"},
        ]))
        .ok()
        .unwrap();
        let yes = |seen| matches!(seen, Seen::AsWanted);
        assert!(yes(list.there("clean")) && !yes(list.there("half")) && !yes(list.there("other")));
        assert!(yes(list.gone("other")) && !yes(list.gone("clean")) && !yes(list.gone("half")));
        assert!(yes(list.descends_from("clean")) && !yes(list.descends_from("half")));
    }
}
