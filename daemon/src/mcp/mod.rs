//! MCP: other programs ask Jarvis through it (`server`), and he asks other servers of his owner's (`client`).
//!
//! What another program asks takes the same way as what a person asks: the tools are those of [`jarvis_core::tools::TOOLS`], the gate
//! judges them, and whatever changes something waits until its owner says yes on the page or with `jarvisctl`. No answer of a program
//! counts as that yes. Tokens (`tokens`) say who a program is and whether it may ask for changes at all.

mod client;
mod config;
mod limits;
mod server;
mod tokens;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

pub use client::{Called, NotApproved, Offer, ServerConfig, ServerLine, Servers, Shown, ToolLine};
pub use config::McpConfig;
pub use server::{McpError, STDIO, Server, serve_stdio};
pub use tokens::{Scope, TokenError, TokenLine};

use crate::event::{Bus, EventKind};
use crate::status::House;
use limits::Limits;
use tokens::Tokens;

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Mcp(Arc<Inner>);

struct Inner {
    tokens: Tokens,
    limits: Limits,
    served: OnceLock<SocketAddr>,
}

/// What it says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct McpStatus {
    /// Where it is served; `None` where it is not.
    pub served: Option<SocketAddr>,
    /// Who is let in.
    pub tokens: Vec<TokenLine>,
    /// Why nobody is, where the tokens' file is damaged.
    pub trouble: Option<String>,
    /// Calls that were made since the daemon's start.
    pub calls: u64,
    /// Requests that were turned away since then: no token, a wrong one, a foreign Host or Origin, too many at once.
    pub turned_away: u64,
}

impl Mcp {
    /// With the tokens in `state_dir`. Never fails: a damaged file lets nobody in, and is told.
    pub fn open(state_dir: &Path, config: &McpConfig) -> Self {
        let limits = Limits::new(config.calls_per_minute);
        Self(Arc::new(Inner { tokens: Tokens::open(state_dir), limits, served: OnceLock::new() }))
    }

    /// A new token for a program; the only time it is shown.
    ///
    /// # Errors
    /// Where the name is taken or no name, or the file cannot be written.
    pub fn add_token(&self, name: &str, scope: Scope) -> Result<String, TokenError> {
        self.0.tokens.add(name, scope)
    }

    /// Takes a token away, at once.
    ///
    /// # Errors
    /// Where there is none of that name, or the file cannot be written.
    pub fn revoke_token(&self, name: &str) -> Result<(), TokenError> {
        self.0.tokens.revoke(name)
    }

    /// What it says of itself.
    pub fn status(&self) -> McpStatus {
        let (tokens, trouble) = self.0.tokens.list();
        let (calls, turned_away) = self.0.limits.counts();
        McpStatus { served: self.0.served.get().copied(), tokens, trouble, calls, turned_away }
    }
}

/// Serves MCP over HTTP where the configuration says so, until it is dropped. A socket that can't be had is told, and costs nothing else.
pub async fn run(house: House, bus: Bus) {
    let ended = match Server::bind(&house.config.mcp).await {
        Ok(None) => return,
        Ok(Some(server)) => {
            let address = server.address();
            tracing::info!(%address, "MCP is served");
            if house.mcp.0.served.set(address).is_err() {
                tracing::debug!("MCP was served before");
            }
            server.run(house).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(reason) = ended {
        tracing::error!("{reason}");
        let fallback = Some("jarvisctl mcp serve".to_owned());
        bus.tell(EventKind::Degraded { part: "mcp".into(), reason, fallback });
    }
}
