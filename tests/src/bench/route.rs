//! `m4.*`, `m5.*`, `m7.*`: what the router spends, whether a cap is ever passed, and how long a prompt takes to make.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use jarvis_core::context::{EARLIER_MAX, Earlier, Personality, history};
use jarvis_core::costs::{Caps, Spent};
use jarvis_core::ids::{TurnId, WallMillis};
use jarvis_core::intent::{Grammar, Understood};
use jarvis_core::memory::{Reader, UnixMillis};
use jarvis_core::mind::date::Day;
use jarvis_core::mind::estimate;
use jarvis_core::mind::message::Usage;
use jarvis_core::mind::prices::MicroUsd;
use jarvis_core::names::Names;
use jarvisd::cluster::{ClusterClient, ClusterConfig};
use jarvisd::memory::{Memories, Occasion};
use jarvisd::mind::{Class, Context, MindsConfig, Replay, Routed};
use jarvisd::store::{Charge, NewTurn, Reserved, Source, Store};
use serde::Deserialize;
use tokio::task::JoinSet;

use super::{Bench, Goal, Row, percentile};
use crate::pve::Simulator;

/// A small model of one's own, and Claude: what a house of the kind has.
pub const HOUSE: &str = r#"
    [[providers]]
    kind = "openai"
    name = "qwen"
    url = "http://127.0.0.1:1/v1"
    model = "qwen3-4b"
    [[providers]]
    kind = "claude"
    model = "claude-sonnet-5-5"
"#;
/// The day whose prices hold.
const DAY: &str = "2026-11-26";
/// What the router may spend of what all of it would cost at Claude.
const SPEND: f64 = 0.15;
/// Requests at once.
const AT_ONCE: u64 = 1_000;
/// What they may spend: far less than they want.
const CAP: MicroUsd = MicroUsd(1_000_003);
/// Prompts that are timed.
const PROMPTS: usize = 300;

/// A line of `tests/frozen/routes.tsv`.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The least that should do.
    pub class: Class,
    /// The request.
    pub text: String,
}

/// The frozen requests.
pub fn expected(root: &Path) -> Result<Vec<Expected>> {
    let path = root.join("tests/frozen/routes.tsv");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let line = |(n, line): (usize, &str)| {
        let (class, text) = line.split_once('\t').with_context(|| format!("{}:{}", path.display(), n + 1))?;
        let class = match class {
            "intent" => Class::Intent,
            "local" => Class::Local,
            "cloud" => Class::Cloud,
            other => bail!("{}:{}: there is no class {other}", path.display(), n + 1),
        };
        Ok(Expected { class, text: text.to_owned() })
    };
    text.lines().enumerate().map(line).collect()
}

/// The frozen requests, routed in a house of the simulated cluster's names.
pub fn routed(root: &Path) -> Result<Vec<(Expected, Routed)>> {
    let config: MindsConfig = toml::from_str(HOUSE)?;
    let day: Day = DAY.parse()?;
    let replay = Replay::new(&config, Some(&crate::fleet::cluster()), day).map_err(anyhow::Error::msg)?;
    let all = expected(root)?;
    Ok(all.into_iter().map(|one| (one.clone(), replay.route(&one.text))).collect())
}

/// Whether the one who answers is at least the one who should: what the grammar takes though it should not is misunderstood, whoever else
/// answers does at least as well as a lesser one.
fn does(wanted: Class, got: Class) -> bool {
    match (wanted, got) {
        (_, Class::Nobody) => false,
        (Class::Intent, _) => true,
        (_, Class::Intent) => false,
        (wanted, got) => got >= wanted,
    }
}

/// `m4`: the frozen requests by the router, and all of them to Claude. Success is judged by the class that was written down before the
/// rules. A request that went to less than it takes is asked again of Claude and paid for there as well, so that both sides succeed alike.
/// Tokens are forecast, none from a cache, by the same rule on both sides. The floor is what a router without a fault would spend: what
/// takes Claude goes there, and nothing else.
pub fn spend(bench: &Bench) -> Result<Vec<Row>> {
    let all = routed(&bench.root)?;
    ensure!(all.len() >= 200, "{} requests are too few", all.len());
    let (mut spent, mut claude, mut floor) = (0u64, 0u64, 0u64);
    let (mut right, mut again, mut sent) = (0usize, 0usize, 0usize);
    for (wanted, got) in &all {
        let dearest = got.dearest.context("Claude has a price")?.0;
        claude += dearest;
        spent += got.expected.context("both have a price")?.0;
        floor += if wanted.class == Class::Cloud { dearest } else { 0 };
        sent += usize::from(got.class == Class::Cloud);
        right += usize::from(wanted.class == got.class);
        if wanted.class != got.class {
            eprintln!(
                "  {} wanted, {} got: {:?} ({})",
                wanted.class.as_str(),
                got.class.as_str(),
                got.text,
                got.reason
            );
        }
        if !does(wanted.class, got.class) {
            again += 1;
            spent += dearest;
        }
    }
    eprintln!(
        "  {sent} to Claude and {again} after somebody else: {}; at least {}; all of them {}",
        MicroUsd(spent),
        MicroUsd(floor),
        MicroUsd(claude)
    );
    let n = all.len();
    Ok(vec![
        Row::new("m4.spend.ratio", spent as f64 / claude as f64, "ratio", Goal::AtMost(SPEND), n),
        Row::new("m4.spend.floor", floor as f64 / claude as f64, "ratio", Goal::AtMost(SPEND), n),
        Row::new("m4.class.ratio", right as f64 / n as f64, "ratio", Goal::AtLeast(0.9), n),
    ])
}

/// `m5`: a thousand requests at once, which want many times the cap; the most that was ever spent and set aside beyond it.
pub fn caps(bench: &Bench) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir_in(&bench.dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (most, admitted) = runtime.block_on(most_used(folder.path(), bench.seed))?;
    eprintln!("  {admitted} of {AT_ONCE} were admitted; at most {} of {CAP} was used", MicroUsd(most));
    ensure!(admitted > 0 && admitted < AT_ONCE, "{admitted} admitted: the cap was not tried");
    let over = most.saturating_sub(CAP.0);
    Ok(vec![Row::new("m5.overshoot.micro_usd", over as f64, "micro-$", Goal::AtMost(0.0), AT_ONCE as usize)])
}

async fn most_used(folder: &Path, seed: u64) -> Result<(u64, u64)> {
    let (store, _) = Store::open(&folder.join("jarvis.db"))?;
    let day: Day = DAY.parse()?;
    let caps = Caps { day: CAP, month: MicroUsd(CAP.0 * 2) };
    let mut tasks = JoinSet::new();
    for n in 0..AT_ONCE {
        let store = store.clone();
        // Sizes that divide nothing, some of them over in a moment for less than was set aside.
        let mixed = (n ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let at_most = 3_000 + mixed % 9_001;
        tasks.spawn(async move {
            let charge = Charge {
                turn: Some(TurnId(n)),
                room: "study".to_owned(),
                provider: "claude".to_owned(),
                model: "claude-sonnet-5-5".to_owned(),
                day,
                at: WallMillis(0),
                at_most: MicroUsd(at_most),
            };
            let used = |spent: Spent| spent.day.0 + spent.day_open.0;
            let Reserved::Yes(id) = store.reserve_cost(charge, caps).await? else {
                return anyhow::Ok((used(store.spent(day).await?), 0));
            };
            let seen = used(store.spent(day).await?);
            match mixed >> 60 {
                0..=3 => {
                    let cost = MicroUsd(at_most / 3);
                    store.settle_cost(id, Usage::default(), cost, caps, WallMillis(1)).await?;
                }
                4..=5 => store.release_cost(id).await?,
                6..=9 => drop(store.cost_unknown(id, caps, WallMillis(1)).await?),
                _ => {}
            }
            Ok((seen.max(used(store.spent(day).await?)), 1))
        });
    }
    let (mut most, mut admitted) = (0, 0);
    while let Some(done) = tasks.join_next().await {
        let (seen, yes) = done??;
        most = most.max(seen);
        admitted += yes;
    }
    Ok((most, admitted))
}

/// `m7`: what a request is asked with: the cluster's summary (warm), recall among the memories of the frozen file, their words, and what
/// was said before.
pub fn prompt(bench: &Bench) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir_in(&bench.dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut times = runtime.block_on(prompts(bench, folder.path()))?;
    let n = times.len();
    Ok(vec![Row::new("m7.prompt_ms.p95", percentile(&mut times, 0.95)?, "ms", Goal::AtMost(10.0), n)])
}

async fn prompts(bench: &Bench, folder: &Path) -> Result<Vec<f64>> {
    #[derive(Deserialize)]
    struct File {
        cluster: ClusterConfig,
    }
    let simulator = Simulator::start(bench.seed).await?;
    let config: File = toml::from_str(&simulator.toml()?)?;
    let cluster = ClusterClient::new(&config.cluster)?;
    let (store, _) = Store::open(&folder.join("jarvis.db"))?;
    let (memories, keeper) = Memories::start(store.clone(), |_| None);
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run());
    let grammar = Grammar::embedded().map_err(|e| anyhow::anyhow!("{e}"))?;
    let names = Names::from_cluster(&cluster.names().await.context("the simulator answers")?);
    let now = UnixMillis(jarvisd::event::UnixMillis::now().0);
    let aliases = Vec::new();
    let reader = Reader { grammar: &grammar, names: &names, aliases: &aliases, now, local_offset_s: 0 };
    let frozen = std::fs::read_to_string(bench.root.join("tests/frozen/memory.tsv"))?;
    let (mut kept, mut asked) = (0, BTreeSet::new());
    for line in frozen.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let Some(words) = fields.last() else { continue };
        if fields[0] == "asked" {
            asked.insert((*words).to_owned());
            continue;
        }
        let text = match grammar.understand(words, &names) {
            Understood::Intent { intent, .. } => intent.slots.text.and_then(|text| reader.told(&text)),
            _ => reader.stated(words),
        };
        if let Some(draft) = text {
            memories.remember(draft, Occasion { room: String::new(), turn: None, now }).await?;
            kept += 1;
        }
    }
    ensure!(kept >= 100 && asked.len() >= 100, "{kept} memories and {} questions are too few", asked.len());
    let context = Context::new(cluster, memories, Personality::default());
    let first = context.system(reader.question("how is the cluster"), "study").await?;
    ensure!(first.system.iter().any(|part| part.text.contains("nodes")), "the cluster is in it: {first:?}");
    let turn = spoken_before(&store, asked.iter()).await?;
    let (mut times, mut recalled) = (Vec::new(), 0);
    for words in asked.iter().cycle().take(PROMPTS) {
        let begun = Instant::now();
        let (told, rows) = tokio::join!(context.system(reader.question(words), "study"), store.earlier(turn, 200));
        let told = told?;
        let earlier: Vec<Earlier> = rows?
            .into_iter()
            .map(|row| Earlier { asked: row.transcript, answer: row.untainted_reply, tools: row.tools })
            .collect();
        let pinned = estimate::preamble(&told.system, &[]);
        ensure!(!history(&earlier, pinned, 1 << 20).is_empty(), "what was said before is in it");
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        recalled += usize::from(!told.memories.is_empty());
    }
    eprintln!("  {kept} memories; {recalled} of {PROMPTS} prompts hold some of them");
    Ok(times)
}

/// A conversation as long as one that is told, and the turn that goes on with it.
async fn spoken_before<'a>(store: &Store, words: impl Iterator<Item = &'a String>) -> Result<TurnId> {
    let turn = || NewTurn {
        room: "study".to_owned(),
        satellite: None,
        source: Source::Typed,
        started_ms: jarvisd::event::UnixMillis::now().0,
        wake: None,
    };
    for words in words.take(EARLIER_MAX) {
        let before = store.begin_turn(turn()).await?;
        store.transcript(before, words).await?;
        store.untainted_reply(before, "It is so, sir, as far as anybody has told me.").await?;
        store.finish(before, None).await?;
    }
    Ok(store.begin_turn(turn()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn success_is_the_expected_class_or_a_better_one() {
        use Class::{Cloud, Intent, Local, Nobody};
        for (wanted, got, is) in [
            (Intent, Intent, true),
            (Intent, Cloud, true),
            (Local, Local, true),
            (Local, Cloud, true),
            (Cloud, Local, false),
            (Local, Intent, false),
            (Intent, Nobody, false),
        ] {
            assert_eq!(does(wanted, got), is, "{wanted:?} {got:?}");
        }
    }

    #[test]
    fn the_frozen_requests_go_where_they_should() {
        let all = routed(&root()).unwrap();
        let wrong: Vec<String> = all
            .iter()
            .filter(|(wanted, got)| wanted.class != got.class)
            .map(|(wanted, got)| {
                format!("{} wanted, {} got: {} ({})", wanted.class.as_str(), got.class.as_str(), got.text, got.reason)
            })
            .collect();
        let right = all.len() - wrong.len();
        assert!(right * 10 >= all.len() * 9, "{right} of {}:\n{}", all.len(), wrong.join("\n"));
        // What was written down as the house's own never leaves it for being private.
        let left = all.iter().filter(|(_, got)| got.class == Class::Cloud && got.reason.contains("stays in the house"));
        assert_eq!(left.count(), 0);
    }
}
