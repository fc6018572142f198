//! Where no daemon runs: the parts are started for a moment and looked at.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::time::timeout;

use super::live::{damaged, ear, node};
use super::{Finding, files};
use crate::cluster::{ClusterClient, ClusterConfig};
use crate::config::Config;
use crate::ear::{Ear, EarConfig, EarStatus};
use crate::environment::Environment;

/// How long the ear may take to load its model before the doctor goes on.
const EAR_LIMIT: Duration = Duration::from_secs(20);

/// Looks at everything that can be looked at without a daemon.
pub async fn alone(config: &Config, environment: &Environment) -> Vec<Finding> {
    let mut found = files(config, environment);
    found.extend(database(&config.daemon.database()));
    let (ear, nodes) = tokio::join!(try_ear(&config.ear), try_cluster(&config.cluster));
    found.push(ear);
    found.extend(nodes);
    found
}

fn database(path: &Path) -> Option<Finding> {
    if !path.exists() {
        return Some(Finding::note("store", "there is no database yet", "jarvisd makes it at its first start"));
    }
    let look = || -> rusqlite::Result<String> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.query_row("pragma integrity_check(1)", [], |row| row.get(0))
    };
    Some(match look() {
        Ok(verdict) if verdict == "ok" => Finding::good("store", "every page of the database is sound"),
        Ok(verdict) => damaged(&verdict),
        Err(error) => match crate::store::StoreError::from(error) {
            damage if damage.is_damage() => damaged(&damage.to_string()),
            other => Finding::problem(
                "store",
                format!("{}: {other}", path.display()),
                "run this as root or as jarvisd's user",
            ),
        },
    })
}

async fn try_ear(config: &EarConfig) -> Finding {
    let (mut handle, task) = match Ear::start(config.clone()).await {
        Ok(started) => started,
        Err(error) => return Finding::problem("ear", format!("{error:#}"), "correct the section [ear]"),
    };
    tokio::select! {
        () = task.run() => Finding::problem("ear", "its task ended", "ask the journal why"),
        changed = timeout(EAR_LIMIT, handle.status_changed()) => ear(&changed.unwrap_or(EarStatus::Starting)),
    }
}

async fn try_cluster(config: &ClusterConfig) -> Vec<Finding> {
    if config.nodes.is_empty() {
        return Vec::new();
    }
    let client = match ClusterClient::new(config) {
        Ok(client) => client,
        Err(error) => return vec![Finding::problem("cluster", error.to_string(), "correct the section [cluster]")],
    };
    client.check().await.iter().flat_map(|n| node(n, config.sensors.is_some())).collect()
}
