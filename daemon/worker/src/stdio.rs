//! A worker's end of the pipes.

use std::io::{self, BufReader, BufWriter};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use serde::de::DeserializeOwned;

use crate::frames::{self, FrameError};

/// Requests read ahead of the worker's work; beyond it the daemon's pipe fills, and the daemon notices.
const REQUESTS_AHEAD: usize = 64;

/// How long a worker may go on after its daemon is gone, to answer what it was asked.
const GRACE: Duration = Duration::from_secs(2);

/// Status with which a worker ends that outlived its daemon.
const ORPHAN_STATUS: i32 = 3;

/// What the worker's input brings.
pub type Requests<T> = Receiver<Result<T, FrameError>>;

/// Standard output, buffered until [`frames::write`] flushes it. Nothing else may write there.
pub fn output() -> BufWriter<io::Stdout> {
    BufWriter::new(io::stdout())
}

/// Reads requests on a thread of its own, so that a cancel is seen while the library works; the channel closes at the end of input.
///
/// Whatever the library does, the process ends soon after the daemon has gone: a second thread waits for the pipe to hang up.
///
/// # Errors
/// No thread could be started.
pub fn requests<T: DeserializeOwned + Send + 'static>() -> io::Result<Requests<T>> {
    std::thread::Builder::new().name("orphan".into()).spawn(end_with_the_daemon)?;
    let (sender, receiver) = sync_channel(REQUESTS_AHEAD);
    std::thread::Builder::new().name("requests".into()).spawn(move || {
        let mut input = BufReader::new(io::stdin());
        loop {
            let request = match frames::read(&mut input) {
                Ok(Some(request)) => Ok(request),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let last = request.is_err();
            if sender.send(request).is_err() || last {
                return;
            }
        }
    })?;
    Ok(receiver)
}

fn end_with_the_daemon() {
    let stdin = io::stdin();
    loop {
        // No event is asked for: a hang-up is always told, even with unread bytes in the pipe.
        let mut watched = [PollFd::new(&stdin, PollFlags::empty())];
        match poll(&mut watched, None) {
            Ok(_) if watched[0].revents().contains(PollFlags::HUP) => break,
            Err(rustix::io::Errno::INTR) => {}
            // A file or a terminal instead of a pipe: nothing to watch.
            Ok(_) | Err(_) => return,
        }
    }
    std::thread::sleep(GRACE);
    std::process::exit(ORPHAN_STATUS);
}
