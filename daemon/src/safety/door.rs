//! The door of the kill switch: a thread with a socket of its own that does nothing but stop, and the way for whoever finds nobody
//! behind it.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::KillSwitch;

/// Longest line the door reads.
const LINE_BYTES_MAX: usize = 512;
/// What [`stop_from_outside`] says where the daemon itself answered.
pub const DAEMON_STOPPED: &str = "the daemon stopped";
/// Who is said to have stopped where a client of the door names nobody.
const DOOR_NAME: &str = "jarvisctl";
/// A client of the door that says nothing for so long is left.
const DOOR_PATIENCE: Duration = Duration::from_millis(500);
/// Pause after a client that could not be accepted or told (too many open files), so that it does not spin. Who came has stopped.
const TROUBLE_PAUSE: Duration = Duration::from_millis(50);
/// Mode of the door's socket: the daemon's user and group.
const DOOR_MODE: u32 = 0o660;

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
                    Err(error) => {
                        tracing::warn!("the stop door: {error}");
                        std::thread::sleep(TROUBLE_PAUSE);
                    }
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
    switch.stop(DOOR_NAME)?;
    stream.set_read_timeout(Some(DOOR_PATIENCE))?;
    stream.set_write_timeout(Some(DOOR_PATIENCE))?;
    let mut line = [0; LINE_BYTES_MAX];
    let read = stream.read(&mut line).unwrap_or(0);
    let text = String::from_utf8_lossy(line.get(..read).unwrap_or_default()).trim().to_owned();
    let by = if text.is_empty() { DOOR_NAME.to_owned() } else { text };
    if by != DOOR_NAME {
        switch.stop(&by)?;
    }
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
        Ok(()) => Ok(DAEMON_STOPPED),
        Err(_) => KillSwitch::at(state_dir).stop(by).map(|()| "no daemon answered; it will find itself stopped"),
    }
}

#[cfg(test)]
mod tests {
    use jarvis_core::gate::Power;

    use super::*;
    use crate::safety::SwitchState;

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
        switch.resume(&switch.look()).unwrap();
        fs::remove_file(KillSwitch::door(dir.path())).unwrap_or(());
        assert!(stop_from_outside(dir.path(), "root").unwrap().starts_with("no daemon"));
        assert_eq!(switch.power(), Power::Stopped);
    }
}
