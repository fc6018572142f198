//! The kill switch: a file that says `on`, and everything else reads as stopped.
//!
//! It is a path of its own: the state is read anew before each effect, a thread with a socket of its own sets it while everything
//! else may hang, and `jarvisctl stop` writes the file itself where no daemon answers. It survives a reboot, and a damaged, missing or
//! unreadable file stops.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jarvis_core::gate::Power;
use serde::{Deserialize, Serialize};

use crate::event::UnixMillis;

/// What the file holds while changes may run.
const ON: &[u8] = b"on\n";
/// Longest file that is looked at.
const FILE_BYTES_MAX: u64 = 1024;
/// Longest "who" and "why" that are kept, in characters.
const WORDS_MAX: usize = 200;
/// Longest line the door reads.
const LINE_BYTES_MAX: usize = 512;
/// A client of the door that says nothing for so long is left.
const DOOR_PATIENCE: Duration = Duration::from_millis(500);
/// Mode of the door's socket: the daemon's user and group.
const DOOR_MODE: u32 = 0o660;

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
}

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
        let mut bytes = Vec::new();
        let read = File::open(&self.file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
        if let Err(error) = read {
            return damaged(format!("{}: {error}", self.file.display()));
        }
        if bytes == ON {
            return SwitchState::On;
        }
        match serde_json::from_slice::<Note>(&bytes) {
            Ok(Note { by, at_ms }) => SwitchState::Stopped { by, at_ms },
            Err(_) => damaged(format!("{} holds neither `on` nor who stopped it", self.file.display())),
        }
    }

    /// Stops. Where the file cannot be written (a full disk) it is taken away, which stops as well.
    ///
    /// # Errors
    /// Where neither works: nothing can be promised then.
    pub fn stop(&self, by: &str) -> io::Result<()> {
        let by = by.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
        let note = serde_json::to_vec(&Note { by, at_ms: UnixMillis::now().0 }).unwrap_or_default();
        self.write(&note).or_else(|written| match fs::remove_file(&self.file) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(_) => Err(written),
        })
    }

    /// Lets changes run again.
    ///
    /// # Errors
    /// Where the file cannot be written; it stays stopped then.
    pub fn resume(&self) -> io::Result<()> {
        self.write(ON)
    }

    /// The whole file or nothing of it, on the disk before it returns.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let beside = self.file.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &self.file)?;
        let dir = self.file.parent().unwrap_or(Path::new("/"));
        File::open(dir)?.sync_all()
    }

    /// Where [`Door`] listens.
    pub fn door(state_dir: &Path) -> PathBuf {
        state_dir.join("stop.sock")
    }
}

/// A thread that does nothing but stop, so that it works while everything else hangs.
#[derive(Debug)]
pub struct Door {
    path: PathBuf,
}

impl Door {
    /// Listens at [`KillSwitch::door`]; `told` hears of each stop, after it holds. `group` may use it beside the daemon's user.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub fn open(
        state_dir: &Path,
        switch: KillSwitch,
        group: Option<u32>,
        told: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let path = KillSwitch::door(state_dir);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(&path)?;
        if group.is_some() {
            std::os::unix::fs::chown(&path, None, group)?;
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(DOOR_MODE))?;
        std::thread::Builder::new().name("stop".into()).spawn(move || {
            for stream in listener.incoming() {
                match stream.and_then(|stream| serve(stream, &switch)) {
                    Ok(by) => told(&by),
                    Err(error) => tracing::warn!("the stop door: {error}"),
                }
            }
        })?;
        Ok(Self { path })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // The thread ends with the process; what is left of the socket would only look alive.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("{}: {error}", self.path.display());
        }
    }
}

/// One client: whatever it says, even nothing, stops. Its first line is who it is.
fn serve(mut stream: UnixStream, switch: &KillSwitch) -> io::Result<String> {
    // Stopped first, read afterwards: a client that hangs must not delay it.
    switch.stop("jarvisctl")?;
    stream.set_read_timeout(Some(DOOR_PATIENCE))?;
    stream.set_write_timeout(Some(DOOR_PATIENCE))?;
    let mut line = [0; LINE_BYTES_MAX];
    let read = stream.read(&mut line).unwrap_or(0);
    let text = String::from_utf8_lossy(line.get(..read).unwrap_or_default()).trim().to_owned();
    let by = if text.is_empty() { "jarvisctl".to_owned() } else { text };
    switch.stop(&by)?;
    stream.write_all(b"stopped\n")?;
    Ok(by)
}

/// Stops through the door, else by writing the file; says which way it went.
///
/// # Errors
/// Where neither works.
pub fn stop_from_outside(state_dir: &Path, by: &str) -> io::Result<&'static str> {
    let through_door = || -> io::Result<()> {
        let mut stream = UnixStream::connect(KillSwitch::door(state_dir))?;
        stream.set_read_timeout(Some(DOOR_PATIENCE * 4))?;
        stream.write_all(format!("{by}\n").as_bytes())?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer)?;
        Ok(())
    };
    match through_door() {
        Ok(()) => Ok("the daemon stopped"),
        Err(_) => KillSwitch::at(state_dir).stop(by).map(|()| "no daemon answered; it will find itself stopped"),
    }
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
        again.resume().unwrap();
        assert_eq!(switch.power(), Power::On);
    }

    #[test]
    fn the_door_stops_whoever_comes_and_outside_works_without_it() {
        let dir = tempfile::tempdir().unwrap();
        let switch = KillSwitch::open(dir.path(), true).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let door = Door::open(dir.path(), switch.clone(), None, move |by| tell.send(by.to_owned()).unwrap()).unwrap();
        assert_eq!(stop_from_outside(dir.path(), "jarvisctl by root").unwrap(), "the daemon stopped");
        assert_eq!(told.recv().unwrap(), "jarvisctl by root");
        assert!(matches!(switch.state(), SwitchState::Stopped { by, .. } if by == "jarvisctl by root"));
        drop(door);
        switch.resume().unwrap();
        fs::remove_file(KillSwitch::door(dir.path())).unwrap_or(());
        assert!(stop_from_outside(dir.path(), "root").unwrap().starts_with("no daemon"));
        assert_eq!(switch.power(), Power::Stopped);
    }
}
