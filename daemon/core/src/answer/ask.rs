//! Questions back, where a name is not clear: one, and short.

use crate::answer::strings::say;
use crate::names::Sort;

/// Most names that are read out in a question; beyond that the ear is lost.
const CHOICES_SAID_MAX: usize = 4;

fn noun(sort: Sort) -> &'static str {
    match sort {
        Sort::Node => "node",
        Sort::Guest => "guest",
        Sort::Storage => "storage",
    }
}

/// Names as a choice: "a, b or c".
pub(crate) fn either(names: &[String]) -> String {
    join(names, "or")
}

/// Names together: "a, b and c".
pub(crate) fn both(names: &[String]) -> String {
    join(names, "and")
}

fn join(names: &[String], word: &str) -> String {
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// Several things fit.
pub(crate) fn which(sort: Sort, choices: &[String]) -> String {
    if choices.len() <= CHOICES_SAID_MAX {
        say("ask.which", 0, &[("choices", &either(choices))])
    } else {
        say("ask.which_many", 0, &[("noun", noun(sort))])
    }
}

/// No name of the cluster is known.
pub(crate) fn unseen() -> String {
    say("ask.unseen", 0, &[])
}

/// Nothing bears the number.
pub(crate) fn nobody(sort: Sort, number: &str, choices: &[String]) -> String {
    let values = [("noun", noun(sort)), ("number", number)];
    if choices.is_empty() || choices.len() > CHOICES_SAID_MAX {
        say("ask.nobody", 0, &values)
    } else {
        let either = either(choices);
        let [noun, number] = values;
        say("ask.nobody_choices", 0, &[noun, number, ("choices", &either)])
    }
}
