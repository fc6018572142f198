//! The circuit breaker of a provider: after failures it is left alone for a while, then tried once.
//!
//! [`Breaker`] has no clock: the caller tells it what happened and when.

use serde::{Deserialize, Serialize};

use crate::ids::Millis;
use crate::mind::error::{Fault, Way};

/// Failures in a row after which a provider is left alone.
pub const FAILURES_MAX: u8 = 3;
/// How long it is left alone at first, in milliseconds; each time in a row twice as long.
pub const PAUSE_MS: u64 = 15_000;
/// Longest that it is left alone.
pub const PAUSE_MS_MAX: u64 = 300_000;
/// A trial that was begun and never ended counts as lost after so long.
pub const TRIAL_MS: u64 = 60_000;

/// Whether a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "circuit", rename_all = "snake_case")]
pub enum Breaker {
    /// It is.
    Closed {
        /// Failures in a row.
        failures: u8,
    },
    /// It is not, until then.
    Open {
        /// When one request may try again.
        until: Millis,
        /// How long it is left alone this time.
        pause_ms: u64,
    },
    /// One request tries.
    Trying {
        /// Since when.
        since: Millis,
        /// How long it was left alone last.
        pause_ms: u64,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// What a failure says of the provider.
enum Weight {
    /// Nothing: the request was at fault.
    None,
    /// It may pass.
    Some,
    /// The next request would fail as well.
    All,
    /// The provider itself says how long, in milliseconds.
    For(u64),
}

fn weight(fault: &Fault) -> Weight {
    match fault {
        Fault::BadRequest | Fault::ContextExceeded | Fault::TooMuch(_) | Fault::Budget(_) => Weight::None,
        Fault::RateLimited { retry_after_ms: Some(ms) } | Fault::Overloaded { retry_after_ms: Some(ms) } => {
            Weight::For(*ms)
        }
        Fault::RateLimited { retry_after_ms: None }
        | Fault::Overloaded { retry_after_ms: None }
        | Fault::Timeout(_)
        | Fault::BrokenStream
        | Fault::Garbage
        | Fault::Failed { .. } => Weight::Some,
        Fault::NoKey
        | Fault::WrongKey
        | Fault::Forbidden
        | Fault::NoSuchModel
        | Fault::SpendLimit
        | Fault::Unreachable(Way::Dns | Way::Connect | Way::Clock | Way::Tls) => Weight::All,
    }
}

impl Breaker {
    /// Whether a request may go there now.
    pub fn allows(&self, now: Millis) -> bool {
        match self {
            Self::Closed { .. } => true,
            Self::Open { until, .. } => now >= *until,
            Self::Trying { since, .. } => now.since(*since) >= TRIAL_MS,
        }
    }

    /// A request goes there. One that [`Self::allows`] forbade changes nothing.
    #[must_use]
    pub fn asked(self, now: Millis) -> Self {
        match self {
            Self::Open { pause_ms, .. } | Self::Trying { pause_ms, .. } if self.allows(now) => {
                Self::Trying { since: now, pause_ms }
            }
            other => other,
        }
    }

    /// It answered.
    #[must_use]
    pub fn answered(self) -> Self {
        Self::default()
    }

    /// It failed.
    #[must_use]
    pub fn failed(self, fault: &Fault, now: Millis) -> Self {
        let before = match self {
            Self::Closed { .. } => 0,
            Self::Open { pause_ms, .. } | Self::Trying { pause_ms, .. } => pause_ms,
        };
        let longer = if before == 0 { PAUSE_MS } else { before.saturating_mul(2) }.min(PAUSE_MS_MAX);
        let open = |pause_ms: u64| Self::Open { until: now.plus(pause_ms), pause_ms };
        match (self, weight(fault)) {
            // The request was at fault, and the provider was there to say so.
            (_, Weight::None) => Self::default(),
            // Requests that were under way when it was given up.
            (Self::Open { .. }, _) => self,
            (_, Weight::All) => open(longer),
            (_, Weight::For(ms)) => open(ms.clamp(1, PAUSE_MS_MAX)),
            (Self::Trying { .. }, Weight::Some) => open(longer),
            (Self::Closed { failures }, Weight::Some) if failures + 1 >= FAILURES_MAX => open(longer),
            (Self::Closed { failures }, Weight::Some) => Self::Closed { failures: failures + 1 },
        }
    }

    /// In words, for the doctor and the page.
    pub fn words(&self, now: Millis) -> String {
        match self {
            Self::Closed { failures: 0 } => "asked".to_owned(),
            Self::Closed { failures } => format!("asked, though it failed {failures} times of late"),
            Self::Open { until, .. } if now >= *until => "tried again at the next request".to_owned(),
            Self::Open { until, .. } => format!("left alone for {} s", until.since(now).div_ceil(1000)),
            Self::Trying { .. } => "being tried again".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mind::error::Waited;

    const SLOW: Fault = Fault::Timeout(Waited::FirstByte);

    #[test]
    fn it_opens_after_failures_and_closes_after_one_good_trial() {
        let at = Millis;
        let mut breaker = Breaker::default();
        for n in 1..FAILURES_MAX {
            breaker = breaker.failed(&SLOW, at(10));
            assert_eq!(breaker, Breaker::Closed { failures: n });
        }
        assert_eq!(breaker.answered(), Breaker::default(), "an answer forgives");
        breaker = breaker.failed(&SLOW, at(10));
        assert!(!breaker.allows(at(10 + PAUSE_MS - 1)) && breaker.allows(at(10 + PAUSE_MS)));
        let trying = breaker.asked(at(10 + PAUSE_MS));
        assert!(!trying.allows(at(11 + PAUSE_MS)), "one request tries, the others go elsewhere");
        assert!(trying.allows(at(10 + PAUSE_MS + TRIAL_MS)), "a trial that never ended is lost");
        let again = trying.failed(&SLOW, at(20_000));
        assert_eq!(again, Breaker::Open { until: at(20_000 + 2 * PAUSE_MS), pause_ms: 2 * PAUSE_MS });
        assert_eq!(trying.answered(), Breaker::default());
    }

    #[test]
    fn what_would_fail_again_opens_at_once_and_what_the_request_did_never() {
        for fault in [Fault::NoKey, Fault::WrongKey, Fault::SpendLimit, Fault::Unreachable(Way::Dns)] {
            assert!(!Breaker::default().failed(&fault, Millis(5)).allows(Millis(6)), "{fault}");
        }
        for fault in [Fault::BadRequest, Fault::ContextExceeded, Fault::TooMuch("x".to_owned())] {
            assert_eq!(Breaker::Closed { failures: 2 }.failed(&fault, Millis(5)), Breaker::default(), "{fault}");
        }
        let told = Fault::RateLimited { retry_after_ms: Some(7_000) };
        assert_eq!(
            Breaker::default().failed(&told, Millis(0)),
            Breaker::Open { until: Millis(7_000), pause_ms: 7_000 }
        );
    }

    fn fault() -> impl Strategy<Value = Fault> {
        prop_oneof![
            Just(SLOW),
            Just(Fault::WrongKey),
            Just(Fault::BadRequest),
            Just(Fault::BrokenStream),
            (0u64..10_000_000).prop_map(|ms| Fault::Overloaded { retry_after_ms: Some(ms) }),
        ]
    }

    proptest! {
        #[test]
        fn it_always_comes_back_and_never_lets_two_try(steps in prop::collection::vec((0u64..100_000, prop::option::of(fault()), any::<bool>()), 0..60)) {
            let mut now = Millis(0);
            let mut breaker = Breaker::default();
            for (pass, fails, asks) in steps {
                now = now.plus(pass);
                if asks && breaker.allows(now) {
                    breaker = breaker.asked(now);
                    if matches!(breaker, Breaker::Trying { .. }) {
                        prop_assert!(!breaker.allows(now));
                    }
                }
                breaker = match &fails {
                    Some(fault) => breaker.failed(fault, now),
                    None => breaker,
                };
                if let Breaker::Open { until, pause_ms } = breaker {
                    prop_assert!(pause_ms <= PAUSE_MS_MAX && until.since(now) <= PAUSE_MS_MAX);
                }
                prop_assert!(breaker.allows(now.plus(PAUSE_MS_MAX.max(TRIAL_MS))));
            }
        }
    }
}
