//! What the configuration names: folders, secrets, programs, models, the database's leftovers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jarvis_core::gate::Place;
use jarvis_core::tools::OWN_UNKNOWN_REMEDY;

use super::Finding;
use crate::config::{Config, Secrets};
use crate::ear::EarModel;
use crate::environment::Environment;
use crate::safety::UNTRIED_EAR;
use crate::store::{ROOM_MIN_BYTES, kept_aside_beside, room_left};

/// Less room than this on the state's disk is told.
const LOW_DISK_BYTES: u64 = 200 << 20;

/// Looks at every file and folder that `config` names. Starts nothing.
pub fn files(config: &Config, environment: &Environment) -> Vec<Finding> {
    let mut found = vec![state(&config.daemon.state_dir)];
    found.extend(room(&config.daemon.state_dir));
    found.extend(kept_aside(config));
    found.extend(group(config));
    found.extend(secrets(config, environment));
    found.extend(nodes(config));
    found.extend(model(config));
    found.extend(own_place(config));
    found.extend(untried_ear(config));
    found.push(worker("ear", config.ear.worker.as_deref(), "jarvis-ear"));
    found.push(worker("speech", config.speech.worker.as_deref(), "jarvis-voice"));
    found
}

/// Said loudly by a running daemon; here it keeps nobody from starting one.
fn untried_ear(config: &Config) -> Option<Finding> {
    let (what, remedy) = UNTRIED_EAR.rsplit_once(". ")?;
    config.safety.untried_ear_approves.then(|| Finding::note("safety", what, remedy))
}

fn state(folder: &Path) -> Finding {
    let shown = folder.display();
    match fs::metadata(folder) {
        Err(e) => Finding::problem(
            "state",
            format!("{shown}: {e}"),
            format!("install -d -m 0750 -o jarvis -g jarvis {shown} (the unit's StateDirectory= does it)"),
        ),
        Ok(meta) if !meta.is_dir() => {
            Finding::problem("state", format!("{shown} is no folder"), "correct [daemon] state_dir")
        }
        Ok(meta) if meta.permissions().mode() & 0o007 != 0 => {
            Finding::problem("state", format!("everybody can enter {shown}"), format!("chmod o= {shown}"))
        }
        Ok(_) if rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_err() => Finding::note(
            "state",
            format!("{shown} can't be written by this user"),
            "run this as root or as jarvisd's user",
        ),
        Ok(_) => Finding::good("state", shown.to_string()),
    }
}

fn own_place(config: &Config) -> Option<Finding> {
    let unknown = config.safety.policy().own.place == Place::Unknown;
    unknown.then(|| {
        let what = "nobody said which guest Jarvis runs in, so he shuts down, restarts, stops and rolls back none";
        Finding::note("safety", what, OWN_UNKNOWN_REMEDY)
    })
}

fn room(folder: &Path) -> Option<Finding> {
    let free = room_left(folder)?;
    let mib = free >> 20;
    Some(if free < ROOM_MIN_BYTES {
        Finding::problem(
            "disk",
            format!(
                "{mib} MiB are left where {} lives: jarvisd says nothing that it cannot keep, and does not start anew",
                folder.display()
            ),
            "free space there (old logs: journalctl --vacuum-size=200M; packages: apt-get clean), then systemctl start jarvisd",
        )
    } else if free < LOW_DISK_BYTES {
        Finding::problem(
            "disk",
            format!("{mib} MiB are left where {} lives", folder.display()),
            "free space there: a full disk makes turns fail, though nothing stored is lost",
        )
    } else {
        Finding::good("disk", format!("{mib} MiB free"))
    })
}

fn kept_aside(config: &Config) -> Vec<Finding> {
    let told = |path: &std::path::PathBuf| {
        Finding::note(
            "store",
            format!("a damaged database was kept aside: {}", path.display()),
            format!(
                "sqlite3 {0} .recover > saved.sql brings back what can be read; delete {0}* when you need it no more",
                path.display()
            ),
        )
    };
    kept_aside_beside(&config.daemon.database()).iter().map(told).collect()
}

fn group(config: &Config) -> Option<Finding> {
    let name = config.daemon.control_group.as_ref()?;
    Some(match crate::ctl::group_id(name) {
        Some(_) => Finding::good("control", format!("members of {name} may use jarvisctl")),
        None => Finding::problem(
            "control",
            format!("[daemon] control_group: there is no group {name}"),
            format!("groupadd {name}, or take the line out"),
        ),
    })
}

fn secrets(config: &Config, environment: &Environment) -> Vec<Finding> {
    let judged = Secrets::of(config);
    let told = |(what, path, verdict): (&str, &Path, Result<(), crate::config::SecretError>)| match verdict {
        Ok(()) => Finding::good("secrets", format!("{what}: {}", path.display())),
        Err(error) => Finding::problem("secrets", format!("{what}: {error}"), error.remedy()),
    };
    judged.check(environment).into_iter().map(told).collect()
}

fn nodes(config: &Config) -> Vec<Finding> {
    let cluster = &config.cluster;
    let mut found = Vec::new();
    if cluster.nodes.is_empty() {
        found.push(Finding::note(
            "cluster",
            "no node is configured: every fact about a cluster stays unknown",
            "add [[cluster.nodes]] with name, address and fingerprint",
        ));
        return found;
    }
    if cluster.token_file.is_none() {
        found.push(Finding::problem(
            "cluster",
            "nodes are configured, but no API token",
            "make one with the role JarvisRead (README, docs/cluster.md) and name it in [cluster] token_file",
        ));
    }
    for node in cluster.nodes.iter().filter(|n| cluster.sensors.is_some() && n.ssh_host_key.is_none()) {
        found.push(Finding::note(
            "sensors",
            format!("{} has no ssh_host_key: its temperature stays unknown", node.name),
            format!("ssh-keyscan -t ed25519 {} from a network you trust, compare, and add it", node.ssh_authority()),
        ));
    }
    found
}

fn model(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    match EarModel::read(&config.ear.model, config.ear.tried_on_people) {
        Ok(model) if model.tried_on_people => found.push(Finding::good("ear", format!("model {}", model.name))),
        Ok(model) => found.push(Finding::note(
            "ear",
            format!("model {} was not tried on people's voices", model.name),
            "good for the demo; for people `jarvisctl model fetch`, or name another Vosk model in [ear] model",
        )),
        Err(error) => {
            found.push(Finding::problem("ear", error.to_string(), "correct [ear] model, or install the model"))
        }
    }
    if let Some(folder) = &config.ear.library_dir
        && !folder.join("libvosk.so").is_file()
    {
        found.push(Finding::problem(
            "ear",
            format!("there is no libvosk.so in {}", folder.display()),
            "take it out of the PyPI wheel vosk 0.3.45 (`make setup` does it), or correct [ear] library_dir",
        ));
    }
    found
}

fn worker(part: &str, configured: Option<&Path>, name: &str) -> Finding {
    let program = crate::worker::program(configured, name);
    let shown = program.display();
    let executable = fs::metadata(&program).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if executable {
        return Finding::good(part, format!("worker {shown}"));
    }
    Finding::problem(part, format!("{shown} is no program"), format!("install it there, or name it in [{part}] worker"))
}
