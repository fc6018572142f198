//! What every request and every answer must pass: a name that is ours, a method that only reads (but for the owner's few), headers that hold the browser to it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What the browser may load and do: our own files, nothing inline, nowhere framed.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/// What the owner may send; `owner` looks at who it is.
const OWNERS: [&str; 5] = ["/api/session", "/api/approve", "/api/deny", "/api/stop", "/api/resume"];

/// Names under which the daemon may be asked for, beside those of loopback.
#[derive(Debug)]
pub(crate) struct Names(Vec<String>);

impl Names {
    pub(crate) fn new(hosts: Vec<String>) -> Self {
        Self(hosts.into_iter().map(|h| h.to_ascii_lowercase()).collect())
    }

    /// Whether a Host header's value is one of ours, whatever its port.
    pub(crate) fn ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((v6, port)) if port.is_empty() || is_port(port) => v6,
            Some(_) => return false,
            None => match host.split_once(':') {
                Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
                Some(_) => return false,
                None => host,
            },
        };
        let name = name.to_ascii_lowercase();
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) || self.0.contains(&name)
    }
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

pub(super) async fn guard(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|h| h.to_str().ok());
    let answer = if hosts.next().is_some() || !host.is_some_and(|h| names.ours(h)) {
        let told = "This page is served to localhost. Behind a proxy, add its name to [page] hosts.\n";
        (StatusCode::MISDIRECTED_REQUEST, told).into_response()
    } else if !reads(request.method()) && !OWNERS.contains(&request.uri().path()) {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response()
    } else {
        next.run(request).await
    };
    with_headers(answer)
}

fn with_headers(mut answer: Response) -> Response {
    let all: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_pass() {
        let names = Names::new(vec!["Jarvis.home".into()]);
        for host in
            ["localhost", "LOCALHOST:7421", "127.0.0.1:7421", "127.9.9.9", "[::1]:7421", "[::1]", "jarvis.home:443"]
        {
            assert!(names.ours(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:7421",
            "10.0.0.1",
            "[::2]",
            "[::1]evil",
            "[::1",
            "localhost:80@evil",
            "::1",
        ] {
            assert!(!names.ours(host), "{host}");
        }
    }
}
