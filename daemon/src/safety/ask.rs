//! What is asked for: judged on live state, and run, asked about or refused; and the two words of grave questions.

use std::sync::PoisonError;

use jarvis_core::approval::{Bound, Told};
use jarvis_core::challenge::challenge;
use jarvis_core::gate::{Ask, Asker, Cleared, Decision, Gate, Origin, Refusal, Situation, Work};
use jarvis_core::ids::{ApprovalId, TurnId};
use jarvis_core::tool::Tier;
use jarvis_core::tools::{Call, Effect};
use ring::rand::SecureRandom;
use serde_json::json;

use super::{Inner, Safety, SafetyError, begin, journal, now, view};

/// Challenges that are kept to be hidden; more than can be open at once by far.
const HIDDEN_MAX: usize = 64;
/// What stands where a challenge was.
const HIDDEN: &str = "(two words)";
/// An hour, in milliseconds.
const HOUR_MS: i64 = 60 * 60 * 1000;

/// What became of a proposal.
#[derive(Debug)]
pub enum Proposed {
    /// It changes nothing in the cluster and may run now, by whoever holds this.
    Cleared(Cleared<Work>),
    /// It runs on standing leave; [`Safety::wait`] tells how it went.
    Runs(ApprovalId),
    /// Somebody must say yes first.
    Asked(Box<Question>),
    /// It does not run.
    Refused(Refusal),
}

/// A question that was asked and waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its approval.
    pub id: ApprovalId,
    /// What is asked, as it is spoken.
    pub text: String,
    /// Whether a spoken "yes" from the same room is enough.
    pub by_voice: bool,
    /// Its tier.
    pub tier: Tier,
    /// Two words that are spoken with it and must be confirmed at the second channel. `None` as well where they are shown on the page.
    pub challenge: Option<String>,
}

impl Safety {
    /// Judges a call on live state, and writes down what was asked and how it was ruled.
    ///
    /// `question` puts a question into the words that are spoken: it is given what is asked, and the challenge where there is one.
    ///
    /// # Errors
    /// Where the store fails; nothing runs then.
    pub async fn propose(
        &self,
        call: Call,
        origin: Origin,
        asker: Asker,
        turn: Option<TurnId>,
        question: impl FnOnce(&Ask, Option<&str>) -> String + Send,
    ) -> Result<Proposed, SafetyError> {
        let inner = &self.0;
        let facts = inner.cluster.facts_for(&call).await;
        let foreign = inner.servers.standing(&call).await?;
        let now = now();
        let power = inner.switch.power();
        let told = json!({
            "tool": call.name(), "args": journal::clean(&call.json()), "origin": origin, "room": asker.room, "turn": turn,
        });
        let ruled = |what: &str, more: serde_json::Value| json!({"asked": told, "ruled": what, "more": more});
        let mut call = call;
        let decision = loop {
            let used = inner.store.on_leave_since(now.plus(-HOUR_MS)).await?;
            let foreign = foreign.as_ref();
            let situation = Situation { facts: &facts, policy: &inner.policy, on_leave_last_hour: used.count, foreign };
            match Gate::new().decide(call, &origin, &asker, &situation, power) {
                Decision::Run(cleared) if matches!(cleared.args().effect, Effect::Change(_)) => {
                    let entry = ruled("runs on standing leave", json!(cleared.args().ruling));
                    match begin::on_leave(inner, cleared, origin.clone(), asker.clone(), turn, entry, used).await? {
                        Ok(id) => return Ok(Proposed::Runs(id)),
                        // Another change used the leave up in between: this one is judged once more.
                        Err(again) => call = *again,
                    }
                }
                decision => break decision,
            }
        };
        match decision {
            Decision::Run(cleared) => {
                inner.write("ruled", None, ruled("runs", json!(cleared.tier()))).await?;
                Ok(Proposed::Cleared(cleared))
            }
            Decision::Ask(ask) => {
                let words = if ask.challenge { Some(inner.challenge()?) } else { None };
                // Words that nobody would hear are shown on the page, and are in no sentence.
                let heard = words.as_deref().filter(|_| Told::of(asker.room.as_deref()) == Told::Room);
                let text = question(&ask, heard);
                let by_voice = ask.by_voice;
                let bound = Bound::new(&ask, origin, asker.room, turn, text.clone(), words.clone(), now);
                let asked = view::without(&text, words.as_deref());
                let entry = inner.entry(
                    "asked",
                    None,
                    ruled("asked", json!({"ruling": ask.work.ruling, "question": asked})),
                )?;
                inner.asking.lock().unwrap_or_else(PoisonError::into_inner).extend(turn);
                let withdrawn = inner.entry("withdrawn", None, json!({}))?;
                let (row, void) = inner.store.ask_approval(bound, entry, withdrawn).await?;
                inner.journal.note().await?;
                void.into_iter().for_each(|id| inner.settle_told(id));
                inner.tell_changed(row.id);
                let challenge = words.filter(|_| row.bound.told == Told::Room);
                Ok(Proposed::Asked(Box::new(Question { id: row.id, text, by_voice, tier: row.bound.tier, challenge })))
            }
            Decision::Refuse(refusal) => {
                inner.write("refused", None, ruled("refused", json!(format!("{refusal:?}")))).await?;
                Ok(Proposed::Refused(refusal))
            }
        }
    }

    /// A turn is over. `heard` is the question that its answer ended with, where it was heard to its end: only now may that room say
    /// "yes" to it. Whatever else the turn asked is void.
    ///
    /// # Errors
    /// Where the store fails: no "yes" counts then.
    pub async fn turn_over(&self, turn: TurnId, heard: Option<ApprovalId>) -> Result<(), SafetyError> {
        let inner = &self.0;
        if !inner.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&turn) {
            return Ok(());
        }
        let entry = inner.entry("withdrawn", None, json!({}))?;
        let changed = inner.store.close_questions(turn, heard, entry).await?;
        if !changed.is_empty() {
            inner.journal.note().await?;
            changed.into_iter().for_each(|id| inner.settle_told(id));
        }
        Ok(())
    }

    /// Writes down that another program asked for what it may not even ask for.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub async fn turned_away(&self, client: &str, tool: &str, why: &str) -> Result<(), SafetyError> {
        let origin = Origin::Outside { client: client.to_owned() };
        self.0
            .write(
                "refused",
                None,
                json!({"asked": {"tool": tool, "origin": origin}, "ruled": "turned away", "more": why}),
            )
            .await
    }

    /// A text for a second channel, without the words that must be confirmed there: they prove that somebody was at the first one.
    pub fn without_challenges(&self, text: String) -> String {
        let challenges = self.0.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges
            .iter()
            .fold(text, |text, words| if text.contains(words) { text.replace(words, HIDDEN) } else { text })
    }
}

impl Inner {
    fn draw(&self) -> Result<u64, SafetyError> {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes).map_err(|_| SafetyError::NoRandom)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Two words for a question, remembered so that they can be hidden.
    fn challenge(&self) -> Result<String, SafetyError> {
        let words = challenge(self.draw()?);
        let mut all = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= HIDDEN_MAX {
            all.remove(0);
        }
        all.push(words.clone());
        Ok(words)
    }
}
