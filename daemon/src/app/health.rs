//! How the parts are while the daemon runs: which of them broke and which came back, for those who listen; and that it does not hang.

use std::time::Duration;

use jarvis_core::cluster::Presence;

use crate::cluster::ClusterClient;
use crate::ear::{Ear, EarStatus};
use crate::event::{Bus, EventKind};
use crate::speech::{EngineStatus, Speech};
use crate::status::House;
use crate::systemd::Notifier;

/// How often the parts' view of nodes and engines is looked at; this asks nobody.
const HEALTH_EVERY: Duration = Duration::from_secs(2);

/// Never ends.
pub(super) async fn watchdog(house: &House, notifier: &Notifier) {
    notifier
        .watchdog(async || {
            house.store.turns(1).await.map_err(|e| format!("store: {e}"))?;
            house.hub.satellites().await;
            Ok(())
        })
        .await;
    std::future::pending().await
}

pub(super) async fn tell_ear(mut ear: Ear, bus: Bus) {
    let mut broken = false;
    let mut status = ear.status();
    loop {
        match status {
            EarStatus::Broken { reason, .. } => {
                broken = true;
                tracing::error!("the ear is broken: {reason}");
                bus.tell(EventKind::Degraded { part: "ear".into(), reason, fallback: None });
            }
            EarStatus::Ready { .. } if broken => {
                broken = false;
                bus.tell(EventKind::Restored { part: "ear".into() });
            }
            EarStatus::Ready { .. } | EarStatus::Starting => {}
        }
        status = ear.status_changed().await;
    }
}

/// `left_out` says why engines could not be set up, where some could not: that was told, and is so until the next start.
pub(super) async fn tell_speech(speech: Speech, left_out: Option<String>, bus: Bus) {
    let mut clock = tokio::time::interval(HEALTH_EVERY);
    let mut known = left_out.clone();
    loop {
        clock.tick().await;
        let engines = speech.status().engines;
        let trouble = trouble(&engines, left_out.as_deref());
        if trouble == known {
            continue;
        }
        match &trouble {
            Some(reason) => {
                let fallback = engines.iter().find(|e| e.trouble.is_none()).map(|e| e.name.clone());
                bus.tell(EventKind::Degraded { part: "speech".into(), reason: reason.clone(), fallback });
            }
            None => {
                bus.tell(EventKind::Restored { part: "speech".into() });
            }
        }
        known = trouble;
    }
}

fn trouble(engines: &[EngineStatus], left_out: Option<&str>) -> Option<String> {
    let now = engines.iter().find_map(|e| Some(format!("{}: {}", e.name, e.trouble.as_ref()?)));
    now.or_else(|| left_out.map(str::to_owned))
}

pub(super) async fn tell_nodes(cluster: ClusterClient, bus: Bus) {
    let mut clock = tokio::time::interval(HEALTH_EVERY);
    let mut known = Vec::new();
    loop {
        clock.tick().await;
        let health = cluster.health();
        for node in &health {
            let Some(answers) = node.answers else { continue };
            let before = known.iter().find(|(name, _)| *name == node.node).map(|(_, answers)| *answers);
            if before != Some(answers) {
                let presence = if answers { Presence::Online } else { Presence::Unknown };
                bus.tell(EventKind::Node { node: node.node.clone(), presence });
            }
        }
        known = health.into_iter().filter_map(|n| Some((n.node, n.answers?))).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_comes_back_does_not_hide_one_that_was_never_set_up() {
        let espeak =
            |trouble: Option<&str>| [EngineStatus { name: "espeak-ng".into(), trouble: trouble.map(str::to_owned) }];
        let left_out = Some("kokoro: no key");
        assert_eq!(trouble(&espeak(Some("it hung")), left_out).as_deref(), Some("espeak-ng: it hung"));
        assert_eq!(trouble(&espeak(None), left_out).as_deref(), left_out);
        assert_eq!(trouble(&espeak(None), None), None);
    }
}
