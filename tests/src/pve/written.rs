//! What people write where Proxmox VE lets them write anything. A cluster that was drawn has none of it; a test puts it there.

use std::collections::BTreeMap;

/// Texts, by what they stand at.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// Tags of guests.
    pub tags: BTreeMap<u32, String>,
    /// Notes of guests.
    pub notes: BTreeMap<u32, String>,
    /// Notes of backups, by guest and the second they were taken.
    pub backup_notes: BTreeMap<(u32, i64), String>,
    /// What a guest's replication failed with, in the words of the command that it runs.
    pub replication_errors: BTreeMap<u32, String>,
}
