//! The child: writes, says what happened, and dies as its plan wants.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use jarvis_core::ids::TurnId;
use jarvisd::store::{Probe, Store, StoreError};
use rustix::process::{Signal, getpid, kill_process};

use super::story::{Step, steps};

/// A child writes so many steps at most: the parent died, if it comes so far.
const STEPS_MAX: usize = 100_000;

#[derive(Parser)]
struct Arguments {
    database: std::path::PathBuf,
    seed: u64,
    /// The commit to die at, from 1.
    commit: u64,
    /// How much of a commit's usual time passes before the end, in percent.
    share_percent: u32,
    moment: String,
}

/// Runs until killed.
pub fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let probe = match arguments.moment.as_str() {
        "Begin" => watched(dies_at(arguments.commit), |_| {}),
        "Durable" => watched(|_| {}, dies_at(arguments.commit)),
        "Within" => within(arguments.commit, arguments.share_percent),
        "Outside" => watched(|_| {}, |_| {}),
        other => bail!("there is no moment {other}"),
    };
    runtime.block_on(write(&arguments.database, arguments.seed, probe))
}

async fn write(database: &std::path::Path, seed: u64, probe: Probe) -> Result<()> {
    let (store, _) = Store::open_observed(database, probe)?;
    let mut turn = TurnId(0);
    for step in steps(seed).take(STEPS_MAX) {
        turn = one(&store, turn, step).await?;
        say("acknowledged");
    }
    bail!("nobody killed the writer")
}

async fn one(store: &Store, turn: TurnId, step: Step) -> Result<TurnId, StoreError> {
    match step {
        Step::Begin(new) => return store.begin_turn(new).await,
        Step::WakeCheck(check) => store.wake_check(turn, check).await,
        Step::Transcript(text) => store.transcript(turn, &text).await,
        Step::Route(kind, reason) => store.route(turn, kind, &reason).await,
        Step::Tool(tool) => store.tool(turn, tool).await,
        Step::Sentence(place, text) => store.sentence(turn, place, &text).await,
        Step::Reply(text) => store.reply(turn, &text).await,
        Step::Answered(tools, text) => store.answered(turn, tools, &text).await,
        Step::Marks(marks) => store.marks(turn, marks).await,
        Step::Finish(error) => store.finish(turn, error.as_deref()).await,
    }?;
    Ok(turn)
}

/// A probe that tells the parent and then calls `begun` or `durable` with the commit's number.
fn watched(begun: impl Fn(u64) + Send + 'static, durable: impl Fn(u64) + Send + 'static) -> Probe {
    let count = Arc::new(AtomicU64::new(0));
    let same = count.clone();
    Probe {
        committing: Some(Box::new(move || {
            say("begun");
            begun(count.fetch_add(1, Ordering::SeqCst) + 1);
        })),
        committed: Some(Box::new(move || {
            say("durable");
            durable(same.load(Ordering::SeqCst));
        })),
    }
}

fn dies_at(commit: u64) -> impl Fn(u64) {
    move |now| {
        if now == commit {
            die();
        }
    }
}

/// A second thread kills within a commit, `share_percent` of a usual one after its beginning.
fn within(commit: u64, share_percent: u32) -> Probe {
    let (order, orders) = channel::<(Instant, Duration)>();
    std::thread::spawn(move || killer(&orders));
    // When the commit at hand began, and how long the quickest one took.
    let usual = Arc::new(Mutex::new((Instant::now(), Duration::MAX)));
    let timed = usual.clone();
    // The first commits only show how long one takes.
    let commit = commit + 2;
    watched(
        move |now| {
            let begun = Instant::now();
            let Ok(mut known) = usual.lock() else { die() };
            known.0 = begun;
            if now >= commit && order.send((begun, known.1 * share_percent / 100)).is_err() {
                die();
            }
        },
        move |_| {
            if let Ok(mut known) = timed.lock() {
                known.1 = known.1.min(known.0.elapsed());
            }
        },
    )
}

/// Spins, since a sleep would miss a commit by far.
fn killer(orders: &Receiver<(Instant, Duration)>) {
    loop {
        match orders.try_recv() {
            Ok((begun, delay)) => {
                while begun.elapsed() < delay {
                    std::hint::spin_loop();
                }
                die();
            }
            Err(std::sync::mpsc::TryRecvError::Empty) => std::hint::spin_loop(),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
        }
    }
}

fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{word}").and_then(|()| out.flush()).context("the parent is gone");
    if said.is_err() {
        die();
    }
}

fn die() -> ! {
    // If the signal could not be sent, an abort is a death the parent tells from it.
    match kill_process(getpid(), Signal::KILL) {
        Ok(()) => loop {
            std::thread::park();
        },
        Err(_) => std::process::abort(),
    }
}
