//! The daemon's end of the control socket.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::admission::{Admission, Peer};
use super::protocol::{Answer, MAX_LINE_BYTES, Request, Trouble};
use crate::event::{Listener, Told};
use crate::mcp;
use crate::status::House;

mod answers;
mod costs;
mod memory;
mod servers;

/// Clients at once; the next one is told to try again.
const MAX_CLIENTS: usize = 16;
/// A client that asks nothing for so long is hung up on.
const IDLE: Duration = Duration::from_secs(300);
/// A client that does not take its answer for so long is hung up on.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Mode of the socket's file: the daemon's user and the group.
const SOCKET_MODE: u32 = 0o660;
/// Pause after a failed accept (too many open files), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// Another daemon listens there.
    #[error("another jarvisd answers at {0}: stop it first")]
    Taken(PathBuf),
    /// A file is in the way that is no socket.
    #[error("{0} is no socket: move it away")]
    InTheWay(PathBuf),
    /// It can't be made.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The socket, open but not served yet.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    admission: Admission,
}

impl Server {
    /// Opens the socket at `path`; one that a dead daemon left is replaced.
    pub async fn bind(path: &Path, admission: Admission) -> Result<Self, CtlError> {
        let fail = |doing| move |source| CtlError::File { doing, path: path.to_owned(), source };
        match std::fs::symlink_metadata(path) {
            Ok(meta) if !meta.file_type().is_socket() => return Err(CtlError::InTheWay(path.to_owned())),
            Ok(_) if UnixStream::connect(path).await.is_ok() => return Err(CtlError::Taken(path.to_owned())),
            Ok(_) => std::fs::remove_file(path).map_err(fail("remove the stale socket"))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(fail("look at")(e)),
        }
        let listener = UnixListener::bind(path).map_err(fail("listen at"))?;
        if let Some(group) = admission.group() {
            std::os::unix::fs::chown(path, None, Some(group)).map_err(fail("give to the group"))?;
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE)).map_err(fail("protect"))?;
        Ok(Self { listener, path: path.to_owned(), admission })
    }

    /// Serves until it is dropped; clients are hung up on then, and the socket's file goes.
    pub async fn run(self, house: House) {
        let places = Arc::new(Semaphore::new(MAX_CLIENTS));
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.welcome(stream, &places, &house, &mut clients),
                    Err(error) => {
                        tracing::warn!(%error, "the control socket accepts nobody");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = clients.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "a control client's task failed");
                },
            }
        }
    }

    fn welcome(&self, stream: UnixStream, places: &Arc<Semaphore>, house: &House, clients: &mut JoinSet<()>) {
        let verdict = match stream.peer_cred() {
            Ok(credentials) => {
                let peer = Peer::of(credentials);
                if self.admission.admits(&peer) { Ok(()) } else { Err(refusal(&peer, &self.admission)) }
            }
            Err(error) => Err(Trouble::new(format!("the kernel does not name you: {error}"), "try again")),
        };
        let verdict = verdict.and_then(|()| {
            places.clone().try_acquire_owned().map_err(|_| {
                Trouble::new(format!("{MAX_CLIENTS} clients are connected"), "end one of them, or try again")
            })
        });
        match verdict {
            Ok(place) => {
                let house = house.clone();
                clients.spawn(async move {
                    if let Err(error) = serve(stream, &house).await {
                        tracing::debug!(%error, "a control client went");
                    }
                    drop(place);
                });
            }
            Err(trouble) => {
                tracing::warn!(what = %trouble.what, "a control client was turned away");
                turn_away(stream, trouble);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket's file was gone");
        }
    }
}

fn refusal(peer: &Peer, admission: &Admission) -> Trouble {
    let remedy = match admission.group() {
        Some(_) => "run it with sudo, or join the group that [daemon] control_group names",
        None => "run it with sudo, or name a group in [daemon] control_group and join it",
    };
    Trouble::new(format!("user {} may not control jarvisd", peer.uid), remedy)
}

/// One short line that fits any socket's buffer: whoever does not take it gets none.
fn turn_away(stream: UnixStream, trouble: Trouble) {
    let mut line = serde_json::to_vec(&Answer::Error(trouble)).unwrap_or_default();
    line.push(b'\n');
    if let Err(error) = stream.try_write(&line) {
        tracing::debug!(%error, "a client that was turned away could not be told");
    }
}

async fn serve(stream: UnixStream, house: &House) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut reader).take(MAX_LINE_BYTES as u64);
        match timeout(IDLE, bounded.read_until(b'\n', &mut line)).await {
            Err(_) | Ok(Ok(0)) => return Ok(()),
            Ok(read) => read?,
        };
        if line.last() != Some(&b'\n') {
            let trouble =
                Trouble::new("the request is too long, or cut", format!("send at most {MAX_LINE_BYTES} bytes"));
            return write(&mut writer, &Answer::Error(trouble)).await;
        }
        match serde_json::from_slice::<Request>(&line) {
            Err(error) => {
                let trouble = Trouble::new(format!("not understood: {error}"), "use the jarvisctl of the same release");
                write(&mut writer, &Answer::Error(trouble)).await?;
            }
            Ok(Request::McpServe { scope }) => {
                write(&mut writer, &Answer::Ok(json!({"mcp": scope}))).await?;
                return mcp::serve_stdio(house, scope, reader, writer).await;
            }
            Ok(Request::Turns { limit, follow: true }) => return follow(house, limit, &mut reader, &mut writer).await,
            Ok(request) => {
                let answer = match answers::answer(house, request).await {
                    Ok(value) => Answer::Ok(value),
                    Err(trouble) => Answer::Error(trouble),
                };
                write(&mut writer, &answer).await?;
            }
        }
    }
}

/// Past turns, then events until the client hangs up.
async fn follow(
    house: &House,
    limit: u32,
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut OwnedWriteHalf,
) -> io::Result<()> {
    let mut listener: Listener = house.bus.listen();
    let past = answers::answer(house, Request::Turns { limit, follow: false }).await;
    match past {
        Ok(value) => write(writer, &Answer::Ok(value)).await?,
        Err(trouble) => return write(writer, &Answer::Error(trouble)).await,
    }
    let mut end = [0; 1];
    loop {
        tokio::select! {
            told = listener.next() => match told {
                Some(Told::Event(event)) => match answers::unchallenged(house, &*event) {
                    Ok(value) => write(writer, &Answer::Event(value)).await?,
                    Err(trouble) => return write(writer, &Answer::Error(trouble)).await,
                },
                Some(Told::Lost(lost)) => write(writer, &Answer::Lost(lost)).await?,
                None => return Ok(()),
            },
            _ = reader.read(&mut end) => return Ok(()),
        }
    }
}

async fn write(writer: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::other)?;
    line.push(b'\n');
    timeout(WRITE_LIMIT, writer.write_all(&line)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests;
