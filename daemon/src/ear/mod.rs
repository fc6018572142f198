//! The ear: speech to text in worker processes of its own.
//!
//! [`Ear`] is a handle to one owner task; [`EarTask::run`] is that task, awaited by whoever started it. Whatever happens to a worker
//! (it is killed, hangs, writes garbage, its library or its model is missing) the session on it ends in [`EarHeard::Lost`] within
//! [`EarConfig::max_call_ms`], the task starts another process, and the next [`Ear::begin`] works. A spare must answer before it is given
//! a session, so one that hung meanwhile costs its room that time, and no words. The recogniser decides nothing: core ends the
//! utterance, by [`EarSession::finish`].
//!
//! # Several rooms at once
//! [`EarConfig::workers`] processes, each with the whole model and one session at a time. Considered and left:
//! - One process, one model, a recogniser per session. It would save the model's memory, but all sessions would share one fate: what
//!   aborts or hangs libvosk in one room would silence every room, and which session is to blame could not be told. Isolation is why
//!   the ear is a process at all. And with the embedded model there is little to save: of a worker's 31 MB resident (measured after six
//!   utterances; 19 MB before the first) 12 MB are the library's and shared, 9 MB are the model, 11 MB are the session's own.
//! - A process that loads the model and forks for each session would share the pages *and* isolate. It needs `unsafe`, and a library
//!   that may have started threads by then.
//!
//! All workers are started with the daemon and stay loaded, so that a room finds one ready however long its model takes to load; those
//! that hear nothing are the spares for one that is lost. Beyond them a session waits for the first to be free, in order, and its sound
//! waits with its turn; after [`BEGIN_WAIT`] it is refused with [`EarError::Busy`].

mod config;
mod model;
mod pool;
mod recogniser;
mod session;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

pub use config::{EARS_MAX, EarConfig};
pub use model::{EarModel, ModelError};
pub use pool::EarTask;
pub use session::{EarError, EarHeard, EarSession};

use recogniser::Begin;

/// Requests for a session that wait for the owner task; who finds no place waits for one, in order.
const BEGIN_QUEUE: usize = 4;
/// How long [`Ear::begin`] waits for a worker that is being started, or hears another room. One request takes three to four seconds; and
/// who asked for so long must not be left without a word for more than four seconds after the end of it.
pub const BEGIN_WAIT: Duration = Duration::from_secs(6);

/// How the ear is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum EarStatus {
    /// It hears.
    Ready {
        /// The model's name.
        model: String,
        /// See [`EarModel::tried_on_people`].
        tried_on_people: bool,
        /// Workers that have it loaded: so many rooms can be heard at once now.
        loaded: usize,
        /// Workers as configured.
        workers: usize,
    },
    /// The workers are being started.
    Starting,
    /// It can't hear; it goes on trying.
    Broken {
        /// What is wrong, with a remedy.
        reason: String,
    },
}

/// A handle; cheap to clone. When the last is dropped, [`EarTask::run`] ends.
#[derive(Debug, Clone)]
pub struct Ear {
    status: watch::Receiver<EarStatus>,
    begin: mpsc::Sender<Begin>,
}

impl Ear {
    /// Makes the handle and its task; the workers are started by [`EarTask::run`]. What is wrong with the model or the library is no
    /// error here but a status: the daemon runs without an ear, and says so.
    ///
    /// # Errors
    /// None today; the seam leaves room for some.
    pub async fn start(config: EarConfig) -> anyhow::Result<(Self, EarTask)> {
        let (status_out, status) = watch::channel(EarStatus::Starting);
        let (begin, begins) = mpsc::channel(BEGIN_QUEUE);
        Ok((Self { status, begin }, EarTask::new(config, status_out, begins)))
    }

    /// A new utterance, heard with the model's own language model.
    ///
    /// # Errors
    /// [`EarError::Starting`] and [`EarError::Busy`] after [`BEGIN_WAIT`], [`EarError::Broken`] at once.
    pub async fn begin(&self) -> Result<EarSession, EarError> {
        self.begin_with(Vec::new()).await
    }

    /// A new utterance in which only `grammar`'s phrases are heard; `[unk]` among them stands for all else. Models with a graph in
    /// one piece ignore it.
    ///
    /// # Errors
    /// As [`Ear::begin`].
    pub async fn begin_with(&self, grammar: Vec<String>) -> Result<EarSession, EarError> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            let gone = || EarError::Broken("its task has ended".to_owned());
            self.begin.send(Begin { grammar, reply }).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        let waited = |_| {
            Err(match self.status() {
                EarStatus::Ready { workers, .. } => EarError::Busy { workers },
                EarStatus::Starting => EarError::Starting,
                EarStatus::Broken { reason } => EarError::Broken(reason),
            })
        };
        tokio::time::timeout(BEGIN_WAIT, asked).await.unwrap_or_else(waited)
    }

    /// How it is now.
    pub fn status(&self) -> EarStatus {
        self.status.borrow().clone()
    }

    /// Waits for another status, and gives it. Cancel-safe. Pends for ever when the task has ended.
    pub async fn status_changed(&mut self) -> EarStatus {
        match self.status.changed().await {
            Ok(()) => self.status.borrow_and_update().clone(),
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
