//! `m8.*`: what an owner told over seventy days, asked for later; beside plain FTS5 over the same words.
//!
//! `tests/frozen/memory.tsv` is played in its order on a virtual clock: what is told goes the way of a typed turn (grammar, then statement,
//! then store), what is asked goes through recall. Nothing tells extraction what replaces what; the file only judges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use jarvis_core::intent::{Grammar, Understood};
use jarvis_core::memory::{MemoryId, RECALLED_MAX, Reader, Remembered, UnixMillis};
use jarvis_core::names::Names;
use jarvisd::memory::{Memories, Occasion};
use jarvisd::store::Store;

use super::{Bench, Goal, Row};

/// The first midnight: 2026-01-01 00:00 UTC.
const MIDNIGHT: UnixMillis = UnixMillis(1_767_225_600_000);
const MINUTE_MS: i64 = 60_000;

/// Something that was told.
#[derive(Debug, Clone)]
struct Told {
    id: String,
    at: UnixMillis,
    lifetime: String,
    replaces: Option<String>,
    words: String,
}

/// Something that was asked.
#[derive(Debug, Clone)]
struct Asked {
    id: String,
    at: UnixMillis,
    sort: String,
    wanted: BTreeSet<String>,
    words: String,
}

#[derive(Debug, Clone)]
enum Line {
    Told(Told),
    Asked(Asked),
}

impl Line {
    fn at(&self) -> UnixMillis {
        match self {
            Self::Told(told) => told.at,
            Self::Asked(asked) => asked.at,
        }
    }
}

/// The frozen file, in the order of its times.
fn corpus(root: &Path) -> Result<Vec<Line>> {
    let path = root.join("tests/frozen/memory.tsv");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(n, line)| parse(line).with_context(|| format!("{}:{}", path.display(), n + 1)))
        .collect::<Result<Vec<_>>>()?;
    lines.sort_by_key(Line::at);
    Ok(lines)
}

fn parse(line: &str) -> Result<Line> {
    let fields: Vec<&str> = line.split('\t').collect();
    let owned = |text: &str| text.to_owned();
    Ok(match fields[..] {
        ["told", id, at, lifetime, replaces, words] => Line::Told(Told {
            id: owned(id),
            at: moment(at)?,
            lifetime: owned(lifetime),
            replaces: (replaces != "-").then(|| owned(replaces)),
            words: owned(words),
        }),
        ["asked", id, at, sort, wanted, words] => Line::Asked(Asked {
            id: owned(id),
            at: moment(at)?,
            sort: owned(sort),
            wanted: wanted.split(',').filter(|w| *w != "-").map(owned).collect(),
            words: owned(words),
        }),
        _ => bail!("six fields are wanted"),
    })
}

/// `12 19:05`: the day and the time of day.
fn moment(text: &str) -> Result<UnixMillis> {
    let (day, time) = text.split_once(' ').context("day and time")?;
    let (hour, minute) = time.split_once(':').context("hour and minute")?;
    let minutes = (day.parse::<i64>()? * 24 + hour.parse::<i64>()?) * 60 + minute.parse::<i64>()?;
    Ok(MIDNIGHT.plus(minutes * MINUTE_MS))
}

/// What one side gave for the questions.
#[derive(Debug, Default)]
struct Tally {
    wanted: usize,
    found: usize,
    first: usize,
    questions: usize,
    superseded: usize,
    expired: usize,
    silent: usize,
    unanswerable: usize,
    taken_wrong: usize,
}

/// Judges answers by what the file says was told, replaced and over by then.
#[derive(Debug, Default)]
struct Judge {
    told: BTreeMap<String, Told>,
    replaced: BTreeSet<String>,
}

impl Judge {
    fn told(&mut self, told: &Told) {
        self.replaced.extend(told.replaces.clone());
        self.told.insert(told.id.clone(), told.clone());
    }

    /// Whether its time was surely over, by the file's lifetimes: working matter after two days, episodes after a hundred.
    fn is_over(&self, id: &str, now: UnixMillis) -> bool {
        let days = |told: &Told| now.since(told.at) / (24 * 60 * MINUTE_MS);
        self.told.get(id).is_some_and(|told| match told.lifetime.as_str() {
            "w" => days(told) >= 2,
            "e" => days(told) >= 100,
            _ => false,
        })
    }

    fn answered(&self, tally: &mut Tally, asked: &Asked, given: &[String]) {
        tally.superseded += given.iter().filter(|id| self.replaced.contains(*id)).count();
        tally.expired += given.iter().filter(|id| self.is_over(id, asked.at)).count();
        if asked.wanted.is_empty() {
            tally.unanswerable += 1;
            tally.silent += usize::from(given.is_empty());
        } else {
            tally.questions += 1;
            tally.wanted += asked.wanted.len();
            tally.found += asked.wanted.iter().filter(|id| given.contains(id)).count();
            tally.first += usize::from(given.first().is_some_and(|id| asked.wanted.contains(id)));
        }
    }
}

/// Plays the file on both sides.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let lines = corpus(&bench.root)?;
    let folder = tempfile::tempdir_in(&bench.dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ours = runtime.block_on(ours(&lines, folder.path()))?;
    let peer = plain(&lines)?;
    let ratio = |tally: &Tally| tally.found as f64 / tally.wanted as f64;
    let told = lines.iter().filter(|line| matches!(line, Line::Told(_))).count();
    ensure!(told >= 150 && ours.questions >= 100 && ours.unanswerable >= 20, "the corpus is not what it was");
    eprintln!(
        "  first answer right: {} of {} (plain FTS5: {}); {} told were not taken",
        ours.first, ours.questions, peer.first, ours.taken_wrong
    );
    eprintln!(
        "  plain FTS5: {} superseded and {} expired items among its answers, silent for {} of {}",
        peer.superseded, peer.expired, peer.silent, peer.unanswerable
    );
    let all = ours.questions + ours.unanswerable;
    Ok(vec![
        Row::new("m8.recall_at10", ratio(&ours), "ratio", Goal::AbovePeer, ours.questions).beside(ratio(&peer)),
        Row::new("m8.superseded.count", ours.superseded as f64, "items", Goal::AtMost(0.0), all)
            .beside(peer.superseded as f64),
        Row::new("m8.expired.count", ours.expired as f64, "items", Goal::AtMost(0.0), all).beside(peer.expired as f64),
        Row::new(
            "m8.abstained.ratio",
            ours.silent as f64 / ours.unanswerable as f64,
            "ratio",
            Goal::AtLeast(1.0),
            ours.unanswerable,
        )
        .beside(peer.silent as f64 / peer.unanswerable as f64),
    ])
}

async fn ours(lines: &[Line], folder: &Path) -> Result<Tally> {
    let grammar = Grammar::embedded().map_err(|e| anyhow::anyhow!("{e}"))?;
    let names = Names::from_cluster(&crate::fleet::cluster());
    let (store, _) = Store::open(&folder.join("jarvis.db"))?;
    let (memories, keeper) = Memories::start(store.clone(), |_| None);
    let keeper = tokio::spawn(keeper.run());
    let (mut tally, mut judge) = (Tally::default(), Judge::default());
    let mut ids: BTreeMap<MemoryId, String> = BTreeMap::new();
    for line in lines {
        let now = line.at();
        let aliases = memories.aliases(now).await?;
        let reader = Reader { grammar: &grammar, names: &names, aliases: &aliases, now, local_offset_s: 0 };
        match line {
            Line::Told(told) => {
                judge.told(told);
                let draft = match grammar.understand(&told.words, &names) {
                    Understood::Intent { intent, .. } if intent.kind == "memory.remember" => {
                        intent.slots.text.and_then(|text| reader.told(&text))
                    }
                    Understood::Nothing { .. } => reader.stated(&told.words),
                    Understood::Intent { .. } | Understood::Ambiguous { .. } => None,
                };
                let Some(draft) = draft else {
                    eprintln!("  not taken: {} {:?}", told.id, told.words);
                    tally.taken_wrong += 1;
                    continue;
                };
                match memories.remember(draft, Occasion { room: String::new(), turn: None, now }).await? {
                    Remembered::Kept { memory, .. } => ids.insert(memory.id, told.id.clone()),
                    Remembered::Known(memory) => bail!("{} was taken for known: {memory:?}", told.id),
                };
            }
            Line::Asked(asked) => {
                let ranked = memories.recall(reader.question(&asked.words), now).await?;
                let given: Vec<String> = ranked.iter().filter_map(|r| ids.get(&r.memory.id).cloned()).collect();
                let missed: Vec<&String> = asked.wanted.iter().filter(|id| !given.contains(id)).collect();
                let wrong = asked.wanted.is_empty() && !given.is_empty();
                let stale: Vec<&String> = given.iter().filter(|id| judge.replaced.contains(*id)).collect();
                if !missed.is_empty() || wrong || !stale.is_empty() {
                    eprintln!(
                        "  {} ({}) {:?}: missed {missed:?}, stale {stale:?}, given {given:?}",
                        asked.id, asked.sort, asked.words
                    );
                }
                judge.answered(&mut tally, asked, &given);
            }
        }
    }
    drop(memories);
    keeper.await?;
    Ok(tally)
}

/// The peer: every word of the question, any of them, over the words as they were told; bm25, porter.
fn plain(lines: &[Line]) -> Result<Tally> {
    let db = rusqlite::Connection::open_in_memory()?;
    db.execute_batch("create virtual table items using fts5 (id unindexed, words, tokenize = 'porter unicode61')")?;
    let (mut tally, mut judge) = (Tally::default(), Judge::default());
    for line in lines {
        match line {
            Line::Told(told) => {
                judge.told(told);
                db.execute("insert into items (id, words) values (?1, ?2)", [&told.id, &told.words])?;
            }
            Line::Asked(asked) => {
                let words = asked.words.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
                let query = words.map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(" OR ");
                let given = db
                    .prepare_cached("select id from items where items match ?1 order by bm25(items) limit ?2")?
                    .query_map(rusqlite::params![query, RECALLED_MAX as i64], |row| row.get(0))?
                    .collect::<Result<Vec<String>, _>>()?;
                judge.answered(&mut tally, asked, &given);
            }
        }
    }
    Ok(tally)
}
