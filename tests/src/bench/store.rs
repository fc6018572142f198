//! `store.kill9.lost`: what was acknowledged is there after `kill -9`, at whatever moment it comes.
//!
//! A child process writes seeded turns and says on a pipe when a commit begins, when it is durable and when it was acknowledged. It is
//! killed in one of four ways, three of which land where they are meant to by construction (see [`Moment`]). After each kill the database
//! is opened as the daemon opens it and must hold exactly the acknowledged writes, or those and the one that was under way. This shows
//! what a dying process loses; a power cut is `synchronous=FULL`'s promise and is not simulated.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jarvisd::store::{MAX_ROWS, Store, TurnRow};

use super::{Bench, Goal, Row};

mod story;
pub mod writer;

use story::Seeded;

/// Kills in the bench.
const KILLS: usize = 200;
/// Of them, those inside a commit that the bench must reach to count.
const INSIDE_MIN: usize = 50;
/// A database takes so many kills before a new one is begun.
const KILLS_PER_DATABASE: usize = 25;
/// Commits a child makes before one of the planned kills, at most.
const COMMITS_MAX: u64 = 30;
/// Longest that a child killed from outside lives after its first acknowledgement.
const OUTSIDE_MAX: Duration = Duration::from_millis(60);

/// When a child dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It kills itself when a commit begins, before the first page is written: inside a commit by construction.
    Begin,
    /// A second thread of its own kills it a seeded share of a commit's usual time after a commit began: while pages are written or
    /// synchronised, unless that commit was quicker than usual.
    Within,
    /// It kills itself when a commit is durable, before it is acknowledged.
    Durable,
    /// The parent kills it at a seeded time.
    Outside,
}

/// Which kill dies when. A third of all are inside a commit by construction, the two of [`Moment::Within`] mostly.
const ROUND: [Moment; 6] =
    [Moment::Begin, Moment::Within, Moment::Durable, Moment::Begin, Moment::Within, Moment::Outside];

/// What the kills showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kills {
    /// Children killed.
    pub kills: usize,
    /// Of them, those whose commit had begun and was not durable: the pipe says so.
    pub inside_commit: usize,
    /// Promises broken, each in words.
    pub lost: Vec<String>,
}

/// The bench's row.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let child = bench.programs.join("jarvis-store-writer");
    let shown = kill9(&child, &bench.dir.join("store"), KILLS, bench.seed)?;
    for lost in &shown.lost {
        eprintln!("  lost: {lost}");
    }
    eprintln!("  {} kills, {} of them inside a commit", shown.kills, shown.inside_commit);
    ensure!(
        shown.inside_commit >= INSIDE_MIN,
        "only {} of {} kills fell inside a commit; {INSIDE_MIN} are wanted",
        shown.inside_commit,
        shown.kills
    );
    Ok(vec![Row::new("store.kill9.lost", shown.lost.len() as f64, "promises", Goal::AtMost(0.0), shown.kills)])
}

/// Kills `child` (the program `jarvis-store-writer`) `kills` times and checks the promises after each.
pub fn kill9(child: &Path, folder: &Path, kills: usize, seed: u64) -> Result<Kills> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut random = Seeded::new(seed);
    let mut shown = Kills::default();
    let mut database = PathBuf::new();
    let mut before: Vec<TurnRow> = Vec::new();
    for kill in 0..kills {
        if kill % KILLS_PER_DATABASE == 0 {
            let home = folder.join(format!("{kill}"));
            if home.exists() {
                std::fs::remove_dir_all(&home)?;
            }
            std::fs::create_dir_all(&home)?;
            database = home.join("jarvis.db");
            before.clear();
        }
        let plan = Plan {
            moment: ROUND[kill % ROUND.len()],
            seed: random.next(),
            commit: 1 + random.below(COMMITS_MAX),
            share_percent: random.below(100),
            outside: OUTSIDE_MAX * u32::try_from(random.below(100))? / 100,
        };
        let seen = one_life(child, &database, &plan).with_context(|| format!("kill {kill}, {plan:?}"))?;
        shown.kills += 1;
        shown.inside_commit += usize::from(seen.inside_commit());
        match runtime.block_on(judge(&database, &plan, &seen, &before)) {
            Ok(after) => before = after,
            Err(error) => {
                shown.lost.push(format!("kill {kill}, {plan:?}, {seen:?}: {error:#}"));
                before = runtime.block_on(async { Store::open(&database)?.0.turns(u32::MAX).await })?;
            }
        }
    }
    Ok(shown)
}

/// One child's life.
#[derive(Debug, Clone, Copy)]
struct Plan {
    moment: Moment,
    seed: u64,
    /// The commit it dies at, from 1, where the moment is its own.
    commit: u64,
    share_percent: u64,
    outside: Duration,
}

/// What the child said on its pipe before it died.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    begun: u64,
    durable: u64,
    acknowledged: u64,
}

impl Seen {
    fn inside_commit(self) -> bool {
        self.begun > self.durable
    }
}

fn one_life(child: &Path, database: &Path, plan: &Plan) -> Result<Seen> {
    let mut command = Command::new(child);
    command
        .arg(database)
        .args([plan.seed.to_string(), plan.commit.to_string(), plan.share_percent.to_string()])
        .arg(format!("{:?}", plan.moment))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut process = crate::process::spawn(&mut command)
        .with_context(|| format!("cannot start {}; is it built?", child.display()))?;
    let pipe = process.stdout.take().context("the child has no pipe")?;
    let mut seen = Seen::default();
    let mut killed = false;
    for line in BufReader::new(pipe).lines() {
        match line?.as_str() {
            "begun" => seen.begun += 1,
            "durable" => seen.durable += 1,
            "acknowledged" => seen.acknowledged += 1,
            other => bail!("the child said {other:?}"),
        }
        if plan.moment == Moment::Outside && seen.acknowledged == 1 && !killed {
            std::thread::sleep(plan.outside);
            process.kill()?;
            killed = true;
        }
    }
    let status = process.wait()?;
    use std::os::unix::process::ExitStatusExt;
    ensure!(status.signal() == Some(9), "the child ended by itself: {status}");
    Ok(seen)
}

/// Whether the database holds what was promised; gives back all its turns.
async fn judge(database: &Path, plan: &Plan, seen: &Seen, before: &[TurnRow]) -> Result<Vec<TurnRow>> {
    let (store, opened) = Store::open(database)?;
    ensure!(opened.kept_aside.is_none(), "the database was damaged: {:?}", opened.kept_aside);
    if let Some(verdict) = store.integrity().await? {
        bail!("integrity check: {verdict}");
    }
    let after = store.turns(u32::MAX).await?;
    ensure!(after.len() < MAX_ROWS as usize, "more turns than one question brings");
    let (old, new): (Vec<TurnRow>, Vec<TurnRow>) =
        after.iter().cloned().partition(|t| t.room != story::room(plan.seed));
    ensure!(old == before, "turns of earlier lives changed");
    let found: Vec<TurnRow> = new.into_iter().rev().map(story::comparable).collect();
    let promised = story::after(plan.seed, seen.acknowledged);
    let under_way = story::after(plan.seed, seen.acknowledged + 1);
    let in_flight = seen.begun > seen.acknowledged;
    ensure!(
        found == promised || (in_flight && found == under_way),
        "{} writes were acknowledged, {} begun; the database holds {found:?}, promised was {promised:?}",
        seen.acknowledged,
        seen.begun
    );
    store.close().await?;
    Ok(after)
}
