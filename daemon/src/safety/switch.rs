//! The kill switch: a file that says `on`, and everything else reads as stopped.
//!
//! It is a path of its own: the state is read anew before each effect, a thread with a socket of its own sets it while everything
//! else may hang, and `jarvisctl stop` writes the file itself where no daemon answers. It survives a reboot, and a damaged, missing or
//! unreadable file stops.
//!
//! Whoever writes holds a lock between processes, and a stop looks at what it wrote. A resumption names the stop that it ends, so that
//! one which was begun before another stop ends nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jarvis_core::gate::Power;
use serde::{Deserialize, Serialize};

use crate::event::UnixMillis;

/// What the file holds while changes may run.
const ON: &[u8] = b"on\n";
/// Longest file that is looked at.
const FILE_BYTES_MAX: u64 = 1024;
/// Longest "who" and "why" that are kept, in characters.
const WORDS_MAX: usize = 200;
/// Nobody holds the lock for longer than a write takes. A stop goes on without it then.
const LOCK_PATIENCE: Duration = Duration::from_millis(40);
/// How often the lock is tried again.
const LOCK_EVERY: Duration = Duration::from_millis(1);
/// A stop that finds something else than what it wrote writes again, so often.
const STOPS_MAX: usize = 4;
/// What the files end with that are about to become the switch's.
const BESIDE: &str = "power.new.";

/// Counts the writes of this process, so that no two of them share a file.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// What the switch says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "power", rename_all = "snake_case")]
pub enum SwitchState {
    /// Changes may run.
    On,
    /// Somebody set it.
    Stopped {
        /// Who: `voice in study`, `page`, `jarvisctl`, `systemd`.
        by: String,
        /// When, in milliseconds since 1970-01-01 UTC.
        at_ms: i64,
    },
    /// Its file is missing, damaged or cannot be read, which stops as well.
    Damaged {
        /// What is wrong.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Note {
    by: String,
    at_ms: i64,
    /// Tells this stop from every other.
    #[serde(default)]
    stop: String,
}

/// What the file held when it was looked at: what a resumption ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen(Option<Vec<u8>>);

/// The switch. Cheap to clone; every look reads the file.
#[derive(Debug, Clone)]
pub struct KillSwitch {
    file: PathBuf,
}

impl KillSwitch {
    /// The switch in `state_dir`. `first` says that Jarvis never ran here before: only then is a missing file made, as 'on'.
    ///
    /// # Errors
    /// Where the file cannot be made at the first start.
    pub fn open(state_dir: &Path, first: bool) -> io::Result<Self> {
        let switch = Self::at(state_dir);
        switch.sweep(state_dir);
        if first && !switch.file.exists() {
            switch.write(ON)?;
        }
        Ok(switch)
    }

    /// The switch in `state_dir` as it is, without making anything.
    pub fn at(state_dir: &Path) -> Self {
        Self { file: state_dir.join("power") }
    }

    /// Whether changes may run now.
    pub fn power(&self) -> Power {
        match self.state() {
            SwitchState::On => Power::On,
            SwitchState::Stopped { .. } | SwitchState::Damaged { .. } => Power::Stopped,
        }
    }

    /// What the file says now.
    pub fn state(&self) -> SwitchState {
        let damaged = |why: String| SwitchState::Damaged { why };
        let bytes = match self.read() {
            Ok(bytes) => bytes,
            Err(error) => return damaged(format!("{}: {error}", self.file.display())),
        };
        if bytes == ON {
            return SwitchState::On;
        }
        match serde_json::from_slice::<Note>(&bytes) {
            Ok(Note { by, at_ms, .. }) => SwitchState::Stopped { by, at_ms },
            Err(_) => damaged(format!("{} holds neither `on` nor who stopped it", self.file.display())),
        }
    }

    /// Stops. Where the file cannot be written (a full disk) it is taken away, which stops as well.
    ///
    /// # Errors
    /// Where neither works: nothing can be promised then.
    pub fn stop(&self, by: &str) -> io::Result<()> {
        let by = by.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
        let note = Note { by, at_ms: UnixMillis::now().0, stop: unique() };
        let note = serde_json::to_vec(&note).unwrap_or_default();
        // Whoever holds the lock and hangs must not keep it from stopping.
        let _alone = self.lock().ok();
        let mut written = Ok(());
        for _ in 0..STOPS_MAX {
            written = self.write(&note);
            // Another's stop is one as well.
            if written.is_ok() && self.power() == Power::Stopped {
                return Ok(());
            }
        }
        match fs::remove_file(&self.file) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => written.and(Err(error)),
        }
    }

    /// What a resumption that begins now would end.
    pub fn look(&self) -> Seen {
        Seen(self.read().ok())
    }

    /// Lets changes run again, where nobody stopped them since `seen`.
    ///
    /// # Errors
    /// Where somebody did, or the file cannot be written; it stays stopped then.
    pub fn resume(&self, seen: &Seen) -> io::Result<()> {
        let _alone = self.lock()?;
        if self.look() != *seen {
            return Err(io::Error::other("it was stopped again meanwhile; look at it, and resume once more"));
        }
        self.write(ON)
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&self.file)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The whole file or nothing of it, on the disk before it returns.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let dir = self.file.parent().unwrap_or(Path::new("/"));
        let beside = dir.join(format!("{BESIDE}{}", unique()));
        let moved = || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &self.file)
        };
        if let Err(error) = moved() {
            // It may not be there at all; the next start clears away what is.
            fs::remove_file(&beside).ok();
            return Err(error);
        }
        File::open(dir)?.sync_all()
    }

    /// The lock between all that write: threads and processes.
    fn lock(&self) -> io::Result<File> {
        let path = self.file.with_extension("lock");
        // Whoever made it, daemon or root, the other may read it, and that is enough to lock it.
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                OpenOptions::new().write(true).create(true).truncate(false).open(&path)?
            }
            opened => opened?,
        };
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_EVERY),
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "somebody else is setting the switch"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// What a process that was killed while it wrote has left.
    fn sweep(&self, state_dir: &Path) {
        let left = fs::read_dir(state_dir).into_iter().flatten().flatten();
        for entry in left.filter(|entry| entry.file_name().to_string_lossy().starts_with(BESIDE)) {
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::debug!("{}: {error}", entry.path().display());
            }
        }
    }

    /// Where [`super::Door`] listens.
    pub fn door(state_dir: &Path) -> PathBuf {
        state_dir.join("stop.sock")
    }
}

/// A name that no other write has, of this process or another.
fn unique() -> String {
    let nth = WRITES.fetch_add(1, Ordering::Relaxed);
    format!("{}-{nth}-{}", std::process::id(), UnixMillis::now().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_on_is_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let switch = KillSwitch::open(dir.path(), true).unwrap();
        assert_eq!((switch.power(), switch.state()), (Power::On, SwitchState::On));
        let file = dir.path().join("power");
        for damage in ["", "on", "ON\n", "on\n\n", "off\n", "{}", "\0\0\0", "on\nstopped", &"x".repeat(5000)] {
            fs::write(&file, damage).unwrap();
            assert_eq!(switch.power(), Power::Stopped, "{damage:?}");
            assert!(matches!(switch.state(), SwitchState::Damaged { .. }), "{damage:?}");
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(switch.power(), Power::Stopped, "missing");
        assert_eq!(
            KillSwitch::open(dir.path(), false).unwrap().power(),
            Power::Stopped,
            "still missing at the next start"
        );
        fs::create_dir(&file).unwrap();
        assert_eq!(switch.power(), Power::Stopped, "a folder");
    }

    #[test]
    fn it_is_stopped_and_resumed_and_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let switch = KillSwitch::open(dir.path(), true).unwrap();
        switch.stop("voice in study\n").unwrap();
        let again = KillSwitch::open(dir.path(), true).unwrap();
        assert!(matches!(again.state(), SwitchState::Stopped { by, .. } if by == "voice in study"));
        again.resume(&again.look()).unwrap();
        assert_eq!(switch.power(), Power::On);
    }

    #[test]
    fn a_stop_wins_over_a_resumption_that_was_begun_before_it() {
        let dir = tempfile::tempdir().unwrap();
        KillSwitch::open(dir.path(), true).unwrap();
        for round in 0..200 {
            // Handles of their own, as two processes have them.
            let (resumer, stopper) = (KillSwitch::at(dir.path()), KillSwitch::at(dir.path()));
            stopper.stop("before").unwrap();
            let seen = resumer.look();
            let begin = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    begin.wait();
                    // Refused or overtaken: either is right.
                    resumer.resume(&seen).ok();
                });
                scope.spawn(|| {
                    begin.wait();
                    stopper.stop("after").unwrap();
                });
            });
            assert!(
                matches!(stopper.state(), SwitchState::Stopped { by, .. } if by == "after"),
                "round {round}: {:?}",
                stopper.state()
            );
        }
        let left = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with(BESIDE)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn many_who_stop_at_once_all_stop_and_a_late_resumption_ends_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let switch = KillSwitch::open(dir.path(), true).unwrap();
        let seen = switch.look();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let switch = KillSwitch::at(dir.path());
                scope.spawn(move || (0..20).for_each(|_| switch.stop(&format!("stopper {n}")).unwrap()));
            }
        });
        assert!(matches!(switch.state(), SwitchState::Stopped { .. }), "{:?}", switch.state());
        let late = switch.resume(&seen).unwrap_err().to_string();
        assert!(late.contains("stopped again"), "{late}");
        assert_eq!(switch.power(), Power::Stopped);
    }

    #[test]
    fn whoever_holds_the_lock_and_hangs_keeps_nobody_from_stopping() {
        let dir = tempfile::tempdir().unwrap();
        let switch = KillSwitch::open(dir.path(), true).unwrap();
        let held = switch.lock().unwrap();
        KillSwitch::at(dir.path()).stop("anyhow").unwrap();
        assert_eq!(switch.power(), Power::Stopped);
        let refused = KillSwitch::at(dir.path()).resume(&switch.look()).unwrap_err();
        assert_eq!((refused.kind(), switch.power()), (io::ErrorKind::TimedOut, Power::Stopped));
        drop(held);
    }
}
