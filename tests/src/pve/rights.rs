//! What a token may: privileges, held on everything.

use std::collections::BTreeSet;

/// Privileges of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(BTreeSet<&'static str>);

/// Sees all but backups, which are left out of lists.
const AUDIT: [&str; 3] = ["Datastore.Audit", "Sys.Audit", "VM.Audit"];
/// Sees backups besides.
const BACKUPS: [&str; 2] = ["Datastore.AllocateSpace", "VM.Backup"];
/// Changes guests.
const CHANGES: [&str; 3] = ["VM.PowerMgmt", "VM.Snapshot", "VM.Snapshot.Rollback"];

impl Rights {
    /// None: lists are empty and the rest is forbidden.
    pub fn none() -> Self {
        Self::default()
    }

    /// To see all but backups.
    pub fn audit() -> Self {
        Self(AUDIT.into_iter().collect())
    }

    /// To see everything, and to change guests.
    pub fn all() -> Self {
        Self(AUDIT.into_iter().chain(BACKUPS).chain(CHANGES).collect())
    }

    /// These without one.
    pub fn without(mut self, privilege: &str) -> Self {
        self.0.remove(privilege);
        self
    }

    /// Whether any of `privileges` is held.
    pub fn any_of(&self, privileges: &[&str]) -> bool {
        privileges.iter().any(|privilege| self.0.contains(privilege))
    }

    /// Whether backups are shown.
    pub fn sees_backups(&self) -> bool {
        BACKUPS.iter().all(|privilege| self.0.contains(privilege))
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}
