//! How a change ended, whoever carried it out.

use jarvis_core::approval::Stage;
use jarvis_core::mind::trim::condense;

use crate::cluster::Outcome;
use crate::mcp::Called;

/// Longest answer of another server that is kept with its row, in bytes.
const ANSWER_BYTES_MAX: usize = 4_000;
/// Longest complaint of another server, which is spoken, in bytes.
const WHY_BYTES_MAX: usize = 240;

/// How a change ended, as it is written down.
pub(super) struct Ended {
    pub(super) stage: Stage,
    pub(super) words: String,
    /// The last lines of a task's log, for the record.
    pub(super) log: Vec<String>,
}

impl Ended {
    pub(super) fn failed(words: String) -> Self {
        Self { stage: Stage::Failed, words, log: Vec::new() }
    }
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done { warnings, .. } => {
                let words = match warnings {
                    None => String::new(),
                    Some(1) => "with 1 warning".to_owned(),
                    Some(n) => format!("with {n} warnings"),
                };
                Self { stage: Stage::Done, words, log: Vec::new() }
            }
            Outcome::Failed { reason, log, .. } => Self { stage: Stage::Failed, words: reason, log },
            Outcome::Unknown { why, .. } => Self { stage: Stage::Unknown, words: why, log: Vec::new() },
        }
    }
}

impl From<Called> for Ended {
    fn from(called: Called) -> Self {
        match called {
            // What the server says of it is all there is: nothing can be read back.
            Called::Answered { text, is_error: false } => {
                Self { stage: Stage::Done, words: condense(&text, ANSWER_BYTES_MAX), log: Vec::new() }
            }
            Called::Answered { text, is_error: true } => Self::failed(condense(&text, WHY_BYTES_MAX)),
            Called::NotCalled(why) => Self::failed(why),
            Called::Unknown(why) => Self { stage: Stage::Unknown, words: why, log: Vec::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use jarvis_core::ids::Upid;

    use super::*;

    #[test]
    fn a_change_that_was_done_says_how_many_warnings_there_were() {
        for (warnings, words) in [(None, ""), (Some(1), "with 1 warning"), (Some(2), "with 2 warnings")] {
            let done = Outcome::Done { upid: Upid("UPID:pve1".to_owned()), warnings, took_ms: 1 };
            let ended = Ended::from(done);
            assert_eq!((ended.stage, ended.words.as_str()), (Stage::Done, words));
        }
    }
}
