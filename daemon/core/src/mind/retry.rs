//! Whether and when a failed request is sent again: a state machine without a clock or dice of its own.
//!
//! A hearer waits in the meantime, so the whole patience is short: where the provider wants more, another provider answers.

use super::error::{Again, ProviderError};

/// How patient a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Requests in all, the first included.
    pub attempts: u32,
    /// Most that is waited before the second request, in milliseconds; doubled for each further one.
    pub base_ms: u64,
    /// Most that is waited before any request.
    pub cap_ms: u64,
    /// Most that is waited in all.
    pub patience_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { attempts: 4, base_ms: 500, cap_ms: 8_000, patience_ms: 20_000 }
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait so many milliseconds, then send the same request again.
    Wait(u64),
    /// Give up, and why.
    GiveUp(GiveUp),
}

/// Why a request is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// It would fail, or cost, again.
    Useless,
    /// Part of the answer was already heard.
    Begun,
    /// It was tried often enough.
    Attempts,
    /// It would take longer than anybody should wait.
    Patience,
}

/// The attempts at one answer.
#[derive(Debug, Clone)]
pub struct Retry {
    policy: Policy,
    failed: u32,
    waited_ms: u64,
    begun: bool,
}

impl Retry {
    /// Before the first.
    pub fn new(policy: Policy) -> Self {
        Self { policy, failed: 0, waited_ms: 0, begun: false }
    }

    /// A part of the answer arrived: from now on nothing is sent again, as it might be said twice.
    pub fn begun(&mut self) {
        self.begun = true;
    }

    /// After a failure; `random` is a number of any size, each equally likely.
    pub fn failed(&mut self, error: &ProviderError, random: u64) -> Verdict {
        let again = error.again();
        self.failed = self.failed.saturating_add(1);
        if again == Again::Never {
            return Verdict::GiveUp(GiveUp::Useless);
        }
        if self.begun {
            return Verdict::GiveUp(GiveUp::Begun);
        }
        if self.failed >= self.policy.attempts {
            return Verdict::GiveUp(GiveUp::Attempts);
        }
        // Full jitter: anything from nothing to the limit, so that those who failed together do not come back together.
        let doubled = self.policy.base_ms.saturating_mul(1u64.checked_shl(self.failed - 1).unwrap_or(u64::MAX));
        let jitter = random % doubled.min(self.policy.cap_ms).saturating_add(1);
        let wait = match again {
            // The time asked for, and up to an eighth more for the same reason.
            Again::NotBefore(ms) => ms.saturating_add(jitter.min(ms / 8)),
            Again::Backoff | Again::Never => jitter,
        };
        let total = self.waited_ms.saturating_add(wait);
        if total > self.policy.patience_ms {
            return Verdict::GiveUp(GiveUp::Patience);
        }
        self.waited_ms = total;
        Verdict::Wait(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::error::Fault;
    use super::*;

    fn error(fault: Fault) -> ProviderError {
        ProviderError::new("x", fault, "")
    }

    #[test]
    fn the_providers_own_time_is_kept() {
        let mut retry = Retry::new(Policy::default());
        let limited = error(Fault::RateLimited { retry_after_ms: Some(3_000) });
        assert_eq!(retry.failed(&limited, 0), Verdict::Wait(3_000));
        let Verdict::Wait(ms) = retry.failed(&limited, u64::MAX - 1) else { panic!("a second try was due") };
        assert!((3_000..=3_375).contains(&ms), "{ms}");
        let late = error(Fault::RateLimited { retry_after_ms: Some(60_000) });
        assert_eq!(retry.failed(&late, 0), Verdict::GiveUp(GiveUp::Patience));
    }

    #[test]
    fn nothing_is_said_twice_and_no_money_spent_in_vain() {
        let mut retry = Retry::new(Policy::default());
        assert_eq!(retry.failed(&error(Fault::SpendLimit), 5), Verdict::GiveUp(GiveUp::Useless));
        let mut retry = Retry::new(Policy::default());
        retry.begun();
        assert_eq!(retry.failed(&error(Fault::Overloaded { retry_after_ms: None }), 5), Verdict::GiveUp(GiveUp::Begun));
    }

    #[test]
    fn attempts_end() {
        let mut retry = Retry::new(Policy::default());
        let overloaded = error(Fault::Overloaded { retry_after_ms: None });
        let waits: Vec<_> = (0..5).map(|_| retry.failed(&overloaded, 0)).collect();
        assert_eq!(waits[..3], [Verdict::Wait(0); 3]);
        assert_eq!(waits[3..], [Verdict::GiveUp(GiveUp::Attempts); 2]);
    }

    proptest! {
        #[test]
        fn waiting_is_bounded_whatever_the_dice_and_the_provider_say(
            attempts in 0u32..100, base_ms: u64, cap_ms: u64, patience_ms: u64,
            failures in prop::collection::vec((any::<Option<u64>>(), any::<u64>()), 1..50),
        ) {
            let mut retry = Retry::new(Policy { attempts, base_ms, cap_ms, patience_ms });
            let (mut total, mut tries) = (0u64, 1u32);
            for (retry_after_ms, random) in failures {
                match retry.failed(&error(Fault::Overloaded { retry_after_ms }), random) {
                    Verdict::Wait(ms) => {
                        total = total.checked_add(ms).unwrap();
                        tries += 1;
                        prop_assert!(ms >= retry_after_ms.unwrap_or(0));
                    }
                    Verdict::GiveUp(_) => break,
                }
            }
            prop_assert!(total <= patience_ms);
            prop_assert!(tries <= attempts.max(1));
        }
    }
}
