//! Answers kept for a few seconds, and one question under way at a time for each of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

/// Answers kept; where more are fresh, all are dropped.
const ENTRIES_MAX: usize = 512;
/// Answers by question. Whoever asks while the question is under way waits for the same answer; one who stops waiting stops nobody.
pub(super) struct Cache<K, V: Clone> {
    entries: Mutex<HashMap<K, Entry<V>>>,
    abandoned: Duration,
}

struct Entry<V: Clone> {
    begun: Instant,
    answer: Shared<BoxFuture<'static, V>>,
}

impl<V: Clone> Entry<V> {
    fn is_fresh(&self, now: Instant, abandoned: Duration, fresh_for: impl Fn(&V) -> Duration) -> bool {
        let limit = self.answer.peek().map_or(abandoned, fresh_for);
        now.saturating_duration_since(self.begun) < limit
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// An empty one. A question under way for longer than `abandoned` lost everybody who waited for it, and stands still.
    pub(super) fn new(abandoned: Duration) -> Self {
        Self { entries: Mutex::default(), abandoned }
    }

    /// Forgets every answer, and that any question is under way: what is asked from now on is asked anew.
    pub(super) fn forget(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The answer to `key`: the kept one while it is younger than `fresh_for` says, else what `ask` brings.
    pub(super) async fn get(
        &self,
        now: Instant,
        key: K,
        fresh_for: impl Fn(&V) -> Duration,
        ask: impl FnOnce() -> BoxFuture<'static, V>,
    ) -> V {
        let answer = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            match entries.get(&key).filter(|entry| entry.is_fresh(now, self.abandoned, &fresh_for)) {
                Some(entry) => entry.answer.clone(),
                None => {
                    entries.retain(|_, entry| entry.is_fresh(now, self.abandoned, &fresh_for));
                    if entries.len() >= ENTRIES_MAX {
                        entries.clear();
                    }
                    let answer = ask().shared();
                    let entry = Entry { begun: now, answer: answer.clone() };
                    entries.insert(key, entry);
                    answer
                }
            }
        };
        answer.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const ABANDONED: Duration = Duration::from_secs(3);
    const FRESH: Duration = Duration::from_secs(5);

    #[test]
    fn one_question_serves_all_until_it_is_stale() {
        let cache = Cache::new(ABANDONED);
        let asked = Arc::new(AtomicU32::new(0));
        let (answered, answer) = tokio::sync::watch::channel(false);
        let ask = || {
            let (asked, mut answer) = (Arc::clone(&asked), answer.clone());
            async move {
                answer.wait_for(|ready| *ready).await.unwrap();
                asked.fetch_add(1, Ordering::Relaxed) + 1
            }
            .boxed()
        };
        let now = Instant::now();
        let get = |now, key| cache.get(now, key, |_| FRESH, ask);
        let first = get(now, "k");
        assert!(get(now, "k").now_or_never().is_none(), "nothing came yet");
        answered.send(true).unwrap();
        assert_eq!(first.now_or_never(), Some(1));
        assert_eq!(get(now, "k").now_or_never(), Some(1));
        assert_eq!(get(now, "other").now_or_never(), Some(2));
        assert_eq!(get(now + FRESH, "k").now_or_never(), Some(3));
    }

    #[test]
    fn what_is_forgotten_is_asked_anew_even_while_the_old_question_is_under_way() {
        let cache: Cache<_, u32> = Cache::new(ABANDONED);
        let now = Instant::now();
        let never = || std::future::pending().boxed();
        assert_eq!(cache.get(now, "under way", |_| FRESH, never).now_or_never(), None);
        let old = || async { 1 }.boxed();
        assert_eq!(cache.get(now, "kept", |_| FRESH, old).now_or_never(), Some(1));
        cache.forget();
        for key in ["under way", "kept"] {
            let new = || async { 2 }.boxed();
            assert_eq!(cache.get(now, key, |_| FRESH, new).now_or_never(), Some(2), "{key}");
        }
    }

    #[test]
    fn a_question_nobody_waits_for_any_more_is_asked_again() {
        let cache: Cache<_, u32> = Cache::new(ABANDONED);
        let now = Instant::now();
        let never = || std::future::pending().boxed();
        let given_up = cache.get(now, "k", |_| FRESH, never).now_or_never();
        assert_eq!(given_up, None);
        let again = || async { 7 }.boxed();
        let answer = cache.get(now + ABANDONED, "k", |_| FRESH, again);
        assert_eq!(answer.now_or_never(), Some(7));
    }
}
