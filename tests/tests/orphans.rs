//! Whatever becomes of the harness, nothing of it stays.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::process::Command;
use std::time::Duration;

use jarvis_tests::process::{Process, Running, programs, wait_for};

/// For what a loaded machine does in the end.
const GENEROUS: Duration = Duration::from_secs(180);

#[test]
fn a_harness_that_is_killed_leaves_no_process_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(programs().unwrap().join("jarvis-demo"));
    for name in ["MIC", "SAY", "WAV", "SCRIPT", "VOICE", "ECHO"] {
        command.env_remove(name);
    }
    command.envs([("STAY", "1"), ("SEED", "3")]).env("OUT", dir.path().join("demo"));
    let mut demo = Process::start("jarvis-demo", &mut command, &dir.path().join("log")).unwrap();
    wait_for("the house to stand", GENEROUS, || {
        demo.check()?;
        Ok(demo.tail().contains("The house stands").then_some(()))
    })
    .unwrap();
    // The daemon asked a node for its temperature: as long as that session lasts, one sshd of the four has a process more.
    let wanted = [
        ("pulseaudio", 1),
        ("sshd", 4),
        ("jarvisd", 1),
        ("jarvis-satellite", 1),
        ("jarvis-ear", 2),
        ("jarvis-voice", 1),
        ("jarvisctl", 1),
        ("parec", 1),
        ("pacat", 1),
    ];
    // The kernel keeps fifteen letters of a name.
    let count = |house: &[Running], name: &str| {
        house.iter().filter(|process| process.name.starts_with(&name[..name.len().min(15)])).count()
    };
    // The second ear is started once the first is ready.
    let house = wait_for("every process of the house", GENEROUS, || {
        let house = Running::beneath(demo.pid());
        let whole = wanted.iter().all(|(name, least)| count(&house, name) >= *least);
        Ok(whole.then_some(house))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", Running::beneath(demo.pid())));
    demo.kill().unwrap();
    let mut left = house.clone();
    let gone = wait_for("everything to end", GENEROUS, || {
        left.retain(Running::lives);
        Ok(left.is_empty().then_some(()))
    });
    assert!(gone.is_ok(), "still there: {left:?}");
}
