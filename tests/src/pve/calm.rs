//! A cluster in which nothing stands in a change's way.

use super::{Simulator, State};

/// Jarvis's own guest, the one that stays protected.
const OWN: u32 = 100;

impl State {
    /// Takes away what would raise a tier or refuse a change: high availability, memory and storages that are nearly full, protection.
    pub fn calm(&mut self) {
        self.ha.clear();
        for node in &mut self.nodes {
            node.memory.0 = node.memory.1 / 4;
        }
        for storage in &mut self.storages {
            storage.bytes.0 = storage.bytes.1 / 4;
        }
        for guest in &mut self.guests {
            guest.protection = guest.vmid == OWN;
        }
    }
}

impl Simulator {
    /// [`State::calm`], of a cluster that is served.
    pub fn calm(&self) {
        self.change(State::calm);
    }
}
