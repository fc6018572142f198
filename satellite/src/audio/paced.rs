//! A thread that does in real time what a sound card would: the heart of the backends without hardware.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Stream;

/// One period, as the hardware backends have it.
pub const PERIOD: Duration = Duration::from_millis(20);
/// A machine that slept longer than this does not catch up.
const CATCH_UP: Duration = Duration::from_millis(500);

/// Runs `period` every 20 ms, handing it the moment the period began, until it returns false or this is dropped.
pub struct Paced {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stream for Paced {}

impl Paced {
    /// Starts the thread.
    pub fn start(name: &str, mut period: impl FnMut(Instant) -> bool + Send + 'static) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut due = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                if !period(due) {
                    return;
                }
                due += PERIOD;
                let now = Instant::now();
                if now > due + CATCH_UP {
                    due = now;
                }
                std::thread::sleep(due.saturating_duration_since(now));
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a paced sound thread panicked");
        }
    }
}

/// A hiss at the last bit: what a quiet room has, and digital zero has not (recognisers invent words in zeros).
#[derive(Debug, Clone)]
pub struct Hiss(u32);

impl Default for Hiss {
    fn default() -> Self {
        Self(0x9E37_79B9)
    }
}

impl Iterator for Hiss {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        Some((self.0 >> 30) as i16 - 2)
    }
}
