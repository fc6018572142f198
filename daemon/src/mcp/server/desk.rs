//! A program's call on its way to the gate, and back.

use std::sync::Arc;
use std::time::Duration;

use jarvis_core::answer::phrase;
use jarvis_core::approval::Stage;
use jarvis_core::gate::{Ask, Asker, Gate, Origin, Refusal, Voice};
use jarvis_core::ids::ApprovalId;
use jarvis_core::tool::Tier;
use jarvis_core::tools::{self, AnyTool, BadCall, Effect, Kind, MemoryAbout, TOOLS};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ElicitRequest, ElicitRequestParams, ElicitationSchema,
    InputRequest, InputRequiredResult, ProtocolVersion, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::{Client, words};
use crate::ctl::Typed;
use crate::mcp::Scope;
use crate::safety::{Proposed, Question, SafetyError};
use crate::status::House;
use crate::store::ApprovalRow;

/// Tells what became of a question.
const RESULT: &str = "change_result";
/// Questions of one program that may be open at once.
const OPEN_MAX: usize = 4;
/// A question's end is waited for so long within one call.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// What the state of an unfinished call begins with, before the question's number.
const STATE: &str = "question-";

/// How a program can be told that its owner is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Can {
    /// It shows its user an address to open.
    Url,
    /// It shows its user a text.
    Form,
    /// It can only take a result.
    Result,
}

impl Can {
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        // Older revisions have no result that asks for input.
        if context.protocol_version().is_none_or(|v| v.as_str() < ProtocolVersion::V_2026_07_28.as_str()) {
            return Self::Result;
        }
        match context.client_capabilities().and_then(|can| can.elicitation) {
            Some(elicitation) if elicitation.url.is_some() => Self::Url,
            Some(_) => Self::Form,
            None => Self::Result,
        }
    }
}

/// What a program may ask for. Memory, notes and the owner's other servers are between Jarvis and him.
fn scope(tool: &dyn AnyTool) -> Option<Scope> {
    match tool.kind() {
        Kind::Read if tool.name() == <MemoryAbout as tools::Tool>::NAME => None,
        Kind::Read => Some(Scope::Read),
        Kind::Change => Some(Scope::Change),
        Kind::Memory | Kind::Note | Kind::Foreign => None,
    }
}

/// The tools that a program of that scope is shown.
pub(super) fn offered(may: Scope) -> Vec<Tool> {
    let shown = TOOLS.iter().filter_map(|tool| Some((tool, scope(*tool)?))).filter(|(_, needs)| *needs <= may);
    let mut all: Vec<Tool> = shown
        .map(|(tool, needs)| {
            let about = match needs {
                Scope::Read => tool.about().to_owned(),
                Scope::Change => {
                    format!("{} The owner is asked first; {RESULT} tells what became of it.", tool.about())
                }
            };
            made(tool.name(), about, tool.schema(), needs)
        })
        .collect();
    if may == Scope::Change {
        let about = "What became of a question that a changing tool came back with: pending, done, failed, denied, expired or unknown.";
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["id"],
            "properties": {"id": {"type": "integer", "description": "The question's number."}},
        });
        all.push(made(RESULT, about.to_owned(), schema, Scope::Read));
    }
    all
}

fn made(name: &'static str, about: String, schema: serde_json::Value, needs: Scope) -> Tool {
    let schema = schema.as_object().cloned().unwrap_or_default();
    let hints =
        ToolAnnotations::new().read_only(needs == Scope::Read).destructive(needs == Scope::Change).open_world(false);
    Tool::new(name, about, Arc::new(schema)).with_annotations(hints)
}

/// One call.
pub(super) struct Desk<'a> {
    pub(super) house: &'a House,
    pub(super) client: &'a Client,
    pub(super) can: Can,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResultArgs {
    id: i64,
}

impl Desk<'_> {
    pub(super) async fn call(&self, request: CallToolRequestParams) -> Result<CallToolResponse, ErrorData> {
        let args = request.arguments.unwrap_or_default();
        if let Some(id) = request.request_state.as_deref() {
            // The program gives back what it was told. Whatever its user answered is no approval, and is not looked at.
            let id = id.strip_prefix(STATE).and_then(|id| id.parse().ok());
            let id = id.ok_or_else(|| ErrorData::invalid_params("that state was never given", None))?;
            return Ok(self.became(ApprovalId(id)).await.into());
        }
        if request.name == RESULT && self.client.scope == Scope::Change {
            return Ok(match serde_json::from_value::<ResultArgs>(args.into()) {
                Ok(asked) => self.became(ApprovalId(asked.id)).await.into(),
                Err(error) => words::refused(&format!("the arguments are not as the schema says: {error}")).into(),
            });
        }
        let call = match tools::parse(&request.name, &serde_json::Value::Object(args).to_string()) {
            Ok(call) => call,
            Err(error @ BadCall::NoTool { .. }) => return Err(ErrorData::invalid_params(error.to_string(), None)),
            Err(error @ (BadCall::TooLong { .. } | BadCall::Wrong { .. })) => {
                return Ok(words::refused(&error.to_string()).into());
            }
        };
        match scope(call.tool()) {
            Some(needs) if needs <= self.client.scope => {}
            Some(_) => {
                let why = "this token may only look; `jarvisctl mcp token add NAME --changes` makes one that may ask for changes";
                return Ok(self.turned_away(call.name(), why).await.into());
            }
            None => {
                let why = "that is between Jarvis and his owner: it is not served to other programs";
                return Ok(self.turned_away(call.name(), why).await.into());
            }
        }
        self.propose(call).await.or_else(|error| Ok(broken(&error).into()))
    }

    async fn turned_away(&self, tool: &str, why: &str) -> CallToolResult {
        match self.house.safety.turned_away(&self.client.name, tool, why).await {
            Ok(()) => words::refused(why),
            Err(error) => broken(&error),
        }
    }

    async fn propose(&self, call: tools::Call) -> Result<CallToolResponse, SafetyError> {
        let safety = &self.house.safety;
        if call.tool().kind() == Kind::Change && safety.open_from(&self.client.name).await? >= OPEN_MAX {
            let why = format!("{OPEN_MAX} questions of yours wait for their owner already");
            return Ok(self.turned_away(call.name(), &why).await.into());
        }
        if call.tool().kind() == Kind::Change
            && let Some(room) = self.room_away().await
        {
            let why = format!(
                "the {room}, where the two words of such a question are spoken, cannot be reached now. Bring it back, or take [mcp] \
                 room out of jarvisd.toml: the words are shown on the page then"
            );
            return Ok(self.turned_away(call.name(), &why).await.into());
        }
        let origin = Origin::Outside { client: self.client.name.clone() };
        let asker = Asker { room: self.house.config.mcp.room.clone(), voice: Voice::Typed };
        let client = self.client.name.clone();
        let question = move |ask: &Ask, challenge: Option<&str>| question(&client, ask, challenge);
        match safety.propose(call, origin, asker, None, question).await? {
            Proposed::Cleared(cleared) => Ok(match cleared.into_args().effect {
                Effect::Read(read) => match Gate::new().clear(read) {
                    Ok(cleared) => words::facts(&self.house.cluster.run(vec![cleared]).await.0),
                    Err(refused) => words::refused(&refused.to_string()),
                },
                // What is offered looks or changes, and a change never comes back cleared.
                Effect::Change(_) | Effect::Memory(_) | Effect::Note { .. } | Effect::Foreign(_) => {
                    words::refused("that is not served")
                }
            }
            .into()),
            // Standing leave is not for other programs, and the gate gives them none.
            Proposed::Runs(id) => Ok(self.became(id).await.into()),
            Proposed::Asked(question) => self.asked(*question).await,
            Proposed::Refused(refusal) => Ok(words::refused(&refusal_in_words(refusal)).into()),
        }
    }

    /// The room of the configuration, where nothing can be said in it now.
    async fn room_away(&self) -> Option<String> {
        let room = self.house.config.mcp.room.clone()?;
        let satellites = self.house.hub.satellites().await;
        let there =
            satellites.iter().any(|s| s.connected && (s.id.as_str() == room || s.room.eq_ignore_ascii_case(&room)));
        (!there).then_some(room)
    }

    /// Tells the program that its owner is asked, as well as it can take it; and the room, where there is one. The two words are never
    /// told to the program: they prove that somebody else was at the room, or at the page.
    async fn asked(&self, question: Question) -> Result<CallToolResponse, SafetyError> {
        let id = question.id;
        if self.house.config.mcp.room.is_some() && !self.is_spoken(&question) {
            self.house.safety.refuse(id, "jarvisd").await?;
            let why =
                "too much waits to be said in the room of its questions, so nobody was asked: try again in a while";
            return Ok(words::refused(why).into());
        }
        let page = format!("http://{}/", self.house.config.page.listen);
        let (text, how) = match (&question.challenge, question.tier) {
            (Some(challenge), _) => {
                let text = question.text.replace(challenge.as_str(), "spoken in the room");
                (text, format!("jarvisctl approve {id} WORD WORD, or {page}"))
            }
            (None, Tier::Red) => {
                (question.text, format!("{page} shows two words to its owner, for jarvisctl approve {id} WORD WORD"))
            }
            (None, _) => (question.text, format!("jarvisctl approve {id}, or {page}")),
        };
        let told = format!("{text} Nothing is done until then: {how}.");
        let params = match self.can {
            Can::Result => {
                let told =
                    format!("Question {id} waits for the owner. {told} Then call {RESULT} with {{\"id\": {id}}}.");
                return Ok(words::refused(&told).into());
            }
            Can::Url => ElicitRequestParams::UrlElicitationParams {
                meta: None,
                message: told,
                url: page,
                elicitation_id: String::new(),
            },
            Can::Form => ElicitRequestParams::FormElicitationParams {
                meta: None,
                message: told,
                requested_schema: ElicitationSchema::new(Default::default()),
            },
        };
        let input = InputRequest::Elicitation(ElicitRequest::new(params));
        let inputs = [(format!("{STATE}{id}"), input)].into_iter().collect();
        Ok(InputRequiredResult::new(Some(inputs), Some(format!("{STATE}{id}"))).into())
    }

    /// Whether the question could be handed to the room that the configuration names.
    fn is_spoken(&self, question: &Question) -> bool {
        let Some(room) = self.house.config.mcp.room.clone() else { return false };
        // Whether it could be said is told as a turn of its own; nobody waits for it here.
        let (done, _) = oneshot::channel();
        let said = Typed::Say { text: question.text.clone(), room: Some(room), done };
        match self.house.typed.try_send(said) {
            Ok(()) => true,
            Err(_) => {
                tracing::warn!(id = %question.id, "too many announcements wait; the question is not asked");
                false
            }
        }
    }

    /// What became of a question of this program.
    async fn became(&self, id: ApprovalId) -> CallToolResult {
        match self.look(id).await {
            Ok(result) => result,
            Err(error) => broken(&error),
        }
    }

    async fn look(&self, id: ApprovalId) -> Result<CallToolResult, SafetyError> {
        let safety = &self.house.safety;
        let ours = |row: &ApprovalRow| matches!(&row.row.bound.origin, Origin::Outside { client } if *client == self.client.name);
        // Another's question is not there, for all that this program may know.
        let Some(row) = safety.row(id).await?.filter(ours) else {
            return Ok(words::refused(&format!("no question {id} of yours is known")));
        };
        if row.row.stage == Stage::Pending {
            let told = format!(
                "Question {id} is pending: its owner has not answered. Call {RESULT} with {{\"id\": {id}}} later."
            );
            return Ok(words::said(&told));
        }
        if safety.wait(id, WAIT_MAX).await?.is_none() {
            return Ok(words::said(&format!("Question {id} was approved and is under way. Call {RESULT} again.")));
        }
        let Some(row) = safety.row(id).await? else { return Ok(words::refused("that question is gone")) };
        let stage = row.row.stage.name();
        let told = format!("Question {id} is {stage}. {}", crate::turn::change_over(&row, id.0.unsigned_abs()));
        Ok(if row.row.stage == Stage::Done { words::said(&told) } else { words::refused(&told) })
    }
}

fn broken(error: &SafetyError) -> CallToolResult {
    tracing::error!("a call of another program: {error}");
    words::refused("something went wrong on Jarvis's side, and nothing was done; the journal has the particulars")
}

/// A question in words. It names who asks, verb, target and node.
fn question(client: &str, ask: &Ask, challenge: Option<&str>) -> String {
    let what = ask.work.summary.sentence();
    let values = [
        ("client", client),
        ("what", what.as_str()),
        ("consequence", ask.work.summary.consequence.as_str()),
        ("words", challenge.unwrap_or_default()),
    ];
    let key = match (challenge, ask.challenge) {
        (Some(_), _) => "change.ask_outside_red",
        (None, true) => "change.ask_outside_red_page",
        (None, false) => "change.ask_outside",
    };
    let text = phrase(key, 0, &values);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn refusal_in_words(refusal: Refusal) -> String {
    match refusal {
        Refusal::Stopped => "Jarvis is standing down: nothing is changed until his owner resumes him.".to_owned(),
        Refusal::Never { ruling, summary, manual } => {
            let by_hand = manual.map(|command| format!(" By hand: {command}")).unwrap_or_default();
            let remedy = ruling.remedy().map(|remedy| format!(" {remedy}.")).unwrap_or_default();
            format!("Jarvis never does that: {}, because {}.{remedy}{by_hand}", summary.sentence(), ruling.because())
        }
        Refusal::NotFromHere { room, .. } => {
            format!("That may not be asked for in the {room}, where questions of programs are spoken.")
        }
        Refusal::Cannot(why) => format!("That cannot be done: {why}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_shown_what_looks_and_nothing_else() {
        let names = |scope| offered(scope).into_iter().map(|tool| tool.name.into_owned()).collect::<Vec<_>>();
        let reader = names(Scope::Read);
        assert!(reader.iter().all(|name| name.starts_with("read_")), "{reader:?}");
        let all = names(Scope::Change);
        assert!(all.contains(&"guest_start".to_owned()) && all.contains(&RESULT.to_owned()), "{all:?}");
        assert!(!all.iter().any(|name| name.starts_with("memory_") || name == "page_note"), "{all:?}");
        assert_eq!(tools::find(RESULT).map(|tool| tool.name()), None, "it hides no tool of that name");
    }

    #[test]
    fn hints_say_what_changes_something() {
        for tool in offered(Scope::Change) {
            let reads = tool.name.starts_with("read_") || tool.name == RESULT;
            let hints = tool.annotations.unwrap();
            assert_eq!((hints.read_only_hint, hints.destructive_hint), (Some(reads), Some(!reads)), "{}", tool.name);
            assert!(tool.input_schema.get("type").is_some_and(|kind| kind == "object"), "{}", tool.name);
        }
    }
}
