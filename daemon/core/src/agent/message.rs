//! What a run is told, and what it wants done.

use serde::{Deserialize, Serialize};

use crate::ids::ApprovalId;
use crate::mind::error::ProviderError;
use crate::mind::message::{Message, Reply, StopReason, ToolResult, Usage};
use crate::tools::Call;

/// When the model may be asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It costs nothing and stays in the house: while somebody may still go on speaking.
    AtOnce,
    /// Once nobody can go on speaking.
    HeardOut,
}

/// What a run begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The conversation, which ends with the owner's words.
    pub messages: Vec<Message>,
    /// When the model may be asked.
    pub when: When,
    /// Whether instructions or conversation hold what strangers may have written: names of guests, notes, earlier tool output.
    pub tainted: bool,
    /// Whether the model is told of tools of other servers, in those servers' words. Their owner approved them for these very tools:
    /// so they taint what it proposes beside, and not a call of such a tool.
    pub described: bool,
}

/// What a run is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Nobody can go on speaking: from now on something may be changed, and money spent.
    HeardOut,
    /// The model answered, to its end.
    Answered(Box<Reply>),
    /// It did not, and asking again does not help.
    Failed(ProviderError),
    /// A call was carried out.
    Ran {
        /// Its place in the message.
        at: usize,
        /// What came of it.
        ran: Ran,
    },
    /// Nobody wants the answer any more.
    Cancel,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Ran {
    /// Something to tell the model.
    Told {
        /// What it brought, or why it brought nothing. Secrets are taken out.
        text: String,
        /// It failed, or was refused.
        is_error: bool,
        /// Strangers may have written some of it.
        untrusted: bool,
    },
    /// Somebody must say yes first: the question is what is answered.
    Asked {
        /// The question's approval.
        approval: ApprovalId,
    },
    /// It is never done, or not from here: what the gate says is what is answered.
    Declined,
}

/// What a run wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Commit this step before anything that follows is begun.
    Write(Step),
    /// Ask the model with the conversation so far; then tell [`Input::Answered`] or [`Input::Failed`].
    Ask,
    /// Run a read, beside others; then tell [`Input::Ran`].
    Read {
        /// Its place in the message.
        at: usize,
        /// What.
        call: Call,
    },
    /// Propose a call to the gate; then tell [`Input::Ran`].
    Change {
        /// Its place in the message.
        at: usize,
        /// What.
        call: Call,
        /// Whether the model had read what strangers may have written.
        tainted: bool,
    },
    /// Nobody waits for this read any more.
    Abandon {
        /// Its place in the message.
        at: usize,
    },
    /// The run is over.
    End(End),
}

/// A call that begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// Its place in the message.
    pub at: usize,
    /// The tool.
    pub tool: String,
    /// Its arguments, JSON.
    pub args: String,
}

impl Began {
    pub(super) fn new(at: usize, call: &Call) -> Self {
        Self { at, tool: call.name().to_owned(), args: call.json() }
    }
}

/// A step of a run, as it is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    /// The model is about to be asked.
    Asked {
        /// For how many times now.
        step: u32,
    },
    /// It answered.
    Said {
        /// What.
        message: Message,
        /// Why it ended.
        stop: StopReason,
        /// What it took.
        usage: Usage,
    },
    /// Calls are about to be carried out.
    Began {
        /// Which.
        calls: Vec<Began>,
    },
    /// A call is over.
    Result {
        /// Its place in the message.
        at: usize,
        /// What the model is told.
        result: ToolResult,
    },
    /// The run is over.
    Ended {
        /// How.
        end: End,
    },
}

impl Step {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Asked { .. } => "asked",
            Self::Said { .. } => "said",
            Self::Began { .. } => "began",
            Self::Result { .. } => "result",
            Self::Ended { .. } => "ended",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// With an answer: the text of the last message, if it has any.
    Answered {
        /// It was cut off at the length that an answer may have.
        cut: bool,
    },
    /// At a limit.
    Limit {
        /// Which.
        limit: Limit,
    },
    /// The model declined.
    Refused {
        /// In the provider's words, where it gave any.
        why: Option<String>,
    },
    /// The gate declined, and its words are the answer.
    Declined,
    /// A change waits for somebody's yes: its question is the answer.
    HandedOver {
        /// Which.
        approval: ApprovalId,
        /// Further changes that were wanted and not asked about.
        left: u32,
    },
    /// The provider failed.
    Broken {
        /// How.
        error: ProviderError,
    },
    /// Nobody wanted the answer any more.
    Cancelled,
}

impl End {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::Limit { .. } => "limit",
            Self::Refused { .. } => "refused",
            Self::Declined => "declined",
            Self::HandedOver { .. } => "handed_over",
            Self::Broken { .. } => "broken",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A limit that ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The model was asked as often as it may be.
    Steps,
    /// It took too long.
    Time,
    /// It took too many tokens.
    Tokens,
    /// It called the same again and again.
    Repeats,
    /// Its tools brought too much.
    Results,
    /// The conversation does not fit the model's window.
    Window,
}
