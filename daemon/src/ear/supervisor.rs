//! The owner of the worker process.
use super::{EarConfig, EarError, EarModel, EarSession};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// How the ear is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum EarStatus {
    /// It hears.
    Ready {
        /// The model.
        model: EarModel,
    },
    /// The worker is being started.
    Starting,
    /// It can't hear.
    Broken {
        /// What is wrong, with a remedy.
        reason: String,
    },
}

/// A handle; cheap to clone.
#[derive(Debug, Clone)]
pub struct Ear {
    status: watch::Receiver<EarStatus>,
    begin: mpsc::Sender<Arc<()>>,
}

/// The owner task; whoever started the ear awaits it.
pub type EarTask = tokio::task::JoinHandle<()>;

impl Ear {
    /// Starts the owner task; the worker loads its model behind this call.
    pub async fn start(config: EarConfig) -> anyhow::Result<(Self, EarTask)> {
        let model = EarModel::read(&config.model);
        let reason = match model {
            Ok(_) => "not built yet".to_owned(),
            Err(e) => e.to_string(),
        };
        let (_, status) = watch::channel(EarStatus::Broken { reason });
        let (begin, _) = mpsc::channel(1);
        Ok((Self { status, begin }, tokio::spawn(async {})))
    }

    /// A new utterance, heard with the model's own language model.
    pub async fn begin(&self) -> Result<EarSession, EarError> {
        self.begin_with(Vec::new()).await
    }

    /// A new utterance in which only `grammar`'s phrases are heard (add `[unk]` for all else).
    pub async fn begin_with(&self, _grammar: Vec<String>) -> Result<EarSession, EarError> {
        if self.begin.is_closed() {
            return Err(EarError::Broken("not built yet".to_owned()));
        }
        Err(EarError::Starting)
    }

    /// How it is now.
    pub fn status(&self) -> EarStatus {
        self.status.borrow().clone()
    }
}
