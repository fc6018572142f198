//! What a model may call, and how it runs once the gate let it.

use std::time::Instant;

use jarvis_core::agent::Ran;
use jarvis_core::context::fence::fenced;
use jarvis_core::foreign::{OFFERED_MAX, OFFERED_SMALL};
use jarvis_core::gate::{Asker as GateAsker, Cleared, Gate, Origin, Power, Refusal, Voice, Work};
use jarvis_core::ids::TurnId;
use jarvis_core::memory::{UnixMillis, from_model};
use jarvis_core::redact::redact;
use jarvis_core::tool::{Facts, Read, Tier};
use jarvis_core::tools::{Call, Effect, Kind, MemoryEffect};
use serde_json::Value;

use super::record::shown;
use crate::event::ToolRun;
use crate::mcp::{Called, Offer};
use crate::memory::Occasion;
use crate::mind::Abilities;
use crate::safety::{Proposed, SafetyError};
use crate::store::StoreError;
use crate::turn::{Asking, Parts, Recollection, change_question, change_refused};

/// A window up to this many tokens is small: it gets the tools that fit the request, not all.
pub(super) const SMALL_WINDOW: u64 = 8_192;

/// Tools of the owner's other servers that a model is told of, where his words call for one.
pub(super) async fn foreign(
    parts: &Parts,
    abilities: &Abilities,
    asked: &str,
    room: Option<&str>,
) -> Result<Offer, StoreError> {
    let limit = match abilities.window_tokens {
        _ if !abilities.tools => 0,
        ..=SMALL_WINDOW => OFFERED_SMALL,
        _ => OFFERED_MAX,
    };
    parts.servers.offer(asked, parts.safety.policy().rights(room), limit).await
}

/// What carries calls out.
pub(super) struct Hands<'a> {
    pub(super) parts: &'a Parts,
    pub(super) turn: TurnId,
    pub(super) room: Option<&'a str>,
    pub(super) voice: Voice,
    pub(super) asking: &'a Asking,
}

/// What came of a call.
pub(super) struct Done {
    pub(super) ran: Ran,
    /// As it is shown; `None` where it never got as far as the gate.
    pub(super) shown: Option<ToolRun>,
    /// What is said to the owner in place of the model's words.
    pub(super) says: Option<jarvis_core::answer::Reply>,
    /// What goes to the page.
    pub(super) note: Option<String>,
}

impl Done {
    fn told(text: &str, is_error: bool, untrusted: bool) -> Self {
        let ran = Ran::Told { text: redact(text).text, is_error, untrusted };
        Self { ran, shown: None, says: None, note: None }
    }
}

impl Hands<'_> {
    /// Carries out a call, through the gate whatever it is.
    pub(super) async fn run(&self, call: Call, tainted: bool) -> Done {
        let begun = Instant::now();
        let (name, args, kind) = (call.name(), shown(&call.json()), call.tool().kind());
        if kind == Kind::Memory && tainted {
            let why = "nothing is remembered after strangers' text was read: the owner may say it himself";
            return Done::told(why, true, false);
        }
        let (mut done, tier, outcome) = match self.propose(call, tainted).await {
            Ok(proposed) => self.proposed(proposed, kind).await,
            Err(error) => {
                tracing::error!(turn = self.turn.0, "safety: {error}");
                let text = "the house could not judge the call, so nothing was done";
                (Done::told(text, true, false), least(kind), error.to_string())
            }
        };
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = redact(&outcome).text;
        done.shown = Some(ToolRun { name: name.to_owned(), args, tier, outcome, ms });
        done
    }

    async fn propose(&self, call: Call, tainted: bool) -> Result<Proposed, SafetyError> {
        let asker = GateAsker { room: self.room.map(str::to_owned), voice: self.voice };
        let seed = self.turn.0;
        let question = move |ask: &jarvis_core::gate::Ask, words: Option<&str>| change_question(ask, words, seed);
        self.parts.safety.propose(call, Origin::Model { tainted }, asker, Some(self.turn), question).await
    }

    async fn proposed(&self, proposed: Proposed, kind: Kind) -> (Done, Tier, String) {
        match proposed {
            Proposed::Cleared(cleared) => self.cleared(cleared).await,
            // Standing leave is for the owner's own words, and the gate gives a model none.
            Proposed::Runs(id) => {
                let told = "it is under way; its end is told when it is known";
                (Done::told(told, false, false), Tier::Yellow, format!("runs: approval {id}"))
            }
            Proposed::Asked(question) => {
                let outcome = format!("asked: approval {}", question.id);
                let tier = question.tier;
                let mut done = Done::told("", false, false);
                done.ran = Ran::Asked { approval: question.id };
                done.says = Some(jarvis_core::answer::Reply {
                    speech: question.text,
                    listen: question.by_voice,
                    asks: Some(question.id),
                    ..Default::default()
                });
                (done, tier, outcome)
            }
            // The names in it are the cluster's.
            Proposed::Refused(Refusal::Cannot(why)) => {
                (Done::told(&why, true, true), least(kind), format!("refused: {why}"))
            }
            Proposed::Refused(refusal) => {
                let tier = if matches!(refusal, Refusal::Never { .. }) { Tier::Black } else { least(kind) };
                let says = change_refused(refusal, self.turn.0);
                let mut done = Done::told("", true, false);
                done.ran = Ran::Declined;
                let outcome = format!("refused: {}", says.speech);
                done.says = Some(says);
                (done, tier, outcome)
            }
        }
    }

    async fn cleared(&self, cleared: Cleared<Work>) -> (Done, Tier, String) {
        let tier = cleared.tier();
        if let Effect::Foreign(call) = &cleared.args().effect {
            let server = call.server.clone();
            let (done, outcome) = self.foreign(&server, cleared).await;
            return (done, tier, outcome);
        }
        let (done, outcome) = match cleared.into_args().effect {
            Effect::Read(read) => self.read(read).await,
            Effect::Memory(MemoryEffect::About { about }) => self.recall(&about).await,
            Effect::Memory(MemoryEffect::Remember { text }) => self.remember(&text).await,
            Effect::Note { text } => {
                let mut done = Done::told("it is on the page", false, false);
                done.note = Some(redact(&text).text);
                (done, "ok".to_owned())
            }
            // The gate never clears a change for anybody but the owner of changes, and forgetting is not offered.
            Effect::Change(_) | Effect::Foreign(_) | Effect::Memory(MemoryEffect::Forget { .. }) => {
                let why = "this is done by the owner's own words alone";
                (Done::told(why, true, false), format!("refused: {why}"))
            }
        };
        (done, tier, outcome)
    }

    async fn read(&self, read: Read) -> (Done, String) {
        let cleared = match Gate::new().clear(read) {
            Ok(cleared) => cleared,
            Err(refused) => return (Done::told(&refused.to_string(), true, false), refused.to_string()),
        };
        let (facts, runs) = self.parts.cluster.run(vec![cleared]).await;
        let outcome = runs.into_iter().next().map_or_else(|| "nothing".to_owned(), |run| run.outcome);
        let (text, is_error) = told(&facts);
        (Done::told(&text, is_error, true), outcome)
    }

    /// Asks another server; what it answers is strangers' text.
    async fn foreign(&self, server: &str, cleared: Cleared<Work>) -> (Done, String) {
        let may = || self.parts.safety.switch().power() == Power::On;
        match Box::pin(self.parts.servers.call(cleared, &may)).await {
            Called::Answered { text, is_error } => {
                let outcome = if is_error { "the server says that it failed" } else { "ok" };
                (Done::told(&fenced(server, &text), is_error, true), outcome.to_owned())
            }
            Called::NotCalled(why) => (
                Done::told(&format!("{server} was not asked: {}", fenced(server, &why)), true, true),
                format!("not asked: {why}"),
            ),
            Called::Unknown(why) => {
                let told = format!("{server} was asked, and nobody knows what came of it: {}", fenced(server, &why));
                (Done::told(&told, true, true), format!("unknown: {why}"))
            }
        }
    }

    async fn recall(&self, about: &str) -> (Done, String) {
        let names = self.parts.names.now();
        let asker = self.asking.asker(&names);
        let recalled = match Recollection::new(self.parts, &names, &asker).await {
            Ok(memory) => memory.recalled(about, &asker).await,
            Err(error) => Err(error),
        };
        match recalled {
            Ok((reply, _)) => (Done::told(&reply.speech, false, true), "ok".to_owned()),
            Err(error) => (Done::told("the memory cannot be read now", true, false), error.to_string()),
        }
    }

    async fn remember(&self, text: &str) -> (Done, String) {
        let names = self.parts.names.now();
        let asker = self.asking.asker(&names);
        let memory = match Recollection::new(self.parts, &names, &asker).await {
            Ok(memory) => memory,
            Err(error) => return (Done::told("the memory cannot be written now", true, false), error.to_string()),
        };
        let entry = serde_json::json!({"memories": [{"text": text}]}).to_string();
        let drafts = from_model(&entry, &memory.reader(), false).map(|taken| taken.drafts).unwrap_or_default();
        let Some(draft) = drafts.into_iter().next() else {
            let why = "that names nothing it could be remembered of: say what it is about";
            return (Done::told(why, true, false), "refused".to_owned());
        };
        let now = UnixMillis(crate::event::UnixMillis::now().0);
        let occasion = Occasion { room: self.room.unwrap_or_default().to_owned(), turn: Some(self.turn), now };
        match self.parts.memory.remember(draft, occasion).await {
            Ok(_) => (Done::told("it is remembered", false, false), "ok".to_owned()),
            Err(error) => (Done::told(&error.to_string(), true, false), error.to_string()),
        }
    }
}

/// The tier that a call has at least, where it was not judged to the end.
fn least(kind: Kind) -> Tier {
    if matches!(kind, Kind::Change | Kind::Foreign) { Tier::Yellow } else { Tier::Green }
}

/// Facts for a model: what is known and what could not be learnt, without empty fields; whether nothing at all is known.
fn told(facts: &Facts) -> (String, bool) {
    let mut value = serde_json::to_value(facts).unwrap_or_default();
    let nothing = match value.as_object() {
        Some(fields) => fields.iter().all(|(name, value)| name == "gaps" || value.is_null()),
        None => true,
    };
    sparse(&mut value);
    (value.to_string(), nothing)
}

fn sparse(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()));
            fields.values_mut().for_each(sparse);
        }
        Value::Array(items) => items.iter_mut().for_each(sparse),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jarvis_core::tool::{Gap, GapReason};

    #[test]
    fn what_is_not_known_is_told_and_empty_fields_are_not() {
        let version = Facts { version: Some("9.2.3".into()), ..Facts::default() };
        assert_eq!(told(&version), (r#"{"version":"9.2.3"}"#.to_owned(), false));
        let gap = Gap { read: "tasks".into(), node: None, reason: GapReason::NodeUnknown, detail: "no answer".into() };
        let (text, nothing) = told(&Facts { gaps: vec![gap], ..Facts::default() });
        assert!(nothing && text.contains("no answer") && !text.contains("null"), "{text}");
    }
}
