//! What the parts of a running daemon say.

use std::time::Duration;

use jarvis_core::ids::UnixSeconds;

use super::Finding;
use crate::cluster::NodeHealth;
use crate::ear::EarStatus;
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
    found.extend(status.degraded.iter().map(|d| {
        let instead = d.fallback.as_ref().map(|f| format!(" (instead: {f})")).unwrap_or_default();
        Finding::problem(&d.part, format!("degraded{instead}"), d.reason.clone())
    }));
    found.extend(satellites(&status.satellites));
    found.extend(status.nodes.iter().map(|n| node(&n.health)));
    found.push(match tokio::time::timeout(INTEGRITY_LIMIT, house.store.integrity()).await {
        Ok(Ok(None)) => Finding::good("store", "every page of the database is sound"),
        Ok(Ok(Some(verdict))) => damaged(&verdict),
        Ok(Err(error)) => Finding::problem("store", error.to_string(), "journalctl -u jarvisd says more"),
        Err(_) => Finding::note("store", "the database's check took too long", "try again when the house is quiet"),
    });
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
        EarStatus::Ready { model, .. } => Finding::good("ear", format!("hears with {model}")),
        EarStatus::Starting => Finding::note("ear", "the worker is being started", "ask again in a moment"),
        EarStatus::Broken { reason } => {
            Finding::problem("ear", reason.clone(), "typed turns (`jarvisctl ask`) work meanwhile")
        }
    }
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

pub(super) fn node(health: &NodeHealth) -> Finding {
    let name = &health.node;
    match (health.answers, &health.trouble) {
        (Some(true), None) => Finding::good("cluster", format!("{name} answers at {}", health.address)),
        (Some(true), Some(trouble)) => Finding::problem("cluster", format!("{name}: {trouble}"), FIX),
        (Some(false), trouble) => {
            let why = trouble.as_deref().unwrap_or("no answer");
            let since = health.since.map(|UnixSeconds(s)| format!(" (since {})", when(s))).unwrap_or_default();
            Finding::problem("cluster", format!("{name} at {}: {why}{since}", health.address), FIX)
        }
        (None, _) => Finding::note("cluster", format!("{name} was not asked yet"), "ask again in a moment"),
    }
}

const FIX: &str = "is it on, is the address right, is the fingerprint the one `pvenode cert info` shows, has the token PVEAuditor on /?";

fn when(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).map_or_else(|_| format!("{unix_s}"), |t| t.to_string())
}
