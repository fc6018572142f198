//! The status page: what Jarvis hears, does and knows, live, on loopback; and where the owner answers questions about changes.
//!
//! Three embedded files and a stream of server-sent events. Looking needs no login, so only loopback is served, and only under names that
//! are ours (a foreign site whose name was pointed at 127.0.0.1 is refused). What changes something needs the owner's token (`owner`).

mod guard;
mod owner;
mod stream;

pub(crate) use guard::Names;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::past::PastTurn;
use crate::status::House;

/// Pages that may be open at once; one more is told to wait.
pub const MAX_STREAMS: usize = 8;
/// Longest body that is read.
const BODY_BYTES_MAX: usize = 4096;
/// Turns shown.
const TURNS_SHOWN: u32 = 20;

/// The `[page]` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageConfig {
    /// Address the page is served at; only loopback is allowed.
    pub listen: SocketAddr,
    /// Names under which a proxy may ask for it, beside `localhost` and the loopback addresses.
    pub hosts: Vec<String>,
}

impl Default for PageConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 7421)), hosts: Vec::new() }
    }
}

/// The page can't be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Its address can't be had.
    #[error("cannot serve the page at {listen}: {source}; choose another [page] listen")]
    Address {
        /// Which.
        listen: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// What its owner signs in with is no secret, or can't be had.
    #[error("cannot serve the page: {0}")]
    Token(std::io::Error),
}

/// The page, its socket open but not served yet.
pub struct Page {
    listener: TcpListener,
    address: SocketAddr,
    hosts: Vec<String>,
    owner: Arc<owner::Owner>,
}

#[derive(Clone)]
struct Shared {
    house: House,
    owner: Arc<owner::Owner>,
    streams: Arc<Semaphore>,
}

impl Page {
    /// Opens the socket; the owner's token is in `state_dir`.
    pub async fn bind(config: &PageConfig, state_dir: &Path) -> Result<Self, PageError> {
        let owner = owner::Owner::open(state_dir).map_err(PageError::Token)?;
        let fail = |source| PageError::Address { listen: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address, hosts: config.hosts.clone(), owner })
    }

    /// Where it is served; the port is the real one where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    pub async fn run(self, house: House) -> std::io::Result<()> {
        let shared = Shared { house, owner: self.owner, streams: Arc::new(Semaphore::new(MAX_STREAMS)) };
        let router = Router::new()
            .route("/", get(|| asset("text/html; charset=utf-8", include_str!("assets/page.html"))))
            .route("/page.css", get(|| asset("text/css; charset=utf-8", include_str!("assets/page.css"))))
            .route("/page.js", get(|| asset("text/javascript; charset=utf-8", include_str!("assets/page.js"))))
            .route("/icon.svg", get(|| asset("image/svg+xml", include_str!("assets/icon.svg"))))
            .route("/events", get(stream::events))
            .route("/api/status", get(status))
            .route("/api/turns", get(turns))
            .route("/api/approvals", get(owner::approvals))
            .route("/api/session", get(owner::session).post(owner::enter))
            .route("/api/approve", post(owner::approve))
            .route("/api/deny", post(owner::deny))
            .route("/api/stop", post(owner::stop))
            .route("/api/resume", post(owner::resume))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(shared)
            .layer(middleware::from_fn_with_state(Arc::new(guard::Names::new(self.hosts)), guard::guard));
        axum::serve(self.listener, router).await
    }
}

/// An embedded file. Browsers ask again each time, so that a new daemon never runs with an old page.
async fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response()
}

async fn status(State(shared): State<Shared>) -> Response {
    ([(CACHE_CONTROL, "no-store")], axum::Json(shared.house.status().await)).into_response()
}

async fn turns(State(shared): State<Shared>) -> Response {
    match recent(&shared.house).await {
        Ok(turns) => {
            let text = shared.house.safety.without_challenges(serde_json::json!(turns).to_string());
            ([(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, "application/json")], text).into_response()
        }
        Err(error) => (axum::http::StatusCode::SERVICE_UNAVAILABLE, error).into_response(),
    }
}

/// The newest turns, newest first.
async fn recent(house: &House) -> Result<Vec<PastTurn>, String> {
    let rows = house.store.turns(TURNS_SHOWN).await.map_err(|e| e.to_string())?;
    Ok(rows.into_iter().map(PastTurn::from).collect())
}

#[cfg(test)]
mod tests;
