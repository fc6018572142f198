//! Who is let in, and what of it: raw HTTP, as a hostile client sends it.

use std::io::{Read, Write};
use std::net::TcpStream;

use jarvis_tests::office::Office;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::guest;

struct Raw {
    client: Client,
    url: String,
}

impl Raw {
    fn new(office: &Office) -> Self {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        Self { client: Client::builder().no_proxy().build().unwrap(), url: office.mcp() }
    }

    /// Sends a body with these headers, beside those that any client sends.
    async fn send(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> (StatusCode, HeaderMap, String) {
        let mut request = self.client.post(&self.url).body(body);
        for (name, value) in [("content-type", "application/json"), ("accept", "application/json, text/event-stream")] {
            if !headers.iter().any(|(other, _)| *other == name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
    }

    async fn call(&self, token: &str, tool: &str, args: Value) -> (StatusCode, String) {
        let bearer = format!("Bearer {token}");
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": args}});
        let (status, _, text) = self.send(&[("authorization", &bearer)], body.to_string()).await;
        (status, text)
    }
}

/// Sends 10 MB, however early they are refused; gives the answer.
fn flood(url: &str, bearer: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut stream = TcpStream::connect(address).unwrap();
    let length = 10 << 20;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The daemon may hang up before it has all of it: its answer is what counts.
    let cut = stream.write_all(&vec![b' '; length]).is_err();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(read.is_ok() || cut || !answer.is_empty(), "{read:?}");
    String::from_utf8_lossy(&answer).into_owned()
}

fn list() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hosts_pages_and_programs_are_turned_away() {
    let office = Office::start("origins = [\"https://desk.example:8443\"]", "").await.unwrap();
    let token = office.token("desk", false).unwrap();
    let bearer = format!("Bearer {token}");
    let raw = Raw::new(&office);
    let good = ("authorization", bearer.as_str());
    let status = async |headers: &[(&str, &str)]| raw.send(headers, list()).await.0;
    assert_eq!(status(&[good]).await, StatusCode::OK);
    // DNS rebinding: a page of another site, whose name was pointed at 127.0.0.1.
    for host in ["evil.example", "localhost.evil.example:80", "10.0.0.1"] {
        assert_eq!(status(&[good, ("host", host)]).await, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    for origin in
        ["https://evil.example", "null", "http://localhost", "https://desk.example", "https://desk.example:8443.evil"]
    {
        assert_eq!(status(&[good, ("origin", origin)]).await, StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(status(&[good, ("origin", "https://desk.example:8443")]).await, StatusCode::OK);
    let (status, headers, _) = raw.send(&[], list()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "no token");
    assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    for wrong in ["Bearer ", "Bearer jarvis_mcp_0", &format!("Basic {token}"), &token, &format!("{bearer}0")] {
        let (status, ..) = raw.send(&[("authorization", wrong)], list()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let (status, ..) = raw.send(&[good, good], list()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "two of them");
    assert!(office.ctl(&["mcp", "token", "revoke", "desk"]).unwrap().status.success());
    assert_eq!(raw.send(&[good], list()).await.0, StatusCode::UNAUTHORIZED, "revoked");
    let told = office.ctl_json(&["mcp", "status"]).unwrap();
    assert_eq!(told["tokens"], json!([]));
    assert!(told["turned_away"].as_u64().unwrap() >= 15, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_malformed_or_unknown_is_refused_and_costs_nothing_else() {
    let office = Office::start("calls_per_minute = 1000", "").await.unwrap();
    let token = office.token("desk", true).unwrap();
    let bearer = format!("Bearer {token}");
    let raw = Raw::new(&office);
    let good = ("authorization", bearer.as_str());
    let flooded = flood(&office.mcp(), &bearer);
    assert!(flooded.starts_with("HTTP/1.1 413"), "10 MB: {flooded}");
    let long = json!({"vmid": 112, "name": "x".repeat(100 << 10)});
    let (_, text) = raw.call(&token, "snapshot_create", long).await;
    assert!(text.contains("at most 16384 are read"), "{text}");
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"tools/list\"}",
        "\u{0}\u{1}",
        "[[[[[[[[[[[[[[",
    ] {
        let (status, _, text) = raw.send(&[good], body.to_owned()).await;
        assert!(status.is_client_error() && !text.contains("\"result\""), "{body:?}: {status} {text}");
    }
    let deep = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{}", "[".repeat(100_000));
    assert!(raw.send(&[good], deep).await.0.is_client_error());
    for args in [json!({"vmid": 112, "force": true}), json!({"vmid": -1}), json!({"vmid": "112; rm -rf /"}), json!({})]
    {
        let (_, text) = raw.call(&token, "guest_start", args.clone()).await;
        assert!(text.contains("\"isError\":true") && text.contains("schema"), "{args}: {text}");
    }
    for tool in ["memory_remember", "memory_about", "page_note"] {
        let (_, text) = raw.call(&token, tool, json!({"text": "x"})).await;
        assert!(text.contains("\"isError\":true"), "{tool}: {text}");
    }
    let reader = office.token("reader", false).unwrap();
    let (_, text) = raw.call(&reader, "guest_start", guest()).await;
    assert!(text.contains("\"isError\":true") && text.contains("may only look"), "the wrong scope: {text}");
    assert!(office.audited().unwrap().iter().any(|kind| kind == "refused"), "and it is written down");
    let (_, text) = raw.call(&token, "guest_strat", guest()).await;
    assert!(text.contains("did you mean guest_start?"), "{text}");
    let (status, ..) = raw.send(&[good, ("content-type", "text/plain")], list()).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, ..) = raw.send(&[good, ("mcp-protocol-version", "1999-01-01")], list()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let asked = raw.client.request(method.clone(), &raw.url).header(good.0, good.1).send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    let elsewhere =
        raw.client.post(raw.url.replace("/mcp", "/api/approve")).header(good.0, good.1).send().await.unwrap();
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    assert_eq!(raw.send(&[good], list()).await.0, StatusCode::OK, "it goes on");
    assert_eq!(office.deeds(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_never_given_and_anothers_state_lead_nowhere() {
    let office = Office::start("", "").await.unwrap();
    let (desk, thief) = (office.token("desk", true).unwrap(), office.token("thief", true).unwrap());
    let raw = Raw::new(&office);
    let (_, text) = raw.call(&desk, "guest_start", guest()).await;
    let id = super::question(&text);
    let retry = async |token: &str, state: &str| {
        let bearer = format!("Bearer {token}");
        let params = json!({"name": "guest_start", "arguments": guest(), "requestState": state,
            "inputResponses": {state: {"action": "accept", "content": {"approved": true}}}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        raw.send(&[("authorization", &bearer)], body.to_string()).await.2
    };
    assert!(retry(&desk, &format!("question-{id}")).await.contains("pending"));
    assert!(retry(&thief, &format!("question-{id}")).await.contains("no question"));
    for state in ["", "approved", "question-", "question-x", "question-99999999999999999999", "question-0"] {
        let text = retry(&desk, state).await;
        assert!(text.contains("never given") || text.contains("no question"), "{state:?}: {text}");
    }
    assert_eq!((office.deeds(), office.running()), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_wait_and_wrong_tokens_keep_nobody_else_waiting() {
    let office = Office::start("calls_per_minute = 5", "").await.unwrap();
    let (busy, calm) = (office.token("busy", false).unwrap(), office.token("calm", false).unwrap());
    let raw = Raw::new(&office);
    let ask = async |token: &str| raw.send(&[("authorization", &format!("Bearer {token}"))], list()).await;
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(ask(&busy).await);
    }
    let refused: Vec<_> = answers.iter().filter(|(status, ..)| *status == StatusCode::TOO_MANY_REQUESTS).collect();
    assert!(!refused.is_empty() && answers[0].0 == StatusCode::OK, "{} of 20", refused.len());
    assert!(refused[0].1["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let mut wrong = Vec::new();
    for _ in 0..60 {
        wrong.push(ask("jarvis_mcp_guess").await.0);
    }
    assert!(wrong.contains(&StatusCode::UNAUTHORIZED) && wrong.contains(&StatusCode::TOO_MANY_REQUESTS), "{wrong:?}");
    assert_eq!(ask(&calm).await.0, StatusCode::OK, "a good token is never kept waiting by guesses");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_kept_as_hashes_and_the_doctor_knows() {
    let office = Office::start("", "").await.unwrap();
    let told = String::from_utf8(office.ctl(&["doctor"]).unwrap().stdout).unwrap();
    assert!(told.contains("no program may ask"), "{told}");
    let token = office.token("desk", true).unwrap();
    for entry in std::fs::read_dir(office.state_dir()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{} holds it", path.display());
    }
    let again = office.ctl(&["mcp", "token", "add", "desk"]).unwrap();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("remedy: "), "{again:?}");
    let told = String::from_utf8(office.ctl(&["mcp", "status"]).unwrap().stdout).unwrap();
    assert!(told.contains(&office.mcp()) && told.contains("asks for changes") && !told.contains(&token), "{told}");
    let told = String::from_utf8(office.ctl(&["doctor"]).unwrap().stdout).unwrap();
    assert!(told.contains("to 1 programs"), "{told}");
}
