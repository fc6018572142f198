//! Whether the other end is alive. Times are microseconds on this end's clock.

/// How often the satellite pings.
pub const PING_EVERY_US: u64 = 500_000;
/// Silence after which the other end is dead.
pub const DEAD_AFTER_US: u64 = 2_500_000;

/// A deadline that is looked at so late was slept through by this end (a suspended machine, a process that got no processor), in microseconds.
/// Such silence tells nothing: what came meanwhile may lie unread.
pub const LATE_US: u64 = 50_000;
/// Then the other end is given this long from the awakening on, in microseconds.
pub const AWAKENED_US: u64 = PING_EVERY_US;

/// When the other end was last heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    last_heard_us: u64,
}

impl Liveness {
    /// It is alive now.
    pub fn new(now_us: u64) -> Self {
        Self { last_heard_us: now_us }
    }

    /// It was heard.
    pub fn heard(&mut self, now_us: u64) {
        self.last_heard_us = self.last_heard_us.max(now_us);
    }

    /// When it will be dead if nothing comes.
    pub fn dead_at_us(self) -> u64 {
        self.last_heard_us.saturating_add(DEAD_AFTER_US)
    }

    /// Whether it is; to be asked when the deadline is due.
    pub fn is_dead(&mut self, now_us: u64) -> bool {
        let Some(late_us) = now_us.checked_sub(self.dead_at_us()) else {
            return false;
        };
        let slept = late_us > LATE_US;
        if slept {
            self.heard(now_us.saturating_add(AWAKENED_US).saturating_sub(DEAD_AFTER_US));
        }
        !slept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_death_only_for_one_who_was_awake_to_hear() {
        let mut alive = Liveness::new(1_000);
        assert!(!alive.is_dead(1_000 + DEAD_AFTER_US - 1));
        assert!(alive.is_dead(1_000 + DEAD_AFTER_US));
        assert!(alive.is_dead(1_000 + DEAD_AFTER_US + LATE_US));
        let awakened = 1_000 + DEAD_AFTER_US + LATE_US + 1;
        assert!(!alive.is_dead(awakened), "it slept through the deadline");
        assert_eq!(alive.dead_at_us(), awakened + AWAKENED_US);
        assert!(alive.is_dead(awakened + AWAKENED_US), "and found nothing when it had awakened");
        let (mut fresh, mut heard) = (alive, alive);
        assert!(!fresh.is_dead(u64::MAX), "whatever the clock does");
        heard.heard(awakened + 1);
        assert!(!heard.is_dead(awakened + AWAKENED_US));
    }
}
