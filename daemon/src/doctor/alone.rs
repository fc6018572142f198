//! Where no daemon runs: the parts are started for a moment and looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::time::timeout;

use super::live::{damaged, ear, node, power, token};
use super::{Finding, files, minds};
use crate::cluster::{ClusterClient, ClusterConfig};
use crate::config::Config;
use crate::ear::{Ear, EarConfig, EarStatus};
use crate::environment::Environment;
use crate::safety::KillSwitch;
use crate::speech::{Speech, SpeechConfig};
use crate::store::{ROOM_MIN_BYTES, StoreError, room_left};

/// What the voice is tried with.
const TRIAL: &str = "Very good, sir.";
/// How long it may take for it.
const VOICE_LIMIT: Duration = Duration::from_secs(15);
/// How long the ear may take to load its model before the doctor goes on.
const EAR_LIMIT: Duration = Duration::from_secs(20);

/// Looks at everything that can be looked at without a daemon.
pub async fn alone(config: &Config, environment: &Environment) -> Vec<Finding> {
    let mut found = files(config, environment);
    found.extend(database(&config.daemon.database()));
    // Before the first start there is no switch yet.
    if config.daemon.database().exists() {
        found.extend(power(&KillSwitch::at(&config.daemon.state_dir).state()));
    }
    let (ear, voice, nodes, minds) = tokio::join!(
        try_ear(&config.ear),
        try_voice(&config.speech),
        try_cluster(&config.cluster),
        minds::alone(&config.minds)
    );
    found.extend([ear, voice]);
    found.extend(nodes);
    found.extend(minds);
    found
}

fn database(path: &Path) -> Vec<Finding> {
    if !path.exists() {
        return vec![Finding::note("store", "there is no database yet", "jarvisd makes it at its first start")];
    }
    [in_use(path), Some(sound(path))].into_iter().flatten().collect()
}

/// Whoever has the database open while no daemon answers may hold a lock, in which case no daemon starts.
fn in_use(path: &Path) -> Option<Finding> {
    let holders = holders(path);
    (!holders.is_empty()).then(|| {
        Finding::problem(
            "store",
            format!("{} is open in {}", path.display(), holders.join(", ")),
            "end that: jarvisd does not start while somebody else has a lock on its database",
        )
    })
}

/// Processes that have the file open, as far as this user may look into them.
fn holders(path: &Path) -> Vec<String> {
    let Ok(path) = path.canonicalize() else { return Vec::new() };
    let holder = |process: fs::DirEntry| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let mut opened = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        let holds = opened.any(|file| fs::read_link(file.path()).is_ok_and(|to| to == path));
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        (holds && pid != std::process::id()).then(|| format!("{} (process {pid})", name.trim()))
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(holder).collect()
}

fn sound(path: &Path) -> Finding {
    let look = || -> rusqlite::Result<String> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.query_row("pragma integrity_check(1)", [], |row| row.get(0))
    };
    match look() {
        Ok(verdict) if verdict == "ok" => Finding::good("store", "every page of the database is sound"),
        Ok(verdict) => damaged(&verdict),
        Err(error) => match StoreError::from(error) {
            damage if damage.is_damage() => damaged(&damage.to_string()),
            _ if path.parent().and_then(room_left).is_some_and(|left| left < ROOM_MIN_BYTES) => Finding::problem(
                "store",
                "the database cannot be opened on a full disk",
                "free space there, then look again",
            ),
            locked @ StoreError::Busy => {
                Finding::problem("store", format!("{}: {locked}", path.display()), "end the program that holds it")
            }
            other => Finding::problem(
                "store",
                format!("{}: {other}", path.display()),
                "run this as root or as jarvisd's user",
            ),
        },
    }
}

async fn try_ear(config: &EarConfig) -> Finding {
    // One worker tells all that is to be told of the program, the library and the model.
    let config = EarConfig { workers: 1, ..config.clone() };
    let (mut handle, task) = match Ear::start(config).await {
        Ok(started) => started,
        Err(error) => return Finding::problem("ear", format!("{error:#}"), "correct the section [ear]"),
    };
    tokio::select! {
        () = task.run() => Finding::problem("ear", "its task ended", "ask the journal why"),
        changed = timeout(EAR_LIMIT, handle.status_changed()) => ear(&changed.unwrap_or(EarStatus::Starting)),
    }
}

async fn try_voice(config: &SpeechConfig) -> Finding {
    // Without a cache: what was spoken once proves nothing now.
    let config = SpeechConfig { state_dir: PathBuf::new(), ..config.clone() };
    let broken = |error: &dyn std::fmt::Display| {
        Finding::problem("speech", error.to_string(), "install libespeak-ng1 and the worker; see [speech]")
    };
    let (speech, task) = match Speech::start(&config).await {
        Ok(started) => started,
        Err(error) => return broken(&error),
    };
    let speak = async {
        match speech.speak(TRIAL).await {
            Ok(mut spoken) => spoken.whole().await.map(|samples| (spoken.engine.clone(), samples.len())),
            Err(error) => Err(error),
        }
    };
    tokio::select! {
        () = task.run() => broken(&"the voice's task ended"),
        spoken = timeout(VOICE_LIMIT, speak) => match spoken {
            Ok(Ok((engine, samples))) if samples > 0 => Finding::good("speech", format!("{engine} speaks")),
            Ok(Ok((engine, _))) => broken(&format!("{engine} says nothing")),
            Ok(Err(error)) => broken(&error),
            Err(_) => broken(&"no engine spoke in time"),
        },
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
    let mut found: Vec<Finding> = client.check().await.iter().flat_map(|n| node(n, config.sensors.is_some())).collect();
    found.extend(token(&client.lacking().await));
    found
}
