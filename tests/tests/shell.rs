//! The daemon as systemd and its owner meet it: `--check`, notification, control, bad days at start. The parts that need sound or a
//! cluster are absent here and must be told as absent.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use jarvis_tests::process::{Process, programs, wait_for};
use jarvis_tests::small_disk::SmallDisk;
use serde_json::Value;

/// For what a loaded machine does in the end.
const GENEROUS: Duration = Duration::from_secs(60);

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["state", "model"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::set_permissions(folder.path().join("state"), PermissionsExt::from_mode(0o750)).unwrap();
        let home = Self { folder };
        home.configure("");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, more: &str) {
        let text = format!(
            "[daemon]\nstate_dir = {:?}\n[link]\nlisten = \"127.0.0.1:0\"\n[page]\nlisten = \"127.0.0.1:0\"\n[ear]\nmodel = {:?}\nworker = \"/bin/true\"\n[speech]\nworker = \"/bin/true\"\n{more}",
            self.path("state"),
            self.path("model")
        );
        std::fs::write(self.path("jarvisd.toml"), text).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().unwrap().join(program));
        command.env_clear().arg("--config").arg(self.path("jarvisd.toml"));
        command
    }

    fn daemon(&self, log: &str) -> Process {
        Process::start("jarvisd", &mut self.command("jarvisd"), &self.path(log)).unwrap()
    }

    /// A daemon that answers.
    fn running(&self, log: &str) -> Process {
        let mut daemon = self.daemon(log);
        wait_for("jarvisd to answer", GENEROUS, || {
            daemon.check()?;
            Ok(self.ctl(&["status"]).status.success().then_some(()))
        })
        .unwrap();
        daemon
    }

    fn ctl(&self, arguments: &[&str]) -> Output {
        self.command("jarvisctl").args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command("jarvisctl").arg("--json").args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_tells_a_typo_with_file_line_and_nearest_key() {
    let home = Home::new();
    home.configure("[retention]\ntranscript_days = 3\n");
    let output = home.command("jarvisd").arg("--check").output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    let place = format!("{}:13:1: unknown key `transcript_days`", home.path("jarvisd.toml").display());
    assert!(told.contains(&place), "{told}");
    assert!(told.contains("did you mean `transcripts_days`?"), "{told}");
}

#[test]
fn check_sums_up_what_is_right_and_tells_what_is_named_and_missing() {
    let home = Home::new();
    let output = home.command("jarvisd").arg("--check").output().unwrap();
    let told = text(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("none: every fact about a cluster stays unknown"), "{told}");
    assert!(told.contains("nobody said which guest Jarvis runs in") && told.contains("own_guest = N"), "{told}");
    home.configure("[cluster]\ntoken_file = \"/nonexistent/token\"\n");
    let output = home.command("jarvisd").arg("--check").output().unwrap();
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("-> write the secret into /nonexistent/token (mode 0600)"), "{told}");
}

#[test]
fn systemd_is_told_and_the_owner_is_answered() {
    let home = Home::new();
    let socket = UnixDatagram::bind(home.path("notify")).unwrap();
    socket.set_read_timeout(Some(GENEROUS)).unwrap();
    let mut command = home.command("jarvisd");
    command.env("NOTIFY_SOCKET", home.path("notify")).env("WATCHDOG_USEC", "900000");
    let mut daemon = Process::start("jarvisd", &mut command, &home.path("log")).unwrap();
    let told = |wanted: &str| {
        let deadline = Instant::now() + GENEROUS;
        let mut buffer = [0; 4096];
        while Instant::now() < deadline {
            let length = socket.recv(&mut buffer).unwrap_or_else(|e| panic!("no {wanted}: {e}"));
            if text(&buffer[..length]).lines().any(|line| line == wanted) {
                return;
            }
        }
        panic!("no {wanted}");
    };
    told("READY=1");
    told("WATCHDOG=1");
    told("WATCHDOG=1");

    let status = home.json(&["status"]);
    assert_ne!(status["ear"]["state"], "ready", "its worker hears nothing: {status}");
    let turn = home.json(&["ask", "what", "time", "is", "it"]);
    assert!(turn["reply"].as_str().is_some_and(|r| !r.is_empty()), "{turn}");
    let shown = text(&home.ctl(&["turns"]).stdout);
    assert!(shown.contains("what time is it"), "{shown}");
    let refused = home.ctl(&["revoke", "attic"]);
    assert!(!refused.status.success() && text(&refused.stderr).contains("remedy: "), "{refused:?}");

    let code = home.path("code");
    let enrolled = home.ctl(&["enrol", "study", "--file", code.to_str().unwrap()]);
    assert!(enrolled.status.success(), "{enrolled:?}");
    assert_eq!(std::fs::metadata(&code).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!home.ctl(&["enrol", "study", "--file", code.to_str().unwrap()]).status.success(), "it exists");

    daemon.signal(rustix::process::Signal::TERM).unwrap();
    told("STOPPING=1");
    let ended = daemon.stop().unwrap();
    assert_eq!(ended.code(), Some(0), "{}", daemon.tail());
    assert!(!home.path("state/jarvisd.sock").exists());
}

#[test]
fn a_second_daemon_is_refused_and_told_whom_to_stop() {
    let home = Home::new();
    let first = home.running("first");
    let mut second = home.daemon("second");
    let ended = wait_for("the second daemon's end", GENEROUS, || Ok(second.check().err())).unwrap();
    let told = format!("{ended:#}");
    assert!(told.contains(&format!("process {}", first.pid())), "{told}");
    assert!(told.contains("stop it"), "{told}");
    assert!(home.ctl(&["status"]).status.success(), "the first one goes on");
}

#[test]
fn a_corrupt_database_is_kept_aside_and_told_everywhere() {
    let home = Home::new();
    let letter = b"Dear aunt, this is no database. ".repeat(400);
    std::fs::write(home.path("state/jarvis.db"), &letter).unwrap();
    let _daemon = home.running("log");
    let kept: Vec<PathBuf> = jarvisd::store::kept_aside_beside(&home.path("state/jarvis.db"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(std::fs::read(&kept[0]).unwrap(), letter);
    let status = home.json(&["status"]);
    assert_eq!(status["kept_aside"][0], kept[0].to_str().unwrap());
    assert!(status["degraded"].as_array().unwrap().iter().any(|d| d["part"] == "store"), "{status}");
    let doctor = text(&home.ctl(&["doctor"]).stdout);
    assert!(doctor.contains(kept[0].to_str().unwrap()) && doctor.contains(".recover"), "{doctor}");
    let turn = home.json(&["ask", "what time is it"]);
    assert!(turn["error"].is_null(), "the new database works: {turn}");
}

#[test]
fn a_locked_database_stops_the_start_with_a_remedy_and_stays_where_it_is() {
    let home = Home::new();
    let path = home.path("state/jarvis.db");
    home.running("first").stop().unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("begin exclusive").unwrap();
    let mut daemon = home.daemon("second");
    let ended = format!("{:#}", wait_for("the daemon's end", GENEROUS, || Ok(daemon.check().err())).unwrap());
    assert!(ended.contains(path.to_str().unwrap()) && ended.contains("in use by another process"), "{ended}");
    assert!(ended.contains("stop it"), "{ended}");
    assert_eq!(jarvisd::store::kept_aside_beside(&path), Vec::<PathBuf>::new(), "what is locked is not damaged");
    let findings = home.json(&["doctor"]);
    let holder = format!("(process {})", std::process::id());
    let told = |f: &&Value| f["level"] == "problem" && f["what"].as_str().is_some_and(|what| what.contains(&holder));
    let found = findings.as_array().unwrap().iter().find(told).unwrap_or_else(|| panic!("{findings}"));
    assert!(found["remedy"].as_str().unwrap().starts_with("end that"), "{found}");
    drop(other);
    drop(home.running("third"));
}

#[test]
fn a_full_disk_is_told_in_turn_status_and_doctor_and_forgotten_once_there_is_room() {
    let home = Home::new();
    let state = home.path("state");
    let what = "how a full disk is told in turn, status and doctor";
    let Some(disk) = SmallDisk::mount(&state, "2m", "0750", "disk-full-told", what).unwrap() else { return };
    let _daemon = home.running("log");
    let filler = disk.fill().unwrap();
    // What room the database has left within its own files is soon used up.
    let full = wait_for("a turn to fail", GENEROUS, || {
        let turn = home.json(&["ask", "what", "can", "you", "do"]);
        Ok(turn["error"].as_str().map(str::to_owned))
    });
    assert!(full.as_ref().is_ok_and(|error| error.contains("free space")), "{full:?}");
    let stored = |status: &Value| status["degraded"].as_array().unwrap().iter().any(|d| d["part"] == "store");
    assert!(stored(&home.json(&["status"])));
    let doctor = text(&home.ctl(&["doctor"]).stdout);
    assert!(doctor.contains("0 MiB are left") && doctor.contains("free space there"), "{doctor}");

    std::fs::remove_file(&filler).unwrap();
    let turn = home.json(&["ask", "what time is it"]);
    assert!(turn["error"].is_null(), "{turn}");
    wait_for("the status to say so", GENEROUS, || Ok((!stored(&home.json(&["status"]))).then_some(()))).unwrap();
}

#[test]
fn the_doctor_works_without_the_daemon() {
    let home = Home::new();
    std::fs::write(home.path("state/jarvis.db"), b"no database at all").unwrap();
    let output = home.ctl(&["doctor"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for wanted in ["no jarvisd answers", "systemctl start jarvisd", "the database is damaged", "problems"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let findings = home.json(&["doctor"]);
    let bad = findings.as_array().unwrap().iter().filter(|f| f["level"] != "good");
    assert!(bad.clone().count() >= 3, "daemon, database, ear: {findings}");
    assert!(bad.clone().all(|f| f["remedy"].as_str().is_some_and(|r| !r.is_empty())), "{findings}");
    home.configure("[eer]\n");
    let told = text(&home.ctl(&["doctor"]).stdout);
    assert!(told.contains("unknown key `eer`") && told.contains("--check says more"), "{told}");
}

#[test]
fn without_a_daemon_jarvisctl_says_what_to_do() {
    let home = Home::new();
    let output = home.ctl(&["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("systemctl start jarvisd"), "{output:?}");
    assert!(home.json(&["turns"])["error"]["remedy"].as_str().is_some());
}

#[test]
fn requests_are_routed_without_a_daemon_and_the_books_are_told_by_one() {
    let home = Home::new();
    home.configure(
        "[minds.budget]\nday_usd = 0.5\n[[minds.providers]]\nkind = 'openai'\nname = 'qwen'\nurl = 'http://127.0.0.1:1/v1'\nmodel = 'qwen3'\n\
         [[minds.providers]]\nkind = 'claude'\nmodel = 'claude-sonnet-5-5'\n",
    );
    let requests = home.path("requests");
    let lines =
        ["how is the cluster", "tell me a joke about servers", "write me a python program", "what was my password"];
    std::fs::write(&requests, lines.join("\n")).unwrap();
    let told = home.json(&["route", requests.to_str().unwrap()]);
    let classes: Vec<&str> =
        told["requests"].as_array().unwrap().iter().map(|r| r["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["intent", "local", "cloud", "local"], "{told}");
    let ratio = told["totals"]["ratio"].as_f64().unwrap();
    assert!(ratio > 0.0 && ratio < 1.0 && told["live_names"] == false, "{told}");
    let printed = text(&home.ctl(&["route", requests.to_str().unwrap()]).stdout);
    assert!(printed.contains("4 requests: 1 by the grammar, 2 local, 1 cloud, 0 to nobody"), "{printed}");
    assert!(printed.contains("asked claude, because it is about a program"), "{printed}");
    assert!(!home.ctl(&["costs"]).status.success(), "the books are the daemon's");

    let _daemon = home.running("minds.log");
    let costs = home.json(&["costs", "--by", "model"]);
    assert_eq!((&costs["caps"]["day"], &costs["lines"]), (&500_000.into(), &serde_json::json!([])));
    let asked = home.json(&["ask", "what have you cost today"]);
    assert_eq!(asked["route"]["kind"], "intent");
    assert!(asked["reply"].as_str().unwrap().to_lowercase().contains("nothing"), "{asked}");
    let status = text(&home.ctl(&["status"]).stdout);
    assert!(
        status.contains(
            "qwen (local, qwen3), then claude (cloud, claude-sonnet-5-5); $0.000000 of $0.500000 spent today"
        ),
        "{status}"
    );
    let doctor = text(&home.ctl(&["doctor"]).stdout);
    assert!(doctor.contains("qwen: nobody answers there") && doctor.contains("claude: no API key"), "{doctor}");
}
