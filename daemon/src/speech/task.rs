//! The owner of engines, cache and sentences at work.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::cache::{self, Cache, CacheStatus};
use super::chain::{self, Candidate, Job, Outcome};
use super::config::SpeechConfig;
use super::engine::{Engine, SpeechError};
use super::espeak;

/// Sentences that are made at the same time, for several rooms; more wait.
const AT_ONCE: usize = 8;

/// How long an engine that failed is passed over: each try may cost a hearer its whole time limit.
const REST: Duration = Duration::from_secs(30);

/// How engines and cache are, for the page and `jarvisctl status`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpeechStatus {
    /// Engines in their order; espeak-ng is the last.
    pub engines: Vec<EngineStatus>,
    /// The sentences on disk.
    pub cache: CacheStatus,
}

/// How one engine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Its name.
    pub name: String,
    /// Why it is passed over, or what its last failure was; `None` while it works.
    pub trouble: Option<String>,
}

/// The owner task; see [`SpeechTask::run`].
#[derive(Debug)]
pub struct SpeechTask {
    jobs: mpsc::Receiver<Job>,
    status: watch::Sender<SpeechStatus>,
    engines: Vec<Owned>,
    cache: Cache,
    cache_status: watch::Receiver<CacheStatus>,
    workers: JoinSet<()>,
    sentences: JoinSet<Outcome>,
}

#[derive(Debug)]
struct Owned {
    engine: Arc<dyn Engine>,
    trouble: Option<(String, Instant)>,
}

impl SpeechTask {
    pub(super) fn new(
        config: &SpeechConfig,
        jobs: mpsc::Receiver<Job>,
        status: watch::Sender<SpeechStatus>,
    ) -> Result<Self, SpeechError> {
        let mut engines = Vec::new();
        for engine in &config.engines {
            engines.push(Owned { engine: engine.engine()?, trouble: None });
        }
        let (espeak, owner) = espeak::start(config);
        engines.push(Owned { engine: Arc::new(espeak), trouble: None });
        let mut workers = JoinSet::new();
        workers.spawn(owner.run());
        let (cache, cache_status) =
            cache::start(config.cache_dir(), config.cache_bytes, config.cache_wait, &mut workers);
        let task = Self { jobs, status, engines, cache, cache_status, workers, sentences: JoinSet::new() };
        task.publish();
        Ok(task)
    }

    /// Speaks what it is asked, until the last handle is dropped and the sentences at hand are over.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                job = self.jobs.recv(), if self.sentences.len() < AT_ONCE => {
                    let Some(job) = job else { break };
                    self.sentences.spawn(chain::run(job, self.candidates(), self.cache.clone()));
                }
                Some(outcome) = self.sentences.join_next() => self.learn(outcome),
                Ok(()) = self.cache_status.changed() => self.publish(),
            }
        }
        while let Some(outcome) = self.sentences.join_next().await {
            self.learn(outcome);
        }
        let Self { engines, cache, mut workers, .. } = self;
        // Worker and cache end with the last who could ask them.
        drop((engines, cache));
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the voice failed");
            }
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let now = Instant::now();
        let last = self.engines.len() - 1;
        let candidate = |(at, owned): (usize, &Owned)| {
            let trouble = owned.trouble.as_ref().filter(|(_, since)| at < last && now - *since < REST);
            Candidate {
                engine: Arc::clone(&owned.engine),
                failed_before: owned.trouble.is_some(),
                resting: trouble.map(|(reason, since)| {
                    format!("passed over, it failed {} s ago: {reason}", (now - *since).as_secs())
                }),
            }
        };
        self.engines.iter().enumerate().map(candidate).collect()
    }

    fn learn(&mut self, outcome: Result<Outcome, JoinError>) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, "a sentence was lost");
                return;
            }
        };
        let now = Instant::now();
        for owned in &mut self.engines {
            let name = owned.engine.name();
            if let Some((_, error)) = outcome.failed.iter().rev().find(|(failed, _)| failed == name) {
                owned.trouble = Some((error.to_string(), now));
            }
            if outcome.spoke.as_deref() == Some(name) {
                owned.trouble = None;
            }
        }
        self.publish();
    }

    fn publish(&self) {
        let engines = self.engines.iter().map(|owned| EngineStatus {
            name: owned.engine.name().to_owned(),
            trouble: owned.trouble.as_ref().map(|(reason, _)| reason.clone()),
        });
        let status = SpeechStatus { engines: engines.collect(), cache: self.cache_status.borrow().clone() };
        self.status.send_replace(status);
    }
}
