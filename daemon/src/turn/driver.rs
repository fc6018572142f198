//! One turn's task: carries out what [`jarvis_core::turn::Turn`] decides, and tells it what came of it.
//!
//! Length: the one place where effects of the core become calls; splitting it would hide their order.

mod effects;
mod streaming;

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jarvis_core::answer::{Act, Reply, Trouble};
use jarvis_core::endpoint::Meaning;
use jarvis_core::ids::{ApprovalId, SatelliteId, TurnId};
use jarvis_core::memory::{MemoryId, UnixMillis};
use jarvis_core::turn::{self as core, Attempt, Ending, Input, Outcome, Turn};
use jarvis_link::message::{DaemonMicros, Generation, Settings, Utterance};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};

use super::answer::unix_ms;
use super::hearing::{Begun, Hearing};
use super::parts::millis;
use super::record::Recording;
use super::speak::Text;
use super::{Before, Origin, Parts};
use crate::agent::Gleaning;
use crate::ear::{EarError, EarHeard};
use crate::event::{EventKind, Route, ToolRun, TurnRecord};
use crate::hub::PlaybackNews;
use crate::store::{NewTurn, Store, WakeRow};

/// Generations that one turn may use up: it opens one answer per attempt.
pub(super) const GENERATIONS_PER_TURN: u64 = 1 << 16;
/// News of a turn's jobs that may wait; jobs then wait as well.
const NEWS_MAX: usize = 64;
/// The store must begin a turn within this, else the turn says sorry.
const STORE_MAX: Duration = Duration::from_secs(3);
/// How long the room listens for the answer to a question.
const LISTEN_MS: u16 = 8000;
/// "Louder" and "quieter".
const VOLUME_STEP: u8 = 10;

/// To a turn.
#[derive(Debug)]
pub(super) enum ToTurn {
    Frame { captured: DaemonMicros, voice: u8, samples: Vec<i16> },
    MicEnded(core::MicEnd),
    LinkUp,
    LinkDown,
    Playback { generation: Generation, news: PlaybackNews },
    StopPressed,
    Superseded,
    Shutdown,
}

/// From a turn's jobs.
pub(super) enum News {
    Input(Input),
    Route {
        attempt: Attempt,
        route: Route,
    },
    Tool {
        attempt: Attempt,
        tool: ToolRun,
    },
    /// A model's sentence, to be spoken before its answer is whole.
    Sentence {
        attempt: Attempt,
        text: String,
    },
    /// A model waits for this: a node, a guest, the cluster.
    Asks {
        attempt: Attempt,
        what: String,
    },
    Reply {
        attempt: Attempt,
        reply: Reply,
    },
    Recalled {
        attempt: Attempt,
        ids: Vec<MemoryId>,
    },
    /// What may be worth remembering once the turn is over.
    Gleaning {
        attempt: Attempt,
        gleaning: Box<Gleaning>,
    },
    Broken {
        part: &'static str,
        reason: String,
    },
}

/// What a turn begins with.
pub(super) struct Begin {
    /// Set once the turn has its number, before anybody is told of it.
    pub(super) number: Arc<OnceLock<TurnId>>,
    pub(super) parts: Parts,
    pub(super) room: String,
    pub(super) satellite: Option<SatelliteId>,
    pub(super) origin: Origin,
    pub(super) before: Before,
    pub(super) generation: Generation,
    pub(super) messages: mpsc::Receiver<ToTurn>,
}

/// What a job of a turn does, should it panic.
#[derive(Debug, Clone, Copy)]
enum Work {
    Commit,
    Answer,
    Speak,
}

/// An answer being spoken.
struct Speaker {
    attempt: Attempt,
    generation: Generation,
    texts: mpsc::Sender<Text>,
}

/// The task. See the module.
pub(super) struct Driver {
    begin: Begin,
}

impl Driver {
    pub(super) fn new(begin: Begin) -> Self {
        Self { begin }
    }

    /// Runs the turn to its end; ends always. Beside its record, the parts that failed in it.
    pub(super) async fn run(self) -> (TurnRecord, Vec<String>) {
        let spoken = matches!(self.begin.origin, Origin::Heard { .. });
        // "Hey jarvis, cancel that" must come before what was approved a moment ago.
        let _hold = spoken.then(|| self.begin.parts.safety.hold(&self.begin.room));
        let mut running = Running::new(self.begin).await;
        let ending = running.run().await;
        running.close(ending).await
    }
}

struct Running {
    parts: Parts,
    room: String,
    satellite: Option<SatelliteId>,
    utterance: Option<Utterance>,
    before: Before,
    generation: Generation,
    messages: mpsc::Receiver<ToTurn>,
    /// What came while the ear was waited for.
    early: VecDeque<ToTurn>,
    closed: bool,
    id: TurnId,
    turn: Turn,
    hearing: Hearing,
    partial: (String, Meaning),
    jobs: JoinSet<()>,
    work: HashMap<Id, (Attempt, Work)>,
    news: mpsc::Receiver<News>,
    tell: mpsc::Sender<News>,
    speaker: Option<Speaker>,
    reply: String,
    /// Sentences of a model's answer that were not given to the voice yet.
    unsaid: Vec<String>,
    /// What a model waits for, and how often its silence was bridged.
    asks: Option<String>,
    bridges: u32,
    /// Memories that the answer is made of: they count as used once it was given.
    recalled: Vec<MemoryId>,
    gleaning: Option<Box<Gleaning>>,
    shown: bool,
    /// Whether the answer is a question that the room may answer without a wake word.
    listen: bool,
    /// The question that the answer ends with.
    question: Option<ApprovalId>,
    /// Told once nobody can go on speaking.
    heard_out: watch::Sender<bool>,
    recording: Recording,
    ending: Option<Ending>,
}

impl Running {
    async fn new(begin: Begin) -> Self {
        let Begin { number, parts, room, satellite, origin, before, generation, mut messages } = begin;
        let utterance = origin.utterance();
        let (source, wake) = origin.source();
        let row = NewTurn {
            room: room.clone(),
            satellite: satellite.clone(),
            source,
            started_ms: unix_ms(),
            wake: wake.as_ref().map(|w| WakeRow { phrase: w.phrase.clone(), score: w.score, check: None }),
        };
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let (id, broken) = begun(&parts.store, row).await;
        number.get_or_init(|| id);
        parts.bus.tell(EventKind::Wake { turn: id, satellite: satellite.clone(), wake: wake.clone() });
        let (opening, reply) = origin.opening(&parts, satellite.is_some());
        let mut early = VecDeque::new();
        let heard = match utterance {
            Some(_) => Hearing::begin(&parts.ear, &mut messages, &mut early).await,
            None => Begun::Moot,
        };
        let patience = u64::try_from(parts.cluster.patience().as_millis()).unwrap_or(u64::MAX);
        let mut running = Self {
            turn: Turn::new(opening, parts.now()).waiting_for_the_cluster(patience),
            recording: Recording::new(id, satellite.clone(), wake),
            parts,
            room,
            satellite,
            utterance,
            before,
            generation,
            messages,
            early,
            closed: false,
            id,
            hearing: Hearing::Off,
            partial: (String::new(), Meaning::Nothing),
            jobs: JoinSet::new(),
            work: HashMap::new(),
            news,
            tell,
            speaker: None,
            reply,
            unsaid: Vec::new(),
            asks: None,
            bridges: 0,
            recalled: Vec::new(),
            gleaning: None,
            shown: false,
            listen: false,
            question: None,
            heard_out: watch::Sender::new(false),
            ending: None,
        };
        match broken {
            Some(reason) => running.broken("store", reason),
            None => running.announce().await,
        }
        match heard {
            Begun::Hears(hearing) => running.hearing = hearing,
            Begun::Refused(error) => {
                let input = if matches!(error, EarError::Busy { .. }) { Input::EarBusy } else { Input::EarLost };
                running.lose_ear(error.to_string(), input);
            }
            Begun::Moot => {}
        }
        running
    }

    /// What is to be said of its own accord is committed before a word of it is heard.
    async fn announce(&mut self) {
        if self.reply.is_empty() {
            return;
        }
        self.recording.record.reply = Some(self.reply.clone());
        if let Err(error) = self.parts.store.reply(self.id, &self.reply).await {
            self.broken("store", error.to_string());
        }
    }

    async fn run(&mut self) -> Ending {
        loop {
            while let Some(effect) = self.turn.poll_output() {
                self.carry_out(effect).await;
            }
            // After the effects: an attempt that was withdrawn must not hear of it.
            if self.turn.is_heard_out() {
                self.heard_out.send_replace(true);
            }
            if let Some(ending) = self.ending {
                return ending;
            }
            if let Some(message) = self.early.pop_front() {
                self.message(message).await;
                continue;
            }
            let due = self.turn.poll_timeout();
            let wait = due.map(|due| Duration::from_millis(due.since(self.parts.now()).max(1)));
            tokio::select! {
                message = self.messages.recv(), if !self.closed => match message {
                    Some(message) => self.message(message).await,
                    None => self.closed = true,
                },
                heard = self.hearing.next() => self.heard(heard),
                Some(news) = self.news.recv() => self.job_news(news).await,
                Some(done) = self.jobs.join_next_with_id() => self.job_done(done),
                () = sleep(wait) => {
                    let now = self.parts.now();
                    self.turn.handle_timeout(now);
                }
            }
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.parts.now();
        self.turn.handle(input, now);
    }

    fn broken(&mut self, part: &str, reason: String) {
        tracing::warn!(turn = self.id.0, part, "{reason}");
        self.parts.bus.tell(EventKind::Degraded { part: part.to_owned(), reason: reason.clone(), fallback: None });
        self.recording.broken.push((part.to_owned(), reason));
    }

    /// This turn's loss, and told with its record: the ear as a whole, whose state is told elsewhere, may be well.
    fn lose_ear(&mut self, reason: String, input: Input) {
        self.hearing = Hearing::Off;
        tracing::warn!(turn = self.id.0, part = "ear", "{reason}");
        self.recording.broken.push(("ear".to_owned(), reason));
        self.input(input);
    }

    async fn message(&mut self, message: ToTurn) {
        match message {
            ToTurn::Frame { captured, voice, samples } => {
                let captured = millis(captured);
                if let Err(error) = self.hearing.frame(captured, samples).await {
                    self.lose_ear(error.to_string(), Input::EarLost);
                }
                self.input(Input::Frame { captured: captured.plus(FRAME_MS), voice });
            }
            ToTurn::MicEnded(end) => self.input(Input::MicEnded(end)),
            ToTurn::LinkUp => self.input(Input::LinkUp),
            ToTurn::LinkDown => self.input(Input::LinkDown),
            ToTurn::StopPressed => self.input(Input::StopPressed),
            ToTurn::Superseded => self.input(Input::Superseded),
            ToTurn::Shutdown => self.input(Input::Shutdown),
            ToTurn::Playback { generation, news } => {
                let Some(speaker) = self.speaker.as_ref().filter(|s| s.generation == generation) else { return };
                match news {
                    PlaybackNews::Started { at } => self.input(Input::PlaybackStarted(speaker.attempt, millis(at))),
                    PlaybackNews::Done { cut: true, .. } => self.input(Input::PlaybackBroken(speaker.attempt)),
                    PlaybackNews::Done { at, .. } => self.input(Input::PlaybackDone(speaker.attempt, millis(at))),
                    PlaybackNews::Sentence(_) => {}
                }
            }
        }
    }

    fn heard(&mut self, heard: EarHeard) {
        match heard {
            EarHeard::Partial { text, heard_ms } => {
                let heard = self.hearing.captured(heard_ms);
                if text != self.partial.0 {
                    let names = self.parts.names.now();
                    let asked = core::request(&text, self.phrase());
                    self.partial.1 = self.turn.meaning(asked, &self.parts.grammar, &names);
                    self.partial.0.clone_from(&text);
                }
                self.input(Input::Partial { text, meaning: self.partial.1, heard });
            }
            EarHeard::Final { text, .. } => {
                self.hearing = Hearing::Off;
                let names = self.parts.names.now();
                let asked = core::request(&text, self.phrase());
                let differs = !asked.is_empty() && asked != self.turn.asked();
                let changed = differs && self.turn.asks_else(asked, &self.parts.grammar, &names);
                let better = asked.to_owned();
                self.input(Input::Final { text, changed });
                if differs && !changed && !self.turn.is_over() {
                    self.correct(better);
                }
            }
            EarHeard::Lost { reason } => self.lose_ear(reason, Input::EarLost),
        }
    }

    fn phrase(&self) -> Option<&str> {
        self.recording.record.wake.as_ref().map(|w| w.phrase.as_str())
    }

    async fn job_news(&mut self, news: News) {
        let now = self.turn.attempt();
        match news {
            News::Input(input) => {
                if input == Input::Understood(now) {
                    self.show();
                }
                self.input(input);
            }
            News::Route { attempt, route } if attempt == now => {
                self.recording.record.route = Some(route.clone());
                if self.shown {
                    self.parts.bus.tell(EventKind::Route { turn: self.id, route });
                }
            }
            News::Tool { attempt, tool } if attempt == now => {
                self.recording.tool(tool.clone());
                self.parts.bus.tell(EventKind::Tool { turn: self.id, tool });
            }
            News::Sentence { attempt, text } if attempt == now => self.sentence(text),
            News::Asks { attempt, what } if attempt == now => self.asks = Some(what),
            News::Reply { attempt, reply } if attempt == now => self.replied(reply).await,
            News::Recalled { attempt, ids } if attempt == now => self.recalled = ids,
            News::Gleaning { attempt, gleaning } if attempt == now => self.gleaning = Some(gleaning),
            News::Route { .. }
            | News::Tool { .. }
            | News::Sentence { .. }
            | News::Asks { .. }
            | News::Reply { .. }
            | News::Recalled { .. }
            | News::Gleaning { .. } => {}
            News::Broken { part, reason } => self.broken(part, reason),
        }
    }

    async fn replied(&mut self, reply: Reply) {
        self.reply.clone_from(&reply.speech);
        (self.listen, self.question) = (reply.listen, reply.asks);
        if let Some(act) = reply.act {
            self.act(act).await;
        }
        if !reply.speech.is_empty() {
            self.recording.record.reply = Some(reply.speech.clone());
            if let Err(error) = self.recording.page(&self.parts, reply.page).await {
                self.broken("store", error.to_string());
            }
            if self.shown {
                let page = self.recording.record.page.clone();
                self.parts.bus.tell(EventKind::Reply { turn: self.id, text: reply.speech, page });
            }
        }
    }

    async fn act(&mut self, act: Act) {
        let change = |volume: u8| match act {
            Act::Louder => Some(volume.saturating_add(VOLUME_STEP).min(100)),
            Act::Quieter => Some(volume.saturating_sub(VOLUME_STEP)),
            Act::Volume(percent) => Some(percent.min(100)),
            // Silence, and saying it again, are the turn's own.
            Act::Stop | Act::Cancel | Act::Repeat => None,
        };
        let Some(satellite) = &self.satellite else { return };
        let known = self.parts.hub.satellites().await.into_iter().find(|s| s.id == *satellite);
        let Some((settings, volume_percent)) =
            known.and_then(|s| Some((s.settings, change(s.settings.volume_percent)?)))
        else {
            return;
        };
        if let Err(error) = self.parts.hub.settings(satellite, Settings { volume_percent, ..settings }).await {
            tracing::warn!(turn = self.id.0, "the volume was not set: {error}");
        }
    }

    fn job_done(&mut self, done: Result<(Id, ()), tokio::task::JoinError>) {
        let error = match done {
            Ok((id, ())) => {
                self.work.remove(&id);
                return;
            }
            Err(error) => error,
        };
        let Some((attempt, work)) = self.work.remove(&error.id()) else { return };
        if error.is_cancelled() {
            return;
        }
        self.broken("turn", format!("{work:?} broke: {error}"));
        self.input(match work {
            Work::Commit => Input::Committed(attempt, Err(Trouble::Internal)),
            Work::Answer => Input::Answered(attempt, Outcome::Failed(Trouble::Internal)),
            Work::Speak => Input::SpeechFailed(attempt),
        });
    }

    fn spawn(&mut self, attempt: Attempt, work: Work, job: impl Future<Output = ()> + Send + 'static) {
        let handle = self.jobs.spawn(job);
        self.work.insert(handle.id(), (attempt, work));
    }

    /// Whether it is sure that Jarvis was spoken to.
    fn addressed(&self) -> bool {
        self.turn.addressed()
    }

    /// Shows what is known of the request so far. Not before it is known that Jarvis was meant: what a false wake heard is shown to
    /// nobody.
    fn show(&mut self) {
        if std::mem::replace(&mut self.shown, true) {
            return;
        }
        let (turn, bus) = (self.id, &self.parts.bus);
        let record = &self.recording.record;
        if let Some(text) = record.transcript.clone() {
            bus.tell(EventKind::Transcript { turn, text });
        }
        if let Some(route) = record.route.clone() {
            bus.tell(EventKind::Route { turn, route });
        }
        if let Some(text) = record.reply.clone() {
            bus.tell(EventKind::Reply { turn, text, page: record.page.clone() });
        }
    }

    async fn close(mut self, ending: Ending) -> (TurnRecord, Vec<String>) {
        self.hearing = Hearing::Off;
        self.jobs.shutdown().await;
        if let (Some(satellite), Some(utterance)) = (&self.satellite, self.utterance)
            && let Err(error) = self.parts.hub.settle(satellite, utterance).await
        {
            tracing::debug!(turn = self.id.0, "{error}");
        }
        if ending == Ending::Answered {
            self.parts.memory.touch(std::mem::take(&mut self.recalled), UnixMillis(unix_ms()));
            // Nobody can go on speaking any more.
            if let Some(gleaning) = self.gleaning.take() {
                self.parts.gleanings.offer(*gleaning);
            }
        }
        self.keep_what_was_said(ending).await;
        // A question counts as asked once it was heard to its end; one that was cut off or withdrawn is void.
        let heard = self.question.filter(|_| ending == Ending::Answered);
        let asked = self.parts.safety.turn_over(self.id, heard).await;
        match asked {
            Ok(()) if self.listen && ending == Ending::Answered => self.ask_to_listen().await,
            Ok(()) => {}
            Err(error) => self.broken("store", error.to_string()),
        }
        self.recording.close(&self.turn, ending);
        self.recording.commit(&self.parts, ending).await;
        (self.recording.record, self.recording.broken.into_iter().map(|(part, _)| part).collect())
    }
}

/// Length of a frame in milliseconds.
const FRAME_MS: u64 = 20;

/// A new turn's number, and why the store has none of it where it has not.
async fn begun(store: &Store, row: NewTurn) -> (TurnId, Option<String>) {
    let reason = match tokio::time::timeout(STORE_MAX, store.begin_turn(row)).await {
        Ok(Ok(id)) => return (id, None),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the store does not answer".to_owned(),
    };
    (TurnId(unix_ms().unsigned_abs()), Some(reason))
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => pending().await,
    }
}
