//! From the text of an answer to sound at the satellite: sentence by sentence, each committed before its first sample leaves.

use std::time::{Duration, Instant};

use jarvis_core::answer::phrase;
use jarvis_core::ids::{SatelliteId, TurnId};
use jarvis_core::sentences::Sentences;
use jarvis_core::speakable::speakable;
use jarvis_core::turn::{Attempt, Input};
use jarvis_link::message::Generation;
use tokio::sync::mpsc;

use super::Parts;
use super::driver::News;
use crate::event::EventKind;
use crate::hub::{AnswerWriter, HubError};
use crate::speech::{RATE_HZ, SpeechError, Spoken};

/// Texts of one answer that may wait. A model's sentences come faster than they are heard; what does not fit waits with the turn.
pub(super) const TEXTS_MAX: usize = 32;

/// One answer being spoken.
pub(super) struct Job {
    pub(super) parts: Parts,
    pub(super) turn: TurnId,
    pub(super) attempt: Attempt,
    /// `None`: nobody hears it, it is only written down.
    pub(super) satellite: Option<SatelliteId>,
    pub(super) generation: Generation,
    pub(super) texts: mpsc::Receiver<Text>,
    pub(super) news: mpsc::Sender<News>,
}

enum Failed {
    /// The satellite is away.
    Away,
    /// It took no more sound: stopped there, or about to be found away.
    Stopped,
    /// No engine speaks.
    Speech(String),
    /// The sentence could not be committed, so it is not spoken.
    Store(String),
}

/// Something to say.
pub(super) struct Text {
    pub(super) text: String,
    /// Nothing more follows in this answer.
    pub(super) last: bool,
    /// It may be said though it can't be committed: a sorry for a broken store would else never be heard.
    pub(super) uncommitted: bool,
}

/// An answer on its way to the satellite.
#[derive(Default)]
struct Said {
    writer: Option<AnswerWriter>,
    samples: u64,
    /// A speech engine that gave out in the middle of it.
    lost: Option<String>,
}

/// A satellite that takes no more sound is found away within this, or else it was stopped there.
const STOPPED_MAX: Duration = Duration::from_secs(3);
/// A long answer tells this often that it goes on.
const GOES_ON: Duration = Duration::from_secs(1);
/// Milliseconds of a second.
const SECOND_MS: u64 = 1000;

impl Job {
    /// Runs to the end; one news of how it went always comes.
    pub(super) async fn run(mut self) {
        let input = match self.speak().await {
            Ok(sound_ms) => Input::Spoken { attempt: self.attempt, sound_ms },
            Err(Failed::Away) => Input::LinkDown,
            Err(Failed::Stopped) => {
                tokio::time::sleep(STOPPED_MAX).await;
                Input::StopPressed
            }
            Err(Failed::Speech(reason)) => {
                self.tell(News::Broken { part: "speech", reason }).await;
                Input::SpeechFailed(self.attempt)
            }
            Err(Failed::Store(reason)) => {
                self.tell(News::Broken { part: "store", reason }).await;
                Input::Uncommitted(self.attempt)
            }
        };
        self.tell(News::Input(input)).await;
    }

    async fn speak(&mut self) -> Result<u64, Failed> {
        let mut said = Said::default();
        let mut index = 0;
        while let Some(Text { text, last, uncommitted }) = self.texts.recv().await {
            let sentences = sentences(&text);
            let mut ahead = None;
            for (n, sentence) in sentences.iter().enumerate() {
                let Some(satellite) = &self.satellite else {
                    self.commit(index, sentence, uncommitted).await?;
                    index += 1;
                    continue;
                };
                // It is made while it is committed, and handed over only then.
                let made = ahead.take();
                let (committed, sound) = tokio::join!(self.commit(index, sentence, uncommitted), async {
                    match made {
                        Some(sound) => sound,
                        None => self.sound(sentence).await,
                    }
                });
                committed?;
                self.tell(News::Input(Input::Saying(self.attempt, speakable(sentence)))).await;
                // The next sentence is made while this one is handed over, at the pace at which it is heard.
                let (handed_over, next) = tokio::join!(self.hand_over(satellite, &mut said, index, sound?), async {
                    Some(self.sound(sentences.get(n + 1)?).await)
                },);
                handed_over?;
                ahead = next;
                index += 1;
            }
            if last {
                if let (Some(satellite), Some(engine)) = (&self.satellite, said.lost.take()) {
                    let words = phrase("voice.lost", self.turn.0, &[("engine", &engine)]);
                    self.commit(index, &words, uncommitted).await?;
                    self.hand_over(satellite, &mut said, index, self.sound(&words).await?).await?;
                }
                break;
            }
        }
        if let Some(writer) = said.writer {
            writer.finish().await.map_err(link)?;
        }
        Ok(said.samples * SECOND_MS / u64::from(RATE_HZ))
    }

    /// The beginning of a sentence's sound; `None` for one without anything to say.
    async fn sound(&self, sentence: &str) -> Result<Option<Spoken>, Failed> {
        let Some(speech) = &self.parts.speech else {
            return Err(Failed::Speech("no speech engine could be set up".to_owned()));
        };
        match speech.speak(&speakable(sentence)).await {
            Ok(spoken) => Ok(Some(spoken)),
            Err(SpeechError::NothingToSay) => Ok(None),
            Err(error) => Err(Failed::Speech(error.to_string())),
        }
    }

    async fn commit(&self, index: u16, sentence: &str, uncommitted: bool) -> Result<(), Failed> {
        if let Err(error) = self.parts.store.sentence(self.turn, index, sentence).await {
            if !uncommitted {
                return Err(Failed::Store(error.to_string()));
            }
            tracing::warn!(turn = %self.turn, "said without being committed: {error}");
        }
        self.parts.bus.tell(EventKind::Sentence { turn: self.turn, index, text: sentence.to_owned() });
        Ok(())
    }

    /// Sound of one sentence, chunk by chunk as the engine makes it.
    async fn hand_over(
        &self,
        satellite: &SatelliteId,
        said: &mut Said,
        index: u16,
        sound: Option<Spoken>,
    ) -> Result<(), Failed> {
        let Some(mut sound) = sound else { return Ok(()) };
        let writer = match &mut said.writer {
            Some(writer) => writer,
            none => {
                let opened = self.parts.hub.answer(satellite, self.generation, RATE_HZ).await;
                none.insert(opened.map_err(link)?)
            }
        };
        writer.sentence(index).await.map_err(link)?;
        let mut told = Instant::now();
        while let Some(chunk) = sound.next().await {
            let chunk = chunk.map_err(|error| Failed::Speech(error.to_string()))?;
            writer.pcm(&chunk).await.map_err(link)?;
            said.samples += chunk.len() as u64;
            if told.elapsed() >= GOES_ON {
                told = Instant::now();
                self.tell(News::Input(Input::Speaking(self.attempt))).await;
            }
        }
        said.lost = said.lost.take().or(sound.lost);
        Ok(())
    }

    async fn tell(&self, news: News) {
        if self.news.send(news).await.is_err() {
            tracing::debug!(turn = %self.turn, "the turn ended before its answer was spoken");
        }
    }
}

fn link(error: HubError) -> Failed {
    match error {
        HubError::NotConnected(_) | HubError::Unknown(_) | HubError::Stalled(_) | HubError::Closed => Failed::Away,
        _ => Failed::Stopped,
    }
}

fn sentences(text: &str) -> Vec<String> {
    let mut cut = Sentences::new();
    let mut whole = cut.push(text);
    whole.extend(cut.finish());
    whole
}
