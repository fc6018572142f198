//! The local socket: what a button, a GPIO daemon or a script may do in the room, a line each, answered by `ok` or `error: ...`.
//!
//! `ptt down`, `ptt up`, `stop`, `volume 0..100`, `mute on|off`. Who held push-to-talk and hangs up has let go of it.

use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::session::Button;
use crate::session::drive::Call;

/// Most connections at once; more are refused.
const CONNECTIONS_MAX: usize = 8;
/// Longest line, in bytes.
const LINE_BYTES_MAX: u64 = 64;
/// Pause after a failed accept (too many open files), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Owner and group may use it.
const MODE: u32 = 0o660;

/// A socket that is listened on; the file goes with it.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Opens the socket; one that a dead satellite left behind is replaced, and nothing else is.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(found) if !found.file_type().is_socket() => {
                return Err(Error::new(ErrorKind::AlreadyExists, "something else is there: name another place"));
            }
            Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
                // Nobody listens any more. Whoever may not be asked may well live.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
                Err(error) => return Err(error),
                Ok(_) => return Err(Error::new(ErrorKind::AddrInUse, "another satellite has it: stop that one")),
            },
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves until the session is gone.
    pub async fn serve(self, calls: mpsc::Sender<Call>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                        connections.spawn(converse(stream, calls.clone()));
                    }
                    Ok(_) => tracing::warn!(CONNECTIONS_MAX, "a connection to the control socket was refused: too many"),
                    Err(error) => {
                        tracing::warn!(%error, "the control socket accepts nothing");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a control connection broke");
                    }
                }
                () = calls.closed() => return,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket's file was gone");
        }
    }
}

async fn converse(stream: UnixStream, calls: mpsc::Sender<Call>) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut held = false;
    let mut line = String::new();
    loop {
        line.clear();
        match (&mut read).take(LINE_BYTES_MAX).read_line(&mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let whole = line.ends_with('\n');
        let answer = match parse(line.trim()) {
            Ok(button) if whole => match calls.try_send(Call::Button(button)) {
                Ok(()) => {
                    held = button == Button::Press || (held && button != Button::Release);
                    "ok\n".to_owned()
                }
                Err(_) => "error: the satellite is too busy, try again\n".to_owned(),
            },
            Ok(_) => "error: a line is too long, or did not end\n".to_owned(),
            Err(reason) => format!("error: {reason}\n"),
        };
        if write.write_all(answer.as_bytes()).await.is_err() || !whole {
            break;
        }
    }
    if held && calls.send(Call::Button(Button::Release)).await.is_err() {
        tracing::debug!("the session ended before push-to-talk was let go");
    }
}

fn parse(line: &str) -> Result<Button, String> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("ptt"), Some("down"), None) => Ok(Button::Press),
        (Some("ptt"), Some("up"), None) => Ok(Button::Release),
        (Some("stop"), None, None) => Ok(Button::Stop),
        (Some("mute"), Some("on"), None) => Ok(Button::Mute(true)),
        (Some("mute"), Some("off"), None) => Ok(Button::Mute(false)),
        (Some("volume"), Some(percent), None) => match percent.parse() {
            Ok(percent @ 0..=100) => Ok(Button::Volume(percent)),
            _ => Err("volume goes from 0 to 100".to_owned()),
        },
        _ => Err("say one of: ptt down, ptt up, stop, volume N, mute on, mute off".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_or_answered_with_a_remedy() {
        assert_eq!(parse("ptt down"), Ok(Button::Press));
        assert_eq!(parse("  volume   40 "), Ok(Button::Volume(40)));
        assert_eq!(parse("mute off"), Ok(Button::Mute(false)));
        for bad in ["", "volume", "volume 101", "volume -1", "volume x", "mute", "ptt down up", "PTT DOWN", "stop now"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse("volume 300").unwrap_err().contains("100"));
    }

    #[tokio::test]
    async fn a_button_that_vanishes_is_released_and_garbage_ends_the_connection() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        // Left behind by a satellite that was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (calls, mut out) = mpsc::channel(8);
        let control = Control::open(&path).unwrap();
        let serving = tokio::spawn(control.serve(calls));
        let mut button = UnixStream::connect(&path).await.unwrap();
        button.write_all(b"ptt down\n").await.unwrap();
        assert_eq!(out.recv().await, Some(Call::Button(Button::Press)));
        drop(button);
        assert_eq!(out.recv().await, Some(Call::Button(Button::Release)));
        let mut garbage = UnixStream::connect(&path).await.unwrap();
        garbage.write_all(&[b'x'; 4096]).await.unwrap();
        let mut answer = Vec::new();
        // The end closes with bytes unread, which may come as a reset after the answer.
        let _closed = garbage.read_to_end(&mut answer).await;
        drop(out);
        serving.await.unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn neither_a_file_nor_a_living_satellites_socket_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let letter = dir.path().join("letter");
        std::fs::write(&letter, "Dear aunt,").unwrap();
        let refused = Control::open(&letter).unwrap_err();
        assert!(refused.to_string().contains("name another place"), "{refused}");
        assert_eq!(std::fs::read_to_string(&letter).unwrap(), "Dear aunt,");
        let path = dir.path().join("control.sock");
        let _living = Control::open(&path).unwrap();
        let refused = Control::open(&path).unwrap_err();
        assert!(refused.to_string().contains("stop that one"), "{refused}");
        assert!(path.exists());
        // Alive, and no satellite's.
        let journal = dir.path().join("journal");
        let _others = std::os::unix::net::UnixDatagram::bind(&journal).unwrap();
        Control::open(&journal).unwrap_err();
        assert!(journal.exists());
    }
}
