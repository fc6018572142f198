//! One worker process with its model loaded, and one utterance on it at a time.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use jarvis_worker::{EarEvent, EarRequest};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::session::{AUDIO_QUEUE, HEARD_QUEUE, ToWorker};
use super::{EarConfig, EarError, EarHeard, EarModel, EarSession};
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

impl Begin {
    /// Who does not wait any more needs no answer.
    pub fn refuse(self, error: EarError) {
        drop(self.reply.send(Err(error)));
    }
}

/// Why a worker is given up. Shown to the owner.
pub(super) type Reason = String;

/// A worker was lost: what starts the next, and who has not been given its session yet.
pub(super) type Lost = (Supervisor, Option<Begin>);

/// How an utterance ended.
enum Over {
    /// With its final.
    Heard,
    /// Nobody waits for its final.
    Abandoned,
}

/// A worker that can hear. Its supervisor comes along, so that whoever loses the one still has what starts the next.
#[derive(Debug)]
pub(super) struct Recogniser {
    config: Arc<EarConfig>,
    supervisor: Supervisor,
    worker: Worker,
    session: u64,
    ping: u64,
}

/// What starts the worker of `config`.
pub(super) fn supervisor(config: &EarConfig) -> Supervisor {
    let command = WorkerCommand {
        program: worker::program(config.worker.as_deref(), PROGRAM),
        args: vec![config.model.clone().into_os_string()],
        library_dir: config.library_dir.clone(),
    };
    Supervisor::new("ear", command)
}

impl Recogniser {
    /// Starts a worker when it is time to, and waits until its model is loaded.
    pub async fn load(
        config: Arc<EarConfig>,
        mut supervisor: Supervisor,
    ) -> Result<(Self, EarModel), (Supervisor, Reason)> {
        // A start that fails has told the supervisor already.
        let mut worker = match supervisor.next().await {
            Ok(worker) => worker,
            Err(error) => return Err((supervisor, error.to_string())),
        };
        match loaded(&mut worker, &config).await {
            Ok(model) => Ok((Self { config, supervisor, worker, session: 0, ping: 0 }, model)),
            Err(reason) => {
                supervisor.lost(&reason);
                Err((supervisor, reason))
            }
        }
    }

    /// Waits, with nothing to hear, until the worker is lost. Cancel-safe.
    pub async fn idle(&mut self) -> Reason {
        loop {
            // Late answers of a session that was given up.
            if let Err(error) = self.worker.next::<EarEvent>().await {
                return error.to_string();
            }
        }
    }

    /// Gives the worker up, which kills it.
    pub fn give_up(mut self, reason: &Reason) -> Supervisor {
        self.supervisor.lost(reason);
        self.supervisor
    }

    /// Hears one utterance, from its beginning until it is over or given up.
    ///
    /// # Errors
    /// The worker was lost; this starts the next.
    pub async fn hear(mut self, begin: Begin) -> Result<Self, Lost> {
        // One that hung while it had nothing to hear must cost no utterance: another worker can still have this one.
        if let Err(reason) = self.settle().await {
            return Err((self.give_up(&reason), Some(begin)));
        }
        let (to_worker, mut commands) = mpsc::channel(AUDIO_QUEUE);
        let (heard_out, heard) = mpsc::channel(HEARD_QUEUE);
        if begin.reply.send(Ok(EarSession { to_worker, heard })).is_err() {
            return Ok(self);
        }
        self.session += 1;
        let request = EarRequest::Begin { session: self.session, grammar: begin.grammar };
        let ended = match self.send(&request).await {
            Ok(()) => match self.follow(&mut commands, &heard_out).await {
                Ok(Over::Heard) => Ok(()),
                Ok(Over::Abandoned) => self.settle().await,
                Err(reason) => Err(reason),
            },
            lost => lost,
        };
        match ended {
            Ok(()) => Ok(self),
            Err(reason) => {
                last_word(&heard_out, EarHeard::Lost { reason: reason.clone() });
                Err((self.give_up(&reason), None))
            }
        }
    }

    /// An error is the worker's end.
    async fn follow(
        &mut self,
        commands: &mut mpsc::Receiver<ToWorker>,
        heard: &mpsc::Sender<EarHeard>,
    ) -> Result<Over, Reason> {
        let mut finishing = false;
        let mut pong_due: Option<Instant> = None;
        let mut final_due: Option<Instant> = None;
        loop {
            let due = pong_due.into_iter().chain(final_due).min();
            tokio::select! {
                // What lies there already is read before anybody is called late: it may be this task that was.
                biased;
                event = self.worker.next::<EarEvent>() => match event.map_err(|e| e.to_string())? {
                    EarEvent::Partial { session, text, heard_ms } if session == self.session => {
                        // What it hears shows that it works, however much sound still lies before the ping or the end.
                        let renewed = Instant::now() + self.config.max_call();
                        for due in [&mut pong_due, &mut final_due].into_iter().flatten() {
                            *due = renewed;
                        }
                        // One place is kept for the last word; a partial that finds no other is made up for by the next.
                        if heard.capacity() > 1 {
                            last_word(heard, EarHeard::Partial { text, heard_ms });
                        }
                    }
                    EarEvent::Final { session, text, words, worst_call_ms } if session == self.session => {
                        last_word(heard, EarHeard::Final { text, words, worst_call_ms });
                        self.supervisor.worked();
                        return Ok(Over::Heard);
                    }
                    EarEvent::Pong(number) if number == self.ping => pong_due = None,
                    EarEvent::Unusable { reason } => return Err(reason),
                    EarEvent::Ready { .. } | EarEvent::Partial { .. } | EarEvent::Final { .. } | EarEvent::Pong(_) => {}
                },
                // Dropped after its end was asked for.
                () = heard.closed(), if finishing => return Ok(Over::Abandoned),
                () = until(due) => return Err(hung(self.config.max_call())),
                command = commands.recv(), if !finishing => match command {
                    Some(ToWorker::Audio(samples)) => {
                        self.send(&EarRequest::Audio(samples)).await?;
                        if pong_due.is_none() {
                            self.ping += 1;
                            self.send(&EarRequest::Ping(self.ping)).await?;
                            pong_due = Some(Instant::now() + self.config.max_call());
                        }
                    }
                    Some(ToWorker::Finish) => {
                        finishing = true;
                        self.send(&EarRequest::Finish).await?;
                        final_due = Some(Instant::now() + self.config.max_call());
                    }
                    None => return Ok(Over::Abandoned),
                },
            }
        }
    }

    /// Lets the worker come to the end of what an abandoned utterance left it, and shows that it still answers.
    async fn settle(&mut self) -> Result<(), Reason> {
        self.ping += 1;
        let ping = self.ping;
        self.send(&EarRequest::Ping(ping)).await?;
        let limit = self.config.max_call();
        loop {
            match timeout(limit, self.worker.next::<EarEvent>()).await {
                Ok(Ok(EarEvent::Pong(number))) if number == ping => return Ok(()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err(hung(limit)),
            }
        }
    }

    async fn send<T: Serialize>(&mut self, request: &T) -> Result<(), Reason> {
        let limit = self.config.max_call();
        match timeout(limit, self.worker.send(request)).await {
            Ok(sent) => sent.map_err(|e| e.to_string()),
            Err(_) => Err(hung(limit)),
        }
    }
}

async fn loaded(worker: &mut Worker, config: &EarConfig) -> Result<EarModel, Reason> {
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

/// Puts a remedy to a worker's end before it was ready.
fn explain(error: &str, config: &EarConfig) -> Reason {
    if error.contains(LINKER_COMPLAINT) {
        return format!(
            "{error}; libvosk is not where {PROGRAM} looks: daemon/models/fetch_libvosk.sh FOLDER puts it into FOLDER, \
             which is then named as library_dir in the section [ear]"
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
