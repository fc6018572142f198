//! The owner of the worker process: one process, one session at a time.

use std::future::pending;
use std::time::Duration;

use jarvis_worker::{EarEvent, EarRequest};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::session::{AUDIO_QUEUE, HEARD_QUEUE, ToWorker};
use super::{EarConfig, EarError, EarHeard, EarModel, EarSession, EarStatus};
use crate::worker::{self, Supervisor, Worker, WorkerCommand};

/// The worker's file name.
const PROGRAM: &str = "jarvis-ear";
/// What the dynamic linker says of a missing library.
const LINKER_COMPLAINT: &str = "error while loading shared libraries";

/// Somebody wants a session.
#[derive(Debug)]
pub(super) struct Begin {
    pub grammar: Vec<String>,
    pub reply: oneshot::Sender<Result<EarSession, EarError>>,
}

/// The task that owns the worker.
#[derive(Debug)]
pub struct EarTask {
    config: EarConfig,
    supervisor: Supervisor,
    status: watch::Sender<EarStatus>,
    begins: mpsc::Receiver<Begin>,
    session: u64,
    ping: u64,
}

/// Why the worker is given up. Shown to the owner.
type Reason = String;

impl EarTask {
    pub(super) fn new(config: EarConfig, status: watch::Sender<EarStatus>, begins: mpsc::Receiver<Begin>) -> Self {
        let command = WorkerCommand {
            program: worker::program(config.worker.as_deref(), PROGRAM),
            args: vec![config.model.clone().into_os_string()],
            library_dir: config.library_dir.clone(),
        };
        Self { config, supervisor: Supervisor::new("ear", command), status, begins, session: 0, ping: 0 }
    }

    /// Runs until every [`super::Ear`] is dropped. Dropping it kills the worker.
    pub async fn run(mut self) {
        while let Some(mut worker) = self.up().await {
            let Err(reason) = self.serve(&mut worker).await else { return };
            self.supervisor.lost(&reason);
            self.status.send_replace(EarStatus::Starting);
        }
    }

    /// A worker with its model loaded; `None` when nobody is left to hear for.
    async fn up(&mut self) -> Option<Worker> {
        loop {
            let broken = matches!(*self.status.borrow(), EarStatus::Broken { .. });
            let mut attempt = Box::pin(load(&mut self.supervisor, &self.config));
            let loaded = loop {
                tokio::select! {
                    loaded = &mut attempt => break loaded,
                    // While it starts they wait: it may be ready in a moment.
                    begin = self.begins.recv(), if broken => {
                        let EarStatus::Broken { reason } = self.status.borrow().clone() else { continue };
                        answer(begin?, Err(EarError::Broken(reason)));
                    }
                }
            };
            drop(attempt);
            match loaded {
                Ok((worker, model)) => {
                    tracing::info!(model = model.name, tried_on_people = model.tried_on_people, "the ear is ready");
                    let EarModel { name, tried_on_people } = model;
                    self.status.send_replace(EarStatus::Ready { model: name, tried_on_people });
                    return Some(worker);
                }
                Err(reason) => {
                    self.status.send_replace(EarStatus::Broken { reason });
                }
            }
        }
    }

    /// Session after session; `Ok` when nobody is left to hear for.
    async fn serve(&mut self, worker: &mut Worker) -> Result<(), Reason> {
        loop {
            tokio::select! {
                // Late answers of a session that was given up.
                event = worker.next::<EarEvent>() => drop(event.map_err(|e| e.to_string())?),
                begin = self.begins.recv() => match begin {
                    Some(begin) => self.session(worker, begin).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn session(&mut self, worker: &mut Worker, begin: Begin) -> Result<(), Reason> {
        let (to_worker, mut commands) = mpsc::channel(AUDIO_QUEUE);
        let (heard_out, heard) = mpsc::channel(HEARD_QUEUE);
        answer(Begin { grammar: Vec::new(), ..begin }, Ok(EarSession { to_worker, heard }));
        self.session += 1;
        let request = EarRequest::Begin { session: self.session, grammar: begin.grammar };
        let ended = match self.send(worker, &request).await {
            Ok(()) => self.hear(worker, &mut commands, &heard_out).await,
            lost => lost,
        };
        if let Err(reason) = &ended {
            last_word(&heard_out, EarHeard::Lost { reason: reason.clone() });
        }
        ended
    }

    /// Until the utterance is over or given up; an error is the worker's end.
    async fn hear(
        &mut self,
        worker: &mut Worker,
        commands: &mut mpsc::Receiver<ToWorker>,
        heard: &mpsc::Sender<EarHeard>,
    ) -> Result<(), Reason> {
        let mut finishing = false;
        let mut pong_due: Option<Instant> = None;
        let mut final_due: Option<Instant> = None;
        loop {
            let due = pong_due.into_iter().chain(final_due).min();
            tokio::select! {
                event = worker.next::<EarEvent>() => match event.map_err(|e| e.to_string())? {
                    EarEvent::Partial { session, text, heard_ms } if session == self.session => {
                        // One place is kept for the last word; a partial that finds no other is made up for by the next.
                        if heard.capacity() > 1 {
                            last_word(heard, EarHeard::Partial { text, heard_ms });
                        }
                    }
                    EarEvent::Final { session, text, words, worst_call_ms } if session == self.session => {
                        last_word(heard, EarHeard::Final { text, words, worst_call_ms });
                        self.supervisor.worked();
                        return Ok(());
                    }
                    EarEvent::Pong(number) if number == self.ping => pong_due = None,
                    EarEvent::Unusable { reason } => return Err(reason),
                    EarEvent::Ready { .. } | EarEvent::Partial { .. } | EarEvent::Final { .. } | EarEvent::Pong(_) => {}
                },
                command = commands.recv(), if !finishing => match command {
                    Some(ToWorker::Audio(samples)) => {
                        self.send(worker, &EarRequest::Audio(samples)).await?;
                        if pong_due.is_none() {
                            self.ping += 1;
                            self.send(worker, &EarRequest::Ping(self.ping)).await?;
                            pong_due = Some(Instant::now() + self.config.max_call());
                        }
                    }
                    Some(ToWorker::Finish) => {
                        finishing = true;
                        self.send(worker, &EarRequest::Finish).await?;
                        final_due = Some(Instant::now() + self.config.max_call());
                    }
                    None => return Ok(()),
                },
                begin = self.begins.recv() => match begin {
                    Some(begin) => answer(begin, Err(EarError::Busy)),
                    None => return Ok(()),
                },
                () = until(due) => return Err(hung(self.config.max_call())),
            }
        }
    }

    async fn send<T: Serialize>(&self, worker: &mut Worker, request: &T) -> Result<(), Reason> {
        let limit = self.config.max_call();
        match timeout(limit, worker.send(request)).await {
            Ok(sent) => sent.map_err(|e| e.to_string()),
            Err(_) => Err(hung(limit)),
        }
    }
}

/// Starts a worker when it is time to, and waits until its model is loaded.
async fn load(supervisor: &mut Supervisor, config: &EarConfig) -> Result<(Worker, EarModel), Reason> {
    let mut worker = supervisor.next().await.map_err(|e| e.to_string())?;
    let loaded = async {
        // The worker speaks before the description is read: what it says of a damaged folder is the better message.
        match timeout(config.load_time(), worker.next::<EarEvent>()).await {
            Ok(Ok(EarEvent::Ready { .. })) => {}
            Ok(Ok(EarEvent::Unusable { reason })) => return Err(reason),
            Ok(Ok(other)) => return Err(format!("{PROGRAM} began with {other:?}: it is of another version")),
            Ok(Err(error)) => return Err(explain(&error.to_string(), config)),
            Err(_) => {
                return Err(format!(
                    "{PROGRAM} did not load {} within {} ms: give load_ms in the section [ear], or a smaller model",
                    config.model.display(),
                    config.load_ms
                ));
            }
        }
        EarModel::read(&config.model, config.tried_on_people).map_err(|e| e.to_string())
    }
    .await;
    match loaded {
        Ok(model) => Ok((worker, model)),
        Err(reason) => {
            supervisor.lost(&reason);
            Err(reason)
        }
    }
}

/// Puts a remedy to a worker's end before it was ready.
fn explain(error: &str, config: &EarConfig) -> Reason {
    if error.contains(LINKER_COMPLAINT) {
        return format!(
            "{error}; libvosk is not where {PROGRAM} looks: name its folder as library_dir in the section [ear] \
             (daemon/models/fetch_libvosk.sh puts it somewhere)"
        );
    }
    format!("{error}, while it loaded the model in {}: is that folder damaged?", config.model.display())
}

fn hung(limit: Duration) -> Reason {
    format!("the speech recogniser said nothing for {} ms and was ended", limit.as_millis())
}

async fn until(due: Option<Instant>) {
    match due {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

/// There is room; and a session that was dropped needs no word.
fn last_word(heard: &mpsc::Sender<EarHeard>, word: EarHeard) {
    if let Err(mpsc::error::TrySendError::Full(word)) = heard.try_send(word) {
        tracing::error!(?word, "the session's queue had no place left");
    }
}

/// Who does not wait any more needs no answer.
fn answer(begin: Begin, with: Result<EarSession, EarError>) {
    drop(begin.reply.send(with));
}
