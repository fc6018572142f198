//! Paces an answer: what was handed to the network is never more than [`AHEAD_US`] ahead of what can have been played.

use crate::message::DaemonMicros;

/// How far ahead of the loudspeaker an answer may run, in microseconds.
pub const AHEAD_US: u64 = 500_000;

/// How far one answer has come.
#[derive(Debug, Clone)]
pub struct Pacer {
    rate_hz: u32,
    /// When playback began at the earliest; moved on when the source is slower than the loudspeaker.
    base: Option<DaemonMicros>,
    samples: u64,
}

impl Pacer {
    /// An answer of that rate.
    pub fn new(rate_hz: u32) -> Self {
        Self { rate_hz: rate_hz.max(1), base: None, samples: 0 }
    }

    /// For how many microseconds the next `samples` must be held back; they count as sent from then on.
    pub fn hold(&mut self, samples: usize, now: DaemonMicros) -> u64 {
        let base = *self.base.get_or_insert(now);
        let played_us = now.0.saturating_sub(base.0);
        if self.sent_us() < played_us {
            self.base = Some(now);
            self.samples = 0;
        }
        let base = self.base.unwrap_or(now);
        self.samples = self.samples.saturating_add(samples as u64);
        let due = base.0.saturating_add(self.sent_us().saturating_sub(AHEAD_US));
        due.saturating_sub(now.0)
    }

    fn sent_us(&self) -> u64 {
        self.samples.saturating_mul(1_000_000) / u64::from(self.rate_hz)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_half_second_goes_at_once_then_at_the_rate_of_playback() {
        let mut pacer = Pacer::new(16_000);
        let mut now = DaemonMicros(5);
        for _ in 0..25 {
            assert_eq!(pacer.hold(320, now), 0);
        }
        for _ in 0..100 {
            let hold = pacer.hold(320, now);
            assert_eq!(hold, 20_000);
            now.0 += hold;
        }
        // A source that pauses for a minute earns no burst longer than the half second.
        now.0 += 60_000_000;
        let burst = (0..100).take_while(|_| pacer.hold(320, now) == 0).count();
        assert_eq!(burst, 25);
    }

    proptest! {
        #[test]
        fn never_further_ahead_than_allowed(steps in prop::collection::vec((0_usize..2048, 0_u64..400_000), 1..200)) {
            let mut pacer = Pacer::new(22_050);
            let mut now = DaemonMicros(0);
            let mut played_until = 0_u64;
            for (samples, pause) in steps {
                now.0 += pause;
                now.0 += pacer.hold(samples, now);
                // The loudspeaker plays without a pause what it has, from the moment it has it.
                played_until = played_until.max(now.0) + samples as u64 * 1_000_000 / 22_050;
                prop_assert!(played_until - now.0 <= AHEAD_US + 200);
            }
        }
    }
}
