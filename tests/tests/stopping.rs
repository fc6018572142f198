//! The kill switch by every way there is: from outside a daemon that is busy or hangs, by the unit, by words; and who may ask at all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jarvis_tests::office::{GUEST, Office};
use jarvis_tests::process::{programs, wait_for};
use jarvis_tests::stopping::{self, Way};
use jarvis_tests::told;
use rustix::process::Signal;
use serde_json::Value;

const START: &str = "turn on one one two";
const PATIENT: Duration = Duration::from_secs(60);

fn unit() -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/jarvis-stop.service");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

/// Values of a key of the unit, in their order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

fn power(office: &Office) -> String {
    office.ctl_json(&["status"]).unwrap()["power"]["power"].as_str().unwrap().to_owned()
}

fn say(office: &Office, words: &str) -> String {
    office.ctl_json(&["ask", words]).unwrap()["reply"].as_str().unwrap_or_default().to_owned()
}

/// Asks for a change; gives the question, which names the guest.
fn asked(office: &Office) -> String {
    // Guests are known by number once a node has answered.
    let question = wait_for("a question about the guest", PATIENT, || {
        let told = say(office, START);
        Ok(told.contains("jarvisctl").then_some(told))
    });
    question.unwrap()
}

fn approvals(office: &Office) -> Vec<Value> {
    office.ctl_json(&["approvals"]).unwrap().as_array().unwrap().clone()
}

#[test]
fn the_unit_depends_on_nothing_and_only_stops() {
    let (path, unit) = unit();
    assert_eq!(values(&unit, "ExecStart"), ["/usr/bin/jarvisctl stop"]);
    assert_eq!(values(&unit, "Type"), ["oneshot"]);
    for key in
        ["Requires", "Requisite", "BindsTo", "PartOf", "After", "Wants", "ExecStop", "ExecStopPost", "RemainAfterExit"]
    {
        assert!(values(&unit, key).is_empty(), "{key}: it must work whatever jarvisd does, and never resume");
    }
    for (key, value) in
        [("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("RestrictAddressFamilies", "AF_UNIX")]
    {
        assert_eq!(values(&unit, key), [value]);
    }
    // systemd's own word on it, with a program that is there.
    let dir = tempfile::tempdir().unwrap();
    let program = programs().unwrap().join("jarvisctl");
    let copy = dir.path().join("jarvis-stop.service");
    std::fs::write(&copy, unit.replace("/usr/bin/jarvisctl", program.to_str().unwrap())).unwrap();
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output() {
        Err(error) => {
            told::not_run("unit", &format!("systemd's own check of {}: systemd-analyze: {error}", path.display()))
                .unwrap();
        }
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            let ours: Vec<_> = told.lines().filter(|line| line.contains("jarvis-stop")).collect();
            assert!(ours.is_empty(), "{}: {ours:?}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_unit_runs_stops_a_daemon_that_runs_that_hangs_and_that_is_down() {
    let mut office = Office::start("", "").await.unwrap();
    asked(&office);
    let (_, unit) = unit();
    let line = values(&unit, "ExecStart")[0].to_owned();
    let arguments: Vec<&str> = line.split(' ').skip(1).collect();
    let run = |office: &Office| {
        let output = office.ctl(&arguments).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // The office has no ear, so the doctor finds more than this.
    let doctor = |office: &Office| String::from_utf8(office.ctl(&["doctor"]).unwrap().stdout).unwrap();
    assert!(!doctor(&office).contains("every change is stopped"));
    assert!(run(&office).contains("the daemon stopped"));
    assert_eq!(power(&office), "stopped");
    assert!(doctor(&office).contains("every change is stopped, by jarvisctl"), "{}", doctor(&office));
    wait_for("its entry in the log", PATIENT, || {
        Ok(office.audited()?.iter().any(|kind| kind == "stopped").then_some(()))
    })
    .unwrap();
    office.ctl_json(&["resume"]).unwrap();
    assert_eq!(power(&office), "on");

    // It hangs as a whole: not even its door answers.
    office.daemon.hang().unwrap();
    let told = run(&office);
    office.daemon.signal(Signal::CONT).unwrap();
    assert!(told.contains("no daemon answered"), "{told}");
    assert_eq!(power(&office), "stopped");
    assert!(say(&office, START).contains("standing down"));
    office.ctl_json(&["resume"]).unwrap();

    office.daemon.stop().unwrap();
    assert!(run(&office).contains("no daemon answered"));
    let text = std::fs::read_to_string(office.state_dir().join("power")).unwrap();
    assert!(text.contains("jarvisctl"), "{text}");
    assert!(doctor(&office).contains("every change is stopped, by jarvisctl"), "{}", doctor(&office));
    assert_eq!(office.deeds(), 0);
}

#[test]
fn a_stop_where_no_daemon_can_be_is_not_said_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut jarvisctl = Command::new(programs().unwrap().join("jarvisctl"));
    jarvisctl.arg("--socket").arg(dir.path().join("nowhere/jarvisd.sock")).arg("stop");
    let output = jarvisctl.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("nowhere") && told.contains("is not stopped"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_daemon_sends_nothing_any_more_once_it_is_stopped() {
    let found = stopping::rounds(&[Way::Ctl, Way::Door, Way::Hanging]).await.unwrap();
    assert_eq!(found.rounds, 3);
    assert!(found.before >= 18, "it was busy before: {found:?}");
    // Within how many milliseconds that is, `make bench ONLY=s3` measures.
    assert_eq!(found.after, 0, "sent after the stop was answered: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stand_down_in_writing_stops_takes_back_what_is_open_and_is_written_down() {
    let office = Office::start("", "").await.unwrap();
    let question = asked(&office);
    assert!(question.contains(&GUEST.to_string()), "{question}");
    assert!(say(&office, "stand down").contains("Standing down"));
    assert_eq!(power(&office), "stopped");
    assert_eq!(approvals(&office)[0]["stage"], "denied");
    assert!(say(&office, START).contains("standing down"));
    assert!(say(&office, "remember that the router is at 192.168.1.1").contains("standing down"));
    let kinds = office.audited().unwrap();
    assert_eq!(kinds.iter().filter(|kind| *kind == "stopped").count(), 1, "{kinds:?}");
    office.ctl_json(&["resume"]).unwrap();
    assert!(say(&office, "yes").contains("no question"), "what was open stays taken back");
    assert_eq!((office.running(), office.deeds()), (false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_that_takes_a_question_back() {
    let office = Office::start("", "").await.unwrap();
    asked(&office);
    let told = say(&office, "cancel that");
    assert!(told.contains("Nothing will be done"), "{told}");
    assert_eq!(approvals(&office)[0]["stage"], "denied");
    assert!(say(&office, "yes").contains("no question"));
    assert_eq!((office.running(), office.deeds()), (false, 0));
}
