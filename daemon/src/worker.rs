//! A speech worker as a child process that speaks `jarvis-worker` frames on its pipes.
//!
//! Native speech code may abort or hang at any moment. So the process is never awaited without a bound: its owner races
//! [`Worker::next`] and [`Worker::send`] against a deadline and drops the worker when it is over, which kills it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jarvis_worker::frames::{self, FrameError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep_until};

/// Bytes of standard error kept to explain an end.
const LAST_WORDS_BYTES: usize = 2048;
/// Bytes asked of a pipe at once.
const READ_BYTES: usize = 16 * 1024;
/// How long a process that closed its output may take to be gone.
const EXIT_WAIT: Duration = Duration::from_secs(1);
/// A worker that lived this long is restarted at once.
const LIVED_LONG: Duration = Duration::from_secs(10);
/// Waits between restarts of a worker that keeps failing; the last one goes on. The first restart comes at once, so that the next
/// turn finds a worker.
const RESTART_AFTER: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(30),
];
/// Where packages put workers.
const INSTALLED_DIR: &str = "/usr/lib/jarvis";

/// A worker's program: as configured, else beside the daemon's own program, else where packages put it.
pub fn program(configured: Option<&Path>, file_name: &str) -> PathBuf {
    if let Some(path) = configured {
        return path.to_owned();
    }
    std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join(file_name)))
        .filter(|path| path.exists())
        .unwrap_or_else(|| Path::new(INSTALLED_DIR).join(file_name))
}

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
        let failed = |source| WorkerError::Start { program: command.program.display().to_string(), source };
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
        Ok(Self { child, stdin, stdout, stderr, received: Vec::new(), last_words: Vec::new() })
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
            self.received.reserve(READ_BYTES);
            let mut words = [0; 512];
            tokio::select! {
                read = self.stdout.read_buf(&mut self.received) => if !matches!(read, Ok(1..)) {
                    return Err(self.ended().await);
                },
                read = read_stderr(&mut self.stderr, &mut words) => match read {
                    0 => self.stderr = None,
                    n => self.keep_last_words(&words[..n]),
                },
            }
        }
    }

    fn keep_last_words(&mut self, piece: &[u8]) {
        for line in String::from_utf8_lossy(piece).lines().filter(|l| !l.trim().is_empty()) {
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
        WorkerError::Ended { how: status, last_words: last.map(|l| format!(": {}", l.trim())).unwrap_or_default() }
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

/// Starts a worker again and again, with growing waits while it keeps failing. Its owner uses the [`Worker`] that
/// [`Supervisor::next`] gives until it fails, says so with [`Supervisor::lost`], and asks for the next.
#[derive(Debug)]
pub struct Supervisor {
    name: &'static str,
    command: WorkerCommand,
    failures: usize,
    started: Option<Instant>,
    not_before: Option<Instant>,
}

impl Supervisor {
    /// Nothing is started yet; `name` is what the log calls the worker.
    pub fn new(name: &'static str, command: WorkerCommand) -> Self {
        Self { name, command, failures: 0, started: None, not_before: None }
    }

    /// Waits until the worker may be started, and starts it. Cancel-safe: meanwhile the owner goes on answering.
    ///
    /// # Errors
    /// It can't be started; the next call waits longer.
    pub async fn next(&mut self) -> Result<Worker, WorkerError> {
        // A timer that is due already would still let others go first.
        if let Some(moment) = self.not_before.filter(|moment| *moment > Instant::now()) {
            sleep_until(moment).await;
        }
        match Worker::start(&self.command) {
            Ok(worker) => {
                self.started = Some(Instant::now());
                Ok(worker)
            }
            Err(error) => {
                self.lost(&error);
                Err(error)
            }
        }
    }

    /// The worker failed: the next one starts after a wait that grows with failures in a row.
    pub fn lost(&mut self, reason: &dyn std::fmt::Display) {
        let now = Instant::now();
        if self.started.take().is_some_and(|at| now - at >= LIVED_LONG) {
            self.failures = 0;
        }
        self.failures += 1;
        let wait = self.wait();
        self.not_before = Some(now + wait);
        tracing::warn!(
            worker = self.name,
            %reason,
            failures = self.failures,
            restart_ms = wait.as_millis() as u64,
            "worker lost"
        );
    }

    /// How long [`Supervisor::next`] would wait now.
    pub fn wait_left(&self) -> Duration {
        self.not_before.map_or(Duration::ZERO, |moment| moment.saturating_duration_since(Instant::now()))
    }

    /// The worker did its work: the next failure counts as the first.
    pub fn worked(&mut self) {
        self.failures = 0;
    }

    fn wait(&self) -> Duration {
        let step = self.failures.saturating_sub(1);
        RESTART_AFTER[step.min(RESTART_AFTER.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jarvis_worker::EarEvent;

    fn shell(script: &str) -> WorkerCommand {
        WorkerCommand { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], library_dir: None }
    }

    #[tokio::test]
    async fn an_echoing_worker_gives_frames_back() {
        let mut worker = Worker::start(&shell("exec /bin/cat")).unwrap();
        for n in 0..100 {
            worker.send(&EarEvent::Pong(n)).await.unwrap();
        }
        for n in 0..100 {
            let event: EarEvent = worker.next().await.unwrap();
            assert_eq!(event, EarEvent::Pong(n));
        }
    }

    #[tokio::test]
    async fn a_worker_that_ends_says_how_and_its_last_words() {
        let mut worker = Worker::start(&shell("echo no voices >&2; exit 7")).unwrap();
        let error = worker.next::<EarEvent>().await.unwrap_err().to_string();
        assert_eq!(error, "the worker ended (exit status 7): no voices");
    }

    #[tokio::test]
    async fn garbage_is_told() {
        let mut worker = Worker::start(&shell("printf '\\377\\377\\377\\377'")).unwrap();
        let next = worker.next::<EarEvent>().await;
        assert!(matches!(next, Err(WorkerError::Frame { .. })), "{next:?}");
    }

    #[tokio::test]
    async fn dropping_kills() {
        let worker = Worker::start(&shell("exec /bin/sleep 600")).unwrap();
        let stat = format!("/proc/{}/stat", worker.pid().unwrap());
        drop(worker);
        let deadline = Instant::now() + Duration::from_secs(60);
        // A zombie still has its entry, with state Z, until the runtime reaps it.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z")) {
            assert!(Instant::now() < deadline, "still there");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_a_clear_error() {
        let mut command = shell("");
        command.program = "/nonexistent/jarvis-ear".into();
        let error = Worker::start(&command).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/jarvis-ear"), "{error}");
    }

    #[tokio::test]
    async fn restarts_wait_longer_and_longer_until_one_works() {
        let mut supervisor = Supervisor::new("test", shell(""));
        let mut waits = Vec::new();
        for _ in 0..8 {
            supervisor.lost(&"killed");
            waits.push(supervisor.wait());
        }
        assert_eq!(waits[..6], RESTART_AFTER);
        assert_eq!(waits[6..], [RESTART_AFTER[5]; 2]);
        supervisor.worked();
        supervisor.lost(&"killed");
        assert_eq!(supervisor.wait(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_killed_worker_is_replaced_at_once() {
        let mut supervisor = Supervisor::new("test", shell("exec /bin/cat"));
        let mut first = supervisor.next().await.unwrap();
        first.child.kill().await.unwrap();
        let lost = first.next::<EarEvent>().await.unwrap_err();
        supervisor.lost(&lost);
        let mut second = supervisor.next().await.unwrap();
        second.send(&EarEvent::Pong(1)).await.unwrap();
        assert_eq!(second.next::<EarEvent>().await.unwrap(), EarEvent::Pong(1));
    }
}
