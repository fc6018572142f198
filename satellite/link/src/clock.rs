//! How far the two clocks are apart. The satellite measures it, the way network time is measured; the daemon takes its word for it as
//! far as causality allows: nothing arrives before it was sent.

use crate::message::{ClockEstimate, DaemonMicros, SatMicros};

/// Pongs and pings looked back on: eight seconds. Crystals drift half a millisecond apart in that time.
pub const WINDOW: usize = 16;
/// A time a satellite names may lie this far ahead of the daemon's present; further is cut off.
pub const AHEAD_MAX_US: u64 = 10_000_000;

/// The last few of something.
#[derive(Debug, Clone, Copy)]
struct Recent<T> {
    items: [Option<T>; WINDOW],
    next: usize,
}

impl<T: Copy> Recent<T> {
    const EMPTY: Self = Self { items: [None; WINDOW], next: 0 };

    fn push(&mut self, item: T) {
        self.items[self.next] = Some(item);
        self.next = (self.next + 1) % WINDOW;
    }

    fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.items.iter().flatten().copied()
    }
}

/// The satellite's side: estimates from pongs.
#[derive(Debug, Clone)]
pub struct PongClock {
    recent: Recent<ClockEstimate>,
}

impl Default for PongClock {
    fn default() -> Self {
        Self { recent: Recent::EMPTY }
    }
}

impl PongClock {
    /// A ping sent at `sent` was answered by the daemon at `daemon`, and that came at `now`. A pong to a ping of the
    /// future is ignored.
    pub fn pong(&mut self, sent: SatMicros, daemon: DaemonMicros, now: SatMicros) {
        let Some(there_and_back) = now.0.checked_sub(sent.0) else {
            return;
        };
        let Ok(rtt_us) = u32::try_from(there_and_back) else {
            return;
        };
        let middle = sent.0 + there_and_back / 2;
        self.recent.push(ClockEstimate { offset_us: difference(daemon.0, middle), rtt_us });
    }

    /// The best estimate: that of the quickest pong.
    pub fn estimate(&self) -> Option<ClockEstimate> {
        self.recent.iter().min_by_key(|estimate| estimate.rtt_us)
    }
}

/// The daemon's side: maps the satellite's times.
#[derive(Debug, Clone)]
pub struct ClockMap {
    told: Option<ClockEstimate>,
    /// Arrival minus sending of recent pings: the true offset is at most the least of these.
    ceilings: Recent<i64>,
}

impl Default for ClockMap {
    fn default() -> Self {
        Self { told: None, ceilings: Recent::EMPTY }
    }
}

impl ClockMap {
    /// A ping came.
    pub fn ping(&mut self, sent: SatMicros, told: Option<ClockEstimate>, now: DaemonMicros) {
        self.ceilings.push(difference(now.0, sent.0));
        self.told = told.or(self.told);
    }

    /// Daemon's clock minus satellite's; `None` before the first ping.
    pub fn offset_us(&self) -> Option<i64> {
        let ceiling = self.ceilings.iter().min()?;
        Some(self.told.map_or(ceiling, |told| told.offset_us.min(ceiling)))
    }

    /// There and back, as the satellite measured it.
    pub fn rtt_us(&self) -> Option<u32> {
        self.told.map(|told| told.rtt_us)
    }

    /// A satellite's time on the daemon's clock. Before the first ping, and for what lies too far ahead, that is `now`'s side of it.
    pub fn to_daemon(&self, time: SatMicros, now: DaemonMicros) -> DaemonMicros {
        let Some(offset) = self.offset_us() else {
            return now;
        };
        let mapped = time.0.saturating_add_signed(offset);
        DaemonMicros(mapped.min(now.0.saturating_add(AHEAD_MAX_US)))
    }
}

fn difference(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(if a > b { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_pong_wins_and_bounds_the_error() {
        let mut clock = PongClock::default();
        // The daemon's clock is 1 s ahead; the way back takes longer than the way there.
        clock.pong(SatMicros(0), DaemonMicros(1_010_000), SatMicros(200_000));
        clock.pong(SatMicros(500_000), DaemonMicros(1_502_000), SatMicros(505_000));
        let estimate = clock.estimate().unwrap();
        assert_eq!(estimate.rtt_us, 5_000);
        assert!((estimate.offset_us - 1_000_000).abs() <= 2_500);
    }

    #[test]
    fn a_clock_that_claims_the_future_is_held_to_what_arrived() {
        let mut map = ClockMap::default();
        let now = DaemonMicros(1_000_000);
        assert_eq!(map.to_daemon(SatMicros(77), now), now);
        let lie = ClockEstimate { offset_us: i64::MAX, rtt_us: 0 };
        map.ping(SatMicros(400_000), Some(lie), now);
        assert_eq!(map.offset_us(), Some(600_000));
        assert_eq!(map.to_daemon(SatMicros(300_000), now), DaemonMicros(900_000));
        assert_eq!(map.to_daemon(SatMicros(u64::MAX), now), DaemonMicros(now.0 + AHEAD_MAX_US));
    }

    #[test]
    fn a_pong_from_the_future_counts_for_nothing() {
        let mut clock = PongClock::default();
        clock.pong(SatMicros(9), DaemonMicros(1), SatMicros(8));
        clock.pong(SatMicros(0), DaemonMicros(1), SatMicros(u64::MAX));
        assert_eq!(clock.estimate(), None);
    }
}
