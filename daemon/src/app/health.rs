//! How the parts are while the daemon runs: which of them broke and which came back, for those who listen; and that it does not hang.

use std::time::Duration;

use jarvis_core::cluster::Presence;

use crate::cluster::ClusterClient;
use crate::ear::{Ear, EarStatus};
use crate::event::{Bus, EventKind};
use crate::speech::Speech;
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

pub(super) async fn tell_speech(speech: Speech, bus: Bus) {
    let mut clock = tokio::time::interval(HEALTH_EVERY);
    let mut known = None;
    loop {
        clock.tick().await;
        let engines = speech.status().engines;
        let trouble = engines.iter().find_map(|e| Some(format!("{}: {}", e.name, e.trouble.as_ref()?)));
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
