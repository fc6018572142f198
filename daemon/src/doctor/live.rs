//! What the parts of a running daemon say.

use std::collections::BTreeSet;
use std::time::Duration;

use jarvis_core::gate::Policy;

use super::Finding;
use crate::cluster::{Lacking, NodeCheck, Part};
use crate::ear::EarStatus;
use crate::mcp::McpStatus;
use crate::safety::SwitchState;
use crate::speech::{EngineStatus, SpeechStatus};
use crate::status::{House, SatelliteLine};

/// Longest that the database's own check may take before it is left out.
const INTEGRITY_LIMIT: Duration = Duration::from_secs(20);

/// Asks the parts of a running daemon.
pub async fn live(house: &House) -> Vec<Finding> {
    let status = house.status().await;
    let mut found = vec![
        Finding::good("daemon", format!("jarvisd {} has run for {} s", status.version, status.uptime_s)),
        ear(&status.ear),
    ];
    found.extend(status.speech.iter().flat_map(voice));
    found.extend(power(&status.power));
    // Ear, budget and other servers are told of for themselves.
    let apart = |part: &str| ["ear", "budget"].contains(&part) || part.starts_with("mcp ");
    found.extend(status.degraded.iter().filter(|d| !apart(&d.part)).map(|d| {
        let instead = d.fallback.as_ref().map(|f| format!(" (instead: {f})")).unwrap_or_default();
        Finding::problem(&d.part, format!("{}{instead}", d.reason), "`journalctl -u jarvisd` tells more of it")
    }));
    found.extend(super::minds::live(&house.minds).await);
    found.extend(satellites(&status.satellites));
    let enrolled: Vec<&str> = status.satellites.iter().map(|satellite| satellite.room.as_str()).collect();
    found.extend(rooms(house.safety.policy(), &enrolled));
    found.extend(house.cluster.check().await.iter().flat_map(|n| node(n, house.config.cluster.sensors.is_some())));
    if !house.config.cluster.nodes.is_empty() {
        found.extend(token(&house.cluster.lacking().await));
    }
    found.extend(programs(&house.mcp.status(), house.config.mcp.listen.is_some()));
    found.extend(super::servers::live(&house.servers).await);
    found.push(match tokio::time::timeout(INTEGRITY_LIMIT, house.store.integrity()).await {
        Ok(Ok(None)) => Finding::good("store", "every page of the database is sound"),
        Ok(Ok(Some(verdict))) => damaged(&verdict),
        Ok(Err(error)) => Finding::problem("store", error.to_string(), "journalctl -u jarvisd says more"),
        Err(_) => Finding::note("store", "the database's check took too long", "try again when the house is quiet"),
    });
    found
}

/// What the kill switch says, where it says anything: whoever asks why nothing is changed looks here.
pub(super) fn power(state: &SwitchState) -> Option<Finding> {
    let remedy = "`jarvisctl resume`, or the page, lets changes run again";
    match state {
        SwitchState::On => None,
        SwitchState::Stopped { by, .. } => {
            Some(Finding::note("safety", format!("every change is stopped, by {by}"), remedy))
        }
        SwitchState::Damaged { why } => {
            Some(Finding::problem("safety", format!("every change is stopped: {why}"), remedy))
        }
    }
}

fn programs(mcp: &McpStatus, wanted: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(trouble) = &mcp.trouble {
        let remedy = "move that file away, restart jarvisd, and make new tokens with `jarvisctl mcp token add NAME`";
        found.push(Finding::problem("mcp", format!("nobody is let in: {trouble}"), remedy));
    }
    // That its socket is missing is told as a part that is degraded.
    if let Some(served) = mcp.served.filter(|_| wanted) {
        found.push(if mcp.tokens.is_empty() && mcp.trouble.is_none() {
            let remedy = "`jarvisctl mcp token add NAME` makes a token for one";
            Finding::note("mcp", format!("served at {served}, and no program may ask"), remedy)
        } else {
            Finding::good("mcp", format!("served at {served} to {} programs", mcp.tokens.len()))
        });
    }
    found
}

pub(super) fn damaged(verdict: &str) -> Finding {
    Finding::problem(
        "store",
        format!("the database is damaged: {verdict}"),
        "restart jarvisd: it keeps the file aside and begins a new one",
    )
}

pub(super) fn ear(status: &EarStatus) -> Finding {
    match status {
        EarStatus::Ready { model, loaded, workers, .. } if loaded < workers => Finding::note(
            "ear",
            format!("hears with {model}, but only {loaded} of its {workers} workers have loaded it"),
            "ask again in a moment; if it stays so, the journal says why: memory for fewer asks for fewer [ear] workers",
        ),
        EarStatus::Ready { model, .. } => Finding::good("ear", format!("hears with {model}")),
        EarStatus::Starting => Finding::note("ear", "the worker is being started", "ask again in a moment"),
        EarStatus::Broken { reason } => {
            Finding::problem("ear", reason.clone(), "mend that; typed turns (`jarvisctl ask`) work meanwhile")
        }
    }
}

pub(super) fn voice(status: &SpeechStatus) -> Vec<Finding> {
    let told = |engine: &EngineStatus| match &engine.trouble {
        None => Finding::good("speech", format!("{} works", engine.name)),
        Some(trouble) => Finding::problem(
            "speech",
            format!("{} is passed over: {trouble}", engine.name),
            "mend that, or take it out of [speech]; it is tried again every half minute that somebody is answered",
        ),
    };
    status.engines.iter().map(told).collect()
}

fn satellites(all: &[SatelliteLine]) -> Vec<Finding> {
    if all.is_empty() {
        return vec![Finding::note(
            "link",
            "no satellite is enrolled",
            "`jarvisctl enrol ROOM` here, then `jarvis-satellite enrol CODE` there",
        )];
    }
    let told = |s: &SatelliteLine| {
        if s.connected {
            Finding::good("link", format!("{} is connected", s.room))
        } else {
            Finding::problem(
                "link",
                format!("{} is not connected", s.room),
                "is it powered, on the network, and is UDP let through to [link] listen?",
            )
        }
    };
    all.iter().map(told).collect()
}

/// Rooms of `[safety]` that no satellite has: a limit on a room whose name was mistyped holds nobody back.
pub(super) fn rooms(policy: &Policy, enrolled: &[&str]) -> Option<Finding> {
    let named = policy.rooms.keys().chain(policy.leave.iter().flat_map(|leave| &leave.rooms));
    let unknown: BTreeSet<&str> = named.map(String::as_str).filter(|room| !enrolled.contains(room)).collect();
    let names = unknown.into_iter().collect::<Vec<_>>().join(", ");
    let remedy = "`jarvisctl rooms` lists their names; enrol one for it, or mend the name in [safety] of jarvisd.toml";
    (!names.is_empty())
        .then(|| Finding::note("safety", format!("no satellite is enrolled for a room of its rules: {names}"), remedy))
}

/// What a check of one node found. Its texts name the remedy.
pub(super) fn node(check: &NodeCheck, sensors: bool) -> Vec<Finding> {
    let name = &check.node;
    let api = match &check.api {
        Ok(version) => Finding::good("cluster", format!("{name} answers, Proxmox VE {version}")),
        Err(trouble) => Finding::problem("cluster", format!("{name} does not answer"), trouble.clone()),
    };
    let sensors = match &check.sensors {
        Ok(Some(degrees)) => Some(Finding::good("sensors", format!("{name} has {degrees:.0} °C"))),
        Ok(None) => None,
        Err(_) if !sensors => None,
        Err(trouble) => Some(Finding::problem("sensors", format!("{name}'s temperature is unknown"), trouble.clone())),
    };
    std::iter::once(api).chain(sensors).collect()
}

/// What the token may, and may not.
pub(super) fn token(lacking: &Result<Vec<Lacking>, String>) -> Vec<Finding> {
    let lacking = match lacking {
        Ok(lacking) if lacking.is_empty() => return vec![Finding::good("token", "it may do all that Jarvis can")],
        Ok(lacking) => lacking,
        Err(why) => return vec![Finding::note("token", "what it may do is not known", why.clone())],
    };
    let told = |part: Part, role: &str| {
        let of_part: Vec<&Lacking> = lacking.iter().filter(|l| l.part == part).collect();
        let names: Vec<String> = of_part.iter().map(|l| shown(l)).collect();
        let what = format!("the token lacks {}", names.join(", "));
        let consequences: Vec<&str> = of_part.iter().map(|l| l.consequence).collect();
        let remedy = format!("{}: give it the role {role}, as docs/cluster.md says", consequences.join("; "));
        (!of_part.is_empty()).then_some((what, remedy))
    };
    let reads = told(Part::Reads, "JarvisRead").map(|(what, remedy)| Finding::problem("token", what, remedy));
    let changes = told(Part::Changes, "JarvisChanges").map(|(what, remedy)| Finding::note("token", what, remedy));
    reads.into_iter().chain(changes).collect()
}

fn shown(lacking: &Lacking) -> String {
    let partly = if lacking.partly { " (but for a part of it)" } else { "" };
    format!("{} on {}{partly}", lacking.privilege, lacking.path)
}
