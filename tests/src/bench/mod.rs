//! `make bench`: every figure, measured, beside its goal and where there is one beside a peer of the same run.
//!
//! One file per group of figures and one entry per measure in [`BENCHES`]. A goal is met by the honest figure, or the row says by how much it is missed.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

pub mod build;
pub mod ear;
pub mod idle;
pub mod injections;
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
    /// A row whose command is `make bench ONLY=` and its id.
    pub fn new(id: &'static str, figure: f64, unit: &'static str, goal: Goal, n: usize) -> Self {
        Self { id, figure, unit, goal, peer: None, n, command: format!("make bench ONLY={id}") }
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

/// A measure: it gives all of its figures, or none.
struct Measure {
    /// Ids of its rows.
    ids: &'static [&'static str],
    run: fn(&Bench) -> Result<Vec<Row>>,
}

/// Every measure: one entry each.
const BENCHES: &[Measure] = &[
    Measure { ids: &["v4.wer.clean", "v4.wer.noise15", "v4.call_ms.worst"], run: ear::run },
    Measure { ids: &["m1.understood.ratio", "m1.intent_ms.p95", "m1.part_ms.p95"], run: intents::run },
    Measure { ids: &["m3.overflow.count"], run: window::run },
    Measure { ids: &["s6.secrets.recall", "s6.secrets.false", "s6.redact_us.p95"], run: secrets::run },
    Measure { ids: &["store.kill9.lost"], run: store::run },
    Measure { ids: &["m4.spend.ratio", "m4.spend.floor", "m4.class.ratio"], run: route::spend },
    Measure { ids: &["m5.overshoot.micro_usd"], run: route::caps },
    Measure { ids: &["m7.prompt_ms.p95"], run: route::prompt },
    Measure {
        ids: &["m8.recall_at10", "m8.superseded.count", "m8.expired.count", "m8.abstained.ratio"],
        run: memory::run,
    },
    Measure { ids: &["s1.cases", "s1.wrong"], run: safety::tiers },
    Measure { ids: &["s2.mutations.accepted"], run: safety::mutations },
    Measure { ids: &["s2.kills.double", "s2.kills.wrong"], run: safety::kills },
    Measure { ids: &["s3.stop_ms.max"], run: safety::stop },
    Measure { ids: &["s5.injections.breached", "s5.injections.proposed"], run: injections::run },
    Measure { ids: &["m6.resume.mismatch"], run: minds::resume },
    Measure { ids: &["v18.first_audio_ms.p50", "v18.own_share_ms.p50", "demo.answered.ratio"], run: latency::run },
    Measure { ids: &["v14.offline_ms.p95"], run: offline::run },
    Measure { ids: &["v18.llm_first_audio_ms.p50"], run: minds::first_audio },
    Measure { ids: &["v18.silence_s.max"], run: minds::silence },
    Measure { ids: &["a7.idle_cpu_quiet.percent", "a7.idle_cpu_speech.percent", "a7.idle_rss.mib"], run: idle::run },
    Measure { ids: &["build.cold_s", "build.warm_s"], run: build::run },
];

/// Beginnings of ids, with commas between; all, where there are none.
#[derive(Debug, Clone, Default)]
struct Only(Vec<String>);

impl Only {
    fn new(text: Option<&str>) -> Self {
        let beginnings = text.unwrap_or_default().split(',').map(str::trim);
        Self(beginnings.filter(|beginning| !beginning.is_empty()).map(str::to_owned).collect())
    }

    fn has(&self, id: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|beginning| id.starts_with(beginning.as_str()))
    }

    /// The measures that give any of the rows, and no other.
    fn measures(&self) -> Result<Vec<&'static Measure>> {
        let ids = || BENCHES.iter().flat_map(|measure| measure.ids);
        for beginning in &self.0 {
            let all = || ids().copied().collect::<Vec<_>>().join(", ");
            ensure!(
                ids().any(|id| id.starts_with(beginning)),
                "no figure begins with {beginning:?}; there are {}",
                all()
            );
        }
        Ok(BENCHES.iter().filter(|measure| measure.ids.iter().any(|id| self.has(id))).collect())
    }
}

/// Measures the rows whose ids begin with one of `only`, which may hold several with commas between (all, if `None`), prints the table
/// and writes `target/bench/bench.json`.
pub fn run(bench: &Bench, only: Option<&str>) -> Result<()> {
    std::fs::create_dir_all(&bench.dir)?;
    let only = Only::new(only);
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for measure in only.measures()? {
        let name = measure.ids.join(", ");
        eprintln!("bench: {name} (seed {})", bench.seed);
        let begun = Instant::now();
        match measured(measure, bench) {
            Ok(more) => rows.extend(more),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
        eprintln!("bench: that took {:.1} s", begun.elapsed().as_secs_f64());
    }
    rows.retain(|row| only.has(row.id));
    print(&rows);
    let file = bench.dir.join("bench.json");
    let merged = merge(&file, &rows)?;
    std::fs::write(&file, serde_json::to_string_pretty(&merged)?)
        .with_context(|| format!("write {}", file.display()))?;
    println!("{} figures in {}", merged.len(), file.display());
    ensure!(failures.is_empty(), "could not be measured:\n  {}", failures.join("\n  "));
    Ok(())
}

/// The rows of a measure, which must be those that it names: else they could not be asked for.
fn measured(measure: &Measure, bench: &Bench) -> Result<Vec<Row>> {
    let rows = (measure.run)(bench)?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    ensure!(ids == measure.ids, "it gave the rows {}", ids.join(", "));
    Ok(rows)
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
    fn what_is_asked_for_is_measured_and_nothing_else() {
        let chosen = |only: &str| {
            let measures = Only::new(Some(only)).measures().unwrap();
            measures.iter().flat_map(|measure| measure.ids).copied().collect::<Vec<_>>()
        };
        assert_eq!(chosen("v18.llm"), ["v18.llm_first_audio_ms.p50"]);
        let of_the_script = ["v18.first_audio_ms.p50", "v18.own_share_ms.p50", "demo.answered.ratio"];
        assert_eq!(chosen("v18.own_share_ms.p50"), of_the_script);
        assert_eq!(chosen("v18").len(), of_the_script.len() + 2);
        assert_eq!(chosen("s2.mutations, m5"), ["m5.overshoot.micro_usd", "s2.mutations.accepted"]);
        assert_eq!(chosen("s2.kills.double"), ["s2.kills.double", "s2.kills.wrong"]);
        assert_eq!(Only::new(None).measures().unwrap().len(), BENCHES.len());
        assert!(!Only::new(Some("v18.own")).has("v18.first_audio_ms.p50"), "a row nobody asked for is not shown");
        for unknown in ["v19", "v18,nothing", "18"] {
            let error = Only::new(Some(unknown)).measures().err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| error.contains("v18.silence_s.max")), "{unknown}: the ids are listed");
        }
    }

    #[test]
    fn every_id_is_given_by_one_measure() {
        let mut ids: Vec<_> = BENCHES.iter().flat_map(|measure| measure.ids).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert!(BENCHES.iter().all(|measure| !measure.ids.is_empty()));
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let mut values = vec![5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(percentile(&mut values, 0.5).unwrap(), 3.0);
        assert_eq!(percentile(&mut values, 0.95).unwrap(), 5.0);
        assert!(percentile(&mut [], 0.5).is_err());
    }
}
