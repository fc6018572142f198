//! What a turn leaves to be remembered, taken down by a model once the turn is over.
//!
//! Only of turns that a model answered without having read what strangers may have written, from rooms that may have something
//! remembered, and never while the kill switch is set. [`Gleaner`] asks for one turn at a time and only while no turn is under way; a
//! model in the house is left alone again as soon as somebody speaks, since he would have to wait for it. What comes back passes the
//! rules of [`jarvis_core::memory`]; a failure costs a line of the journal, and is seen in the status.

use std::sync::Arc;
use std::time::Duration;

use jarvis_core::gate::{Power, Rights};
use jarvis_core::ids::TurnId;
use jarvis_core::memory::{
    ANSWER_TOKENS_MAX, Extraction, Reader, Remembered, UnixMillis, ask_after, from_model, of_the_owner,
};
use jarvis_core::mind::estimate;
use jarvis_core::mind::message::Ask;
use jarvis_core::redact::redact;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::event::{EventKind, UnixMillis as Now};
use crate::memory::{MemoryConfig, MemoryError, Occasion as Told};
use crate::mind::{Answering, Occasion, Place, Provider};
use crate::turn::Parts;

/// Turns that may wait; of one more nothing is taken down.
const WAITING_MAX: usize = 16;
/// Longest that a model may take.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How often a model in the house is asked anew after somebody spoke.
const TRIES_MAX: u32 = 4;
/// The part of which the house is told.
const PART: &str = "memory by model";

/// An exchange that may hold something to be remembered.
pub(crate) struct Gleaning {
    pub(crate) turn: TurnId,
    /// Empty where it was typed.
    pub(crate) room: String,
    pub(crate) asked: String,
    pub(crate) answered: String,
    /// Where it was answered: its words go no further than they were.
    pub(crate) place: Place,
}

/// Where turns leave them. Cheap to clone.
#[derive(Clone)]
pub struct Gleanings {
    inbox: mpsc::Sender<Gleaning>,
    under_way: Arc<watch::Sender<usize>>,
}

/// The task. See the module.
pub struct Gleaner {
    inbox: mpsc::Receiver<Gleaning>,
    under_way: watch::Receiver<usize>,
}

impl Gleanings {
    /// With the task that takes them up; where nobody runs it nothing is taken down.
    pub fn open() -> (Self, Gleaner) {
        let (send, inbox) = mpsc::channel(WAITING_MAX);
        let (count, under_way) = watch::channel(0);
        (Self { inbox: send, under_way: Arc::new(count) }, Gleaner { inbox, under_way })
    }

    /// So many turns are under way.
    pub(crate) fn under_way(&self, turns: usize) {
        self.under_way.send_replace(turns);
    }

    pub(crate) fn offer(&self, gleaning: Gleaning) {
        if let Err(TrySendError::Full(gleaning)) = self.inbox.try_send(gleaning) {
            tracing::warn!(turn = gleaning.turn.0, "too many turns wait; nothing is taken down of this one");
        }
    }
}

impl Gleaner {
    /// Runs until it is taken down: the parts themselves keep it going. Over at once where no model may be asked.
    pub async fn run(mut self, config: MemoryConfig, parts: Parts) {
        if !config.by_model || parts.minds.is_empty() {
            return;
        }
        let mut failing = false;
        while let Some(gleaning) = self.inbox.recv().await {
            match self.glean(&parts, &gleaning).await {
                Ok(false) => {}
                Ok(true) if !std::mem::take(&mut failing) => {}
                Ok(true) => {
                    parts.bus.tell(EventKind::Restored { part: PART.to_owned() });
                }
                Err(reason) => {
                    tracing::warn!(turn = gleaning.turn.0, "nothing was taken down: {reason}");
                    failing = true;
                    let fallback = Some("what is stated plainly is kept by rule".to_owned());
                    parts.bus.tell(EventKind::Degraded { part: PART.to_owned(), reason, fallback });
                }
            }
        }
    }

    /// Asks and keeps; whether anybody was asked.
    async fn glean(&mut self, parts: &Parts, gleaning: &Gleaning) -> Result<bool, String> {
        let asked = redact(&gleaning.asked).text;
        let ask = ask_after(&asked, &redact(&gleaning.answered).text);
        let tokens = estimate::preamble(&ask.system, &[]) + ask.messages.iter().map(estimate::message).sum::<u64>();
        for _ in 0..TRIES_MAX {
            self.no_turn(|turns| turns == 0).await;
            if !may(parts, gleaning) {
                return Ok(false);
            }
            let occasion = Occasion { turn: Some(gleaning.turn), room: gleaning.room.clone() };
            let outside = gleaning.place == Place::Cloud;
            let Some(provider) = parts.minds.for_service(outside, tokens, ANSWER_TOKENS_MAX, occasion).await else {
                return Ok(false);
            };
            let is_local = provider.abilities().place == Place::Local;
            let answer = tokio::select! {
                answer = answer(provider, ask.clone()) => answer?,
                () = self.no_turn(|turns| turns > 0), if is_local => continue,
            };
            keep(parts, gleaning, &asked, &answer).await?;
            return Ok(true);
        }
        tracing::debug!(turn = gleaning.turn.0, "somebody spoke each time, so nothing was taken down");
        Ok(false)
    }

    /// Waits until so many turns are under way. Cancel-safe.
    async fn no_turn(&mut self, wanted: fn(usize) -> bool) {
        if self.under_way.wait_for(|turns| wanted(*turns)).await.is_err() {
            // The house goes down, and this task with it.
            std::future::pending::<()>().await;
        }
    }
}

/// Whether something may be remembered for whoever spoke there, now.
fn may(parts: &Parts, gleaning: &Gleaning) -> bool {
    let room = Some(gleaning.room.as_str()).filter(|room| !room.is_empty());
    parts.safety.switch().power() == Power::On && parts.safety.policy().rights(room) > Rights::Reads
}

async fn answer(provider: Arc<dyn Provider>, ask: Ask) -> Result<String, String> {
    let name = provider.name().to_owned();
    let mut answering = Answering::new(provider, ask);
    let whole = async {
        while let Some(event) = answering.next().await {
            event.map_err(|error| error.to_string())?;
        }
        Ok::<_, String>(())
    };
    match tokio::time::timeout(ANSWER_MAX, whole).await {
        Ok(over) => over?,
        Err(_) => {
            return Err(format!("{name} took longer than {} s; see whether it is overloaded", ANSWER_MAX.as_secs()));
        }
    }
    answering.reply().map(|reply| reply.message.text()).ok_or_else(|| format!("{name}: the pieces make no answer"))
}

/// Keeps what of an answer passes the rules, and tells it.
async fn keep(parts: &Parts, gleaning: &Gleaning, asked: &str, answer: &str) -> Result<(), String> {
    let turn = gleaning.turn;
    let now = UnixMillis(Now::now().0);
    let names = parts.names.now();
    let aliases = parts.memory.aliases(now).await.map_err(|error| error.to_string())?;
    let local_offset_s = jiff::Zoned::now().offset().seconds();
    let reader = Reader { grammar: &parts.grammar, names: &names, aliases: &aliases, now, local_offset_s };
    let extraction = from_model(answer, &reader, false).map_err(|error| error.to_string())?;
    let Extraction { drafts, refused } = of_the_owner(extraction, asked);
    if !refused.is_empty() {
        tracing::info!(turn = turn.0, ?refused, "not taken down");
    }
    let mut texts = Vec::new();
    for draft in drafts {
        if !may(parts, gleaning) {
            break;
        }
        let told = Told { room: gleaning.room.clone(), turn: Some(turn), now };
        match parts.memory.remember(draft, told).await {
            Ok(Remembered::Kept { memory, .. }) => texts.push(memory.fact.text),
            Ok(Remembered::Known(_)) => {}
            Err(error @ MemoryError::Secret(_)) => tracing::info!(turn = turn.0, "not taken down: {error}"),
            Err(error) => return Err(error.to_string()),
        }
    }
    if !texts.is_empty() {
        parts.bus.tell(EventKind::Remembered { turn, texts });
    }
    Ok(())
}
