//! What each request brings.

use std::time::Duration;

use jarvis_core::approval::Channel;
use jarvis_core::ids::{ApprovalId, SatelliteId};
use jarvis_core::intent::Grammar;
use jarvis_core::names::Names;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::ctl::Typed;
use crate::ctl::protocol::{McpQuestion, ModelQuestion, Request, Trouble};
use crate::event::TurnRecord;
use crate::mcp::TokenError;
use crate::past::PastTurn;
use crate::safety::{ACCEPT, SafetyError};
use crate::status::House;
use crate::{doctor, hub};

/// Longest a typed turn may take.
const TURN_LIMIT: Duration = Duration::from_secs(120);
/// Longest text that may be asked or said, in characters.
const MAX_TEXT_CHARS: usize = 2000;
/// Sentences given to a language model.
const MAX_SENTENCES: usize = 20_000;
/// Approvals shown.
const APPROVALS_SHOWN: u32 = 30;
/// Seed of the choice among them: the same state of the cluster gives the same file.
const SENTENCES_SEED: u64 = 1;

pub(super) async fn answer(house: &House, request: Request) -> Result<Value, Trouble> {
    match request {
        Request::Status {} => to_value(&house.status().await),
        Request::Turns { limit, .. } => {
            let rows = house.store.turns(limit).await.map_err(|e| Trouble::new(e, "jarvisctl doctor"))?;
            let turns: Vec<PastTurn> = rows.into_iter().rev().map(PastTurn::from).collect();
            unchallenged(house, &turns)
        }
        Request::Ask { text, room } => {
            let text = sayable(text)?;
            let turn = typed(house, |done| Typed::Ask { text, room, done }).await?;
            unchallenged(house, &turn)
        }
        Request::Say { text, room } => {
            let text = sayable(text)?;
            let turn = typed(house, |done| Typed::Say { text, room, done }).await?;
            to_value(&turn)
        }
        Request::Rooms {} => to_value(&house.status().await.satellites),
        Request::Enrol { room } => {
            let code = house.hub.enrol(&room).await.map_err(hub_trouble)?;
            Ok(json!({"code": code.code, "room": code.room, "valid_s": code.valid_for.as_secs()}))
        }
        Request::Revoke { room } => {
            let room = hub::tidy_room(&room);
            match house.hub.revoke(&SatelliteId(room.clone())).await.map_err(hub_trouble)? {
                true => Ok(json!({"revoked": room})),
                false => Err(Trouble::new(
                    format!("no satellite \"{room}\" is enrolled"),
                    "`jarvisctl rooms` lists those that are",
                )),
            }
        }
        Request::Model { what } => model(house, what).await,
        Request::Memory { what } => super::memory::answer(house, what).await,
        Request::Costs { by, since } => super::costs::answer(house, by, since).await,
        Request::Doctor {} => to_value(&doctor::live(house).await),
        Request::Approvals {} => {
            let past = house.safety.past(APPROVALS_SHOWN).await.map_err(safety_trouble)?;
            to_value(&past)
        }
        Request::Approve { id, seal, words } => approve(house, ApprovalId(id), &seal, words).await,
        Request::Deny { id } => match house.safety.refuse(ApprovalId(id), "jarvisctl").await.map_err(safety_trouble)? {
            true => Ok(json!({"denied": id})),
            false => {
                Err(Trouble::new(format!("question {id} is not open"), "`jarvisctl approvals` lists those that are"))
            }
        },
        Request::Resume {} => {
            house.safety.resume("jarvisctl").await.map_err(safety_trouble)?;
            to_value(&house.safety.switch().state())
        }
        Request::Audit { limit } => to_value(&house.safety.journal().tail(limit).await.map_err(safety_trouble)?),
        Request::Mcp { what } => programs(house, what).await,
        Request::McpServe { .. } => {
            Err(Trouble::new("MCP begins a conversation", "use the jarvisctl of the same release"))
        }
        Request::AuditVerify {} => match house.safety.journal().verify().await.map_err(safety_trouble)? {
            Ok(entries) => Ok(json!({"entries": entries})),
            Err(broken) => Err(Trouble::new(
                format!("the audit log does not hold: {broken}"),
                format!(
                    "keep the database as it is, and look at who could write to it; a backup shows what was there. Once you know: \
                     `touch {}` and restart jarvisd, and the newest entry is noted anew",
                    house.config.daemon.state_dir.join(ACCEPT).display()
                ),
            )),
        },
    }
}

/// Says yes, and waits for the end of what was approved.
async fn approve(house: &House, id: ApprovalId, seal: &str, words: Option<String>) -> Result<Value, Trouble> {
    let approved = house.safety.approve_second(id, Channel::Ctl, seal, words).await;
    approved.map_err(|e| Trouble::new(e, "`jarvisctl approvals` lists the questions that are open"))?;
    let settled = house.safety.wait(id, TURN_LIMIT).await.map_err(safety_trouble)?;
    let row = house.safety.row(id).await.map_err(safety_trouble)?;
    let said = row.filter(|_| settled.is_some()).map(|row| crate::turn::change_over(&row, id.0.unsigned_abs()));
    Ok(json!({
        "id": id,
        "stage": settled.as_ref().map_or("started", |settled| settled.stage.name()),
        "outcome": settled.as_ref().map(|settled| &settled.outcome),
        "said": said,
    }))
}

async fn programs(house: &House, what: McpQuestion) -> Result<Value, Trouble> {
    let trouble = |error: TokenError| Trouble::new(error, "`jarvisctl mcp status` shows who is let in");
    match what {
        McpQuestion::Status {} => to_value(&house.mcp.status()),
        McpQuestion::AddToken { name, scope } => {
            let token = house.mcp.add_token(&name, scope).map_err(trouble)?;
            Ok(json!({"name": name, "scope": scope, "token": token}))
        }
        McpQuestion::RevokeToken { name } => {
            house.mcp.revoke_token(&name).map_err(trouble)?;
            Ok(json!({"revoked": name}))
        }
        McpQuestion::Servers { look } => super::servers::list(house, look).await,
        McpQuestion::ApproveTools { server, shown } => super::servers::approve(house, &server, &shown).await,
        McpQuestion::ForgetTools { server } => super::servers::forget(house, &server).await,
    }
}

pub(super) fn safety_trouble(error: SafetyError) -> Trouble {
    Trouble::new(error, "`jarvisctl doctor`; nothing was changed")
}

/// Takes text that can be asked or said.
pub(super) fn sayable(text: String) -> Result<String, Trouble> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_TEXT_CHARS || text.chars().any(char::is_control) {
        return Err(Trouble::new("the text is empty, too long or holds control characters", "give one line of words"));
    }
    Ok(text.to_owned())
}

async fn typed(
    house: &House,
    order: impl FnOnce(oneshot::Sender<Result<TurnRecord, String>>) -> Typed,
) -> Result<TurnRecord, Trouble> {
    let (done, over) = oneshot::channel();
    house.typed.try_send(order(done)).map_err(|e| match e {
        mpsc::error::TrySendError::Full(_) => Trouble::new("too many typed turns are waiting", "try again in a moment"),
        mpsc::error::TrySendError::Closed(_) => Trouble::new("jarvisd is stopping", "try again when it is back"),
    })?;
    match timeout(TURN_LIMIT, over).await {
        Ok(Ok(turn)) => turn.map_err(|what| Trouble::new(what, "`jarvisctl status` shows what is degraded")),
        Ok(Err(_)) => Err(Trouble::new("the turn was lost", "try again; `journalctl -u jarvisd` says why")),
        Err(_) => Err(Trouble::new("the turn did not end in time", "`jarvisctl doctor`")),
    }
}

async fn model(house: &House, what: ModelQuestion) -> Result<Value, Trouble> {
    if what == ModelQuestion::Status {
        return to_value(&house.ear.status());
    }
    let cluster = house
        .cluster
        .names()
        .await
        .ok_or_else(|| Trouble::new("no node ever answered, so no names are known", "`jarvisctl doctor`"))?;
    if what == ModelQuestion::Names {
        return to_value(&cluster);
    }
    let names = Names::from_cluster(&cluster);
    if what == ModelQuestion::Words {
        return to_value(&names.words());
    }
    let grammar = Grammar::embedded().map_err(|e| Trouble::new(e, "this is a fault of the program; report it"))?;
    to_value(&grammar.sentences(&names, MAX_SENTENCES, SENTENCES_SEED))
}

fn hub_trouble(error: hub::HubError) -> Trouble {
    Trouble::new(error, "`jarvisctl rooms` shows what is enrolled, `jarvisctl doctor` what is wrong")
}

/// The same without the words of open challenges: they prove that somebody was in the room, so no second channel shows them.
pub(super) fn unchallenged<T: Serialize>(house: &House, value: &T) -> Result<Value, Trouble> {
    let text = house.safety.without_challenges(to_value(value)?.to_string());
    serde_json::from_str(&text).map_err(|e| Trouble::new(e, "this is a fault of the program; report it"))
}

pub(super) fn to_value<T: Serialize>(value: &T) -> Result<Value, Trouble> {
    serde_json::to_value(value).map_err(|e| Trouble::new(e, "this is a fault of the program; report it"))
}
