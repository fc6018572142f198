//! What tests share: where the workspace lies, a house in it, what is said there, and how what comes of it is judged.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::house::HouseConfig;
use crate::judge::{self, as_heard};
use crate::process::programs;
use crate::pve::expected::Figure;
use crate::room::{RoomConfig, UNHURRIED};
use crate::sound;

/// Within what people wait, a node that is asked over SSH may be late for no other reason than the other tests.
const WAIT_MS: u32 = 20_000;
/// Of the words of an answer that the second recogniser knows, it hears as many where that was said (0.7 to 1.0; a tenth where it was not).
const HEARD_MIN: f64 = 0.5;
/// A word of one of these is in what is said when Jarvis could not do what he was asked.
const REGRETS: [&str; 6] = ["sorry", "apologise", "forgive", "regret", "afraid", "fear"];

/// Where the workspace lies.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A house in this folder, whose answers wait for a cluster that shares a busy machine with them.
pub fn config(dir: &Path, seed: u64) -> HouseConfig {
    let usual = HouseConfig::new(root(), programs().unwrap(), dir.to_owned(), seed);
    HouseConfig { wait_ms: Some(WAIT_MS), room: RoomConfig { late: UNHURRIED, ..usual.room }, ..usual }
}

/// What a voice says, as loud as people speak.
pub fn spoken(voice: &str, text: &str) -> Vec<i16> {
    sound::scaled(&sound::espeak(voice, text).unwrap(), 9000)
}

/// Whether the answer, spoken, holds the figure: "1" is not in "VM 103".
pub fn holds(reply: &str, figure: &Figure) -> bool {
    figure.is_in(&[as_heard(reply)])
}

/// A turn's answer.
pub fn reply(turn: &Value) -> String {
    turn["reply"].as_str().unwrap_or_default().to_owned()
}

/// The loudspeaker said it, by a recogniser that was not told it.
pub fn assert_heard(said: &str, heard: &[i16]) {
    let (share, hearings) = judge::heard_of(said, heard, &programs().unwrap(), &root()).unwrap();
    println!("{said:?} was heard as {hearings:?}: {share:.2} of it");
    assert!(share >= HEARD_MIN, "{said:?} was heard as {hearings:?}");
}

/// It says that it could not be done.
pub fn assert_regret(said: &str) {
    let words = as_heard(said);
    assert!(REGRETS.iter().any(|regret| words.contains(regret)), "a word of regret: {said:?}");
}
