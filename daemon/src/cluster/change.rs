//! Changing the cluster: one request, one task followed to its end, one look at what became of it.
//!
//! The request goes out once and is never repeated: where its answer is lost, the outcome is unknown, and [`ClusterClient::find_task`]
//! looks for it in the node's own list. 'Done' is said of what was *seen*: the task ended `OK` (or with warnings), and the guest was
//! read back in the wanted state. Whatever lies between is unknown, and named so.
//!
//! `change/send` is the request, `change/follow` the task, `change/read_back` the look, `change/reconcile` the search for a lost task,
//! `change/remedy` the words for what went wrong.

mod follow;
mod read_back;
mod reconcile;
mod remedy;
mod send;

use std::time::Duration;

use jarvis_core::gate::{Cleared, Gate, Work};
use jarvis_core::ids::{Upid, WallMillis};
use jarvis_core::tool::Facts;
use jarvis_core::tools::{Call, Change, Effect};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::follow::Ended;
use self::read_back::Before;
use self::send::Sent;
use super::{ClusterClient, reads, upid, wall};

pub use self::reconcile::Found;

/// How long a change is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeLimits {
    /// From the request to the identifier of its task. The API takes locks before it answers; past this the answer is lost.
    pub answer: Duration,
    /// The first pause between two looks at a task; each is half as long again as the last.
    pub poll_first: Duration,
    /// The longest pause between two looks.
    pub poll_longest: Duration,
    /// From a task's good end until the guest is seen in the wanted state. What high availability was asked for has the tool's own limit.
    pub read_back: Duration,
    /// For how long after a lost answer its task may still turn up in the node's list. No shorter than `answer`: the node that did not
    /// answer for so long may still be about to begin it.
    pub settle: Duration,
    /// No task is followed for longer, whatever its tool allows.
    pub task: Duration,
}

impl Default for ChangeLimits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(60),
            poll_first: Duration::from_millis(250),
            poll_longest: Duration::from_secs(3),
            read_back: Duration::from_secs(30),
            settle: Duration::from_secs(90),
            task: Duration::from_secs(3600),
        }
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The task ended well and the guest was seen as it was wanted.
    Done {
        /// The task.
        upid: Upid,
        /// How many warnings its log holds, where it ended with some.
        warnings: Option<u32>,
        /// Milliseconds from the request until it was seen.
        took_ms: u64,
    },
    /// It did not happen: refused before anything ran, or the task ended badly.
    Failed {
        /// The task; `None` where none was begun.
        upid: Option<Upid>,
        /// Why, and what to do about it; one line, at most 400 characters. Holds words of the node's: untrusted.
        reason: String,
        /// The last lines of the task's log, for the page. Untrusted.
        log: Vec<String>,
    },
    /// Nobody knows whether it happened.
    Unknown {
        /// The task; `None` where its identifier never came.
        upid: Option<Upid>,
        /// What is not known, and why; one line, at most 400 characters. May hold words of the node's: untrusted.
        why: String,
    },
}

impl Outcome {
    /// Its name, as it is logged: `done`, `failed`, `unknown`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl ClusterClient {
    /// Carries a cleared change out, which spends the clearance. `may` is asked at the last moment before anything is sent, and again
    /// before another node is tried: whoever says no there has kept the request back. `begun` is told the task's identifier as soon as it is known, and
    /// waited for before the task is followed: what it commits survives a crash.
    ///
    /// Dropping the future leaves the change where it is: it is unknown then, and [`Self::find_task`] and [`Self::follow`] tell what
    /// became of it.
    pub async fn change<F, C>(
        &self,
        cleared: Cleared<Work>,
        may: &(dyn Fn() -> bool + Send + Sync),
        begun: F,
    ) -> Outcome
    where
        F: FnOnce(Upid) -> C,
        C: Future<Output = ()>,
    {
        let work = cleared.into_args();
        let Effect::Change(change) = work.effect else {
            let reason = format!("{} changes nothing in the cluster", work.call.name());
            return Outcome::Failed { upid: None, reason, log: Vec::new() };
        };
        let reader = &self.reader;
        let before = match read_back::before(&reader.api, &change, reader.limits.change.answer).await {
            Ok(before) => before,
            Err(error) => {
                let reason = format!(
                    "nothing was begun: how {} is now cannot be read: {}",
                    remedy::guest(&change),
                    error.detail
                );
                return Outcome::Failed { upid: None, reason: remedy::bounded(&reason), log: Vec::new() };
            }
        };
        let sent = reader.api.send_once(&change, reader.limits.change.answer, may).await;
        // What was read until now may be otherwise from now on.
        reader.forget();
        let outcome = match sent {
            Sent::Refused(reason) => Outcome::Failed { upid: None, reason, log: Vec::new() },
            Sent::Lost(why) => Outcome::Unknown { upid: None, why },
            Sent::Taken(upid) => {
                begun(upid.clone()).await;
                self.until_seen(&change, upid, before).await
            }
        };
        tracing::info!(vmid = change.vmid.0, node = %change.node, path = %change.path, outcome = outcome.name(), "change");
        outcome
    }

    /// Follows a change whose task is known, as after a restart. `sent` is when it was asked for.
    pub async fn follow(&self, change: &Change, upid: Upid, sent: WallMillis) -> Outcome {
        let ago = u64::try_from(wall().0.saturating_sub(sent.0)).unwrap_or(0);
        let sent = Instant::now().checked_sub(Duration::from_millis(ago)).unwrap_or_else(Instant::now);
        self.until_seen(change, upid, Before::unknown(sent)).await
    }

    /// What a call must be judged on, read now and past everything kept.
    pub async fn facts_for(&self, call: &Call) -> Facts {
        // Every need of a tool is a read, and the gate clears those; one it refused would stay unknown, which makes a change worse.
        let needs = call.needs().into_iter().filter_map(|read| Gate::new().clear(read).ok());
        let (facts, _) = self.run_by(&std::sync::Arc::new(self.reader.afresh()), needs.collect()).await;
        facts
    }

    async fn until_seen(&self, change: &Change, upid: Upid, before: Before) -> Outcome {
        let reader = &self.reader;
        let limits = reader.limits.change;
        let Some(parts) = upid::parts(&upid).filter(|parts| parts.is_about(change.vmid)) else {
            let why = remedy::bounded(&format!("{upid} is no task of {}", remedy::guest(change)));
            return Outcome::Unknown { upid: None, why };
        };
        let limit = Duration::from_secs(change.limit_s.into()).min(limits.task);
        let deadline = Instant::now() + limit;
        let ended = follow::to_its_end(&reader.api, change, &upid, &parts.node, deadline, &limits).await;
        let outcome = match ended {
            Ended::Failed { reason, log } => Outcome::Failed { upid: Some(upid), reason, log },
            Ended::Unknown(why) => Outcome::Unknown { upid: Some(upid), why },
            Ended::Well { warnings } => {
                // High availability was only asked: it acts when its manager gets round to it.
                let asked_only = matches!(parts.kind, "hastart" | "hastop");
                let soon = Instant::now() + limits.read_back;
                let until = if asked_only { soon.max(deadline) } else { soon };
                match read_back::until_seen(&reader.api, change, &before, until, &limits).await {
                    Ok(()) => {
                        let took_ms = u64::try_from(before.at.elapsed().as_millis()).unwrap_or(u64::MAX);
                        Outcome::Done { upid, warnings, took_ms }
                    }
                    Err(why) => Outcome::Unknown { upid: Some(upid), why },
                }
            }
        };
        reader.forget();
        outcome
    }
}

/// A pause that grows with every look.
struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    fn new(limits: &ChangeLimits) -> Self {
        Self { next: limits.poll_first, longest: limits.poll_longest }
    }

    /// Waits, not past `deadline`; false where that is over.
    async fn wait(&mut self, deadline: Instant) -> bool {
        let now = Instant::now();
        if now >= deadline {
            return false;
        }
        tokio::time::sleep_until((now + self.next).min(deadline)).await;
        self.next = (self.next * 3 / 2).min(self.longest);
        true
    }
}

/// The longest a single look at a task or a guest takes; a node that does not answer by then is asked again.
const LOOK_LIMIT: Duration = Duration::from_secs(8);

fn look_until(deadline: Instant) -> Instant {
    // The last look of all may begin at the deadline, and is given a moment.
    (Instant::now() + LOOK_LIMIT).min(deadline + LOOK_LIMIT / 4)
}

fn object<T: serde::de::DeserializeOwned>(data: serde_json::Value) -> Result<T, super::api::ApiError> {
    reads::object(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_task_is_waited_for_at_least_as_long_as_an_answer() {
        let limits = ChangeLimits::default();
        assert!(limits.settle >= limits.answer, "{limits:?}");
    }
}
