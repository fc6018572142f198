//! Makes a conversation fit a window: step by step, the least missed first.
//!
//! What goes, in this order: thinking (providers bind it to the exact conversation before it, so it is void once anything changes); the
//! length of old tool results; the oldest turns, each with its calls and results together; the length of the present turn's results;
//! its oldest calls; the middle of the request itself. The system's instructions stay: what must not be forgotten belongs there.

use super::estimate;
use super::message::{Block, Message, Role, Trimmed};

/// Bytes that an old tool result keeps.
const OLD_RESULT_BYTES: usize = 400;
/// Bytes that the present turn's results keep, in steps.
const RESULT_BYTES: [usize; 4] = [4_000, 1_500, 600, 200];
/// Bytes that a request keeps, at worst.
const REQUEST_BYTES: usize = 800;

/// Takes about `excess` tokens out of `messages`, at least something; `None` if nothing can go. The caller counts again, and comes back
/// if it is not enough.
pub fn shrink(messages: &mut Vec<Message>, excess: u64) -> Option<Trimmed> {
    let goal = total(messages).saturating_sub(excess.max(1));
    let mut trimmed = Trimmed::default();
    let thinking = drop_thinking(messages);
    while total(messages) > goal && condense_old_result(messages, &mut trimmed) {}
    while total(messages) > goal && drop_oldest_turn(messages, &mut trimmed) {}
    while total(messages) > goal && shorten_present(messages, &mut trimmed) {}
    (thinking || !trimmed.is_nothing()).then_some(trimmed)
}

/// `text` in at most about `limit` bytes: its beginning, its end, and how much is missing between them.
pub fn condense(text: &str, limit: usize) -> String {
    /// Room for the words in the middle.
    const MARK: usize = 48;
    if text.len() <= limit.max(MARK * 2) {
        return text.to_owned();
    }
    let keep = limit.max(MARK * 2) - MARK;
    let head = text.floor_char_boundary(keep * 2 / 3);
    let tail = text.ceil_char_boundary(text.len() - keep / 3);
    let (head, rest) = text.split_at(head);
    let (middle, tail) = rest.split_at(tail - head.len());
    format!("{head}\n[{} bytes left out]\n{tail}", middle.len())
}

fn total(messages: &[Message]) -> u64 {
    messages.iter().map(estimate::message).sum()
}

/// Where the present turn begins: at the owner's last words.
fn present(messages: &[Message]) -> usize {
    messages.iter().rposition(begins_turn).unwrap_or(0)
}

/// Words of the owner's, without results: what is told beside those belongs to the turn that they do.
fn begins_turn(message: &Message) -> bool {
    let has = |kind: fn(&Block) -> bool| message.blocks.iter().any(kind);
    message.role == Role::User
        && has(|block| matches!(block, Block::Text { .. }))
        && !has(|block| matches!(block, Block::ToolResult(_)))
}

fn drop_thinking(messages: &mut Vec<Message>) -> bool {
    let before: usize = messages.iter().map(|m| m.blocks.len()).sum();
    for message in messages.iter_mut() {
        message.blocks.retain(|block| !matches!(block, Block::Thinking(_)));
    }
    messages.retain(|message| !message.blocks.is_empty());
    messages.iter().map(|m| m.blocks.len()).sum::<usize>() < before
}

fn condense_old_result(messages: &mut [Message], trimmed: &mut Trimmed) -> bool {
    let end = present(messages);
    condense_one(&mut messages[..end], OLD_RESULT_BYTES, trimmed)
}

/// Condenses the first result that is longer than `limit`.
fn condense_one(messages: &mut [Message], limit: usize, trimmed: &mut Trimmed) -> bool {
    for block in messages.iter_mut().flat_map(|m| m.blocks.iter_mut()) {
        if let Block::ToolResult(result) = block
            && shorten(&mut result.content, limit)
        {
            trimmed.results = trimmed.results.saturating_add(1);
            return true;
        }
    }
    false
}

fn shorten(text: &mut String, limit: usize) -> bool {
    let short = condense(text, limit);
    let shorter = short.len() < text.len();
    if shorter {
        *text = short;
    }
    shorter
}

fn drop_oldest_turn(messages: &mut Vec<Message>, trimmed: &mut Trimmed) -> bool {
    let end = present(messages);
    if end == 0 {
        return false;
    }
    let next = messages[1..=end].iter().position(begins_turn).map_or(end, |at| at + 1);
    messages.drain(..next);
    trimmed.messages = trimmed.messages.saturating_add(u32::try_from(next).unwrap_or(u32::MAX));
    true
}

fn shorten_present(messages: &mut Vec<Message>, trimmed: &mut Trimmed) -> bool {
    if RESULT_BYTES.iter().any(|limit| condense_one(messages, *limit, trimmed)) {
        return true;
    }
    // A call and its results go together; the last pair stays, as it is what the model waits for.
    let pair = messages.len() > 4
        && messages[1].calls().next().is_some()
        && messages[2].blocks.iter().any(|block| matches!(block, Block::ToolResult(_)));
    if pair {
        messages.drain(1..3);
        trimmed.messages = trimmed.messages.saturating_add(2);
        return true;
    }
    let texts = messages.iter_mut().flat_map(|m| m.blocks.iter_mut());
    for block in texts {
        if let Block::Text { text } = block
            && shorten(text, REQUEST_BYTES)
        {
            trimmed.results = trimmed.results.saturating_add(1);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::args::ToolArgs;
    use super::super::message::{Thinking, ToolResult, ToolUse};
    use super::*;

    fn said(text: &str) -> Message {
        Message { role: Role::Assistant, blocks: vec![Block::Text { text: text.to_owned() }] }
    }

    fn calls(id: &str) -> Message {
        let call = ToolUse { id: id.into(), name: "logs".to_owned(), args: ToolArgs::read("{}", true) };
        let thinking = Thinking { model: "m".into(), text: "Hm.".to_owned(), raw: None };
        Message { role: Role::Assistant, blocks: vec![Block::Thinking(thinking), Block::ToolUse(call)] }
    }

    fn answers(id: &str, bytes: usize) -> Message {
        let content = format!("first {} last", "word ".repeat(bytes / 5));
        Message::results(vec![ToolResult { id: id.into(), content, is_error: false }])
    }

    fn conversation(sizes: &[usize]) -> Vec<Message> {
        let mut messages = Vec::new();
        for (n, size) in sizes.iter().enumerate() {
            let id = n.to_string();
            messages.extend([Message::user(format!("question {n}")), calls(&id), answers(&id, *size), said("answer")]);
        }
        messages.push(Message::user("the present question"));
        messages
    }

    /// What every provider demands of a conversation.
    fn check(messages: &[Message]) {
        assert!(begins_turn(&messages[0]), "it begins with the owner's words: {messages:#?}");
        let mut open: Vec<_> = Vec::new();
        for message in messages {
            assert!(!message.blocks.is_empty());
            let answered: Vec<_> = message
                .blocks
                .iter()
                .filter_map(|b| match b {
                    Block::ToolResult(r) => Some(r.id.clone()),
                    _ => None,
                })
                .collect();
            assert_eq!(answered, open, "every call is answered by the next message, and nothing else is");
            open = message.calls().map(|call| call.id.clone()).collect();
        }
    }

    #[test]
    fn old_results_go_before_old_turns() {
        let mut messages = conversation(&[9_000, 9_000]);
        let before = messages.len();
        let trimmed = shrink(&mut messages, 3_000).unwrap();
        assert_eq!((trimmed, messages.len()), (Trimmed { messages: 0, results: 2 }, before));
        let trimmed = shrink(&mut messages, 100).unwrap();
        assert_eq!(trimmed, Trimmed { messages: 4, results: 0 });
        assert_eq!(messages[0], Message::user("question 1"));
        check(&messages);
    }

    #[test]
    fn the_present_request_and_its_last_results_stay() {
        let mut messages = vec![Message::user("why is node two slow?")];
        for n in 0..6 {
            messages.extend([calls(&n.to_string()), answers(&n.to_string(), 20_000)]);
        }
        let mut steps = 0;
        while shrink(&mut messages, 200).is_some() {
            check(&messages);
            steps += 1;
        }
        assert!(steps > 10, "{steps} steps");
        assert_eq!(messages[0], Message::user("why is node two slow?"));
        assert_eq!(messages.len(), 3, "request, last call, last result");
        let Block::ToolResult(last) = &messages[2].blocks[0] else { panic!("a result") };
        assert_eq!(last.id.as_str(), "5");
        assert!(
            last.content.starts_with("first") && last.content.ends_with("last") && last.content.len() < 250,
            "{}",
            last.content
        );
    }

    #[test]
    fn words_beside_results_begin_no_turn() {
        let mut messages = conversation(&[20]);
        messages.extend([calls("last"), answers("last", 9_000)]);
        let note = Block::Text { text: "You have already said aloud: one moment.".to_owned() };
        messages.last_mut().unwrap().blocks.push(note.clone());
        while shrink(&mut messages, 200).is_some() {
            check(&messages);
        }
        assert_eq!(messages[0], Message::user("the present question"));
        assert_eq!(messages.last().unwrap().blocks.last(), Some(&note));
    }

    #[test]
    fn what_is_condensed_says_how_much_is_missing() {
        let text = "é".repeat(1000);
        let short = condense(&text, 301);
        assert!(short.len() <= 301, "{}", short.len());
        let missing: usize = short.split_once('[').unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
        let kept = short.chars().filter(|c| *c == 'é').count() * 2;
        assert_eq!(missing + kept, text.len());
        assert_eq!(condense("short", 3), "short");
    }

    proptest! {
        #[test]
        fn it_ends_and_stays_a_conversation(sizes in prop::collection::vec(0usize..6_000, 0..8), excess in 0u64..5_000) {
            let mut messages = conversation(&sizes);
            let mut left = total(&messages);
            while shrink(&mut messages, excess).is_some() {
                check(&messages);
                let now = total(&messages);
                prop_assert!(now < left, "each step makes it smaller");
                left = now;
            }
            prop_assert_eq!(messages.last(), Some(&Message::user("the present question")));
        }
    }
}
