//! What `jarvisctl memory` brings.

use jarvis_core::intent::Grammar;
use jarvis_core::memory::{Memory, MemoryId, Reader, UnixMillis};
use jarvis_core::names::Names;
use serde_json::{Value, json};

use super::answers::{sayable, to_value};
use crate::ctl::protocol::{MemoryQuestion, Trouble};
use crate::event;
use crate::memory::Which;
use crate::past::PastMemory;
use crate::status::House;
use crate::store::StoreError;

pub(super) async fn answer(house: &House, what: MemoryQuestion) -> Result<Value, Trouble> {
    let now = UnixMillis(event::UnixMillis::now().0);
    let memory = &house.memory;
    match what {
        MemoryQuestion::List { limit, all } => {
            let which = if all { Which::All } else { Which::Current };
            shown(memory.list(which, limit, now).await.map_err(trouble)?)
        }
        MemoryQuestion::About { text } => {
            let text = sayable(text)?;
            let cluster = house.cluster.names().await;
            let names = cluster.as_ref().map(Names::from_cluster).unwrap_or_default();
            let grammar =
                Grammar::embedded().map_err(|e| Trouble::new(e, "this is a fault of the program; report it"))?;
            let aliases = memory.aliases(now).await.map_err(trouble)?;
            // Only an end that is told depends on the time of day, and a question tells none.
            let reader = Reader { grammar: &grammar, names: &names, aliases: &aliases, now, local_offset_s: 0 };
            let found = memory.recall(reader.question(&text), now).await.map_err(trouble)?;
            shown(found.into_iter().map(|r| r.memory).collect())
        }
        MemoryQuestion::Forget { id } => match memory.forget(vec![MemoryId(id)]).await.map_err(trouble)? {
            0 => Err(Trouble::new(format!("there is no memory {id}"), "`jarvisctl memory list` has their numbers")),
            gone => Ok(json!({"forgotten": gone})),
        },
        MemoryQuestion::Export { after } => {
            let (lines, next) = memory.export(MemoryId(after), now).await.map_err(trouble)?;
            Ok(json!({"lines": lines, "next": next}))
        }
        MemoryQuestion::Import { lines } => to_value(&memory.import(lines, now).await.map_err(trouble)?),
    }
}

fn shown(memories: Vec<Memory>) -> Result<Value, Trouble> {
    to_value(&memories.into_iter().map(PastMemory::from).collect::<Vec<_>>())
}

fn trouble(error: StoreError) -> Trouble {
    Trouble::new(error, "jarvisctl doctor")
}
