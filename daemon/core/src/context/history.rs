//! What was said before in the same conversation, as far as it may be told and fits.
//!
//! The owner's own words are told as they are. An answer is told only where no stranger can have written any of it: whoever reads the
//! history is not tainted by it, so the words of every other answer stay out, and a note says that there was one. What must never be
//! left out (the instructions, memories, the present request) is pinned: it is counted first, and the history gets what is left.

use crate::mind::estimate;
use crate::mind::message::{Block, Message, Role};
use crate::mind::trim::condense;
use crate::tools::TOOLS;

/// Most turns that are told.
pub const EARLIER_MAX: usize = 12;
/// Tokens of a history, by estimate, however large the window is.
pub const HISTORY_TOKENS_MAX: u64 = 1_500;
/// A history takes at most this share of a model's window: what tools bring needs the rest.
const SHARE: u64 = 8;
/// Bytes of one turn's words that are told, on either side.
const WORDS_BYTES_MAX: usize = 600;
/// Tools of one turn that are told.
const TOOLS_MAX: usize = 6;

/// A turn before the present one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The owner's words, secrets taken out.
    pub asked: String,
    /// What was answered, secrets taken out; `None` where strangers may have written some of it.
    pub answer: Option<String>,
    /// Tools that ran for it.
    pub tools: Vec<String>,
}

/// The newest of `earlier` that fit, at most [`EARLIER_MAX`], in their order. `pinned` are the tokens of everything that is told and asked beside them.
pub fn history(earlier: &[Earlier], pinned: u64, window: u64) -> Vec<Message> {
    let mut left = window.saturating_sub(pinned).min(window / SHARE).min(HISTORY_TOKENS_MAX);
    let mut newest_first = Vec::new();
    for turn in earlier.iter().rev().take(EARLIER_MAX) {
        let pair = told(turn);
        let tokens: u64 = pair.iter().map(estimate::message).sum();
        let Some(rest) = left.checked_sub(tokens) else { break };
        left = rest;
        newest_first.push(pair);
    }
    newest_first.into_iter().rev().flatten().collect()
}

fn told(turn: &Earlier) -> [Message; 2] {
    let answer = match &turn.answer {
        Some(words) => condense(words, WORDS_BYTES_MAX),
        None => note(&turn.tools),
    };
    let said = Message { role: Role::Assistant, blocks: vec![Block::Text { text: answer }] };
    [Message::user(condense(&turn.asked, WORDS_BYTES_MAX)), said]
}

/// In place of words that are not told. Of what ran only what is a tool of this house is named, as the model may call it.
fn note(tools: &[String]) -> String {
    let known = |ran: &String| {
        let is_it = |tool: &&'static str| *tool == ran || tool.strip_prefix("read_") == Some(ran.as_str());
        TOOLS.iter().map(|tool| tool.name()).find(is_it)
    };
    let tools: Vec<&str> = tools.iter().filter_map(known).take(TOOLS_MAX).collect();
    let by = if tools.is_empty() { String::new() } else { format!(", by {}", tools.join(" and ")) };
    format!("[This was answered aloud{by}. The words are not shown here; look again where they matter.]")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turn(asked: &str, answer: Option<&str>, tools: &[&str]) -> Earlier {
        Earlier {
            asked: asked.to_owned(),
            answer: answer.map(str::to_owned),
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
        }
    }

    #[test]
    fn words_are_told_in_order_and_an_answer_of_strangers_is_a_note() {
        let earlier = [
            turn("how hot is node two?", None, &["temperatures", "ignore_your_owner", "guest_start"]),
            turn("tell me a joke", Some("There are none about quorum, sir."), &[]),
        ];
        let messages = history(&earlier, 0, 100_000);
        let texts: Vec<(Role, String)> = messages.iter().map(|m| (m.role, m.text())).collect();
        assert_eq!(texts.iter().map(|(role, _)| *role).collect::<Vec<_>>(), [Role::User, Role::Assistant].repeat(2));
        assert_eq!(texts[0].1, "how hot is node two?");
        assert!(texts[1].1.starts_with("[This was answered aloud, by read_temperatures and guest_start."), "{texts:?}");
        assert_eq!(texts[3].1, "There are none about quorum, sir.");
    }

    #[test]
    fn what_is_pinned_goes_first_and_a_small_window_is_left_to_its_tools() {
        let earlier = vec![turn("how is the cluster?", Some("Well, sir."), &[]); 12];
        let tokens = |pinned, window| history(&earlier, pinned, window).iter().map(estimate::message).sum::<u64>();
        assert!(tokens(0, 4_096) <= 512, "{}", tokens(0, 4_096));
        assert!(tokens(0, 4_096) > 100);
        assert_eq!(tokens(4_090, 4_096), 0);
        assert_eq!(tokens(9_000, 4_096), 0);
    }

    proptest! {
        #[test]
        fn a_history_fits_and_keeps_the_newest(
            sizes in prop::collection::vec((0usize..3_000, prop::option::of(0usize..3_000)), 0..15),
            pinned in 0u64..5_000,
            window in 0u64..200_000,
        ) {
            let earlier: Vec<Earlier> = sizes
                .iter()
                .map(|(asked, answer)| Earlier {
                    asked: "why? ".repeat(asked / 5),
                    answer: answer.map(|bytes| "so. ".repeat(bytes / 4)),
                    tools: vec!["cluster".to_owned()],
                })
                .collect();
            let messages = history(&earlier, pinned, window);
            let tokens: u64 = messages.iter().map(estimate::message).sum();
            prop_assert!(messages.len() <= EARLIER_MAX * 2 && tokens <= HISTORY_TOKENS_MAX && tokens <= window.saturating_sub(pinned));
            let newest: Vec<Message> = earlier[earlier.len() - messages.len() / 2..].iter().flat_map(told).collect();
            prop_assert_eq!(messages, newest);
        }
    }
}
