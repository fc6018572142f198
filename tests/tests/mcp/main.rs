//! MCP between real processes: the daemon, a simulated cluster, and clients and servers that others wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod doors;
mod inspector;
mod python;
mod servers;

use jarvis_tests::office::{GUEST, Office};
use serde_json::{Value, json};

/// The arguments of a change.
fn guest() -> Value {
    json!({"vmid": GUEST})
}

/// The text of a result.
fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}"))
}

/// The number of the question that a text names.
fn question(text: &str) -> String {
    let after = text.split("jarvisctl approve ").nth(1).unwrap_or_else(|| panic!("no question in {text:?}"));
    after.chars().take_while(char::is_ascii_digit).collect()
}

/// Says yes as the owner does: he reads the two words on the page, since the program is told none, and confirms them in a terminal.
async fn approve(office: &Office, text: &str) {
    let id = question(text);
    let words = office.words(id.parse().unwrap()).await.unwrap();
    assert!(!text.contains(&words.join(" ")), "the program was told the words: {text}");
    let told = office.ctl(&["approve", &id, &words[0], &words[1]]).unwrap();
    assert!(told.status.success(), "{told:?}");
}
