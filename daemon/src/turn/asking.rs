//! What the words of an answer depend on beside the facts.

use jarvis_core::answer::Asker;
use jarvis_core::ids::{TurnId, UnixSeconds};
use jarvis_core::names::Names;

use super::{Before, Parts};

/// [`Asker`], owned.
pub(crate) struct Asking {
    now: UnixSeconds,
    local_offset_s: i32,
    room: String,
    rooms: Vec<String>,
    started: UnixSeconds,
    before: Before,
    seed: u64,
    demo_ear: bool,
}

impl Asking {
    pub(super) async fn new(parts: &Parts, room: &str, before: Before, turn: TurnId) -> Self {
        let now = jiff::Zoned::now();
        let satellites = parts.hub.satellites().await;
        Self {
            now: UnixSeconds(now.timestamp().as_second()),
            local_offset_s: now.offset().seconds(),
            room: room.to_owned(),
            rooms: satellites.into_iter().filter(|s| s.connected).map(|s| s.room).collect(),
            started: parts.started,
            before,
            seed: turn.0,
            demo_ear: !parts.tried_on_people(),
        }
    }

    pub(crate) fn asker<'a>(&'a self, names: &'a Names) -> Asker<'a> {
        Asker {
            now: self.now,
            local_offset_s: self.local_offset_s,
            room: &self.room,
            rooms: &self.rooms,
            started: self.started,
            last_heard: self.before.heard.as_deref(),
            last_reply: self.before.reply.as_deref(),
            last_route: self.before.route.as_deref(),
            names,
            seed: self.seed,
            demo_ear: self.demo_ear,
        }
    }
}
