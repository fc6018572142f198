//! What is asked about the owner's other servers.

use jarvis_core::foreign::TOOLS_MAX;
use serde_json::{Value, json};

use super::answers::{safety_trouble, to_value};
use crate::ctl::protocol::Trouble;
use crate::mcp::Shown;
use crate::status::House;

/// All servers; with `look` they are asked first.
pub(super) async fn list(house: &House, look: bool) -> Result<Value, Trouble> {
    if look {
        house.servers.look().await;
    }
    to_value(&house.servers.list().await.map_err(|error| Trouble::new(error, "`jarvisctl doctor`"))?)
}

/// Approves tools as they were shown.
pub(super) async fn approve(house: &House, server: &str, shown: &[Shown]) -> Result<Value, Trouble> {
    if shown.is_empty() || shown.len() > TOOLS_MAX {
        return Err(Trouble::new("there is nothing to approve", "`jarvisctl mcp servers` shows what waits for you"));
    }
    let rows = house.servers.approvable(server, shown).await;
    let rows = rows.map_err(|error| Trouble::new(error, "`jarvisctl mcp servers` shows how its tools are now"))?;
    house.safety.approve_tools("jarvisctl", rows).await.map_err(safety_trouble)?;
    house.servers.changed(server).await;
    Ok(json!({"server": server, "approved": shown}))
}

/// Takes back what was approved of a server; it may be gone from the configuration by now.
pub(super) async fn forget(house: &House, server: &str) -> Result<Value, Trouble> {
    let gone = house.safety.forget_tools("jarvisctl", server).await.map_err(safety_trouble)?;
    if gone == 0 {
        let what = format!("nothing of a server \"{server}\" was approved");
        return Err(Trouble::new(what, "`jarvisctl mcp servers` shows what is"));
    }
    house.servers.changed(server).await;
    Ok(json!({"server": server, "forgotten": gone}))
}
