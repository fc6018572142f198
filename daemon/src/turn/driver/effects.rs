//! What a turn wants done, done.

use jarvis_core::answer::{self, Reply, Trouble};
use jarvis_core::gate::Voice;
use jarvis_core::turn::{Attempt, Effect, Input, Showing, Speech};
use jarvis_link::message::{Mood, ToSatellite};
use tokio::sync::mpsc;

use super::{LISTEN_MS, News, Running, Speaker, Work};
use crate::event::EventKind;
use crate::turn::answer as answering;
use crate::turn::asking::Asking;
use crate::turn::hearing::Hearing;
use crate::turn::speak::{self, Text};

/// A cut of an utterance to show, in characters.
const SHOWN_MAX: usize = 2000;

impl Running {
    pub(super) async fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::HoldEar => self.hearing.hold(),
            Effect::ResumeEar => {
                if let Err(error) = self.hearing.resume().await {
                    self.lose_ear(error.to_string(), Input::EarLost);
                }
            }
            Effect::FinishEar => {
                if let Err(error) = self.hearing.finish().await {
                    self.lose_ear(error.to_string(), Input::EarLost);
                }
            }
            Effect::DropEar => self.hearing = Hearing::Off,
            Effect::CloseMic { silent } => {
                if let Some(utterance) = self.utterance {
                    self.send(ToSatellite::CloseMic { utterance, silent }).await;
                }
            }
            Effect::Show(showing) => self.send(ToSatellite::Show(mood(showing))).await,
            Effect::Partial(text) => {
                if self.addressed() {
                    let text = text.chars().take(SHOWN_MAX).collect();
                    self.parts.bus.tell(EventKind::Partial { turn: self.id, text });
                }
            }
            Effect::Foresee(asked) => {
                self.jobs.spawn(answering::foresee(self.parts.clone(), asked));
            }
            Effect::Commit(attempt, text) => self.commit(attempt, text),
            Effect::Answer(attempt) => self.answer(attempt),
            Effect::Speak(attempt, speech) => self.speak(attempt, speech).await,
            Effect::SpeakOn(attempt) => self.speak_unsaid(attempt, false),
            Effect::SpeakRest(attempt) => self.speak_unsaid(attempt, true),
            Effect::Mute(_) => self.speaker = None,
            Effect::Withdraw(attempt) => {
                self.hush(attempt).await;
                self.reply.clear();
                self.unsaid.clear();
                (self.asks, self.bridges) = (None, 0);
                (self.listen, self.question) = (false, None);
                self.recalled.clear();
                self.gleaning = None;
                self.recording.withdraw();
                self.shown = false;
            }
            Effect::Hush(attempt) => self.hush(attempt).await,
            // The row goes when the turn ends.
            Effect::Forget => self.recording.withdraw(),
            Effect::Finish(ending) => self.ending = Some(ending),
        }
    }

    async fn send(&mut self, message: ToSatellite) {
        if let Some(satellite) = &self.satellite
            && let Err(error) = self.parts.hub.send(satellite, message).await
        {
            tracing::debug!(turn = self.id.0, "{error}");
        }
    }

    fn commit(&mut self, attempt: Attempt, text: String) {
        self.recording.record.transcript = Some(text.clone());
        let (store, id, tell) = (self.parts.store.clone(), self.id, self.tell.clone());
        self.spawn(attempt, Work::Commit, async move {
            let done = match store.transcript(id, &text).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    say(&tell, News::Broken { part: "store", reason: error.to_string() }).await;
                    Err(Trouble::NoRecords)
                }
            };
            say(&tell, News::Input(Input::Committed(attempt, done))).await;
        });
    }

    /// The ear's last word asks for the same in other words: only what is written down changes.
    pub(super) fn correct(&mut self, text: String) {
        self.recording.record.transcript = Some(text.clone());
        let (store, id, tell, bus, shown) =
            (self.parts.store.clone(), self.id, self.tell.clone(), self.parts.bus.clone(), self.shown);
        self.jobs.spawn(async move {
            match store.transcript(id, &text).await {
                Ok(()) if shown => {
                    bus.tell(EventKind::Transcript { turn: id, text });
                }
                Ok(()) => {}
                Err(error) => say(&tell, News::Broken { part: "store", reason: error.to_string() }).await,
            }
        });
    }

    fn answer(&mut self, attempt: Attempt) {
        if self.addressed() {
            self.show();
        }
        let job = answering::Job {
            parts: self.parts.clone(),
            turn: self.id,
            attempt,
            room: self.room.clone(),
            voice: self.voice(),
            before: self.before.clone(),
            asked: self.turn.asked().to_owned(),
            addressed: self.addressed(),
            heard_out: self.heard_out.subscribe(),
            news: self.tell.clone(),
        };
        self.spawn(attempt, Work::Answer, job.run());
    }

    async fn speak(&mut self, attempt: Attempt, speech: Speech) {
        let text = match speech {
            Speech::Filler => self.bridge(),
            Speech::Reply => {
                // It is spoken whole.
                self.unsaid.clear();
                self.reply.clone()
            }
            Speech::NotUnderstood if !self.reply.is_empty() => self.reply.clone(),
            Speech::NotUnderstood => self.words(|asker| answer::not_understood("", asker)).await,
            Speech::Sorry(trouble) => self.words(|asker| answer::sorry(trouble, asker)).await,
        };
        if !matches!(speech, Speech::Filler) && self.recording.record.reply.as_ref() != Some(&text) {
            self.recording.record.reply = Some(text.clone());
            if self.shown {
                self.parts.bus.tell(EventKind::Reply { turn: self.id, text: text.clone(), page: None });
            }
        }
        self.show();
        let text =
            Text { text, last: !matches!(speech, Speech::Filler), uncommitted: matches!(speech, Speech::Sorry(_)) };
        let texts = self.speaker(attempt);
        if texts.send(text).await.is_err() {
            tracing::debug!(turn = self.id.0, "the answer was over before all of it was said");
        }
    }

    /// Words that don't come from an answer's making.
    async fn words(&self, reply: impl FnOnce(&answer::Asker<'_>) -> Reply) -> String {
        let names = self.parts.names.now();
        let asking = Asking::new(&self.parts, &self.room, self.before.clone(), self.id).await;
        reply(&asking.asker(&names)).speech
    }

    pub(super) fn speaker(&mut self, attempt: Attempt) -> mpsc::Sender<Text> {
        if let Some(speaker) = self.speaker.as_ref().filter(|s| s.attempt == attempt) {
            return speaker.texts.clone();
        }
        let (texts, rest) = mpsc::channel(speak::TEXTS_MAX);
        let generation = self.generation;
        self.generation.0 += 1;
        let job = speak::Job {
            parts: self.parts.clone(),
            turn: self.id,
            attempt,
            satellite: self.satellite.clone(),
            generation,
            texts: rest,
            news: self.tell.clone(),
        };
        self.spawn(attempt, Work::Speak, job.run());
        self.speaker = Some(Speaker { attempt, generation, texts: texts.clone() });
        texts
    }

    /// What a "yes" in this turn is worth.
    fn voice(&self) -> Voice {
        match self.utterance {
            None => Voice::Typed,
            Some(_) if self.parts.tried_on_people() => Voice::Tried,
            Some(_) => Voice::Untried,
        }
    }

    /// The satellite opens its microphone once its loudspeaker is silent.
    pub(super) async fn ask_to_listen(&mut self) {
        self.send(ToSatellite::Listen { window_ms: LISTEN_MS }).await;
    }

    async fn hush(&mut self, attempt: Attempt) {
        self.work.retain(|_, (of, _)| *of != attempt);
        self.jobs.abort_all();
        if let Some(speaker) = self.speaker.take() {
            self.send(ToSatellite::StopPlayback { generation: speaker.generation }).await;
        }
    }
}

fn mood(showing: Showing) -> Mood {
    match showing {
        Showing::Listening => Mood::Listening,
        Showing::Thinking => Mood::Thinking,
        Showing::Speaking => Mood::Speaking,
        Showing::Idle => Mood::Idle,
        Showing::Trouble => Mood::Trouble,
    }
}

async fn say(tell: &mpsc::Sender<News>, news: News) {
    if tell.send(news).await.is_err() {
        tracing::debug!("the turn is over");
    }
}
