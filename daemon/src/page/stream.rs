//! The stream of server-sent events that a page lives on.
//!
//! First one `snapshot`, then an `event` for everything that happens, and a `status` whenever what the parts say of themselves has
//! changed. Events that the browser was too slow for end the stream: it connects again and begins with a new snapshot.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{Shared, recent};
use crate::event::{EventKind, Listener, Told};
use crate::status::{House, Status};

/// How often the parts are asked while a page is open. What is said of the cluster costs it two reads at most each time.
const STATUS_EVERY: Duration = Duration::from_secs(15);
/// What a page that finds no place is told to wait, in seconds.
const RETRY_S: &str = "10";
/// Round trips are shown in such steps, rounded up.
const RTT_STEP_MS: f32 = 10.0;
/// Shares of processor and memory are shown in such steps.
const SHARE_STEP: f64 = 0.05;
/// How long a browser waits before it connects again.
const RECONNECT: Duration = Duration::from_secs(1);

/// Everything that one open page needs.
struct Open {
    house: House,
    listener: Listener,
    clock: Interval,
    /// What was last sent, so that nothing is sent twice.
    last_status: String,
    begun: bool,
    _place: OwnedSemaphorePermit,
}

pub(super) async fn events(State(shared): State<Shared>) -> Response {
    let Ok(place) = shared.streams.clone().try_acquire_owned() else {
        let told = "Too many pages are open: close one.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_S)], told).into_response();
    };
    // Listening begins before the snapshot is taken, so that nothing falls between the two.
    let listener = shared.house.bus.listen();
    let mut clock = interval_at(Instant::now() + STATUS_EVERY, STATUS_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let open = Open { house: shared.house, listener, clock, last_status: String::new(), begun: false, _place: place };
    let events = stream::unfold(open, |mut open| async move {
        let event = open.next().await?;
        Some((Ok::<Sse, Infallible>(event), open))
    });
    let stream = axum::response::Sse::new(events).keep_alive(KeepAlive::default());
    ([(CACHE_CONTROL, "no-store")], stream).into_response()
}

impl Open {
    async fn next(&mut self) -> Option<Sse> {
        if !self.begun {
            self.begun = true;
            return self.snapshot().await;
        }
        loop {
            tokio::select! {
                told = self.listener.next() => match told? {
                    Told::Event(event) => {
                        if changes_status(&event.kind) {
                            self.clock.reset_immediately();
                        }
                        return self.sse("event", &*event);
                    }
                    Told::Lost(_) => return None,
                },
                _ = self.clock.tick() => if let Some(status) = self.status().await {
                    return Some(status);
                },
            }
        }
    }

    async fn snapshot(&mut self) -> Option<Sse> {
        let status = settled(self.house.status().await);
        self.last_status = json!(status).to_string();
        let running = self.house.board.borrow().running();
        let running: Vec<_> = running.iter().map(|e| json!(**e)).collect();
        let (turns, trouble) = match recent(&self.house).await {
            Ok(turns) => (turns, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let picture = json!({"status": status, "turns": turns, "running": running, "trouble": trouble});
        Some(self.sse("snapshot", &picture)?.retry(RECONNECT))
    }

    /// The status, unless it says what it said before.
    async fn status(&mut self) -> Option<Sse> {
        let status = json!(settled(self.house.status().await));
        let text = status.to_string();
        if text == self.last_status {
            return None;
        }
        self.last_status = text;
        self.sse("status", &status)
    }

    /// An event of the stream. The page is a second channel: what must be confirmed there is not shown there.
    fn sse<T: Serialize>(&self, name: &str, data: &T) -> Option<Sse> {
        match serde_json::to_string(data) {
            Ok(text) => Some(Sse::default().event(name).data(self.house.safety.without_challenges(text))),
            Err(error) => {
                tracing::error!(%error, "an event could not be written as JSON");
                None
            }
        }
    }
}

/// Without what changes all the time and tells nobody anything: a page in which nothing happens is sent nothing.
fn settled(mut status: Status) -> Status {
    status.uptime_s = 0;
    for satellite in &mut status.satellites {
        satellite.silent_s = None;
        satellite.clock_offset_ms = None;
        satellite.rtt_ms = satellite.rtt_ms.map(|ms| (ms / RTT_STEP_MS).ceil() * RTT_STEP_MS);
    }
    for mind in &mut status.minds.minds {
        // How long it is left alone yet changes by the second.
        mind.circuit = if mind.asked { "asked" } else { "left alone" }.to_owned();
    }
    for node in &mut status.nodes {
        let rounded = |share: f64| (share / SHARE_STEP).round() * SHARE_STEP;
        (node.cpu, node.memory) = (node.cpu.map(rounded), node.memory.map(rounded));
    }
    status
}

fn changes_status(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Satellite { .. }
            | EventKind::Node { .. }
            | EventKind::Degraded { .. }
            | EventKind::Restored { .. }
            | EventKind::Power { .. }
    )
}
