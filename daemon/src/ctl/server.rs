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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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
/// Clients beside them, for one request each: whoever holds the other places keeps nobody from saying no or resuming. To stop there is
/// a socket of its own.
const MAX_URGENT: usize = 4;
/// A client that asks nothing for so long is hung up on.
const IDLE: Duration = Duration::from_secs(300);
/// The same for one beside the others.
const URGENT_IDLE: Duration = Duration::from_secs(1);
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
            Ok(_) => match UnixStream::connect(path).await {
                Ok(_) => return Err(CtlError::Taken(path.to_owned())),
                // Nobody listens any more. Whoever may not be asked may well live.
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(fail("remove the stale socket"))?;
                }
                Err(e) => return Err(fail("ask who listens at")(e)),
            },
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
        let places = Places::new();
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

    fn welcome(&self, stream: UnixStream, places: &Places, house: &House, clients: &mut JoinSet<()>) {
        let verdict = match stream.peer_cred() {
            Ok(credentials) => {
                let peer = Peer::of(credentials);
                if self.admission.admits(&peer) { Ok(()) } else { Err(refusal(&peer, &self.admission)) }
            }
            Err(error) => Err(Trouble::new(format!("the kernel does not name you: {error}"), "try again")),
        };
        match verdict.and_then(|()| places.take()) {
            Ok((place, urgent)) => {
                let house = house.clone();
                clients.spawn(async move {
                    let served = if urgent { serve_urgent(stream, &house).await } else { serve(stream, &house).await };
                    if let Err(error) = served {
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

/// Places for clients.
struct Places {
    all: Arc<Semaphore>,
    urgent: Arc<Semaphore>,
}

impl Places {
    fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_CLIENTS)), urgent: Arc::new(Semaphore::new(MAX_URGENT)) }
    }

    /// A place, and whether it is one for urgent requests alone.
    fn take(&self) -> Result<(OwnedSemaphorePermit, bool), Trouble> {
        let all = self.all.clone().try_acquire_owned().map(|place| (place, false));
        all.or_else(|_| self.urgent.clone().try_acquire_owned().map(|place| (place, true))).map_err(|_| full())
    }
}

fn full() -> Trouble {
    Trouble::new(format!("{MAX_CLIENTS} clients are connected"), "end one of them, or try again")
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
    while read_line(&mut reader, &mut line, IDLE).await? {
        match request(&line) {
            Err(trouble) if line.last() != Some(&b'\n') => return write(&mut writer, &Answer::Error(trouble)).await,
            Err(trouble) => write(&mut writer, &Answer::Error(trouble)).await?,
            Ok(Request::McpServe { scope }) => {
                write(&mut writer, &Answer::Ok(json!({"mcp": scope}))).await?;
                return mcp::serve_stdio(house, scope, reader, writer).await;
            }
            Ok(Request::Turns { limit, follow: true }) => return follow(house, limit, &mut reader, &mut writer).await,
            Ok(request) => write(&mut writer, &answers::answer(house, request).await.into()).await?,
        }
    }
    Ok(())
}

/// One request, and only one that takes something back or resumes.
async fn serve_urgent(stream: UnixStream, house: &House) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    let asked = read_line(&mut BufReader::new(reader), &mut line, URGENT_IDLE).await?;
    let answer = match request(&line) {
        Ok(request @ (Request::Resume {} | Request::Deny { .. })) => answers::answer(house, request).await.into(),
        Err(trouble) if asked => Answer::Error(trouble),
        Ok(_) | Err(_) => Answer::Error(full()),
    };
    write(&mut writer, &answer).await
}

/// The next line, its end included; one that is longer than may be comes without. False where there is none within `idle`.
async fn read_line(reader: &mut BufReader<OwnedReadHalf>, line: &mut Vec<u8>, idle: Duration) -> io::Result<bool> {
    line.clear();
    let mut bounded = reader.take(MAX_LINE_BYTES as u64);
    match timeout(idle, bounded.read_until(b'\n', line)).await {
        Err(_) => Ok(false),
        Ok(read) => Ok(read? > 0),
    }
}

fn request(line: &[u8]) -> Result<Request, Trouble> {
    if line.last() != Some(&b'\n') {
        return Err(Trouble::new("the request is too long, or cut", format!("send at most {MAX_LINE_BYTES} bytes")));
    }
    serde_json::from_slice(line)
        .map_err(|error| Trouble::new(format!("not understood: {error}"), "use the jarvisctl of the same release"))
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
