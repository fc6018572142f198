//! What is known of one room.

use jarvis_core::ids::SatelliteId;
use jarvis_link::message::Utterance;
use tokio::sync::mpsc;

use super::Before;
use super::driver::ToTurn;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) generation: u64,
    /// The turn that has the microphone, or the loudspeaker after it.
    pub(super) turn: Option<(Option<Utterance>, mpsc::Sender<ToTurn>)>,
    /// That turn is words of Jarvis's own: others wait for their end.
    pub(super) announces: bool,
    pub(super) before: Before,
}

impl Room {
    /// Whether its turn is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.turn.as_ref().is_some_and(|(_, inbox)| !inbox.is_closed())
    }

    /// Whether its satellite, or the room itself, is called so.
    pub(super) fn is_called(&self, satellite: &SatelliteId, wanted: &str) -> bool {
        satellite.as_str() == wanted || self.name.eq_ignore_ascii_case(wanted)
    }
}
