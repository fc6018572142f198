//! The ear: speech to text in a worker process of its own.
//!
//! [`Ear`] is a handle to one owner task; [`EarTask::run`] is that task, awaited by whoever started it. Whatever happens to the worker
//! (it is killed, hangs, writes garbage, its library or its model is missing) the session at hand ends in [`EarHeard::Lost`] within
//! [`EarConfig::max_call_ms`], the task starts another process, and the next [`Ear::begin`] works. The recogniser decides nothing:
//! core ends the utterance, by [`EarSession::finish`].

mod config;
mod model;
mod owner;
mod session;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

pub use config::EarConfig;
pub use model::{EarModel, ModelError};
pub use owner::EarTask;
pub use session::{EarError, EarHeard, EarSession};

use owner::Begin;

/// Requests for a session that wait for the owner task. When they are more, [`Ear::begin`] waits.
const BEGIN_QUEUE: usize = 4;
/// How long [`Ear::begin`] waits for a worker that is being started.
const BEGIN_WAIT: Duration = Duration::from_secs(3);

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
    },
    /// The worker is being started.
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
    /// Makes the handle and its task; the worker is started by [`EarTask::run`]. What is wrong with the model or the library is no
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
    /// [`EarError::Starting`] after some seconds, [`EarError::Broken`] and [`EarError::Busy`] at once.
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
        tokio::time::timeout(BEGIN_WAIT, asked).await.unwrap_or(Err(EarError::Starting))
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
