//! Whether the other end is alive. Times are microseconds on this end's clock.

/// How often the satellite pings.
pub const PING_EVERY_US: u64 = 500_000;
/// Silence after which the other end is dead.
pub const DEAD_AFTER_US: u64 = 2_500_000;

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

    /// Whether it is.
    pub fn is_dead(self, now_us: u64) -> bool {
        now_us >= self.dead_at_us()
    }
}
