//! The client's end of the socket.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::ctl::protocol::{Answer, MAX_LINE_BYTES, Request, Trouble};

/// Longest answer: a line of turns or sentences may be longer than a request.
const MAX_ANSWER_BYTES: u64 = 64 * MAX_LINE_BYTES as u64;

/// What to do where no daemon is.
pub(super) const NOT_RUNNING: &str = "systemctl start jarvisd; `jarvisctl doctor` looks for what keeps it from running";

/// An open connection.
pub(super) struct Connection(BufReader<UnixStream>);

/// What the daemon says.
pub(super) enum Line {
    Ok(Value),
    Event(Value),
    Lost(u64),
}

impl Connection {
    pub(super) fn open(socket: &Path) -> Result<Self, Trouble> {
        let shown = socket.display();
        UnixStream::connect(socket).map(|stream| Self(BufReader::new(stream))).map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                Trouble::new(format!("no jarvisd answers at {shown}"), NOT_RUNNING)
            }
            ErrorKind::PermissionDenied => Trouble::new(
                format!("{shown} is not for this user"),
                "run it with sudo, or join the group that [daemon] control_group names",
            ),
            _ => Trouble::new(format!("{shown}: {e}"), "`jarvisctl doctor`"),
        })
    }

    pub(super) fn ask(&mut self, request: &Request) -> Result<Value, Trouble> {
        let mut line = serde_json::to_vec(request).map_err(cut)?;
        line.push(b'\n');
        // A refusal may stand in the socket already, and the daemon may have hung up: what it said counts more than a failed write.
        let written = self.0.get_mut().write_all(&line);
        match self.next()? {
            Some(Line::Ok(value)) => Ok(value),
            Some(_) => Err(Trouble::new("an answer was due", "use the jarvisctl of the same release")),
            None => Err(written.err().map_or_else(|| cut("no answer came"), cut)),
        }
    }

    /// The socket, for what is no line of ours; and what was read of it already.
    pub(super) fn into_parts(self) -> (UnixStream, Vec<u8>) {
        let ahead = self.0.buffer().to_vec();
        (self.0.into_inner(), ahead)
    }

    /// The next line; `None` where the daemon hung up.
    pub(super) fn next(&mut self) -> Result<Option<Line>, Trouble> {
        let mut line = Vec::new();
        self.0.by_ref().take(MAX_ANSWER_BYTES).read_until(b'\n', &mut line).map_err(cut)?;
        if line.is_empty() {
            return Ok(None);
        }
        match serde_json::from_slice(&line).map_err(cut)? {
            Answer::Ok(value) => Ok(Some(Line::Ok(value))),
            Answer::Event(event) => Ok(Some(Line::Event(event))),
            Answer::Lost(lost) => Ok(Some(Line::Lost(lost))),
            Answer::Error(trouble) => Err(trouble),
        }
    }
}

fn cut(why: impl ToString) -> Trouble {
    Trouble::new(
        format!("jarvisd's answer broke off: {}", why.to_string()),
        "try again; `journalctl -u jarvisd` may say why",
    )
}
