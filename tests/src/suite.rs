//! `make test`: every test program of the workspace, several at a time.
//!
//! Most of a run is waiting: what is said takes its time. Programs one after another, as `cargo test` runs them, leave the processors
//! idle; side by side they share them.
//!
//! A failure is a failure. Where the whole machine stood still in a program's time ([`crate::stalls`]), that is told with it, as sound
//! breaks up then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;

use crate::stalls::{Stalls, Watch};

/// Programs at a time, and how many of them may sound, each for two processors: more of those, and sound breaks up.
const PROGRAMS: usize = 5;
const SOUNDING_PROGRAMS: usize = 3;
/// Programs that nothing else may run beside: what they judge, sample by sample or through ALSA's plug-in, breaks on a busy machine by the
/// fault of PulseAudio's own clients, not of Jarvis.
const ALONE: [&str; 2] = ["tests/alsa", "tests/room"];
/// Programs whose sound goes through a sound server, which drops what it can't pass on within 20 ms.
const SOUNDING: [&str; 8] = [
    "tests/alsa",
    "tests/room",
    "tests/endurance",
    "tests/house",
    "tests/mic",
    "tests/satellite",
    "tests/spoken_changes",
    "tests/unheard",
];
/// Where each program's output lies, beneath the workspace.
const FOLDER: &str = "target/suite";
/// How long each took the last time, in [`FOLDER`].
const SECONDS: &str = "seconds.json";

/// A line of what `cargo --message-format=json` prints, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// A test program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    /// Package and target, such as `tests/house`: no two have the same.
    name: String,
    path: PathBuf,
    /// Where cargo would run it.
    package: PathBuf,
}

impl Program {
    fn end_to_end(&self) -> bool {
        self.name.starts_with("tests/")
    }

    fn sounds(&self) -> bool {
        SOUNDING.contains(&self.name.as_str())
    }
}

/// What became of one.
struct Outcome {
    program: Program,
    seconds: f64,
    /// Its output, and how it ended, where it failed.
    failed: Option<(PathBuf, String)>,
    /// What the machine did to it.
    stalls: Option<Stalls>,
}

/// Builds all with this `cargo` and runs all. An error names what failed; its output was printed.
pub fn run(root: &Path, cargo: &str) -> Result<()> {
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let programs = programs(root, cargo)?;
    ensure!(!programs.is_empty(), "cargo built no test program");
    let last = std::fs::read(folder.join(SECONDS)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    for named in SOUNDING {
        ensure!(programs.iter().any(|p| p.name == named), "no test program is called {named}");
    }
    let (alone, others): (Vec<_>, Vec<_>) = programs.into_iter().partition(|p| ALONE.contains(&p.name.as_str()));
    let watch = Watch::start().context("watch the machine")?;
    let mut outcomes = side_by_side(in_order(others, &last.unwrap_or_default()), &folder, &watch)?;
    for program in alone {
        outcomes.push(one(program, &folder, &watch)?);
    }
    let mut failed = Vec::new();
    let mut seconds = BTreeMap::new();
    for outcome in outcomes {
        if outcome.failed.is_some() {
            show(&outcome)?;
            failed.push(outcome.program.name.clone());
        }
        seconds.insert(outcome.program.name, outcome.seconds);
    }
    std::fs::write(folder.join(SECONDS), serde_json::to_vec_pretty(&seconds)?)?;
    let status = Command::new(cargo).args(["test", "--workspace", "--doc", "--quiet"]).current_dir(root).status()?;
    if !status.success() {
        failed.push("the examples in the documentation".to_owned());
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

/// Prints what a program that failed had to say.
fn show(outcome: &Outcome) -> Result<()> {
    if let Some((log, ended)) = &outcome.failed {
        println!("\n==== {} ended with {ended}", outcome.program.name);
        println!("{}", String::from_utf8_lossy(&std::fs::read(log)?));
        if let Some(stalls) = outcome.stalls {
            println!("==== in its time {stalls}");
        }
    }
    Ok(())
}

/// Every test program, built.
fn programs(root: &Path, cargo: &str) -> Result<Vec<Program>> {
    let output = Command::new(cargo)
        .args(["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("start cargo")?;
    ensure!(output.status.success(), "cargo test --no-run ended with {}", output.status);
    String::from_utf8(output.stdout)?.lines().filter_map(|line| program(root, line).transpose()).collect()
}

fn program(root: &Path, line: &str) -> Result<Option<Program>> {
    let message: Message = serde_json::from_str(line).with_context(|| format!("what cargo printed: {line}"))?;
    let Message { executable: Some(path), manifest_path: Some(manifest), target: Some(target), profile, .. } = message
    else {
        return Ok(None);
    };
    if message.reason != "compiler-artifact" || !profile.is_some_and(|profile| profile.test) {
        return Ok(None);
    }
    let package = manifest.parent().context("a manifest in no folder")?.to_owned();
    let within = package.strip_prefix(root).unwrap_or(&package);
    Ok(Some(Program { name: format!("{}/{}", within.display(), target.name), path, package }))
}

/// The longest first, so that none is left alone at the end; of those that were never run, the end-to-end ones.
fn in_order(mut programs: Vec<Program>, last: &BTreeMap<String, f64>) -> Vec<Program> {
    let seconds = |program: &Program| last.get(&program.name).copied().unwrap_or(f64::INFINITY);
    programs.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)).then_with(|| b.end_to_end().cmp(&a.end_to_end())));
    programs
}

fn side_by_side(programs: Vec<Program>, folder: &Path, watch: &Watch) -> Result<Vec<Outcome>> {
    let pairs = std::thread::available_parallelism()?.get().div_ceil(2);
    let queue = Queue { waiting: Mutex::new(Waiting { programs, sounding: 0 }), ended: Condvar::new() };
    std::thread::scope(|scope| {
        let worker = || -> Result<Vec<Outcome>> {
            let mut done = Vec::new();
            while let Some(program) = queue.next(pairs * SOUNDING_PROGRAMS)? {
                let sounds = program.sounds();
                let outcome = one(program, folder, watch);
                queue.ended(sounds)?;
                done.push(outcome?);
            }
            Ok(done)
        };
        let workers: Vec<_> = (0..pairs * PROGRAMS).map(|_| scope.spawn(worker)).collect();
        let mut outcomes = Vec::new();
        for worker in workers {
            let Ok(done) = worker.join() else { bail!("a thread of the suite panicked") };
            outcomes.extend(done?);
        }
        Ok(outcomes)
    })
}

/// Programs that were not run yet, in their order.
struct Waiting {
    programs: Vec<Program>,
    /// Programs that run now and sound.
    sounding: usize,
}

impl Waiting {
    /// The first that may run now; `None` where all that are left would sound beside `most` others.
    fn take(&mut self, most: usize) -> Option<Program> {
        let full = self.sounding >= most;
        let at = self.programs.iter().position(|program| !(full && program.sounds()))?;
        let program = self.programs.remove(at);
        self.sounding += usize::from(program.sounds());
        Some(program)
    }
}

struct Queue {
    waiting: Mutex<Waiting>,
    ended: Condvar,
}

impl Queue {
    /// Waits until another may run; `None` once all do or did.
    fn next(&self, most: usize) -> Result<Option<Program>> {
        let mut waiting = self.lock()?;
        loop {
            if let Some(program) = waiting.take(most) {
                return Ok(Some(program));
            }
            if waiting.programs.is_empty() {
                return Ok(None);
            }
            waiting = self.ended.wait(waiting).map_err(|_| anyhow!("a thread of the suite panicked"))?;
        }
    }

    fn ended(&self, sounded: bool) -> Result<()> {
        self.lock()?.sounding -= usize::from(sounded);
        self.ended.notify_all();
        Ok(())
    }

    fn lock(&self) -> Result<MutexGuard<'_, Waiting>> {
        self.waiting.lock().map_err(|_| anyhow!("a thread of the suite panicked"))
    }
}

fn one(program: Program, folder: &Path, watch: &Watch) -> Result<Outcome> {
    let log = folder.join(format!("{}.log", program.name.replace('/', ".")));
    let file = std::fs::File::create(&log)?;
    let started = Instant::now();
    let status = Command::new(&program.path)
        .current_dir(&program.package)
        .stdin(Stdio::null())
        .stderr(file.try_clone()?)
        .stdout(file)
        .status()
        .with_context(|| format!("start {}", program.path.display()))?;
    let seconds = started.elapsed().as_secs_f64();
    let said = std::fs::read(&log)?;
    let said = String::from_utf8_lossy(&said);
    println!("{seconds:>6.1} s  {:<28} {}", program.name, result(&said).unwrap_or("said nothing of its tests"));
    let failed = (!well(status.success(), &said)).then(|| (log, status.to_string()));
    Ok(Outcome { program, seconds, failed, stalls: watch.since(started) })
}

/// What a test program says of its tests in the end.
fn result(said: &str) -> Option<&str> {
    said.lines().rev().find_map(|line| line.strip_prefix("test result: "))
}

/// A program that ended well without a word of its tests did not run them.
fn well(success: bool, said: &str) -> bool {
    success && result(said).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Program {
        Program { name: name.to_owned(), path: PathBuf::new(), package: PathBuf::new() }
    }

    #[test]
    fn only_test_programs_are_run() {
        let line = |reason: &str, executable: &str, test: bool| {
            format!(
                r#"{{"reason":"{reason}","executable":{executable},"manifest_path":"/w/satellite/link/Cargo.toml",
                "target":{{"name":"golden"}},"profile":{{"test":{test}}}}}"#
            )
        };
        let read = |line: &str| program(Path::new("/w"), line).unwrap();
        let found = read(&line("compiler-artifact", "\"/w/target/golden-1\"", true)).unwrap();
        assert_eq!(
            (found.name.as_str(), found.package.as_path()),
            ("satellite/link/golden", Path::new("/w/satellite/link"))
        );
        assert_eq!(read(&line("compiler-artifact", "\"/w/target/jarvisd\"", false)), None, "a program");
        assert_eq!(read(&line("compiler-artifact", "null", true)), None, "nothing to run");
        assert_eq!(read(r#"{"reason":"build-finished","success":true}"#), None);
        assert!(program(Path::new("/w"), "warning: something else").is_err());
    }

    #[test]
    fn the_longest_and_those_never_run_come_first() {
        let last = BTreeMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 9.0)]);
        let order = in_order(["a", "c", "tests/d", "b"].map(named).to_vec(), &last);
        assert_eq!(order.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["tests/d", "c", "b", "a"]);
    }

    #[test]
    fn no_more_sound_at_once_than_the_machine_bears_and_the_others_go_past() {
        let programs = ["tests/house", "tests/mic", "tests/safety"].map(named).to_vec();
        let mut waiting = Waiting { programs, sounding: 0 };
        let mut take = |ended: usize| {
            waiting.sounding -= ended;
            waiting.take(1).map(|program| program.name)
        };
        assert_eq!(take(0).as_deref(), Some("tests/house"));
        assert_eq!(take(0).as_deref(), Some("tests/safety"), "it makes no sound");
        assert_eq!(take(0), None, "the house still sounds");
        assert_eq!(take(1).as_deref(), Some("tests/mic"));
        assert_eq!(take(1), None, "nothing is left");
    }

    #[test]
    fn a_program_that_fails_or_says_nothing_did_not_do_well() {
        assert!(well(true, "running 1 test\n\ntest result: ok. 1 passed\n\n"));
        assert!(!well(false, "test result: FAILED. 1 failed"));
        assert!(!well(false, "test result: ok. 1 passed"), "it fell at its end");
        assert!(!well(true, ""), "no test was run");
    }
}
