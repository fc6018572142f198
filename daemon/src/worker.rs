//! A speech worker as a child process that speaks `jarvis-worker` frames on its pipes.
//!
//! Native speech code may abort or hang at any moment. So the process is never awaited without a bound: its owner races
//! [`Worker::next`] and [`Worker::send`] against a deadline and drops the worker when it is over, which kills it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jarvis_worker::frames::{self, FrameError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// Bytes of standard error kept to explain an end.
const LAST_WORDS_BYTES: usize = 2048;
/// Bytes asked of a pipe at once.
const READ_BYTES: usize = 16 * 1024;
/// How long a process that closed its output may take to be gone.
const EXIT_WAIT: Duration = Duration::from_secs(1);

/// What to start.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Directory in which its native library is found, put into `LD_LIBRARY_PATH`; `None` leaves that to the program's rpath.
    pub library_dir: Option<PathBuf>,
}

/// Why a worker can't be used any more.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// It did not start.
    #[error("{program} does not start: {source}; is it installed there and executable?")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended.
    #[error("the worker ended ({how}){last_words}")]
    Ended {
        /// Exit status or signal.
        how: String,
        /// Its last line on standard error, with a colon in front; empty without one.
        last_words: String,
    },
    /// It wrote something else than frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A running worker. Dropping it kills the process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    received: Vec<u8>,
    last_words: Vec<u8>,
}

impl Worker {
    /// Starts the process. Its environment is empty but for what the library needs.
    pub fn start(command: &WorkerCommand) -> Result<Self, WorkerError> {
        let failed = |source| WorkerError::Start {
            program: command.program.display().to_string(),
            source,
        };
        let mut process = Command::new(&command.program);
        process
            .args(&command.args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(dir) = &command.library_dir {
            process.env("LD_LIBRARY_PATH", dir);
        }
        let mut child = process.spawn().map_err(failed)?;
        let missing = || failed(io::Error::other("a pipe is missing"));
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take();
        Ok(Self {
            child,
            stdin,
            stdout,
            stderr,
            received: Vec::new(),
            last_words: Vec::new(),
        })
    }

    /// Its process id, for messages and tests; `None` once it was seen to end.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a request. Not cancel-safe: whoever gives up on it must drop the worker.
    pub async fn send<T: Serialize>(&mut self, request: &T) -> Result<(), WorkerError> {
        let bytes = frames::encode(request)?;
        match self.stdin.write_all(&bytes).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await),
        }
    }

    /// The next event. Cancel-safe.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, WorkerError> {
        loop {
            if let Some(event) = frames::take(&mut self.received)? {
                return Ok(event);
            }
            let mut piece = [0; READ_BYTES];
            let mut words = [0; 512];
            tokio::select! {
                read = self.stdout.read(&mut piece) => match read {
                    Ok(0) | Err(_) => return Err(self.ended().await),
                    Ok(n) => self.received.extend_from_slice(&piece[..n]),
                },
                read = read_stderr(&mut self.stderr, &mut words) => match read {
                    0 => self.stderr = None,
                    n => self.keep_last_words(&words[..n]),
                },
            }
        }
    }

    fn keep_last_words(&mut self, piece: &[u8]) {
        for line in String::from_utf8_lossy(piece)
            .lines()
            .filter(|l| !l.trim().is_empty())
        {
            tracing::debug!(target: "jarvisd::worker", "{line}");
        }
        self.last_words.extend_from_slice(piece);
        let surplus = self.last_words.len().saturating_sub(LAST_WORDS_BYTES);
        self.last_words.drain(..surplus);
    }

    /// Says how it ended, killing it if it lingers.
    async fn ended(&mut self) -> WorkerError {
        let status = match tokio::time::timeout(EXIT_WAIT, self.child.wait()).await {
            Ok(status) => status.map_or_else(|e| e.to_string(), describe),
            Err(_) => "it closed its pipe and went on; killed".to_owned(),
        };
        let mut words = [0; 512];
        while self.stderr.is_some() {
            match tokio::time::timeout(EXIT_WAIT, read_stderr(&mut self.stderr, &mut words)).await {
                Ok(0) | Err(_) => self.stderr = None,
                Ok(n) => self.keep_last_words(&words[..n]),
            }
        }
        let text = String::from_utf8_lossy(&self.last_words);
        let last = text.lines().rev().find(|l| !l.trim().is_empty());
        WorkerError::Ended {
            how: status,
            last_words: last.map(|l| format!(": {}", l.trim())).unwrap_or_default(),
        }
    }
}

async fn read_stderr(stderr: &mut Option<ChildStderr>, buffer: &mut [u8]) -> usize {
    match stderr {
        Some(pipe) => pipe.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}
