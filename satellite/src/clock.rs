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
        Self {
            zero: Instant::now(),
        }
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

    /// The instant that `micros` stands for.
    pub fn instant(&self, micros: SatMicros) -> Instant {
        self.zero + Duration::from_micros(micros.0)
    }

    /// The instant this clock counts from.
    pub fn zero(&self) -> Instant {
        self.zero
    }
}
