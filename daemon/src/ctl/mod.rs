//! The owner's own socket: JSON lines over a Unix socket whose peers the kernel names.
//!
//! One request a line, one or more answers a line each; `turns` with `follow` goes on until the client hangs up.

mod admission;
pub mod client;
mod protocol;
mod server;

use tokio::sync::{mpsc, oneshot};

use crate::event::TurnRecord;

pub use admission::{Admission, Peer, group_id};
pub use protocol::{Answer, MAX_LINE_BYTES, McpQuestion, MemoryQuestion, ModelQuestion, Request, Trouble};
pub use server::{CtlError, Server};

/// Typed turns that may wait for the turn driver; beyond it the client is told to try again.
pub const TYPED_WAITING_MAX: usize = 16;

/// Where typed turns go.
pub type TypedSender = mpsc::Sender<Typed>;

/// A turn that comes from the owner's keyboard; the turn driver takes it. Dropping `done` tells the client that the turn was lost.
#[derive(Debug)]
pub enum Typed {
    /// A request, answered in text and, with a room, aloud there as well.
    Ask {
        /// The request.
        text: String,
        /// Where it counts as asked, if anywhere.
        room: Option<String>,
        /// The turn when it is over, or why it could not begin.
        done: oneshot::Sender<Result<TurnRecord, String>>,
    },
    /// Words of Jarvis's own for a room: spoken as soon as its satellite is there.
    Announce {
        /// The words.
        text: String,
        /// Where.
        room: String,
    },
    /// Words to be spoken.
    Say {
        /// The words.
        text: String,
        /// Where; `None` for every room.
        room: Option<String>,
        /// When they were spoken, or why not.
        done: oneshot::Sender<Result<TurnRecord, String>>,
    },
}
