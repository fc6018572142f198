//! How often, and how many at once: one bucket for each program, one for all strangers together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Requests under way at once, of all programs.
const BUSY_MAX: usize = 16;
/// Requests without a good token that are looked at in a minute; a good token is never kept waiting by them.
const STRANGERS_PER_MINUTE: u32 = 30;
/// Programs whose bucket is kept; more than there can be tokens.
const BUCKETS_MAX: usize = 64;
/// A minute, in seconds.
const MINUTE_S: f64 = 60.0;

/// Fills steadily, holds a minute's worth.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(per_minute: u32, now: Instant) -> Self {
        Self { left: f64::from(per_minute), at: now }
    }

    /// Takes one; else says how long until there is one.
    fn take(&mut self, per_minute: u32, now: Instant) -> Result<(), Duration> {
        let rate = f64::from(per_minute) / MINUTE_S;
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        self.left = (self.left + gained).min(f64::from(per_minute));
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / rate))
    }
}

/// What is counted.
pub(super) struct Limits {
    per_minute: u32,
    programs: Mutex<HashMap<String, Bucket>>,
    strangers: Mutex<Bucket>,
    busy: Arc<Semaphore>,
    calls: AtomicU64,
    turned_away: AtomicU64,
}

impl Limits {
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            programs: Mutex::default(),
            strangers: Mutex::new(Bucket::full(STRANGERS_PER_MINUTE, Instant::now())),
            busy: Arc::new(Semaphore::new(BUSY_MAX)),
            calls: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
        }
    }

    /// One more request of a program; else how long it must wait.
    pub(super) fn take(&self, client: &str) -> Result<(), Duration> {
        let now = Instant::now();
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if programs.len() >= BUCKETS_MAX && !programs.contains_key(client) {
            let oldest = programs.iter().min_by_key(|(_, bucket)| bucket.at).map(|(name, _)| name.clone());
            oldest.and_then(|name| programs.remove(&name));
        }
        let bucket = programs.entry(client.to_owned()).or_insert_with(|| Bucket::full(self.per_minute, now));
        bucket.take(self.per_minute, now)
    }

    /// One more request of nobody known; else how long it must wait.
    pub(super) fn take_stranger(&self) -> Result<(), Duration> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.take(STRANGERS_PER_MINUTE, Instant::now())
    }

    /// A place among the requests under way; `None` where all are taken.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.busy.clone().try_acquire_owned().ok()
    }

    pub(super) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls, and requests that were turned away.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.turned_away.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_a_minute_and_fills_again() {
        let begun = Instant::now();
        let mut bucket = Bucket::full(60, begun);
        for _ in 0..60 {
            bucket.take(60, begun).unwrap();
        }
        let wait = bucket.take(60, begun).unwrap_err();
        assert_eq!(wait.as_millis(), 1000);
        bucket.take(60, begun + wait).unwrap();
        bucket.take(60, begun + wait).unwrap_err();
        let much_later = begun + Duration::from_secs(3600);
        assert_eq!(
            (0..100).filter(|_| bucket.take(60, much_later).is_ok()).count(),
            60,
            "no more than a minute's worth"
        );
    }

    #[test]
    fn one_program_never_takes_anothers_calls() {
        let limits = Limits::new(2);
        assert!(limits.take("a").is_ok() && limits.take("a").is_ok() && limits.take("a").is_err());
        assert!(limits.take("b").is_ok());
        for n in 0..BUCKETS_MAX * 2 {
            assert!(limits.take(&format!("c{n}")).is_ok());
        }
        assert!(limits.programs.lock().unwrap().len() <= BUCKETS_MAX);
    }
}
