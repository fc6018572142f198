//! From a request to an answer: understand, route, clear the reads, run them, put it in words. Each step is committed before it is told.

use jarvis_core::answer::{self, Asker, Reply, Trouble};
use jarvis_core::costs;
use jarvis_core::gate::{Gate, Power, Voice};
use jarvis_core::ids::TurnId;
use jarvis_core::intent::{Intent, Understood};
use jarvis_core::names::Names;
use jarvis_core::tool::Facts;
use jarvis_core::turn::{Attempt, Input, Outcome};
use tokio::sync::{mpsc, watch};

use super::change::{self, Changing};
use super::driver::News;
use super::money;
use super::remember::{self, Asked, Recollection, Step};
use super::{Asking, Before, Parts};
use crate::agent;
use crate::event::{EventKind, Listener, Route, RouteKind, Told, ToolRun, UnixMillis};
use crate::store::{StoreError, ToolRow};

/// What a model's run may have told that is not passed on yet; it waits then.
const PROGRESS_MAX: usize = 16;

/// One attempt at answering.
pub(super) struct Job {
    pub(super) parts: Parts,
    pub(super) turn: TurnId,
    pub(super) attempt: Attempt,
    pub(super) room: String,
    pub(super) voice: Voice,
    pub(super) before: Before,
    pub(super) asked: String,
    /// Whether Jarvis is sure to have been spoken to.
    pub(super) addressed: bool,
    /// True once nobody goes on speaking: before that nothing may be changed.
    pub(super) heard_out: watch::Receiver<bool>,
    pub(super) news: mpsc::Sender<News>,
}

impl Job {
    /// Runs to the end; the outcome always comes.
    pub(super) async fn run(self) {
        let outcome = match self.answer().await {
            Ok(outcome) => outcome,
            Err(error) => {
                let reason = error.to_string();
                self.tell(News::Broken { part: "store", reason }).await;
                Outcome::Failed(Trouble::NoRecords)
            }
        };
        self.tell(News::Input(Input::Answered(self.attempt, outcome))).await;
    }

    async fn answer(&self) -> Result<Outcome, StoreError> {
        let names = self.parts.names.first().await;
        let asking = Asking::new(&self.parts, &self.room, self.before.clone(), self.turn).await;
        let asker = asking.asker(&names);
        match self.parts.grammar.understand(&self.asked, &names) {
            Understood::Intent { intent, score, pattern } => {
                self.tell(News::Input(Input::Understood(self.attempt))).await;
                let reason = format!("{}, score {score:.2}: {pattern}", intent.kind);
                self.understood(&intent, reason, &names, &asker).await
            }
            Understood::Ambiguous { question, choices, intent_kind } => {
                self.tell(News::Input(Input::Understood(self.attempt))).await;
                let fits = if choices.is_empty() { "nothing fits".into() } else { choices.join(", ") + " would fit" };
                self.route(RouteKind::Question, format!("{intent_kind}: {fits}")).await?;
                self.give(Reply { speech: question, ..Reply::default() }, Vec::new()).await?;
                Ok(Outcome::Reply)
            }
            Understood::Nothing { heard } => self.not_understood(&heard, &names, &asking).await,
        }
    }

    /// A request that the grammar knows: a change, something of the memory, or what the cluster and the house themselves say.
    async fn understood(
        &self,
        intent: &Intent,
        reason: String,
        names: &Names,
        asker: &Asker<'_>,
    ) -> Result<Outcome, StoreError> {
        if change::is_about(intent) {
            self.route(RouteKind::Intent, reason).await?;
            let changed = self.changing().run(intent).await;
            self.ran(changed.tools).await?;
            self.give(changed.reply, Vec::new()).await?;
            return Ok(Outcome::Reply);
        }
        if remember::is_asked(intent) {
            self.route(RouteKind::Intent, reason).await?;
            let memory = Recollection::new(&self.parts, names, asker).await?;
            return self.remembered(memory.step(intent, asker).await?, asker).await;
        }
        let taken_back = match intent.kind.as_str() {
            "control.cancel" => self.changing().cancel().await,
            _ => None,
        };
        // Who answers is committed before anything is shown of the answer; the reads need not wait for it.
        let (routed, (facts, tools)) = tokio::join!(self.route(RouteKind::Intent, reason), read(&self.parts, intent));
        routed?;
        let reply = match (taken_back, money::asked(intent)) {
            (Some(changed), _) => changed.reply,
            (None, Some(span)) => money::reply(&self.parts.minds, span, asker).await?,
            (None, None) => answer::answer(intent, &facts, asker),
        };
        let outcome = if reply.speech.trim().is_empty() { Outcome::Quiet } else { Outcome::Reply };
        self.give(reply, tools).await?;
        Ok(outcome)
    }

    /// Words that the grammar does not know: something told in passing, or a request for a model, where there is one.
    async fn not_understood(&self, heard: &str, names: &Names, asking: &Asking) -> Result<Outcome, StoreError> {
        let asker = asking.asker(names);
        if self.addressed
            && let Some(write) = Recollection::new(&self.parts, names, &asker).await?.stated(&self.asked)
        {
            self.tell(News::Input(Input::Understood(self.attempt))).await;
            self.route(RouteKind::Intent, "memory.remember, by a statement".to_owned()).await?;
            return self.remembered(Step::Write(write), &asker).await;
        }
        // What a false wake heard is no request, and nobody else hears of it.
        let nobody = match self.addressed {
            true => match agent::choose(&self.parts, &self.asked, self.turn, &self.room).await {
                Ok(choice) => return self.mind(choice, asking).await,
                Err(agent::Nobody::Configured) => None,
                Err(agent::Nobody::Free(reason)) => Some(reason),
            },
            false => None,
        };
        let why = nobody.map_or_else(|| "no request that I know".to_owned(), |reason| reason.text());
        self.route(RouteKind::NotUnderstood, why).await?;
        let mut reply = answer::not_understood(heard, &asker);
        if let Some(words) = self.money_words() {
            reply.speech = format!("{} {words}", reply.speech);
        }
        self.give(reply, Vec::new()).await?;
        Ok(Outcome::NotUnderstood)
    }

    /// An answer and what was run for it: committed, then told.
    async fn give(&self, reply: Reply, tools: Vec<ToolRun>) -> Result<(), StoreError> {
        self.parts.store.answered(self.turn, tools.iter().map(row).collect(), &reply.speech).await?;
        for tool in tools {
            self.tell(News::Tool { attempt: self.attempt, tool }).await;
        }
        self.tell(News::Reply { attempt: self.attempt, reply }).await;
        Ok(())
    }

    /// What the memory brings to a request: an answer made of memories, or something to be written, which waits until nobody goes on
    /// speaking. The turn takes this job away where somebody does.
    async fn remembered(&self, step: Step, asker: &Asker<'_>) -> Result<Outcome, StoreError> {
        let reply = match step {
            Step::Answer { reply, of } => {
                self.tell(News::Recalled { attempt: self.attempt, ids: of }).await;
                reply
            }
            Step::Write(write) => {
                if self.heard_out.clone().wait_for(|out| *out).await.is_err() {
                    // The turn is over, and this job with it.
                    std::future::pending::<()>().await;
                }
                let asked = Asked { turn: self.turn, room: self.room(), voice: self.voice };
                let (reply, tool) = write.perform(&self.parts, asked, asker).await?;
                self.ran(vec![tool]).await?;
                reply
            }
        };
        self.parts.store.reply(self.turn, &reply.speech).await?;
        self.tell(News::Reply { attempt: self.attempt, reply }).await;
        Ok(Outcome::Reply)
    }

    /// A model answers; what it says is spoken as it comes.
    async fn mind(&self, choice: agent::Choice, asking: &Asking) -> Result<Outcome, StoreError> {
        let Route { kind, reason } = choice.route();
        self.route(kind, reason).await?;
        let out_of_money = choice.reason.is_out_of_money();
        self.tell(News::Input(Input::Understood(self.attempt))).await;
        self.tell(News::Input(Input::Minding(self.attempt))).await;
        let (tell, mut progress) = mpsc::channel(PROGRESS_MAX);
        let run = agent::Run {
            parts: &self.parts,
            turn: self.turn,
            room: self.room(),
            voice: self.voice,
            asked: &self.asked,
            asking,
            heard_out: self.heard_out.clone(),
            tell,
        };
        let mut said = Vec::new();
        let finished = {
            let mut power = self.parts.bus.listen();
            let mut run = std::pin::pin!(run.run(choice));
            loop {
                tokio::select! {
                    Some(progress) = progress.recv() => self.progressed(progress, &mut said).await,
                    finished = &mut run => break Some(finished?),
                    // With its run the question goes: the provider is hung up on, and the bill stops.
                    () = stood_down(&mut power, &self.parts) => break None,
                }
            }
        };
        while let Ok(progress) = progress.try_recv() {
            self.progressed(progress, &mut said).await;
        }
        let finished = finished.unwrap_or_else(|| agent::stood_down(&said, self.turn));
        let agent::Finished { mut reply, mut rest, memories, tainted, answered_by } = finished;
        self.tell(News::Recalled { attempt: self.attempt, ids: memories }).await;
        if let Some(place) = answered_by {
            let gleaning = agent::Gleaning {
                turn: self.turn,
                room: self.room.clone(),
                asked: self.asked.clone(),
                answered: reply.speech.clone(),
                place,
            };
            self.tell(News::Gleaning { attempt: self.attempt, gleaning: Box::new(gleaning) }).await;
        }
        // A question is the last word: it is answered by the next one.
        if reply.asks.is_none() {
            let instead = out_of_money.then(|| costs::out_of_money(self.turn.0));
            for words in instead.into_iter().chain(self.money_words()) {
                reply.speech = format!("{} {words}", reply.speech);
                rest.push(words);
            }
        }
        match tainted {
            true => self.parts.store.reply(self.turn, &reply.speech).await?,
            false => self.parts.store.untainted_reply(self.turn, &reply.speech).await?,
        }
        for sentence in rest {
            self.tell(News::Sentence { attempt: self.attempt, text: sentence }).await;
        }
        self.tell(News::Reply { attempt: self.attempt, reply }).await;
        Ok(Outcome::Reply)
    }

    async fn progressed(&self, progress: agent::Progress, said: &mut Vec<String>) {
        let attempt = self.attempt;
        if let agent::Progress::Sentence(text) = &progress {
            said.push(text.clone());
        }
        self.tell(match progress {
            agent::Progress::Sentence(text) => News::Sentence { attempt, text },
            agent::Progress::Asks(what) => News::Asks { attempt, what },
            agent::Progress::Tool(tool) => News::Tool { attempt, tool },
            agent::Progress::HandedOver(route) => News::Route { attempt, route },
        })
        .await;
    }

    /// A word on money that is due, once.
    fn money_words(&self) -> Option<String> {
        let books = self.parts.minds.books();
        books.take_notice().map(|notice| costs::notice(notice, &books.caps(), self.turn.0))
    }

    fn room(&self) -> Option<&str> {
        Some(self.room.as_str()).filter(|room| !room.is_empty())
    }

    async fn route(&self, kind: RouteKind, reason: String) -> Result<(), StoreError> {
        let route = Route { kind, reason };
        self.parts.store.route(self.turn, route.kind.as_str(), &route.reason).await?;
        self.tell(News::Route { attempt: self.attempt, route }).await;
        Ok(())
    }

    fn changing(&self) -> Changing<'_> {
        Changing {
            parts: &self.parts,
            turn: self.turn,
            room: self.room(),
            voice: self.voice,
            heard_out: self.heard_out.clone(),
        }
    }

    async fn ran(&self, tools: Vec<ToolRun>) -> Result<(), StoreError> {
        for tool in tools {
            self.parts.store.tool(self.turn, row(&tool)).await?;
            self.tell(News::Tool { attempt: self.attempt, tool }).await;
        }
        Ok(())
    }

    async fn tell(&self, news: News) {
        if self.news.send(news).await.is_err() {
            tracing::debug!(turn = %self.turn, "the turn ended before its answer was made");
        }
    }
}

/// Begins the reads of a request that is whole so far. What they bring is kept by the cluster's client for some seconds, so that it
/// is there when the end of speech is decided; nothing is shown or written down for it.
pub(super) async fn foresee(parts: Parts, asked: String) {
    let names = parts.names.now();
    if let Understood::Intent { intent, .. } = parts.grammar.understand(&asked, &names) {
        let (_, ran) = read(&parts, &intent).await;
        tracing::trace!(reads = ran.len(), "read ahead");
    }
}

/// Clears the reads of a request and runs them.
async fn read(parts: &Parts, intent: &Intent) -> (Facts, Vec<ToolRun>) {
    let gate = Gate::new();
    let mut cleared = Vec::new();
    let mut tools = Vec::new();
    for read in answer::reads(intent) {
        let (name, tier) = (read.name(), read.tier());
        match gate.clear(read) {
            Ok(read) => cleared.push(read),
            Err(refusal) => tools.push(ToolRun {
                name: name.to_owned(),
                args: serde_json::Value::Null,
                tier,
                outcome: refusal.to_string(),
                ms: 0,
            }),
        }
    }
    if cleared.is_empty() {
        return (Facts::default(), tools);
    }
    let (facts, ran) = parts.cluster.run(cleared).await;
    tools.extend(ran);
    (facts, tools)
}

fn row(tool: &ToolRun) -> ToolRow {
    ToolRow {
        name: tool.name.clone(),
        args: tool.args.clone(),
        tier: tool.tier,
        outcome: tool.outcome.clone(),
        ms: tool.ms,
    }
}

/// Waits until somebody sets the kill switch. Cancel-safe.
async fn stood_down(told: &mut Listener, parts: &Parts) {
    while let Some(news) = told.next().await {
        let of_power = match news {
            Told::Event(event) => matches!(event.kind, EventKind::Power { .. }),
            // It may have been among those that were lost.
            Told::Lost(_) => true,
        };
        if of_power && parts.safety.switch().power() == Power::Stopped {
            return;
        }
    }
    std::future::pending().await
}

/// Milliseconds of the wall clock, for the store.
pub(super) fn unix_ms() -> i64 {
    UnixMillis::now().0
}
