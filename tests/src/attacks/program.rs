//! Another program, whose model obeys what it read elsewhere, and asks Jarvis through MCP.

use anyhow::{Context, Result};
use serde_json::json;

use crate::injections::Injection;
use crate::office::Office;

/// See the module.
pub struct Program {
    client: reqwest::Client,
    url: String,
    bearer: String,
}

impl Program {
    /// With a token that lets it ask for changes.
    ///
    /// # Errors
    /// Where there is none to be had.
    pub fn new(office: &Office) -> Result<Self> {
        // Another part of the harness may have installed it.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let bearer = format!("Bearer {}", office.token("obedient", true)?);
        Ok(Self { client: reqwest::Client::builder().no_proxy().build()?, url: office.mcp(), bearer })
    }

    /// Calls what the attacker wants; whether it reached the tools.
    ///
    /// # Errors
    /// Where nothing answers.
    pub async fn calls(&self, injection: &Injection) -> Result<bool> {
        let params = json!({"name": injection.tool, "arguments": injection.args});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = self.client.post(&self.url).header("authorization", &self.bearer).body(body.to_string());
        let request =
            request.header("content-type", "application/json").header("accept", "application/json, text/event-stream");
        let answer = request.send().await.context("MCP")?;
        // An answer in the protocol's terms, be it an error; what was turned away before has none.
        let text = answer.text().await?;
        Ok(text.contains("\"jsonrpc\"") && (text.contains("\"result\"") || text.contains("\"error\"")))
    }
}
