use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::*;
use crate::event::{EventKind, Wake, WakeCheck};
use crate::status::testing::quiet_house;
use jarvis_core::ids::TurnId;

const PAGE_BYTES_GZ_MAX: usize = 60 * 1024;
const ASSETS: [(&str, &str); 4] = [
    ("page.html", include_str!("assets/page.html")),
    ("page.css", include_str!("assets/page.css")),
    ("page.js", include_str!("assets/page.js")),
    ("icon.svg", include_str!("assets/icon.svg")),
];

struct Served {
    address: SocketAddr,
    house: House,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (house, _) = quiet_house(folder.path()).await;
        let page = Page::bind(&house.config.page, folder.path()).await.unwrap();
        let address = page.address();
        tokio::spawn(page.run(house.clone()));
        Self { address, house, _folder: folder }
    }

    async fn send(&self, request: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        BufReader::new(stream)
    }

    /// A whole answer.
    async fn ask(&self, request: &str) -> String {
        let mut answer = String::new();
        self.send(request).await.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str, host: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    }

    async fn stream(&self) -> BufReader<TcpStream> {
        self.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").await
    }
}

/// Reads on until a line holds `wanted`; gives that line.
async fn until(stream: &mut BufReader<TcpStream>, wanted: &str) -> String {
    let look = async {
        loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).await.unwrap() > 0, "the stream ended before {wanted}");
            if line.contains(wanted) {
                return line;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.unwrap_or_else(|_| panic!("no {wanted}"))
}

#[tokio::test]
async fn the_page_comes_with_a_strict_policy() {
    let served = Served::new().await;
    for path in ["/", "/page.css", "/page.js", "/icon.svg", "/api/status", "/api/turns"] {
        let answer = served.get(path, "localhost:7421").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(answer.contains("content-security-policy: default-src 'self'; "), "{path}");
        assert!(!answer.contains("unsafe"), "{path}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{path}");
    }
}

#[tokio::test]
async fn foreign_hosts_and_other_methods_are_refused() {
    let served = Served::new().await;
    for host in ["evil.example", "localhost.evil.example", "10.1.2.3"] {
        for path in ["/", "/events", "/api/turns"] {
            let answer = served.get(path, host).await;
            assert!(answer.starts_with("HTTP/1.1 421"), "{host}{path}: {answer}");
        }
    }
    let none = served.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert!(none.contains(" 421 "), "{none}");
    let two = served.ask("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert!(two.contains(" 421 "), "{two}");
    for method in ["POST", "PUT", "DELETE"] {
        let answer =
            served.ask(&format!("{method} /api/turns HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.contains(" 405 "), "{method}: {answer}");
    }
}

#[tokio::test]
async fn a_turn_is_streamed_as_it_happens() {
    let served = Served::new().await;
    let wake = Wake { phrase: "hey jarvis".into(), score: 0.7, check: WakeCheck::Confirmed };
    let mut board = served.house.board.clone();
    served.house.bus.tell(EventKind::Wake { turn: TurnId(7), satellite: Some("study".into()), wake: Some(wake) });
    board.wait_for(|picture| !picture.running().is_empty()).await.unwrap();
    let mut stream = served.stream().await;
    let snapshot = until(&mut stream, "data: ").await;
    assert!(snapshot.contains("hey jarvis"), "the turn under way is in the snapshot: {snapshot}");
    served.house.bus.tell(EventKind::Partial { turn: TurnId(7), text: "how hot\nis".into() });
    assert!(until(&mut stream, "\"partial\"").await.contains("how hot\\nis"));
    served.house.bus.tell(EventKind::Degraded { part: "ear".into(), reason: "gone".into(), fallback: None });
    until(&mut stream, "event: status").await;
    assert!(until(&mut stream, "data: ").await.contains("\"gone\""));
}

#[tokio::test]
async fn one_page_too_many_is_told_to_wait_and_a_closed_one_makes_room() {
    let served = Served::new().await;
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS {
        let mut stream = served.stream().await;
        until(&mut stream, "event: snapshot").await;
        open.push(stream);
    }
    let refused = served.get("/events", "localhost").await;
    assert!(refused.contains(" 503 ") && refused.contains("retry-after"), "{refused}");
    drop(open.pop());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        // The server finds out that a page was closed when it next writes to it.
        served.house.bus.tell(EventKind::Restored { part: "ear".into() });
        let mut stream = served.stream().await;
        let mut first = String::new();
        stream.read_line(&mut first).await.unwrap();
        if first.contains(" 200 ") {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{first}");
    }
}

#[test]
fn nothing_in_the_page_makes_markup_of_text() {
    for (name, text) in ASSETS {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "createContextualFragment",
            "DOMParser",
            "eval(",
            "new Function",
            "setAttribute",
            "javascript:",
            " style=",
            "<style",
            " onclick",
            " onload",
            "http://",
            "https://",
        ] {
            let namespace = name == "icon.svg" && word == "http://";
            assert!(namespace || !text.contains(word), "{name} holds {word}");
        }
    }
    let scripts = ASSETS[0].1.matches("<script").count();
    assert_eq!(scripts, ASSETS[0].1.matches("<script src=\"/page.js\" defer></script>").count());
}

#[test]
fn every_colour_is_a_token_and_both_themes_have_them_all() {
    let css = ASSETS[1].1;
    let (light, rest) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
    let (dark, rules) = rest.split_once("* { box-sizing").unwrap();
    let tokens = |part: &str| -> Vec<String> {
        let colours = part.lines().filter(|l| l.trim_start().starts_with("--") && l.contains('#'));
        colours.map(|l| l.trim().split(':').next().unwrap().to_owned()).collect()
    };
    assert_eq!(tokens(light), tokens(dark));
    assert!(tokens(light).len() >= 10);
    assert!(!rules.contains(": #"), "a colour outside the tokens");
    assert!(!rules.contains("rgb("), "a colour outside the tokens");
}

#[test]
fn text_is_readable_in_both_themes() {
    let css = ASSETS[1].1;
    let (light, rest) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
    let (dark, _) = rest.split_once("* { box-sizing").unwrap();
    for (theme, part) in [("light", light), ("dark", dark)] {
        let colour = |token: &str| luminance(part, token);
        for ground in ["--card", "--ground"] {
            for ink in ["--ink", "--soft", "--accent", "--good", "--warn", "--bad"] {
                let contrast = contrast(colour(ink), colour(ground));
                assert!(contrast >= 4.5, "{theme}: {ink} on {ground} has {contrast:.2}");
            }
        }
        for ground in ["--warn-wash", "--bad-wash"] {
            let contrast = contrast(colour("--ink"), colour(ground));
            assert!(contrast >= 4.5, "{theme}: --ink on {ground} has {contrast:.2}");
        }
    }
}

/// Relative luminance of a token (WCAG 2).
fn luminance(css: &str, token: &str) -> f64 {
    let hex = css.split(&format!("{token}: #")).nth(1).unwrap_or_else(|| panic!("no {token}"));
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

fn contrast(a: f64, b: f64) -> f64 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn the_page_is_small() {
    // Uncompressed it is below what is allowed compressed.
    let bytes: usize = ASSETS.iter().map(|(_, text)| text.len()).sum();
    assert!(bytes <= PAGE_BYTES_GZ_MAX, "{bytes} bytes");
}
