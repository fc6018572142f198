//! What a deed makes of a guest, and what kind of task does it.

use jarvis_core::cluster::GuestKind;

use super::state::Guest;
use super::work::Deed;

impl Guest {
    /// It is done to the guest, at `now` (seconds since 1970).
    pub(super) fn does(&mut self, now: i64, deed: &Deed) {
        const CURRENT: &str = "current";
        match deed {
            Deed::Start | Deed::Reboot => {
                self.running = true;
                self.started = now;
                self.starts += 1;
            }
            Deed::Stop | Deed::Shutdown => self.running = false,
            Deed::Snapshot(name) => {
                self.snapshots.push((name.clone(), now));
                if let Some(parent) = self.lineage.insert(CURRENT.to_owned(), name.clone()) {
                    self.lineage.insert(name.clone(), parent);
                }
            }
            Deed::DeleteSnapshot(name) => {
                self.snapshots.retain(|(taken, _)| taken != name);
                let parent = self.lineage.remove(name);
                let children: Vec<String> =
                    self.lineage.iter().filter(|(_, of)| *of == name).map(|(child, _)| child.clone()).collect();
                for child in children {
                    match &parent {
                        Some(parent) => self.lineage.insert(child, parent.clone()),
                        None => self.lineage.remove(&child),
                    };
                }
            }
            // Without saved memory a guest is left stopped.
            Deed::RollBack(name) => {
                self.running = false;
                self.lineage.insert(CURRENT.to_owned(), name.clone());
            }
        }
    }
}

/// `qmstart`, `vzsnapshot`, `hastop`, ...
pub(super) fn task_kind(kind: GuestKind, deed: &Deed, by_ha: bool) -> String {
    let what = match deed {
        Deed::Start => "start",
        Deed::Shutdown if by_ha => "stop",
        Deed::Stop => "stop",
        Deed::Shutdown => "shutdown",
        Deed::Reboot => "reboot",
        Deed::Snapshot(_) => "snapshot",
        Deed::DeleteSnapshot(_) => "delsnapshot",
        Deed::RollBack(_) => "rollback",
    };
    let prefix = match kind {
        _ if by_ha => "ha",
        GuestKind::Vm => "qm",
        GuestKind::Container => "vz",
    };
    format!("{prefix}{what}")
}
