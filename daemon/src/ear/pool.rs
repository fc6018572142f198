//! The owner of all workers: which of them hear, which are ready, and who waits.

use std::collections::{HashSet, VecDeque};
use std::future::pending;
use std::sync::Arc;

use futures_util::future::select_all;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::recogniser::{Begin, Lost, Reason, Recogniser, supervisor};
use super::{EarConfig, EarError, EarModel, EarStatus};
use crate::worker::Supervisor;

/// The task that owns the workers.
#[derive(Debug)]
pub struct EarTask {
    config: Arc<EarConfig>,
    status: watch::Sender<EarStatus>,
    begins: mpsc::Receiver<Begin>,
    /// Those whose worker was found to hang before it heard anything: they are the first to get another.
    again: VecDeque<Begin>,
    /// Not started yet: the second worker is started once the first is ready, so that what is wrong with all of them is told once.
    unstarted: u8,
    /// Ready, with nothing to hear.
    idle: Vec<Recogniser>,
    /// Those that load or hear; each gives back what it is made of.
    working: JoinSet<Outcome>,
    /// Which of them hear.
    hearing: HashSet<Id>,
    model: Option<EarModel>,
    /// Why no worker could be started, since one could.
    trouble: Option<Reason>,
}

/// What became of a working worker.
#[derive(Debug)]
enum Outcome {
    /// It can hear.
    Loaded(Recogniser, EarModel),
    /// It can't.
    Unusable(Supervisor, Reason),
    /// Its utterance is over.
    Heard(Recogniser),
    /// Its utterance was lost with it, or has not begun.
    Lost(Lost),
}

impl EarTask {
    pub(super) fn new(config: EarConfig, status: watch::Sender<EarStatus>, begins: mpsc::Receiver<Begin>) -> Self {
        let unstarted = config.workers;
        Self {
            config: Arc::new(config),
            status,
            begins,
            again: VecDeque::new(),
            unstarted,
            idle: Vec::new(),
            working: JoinSet::new(),
            hearing: HashSet::new(),
            model: None,
            trouble: None,
        }
    }

    /// Runs until every [`super::Ear`] is dropped. Dropping it kills the workers.
    pub async fn run(mut self) {
        self.start_another();
        loop {
            tokio::select! {
                // Where none is ready they wait in their queue, in order.
                begin = self.begins.recv(), if !self.idle.is_empty() || self.is_broken() => match begin {
                    Some(begin) => self.begin(begin),
                    None => return,
                },
                (place, reason) = lost(&mut self.idle) => {
                    let supervisor = self.idle.swap_remove(place).give_up(&reason);
                    self.load(supervisor);
                }
                Some(done) = self.working.join_next_with_id() => self.done(done),
                () = self.status.closed() => return,
            }
            while (!self.idle.is_empty() || self.is_broken())
                && let Some(begin) = self.again.pop_front()
            {
                self.begin(begin);
            }
            self.tell();
        }
    }

    fn start_another(&mut self) {
        if let Some(left) = self.unstarted.checked_sub(1) {
            self.unstarted = left;
            self.load(supervisor(&self.config));
        }
    }

    fn load(&mut self, supervisor: Supervisor) {
        let config = Arc::clone(&self.config);
        self.working.spawn(async move {
            match Recogniser::load(config, supervisor).await {
                Ok((recogniser, model)) => Outcome::Loaded(recogniser, model),
                Err((supervisor, reason)) => Outcome::Unusable(supervisor, reason),
            }
        });
    }

    fn begin(&mut self, begin: Begin) {
        if begin.reply.is_closed() {
            return;
        }
        let Some(recogniser) = self.idle.pop() else {
            return begin.refuse(EarError::Broken(self.trouble.clone().unwrap_or_default()));
        };
        let hears = self.working.spawn(async move {
            match recogniser.hear(begin).await {
                Ok(recogniser) => Outcome::Heard(recogniser),
                Err(lost) => Outcome::Lost(lost),
            }
        });
        self.hearing.insert(hears.id());
    }

    fn done(&mut self, done: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!("a worker's task broke: {error}");
                self.hearing.remove(&error.id());
                return self.load(supervisor(&self.config));
            }
        };
        self.hearing.remove(&id);
        match outcome {
            Outcome::Loaded(recogniser, model) => {
                tracing::info!(
                    model = model.name,
                    tried_on_people = model.tried_on_people,
                    workers = self.ready() + 1,
                    "the ear is ready"
                );
                self.model = Some(model);
                self.trouble = None;
                self.idle.push(recogniser);
                self.start_another();
            }
            Outcome::Unusable(supervisor, reason) => {
                self.trouble = Some(reason);
                self.load(supervisor);
            }
            Outcome::Heard(recogniser) => self.idle.push(recogniser),
            Outcome::Lost((supervisor, begin)) => {
                self.again.extend(begin);
                self.load(supervisor);
            }
        }
    }

    /// Workers whose model is loaded.
    fn ready(&self) -> usize {
        self.idle.len() + self.hearing.len()
    }

    fn is_broken(&self) -> bool {
        self.ready() == 0 && self.trouble.is_some()
    }

    fn tell(&self) {
        let now = match (&self.model, &self.trouble) {
            (Some(model), _) if self.ready() > 0 => EarStatus::Ready {
                model: model.name.clone(),
                tried_on_people: model.tried_on_people,
                loaded: self.ready(),
                workers: usize::from(self.config.workers),
            },
            (_, Some(reason)) => EarStatus::Broken { reason: reason.clone() },
            _ => EarStatus::Starting,
        };
        self.status.send_if_modified(|told| {
            let news = *told != now;
            *told = now;
            news
        });
    }
}

/// The first of the idle to be lost: its place, and why. Cancel-safe.
async fn lost(idle: &mut [Recogniser]) -> (usize, Reason) {
    if idle.is_empty() {
        return pending().await;
    }
    let (reason, place, _) = select_all(idle.iter_mut().map(|recogniser| Box::pin(recogniser.idle()))).await;
    (place, reason)
}
