//! Whether the machine stood still: a thread that goes before others and looks how late it is woken.
//!
//! A sound server's buffers hold 20 ms here. When the machine itself stands still for longer (a host that gives its guests less than they
//! ask for), what is played and heard has holes, which nobody in it could have kept out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::process;

/// It looks this often.
const STEP: Duration = Duration::from_millis(2);
/// Later than this is a stall: less than any buffer holds that sound goes through is none.
const STALL: Duration = Duration::from_millis(18);

/// A stall: how late the thread was, and when it saw that.
type Stall = (Instant, Duration);

/// The running watch.
pub struct Watch {
    seen: Arc<Mutex<Vec<Stall>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What was seen in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stalls {
    /// How often.
    pub count: usize,
    /// The longest.
    pub worst: Duration,
}

impl std::fmt::Display for Stalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the machine stood still {} times, for up to {} ms", self.count, self.worst.as_millis())
    }
}

impl Watch {
    /// Starts it.
    pub fn start() -> std::io::Result<Self> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (out, ends) = (Arc::clone(&seen), Arc::clone(&over));
        let thread = std::thread::Builder::new().name("stalls".into()).spawn(move || watch(&out, &ends))?;
        Ok(Self { seen, over, thread: Some(thread) })
    }

    /// What was seen since; `None` where the machine went on.
    pub fn since(&self, begun: Instant) -> Option<Stalls> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        summed(&seen, begun)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            eprintln!("the watch over the machine's stalls panicked");
        }
    }
}

fn summed(seen: &[Stall], begun: Instant) -> Option<Stalls> {
    let late: Vec<Duration> = seen.iter().filter(|(at, _)| *at >= begun).map(|(_, late)| *late).collect();
    let worst = late.iter().max().copied()?;
    Some(Stalls { count: late.len(), worst })
}

fn watch(seen: &Mutex<Vec<Stall>>, over: &AtomicBool) {
    if let Err(error) = process::this_thread_sounds() {
        eprintln!("stalls are seen as any program sees them: {error:#}");
    }
    while !over.load(Ordering::Relaxed) {
        let asleep = Instant::now();
        std::thread::sleep(STEP);
        let late = asleep.elapsed().saturating_sub(STEP);
        if late > STALL {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), late));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_seen_since_counts() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let late = Duration::from_millis;
        let seen = [(at(0), late(90)), (at(10), late(20)), (at(20), late(40))];
        assert_eq!(summed(&seen, at(5)), Some(Stalls { count: 2, worst: late(40) }));
        assert_eq!(summed(&seen, at(21)), None);
        let told = Stalls { count: 2, worst: late(40) }.to_string();
        assert_eq!(told, "the machine stood still 2 times, for up to 40 ms");
    }

    #[test]
    fn a_watch_ends_with_its_owner() {
        let watch = Watch::start().unwrap();
        assert_eq!(watch.since(Instant::now() + Duration::from_secs(3600)), None);
        drop(watch);
    }
}
