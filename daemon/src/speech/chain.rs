//! One sentence through the chain: cache, engines in their order, time limits, fallback.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::RATE_HZ;
use super::cache::{Cache, Key};
use super::engine::{Engine, SpeechError};
use super::rate::Rate;
use super::spoken::{Heard, Spoken};

/// Sound that is sent at once, in samples: 20 ms. Smaller pieces wait for more, but for the first and the last.
const PIECE: usize = RATE_HZ as usize / 50;

/// Largest piece, in samples: what fits a frame of the link.
const PIECE_MAX: usize = 2048;

/// Louder than this is no silence (-60 dB of full scale).
const AUDIBLE: u16 = 32;

/// Silence kept before the first audible sample, in samples: 5 ms, so that nothing clicks and nobody waits for it.
const LEAD_IN: usize = RATE_HZ as usize / 200;

/// Silence between a sentence that broke off and its new beginning, in samples: 200 ms.
const BEFORE_AGAIN: usize = RATE_HZ as usize / 5;

/// Longest sound of one sentence: so much, and so much more for each character, but never more than the last.
const SOUND_BASE: Duration = Duration::from_secs(8);
const SOUND_PER_CHAR: Duration = Duration::from_millis(300);
const SOUND_MAX: Duration = Duration::from_secs(60);

/// Pieces of a sentence that wait for its hearer: as many as the longest sentence has, begun twice over. So engines never wait for a
/// loudspeaker; what does not fit ends the sentence with an error.
const PIECES_AHEAD: usize = 3 * (SOUND_MAX.as_secs() as usize) * RATE_HZ as usize / PIECE;

/// A sentence to speak.
#[derive(Debug)]
pub(super) struct Job {
    pub text: String,
    pub started: oneshot::Sender<Result<Spoken, SpeechError>>,
}

/// An engine, and why it is passed over, if it is.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub engine: Arc<dyn Engine>,
    pub resting: Option<String>,
    /// It failed when it was tried last: a failure now is no news.
    pub failed_before: bool,
}

/// Why the engines before the one that speaks do not.
#[derive(Debug, Default)]
struct Passed {
    reasons: Vec<String>,
    /// The first of them that had worked until now.
    lost: Option<String>,
}

/// What the owner learns of a sentence.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Engines that failed, by name, and why.
    pub failed: Vec<(String, SpeechError)>,
    /// The engine that spoke to the end.
    pub spoke: Option<String>,
}

/// Speaks the sentence with the first candidate that can; the last one is tried again where its worker was lost.
pub(super) async fn run(job: Job, candidates: Vec<Candidate>, cache: Cache) -> Outcome {
    let mut outcome = Outcome::default();
    let mut hearer = Hearer::new(job.started);
    let mut passed = Passed::default();
    let last = candidates.len().saturating_sub(1);
    let again = candidates.last().cloned();
    for (at, candidate) in candidates.into_iter().chain(again).enumerate() {
        let Candidate { engine, resting, failed_before } = candidate;
        let name = engine.name().to_owned();
        if at > last {
            match outcome.failed.last() {
                Some((_, SpeechError::WorkerLost(_))) => {}
                _ => break,
            }
        }
        let key = Key::new(&name, &engine.manner(), &job.text);
        if let Some(pcm) = cache.get(&key).await {
            hearer.begin_again(false);
            let heard = hearer.engine(&name, &passed, true).and_then(|()| hearer.sound(&pcm));
            if heard.is_ok() && hearer.flush().is_ok() {
                outcome.spoke = Some(name);
            }
            return outcome;
        }
        if let Some(reason) = resting {
            passed.reasons.push(format!("{name}: {reason}"));
            continue;
        }
        hearer.begin_again(engine.keeps_time() && hearer.is_engine(&name));
        match speak(engine.as_ref(), &job.text, &mut hearer, &passed).await {
            Ok(pcm) => {
                cache.put(key, pcm);
                outcome.spoke = Some(name);
                return outcome;
            }
            Err(SpeechError::Unheard) => return outcome,
            Err(error) => {
                tracing::warn!(engine = name, %error, "engine failed");
                passed.reasons.push(format!("{name}: {error}"));
                // The last one is followed by itself.
                if at < last && !failed_before {
                    passed.lost.get_or_insert_with(|| name.clone());
                }
                outcome.failed.push((name, error));
            }
        }
    }
    hearer.fail(SpeechError::NoEngine(passed.reasons.join("; ")));
    outcome
}

/// Speaks with one engine, and gives the whole sound.
async fn speak(engine: &dyn Engine, text: &str, hearer: &mut Hearer, passed: &Passed) -> Result<Vec<i16>, SpeechError> {
    let limits = engine.limits();
    let mut deadline = Instant::now() + limits.first_chunk;
    let late = SpeechError::Late(limits.first_chunk.as_millis());
    let begun = tokio::select! {
        () = hearer.gone() => return Err(SpeechError::Unheard),
        begun = timeout_at(deadline, engine.speak(text)) => begun,
    };
    let mut stream = begun.map_err(|_| late.clone())??;
    let mut rate = Some(Rate::from(stream.rate_hz)?);
    let most = longest(text);
    let mut pcm: Vec<i16> = Vec::new();
    let mut audible = false;
    while let Some(converter) = &mut rate {
        let next = tokio::select! {
            () = hearer.gone() => return Err(SpeechError::Unheard),
            next = timeout_at(deadline, stream.chunks.next()) => next,
        };
        let piece = match next {
            Ok(Some(samples)) => converter.push(&samples?),
            Ok(None) => rate.take().map(Rate::finish).unwrap_or_default(),
            Err(_) if audible => return Err(SpeechError::Stalled(limits.between_chunks.as_millis())),
            Err(_) => return Err(late),
        };
        if pcm.len() + piece.len() > most {
            return Err(SpeechError::Endless(most as u64 / u64::from(RATE_HZ)));
        }
        let before = pcm.len();
        pcm.extend_from_slice(&piece);
        if audible {
            hearer.sound(&pcm[before..])?;
        } else if let Some(onset) = piece.iter().position(|s| s.unsigned_abs() > AUDIBLE) {
            audible = true;
            pcm.drain(..(before + onset).saturating_sub(LEAD_IN));
            hearer.engine(engine.name(), passed, false)?;
            hearer.sound(&pcm)?;
        }
        if audible {
            deadline = Instant::now() + limits.between_chunks;
        }
    }
    if !audible {
        return Err(SpeechError::Silent);
    }
    hearer.flush()?;
    Ok(pcm)
}

/// Most samples that this text can take.
fn longest(text: &str) -> usize {
    let chars = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let longest = SOUND_PER_CHAR.saturating_mul(chars).saturating_add(SOUND_BASE).min(SOUND_MAX);
    (longest.as_secs_f64() * f64::from(RATE_HZ)) as usize
}

/// Whoever hears the sentence.
struct Hearer {
    /// Until the first sound: who waits for it.
    started: Option<oneshot::Sender<Result<Spoken, SpeechError>>>,
    chunks: Option<mpsc::Sender<Heard>>,
    engine: Option<String>,
    /// Samples handed over of the sentence as it is spoken now.
    sent: usize,
    /// Samples that were handed over already and come again.
    skip: usize,
    /// Silence that is due before the next sound.
    pause: usize,
    pending: Vec<i16>,
}

impl Hearer {
    fn new(started: oneshot::Sender<Result<Spoken, SpeechError>>) -> Self {
        Self { started: Some(started), chunks: None, engine: None, sent: 0, skip: 0, pause: 0, pending: Vec::new() }
    }

    /// Resolves when nobody listens any more.
    async fn gone(&mut self) {
        match (&mut self.started, &self.chunks) {
            (Some(started), _) => started.closed().await,
            (None, Some(chunks)) => chunks.closed().await,
            (None, None) => {}
        }
    }

    fn is_engine(&self, name: &str) -> bool {
        self.engine.as_deref() == Some(name)
    }

    /// The sentence begins anew: where it was, if the same sound comes at the same time, else after a pause.
    fn begin_again(&mut self, same_time: bool) {
        if same_time {
            self.skip = self.sent + self.pending.len();
        } else {
            self.pause = if self.sent > 0 { BEFORE_AGAIN } else { 0 };
            self.pending.clear();
            self.sent = 0;
        }
    }

    /// This engine speaks from here on.
    fn engine(&mut self, name: &str, passed: &Passed, cached: bool) -> Result<(), SpeechError> {
        let fallback = (!passed.reasons.is_empty()).then(|| passed.reasons.join("; "));
        let (engine, lost) = (name.to_owned(), passed.lost.clone());
        if let Some(started) = self.started.take() {
            let (chunks, receiver) = mpsc::channel(PIECES_AHEAD);
            let spoken = Spoken { rate_hz: RATE_HZ, engine, fallback, lost, cached, chunks: receiver };
            started.send(Ok(spoken)).map_err(|_| SpeechError::Unheard)?;
            self.chunks = Some(chunks);
        } else {
            let reason = fallback.unwrap_or_default();
            self.send(Heard::Fallback { engine, reason, lost })?;
        }
        self.engine = Some(name.to_owned());
        Ok(())
    }

    fn sound(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        let again = self.skip.min(samples.len());
        self.skip -= again;
        let pause = std::mem::take(&mut self.pause);
        self.pending.resize(self.pending.len() + pause, 0);
        self.pending.extend_from_slice(&samples[again..]);
        let first = self.sent == 0;
        if self.pending.len() >= PIECE || first {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SpeechError> {
        let pending = std::mem::take(&mut self.pending);
        self.sent += pending.len();
        for piece in pending.chunks(PIECE_MAX) {
            self.send(Heard::Pcm(piece.to_vec()))?;
        }
        Ok(())
    }

    fn send(&self, heard: Heard) -> Result<(), SpeechError> {
        use mpsc::error::TrySendError;
        let Some(chunks) = &self.chunks else {
            return Err(SpeechError::Unheard);
        };
        chunks.try_send(heard).map_err(|error| match error {
            TrySendError::Closed(_) => SpeechError::Unheard,
            TrySendError::Full(_) => SpeechError::Endless(SOUND_MAX.as_secs()),
        })
    }

    /// Nobody can speak it, or finish it.
    fn fail(&mut self, error: SpeechError) {
        let told = match self.started.take() {
            Some(started) => started.send(Err(error)).is_ok(),
            None => self.send(Heard::Failed(error)).is_ok(),
        };
        if !told {
            tracing::debug!("nobody waits for the failed sentence");
        }
    }
}
