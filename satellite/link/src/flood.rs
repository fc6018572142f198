//! A limit on how many messages a peer may send: a bucket of tokens, filled at a steady rate.

/// Control messages a satellite may send at once.
pub const CONTROL_BURST: u32 = 100;
/// Control messages a satellite may send each second in the long run; two pings and some playback news is the rule.
pub const CONTROL_PER_S: u32 = 50;

/// Tokens left, in millionths.
#[derive(Debug, Clone)]
pub struct Bucket {
    burst: u32,
    per_s: u32,
    micro_tokens: u64,
    filled_us: u64,
}

impl Bucket {
    /// A full bucket.
    pub fn new(burst: u32, per_s: u32, now_us: u64) -> Self {
        Self { burst, per_s, micro_tokens: u64::from(burst) * 1_000_000, filled_us: now_us }
    }

    /// Takes a token; false if there is none.
    pub fn take(&mut self, now_us: u64) -> bool {
        let passed = now_us.saturating_sub(self.filled_us);
        self.filled_us = self.filled_us.max(now_us);
        self.micro_tokens = self
            .micro_tokens
            .saturating_add(passed.saturating_mul(u64::from(self.per_s)))
            .min(u64::from(self.burst) * 1_000_000);
        match self.micro_tokens.checked_sub(1_000_000) {
            Some(rest) => {
                self.micro_tokens = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_steady_rate() {
        let mut bucket = Bucket::new(3, 10, 0);
        assert!((0..3).all(|_| bucket.take(0)));
        assert!(!bucket.take(0));
        assert!(bucket.take(100_000));
        assert!(!bucket.take(199_999));
        assert!(bucket.take(200_000));
        assert!((0..3).all(|_| bucket.take(u64::MAX)));
        assert!(!bucket.take(u64::MAX));
    }
}
