//! The way in over HTTP: a name that is ours, no foreign web page, a token, not too often, not too much at once.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;

use super::{Client, Handler, Over, REQUEST_BYTES_MAX};
use crate::mcp::limits::Limits;
use crate::mcp::tokens::Tokens;
use crate::mcp::{Mcp, McpConfig};
use crate::page::Names;
use crate::status::House;

/// Where it is served.
const PATH: &str = "/mcp";
/// A request that takes longer, its body included, is given up.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// Longest Authorization header that is looked at.
const AUTHORIZATION_MAX: usize = 256;

/// MCP can't be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve MCP at {listen}: {source}; choose another [mcp] listen")]
pub struct McpError {
    listen: SocketAddr,
    source: io::Error,
}

/// The server, its socket open but not served yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

struct Door {
    mcp: Mcp,
    names: Names,
    origins: Vec<String>,
}

impl Server {
    /// Opens the socket; `None` where the configuration names none.
    ///
    /// # Errors
    /// Where it can't be had.
    pub async fn bind(config: &McpConfig) -> Result<Option<Self>, McpError> {
        let Some(listen) = config.listen else { return Ok(None) };
        let fail = |source| McpError { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Some(Self { listener, address }))
    }

    /// Where it is served; the port is the real one where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// Where the socket breaks.
    pub async fn run(self, house: House) -> io::Result<()> {
        let config = &house.config.mcp;
        let door =
            Door { mcp: house.mcp.clone(), names: Names::new(config.hosts.clone()), origins: config.origins.clone() };
        // Host and Origin are judged by the door, before anything is read.
        let served = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(REQUEST_BYTES_MAX)
            .disable_allowed_hosts();
        let handler = Handler { house: house.clone(), over: Over::Http };
        let service =
            StreamableHttpService::new(move || Ok(handler.clone()), Arc::new(NeverSessionManager::default()), served);
        let router =
            Router::new().route_service(PATH, service).layer(middleware::from_fn_with_state(Arc::new(door), guard));
        axum::serve(self.listener, router).await
    }
}

async fn guard(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let limits = &door.mcp.0.limits;
    let client = match door.admits(request.headers()) {
        Ok(client) => client,
        Err(refused) => {
            limits.count_turned_away();
            return refused;
        }
    };
    let Some(_place) = limits.place() else {
        limits.count_turned_away();
        return later(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(1), "Too many requests are under way.");
    };
    request.extensions_mut().insert(client);
    let answer = tokio::time::timeout(REQUEST_MAX, next.run(request)).await;
    answer.unwrap_or_else(|_| told(StatusCode::REQUEST_TIMEOUT, "That took too long."))
}

impl Door {
    fn admits(&self, headers: &HeaderMap) -> Result<Client, Response> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        if hosts.next().is_some() || !host.is_some_and(|host| self.names.ours(host)) {
            let text = "This is served to localhost. Behind a proxy, add its name to [mcp] hosts.";
            return Err(told(StatusCode::MISDIRECTED_REQUEST, text));
        }
        for origin in headers.get_all(ORIGIN) {
            if !self.origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes()) {
                let text = "Web pages may not ask here, but for those that [mcp] origins names.";
                return Err(told(StatusCode::FORBIDDEN, text));
            }
        }
        self.known(headers, &self.mcp.0.tokens, &self.mcp.0.limits)
    }

    fn known(&self, headers: &HeaderMap, tokens: &Tokens, limits: &Limits) -> Result<Client, Response> {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let given = all.next().filter(|value| value.len() <= AUTHORIZATION_MAX).and_then(|value| value.to_str().ok());
        let given = given.filter(|_| all.next().is_none());
        let token =
            given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((name, scope)) = token.and_then(|(_, token)| tokens.whose(token.trim())) else {
            limits
                .take_stranger()
                .map_err(|wait| later(StatusCode::TOO_MANY_REQUESTS, wait, "Too many requests without a token."))?;
            let text = "A token is needed: `jarvisctl mcp token add NAME` makes one.\n";
            let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"jarvis\""), (CACHE_CONTROL, "no-store")];
            return Err((StatusCode::UNAUTHORIZED, challenge, text).into_response());
        };
        limits
            .take(&name)
            .map_err(|wait| later(StatusCode::TOO_MANY_REQUESTS, wait, "Too many requests in a minute."))?;
        Ok(Client { name, scope })
    }
}

fn told(status: StatusCode, text: &str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], format!("{text}\n")).into_response()
}

fn later(status: StatusCode, wait: Duration, text: &str) -> Response {
    let seconds = (wait.as_secs() + 1).to_string();
    (status, [(RETRY_AFTER, seconds)], format!("{text}\n")).into_response()
}
