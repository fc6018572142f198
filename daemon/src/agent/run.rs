//! One run: carries out what [`jarvis_core::agent::Agent`] decides, and speaks while the model still writes.
//!
//! Length: one method for each thing that a run carries out or is told.

use std::future::pending;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jarvis_core::agent::{self, Agent, Effect, End, Input, Start, Step, Telling, When};
use jarvis_core::answer::{Reply, phrase};
use jarvis_core::gate::Voice;
use jarvis_core::ids::{Millis, TurnId};
use jarvis_core::memory::MemoryId;
use jarvis_core::mind::error::{Fault, ProviderError};
use jarvis_core::mind::message::{Ask, Delta, SystemPart};
use jarvis_core::tools::{Call, Kind, MemoryRemember, Tool};
use tokio::sync::{mpsc, watch};

use super::Choice;
use super::prompt::{Prompt, conversation};
use super::record::stored;
use super::tools::{Done, Hands, foreign};
use super::words::{Heard, last_words};
use crate::event::{Route, ToolRun};
use crate::mind::{Answering, Event, Place, Provider};
use crate::store::{RunId, StoreError, ToolRow};
use crate::turn::{Asking, Parts};

/// What is told while a run goes on.
pub(crate) enum Progress {
    /// A sentence to be spoken now.
    Sentence(String),
    /// It waits for this: a node, a guest, the cluster.
    Asks(String),
    /// A tool ran; it is committed.
    Tool(ToolRun),
    /// Who was asked failed; somebody else is, for this reason. It is committed.
    HandedOver(Route),
}

/// What a run leaves.
pub(crate) struct Finished {
    /// All that was said and is to be shown. What of it was not told as [`Progress::Sentence`] is in `rest`.
    pub(crate) reply: Reply,
    /// The last sentences.
    pub(crate) rest: Vec<String>,
    /// Memories that were told.
    pub(crate) memories: Vec<MemoryId>,
    /// Whether strangers may have written some of what was said.
    pub(crate) tainted: bool,
    /// Where the model is that answered to its end, had read nothing of strangers', and had nothing remembered itself.
    pub(crate) answered_by: Option<Place>,
}

/// One run of a model for one attempt of a turn.
pub(crate) struct Run<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) turn: TurnId,
    pub(crate) room: Option<&'a str>,
    pub(crate) voice: Voice,
    pub(crate) asked: &'a str,
    pub(crate) asking: &'a Asking,
    /// True once nobody goes on speaking.
    pub(crate) heard_out: watch::Receiver<bool>,
    pub(crate) tell: mpsc::Sender<Progress>,
}

/// What a run holds while it goes on.
struct Going<'a> {
    run: &'a Run<'a>,
    hands: &'a Hands<'a>,
    choice: Choice,
    system: Vec<SystemPart>,
    memories: Vec<MemoryId>,
    id: RunId,
    agent: Agent,
    base: Ask,
    answering: Option<Answering>,
    jobs: FuturesUnordered<BoxFuture<'a, (u32, usize, Done)>>,
    telling: Telling,
    /// Sentences that came while somebody may go on speaking.
    held: Vec<String>,
    said: Vec<String>,
    /// What the owner hears of the message at hand, which is in no conversation before it is whole.
    lately: Vec<String>,
    /// What is said to the owner in place of the model's words.
    says: Option<Reply>,
    notes: Vec<String>,
    /// The model had something remembered.
    remembers: bool,
    heard_out: bool,
}

impl Run<'_> {
    /// Runs to its end; ends always, by the limits of [`agent::Limits`] at the latest.
    ///
    /// # Errors
    /// Where a step could not be committed: nothing that follows from it was begun.
    pub(crate) async fn run(self, mut choice: Choice) -> Result<Finished, StoreError> {
        let hands =
            Hands { parts: self.parts, turn: self.turn, room: self.room, voice: self.voice, asking: self.asking };
        let offer = foreign(self.parts, &choice.provider.abilities(), self.asked, self.room).await?;
        let Prompt { system, earlier, request, memories } = self.prompt(&mut choice, &offer.lines).await?;
        // What other servers say of their tools is read by the model from its first step on.
        let described = !offer.specs.is_empty();
        let base = self.base(&choice, &system, offer.specs);
        let messages = conversation(&earlier, request, &base, choice.provider.abilities().window_tokens);
        let start = Start { messages, when: when(&*choice.provider), tainted: false, described };
        let (id, agent) = self.begin(&*choice.provider, start, None).await?;
        let mut going = Going {
            run: &self,
            hands: &hands,
            choice,
            system,
            memories,
            id,
            agent,
            base,
            answering: None,
            jobs: FuturesUnordered::new(),
            telling: Telling::new(),
            held: Vec::new(),
            said: Vec::new(),
            lately: Vec::new(),
            says: None,
            notes: Vec::new(),
            remembers: false,
            heard_out: false,
        };
        let mut end = going.until_over().await?;
        if matches!(end, End::Broken { .. }) && going.hand_over().await? {
            end = going.until_over().await?;
        }
        Ok(going.finish(end))
    }

    async fn tell(&self, progress: Progress) {
        if self.tell.send(progress).await.is_err() {
            tracing::debug!(turn = %self.turn, "nobody listens to this run any more");
        }
    }
}

impl<'a> Going<'a> {
    async fn until_over(&mut self) -> Result<End, StoreError> {
        let mut heard_out = self.run.heard_out.clone();
        loop {
            while let Some(effect) = self.agent.poll_output() {
                if let Some(end) = self.carry_out(effect).await? {
                    return Ok(end);
                }
            }
            let wait = self.agent.poll_timeout().map(|due| Duration::from_millis(due.since(now()).max(1)));
            tokio::select! {
                over = is_over(&mut heard_out), if !self.heard_out => {
                    if over {
                        // The turn is over, and this run with it.
                        pending::<()>().await;
                    }
                    self.hear_out().await;
                }
                event = next(&mut self.answering) => self.answered(event).await,
                Some((step, at, done)) = self.jobs.next(), if !self.jobs.is_empty() => self.ran(step, at, done).await?,
                () = sleep(wait) => self.agent.handle_timeout(now()),
            }
        }
    }

    /// Goes on with who comes next, who is told what was learnt so far. False where nobody does.
    async fn hand_over(&mut self) -> Result<bool, StoreError> {
        if !self.choice.hand_over() {
            return Ok(false);
        }
        let provider = self.choice.provider.clone();
        let route = self.choice.route();
        self.run.parts.store.route(self.run.turn, route.kind.as_str(), &route.reason).await?;
        self.run.tell(Progress::HandedOver(route)).await;
        let messages = agent::handed_over(self.agent.messages().to_vec(), &std::mem::take(&mut self.lately));
        let offer = foreign(self.run.parts, &provider.abilities(), self.run.asked, self.run.room).await?.specs;
        // Who was asked before may have repeated what other servers say.
        let (tainted, described) = (self.agent.is_tainted(), self.agent.is_told_of_servers() || !offer.is_empty());
        let start = Start { messages, when: when(&*provider), tainted, described };
        self.base = self.run.base(&self.choice, &self.system, offer);
        (self.id, self.agent) = self.run.begin(&*provider, start, Some(&self.agent)).await?;
        if self.heard_out {
            self.agent.handle(Input::HeardOut, now());
        }
        // Reads that were given up; a change goes on by itself and tells its end.
        self.jobs = FuturesUnordered::new();
        Ok(true)
    }

    async fn carry_out(&mut self, effect: Effect) -> Result<Option<End>, StoreError> {
        match effect {
            Effect::Write(step) => write(self.run, self.id, &step).await?,
            Effect::Ask => self.ask(),
            Effect::Read { at, call } => {
                self.run.tell(Progress::Asks(agent::asks(&call))).await;
                self.begin(at, call, false);
            }
            Effect::Change { at, call, tainted } => {
                if call.tool().kind() == Kind::Foreign {
                    self.run.tell(Progress::Asks(agent::asks(&call))).await;
                }
                self.begin(at, call, tainted);
            }
            // Its result does not count; it is dropped with the run, at the latest.
            Effect::Abandon { at } => tracing::debug!(turn = %self.run.turn, at, "a tool did not answer in time"),
            Effect::End(end) => return Ok(Some(end)),
        }
        Ok(None)
    }

    /// Asks the provider: the one place from which money is spent. What it took is in the reply, or in [`Answering::usage`].
    fn ask(&mut self) {
        let ask = Ask { messages: self.agent.messages().to_vec(), ..self.base.clone() };
        self.answering = Some(Answering::new(self.choice.provider.clone(), ask));
    }

    fn begin(&mut self, at: usize, call: Call, tainted: bool) {
        let (hands, step) = (self.hands, self.agent.steps());
        self.jobs.push(Box::pin(async move { (step, at, hands.run(call, tainted).await) }));
    }

    async fn hear_out(&mut self) {
        self.heard_out = true;
        for sentence in std::mem::take(&mut self.held) {
            self.speak(sentence).await;
        }
        self.agent.handle(Input::HeardOut, now());
    }

    async fn answered(&mut self, event: Option<Result<Event, ProviderError>>) {
        match event {
            Some(Ok(Event::Delta(Delta::Text { text, .. } | Delta::Progress { text, .. }))) => {
                let sentences = self.telling.push(&text);
                self.say(sentences).await;
            }
            Some(Ok(Event::Again { after_ms, error })) => {
                tracing::info!(turn = %self.run.turn, after_ms, "the model is asked again: {error}");
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => self.failed(error).await,
            None => {
                let sentences = self.telling.pause();
                self.say(sentences).await;
                let Some(answering) = self.answering.take() else { return };
                match answering.reply() {
                    Some(reply) => {
                        self.lately.clear();
                        self.judge(None);
                        self.agent.handle(Input::Answered(Box::new(reply)), now());
                    }
                    None => {
                        let name = self.choice.provider.name();
                        self.failed(ProviderError::new(name, Fault::Garbage, "the pieces make no answer")).await;
                    }
                }
            }
        }
    }

    async fn failed(&mut self, error: ProviderError) {
        self.answering = None;
        let sentences = self.telling.pause();
        self.say(sentences).await;
        self.judge(Some(&error.to_string()));
        self.agent.handle(Input::Failed(error), now());
    }

    fn judge(&self, trouble: Option<&str>) {
        let run = self.run;
        run.parts.bounds.judge(&run.parts.bus, self.choice.provider.name(), trouble);
    }

    async fn ran(&mut self, step: u32, at: usize, done: Done) -> Result<(), StoreError> {
        let Done { ran, shown, says, note } = done;
        if let Some(tool) = shown {
            let ToolRun { name, args, tier, outcome, ms } = tool.clone();
            self.remembers |= name == MemoryRemember::NAME;
            self.run.parts.store.tool(self.run.turn, ToolRow { name, args, tier, outcome, ms }).await?;
            self.run.tell(Progress::Tool(tool)).await;
        }
        self.notes.extend(note);
        // What was given up in an earlier step is not the answer to a call of this one.
        if step == self.agent.steps() {
            self.says = says.or(self.says.take());
            self.agent.handle(Input::Ran { at, ran }, now());
        }
        Ok(())
    }

    /// Speaks sentences, or keeps them while somebody may go on.
    async fn say(&mut self, sentences: Vec<String>) {
        self.lately.extend(sentences.iter().cloned());
        if !self.heard_out {
            self.held.extend(sentences);
            return;
        }
        for sentence in sentences {
            self.speak(sentence).await;
        }
    }

    async fn speak(&mut self, sentence: String) {
        self.said.push(sentence.clone());
        self.run.tell(Progress::Sentence(sentence)).await;
    }

    /// The last words, and all of it as it is kept.
    fn finish(self, end: End) -> Finished {
        let Self { run, choice, agent, memories, telling, mut held, said, says, notes, remembers, .. } = self;
        let told = telling.close();
        held.extend(told.rest.iter().cloned());
        let any = !said.is_empty() || !held.is_empty();
        let shown = !notes.is_empty();
        held.extend(last_words(&end, &told, Heard { any, shown }, choice.provider.name(), run.turn.0));
        let (mut listen, mut asks, mut page, mut tainted) = (false, None, notes, agent.is_tainted());
        // Its words may repeat what other servers say of their tools.
        tainted |= agent.is_told_of_servers();
        if let End::Refused { why: Some(why) } = &end {
            page.push(jarvis_core::redact::redact(why).text);
        }
        if let End::Broken { error } = &end {
            page.push(error.to_string());
        }
        if let Some(says) = says.filter(|_| matches!(end, End::HandedOver { .. } | End::Declined)) {
            // The gate's words name what is to be changed, as its makers called it.
            tainted = true;
            held.push(says.speech);
            page.extend(says.page);
            (listen, asks) = (says.listen, says.asks);
        }
        if let End::HandedOver { left: 1.., .. } = &end {
            // Before the question, which is answered by the next word.
            let at = held.len().saturating_sub(1);
            held.insert(at, phrase("agent.more", run.turn.0, &[]));
        }
        page.extend(told.page);
        tracing::info!(turn = run.turn.0, end = end.name(), "a model's run is over");
        let is_own = matches!(end, End::Answered { cut: false }) && !tainted && !remembers;
        let answered_by = is_own.then(|| choice.provider.abilities().place);
        let speech = said.iter().chain(&held).map(String::as_str).collect::<Vec<_>>().join(" ");
        let page = (!page.is_empty()).then(|| page.join("\n\n"));
        Finished {
            reply: Reply { speech, page, listen, asks, ..Reply::default() },
            rest: held,
            memories,
            tainted,
            answered_by,
        }
    }
}

/// A model elsewhere is asked, and paid, only for what was heard out.
fn when(provider: &dyn Provider) -> When {
    match provider.abilities().place {
        Place::Local => When::AtOnce,
        Place::Cloud => When::HeardOut,
    }
}

async fn write(run: &Run<'_>, id: RunId, step: &Step) -> Result<(), StoreError> {
    let ending = match step {
        Step::Ended { end } => serde_json::to_string(end)
            .inspect_err(|error| tracing::error!(turn = run.turn.0, "a run's end is not in its row: {error}"))
            .ok(),
        _ => None,
    };
    run.parts.store.run_step(id, step.name(), stored(step), ending).await
}

/// Waits until nobody goes on speaking; true where the turn is over instead. Cancel-safe.
async fn is_over(heard_out: &mut watch::Receiver<bool>) -> bool {
    heard_out.wait_for(|out| *out).await.is_err()
}

/// What happens next with the model; never, where none is asked. Cancel-safe.
async fn next(answering: &mut Option<Answering>) -> Option<Result<Event, ProviderError>> {
    match answering {
        Some(answering) => answering.next().await,
        None => pending().await,
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => pending().await,
    }
}

/// Milliseconds on a clock of this process.
pub(super) fn now() -> Millis {
    static ZERO: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let zero = ZERO.get_or_init(Instant::now);
    Millis(u64::try_from(zero.elapsed().as_millis()).unwrap_or(u64::MAX))
}
