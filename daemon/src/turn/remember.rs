//! Requests to the memory: what is asked of it is answered at once; what is to be kept or forgotten waits until the request stands.

use std::time::Instant;

use jarvis_core::answer::{self, Asker, Reply};
use jarvis_core::ids::TurnId;
use jarvis_core::intent::Intent;
use jarvis_core::memory::{Alias, Draft, Memory, MemoryId, Ranked, Reader, UnixMillis};
use jarvis_core::names::Names;
use jarvis_core::tool::Tier;
use jarvis_core::tools::{MemoryForget, MemoryRemember, Tool};

use super::Parts;
use super::answer::unix_ms;
use crate::event::ToolRun;
use crate::memory::{MemoryError, Occasion};
use crate::store::StoreError;

/// Share of what was named that a memory must hold to be forgotten for it.
const FORGET_MIN: f64 = 0.75;

/// What waits until the request stands.
#[derive(Debug)]
pub(super) enum Write {
    /// To be kept.
    Remember(Box<Draft>),
    /// To be forgotten.
    Forget { asked: String, memories: Vec<Memory> },
}

impl Write {
    /// Writes it; gives back what is said of it, and what is shown among the tools of the turn.
    pub(super) async fn perform(
        self,
        parts: &Parts,
        turn: TurnId,
        room: &str,
        asker: &Asker<'_>,
    ) -> Result<(Reply, ToolRun), StoreError> {
        let begun = Instant::now();
        let (name, tier, reply, outcome) = match self {
            Self::Remember(draft) => {
                let occasion = Occasion { room: room.to_owned(), turn: Some(turn), now: UnixMillis(unix_ms()) };
                let (reply, outcome) = match parts.memory.remember(*draft, occasion).await {
                    Ok(done) => (answer::memory::remembered(&done, asker), "ok"),
                    Err(MemoryError::Secret(_)) => (answer::memory::secret(asker), "refused: a secret"),
                    Err(MemoryError::Full) => (answer::memory::full(asker), "refused: full"),
                    Err(MemoryError::Store(error)) => return Err(error),
                };
                (MemoryRemember::NAME, Tier::Green, reply, outcome)
            }
            Self::Forget { asked, memories } => {
                let ids = memories.iter().map(|m| m.id).collect();
                let (reply, outcome) = match parts.memory.forget(ids).await? {
                    0 => (answer::memory::nothing_to_forget(&asked, asker), "nothing"),
                    _ => (answer::memory::forgotten(&memories, asker), "ok"),
                };
                (MemoryForget::NAME, Tier::Yellow, reply, outcome)
            }
        };
        // Without its words: what is forgotten later must not stay in the record of the turn.
        let args = serde_json::Value::Null;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((reply, ToolRun { name: name.to_owned(), args, tier, outcome: outcome.to_owned(), ms }))
    }
}

/// What a request to the memory comes to.
pub(super) enum Step {
    /// An answer, and the memories it is made of.
    Answer { reply: Reply, of: Vec<MemoryId> },
    /// Something to be written first.
    Write(Write),
}

/// Whether a request is for the memory.
pub(super) fn is_asked(intent: &Intent) -> bool {
    intent.kind.starts_with("memory.")
}

impl From<Reply> for Step {
    fn from(reply: Reply) -> Self {
        Self::Answer { reply, of: Vec::new() }
    }
}

/// The memory, as one request sees it.
pub(crate) struct Recollection<'a> {
    parts: &'a Parts,
    names: &'a Names,
    aliases: Vec<Alias>,
    now: UnixMillis,
    local_offset_s: i32,
}

impl<'a> Recollection<'a> {
    pub(crate) async fn new(parts: &'a Parts, names: &'a Names, asker: &Asker<'_>) -> Result<Self, StoreError> {
        let now = UnixMillis(unix_ms());
        let aliases = parts.memory.aliases(now).await?;
        Ok(Self { parts, names, aliases, now, local_offset_s: asker.local_offset_s })
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            grammar: &self.parts.grammar,
            names: self.names,
            aliases: &self.aliases,
            now: self.now,
            local_offset_s: self.local_offset_s,
        }
    }

    /// A statement that is worth keeping, among words that are no request.
    pub(super) fn stated(&self, text: &str) -> Option<Write> {
        self.reader().stated(text).map(|draft| Write::Remember(Box::new(draft)))
    }

    /// What a request of the family `memory` comes to. A kind that this family does not have is a question about something.
    pub(super) async fn step(&self, intent: &Intent, asker: &Asker<'_>) -> Result<Step, StoreError> {
        let text = intent.slots.text.as_deref().unwrap_or_default();
        Ok(match intent.kind.as_str() {
            "memory.remember" => match self.reader().told(text) {
                Some(draft) => Step::Write(Write::Remember(Box::new(draft))),
                None => answer::memory::nothing_to_remember(asker).into(),
            },
            "memory.forget" => self.forget(text, asker).await?,
            "memory.forget_all" => {
                let memories: Vec<Memory> = self.meant(text).await?.into_iter().map(|r| r.memory).collect();
                match memories.is_empty() {
                    true => answer::memory::nothing_to_forget(text, asker).into(),
                    false => Step::Write(Write::Forget { asked: text.to_owned(), memories }),
                }
            }
            _ => self.about(text, asker).await?,
        })
    }

    /// What is known about something, in words, and the memories they are made of.
    pub(crate) async fn recalled(&self, about: &str, asker: &Asker<'_>) -> Result<(Reply, Vec<MemoryId>), StoreError> {
        let found = self.parts.memory.recall(self.reader().question(about), self.now).await?;
        let former = match found.first() {
            Some(first) => self.parts.memory.former(&first.memory).await?,
            None => Vec::new(),
        };
        let reply = answer::memory::recalled(about, &found, &former, asker);
        Ok((reply, found.iter().map(|r| r.memory.id).collect()))
    }

    async fn about(&self, text: &str, asker: &Asker<'_>) -> Result<Step, StoreError> {
        let (reply, of) = self.recalled(text, asker).await?;
        Ok(Step::Answer { reply, of })
    }

    async fn forget(&self, text: &str, asker: &Asker<'_>) -> Result<Step, StoreError> {
        let mut meant = self.meant(text).await?;
        Ok(match meant.len() {
            0 => answer::memory::nothing_to_forget(text, asker).into(),
            1 => {
                let memories = meant.drain(..).map(|r| r.memory).collect();
                Step::Write(Write::Forget { asked: text.to_owned(), memories })
            }
            _ => answer::memory::which_to_forget(&meant, asker).into(),
        })
    }

    /// What words to forget mean: what holds nearly all of them.
    async fn meant(&self, text: &str) -> Result<Vec<Ranked>, StoreError> {
        let mut found = self.parts.memory.recall(self.reader().question(text), self.now).await?;
        found.retain(|ranked| ranked.relevance >= FORGET_MIN);
        Ok(found)
    }
}
