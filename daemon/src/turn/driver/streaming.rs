//! An answer that is spoken while a model still writes it.

use jarvis_core::answer::phrase;
use jarvis_core::turn::{Attempt, Ending, Input};
use tokio::sync::mpsc::error::TrySendError;

use super::Running;
use crate::turn::speak::Text;

impl Running {
    /// A sentence came. The core says whether it is spoken now.
    pub(super) fn sentence(&mut self, text: String) {
        if !self.reply.is_empty() {
            self.reply.push(' ');
        }
        self.reply.push_str(&text);
        self.recording.record.reply = Some(self.reply.clone());
        self.unsaid.push(text);
        self.asks = None;
        let attempt = self.turn.attempt();
        self.input(Input::Sentence(attempt));
    }

    /// Gives the voice what came since. This must not wait: a voice that is behind would keep the turn from hearing "stop".
    pub(super) fn speak_unsaid(&mut self, attempt: Attempt, last: bool) {
        self.show();
        let text = std::mem::take(&mut self.unsaid).join(" ");
        let texts = self.speaker(attempt);
        match texts.try_send(Text { text, last, uncommitted: false }) {
            Ok(()) => {}
            Err(TrySendError::Full(text)) if !last => self.unsaid.push(text.text),
            Err(TrySendError::Full(text)) => {
                // The end of an answer must not be lost; nothing else is sent after it.
                self.jobs.spawn(async move {
                    if texts.send(text).await.is_err() {
                        tracing::debug!("the answer was over before all of it was said");
                    }
                });
            }
            Err(TrySendError::Closed(_)) => {
                tracing::debug!(turn = self.id.0, "the answer was over before all of it was said");
            }
        }
    }

    /// Words that bridge a long silence.
    pub(super) fn bridge(&mut self) -> String {
        let seed = self.id.0;
        self.bridges = self.bridges.saturating_add(1);
        match self.asks.as_deref() {
            Some(what) if self.bridges == 1 => phrase("agent.asking", seed, &[("what", what)]),
            _ if self.bridges == 1 => phrase("agent.moment", seed, &[]),
            _ => phrase("agent.still", seed.saturating_add(u64::from(self.bridges)), &[]),
        }
    }

    /// Of an answer that was broken off, what was said is kept.
    pub(super) async fn keep_what_was_said(&mut self, ending: Ending) {
        if !matches!(ending, Ending::Stopped | Ending::Superseded | Ending::Shutdown) || self.reply.is_empty() {
            return;
        }
        if let Err(error) = self.parts.store.reply(self.id, &self.reply).await {
            self.broken("store", error.to_string());
        }
    }
}
