//! `make bench`: every figure, measured, beside its goal and where there is one beside a peer of the same run.
//!
//! One file per group of figures and one line in [`BENCHES`]. A goal is met by the honest figure, or the row says by how much it is missed.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

pub mod build;
pub mod ear;
pub mod idle;
pub mod intents;
pub mod latency;
pub mod memory;
pub mod minds;
pub mod offline;
pub mod peer;
pub mod route;
pub mod safety;
pub mod secrets;
pub mod store;
pub mod window;

/// What a bench may use.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Workspace.
    pub root: PathBuf,
    /// Where the programs lie.
    pub programs: PathBuf,
    /// Where it may write.
    pub dir: PathBuf,
    /// Seed, printed.
    pub seed: u64,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `v18.first_audio_ms.p50`.
    pub id: &'static str,
    /// The figure.
    pub figure: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What is wanted of it.
    pub goal: Goal,
    /// The other side's figure in the same run.
    pub peer: Option<f64>,
    /// Cases.
    pub n: usize,
    /// What shows it.
    pub command: String,
}

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// At most this many times the peer's figure.
    OfPeer(f64),
    /// More than the peer's figure.
    AbovePeer,
}

impl Serialize for Goal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "<= {limit}"),
            Self::AtLeast(limit) => write!(f, ">= {limit}"),
            Self::OfPeer(1.0) => write!(f, "<= peer"),
            Self::OfPeer(share) => write!(f, "<= {share} x peer"),
            Self::AbovePeer => write!(f, "> peer"),
        }
    }
}

impl Row {
    /// A row whose command is `make bench ONLY=` and the id's first part.
    pub fn new(id: &'static str, figure: f64, unit: &'static str, goal: Goal, n: usize) -> Self {
        let part = id.split('.').next().unwrap_or(id);
        Self { id, figure, unit, goal, peer: None, n, command: format!("make bench ONLY={part}") }
    }

    /// With the peer's figure of the same run.
    pub fn beside(mut self, peer: f64) -> Self {
        self.peer = Some(peer);
        self
    }

    /// By how much the goal is missed, in the figure's unit; `None` if it is met. A goal beside a peer nobody measured is missed.
    pub fn missed_by(&self) -> Option<f64> {
        let over = match self.goal {
            Goal::AtMost(limit) => self.figure - limit,
            Goal::AtLeast(limit) => limit - self.figure,
            Goal::OfPeer(share) => self.figure - share * self.peer.unwrap_or(0.0),
            // As much as the peer is not more than the peer.
            Goal::AbovePeer => match self.peer {
                Some(peer) if self.figure > peer => return None,
                peer => return Some(peer.unwrap_or(f64::NAN) - self.figure),
            },
        };
        (over > 0.0 || over.is_nan()).then_some(over)
    }
}

/// A group of figures.
struct Group {
    /// Beginnings of its ids.
    parts: &'static [&'static str],
    run: fn(&Bench) -> Result<Vec<Row>>,
}

/// Every group: one line each.
const BENCHES: &[Group] = &[
    Group { parts: &["v4"], run: ear::run },
    Group { parts: &["m1"], run: intents::run },
    Group { parts: &["m3"], run: window::run },
    Group { parts: &["s6"], run: secrets::run },
    Group { parts: &["store"], run: store::run },
    Group { parts: &["m4"], run: route::spend },
    Group { parts: &["m5"], run: route::caps },
    Group { parts: &["m7"], run: route::prompt },
    Group { parts: &["m8"], run: memory::run },
    Group { parts: &["s1"], run: safety::tiers },
    Group { parts: &["s2"], run: safety::approvals },
    Group { parts: &["s3"], run: safety::stop },
    Group { parts: &["m6"], run: minds::resume },
    Group { parts: &["v18", "demo"], run: latency::run },
    Group { parts: &["v14"], run: offline::run },
    Group { parts: &["v18.llm"], run: minds::first_audio },
    Group { parts: &["v18.silence"], run: minds::silence },
    Group { parts: &["a7"], run: idle::run },
    Group { parts: &["build"], run: build::run },
];

/// Runs the groups whose ids begin with `only` (all, if `None`), prints the table and writes `target/bench/bench.json`.
pub fn run(bench: &Bench, only: Option<&str>) -> Result<()> {
    std::fs::create_dir_all(&bench.dir)?;
    let wanted = |part: &&str| only.is_none_or(|only| only.starts_with(part) || part.starts_with(only));
    let chosen: Vec<&Group> = BENCHES.iter().filter(|group| group.parts.iter().any(wanted)).collect();
    ensure!(!chosen.is_empty(), "no figure begins with {:?}; there are {}", only.unwrap_or_default(), parts());
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for group in chosen {
        let parts = group.parts.join(", ");
        eprintln!("bench: {parts} (seed {})", bench.seed);
        match (group.run)(bench) {
            Ok(more) => rows.extend(more),
            Err(error) => failures.push(format!("{parts}: {error:#}")),
        }
    }
    if let Some(only) = only {
        rows.retain(|r| r.id.starts_with(only));
    }
    print(&rows);
    let file = bench.dir.join("bench.json");
    let merged = merge(&file, &rows)?;
    std::fs::write(&file, serde_json::to_string_pretty(&merged)?)
        .with_context(|| format!("write {}", file.display()))?;
    println!("{} figures in {}", merged.len(), file.display());
    ensure!(failures.is_empty(), "could not be measured:\n  {}", failures.join("\n  "));
    Ok(())
}

fn parts() -> String {
    BENCHES.iter().flat_map(|g| g.parts).copied().collect::<Vec<_>>().join(", ")
}

/// A part that ran replaces its rows of an earlier run; the others stay.
fn merge(file: &std::path::Path, rows: &[Row]) -> Result<Vec<serde_json::Value>> {
    let earlier: Vec<serde_json::Value> = match std::fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("{} is damaged: delete it", file.display()))?,
        Err(_) => Vec::new(),
    };
    let mut merged: Vec<_> = earlier.into_iter().filter(|old| rows.iter().all(|r| old["id"] != r.id)).collect();
    for row in rows {
        merged.push(serde_json::to_value(row)?);
    }
    merged.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    Ok(merged)
}

fn print(rows: &[Row]) {
    println!("{:<28} {:>12} {:<8} {:>12} {:>10} {:>6}  ", "id", "figure", "unit", "goal", "peer", "n");
    for row in rows {
        let peer = row.peer.map_or_else(|| "-".to_owned(), |p| format!("{p:.4}"));
        let verdict = row.missed_by().map_or_else(|| "met".to_owned(), |by| format!("MISSED by {by:.4}"));
        println!(
            "{:<28} {:>12.4} {:<8} {:>12} {:>10} {:>6}  {verdict}",
            row.id,
            row.figure,
            row.unit,
            row.goal.to_string(),
            peer,
            row.n
        );
    }
}

/// The value below which `share` of the values lie (nearest rank). Sorts them.
pub fn percentile(values: &mut [f64], share: f64) -> Result<f64> {
    ensure!(!values.is_empty(), "no values to take a percentile of");
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    Ok(values[rank.clamp(1, values.len()) - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_judge() {
        let row = |figure, goal| Row::new("x.y", figure, "", goal, 1);
        assert_eq!(row(1.0, Goal::AtMost(1.0)).missed_by(), None);
        assert_eq!(row(3.0, Goal::AtMost(1.0)).missed_by(), Some(2.0));
        assert_eq!(row(0.5, Goal::AtLeast(1.0)).missed_by(), Some(0.5));
        assert_eq!(row(2.0, Goal::OfPeer(1.0)).beside(2.0).missed_by(), None);
        assert_eq!(row(2.0, Goal::OfPeer(0.25)).beside(4.0).missed_by(), Some(1.0));
        assert!(row(2.0, Goal::OfPeer(1.0)).missed_by().is_some(), "a peer that was not measured meets nothing");
        assert_eq!(row(0.9, Goal::AbovePeer).beside(0.8).missed_by(), None);
        assert_eq!(row(0.75, Goal::AbovePeer).beside(0.75).missed_by(), Some(0.0));
        assert_eq!(row(0.5, Goal::AbovePeer).beside(0.75).missed_by(), Some(0.25));
        assert!(row(0.9, Goal::AbovePeer).missed_by().is_some());
        assert!(row(f64::NAN, Goal::AtMost(1.0)).missed_by().is_some());
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let mut values = vec![5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(percentile(&mut values, 0.5).unwrap(), 3.0);
        assert_eq!(percentile(&mut values, 0.95).unwrap(), 5.0);
        assert!(percentile(&mut [], 0.5).is_err());
    }
}
