//! A daemon that is killed at each commit of a model's run, before and after it is durable, and begun anew. Whatever the moment, nothing
//! runs twice, what was cut off is told (aloud, where a room asked), and asking again comes to the same end as if nobody had been killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Parser;
use jarvisd::config::Config;
use jarvisd::environment::Environment;
use jarvisd::store::Probe;
use rustix::process::{Signal, getpid, kill_process};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::crash::GUEST;
use crate::desk::{Desk, DeskConfig, Kind};
use crate::process::wait_for;
use crate::seat::Seat;

/// The daemon that kills itself.
const BED: &str = "jarvis-agent-bed";
/// While this file is beside its own, its commits are counted.
const ARMED: &str = "armed";
/// What is asked for, in words that the grammar does not know: a model makes a change of them.
const WORDS: &str = "kindly see to it that the archive is brought back to life";
/// Commits beyond which no request goes.
const COMMITS_MAX: u64 = 200;
/// For what must come: so long that the machine's other work decides nothing.
const PATIENT: Duration = Duration::from_secs(90);

/// How long the daemon of these tests waits for an answer, and looks for what may have come of a lost one: the simulator's tasks are in its
/// list at once. The daemon as it is installed looks for a minute and a half.
const LOST: Duration = Duration::from_secs(3);

/// The room that asks aloud.
const ROOM: &str = "study";
/// Words are heard at their own pace, so a room asks only at every so many of the strides.
const ALOUD_STRIDES: u64 = 3;

/// A way to the same end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A model proposes it, and its owner says yes.
    Asked,
    /// The owner's own words, and his standing leave, which no model has.
    OnLeave,
    /// A model proposes it in a room that hears the question, and says yes.
    Aloud,
}

/// When within a commit it dies.
const MOMENTS: [&str; 2] = ["begun", "durable"];

/// What kills came to.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// How often the daemon was killed.
    pub kills: usize,
    /// Kills in the middle of a model's run.
    pub in_a_run: usize,
    /// Of those, runs that a room had asked for, and was told of.
    pub spoken: usize,
    /// What was not as it must be.
    pub mismatches: Vec<String>,
}

/// Kills at every `stride`th commit, in three ways to the same end: with a question and its yes, on standing leave, and with both in a room
/// that hears what became of it. Each has a house of its own, side by side: most of their time goes by in waiting.
pub async fn kills(root: &Path, programs: &Path, seed: u64, stride: u64) -> Result<Found> {
    let runtime = &Handle::current();
    // Threads of their own, since whoever waits for a program blocks.
    let found = std::thread::scope(|scope| {
        let ways = [Way::Asked, Way::OnLeave, Way::Aloud]
            .map(|way| scope.spawn(move || runtime.block_on(in_this_way(root, programs, seed, stride, way))));
        ways.map(|way| way.join().unwrap_or_else(|_| Err(anyhow!("the test itself broke"))))
    });
    let mut all = Found::default();
    for found in found {
        let Found { kills, in_a_run, spoken, mismatches } = found?;
        all.kills += kills;
        all.in_a_run += in_a_run;
        all.spoken += spoken;
        all.mismatches.extend(mismatches);
    }
    Ok(all)
}

async fn in_this_way(root: &Path, programs: &Path, seed: u64, stride: u64, way: Way) -> Result<Found> {
    let mut found = Found::default();
    let sections = match way {
        Way::Asked | Way::Aloud => String::new(),
        Way::OnLeave => format!("[[safety.leave]]\ntool = \"guest_start\"\nguests = [{GUEST}]\nper_hour = 100000\n"),
    };
    let mut desk = Desk::start(DeskConfig {
        root: root.to_owned(),
        programs: programs.to_owned(),
        seed,
        kind: Kind::Local,
        script: script(),
        sections,
    })
    .await?;
    let seat = if way == Way::Aloud { Some(Seat::take(&desk, ROOM).await?) } else { None };
    let stride = if seat.is_some() { stride * ALOUD_STRIDES } else { stride };
    desk.daemon.stop()?;
    for (moment, first) in MOMENTS.into_iter().zip(1..) {
        // The strides of the two moments lie between each other.
        let mut commit = 1 + (first - 1) * stride / 2;
        while one(&mut desk, commit, moment, (way, seat.as_ref()), &mut found).await? {
            commit += stride;
            ensure!(commit <= COMMITS_MAX, "a request of more than {COMMITS_MAX} commits");
        }
    }
    Ok(found)
}

fn script() -> Value {
    let call = json!([{"id": "call_0", "name": "guest_start", "arguments": {"vmid": GUEST}}]);
    json!([
        {"match": {"userMessage": WORDS, "toolResultContains": "seen to be done"}, "response": {"content": "It is up, sir."}},
        {"match": {"userMessage": WORDS, "toolResultContains": "runs already"}, "response": {"content": "It runs already, sir."}},
        {"match": {"userMessage": WORDS, "hasToolResult": true}, "response": {"content": "I cannot say, sir."}},
        {"match": {"userMessage": WORDS}, "response": {"content": "Very good, sir.", "toolCalls": call}},
    ])
}

/// One kill; false once the request is over before that commit.
async fn one(
    desk: &mut Desk,
    commit: u64,
    moment: &str,
    (way, seat): (Way, Option<&Seat>),
    found: &mut Found,
) -> Result<bool> {
    let (armed, name) = (desk.dir().join(ARMED), format!("{way:?}, killed at commit {commit}, {moment}"));
    desk.cluster.change(|state| {
        if let Some(guest) = state.guest_mut(GUEST) {
            guest.running = false;
        }
    });
    let before = desk.guest().1;
    let asked_before = desk_approvals(desk)?;
    desk.restart(BED, &["--commit", &commit.to_string(), "--moment", moment])?;
    if let Some(seat) = seat {
        seat.is_known(desk)?;
    }
    if way == Way::OnLeave {
        is_known(desk)?;
    }
    std::fs::write(&armed, "")?;
    let whole = match way {
        Way::Asked => desk.try_ask(WORDS)? && desk.try_ask("yes")?,
        Way::OnLeave => desk.try_ask(&format!("start vm {GUEST}"))?,
        Way::Aloud => desk.ask_in(ROOM, WORDS).is_ok() && desk.ask_in(ROOM, "yes").is_ok(),
    };
    let survived = whole && desk.daemon.check().is_ok();
    std::fs::remove_file(&armed)?;
    if survived {
        desk.daemon.stop()?;
    } else {
        // It hangs up before the kernel has let go of all that it held, its lock on the store among that: it is waited for.
        desk.daemon.kill()?;
        found.kills += 1;
    }
    let in_a_run = desk.runs()?.first().is_some_and(|run| run.state == "running");
    found.in_a_run += usize::from(in_a_run);
    let (heard, last) = (seat.map(Seat::heard), last_turn(desk)?);
    // What began it anew is the daemon as it is, but for how long it looks for what was lost.
    desk.restart(BED, &["--commit", &u64::MAX.to_string(), "--moment", MOMENTS[0]])?;
    if let Err(error) = judge(desk, before, asked_before, in_a_run).await {
        found.mismatches.push(format!("{name}: {error:#}"));
    }
    if let (Some(seat), Some(heard), true) = (seat, heard, in_a_run) {
        match spoken(desk, seat, heard, last) {
            Ok(()) => found.spoken += 1,
            Err(error) => found.mismatches.push(format!("{name}: {error:#}")),
        }
    }
    desk.daemon.stop()?;
    Ok(!survived)
}

/// Waits until the grammar knows the guest: by number it does once a node has answered.
fn is_known(desk: &Desk) -> Result<()> {
    wait_for("the guest to be known", PATIENT, || {
        let asked = desk.ask(&format!("is vm {GUEST} running"))?;
        Ok((!asked.tools.is_empty()).then_some(()))
    })
}

fn desk_approvals(desk: &Desk) -> Result<i64> {
    let db = rusqlite::Connection::open(desk.dir().join("state/jarvis.db"))?;
    Ok(db.query_row("select count(*) from approvals", [], |row| row.get(0))?)
}

fn last_turn(desk: &Desk) -> Result<i64> {
    let db = rusqlite::Connection::open(desk.dir().join("state/jarvis.db"))?;
    Ok(db.query_row("select coalesce(max(id), 0) from turns", [], |row| row.get(0))?)
}

/// What must hold after the daemon's return.
async fn judge(desk: &Desk, before: usize, asked_before: i64, cut: bool) -> Result<()> {
    settled(desk).await?;
    let (running, deeds) = desk.guest();
    let deeds = deeds - before;
    ensure!(deeds <= 1, "it ran {deeds} times");
    ensure!(running == (deeds == 1), "it ran {deeds} times, and the guest runs: {running}");
    let new = usize::try_from(desk_approvals(desk)? - asked_before)?;
    let approvals = desk.approvals()?;
    if let Some(approval) = approvals.iter().take(new).next() {
        let told = (approval["stage"] == "done") == (deeds == 1);
        ensure!(told, "said {}, happened {deeds} times", approval["stage"]);
    }
    ensure!(desk.runs()?.iter().all(|run| run.state != "running"), "a run is left open");
    if cut {
        told(desk)?;
    }
    for approval in approvals.iter().filter(|approval| approval["stage"] == "pending") {
        desk.ctl(&["deny", &approval["id"].to_string()])?;
    }
    // Asked again, it comes to the end that it would have come to.
    let again = desk.ask(WORDS)?;
    let asked = desk.approvals()?.iter().any(|approval| approval["stage"] == "pending");
    if asked {
        desk.ask("yes")?;
    }
    settled(desk).await?;
    let (running, deeds) = desk.guest();
    ensure!(
        running && deeds - before == 1,
        "asked again, it ran {} times, and runs: {running}: {again:?}",
        deeds - before
    );
    Ok(())
}

/// A run that was cut off carries its end, its turn says so, and it is among the events.
fn told(desk: &Desk) -> Result<()> {
    ensure!(desk.runs()?.first().is_some_and(|run| run.state == "interrupted"), "the run is not interrupted");
    let turns = desk.ctl(&["turns"])?.to_string();
    ensure!(turns.contains("is not gone on with"), "jarvisctl turns does not tell of it");
    let db = rusqlite::Connection::open(desk.dir().join("state/jarvis.db"))?;
    let events: i64 =
        db.query_row("select count(*) from events where kind = 'agent.interrupted'", [], |row| row.get(0))?;
    ensure!(events > 0, "no event tells of it");
    Ok(())
}

/// The room heard that its run was cut off, and that it is unknown whether what was begun came to pass, where something was.
fn spoken(desk: &Desk, seat: &Seat, heard: usize, last: i64) -> Result<()> {
    wait_for("the room to be told aloud", PATIENT, || Ok((seat.heard() > heard).then_some(())))?;
    let db = rusqlite::Connection::open(desk.dir().join("state/jarvis.db"))?;
    let detail: String = db.query_row(
        "select detail from events where kind = 'agent.interrupted' and subject = ?1 order by id desc limit 1",
        [ROOM],
        |row| row.get(0),
    )?;
    let detail: Value = serde_json::from_str(&detail)?;
    let open = detail["open_changes"].as_u64().context("open changes")? > 0;
    // The first words since the daemon's return.
    let said: String = db.query_row(
        "select group_concat(text, ' ') from (select text from sentences where turn_id =
           (select min(id) from turns where source = 'said' and room = ?1 and id > ?2) order by seq)",
        rusqlite::params![ROOM, last],
        |row| row.get(0),
    )?;
    ensure!(said.starts_with("I was interrupted in the middle of your last request, sir"), "the room heard: {said}");
    ensure!(said.contains("is unknown") == open, "{detail}, and the room heard: {said}");
    Ok(())
}

/// Waits until no change is under way or unknown.
async fn settled(desk: &Desk) -> Result<()> {
    let begun = Instant::now();
    loop {
        let approvals = desk.approvals()?;
        let open = |a: &&Value| ["started", "unknown", "approved"].iter().any(|stage| a["stage"] == *stage);
        let Some(open) = approvals.iter().find(open) else { return Ok(()) };
        ensure!(begun.elapsed() < PATIENT, "it stays so: {open}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    config: PathBuf,
    /// The commit to die at, from 1, counted from when the file [`ARMED`] is there.
    #[arg(long)]
    commit: u64,
    #[arg(long)]
    moment: String,
}

/// The daemon as it is, but that it dies within a commit.
pub fn bed() -> Result<()> {
    let arguments = Arguments::parse();
    let environment = Environment::default();
    let mut config = Config::load(&arguments.config, &environment)?;
    config.cluster.limits.change.answer = LOST;
    config.cluster.limits.change.settle = LOST;
    let armed = arguments.config.parent().context("a folder")?.join(ARMED);
    let count = Arc::new(AtomicU64::new(0));
    let (begun, durable) = match arguments.moment.as_str() {
        "begun" => (arguments.commit, u64::MAX),
        "durable" => (u64::MAX, arguments.commit),
        other => bail!("there is no moment {other}"),
    };
    let same = count.clone();
    let probe = Probe {
        committing: Some(Box::new(move || {
            if armed.exists() && count.fetch_add(1, Ordering::SeqCst) + 1 == begun {
                die();
            }
        })),
        committed: Some(Box::new(move || {
            if same.load(Ordering::SeqCst) == durable {
                die();
            }
        })),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let stop = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut term) => {
                term.recv().await;
            }
            Err(error) => eprintln!("no SIGTERM: {error}"),
        }
    };
    runtime.block_on(jarvisd::app::serve_observed(config, environment, stop, probe))
}

fn die() -> ! {
    // If the signal could not be sent, an abort is a death as well.
    match kill_process(getpid(), Signal::KILL) {
        Ok(()) => loop {
            std::thread::park();
        },
        Err(_) => std::process::abort(),
    }
}
