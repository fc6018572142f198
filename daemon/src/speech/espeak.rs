//! espeak-ng in its worker: always there, always the last engine.
//!
//! [`Espeak`] hands sentences to the owner of the worker, [`Owner::run`], which speaks one at a time (a sentence takes it some
//! milliseconds) and replaces a worker that dies or hangs.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use jarvis_worker::{VoiceEvent, VoiceRequest};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::config::SpeechConfig;
use super::engine::{Engine, Limits, PcmStream, SpeechError};
use crate::worker::{self, Supervisor, Worker, WorkerCommand};

/// Its name in events.
pub(super) const NAME: &str = "espeak-ng";

/// The worker's program.
const PROGRAM: &str = "jarvis-voice";

/// Sentences that wait for the worker. When they are more, their engine's first-sound limit decides.
const QUEUE: usize = 16;

/// Pieces of sound of one sentence that wait for the hearer; the hearer takes them at once.
const PIECES: usize = 64;

/// Longest silence of a busy worker before it counts as hung and is replaced.
const HANG: Duration = Duration::from_millis(1_000);

/// A worker that starts again within this time is waited for; else the sentence fails at once.
const WORTH_WAITING: Duration = Duration::from_millis(600);

/// How long it may take to load its data.
const LOAD: Duration = Duration::from_secs(5);

/// The engine, as the chain sees it.
#[derive(Debug)]
pub(super) struct Espeak {
    manner: Manner,
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug, Clone)]
struct Manner {
    voice: String,
    rate: u16,
    pitch: u8,
}

struct Job {
    text: String,
    pieces: mpsc::Sender<Result<(u32, Vec<i16>), SpeechError>>,
}

/// The one who has the worker.
pub(super) struct Owner {
    supervisor: Supervisor,
    manner: Manner,
    jobs: mpsc::Receiver<Job>,
    next_job: u64,
}

/// The engine and the owner of its worker.
pub(super) fn start(config: &SpeechConfig) -> (Espeak, Owner) {
    let command = WorkerCommand {
        program: worker::program(config.worker.as_deref(), PROGRAM),
        args: Vec::new(),
        library_dir: None,
    };
    let manner = Manner { voice: config.voice.clone(), rate: config.rate, pitch: config.pitch };
    let (jobs, queue) = mpsc::channel(QUEUE);
    let owner =
        Owner { supervisor: Supervisor::new("voice", command), manner: manner.clone(), jobs: queue, next_job: 0 };
    (Espeak { manner, jobs }, owner)
}

impl Engine for Espeak {
    fn name(&self) -> &str {
        NAME
    }

    fn manner(&self) -> String {
        let Manner { voice, rate, pitch } = &self.manner;
        format!("{voice}|{rate}|{pitch}")
    }

    fn limits(&self) -> Limits {
        // Beyond the owner's own patience, so that a hung worker is found and replaced by it.
        Limits { first_chunk: HANG + LOAD, between_chunks: 2 * HANG }
    }

    fn keeps_time(&self) -> bool {
        true
    }

    fn speak<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<PcmStream, SpeechError>> {
        Box::pin(async move {
            let (pieces, mut coming) = mpsc::channel(PIECES);
            let job = Job { text: text.to_owned(), pieces };
            self.jobs.send(job).await.map_err(|_| SpeechError::Stopped)?;
            let (rate_hz, first) = coming.recv().await.ok_or(SpeechError::Silent)??;
            let rest = stream::unfold(coming, |mut coming| async {
                let piece = coming.recv().await?;
                Some((piece.map(|(_, samples)| samples), coming))
            });
            Ok(PcmStream { rate_hz, chunks: stream::iter([Ok(first)]).chain(rest).boxed() })
        })
    }
}

/// Why a worker was left.
enum Left {
    /// Nobody needs it any more.
    Unneeded,
    /// It failed.
    Failed(String),
}

impl Owner {
    /// Keeps a worker and speaks with it, until the engine is dropped.
    pub async fn run(mut self) {
        let mut trouble = String::new();
        loop {
            tokio::select! {
                biased;
                started = self.supervisor.next() => match started {
                    Ok(mut worker) => match self.serve(&mut worker).await {
                        Left::Unneeded => return,
                        Left::Failed(reason) => {
                            self.supervisor.lost(&reason);
                            trouble = reason;
                        }
                    },
                    Err(error) => trouble = error.to_string(),
                },
                job = self.jobs.recv(), if self.supervisor.wait_left() > WORTH_WAITING => match job {
                    Some(job) => tell(&job, SpeechError::Unreachable(trouble.clone())).await,
                    None => return,
                },
            }
        }
    }

    async fn serve(&mut self, worker: &mut Worker) -> Left {
        let rate_hz = match timeout(LOAD, worker.next()).await {
            Ok(Ok(VoiceEvent::Ready { library, rate_hz })) => {
                tracing::info!(library, rate_hz, pid = worker.pid(), "espeak-ng is ready");
                rate_hz
            }
            Ok(Ok(VoiceEvent::Unusable { reason })) => return Left::Failed(reason),
            Ok(Ok(event)) => return Left::Failed(format!("the voice worker began with {event:?}")),
            Ok(Err(error)) => return Left::Failed(error.to_string()),
            Err(_) => return Left::Failed(format!("the voice worker was not ready within {} s", LOAD.as_secs())),
        };
        loop {
            tokio::select! {
                job = self.jobs.recv() => {
                    let Some(job) = job else { return Left::Unneeded };
                    match self.speak(worker, &job, rate_hz).await {
                        Ok(()) => self.supervisor.worked(),
                        Err(reason) => {
                            tell(&job, SpeechError::WorkerLost(reason.clone())).await;
                            return Left::Failed(reason);
                        }
                    }
                }
                event = worker.next::<VoiceEvent>() => match event {
                    // The end of a sentence that was cancelled.
                    Ok(_) => {}
                    Err(error) => return Left::Failed(error.to_string()),
                },
            }
        }
    }

    /// Speaks one sentence. An error means that the worker is of no use any more.
    async fn speak(&mut self, worker: &mut Worker, job: &Job, rate_hz: u32) -> Result<(), String> {
        self.next_job += 1;
        let id = self.next_job;
        let Manner { voice, rate, pitch } = self.manner.clone();
        let request = VoiceRequest::Speak { job: id, text: job.text.clone(), voice, rate, pitch };
        send(worker, &request).await?;
        let mut cancelled = false;
        loop {
            let event = tokio::select! {
                biased;
                () = job.pieces.closed(), if !cancelled => {
                    cancelled = true;
                    send(worker, &VoiceRequest::Cancel(id)).await?;
                    continue;
                }
                event = timeout(HANG, worker.next()) => event,
            };
            let event = match event {
                Ok(Ok(event)) => event,
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err(format!("the voice worker said nothing for {} ms", HANG.as_millis())),
            };
            match event {
                VoiceEvent::Pcm { job: of, samples } if of == id && !cancelled => {
                    // A hearer that leaves is seen at the top of the loop.
                    let _gone = job.pieces.send(Ok((rate_hz, samples))).await;
                }
                VoiceEvent::Done { job: of } if of == id => return Ok(()),
                VoiceEvent::Failed { job: of, reason } if of == id => {
                    tell(job, SpeechError::Refused(reason)).await;
                    return Ok(());
                }
                VoiceEvent::Unusable { reason } => return Err(reason),
                // Of a sentence before this one.
                _ => {}
            }
        }
    }
}

async fn send(worker: &mut Worker, request: &VoiceRequest) -> Result<(), String> {
    match timeout(HANG, worker.send(request)).await {
        Ok(sent) => sent.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the voice worker read nothing for {} ms", HANG.as_millis())),
    }
}

/// Ends a job with an error; nobody may be left to hear it.
async fn tell(job: &Job, error: SpeechError) {
    if job.pieces.send(Err(error)).await.is_err() {
        tracing::trace!("nobody waits for this sentence any more");
    }
}
