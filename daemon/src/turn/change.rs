//! Requests that change something, and the answers to questions about changes: from the owner's own words to the safety gate and back
//! to words.

use std::time::Duration;

use jarvis_core::answer::{Reply, has_phrase, phrase};
use jarvis_core::approval::{Approver, Channel, Stage};
use jarvis_core::gate::{Ask, Asker, Origin, Refusal, Voice};
use jarvis_core::ids::{ApprovalId, TurnId, UnixSeconds};
use jarvis_core::intent::Intent;
use jarvis_core::tool::{Facts, Read};
use jarvis_core::tools::asked::{self, NoCall};
use jarvis_core::tools::{Call, PageNote, Tool};
use tokio::sync::watch;

use super::Parts;
use crate::event::ToolRun;
use crate::safety::{NoApproval, Proposed, Question, SafetyError, Settled};
use crate::store::ApprovalRow;

/// A change is waited for so long within its turn; past it the room is told when it is over.
const WAIT_MAX: Duration = Duration::from_secs(4);

/// What a change brings to its turn.
pub(super) struct Changed {
    pub(super) reply: Reply,
    pub(super) tools: Vec<ToolRun>,
}

impl From<Reply> for Changed {
    fn from(reply: Reply) -> Self {
        Self { reply, tools: Vec::new() }
    }
}

/// One request about changes.
pub(super) struct Changing<'a> {
    pub(super) parts: &'a Parts,
    pub(super) turn: TurnId,
    pub(super) room: Option<&'a str>,
    pub(super) voice: Voice,
    /// True once nobody goes on speaking: before that nothing may be changed.
    pub(super) heard_out: watch::Receiver<bool>,
}

/// Whether a request is about changes.
pub(super) fn is_about(intent: &Intent) -> bool {
    asked::is_change(intent) || matches!(intent.kind.as_str(), "reply.yes" | "reply.no" | "control.stand_down")
}

impl Changing<'_> {
    /// Does what was asked, and puts into words what came of it.
    pub(super) async fn run(mut self, intent: &Intent) -> Changed {
        let done = match intent.kind.as_str() {
            "change.undo" => self.undo().await,
            "reply.yes" => self.yes().await,
            "reply.no" => self.no("change.no").await,
            "control.stand_down" => self.stand_down().await,
            _ => self.change(intent).await,
        };
        done.unwrap_or_else(|error| {
            tracing::error!(turn = self.turn.0, "safety: {error}");
            self.say("change.broken", &[]).into()
        })
    }

    /// Takes back what is open in this room; `None` where nothing is.
    pub(super) async fn cancel(&self) -> Option<Changed> {
        match self.parts.safety.open_in(self.room).await {
            Ok(Some(_)) => {
                let done = self.no("change.cancelled").await;
                Some(done.unwrap_or_else(|_| self.say("change.broken", &[]).into()))
            }
            Ok(None) | Err(_) => None,
        }
    }

    fn say(&self, key: &str, values: &[(&str, &str)]) -> Reply {
        Reply { speech: phrase(key, self.turn.0, values), ..Reply::default() }
    }

    async fn change(&mut self, intent: &Intent) -> Result<Changed, SafetyError> {
        let snapshots = match intent.slots.guest.filter(|_| asked::needs_snapshots(intent)) {
            Some(vmid) => self.read(Read::Snapshots { vmid }).await.snapshots.unwrap_or_default(),
            None => Vec::new(),
        };
        let now = UnixSeconds(crate::safety::now().0.div_euclid(1000));
        match asked::call(intent, &snapshots, now) {
            Ok(call) => self.propose(call, None).await,
            Err(NoCall::NoSnapshot) => Ok(self.say("change.no_snapshot", &[]).into()),
            Err(NoCall::NoGuest) => Ok(self.say("unknown.which", &[("noun", "guest")]).into()),
            Err(error @ (NoCall::NoChange(_) | NoCall::Bad(_))) => {
                Ok(self.say("change.cannot", &[("why", &error.to_string())]).into())
            }
        }
    }

    async fn read(&self, read: Read) -> Facts {
        match jarvis_core::gate::Gate::new().clear(read) {
            Ok(cleared) => self.parts.cluster.run(vec![cleared]).await.0,
            Err(_) => Facts::default(),
        }
    }

    /// Proposes a call; `undoes` is the change that it takes back.
    async fn propose(&mut self, call: Call, undoes: Option<ApprovalId>) -> Result<Changed, SafetyError> {
        self.until_heard_out().await;
        let asker = Asker { room: self.room.map(str::to_owned), voice: self.voice };
        let seed = self.turn.0;
        let question = move |ask: &Ask, words: Option<&str>| question(ask, words, seed);
        let proposed = self.parts.safety.propose(call, Origin::Owner, asker, Some(self.turn), question).await?;
        if let (Some(done), Proposed::Runs(id)) = (undoes, &proposed) {
            self.parts.safety.undo_by(done, *id).await?;
        }
        if let (Some(done), Proposed::Asked(question)) = (undoes, &proposed) {
            self.parts.safety.undo_by(done, question.id).await?;
        }
        Ok(match proposed {
            // The owner's words make changes of the cluster alone, and those are never handed back cleared.
            Proposed::Cleared(_) => self.say("change.broken", &[]).into(),
            Proposed::Runs(id) => self.wait(id).await?,
            Proposed::Asked(question) => asked_reply(*question).into(),
            Proposed::Refused(refusal) => refused(refusal, self.turn.0).into(),
        })
    }

    async fn yes(&mut self) -> Result<Changed, SafetyError> {
        // What was asked last is what a "yes" means, never a question before it that nobody answered.
        let last = self.parts.safety.asked_last_in(self.room).await?;
        let Some(row) = last.filter(|row| row.row.stage == Stage::Pending) else {
            return Ok(self.say("change.yes_to_nothing", &[]).into());
        };
        let (id, bound) = (row.row.id, &row.row.bound);
        let by = match (self.voice, self.room) {
            (Voice::Typed, _) if bound.challenge.is_some() => {
                return Ok(self.say("change.words_needed", &[("id", &id.to_string())]).into());
            }
            (Voice::Typed, _) => Approver::Second { channel: Channel::Ctl, seal: row.row.seal, words: None },
            (_, Some(room)) => Approver::Voice { room: room.to_owned() },
            (_, None) => return Ok(self.say("change.yes_to_nothing", &[]).into()),
        };
        // A yes is shown at once; it counts when nobody goes on speaking.
        self.until_heard_out().await;
        match self.parts.safety.approve(id, by).await {
            Ok(()) => self.wait(id).await,
            Err(NoApproval::Safety(error)) => Err(error),
            Err(refused) => Ok(self.say("change.not_approved", &[("why", &refused.to_string())]).into()),
        }
    }

    async fn no(&self, key: &str) -> Result<Changed, SafetyError> {
        let Some(row) = self.parts.safety.open_in(self.room).await? else {
            return Ok(self.say("change.no_to_nothing", &[]).into());
        };
        let by = self.room.map_or("jarvisctl".to_owned(), |room| format!("voice in {room}"));
        let done = self.parts.safety.refuse(row.row.id, &by).await?;
        Ok(self.say(if done { key } else { "change.too_late" }, &[]).into())
    }

    async fn undo(&mut self) -> Result<Changed, SafetyError> {
        match self.parts.safety.undo(self.room).await? {
            None => Ok(self.say("change.nothing_to_undo", &[]).into()),
            Some((_, Err(_))) => Ok(self.say("change.cannot_undo", &[]).into()),
            Some((done, Ok(call))) => self.propose(call, Some(done)).await,
        }
    }

    async fn stand_down(&self) -> Result<Changed, SafetyError> {
        let by = self.room.map_or("jarvisctl".to_owned(), |room| format!("voice in {room}"));
        self.parts.safety.stop(&by).await?;
        Ok(self.say("change.stand_down", &[]).into())
    }

    /// Until nobody goes on speaking. The turn takes this job away where somebody does.
    async fn until_heard_out(&mut self) {
        if self.heard_out.wait_for(|out| *out).await.is_err() {
            // The turn is over, and this job with it.
            std::future::pending::<()>().await;
        }
    }

    async fn wait(&self, id: ApprovalId) -> Result<Changed, SafetyError> {
        let begun = std::time::Instant::now();
        let Some(settled) = self.parts.safety.wait(id, WAIT_MAX).await? else {
            return Ok(self.say("change.under_way", &[]).into());
        };
        let row = self.parts.safety.row(id).await?;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let tools = row.iter().map(|row| ran(row, &settled, ms)).collect();
        let page = row.as_ref().and_then(answered);
        let speech = row.map_or_else(String::new, |row| over(&row, self.turn.0));
        Ok(Changed { reply: Reply { speech, page, ..Reply::default() }, tools })
    }
}

/// What another server answered, and what was to be noted: it is shown, and not read aloud.
fn answered(row: &ApprovalRow) -> Option<String> {
    let is_text = answered_elsewhere(row) || row.row.bound.tool == PageNote::NAME;
    row.outcome.clone().filter(|text| is_text && row.row.stage == Stage::Done && !text.is_empty())
}

/// Whether another server was asked to do it.
fn answered_elsewhere(row: &ApprovalRow) -> bool {
    matches!(row.row.bound.identity, jarvis_core::gate::Identity::Foreign { .. })
}

fn ran(row: &ApprovalRow, settled: &Settled, ms: u64) -> ToolRun {
    let bound = &row.row.bound;
    let outcome = match settled.outcome.as_str() {
        "" => settled.stage.name().to_owned(),
        words => format!("{}: {words}", settled.stage.name()),
    };
    let args = serde_json::from_str(&bound.args).unwrap_or_default();
    ToolRun { name: bound.tool.clone(), args, tier: bound.tier, outcome, ms }
}

fn asked_reply(question: Question) -> Reply {
    Reply { speech: question.text, listen: question.by_voice, asks: Some(question.id), ..Reply::default() }
}

/// A refusal in words; the command to do it by hand is for the page.
pub(crate) fn refused(refusal: Refusal, seed: u64) -> Reply {
    let say = |key: &str, values: &[(&str, &str)]| Reply { speech: phrase(key, seed, values), ..Reply::default() };
    match refusal {
        Refusal::Stopped => say("change.stopped", &[]),
        Refusal::Never { ruling, summary, manual } => {
            let what = summary.sentence();
            let key = if manual.is_some() { "change.never_manual" } else { "change.never" };
            let shown: Vec<String> = ruling.remedy().map(str::to_owned).into_iter().chain(manual).collect();
            let page = (!shown.is_empty()).then(|| shown.join("\n\n"));
            Reply { page, ..say(key, &[("what", &what), ("why", ruling.because())]) }
        }
        Refusal::NotFromHere { room, .. } => say("change.not_from_here", &[("room", &room)]),
        Refusal::Cannot(why) => say("change.cannot", &[("why", &why)]),
    }
}

/// A question in words. It names verb, target and node, and the `words` where they are spoken with it.
pub(crate) fn question(ask: &Ask, words: Option<&str>, seed: u64) -> String {
    let what = ask.work.summary.sentence();
    let values = [
        ("what", what.as_str()),
        ("consequence", ask.work.summary.consequence.as_str()),
        ("why", ask.work.ruling.because()),
        ("words", words.unwrap_or_default()),
    ];
    let key = match (words, ask.challenge, ask.by_voice) {
        (Some(_), _, _) => "change.ask_red",
        (None, true, _) => "change.ask_red_page",
        (None, false, true) => "change.ask",
        (None, false, false) => "change.ask_second",
    };
    let text = phrase(key, seed, &values);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How a change ended, in words. What was not seen is not said to be done.
pub(crate) fn over(row: &ApprovalRow, seed: u64) -> String {
    let bound = &row.row.bound;
    // Words of its own are for what is said better with them; a new tool needs none.
    let done = format!("change.done_{}", bound.tool);
    let done = if has_phrase(&done) { done.as_str() } else { "change.done" };
    let target = match &bound.identity {
        jarvis_core::gate::Identity::Guest { vmid, .. } | jarvis_core::gate::Identity::Unknown { vmid } => {
            format!("guest {vmid}")
        }
        jarvis_core::gate::Identity::Foreign { server, .. } => server.clone(),
        jarvis_core::gate::Identity::Nothing => "it".to_owned(),
    };
    let why = row.outcome.as_deref().unwrap_or_default();
    let values = [("target", target.as_str()), ("why", why)];
    let key = match row.row.stage {
        Stage::Done => done,
        Stage::Failed => "change.failed",
        Stage::Denied | Stage::Cancelled if why.is_empty() => "change.cancelled",
        Stage::Denied | Stage::Cancelled => "change.dropped",
        Stage::Expired => "change.expired",
        Stage::Unknown if answered_elsewhere(row) => "change.unknown_elsewhere",
        Stage::Unknown | Stage::Started | Stage::Pending | Stage::Approved { .. } => "change.unknown",
    };
    phrase(key, seed, &values)
}
