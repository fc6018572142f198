//! The `[mcp]` section.

use std::net::SocketAddr;

use serde::Deserialize;

use super::client::ServerConfig;

/// Most calls a minute that may be configured.
const CALLS_MAX: u32 = 6000;

/// The `[mcp]` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct McpConfig {
    /// Address other programs are served at; only loopback is allowed. Without it nobody is.
    pub listen: Option<SocketAddr>,
    /// Names under which a proxy may ask for it, beside `localhost` and the loopback addresses.
    pub hosts: Vec<String>,
    /// Web pages whose scripts may ask: `https://name:port`. A browser's request from anywhere else is refused.
    pub origins: Vec<String>,
    /// The room in which questions of other programs are spoken. Without it they are shown on the page and by `jarvisctl` alone.
    pub room: Option<String>,
    /// Calls that one program may make in a minute.
    pub calls_per_minute: u32,
    /// `[[mcp.servers]]`: servers of the owner's whose tools a model may be offered.
    pub servers: Vec<ServerConfig>,
}

impl Default for McpConfig {
    fn default() -> Self {
        Self {
            listen: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            room: None,
            calls_per_minute: 60,
            servers: Vec::new(),
        }
    }
}

impl McpConfig {
    /// What types cannot hold: `(keys, what is wrong, remedy)`.
    pub fn mistakes(&self) -> Vec<(&'static [&'static str], String, &'static str)> {
        let mut wrong: Vec<(&'static [&'static str], String, &'static str)> = Vec::new();
        if let Some(listen) = self.listen.filter(|listen| !listen.ip().is_loopback()) {
            let what = format!("{listen} can be reached from outside, and tokens would cross the network in the clear");
            let remedy = "listen on 127.0.0.1 or [::1], and reach it through an SSH tunnel or a proxy with TLS";
            wrong.push((&["mcp", "listen"], what, remedy));
        }
        for origin in self.origins.iter().filter(|origin| !is_origin(origin)) {
            let what = format!("\"{origin}\" is no origin");
            wrong.push((
                &["mcp", "origins"],
                what,
                "write scheme, name and port as a browser sends them: https://name:8443",
            ));
        }
        if !(1..=CALLS_MAX).contains(&self.calls_per_minute) {
            let what = format!("{} calls a minute", self.calls_per_minute);
            wrong.push((&["mcp", "calls_per_minute"], what, "give 1 to 6000"));
        }
        wrong
    }
}

fn is_origin(text: &str) -> bool {
    let name = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    name.is_some_and(|name| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_as_browsers_send_them() {
        for good in ["https://a.example", "http://localhost:6274", "http://[::1]:80"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["", "https://", "a.example", "https://a.example/", "https://a b", "*", "null", "ftp://a"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
