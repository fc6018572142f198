//! What a model is told before it is asked.

use jarvis_core::agent::mentioned;
use jarvis_core::memory::{MemoryId, Reader};
use jarvis_core::mind::message::{Message, SystemPart};
use jarvis_core::redact::redact;

use crate::mind::Context;
use crate::store::StoreError;

/// What a model is told: instructions and the conversation. Nothing in it was written by strangers.
pub(crate) struct Prompt {
    pub(crate) system: Vec<SystemPart>,
    pub(crate) messages: Vec<Message>,
    /// Memories that were told.
    pub(crate) memories: Vec<MemoryId>,
}

/// The prompt of one request. `servers` is what there is to say of the owner's other servers, in Jarvis's own words.
pub(crate) async fn prompt(
    context: &Context,
    asked: &str,
    room: Option<&str>,
    reader: &Reader<'_>,
    servers: &[String],
) -> Result<Prompt, StoreError> {
    let asked = redact(asked).text;
    let told = context.system(reader.question(&asked), room.unwrap_or_default()).await?;
    let named = mentioned(reader, &asked);
    let beside: Vec<&str> = named.iter().chain(servers).map(String::as_str).collect();
    let words = if beside.is_empty() { asked } else { format!("{asked}\n\n{}", beside.join("\n")) };
    Ok(Prompt { system: told.system, messages: vec![Message::user(words)], memories: told.memories })
}
