//! What is said at the end of a run beside the model's own words.

use jarvis_core::agent::{End, Limit, Silence, Told};
use jarvis_core::answer::{Reply, phrase};
use jarvis_core::ids::TurnId;

use super::Finished;

/// What the owner has of an answer so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// The model said something.
    pub(super) any: bool,
    /// It put something on the page.
    pub(super) shown: bool,
}

/// What is left of a run that the kill switch ended, after these sentences.
pub(crate) fn stood_down(said: &[String], turn: TurnId) -> Finished {
    let last = phrase("agent.stood_down", turn.0, &[]);
    let speech = said.iter().map(String::as_str).chain([last.as_str()]).collect::<Vec<_>>().join(" ");
    let reply = Reply { speech, ..Reply::default() };
    Finished { reply, rest: vec![last], memories: Vec::new(), tainted: true, answered_by: None }
}

/// What is said at the end beside the model's own words.
pub(super) fn last_words(end: &End, told: &Told, heard: Heard, who: &str, seed: u64) -> Vec<String> {
    let Heard { any, shown } = heard;
    let say = |key: &str| phrase(key, seed, &[]);
    let mut words = Vec::new();
    let silent = match told.silence {
        Some(Silence::Script) => "agent.other_script",
        Some(Silence::Markup) => "agent.only_markup",
        Some(Silence::Empty) | None if shown => "agent.only_markup",
        Some(Silence::Empty) | None => "agent.empty",
    };
    match end {
        End::Answered { .. } if !any => words.push(say(silent)),
        End::Answered { cut: true } => words.push(say("agent.cut")),
        End::Answered { cut: false } | End::Declined | End::HandedOver { .. } | End::Cancelled => {}
        End::Limit { limit } => words.push(say(match limit {
            Limit::Steps => "agent.limit_steps",
            Limit::Time => "agent.limit_time",
            Limit::Tokens => "agent.limit_tokens",
            Limit::Repeats => "agent.limit_repeats",
            Limit::Results => "agent.limit_results",
            Limit::Window => "agent.limit_window",
        })),
        End::Refused { .. } => words.push(say("agent.refused")),
        End::Broken { .. } => {
            let key = if any { "agent.broke_off" } else { "agent.broken" };
            words.push(phrase(key, seed, &[("who", who)]));
        }
    }
    if told.unread {
        words.push(say("agent.rest_other_script"));
    } else if told.long {
        words.push(say("agent.rest_on_page"));
    }
    words
}

#[cfg(test)]
mod tests {
    use jarvis_core::agent::Telling;

    use super::*;

    /// The last words of an answer that came in these messages.
    fn last(messages: &[&str]) -> Vec<String> {
        let mut telling = Telling::new();
        let mut any = false;
        for message in messages {
            let mut said = telling.push(message);
            said.extend(telling.pause());
            any |= !said.is_empty();
        }
        last_words(&End::Answered { cut: false }, &telling.close(), Heard { any, shown: false }, "qwen", 0)
    }

    #[test]
    fn an_answer_in_other_letters_is_never_met_with_silence() {
        let whole = last(&["Узел два работает хорошо. Всё в порядке."]).join("|");
        assert!(whole.contains("letters") && whole.contains("on the page") && !whole.contains('|'), "{whole}");
        let rest = last(&["I shall look.", "सब कुछ ठीक है।"]).join("|");
        assert!(rest.contains("rest") && rest.contains("letters") && !rest.contains('|'), "{rest}");
        assert_eq!(last(&["All is well, sir."]), [""; 0]);
    }
}
