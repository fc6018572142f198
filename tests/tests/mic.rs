//! `make demo MIC=1` with a script at its keyboard. No sound hardware is here: a private PulseAudio stands for the machine's own
//! devices, and a synthetic voice for the person.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use jarvis_tests::house::model;
use jarvis_tests::process::{programs, spawn, wait_for};
use jarvis_tests::room::{Room, RoomConfig, UNHURRIED};
use jarvis_tests::sound;
use jarvis_tests::trial::{root, spoken};
use jarvisd::event::TurnRecord;

/// Everything that is waited for comes long before this.
const DEADLINE: Duration = Duration::from_secs(120);
/// Of the person; it is not among the built-in wake word's references.
const VOICE: &str = "en-gb";

struct Demo {
    child: Child,
    keyboard: ChildStdin,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Demo {
    fn start(command: &mut Command) -> Self {
        let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit())).unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { keyboard: child.stdin.take().unwrap(), child, lines, seen: Vec::new() }
    }

    /// Waits for a line that holds `text`.
    fn wait(&mut self, text: &str) -> String {
        self.wait_any(&[text])
    }

    /// Waits for a line that holds one of `texts`.
    fn wait_any(&mut self, texts: &[&str]) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("none of {texts:?} came after:\n{}", self.seen.join("\n"));
            };
            println!("{line}");
            self.seen.push(line.clone());
            if texts.iter().any(|text| line.contains(text)) {
                return line;
            }
        }
    }

    fn enter(&mut self) {
        self.keyboard.write_all(b"\n").unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("could not end the demo: {error}");
        }
    }
}

fn demo(pulse_server: &str, out: &Path) -> Command {
    let mut command = Command::new(programs().unwrap().join("jarvis-demo"));
    command.env("MIC", "1").env("PULSE_SERVER", pulse_server).env("SEED", "5").env("OUT", out);
    for name in ["MODEL", "MICROPHONE", "LOUDSPEAKER"] {
        command.env_remove(name);
    }
    command
}

/// What somebody says after a moment.
fn said(text: &str) -> Vec<i16> {
    let words = spoken(VOICE, text);
    [vec![0; 8_000], words].concat()
}

#[test]
fn five_takes_then_a_turn_by_enter_and_one_by_the_wake_word() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(&dir.path().join("room"), &RoomConfig { echo_db: None, seed: 1, late: UNHURRIED }).unwrap();
    let out = dir.path().join("demo");
    let mut demo = Demo::start(demo(&room.pulse_server(), &out).env("MODEL", model(&root())));
    demo.wait("Enter begins");
    demo.enter();
    // A take that a busy machine cut off is asked for again.
    while demo.wait_any(&["press Enter, then say it once", "learnt"]).contains("press Enter") {
        demo.enter();
        demo.wait("say it now");
        room.say(&said("hey jarvis")).unwrap();
    }
    assert!(demo.seen.iter().any(|line| line.contains("learnt \"hey jarvis\" from 5 takes")), "{:?}", demo.seen);
    demo.wait("The satellite listens");
    demo.wait("Ctrl-C ends");

    demo.enter();
    demo.wait("(button)");
    let from = room.now().unwrap();
    room.say(&said("who are you")).unwrap();
    let answer = demo.wait(" answer ");
    assert!(answer.contains("Jarvis"), "{answer}");
    demo.wait("marks (ms)");
    wait_for("the answer to be heard", DEADLINE, || Ok(sound::first_audible(&room.recording(from)?.heard).map(drop)))
        .unwrap();

    room.say(&said("hey jarvis, is the mail server up")).unwrap();
    let woken = demo.wait(" wake ");
    assert!(woken.contains("\"hey jarvis\", score"), "{woken}");
    demo.wait("marks (ms)");

    let pid = rustix::process::Pid::from_child(&demo.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(demo.child.wait().unwrap().success());
    let turns: Vec<TurnRecord> = serde_json::from_slice(&std::fs::read(out.join("turns.json")).unwrap()).unwrap();
    assert_eq!(turns.len(), 2, "{turns:?}");
    assert!(turns[0].wake.is_none() && turns[1].wake.is_some(), "{turns:?}");
    assert!(turns.iter().all(|turn| turn.error.is_none() && turn.reply.is_some()), "{turns:?}");
    assert!(!out.join("room.wav").exists(), "what is said in a real room is not recorded");
    let config = std::fs::read_to_string(out.join("jarvisd.toml")).unwrap();
    assert!(
        config.contains("untried_ear_approves = false"),
        "people speak, and this model was tried on none: {config}"
    );
    assert!(dir.path().join("people/wake/hey-jarvis.rpw").is_file(), "the takes are kept for the next run");
}

/// What it prints until it ends by itself, both outputs, with `keys` typed and then nobody at the keyboard.
fn ended(command: &mut Command, keys: &str) -> (bool, String) {
    let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
    let mut errors = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        text
    });
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    told += &reader.join().unwrap();
    (child.wait().unwrap().success(), told)
}

#[test]
fn a_model_is_offered_with_its_size_and_digest_and_never_fetched_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(&dir.path().join("room"), &RoomConfig { echo_db: None, seed: 2, late: UNHURRIED }).unwrap();
    let out = dir.path().join("demo");
    for keys in ["", "n\n", "what?\n"] {
        let (success, told) = ended(&mut demo(&room.pulse_server(), &out), keys);
        assert!(!success, "nobody pressed Enter for the takes: {told}");
        for wanted in ["https://alphacephei.com/", "41205931 bytes", "30f26242c4eb", "[y/N]", "Nothing was fetched"] {
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
        assert!(!dir.path().join("people").exists(), "nothing was fetched");
    }
    let folder = dir.path().join("people/vosk-model-small-en-us-0.15");
    std::fs::create_dir_all(&folder).unwrap();
    let (_, told) = ended(&mut demo(&room.pulse_server(), &out), "");
    assert!(!told.contains("[y/N]") && told.contains(folder.to_str().unwrap()), "what is there is taken: {told}");
    let (_, told) = ended(demo(&room.pulse_server(), &out).env("MODEL", "/nonexistent"), "");
    assert!(told.contains("MODEL=/nonexistent"), "{told}");
}

#[test]
fn without_a_microphone_it_lists_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let room = Room::open(&dir.path().join("room"), &RoomConfig { echo_db: None, seed: 3, late: UNHURRIED }).unwrap();
    let out = dir.path().join("demo");
    let (success, told) = ended(demo(&room.pulse_server(), &out).env("MICROPHONE", "no such thing"), "");
    assert!(!success);
    for wanted in ["no microphone \"no such thing\"", "mic", "speaker", "pulse", "alsa", "MICROPHONE="] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let (success, told) = ended(demo("unix:/nowhere", &out).env("LOUDSPEAKER", "no such thing"), "");
    assert!(!success && told.contains("PulseAudio can't be reached"), "{told}");
}
