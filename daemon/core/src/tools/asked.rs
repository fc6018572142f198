//! From what the owner's own words ask for to a call.

use super::{
    BadCall, Call, GuestReboot, GuestShutdown, GuestStart, GuestStop, SnapshotCreate, SnapshotDelete, SnapshotRollback,
};
use crate::ids::UnixSeconds;
use crate::intent::Intent;
use crate::tool::Snapshot;

/// The prefix of the kinds of request that change the cluster.
const FAMILY: &str = "change.";

/// Whether a request asks for a change of the cluster.
pub fn is_change(intent: &Intent) -> bool {
    intent.kind.starts_with(FAMILY)
}

/// Whether a request speaks of a snapshot that is there: the newest, where no name is said.
pub fn needs_snapshots(intent: &Intent) -> bool {
    matches!(intent.kind.as_str(), "change.rollback" | "change.snapshot_delete")
}

/// Why a request makes no call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCall {
    /// It is no change.
    #[error("{0} is no change")]
    NoChange(String),
    /// No guest was named.
    #[error("no guest was named")]
    NoGuest,
    /// The guest has no snapshot.
    #[error("there is no snapshot")]
    NoSnapshot,
    /// The arguments do not fit.
    #[error(transparent)]
    Bad(#[from] BadCall),
}

/// The call that a request asks for. `snapshots` are the guest's, oldest first, where [`needs_snapshots`]; `now` names a new one.
///
/// # Errors
/// Where something is missing.
pub fn call(intent: &Intent, snapshots: &[Snapshot], now: UnixSeconds) -> Result<Call, NoCall> {
    let guest = || intent.slots.guest.ok_or(NoCall::NoGuest);
    let newest = || snapshots.last().map(|snapshot| snapshot.name.clone()).ok_or(NoCall::NoSnapshot);
    let call = match intent.kind.as_str() {
        "change.start" => Call::of(GuestStart { vmid: guest()? }),
        "change.shutdown" => Call::of(GuestShutdown { vmid: guest()? }),
        "change.restart" => Call::of(GuestReboot { vmid: guest()? }),
        "change.force_stop" => Call::of(GuestStop { vmid: guest()? }),
        "change.snapshot" => Call::of(SnapshotCreate { vmid: guest()?, name: format!("jarvis-{}", now.0) }),
        "change.snapshot_delete" => Call::of(SnapshotDelete { vmid: guest()?, name: newest()? }),
        "change.rollback" => Call::of(SnapshotRollback { vmid: guest()?, name: newest()? }),
        kind => return Err(NoCall::NoChange(kind.to_owned())),
    };
    Ok(call?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Vmid;
    use crate::intent::Slots;

    fn intent(kind: &str, guest: Option<u32>) -> Intent {
        Intent { kind: kind.into(), slots: Slots { guest: guest.map(Vmid), ..Slots::default() } }
    }

    #[test]
    fn every_kind_of_change_makes_its_call() {
        let snapshots =
            [("old", 1), ("new", 2)].map(|(name, at)| Snapshot { name: name.into(), taken: Some(UnixSeconds(at)) });
        for (kind, wanted) in [
            ("change.start", r#"guest_start {"vmid":104}"#),
            ("change.shutdown", r#"guest_shutdown {"vmid":104}"#),
            ("change.restart", r#"guest_reboot {"vmid":104}"#),
            ("change.force_stop", r#"guest_stop {"vmid":104}"#),
            ("change.snapshot", r#"snapshot_create {"vmid":104,"name":"jarvis-1760000000"}"#),
            ("change.snapshot_delete", r#"snapshot_delete {"vmid":104,"name":"new"}"#),
            ("change.rollback", r#"snapshot_rollback {"vmid":104,"name":"new"}"#),
        ] {
            let asked = intent(kind, Some(104));
            assert!(is_change(&asked));
            let call = call(&asked, &snapshots, UnixSeconds(1_760_000_000)).unwrap();
            assert_eq!(format!("{call:?}"), wanted);
        }
        let none = |kind, guest| call(&intent(kind, guest), &[], UnixSeconds(0)).unwrap_err();
        assert_eq!(none("change.start", None), NoCall::NoGuest);
        assert_eq!(none("change.rollback", Some(104)), NoCall::NoSnapshot);
        assert_eq!(none("guest.status", Some(104)), NoCall::NoChange("guest.status".into()));
        assert!(matches!(none("change.start", Some(7)), NoCall::Bad(_)));
    }
}
