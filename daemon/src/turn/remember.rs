//! Requests to the memory: what is asked of it is answered at once; what is to be kept or forgotten waits until the request stands, and
//! then goes to the safety gate like every call. What the gate lets through is done here; what it asks about is done by the owner of
//! changes once somebody said yes ([`memory_work`]).

use std::sync::Arc;
use std::time::Instant;

use jarvis_core::answer::{self, Asker, Reply, phrase};
use jarvis_core::approval::Bound;
use jarvis_core::gate::{Ask, Asker as GateAsker, Cleared, Origin, Voice, Work};
use jarvis_core::ids::TurnId;
use jarvis_core::intent::{Grammar, Intent};
use jarvis_core::memory::{Alias, Draft, Memory, MemoryId, Ranked, Reader, UnixMillis, from_model};
use jarvis_core::names::Names;
use jarvis_core::redact::redact;
use jarvis_core::tool::Tier;
use jarvis_core::tools::{BadCall, Call, Effect, MemoryEffect, MemoryForget, MemoryRemember, Tool};

use super::answer::unix_ms;
use super::change::{question, refused};
use super::{LiveNames, Parts};
use crate::event::ToolRun;
use crate::memory::{Memories, MemoryError, Occasion};
use crate::safety::{MemoryWork, Proposed, SafetyError};
use crate::store::StoreError;

/// Share of what was named that a memory must hold to be forgotten for it.
const FORGET_MIN: f64 = 0.75;

/// What waits until the request stands.
#[derive(Debug)]
pub(super) enum Write {
    /// To be kept: the owner's words, and what was made of them.
    Remember { asked: String, draft: Box<Draft> },
    /// To be forgotten.
    Forget { asked: String, memories: Vec<Memory> },
}

/// Who asks, and where.
pub(super) struct Asked<'a> {
    pub(super) turn: TurnId,
    pub(super) room: Option<&'a str>,
    pub(super) voice: Voice,
}

/// What came of it: what is said, how it was judged, and how it is shown among the tools of the turn.
struct Came {
    reply: Reply,
    tier: Tier,
    outcome: String,
}

impl Write {
    /// Proposes it to the gate, and does it where that lets it through; gives back what is said of it, and what is shown among the tools
    /// of the turn.
    pub(super) async fn perform(
        self,
        parts: &Parts,
        asked: Asked<'_>,
        asker: &Asker<'_>,
    ) -> Result<(Reply, ToolRun), StoreError> {
        let begun = Instant::now();
        let (name, least) = match &self {
            Self::Remember { .. } => (MemoryRemember::NAME, Tier::Green),
            Self::Forget { .. } => (MemoryForget::NAME, Tier::Yellow),
        };
        let came = match self.call() {
            Ok(call) => self.proposed(call, least, parts, &asked, asker).await?,
            Err(error) => {
                let why = error.to_string();
                let speech = phrase("change.cannot", asked.turn.0, &[("why", &why)]);
                Came { reply: Reply { speech, ..Reply::default() }, tier: least, outcome: format!("refused: {why}") }
            }
        };
        // Without its words: what is forgotten later must not stay in the record of the turn.
        let args = serde_json::Value::Null;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Came { reply, tier, outcome } = came;
        Ok((reply, ToolRun { name: name.to_owned(), args, tier, outcome, ms }))
    }

    /// The call whose arguments are judged: what is forgotten is named by number.
    fn call(&self) -> Result<Call, BadCall> {
        match self {
            // A secret is in no question and in no log of what was asked.
            Self::Remember { asked, .. } => Call::of(MemoryRemember { text: redact(asked).text }),
            Self::Forget { asked, memories } => {
                let about = redact(&answer::memory::to_forget(memories, asked)).text;
                Call::of(MemoryForget { about, ids: memories.iter().map(|memory| memory.id.0).collect() })
            }
        }
    }

    async fn proposed(
        self,
        call: Call,
        least: Tier,
        parts: &Parts,
        asked: &Asked<'_>,
        asker: &Asker<'_>,
    ) -> Result<Came, StoreError> {
        let seed = asked.turn.0;
        let by = GateAsker { room: asked.room.map(str::to_owned), voice: asked.voice };
        let words = move |ask: &Ask, words: Option<&str>| question(ask, words, seed);
        Ok(match parts.safety.propose(call, Origin::Owner, by, Some(asked.turn), words).await {
            Ok(Proposed::Cleared(cleared)) => self.cleared(cleared, parts, asked, asker).await?,
            Ok(Proposed::Asked(question)) => {
                let (tier, asks) = (question.tier, Some(question.id));
                let outcome = format!("asked: approval {}", question.id);
                let reply = Reply { speech: question.text, listen: question.by_voice, asks, ..Reply::default() };
                Came { reply, tier, outcome }
            }
            Ok(Proposed::Refused(refusal)) => {
                let reply = refused(refusal, seed);
                let outcome = format!("refused: {}", reply.speech);
                Came { reply, tier: least, outcome }
            }
            // Standing leave names guests, and the memory has none.
            Ok(Proposed::Runs(id)) => {
                let speech = phrase("change.under_way", seed, &[]);
                Came {
                    reply: Reply { speech, ..Reply::default() },
                    tier: least,
                    outcome: format!("runs: approval {id}"),
                }
            }
            Err(SafetyError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::error!(turn = seed, "safety: {error}");
                let speech = phrase("change.broken", seed, &[]);
                Came { reply: Reply { speech, ..Reply::default() }, tier: least, outcome: error.to_string() }
            }
        })
    }

    /// The very call that was judged, done.
    async fn cleared(
        self,
        cleared: Cleared<Work>,
        parts: &Parts,
        asked: &Asked<'_>,
        asker: &Asker<'_>,
    ) -> Result<Came, StoreError> {
        let tier = cleared.tier();
        let (reply, outcome) = match (self, cleared.into_args().effect) {
            (Self::Remember { draft, .. }, Effect::Memory(MemoryEffect::Remember { .. })) => {
                match parts.memory.remember(*draft, occasion(asked.room, Some(asked.turn))).await {
                    Ok(done) => (answer::memory::remembered(&done, asker), "ok"),
                    Err(MemoryError::Secret(_)) => (answer::memory::secret(asker), "refused: a secret"),
                    Err(MemoryError::Full) => (answer::memory::full(asker), "refused: full"),
                    Err(MemoryError::Store(error)) => return Err(error),
                }
            }
            (Self::Forget { asked, memories }, Effect::Memory(MemoryEffect::Forget { ids })) => {
                match parts.memory.forget(ids.into_iter().map(MemoryId).collect()).await? {
                    0 => (answer::memory::nothing_to_forget(&asked, asker), "nothing"),
                    _ => (answer::memory::forgotten(&memories, asker), "ok"),
                }
            }
            // A call is made of what is to be done, so it is never another's effect.
            _ => (Reply { speech: phrase("change.broken", asked.turn.0, &[]), ..Reply::default() }, "refused"),
        };
        Ok(Came { reply, tier, outcome: outcome.to_owned() })
    }
}

fn occasion(room: Option<&str>, turn: Option<TurnId>) -> Occasion {
    Occasion { room: room.unwrap_or_default().to_owned(), turn, now: UnixMillis(unix_ms()) }
}

/// Does to the memory what somebody said yes to.
pub(crate) fn memory_work(memory: Memories, grammar: Arc<Grammar>, names: LiveNames) -> MemoryWork {
    Arc::new(move |effect, bound| {
        let (memory, grammar, names) = (memory.clone(), grammar.clone(), names.now());
        Box::pin(async move { work(&memory, &grammar, &names, effect, &bound).await })
    })
}

async fn work(
    memory: &Memories,
    grammar: &Grammar,
    names: &Names,
    effect: MemoryEffect,
    bound: &Bound,
) -> Result<String, String> {
    let unreadable = |error: StoreError| error.to_string();
    match effect {
        MemoryEffect::Forget { ids } => {
            match memory.forget(ids.into_iter().map(MemoryId).collect()).await.map_err(unreadable)? {
                0 => Err("it is known no more".to_owned()),
                gone => Ok(format!("memories forgotten: {gone}")),
            }
        }
        MemoryEffect::Remember { text } => {
            let now = UnixMillis(unix_ms());
            let aliases = memory.aliases(now).await.map_err(unreadable)?;
            let local_offset_s = jiff::Zoned::now().offset().seconds();
            let reader = Reader { grammar, names, aliases: &aliases, now, local_offset_s };
            let draft = match &bound.origin {
                Origin::Owner => reader.told(&text),
                Origin::Model { .. } | Origin::Outside { .. } => {
                    let entry = serde_json::json!({"memories": [{"text": text}]}).to_string();
                    let tainted = !matches!(bound.origin, Origin::Model { tainted: false });
                    from_model(&entry, &reader, tainted).ok().and_then(|taken| taken.drafts.into_iter().next())
                }
            };
            let draft = draft.ok_or("it names nothing it could be remembered of")?;
            let kept = memory.remember(draft, occasion(bound.room.as_deref(), bound.turn)).await;
            kept.map(|_| String::new()).map_err(|error| error.to_string())
        }
        MemoryEffect::About { .. } => Err("there is nothing to do".to_owned()),
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
        let draft = self.reader().stated(text)?;
        Some(Write::Remember { asked: text.to_owned(), draft: Box::new(draft) })
    }

    /// What a request of the family `memory` comes to. A kind that this family does not have is a question about something.
    pub(super) async fn step(&self, intent: &Intent, asker: &Asker<'_>) -> Result<Step, StoreError> {
        let text = intent.slots.text.as_deref().unwrap_or_default();
        Ok(match intent.kind.as_str() {
            "memory.remember" => match self.reader().told(text) {
                Some(draft) => Step::Write(Write::Remember { asked: text.to_owned(), draft: Box::new(draft) }),
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
