//! The satellite's one clock: microseconds since it started, never set by anybody (a Pi starts in 1970).

use std::time::{Duration, Instant};

use jarvis_link::message::SatMicros;

/// A monotonic clock whose zero is the start of the program.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zero: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Self {
        Self { zero: Instant::now() }
    }

    /// A clock that shows `micros` now: the same as another clock that does.
    pub fn reading(micros: SatMicros) -> Self {
        let now = Instant::now();
        Self { zero: now.checked_sub(Duration::from_micros(micros.0)).unwrap_or(now) }
    }

    /// The present.
    pub fn now(&self) -> SatMicros {
        self.at(Instant::now())
    }

    /// Where `moment` lies on this clock; moments before its start are its zero.
    pub fn at(&self, moment: Instant) -> SatMicros {
        let since = moment.saturating_duration_since(self.zero);
        SatMicros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}
