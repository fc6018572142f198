//! From the text of an answer to sound at the satellite: sentence by sentence, each committed before its first sample leaves.

use std::time::{Duration, Instant};

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

/// Texts of one answer that may wait: a filler, then the reply.
pub(super) const TEXTS_MAX: usize = 4;

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
                Input::SpeechFailed(self.attempt)
            }
        };
        self.tell(News::Input(input)).await;
    }

    async fn speak(&mut self) -> Result<u64, Failed> {
        let mut writer = None;
        let (mut samples, mut index) = (0, 0);
        while let Some(Text { text, last, uncommitted }) = self.texts.recv().await {
            for sentence in sentences(&text) {
                self.commit(index, &sentence, uncommitted).await?;
                if let Some(satellite) = self.satellite.clone() {
                    samples += self.sentence(&satellite, &mut writer, index, &sentence).await?;
                }
                index += 1;
            }
            if last {
                break;
            }
        }
        if let Some(writer) = writer {
            writer.finish().await.map_err(link)?;
        }
        Ok(samples * SECOND_MS / u64::from(RATE_HZ))
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

    /// Sound of one sentence, chunk by chunk as the engine makes it; says how many samples.
    async fn sentence(
        &self,
        satellite: &SatelliteId,
        writer: &mut Option<AnswerWriter>,
        index: u16,
        sentence: &str,
    ) -> Result<u64, Failed> {
        let Some(voice) = &self.parts.speech else {
            return Err(Failed::Speech("no speech engine could be set up".to_owned()));
        };
        let mut sound = voice.speak(&speakable(sentence)).await.map_err(Failed::Speech)?;
        let mut samples = 0;
        let mut begun = false;
        let mut told = Instant::now();
        while let Some(chunk) = sound.next().await.map_err(Failed::Speech)? {
            if writer.is_none() {
                let opened = self.parts.hub.answer(satellite, self.generation, RATE_HZ).await;
                *writer = Some(opened.map_err(link)?);
            }
            if let Some(writer) = writer {
                if !begun {
                    writer.sentence(index).await.map_err(link)?;
                    begun = true;
                }
                writer.pcm(&chunk).await.map_err(link)?;
                samples += chunk.len() as u64;
                if told.elapsed() >= GOES_ON {
                    told = Instant::now();
                    self.tell(News::Input(Input::Speaking(self.attempt))).await;
                }
            }
        }
        Ok(samples)
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

/// Rate of every answer, in hertz.
const RATE_HZ: u32 = 22_050;

fn sentences(text: &str) -> Vec<String> {
    let mut cut = Sentences::new();
    let mut whole = cut.push(text);
    whole.extend(cut.finish());
    whole
}

/// The engines; none yet.
#[derive(Clone)]
pub struct Voice {}

struct Sound {}

impl Sound {
    async fn next(&mut self) -> Result<Option<Vec<i16>>, String> {
        Ok(None)
    }
}

impl Voice {
    async fn speak(&self, _sentence: &str) -> Result<Sound, String> {
        Err("no speech engine is built in yet".to_owned())
    }
}
