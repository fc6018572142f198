//! What a model is told before it is asked: instructions, what was said before, the request, and what it may call.

use jarvis_core::agent::{Agent, Start, mentioned};
use jarvis_core::context::{self, Earlier};
use jarvis_core::memory::MemoryId;
use jarvis_core::mind::estimate;
use jarvis_core::mind::message::{Ask, Message, SystemPart, ThinkingWish, ToolSpec};
use jarvis_core::redact::redact;
use jarvis_core::route::named;

use super::Choice;
use super::run::{Run, now};
use super::tools::SMALL_WINDOW;
use crate::mind::{Place, Provider};
use crate::store::{EarlierRow, RunId, StoreError};
use crate::turn::Recollection;

/// An answer takes at most this share of a model's window.
const ANSWER_SHARE: u64 = 4;

/// Turns of a conversation that are looked at for what is private; fewer are told.
const LOOKED_AT_MAX: u32 = 200;

/// What a model is told: instructions and the conversation. Nothing in it was written by strangers.
pub(super) struct Prompt {
    pub(super) system: Vec<SystemPart>,
    /// What was said before.
    pub(super) earlier: Vec<Earlier>,
    pub(super) request: Message,
    /// Memories that were told.
    pub(super) memories: Vec<MemoryId>,
}

impl Run<'_> {
    /// The prompt of the request, for who is asked first. What is told to a model in the house and may not leave it takes the cloud from
    /// those to whom the request may be handed over.
    /// `servers` is what there is to say of the owner's other servers, in Jarvis's own words.
    pub(super) async fn prompt(&self, choice: &mut Choice, servers: &[String]) -> Result<Prompt, StoreError> {
        let names = self.parts.names.now();
        let asker = self.asking.asker(&names);
        let memory = Recollection::new(self.parts, &names, &asker).await?;
        let reader = memory.reader();
        let asked = redact(self.asked).text;
        let (told, rows) = tokio::join!(
            self.parts.context.system(reader.question(&asked), self.room.unwrap_or_default()),
            self.parts.store.earlier(self.turn, LOOKED_AT_MAX),
        );
        let (told, mut rows) = (told?, rows?);
        let things = named(&names);
        let stays = |words: &str| self.parts.minds.keep_in_house(words, &things);
        if choice.provider.abilities().place == Place::Cloud {
            rows = for_a_cloud(rows, stays);
        } else if rows.iter().any(|row| stays(&row.transcript))
            && choice.next.take_if(|next| next.abilities().place == Place::Cloud).is_some()
        {
            tracing::info!(turn = self.turn.0, "what was said before is private, so no cloud may go on with this");
        }
        let named = mentioned(&reader, &asked);
        let beside: Vec<&str> = named.iter().chain(servers).map(String::as_str).collect();
        let words = if beside.is_empty() { asked } else { format!("{asked}\n\n{}", beside.join("\n")) };
        Ok(Prompt {
            system: told.system,
            earlier: rows.into_iter().map(earlier).collect(),
            request: Message::user(words),
            memories: told.memories,
        })
    }

    /// What the chosen provider is asked with, but for the conversation; `foreign` are tools of the owner's other servers.
    pub(super) fn base(&self, choice: &Choice, system: &[SystemPart], foreign: Vec<ToolSpec>) -> Ask {
        let abilities = choice.provider.abilities();
        let rights = self.parts.safety.policy().rights(self.room);
        let small = abilities.window_tokens <= SMALL_WINDOW;
        let mut tools = match abilities.tools {
            true => context::tools_for(self.asked, rights, choice.tools.as_deref(), small),
            false => Vec::new(),
        };
        tools.extend(foreign);
        let share = u32::try_from(abilities.window_tokens / ANSWER_SHARE).unwrap_or(u32::MAX);
        Ask {
            system: system.to_vec(),
            tools,
            max_tokens: self.parts.bounds.answer_tokens().min(share),
            thinking: ThinkingWish::Least,
            ..Ask::default()
        }
    }

    /// A loop with one provider, as it is written down; `before` is the one that broke off.
    pub(super) async fn begin(
        &self,
        provider: &dyn Provider,
        start: Start,
        before: Option<&Agent>,
    ) -> Result<(RunId, Agent), StoreError> {
        let limits = self.parts.bounds.limits().for_window(provider.abilities().window_tokens);
        let id = self.parts.store.begin_run(self.turn, provider.name(), provider.model().as_str()).await?;
        let agent = match before {
            Some(before) => before.successor(start, limits, now()),
            None => Agent::new(start, limits, now()),
        };
        Ok((id, agent))
    }
}

/// The conversation that a provider is asked with: what was said before, as far as it fits beside the rest, and the request.
pub(super) fn conversation(earlier: &[Earlier], request: Message, base: &Ask, window: u64) -> Vec<Message> {
    let pinned = [estimate::preamble(&base.system, &base.tools), estimate::message(&request), base.max_tokens.into()];
    let mut messages = context::history(earlier, pinned.iter().fold(0, |a, b| a.saturating_add(*b)), window);
    messages.push(request);
    messages
}

/// What may be told of a conversation outside the house. What is private is not; nor are, from then on, the answers of models in the
/// house, which were told it.
fn for_a_cloud(rows: Vec<EarlierRow>, stays: impl Fn(&str) -> bool) -> Vec<EarlierRow> {
    let (mut told, mut private) = (Vec::new(), false);
    for mut row in rows {
        if stays(&row.transcript) {
            private = true;
            continue;
        }
        if private && !row.by_cloud {
            row.untainted_reply = None;
        }
        told.push(row);
    }
    told
}

/// A turn as a model may be told of it.
fn earlier(row: EarlierRow) -> Earlier {
    let EarlierRow { transcript, untainted_reply, tools, by_cloud: _ } = row;
    Earlier { asked: redact(&transcript).text, answer: untainted_reply.map(|reply| redact(&reply).text), tools }
}

#[cfg(test)]
mod tests {
    use jarvis_core::context::HISTORY_TOKENS_MAX;
    use jarvis_core::tool::Tier;
    use proptest::prelude::*;

    use super::*;
    use crate::store::{NewTurn, Source, Store, ToolRow};

    /// The conversation that a model is asked with after a turn in which `said` was answered.
    async fn after(said: &str, tainted: bool) -> Result<String, StoreError> {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&folder.path().join("jarvis.db"))?;
        let turn = |started_ms| NewTurn {
            room: "study".into(),
            satellite: None,
            source: Source::Typed,
            started_ms,
            wake: None,
        };
        let before = store.begin_turn(turn(1_000)).await?;
        store.transcript(before, "which machines run").await?;
        // What no tool of this house is called does not come through either.
        let row = |name: &str| ToolRow {
            name: name.to_owned(),
            args: said.into(),
            tier: Tier::Green,
            outcome: said.to_owned(),
            ms: 1,
        };
        store.tool(before, row("cluster")).await?;
        if tainted {
            store.tool(before, row(said)).await?;
            store.reply(before, said).await?;
        } else {
            store.untainted_reply(before, said).await?;
        }
        store.finish(before, None).await?;
        let now = store.begin_turn(turn(2_000)).await?;
        let rows = store.earlier(now, LOOKED_AT_MAX).await?;
        let told: Vec<Earlier> = rows.into_iter().map(earlier).collect();
        let messages = conversation(&told, Message::user("and now"), &Ask::default(), 8 * HISTORY_TOKENS_MAX);
        Ok(messages.iter().map(Message::text).collect::<Vec<_>>().join("\n"))
    }

    fn told(said: &str, tainted: bool) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(after(said, tainted)).unwrap()
    }

    #[test]
    fn an_answer_of_the_models_own_is_told() {
        assert_eq!(told("Four of them, sir.", false), "which machines run\nFour of them, sir.\nand now");
        let secret = told("The token is PVEAPIToken=root@pam!x=0f3c2a51-9d1b-4c7e-8a44-1b2c3d4e5f60.", false);
        assert!(secret.contains("[secret") && !secret.contains("0f3c2a51"), "{secret}");
    }

    #[test]
    fn a_cloud_is_told_nothing_of_what_is_private_nor_of_what_was_answered_on_it_in_the_house() {
        let row = |asked: &str, reply: &str, by_cloud| EarlierRow {
            transcript: asked.to_owned(),
            untainted_reply: Some(reply.to_owned()),
            tools: Vec::new(),
            by_cloud,
        };
        let rows = vec![
            row("tell me a joke", "a joke", false),
            row("ponder my prescription", "in the drawer", false),
            row("what colour is it", "the pills are blue", false),
            row("debug it", "the cable", true),
        ];
        let told: Vec<(String, Option<String>)> = for_a_cloud(rows, |words| words.contains("prescription"))
            .into_iter()
            .map(|row| (row.transcript, row.untainted_reply))
            .collect();
        let pair = |asked: &str, reply: Option<&str>| (asked.to_owned(), reply.map(str::to_owned));
        let wanted = [("tell me a joke", Some("a joke")), ("what colour is it", None), ("debug it", Some("the cable"))];
        assert_eq!(told, wanted.map(|(asked, reply)| pair(asked, reply)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn words_of_strangers_are_in_no_later_prompt(said in "[a-zA-Z0-9 <>/.\\[\\]_-]{0,60}zq[a-z0-9 _-]{4,30}") {
            let text = told(&said, true);
            prop_assert!(!text.contains("zq"), "{text}");
            prop_assert!(text.contains("which machines run") && text.contains("by read_cluster"), "{text}");
        }
    }
}
