//! A task, followed to its end on the node that its identifier names.

use jarvis_core::ids::{NodeName, Upid};
use jarvis_core::tool::GapReason;
use jarvis_core::tools::Change;
use tokio::time::Instant;

use super::super::api::Api;
use super::super::convert::{Exit, exit};
use super::super::wire;
use super::{ChangeLimits, Pause, look_until, object, remedy};

/// Lines of a log asked for at once.
const PAGE_LINES: usize = 500;
/// Pages of a log read; what failed after more lines than that is told by its status alone.
const PAGES_MAX: usize = 4;
/// Last lines of a log that are kept.
const LINES_KEPT: usize = 5;

/// So many looks in a row must find a node that knows no such task before that is believed: its list may be read while it is written.
const MISSES_MAX: u32 = 3;

/// How a task ended.
pub(super) enum Ended {
    /// `OK`, or with warnings.
    Well { warnings: Option<u32> },
    /// With a text that is neither.
    Failed { reason: String, log: Vec<String> },
    /// Nobody knows.
    Unknown(String),
}

/// Looks at a task until it has ended or `deadline` is over. A node that does not answer is asked again until then.
pub(super) async fn to_its_end(
    api: &Api,
    change: &Change,
    upid: &Upid,
    node: &NodeName,
    deadline: Instant,
    limits: &ChangeLimits,
) -> Ended {
    let begun = Instant::now();
    let path = format!("/nodes/{node}/tasks/{upid}/status");
    let mut pause = Pause::new(limits);
    let mut trouble = None;
    let mut misses = 0;
    while pause.wait(deadline).await {
        let answer = api.get(Some(node), &path, look_until(deadline)).await;
        match answer.and_then(object::<wire::TaskStatus>) {
            Ok(status) if status.status.as_deref() == Some("stopped") => {
                return match exit(status.exitstatus.as_deref()) {
                    Exit::Ok => Ended::Well { warnings: None },
                    Exit::Warnings(count) => Ended::Well { warnings: Some(count) },
                    Exit::Failed(text) => {
                        let log = last_lines(api, upid, node).await;
                        Ended::Failed { reason: remedy::named(&text, change), log }
                    }
                    Exit::Unknown => Ended::Unknown(remedy::bounded(&format!(
                        "the task on {node} ended, and {node} cannot say how ({})",
                        status.exitstatus.as_deref().unwrap_or("no status")
                    ))),
                };
            }
            Ok(_) => (trouble, misses) = (None, 0),
            Err(error) if error.reason == GapReason::Missing && misses + 1 == MISSES_MAX => {
                let why = format!(
                    "the task on {node} was begun, but {node} does not know the task any more: {}",
                    error.detail
                );
                return Ended::Unknown(remedy::bounded(&why));
            }
            Err(error) if error.reason == GapReason::Missing => (trouble, misses) = (Some(error.detail), misses + 1),
            Err(error) if error.reason == GapReason::Forbidden => {
                let why = format!("the task on {node} was begun, but may not be followed: {}", error.detail);
                return Ended::Unknown(remedy::bounded(&why));
            }
            Err(error) => (trouble, misses) = (Some(error.detail), 0),
        }
    }
    let waited = begun.elapsed().as_secs();
    Ended::Unknown(remedy::bounded(&match trouble {
        Some(trouble) => format!("the task on {node} was begun, but {node} stopped answering: {trouble}"),
        None => format!("the task on {node} still runs after {waited} seconds"),
    }))
}

/// The last lines of a task's log; none where they cannot be had.
async fn last_lines(api: &Api, upid: &Upid, node: &NodeName) -> Vec<String> {
    let mut last = Vec::new();
    for page in 0..PAGES_MAX {
        let path = format!("/nodes/{node}/tasks/{upid}/log?start={}&limit={PAGE_LINES}", page * PAGE_LINES);
        let Ok(data) = api.get(Some(node), &path, look_until(Instant::now())).await else { return last };
        let lines: Vec<wire::LogLine> = wire::list(data).unwrap_or_default();
        let whole = lines.len() < PAGE_LINES;
        last.extend(lines.into_iter().filter_map(|line| line.t).map(|line| remedy::bounded(&line)));
        last.drain(..last.len().saturating_sub(LINES_KEPT));
        if whole {
            break;
        }
    }
    last
}
