//! What is said at the daemon's start of runs that its last end cut off.

use crate::ctl::{Typed, TypedSender};
use crate::event::{Bus, EventKind};
use crate::store::{CutRun, Store};

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
