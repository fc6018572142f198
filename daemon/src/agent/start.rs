//! What models need at the daemon's start: those of the configuration, and a word on runs that its last end cut off.

use super::Minds;
use crate::config::Config;
use crate::ctl::{Typed, TypedSender};
use crate::event::{Bus, EventKind};
use crate::store::{CutRun, Store};

/// The models of the configuration; without them where one cannot be made, which is told.
pub(crate) fn open(config: &Config, bus: &Bus) -> Minds {
    match Minds::new(&config.minds, &config.agent) {
        Ok(minds) => minds,
        Err(error) => {
            tracing::error!("no models: {error}");
            bus.tell(EventKind::Degraded {
                part: "minds".into(),
                reason: error.to_string(),
                fallback: Some("the local grammar".into()),
            });
            Minds::default()
        }
    }
}

/// Runs of models that the daemon's last end cut off are told: as events, in the rooms that asked, and with their turns.
pub(crate) async fn tell_cut_runs(cut: Vec<CutRun>, store: &Store, bus: &Bus, typed: &TypedSender) {
    for run in cut {
        let CutRun { turn, room, steps, open_changes } = run;
        let open = open_changes > 0;
        tracing::warn!(%turn, steps, open, "a model's run was cut off; it is not gone on with");
        bus.tell(EventKind::Interrupted { turn, room: room.clone(), open });
        let detail = serde_json::json!({"turn": turn, "steps": steps, "open_changes": open_changes});
        if let Err(error) = store.event("agent.interrupted", &room, detail).await {
            tracing::error!("a cut run was not written down: {error}");
        }
        if room.is_empty() {
            continue;
        }
        let key = if open { "agent.interrupted_open" } else { "agent.interrupted" };
        let text = jarvis_core::answer::phrase(key, turn.0, &[]);
        if typed.try_send(Typed::Announce { text, room }).is_err() {
            tracing::warn!("too many announcements wait; this one is with its turn alone");
        }
    }
}
