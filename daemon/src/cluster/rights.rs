//! What the token may, as `/access/permissions` tells: for the doctor, and for lists that are filtered without a word.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::api::{Api, ApiError};
use super::{CHECK_LIMIT, ClusterClient};

/// What a privilege is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Looking: without it something stays unknown.
    Reads,
    /// Changing: without it changes are refused.
    Changes,
}

/// Privileges, where they are needed, and for what. docs/cluster.md has the same list.
const NEEDED: [(&str, &str, Part, &str); 6] = [
    ("Sys.Audit", "/", Part::Reads, "quorum, high availability, tasks and nodes cannot be seen"),
    ("VM.Audit", "/vms", Part::Reads, "guests cannot be seen"),
    ("Datastore.Audit", "/storage", Part::Reads, "storages cannot be seen"),
    ("VM.PowerMgmt", "/vms", Part::Changes, "guests cannot be started, stopped or restarted"),
    ("VM.Snapshot", "/vms", Part::Changes, "snapshots can neither be taken nor deleted"),
    ("VM.Snapshot.Rollback", "/vms", Part::Changes, "guests cannot be rolled back"),
];

/// A privilege that the token lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// Its name: `VM.PowerMgmt`.
    pub privilege: &'static str,
    /// Where it is needed: `/vms`.
    pub path: &'static str,
    /// What for.
    pub part: Part,
    /// What does not work without it.
    pub consequence: &'static str,
    /// Whether it is held for some guests or storages alone.
    pub partly: bool,
}

/// By path, the privileges held there.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Held(BTreeMap<String, BTreeMap<String, Value>>);

/// Asks what the token may.
pub(super) async fn held(api: &Api, deadline: Instant) -> Result<Held, ApiError> {
    super::reads::object(api.get(None, "/access/permissions", deadline).await?)
}

impl Held {
    fn at(&self, path: &str, privilege: &str) -> bool {
        self.0.get(path).is_some_and(|held| held.contains_key(privilege))
    }

    /// Whether `privilege` is held on `path` or anywhere beneath it.
    fn somewhere(&self, path: &str, privilege: &str) -> bool {
        let beneath = format!("{}/", path.trim_end_matches('/'));
        self.0.iter().any(|(at, held)| (at == path || at.starts_with(&beneath)) && held.contains_key(privilege))
    }

    /// Whether backups are listed: whoever may allocate on a storage sees all that is on it.
    pub(super) fn sees_backups(&self) -> bool {
        let holds = |path, privilege| self.at("/", privilege) || self.somewhere(path, privilege);
        holds("/storage", "Datastore.Allocate")
            || (holds("/storage", "Datastore.AllocateSpace") && holds("/vms", "VM.Backup"))
    }

    fn lacking(&self) -> Vec<Lacking> {
        let lacks = |(privilege, path, part, consequence)| {
            let lacking = Lacking { privilege, path, part, consequence, partly: self.somewhere(path, privilege) };
            (!self.at(path, privilege)).then_some(lacking)
        };
        NEEDED.into_iter().filter_map(lacks).collect()
    }
}

impl ClusterClient {
    /// The privileges that the token lacks for what Jarvis can do.
    ///
    /// # Errors
    /// Where no node tells; the text says why and what to do.
    pub async fn lacking(&self) -> Result<Vec<Lacking>, String> {
        let held = held(&self.reader.api, Instant::now() + CHECK_LIMIT).await;
        held.map(|held| held.lacking()).map_err(|error| error.detail)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held(value: Value) -> Held {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_lacking_is_named_with_its_path() {
        let read = json!({"Sys.Audit": 1, "VM.Audit": 1, "Datastore.Audit": 1});
        let everywhere = |held: &Value| json!({"/": held, "/vms": held, "/storage": held, "/nodes": held});
        let lacking = held(everywhere(&read)).lacking();
        let names: Vec<_> = lacking.iter().map(|l| (l.privilege, l.part, l.partly)).collect();
        assert_eq!(
            names,
            [
                ("VM.PowerMgmt", Part::Changes, false),
                ("VM.Snapshot", Part::Changes, false),
                ("VM.Snapshot.Rollback", Part::Changes, false),
            ]
        );
        let mut more = everywhere(&read);
        more["/vms"] = json!({"VM.Audit": 1, "VM.PowerMgmt": 1, "VM.Snapshot": 1});
        more["/vms/104"] = json!({"VM.Snapshot.Rollback": 1});
        let lacking = held(more).lacking();
        assert_eq!(lacking.len(), 1);
        assert_eq!((lacking[0].privilege, lacking[0].partly), ("VM.Snapshot.Rollback", true));
        assert_eq!(held(json!({})).lacking().len(), NEEDED.len());
    }

    #[test]
    fn backups_are_seen_by_those_who_could_restore_them() {
        assert!(!held(json!({"/storage": {"Datastore.Audit": 1}})).sees_backups());
        assert!(!held(json!({"/storage/vault": {"Datastore.AllocateSpace": 1}})).sees_backups());
        let split = json!({"/storage/vault": {"Datastore.AllocateSpace": 1}, "/vms": {"VM.Backup": 1}});
        assert!(held(split).sees_backups());
        assert!(held(json!({"/": {"Datastore.Allocate": 1}})).sees_backups());
    }
}
