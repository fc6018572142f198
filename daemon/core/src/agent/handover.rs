//! What is told to whoever goes on in the place of a model that failed.

use crate::context::fence::fenced;
use crate::mind::message::{Block, Message, Role};

/// The conversation of a run that broke off, with the words that its owner has heard of the answer that is not in it, so that whoever
/// goes on does not say them again. Secrets must be out of `heard`; it taints no more than the conversation does.
pub fn handed_over(mut messages: Vec<Message>, heard: &[String]) -> Vec<Message> {
    if heard.is_empty() {
        return messages;
    }
    let words = fenced("heard", &heard.join(" "));
    let note = format!(
        "\n\n[Your answer was begun already and broke off. You have already said aloud:\n{words}\n\
         Go on from there; do not repeat any of it.]"
    );
    match messages.last_mut() {
        // Two messages of one side in a row are more than some templates take.
        Some(last) if last.role == Role::User => last.blocks.push(Block::Text { text: note }),
        _ => messages.push(Message::user(note)),
    }
    messages
}
