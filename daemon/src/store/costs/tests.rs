use super::super::{Probe, Store};
use super::*;

const CAPS: Caps = Caps { day: MicroUsd(1_000), month: MicroUsd(5_000) };

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn charge(on: &str, at_most: u64) -> Charge {
    Charge {
        turn: Some(TurnId(7)),
        room: "study".to_owned(),
        provider: "claude".to_owned(),
        model: "claude-sonnet-5-5".to_owned(),
        day: day(on),
        at: WallMillis(1_000),
        at_most: MicroUsd(at_most),
    }
}

fn open(dir: &tempfile::TempDir) -> Store {
    Store::open_observed(&dir.path().join("jarvis.db"), Probe::default()).unwrap().0
}

async fn reserved(store: &Store, charge: Charge) -> Option<ChargeId> {
    match store.reserve_cost(charge, CAPS).await.unwrap() {
        Reserved::Yes(id) => Some(id),
        Reserved::No(..) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_never_pass_the_cap_by_a_micro_dollar() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..1_000u64 {
        let store = store.clone();
        tasks.spawn(async move {
            // Amounts that don't divide the cap, some settled for less, some in full, some released, while others still ask.
            let at_most = 7 + n % 13;
            let Some(id) = reserved(&store, charge("2026-11-26", at_most)).await else { return 0 };
            match n % 3 {
                0 => {
                    store.settle_cost(id, Usage::default(), MicroUsd(at_most / 2), CAPS, WallMillis(2)).await.map(drop)
                }
                1 => store.cost_unknown(id, CAPS, WallMillis(2)).await.map(drop),
                _ => Ok(()),
            }
            .unwrap();
            let spent = store.spent(day("2026-11-26")).await.unwrap();
            spent.day.0 + spent.day_open.0
        });
    }
    let mut most = 0;
    while let Some(seen) = tasks.join_next().await {
        most = most.max(seen.unwrap());
    }
    assert!(most <= CAPS.day.0, "{most}");
    let spent = store.spent(day("2026-11-26")).await.unwrap();
    let used = spent.day.0 + spent.day_open.0;
    // What was given back can be used to the last micro-dollar, and not beyond.
    assert!(used > 0 && reserved(&store, charge("2026-11-26", CAPS.day.0 - used)).await.is_some());
    assert!(reserved(&store, charge("2026-11-26", 1)).await.is_none());
}

#[tokio::test]
async fn money_is_counted_by_day_and_by_month() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for on in ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04", "2026-11-30"] {
        assert!(reserved(&store, charge(on, 1_000)).await.is_some(), "{on}: a day of its own");
    }
    let refused = store.reserve_cost(charge("2026-11-15", 1), CAPS).await.unwrap();
    let word = Notice { span: Span::Month, level: Level::Spent };
    assert_eq!(refused, Reserved::No(Unpaid::Month, vec![word]));
    let again = store.reserve_cost(charge("2026-11-15", 1), CAPS).await.unwrap();
    assert_eq!(again, Reserved::No(Unpaid::Month, vec![]), "it is said once");
    assert!(reserved(&store, charge("2026-12-01", 1_000)).await.is_some(), "a month of its own");
    assert!(matches!(store.reserve_cost(charge("2026-12-01", 1), CAPS).await.unwrap(), Reserved::No(Unpaid::Day, _)));
    assert!(reserved(&store, charge("2026-11-15", 0)).await.is_some(), "what costs nothing goes on");
}

#[tokio::test]
async fn a_word_is_due_once_at_four_fifths_and_once_at_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut words = Vec::new();
    for cost in [700, 99, 1, 50, 150] {
        let id = reserved(&store, charge("2026-11-26", 150.max(cost))).await;
        let Some(id) = id else { continue };
        words.push(store.settle_cost(id, Usage::default(), MicroUsd(cost), CAPS, WallMillis(9)).await.unwrap());
    }
    let due = |level| vec![Notice { span: Span::Day, level }];
    assert_eq!(words, [vec![], vec![], due(Level::Warned), vec![], due(Level::Spent)]);
}

#[tokio::test]
async fn what_a_dead_process_left_open_counts_in_full_and_is_marked() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let settled = reserved(&store, charge("2026-11-26", 300)).await.unwrap();
    let usage = Usage { input: 10, output: 4, cache_read: 6, ..Usage::default() };
    store.settle_cost(settled, usage, MicroUsd(120), CAPS, WallMillis(5)).await.unwrap();
    reserved(&store, charge("2026-11-26", 200)).await.unwrap();
    let released = reserved(&store, charge("2026-11-26", 100)).await.unwrap();
    store.release_cost(released).await.unwrap();
    // What a kill leaves on the disk: the files as they are now, the log not folded, nothing closed.
    let grave = tempfile::tempdir().unwrap();
    for file in ["jarvis.db", "jarvis.db-wal"] {
        std::fs::copy(dir.path().join(file), grave.path().join(file)).unwrap();
    }
    let (store, opened) = Store::open_observed(&grave.path().join("jarvis.db"), Probe::default()).unwrap();
    assert_eq!(opened.lost_charges, 1);
    let spent = store.spent(day("2026-11-26")).await.unwrap();
    assert_eq!((spent.day, spent.day_open), (MicroUsd(320), MicroUsd(0)));
    let lines = store.cost_figures(By::Model, day("2026-11-01")).await.unwrap();
    let wanted = CostLine {
        key: "claude claude-sonnet-5-5".to_owned(),
        asks: 3,
        prompt_tokens: 16,
        cached_tokens: 6,
        hit_rate_permille: Some(375),
        answer_tokens: 4,
        cost: MicroUsd(320),
        unknown: MicroUsd(200),
        open: MicroUsd(0),
    };
    assert_eq!(lines, [wanted]);
    let none = reserved(&store, charge("2026-12-01", 1)).await.unwrap();
    store.release_cost(none).await.unwrap();
    assert_eq!(store.cost_figures(By::Day, day("2026-12-01")).await.unwrap()[0].hit_rate_permille, None);
    // What is over is not settled a second time.
    store.settle_cost(released, usage, MicroUsd(999), CAPS, WallMillis(5)).await.unwrap();
    assert_eq!(store.spent(day("2026-11-26")).await.unwrap(), spent);
}

#[tokio::test]
async fn figures_by_day_room_and_turn() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for (on, room, turn, at_most) in
        [("2026-11-24", "study", Some(1), 10), ("2026-11-25", "", None, 20), ("2026-11-25", "study", Some(2), 30)]
    {
        let charge = Charge { room: room.to_owned(), turn: turn.map(TurnId), ..charge(on, at_most) };
        reserved(&store, charge).await.unwrap();
    }
    let keys = async |by, since: &str| -> Vec<(String, u64)> {
        let lines = store.cost_figures(by, since.parse().unwrap()).await.unwrap();
        lines.into_iter().map(|line| (line.key, line.open.0)).collect()
    };
    let pairs = |all: &[(&str, u64)]| all.iter().map(|(key, open)| ((*key).to_owned(), *open)).collect::<Vec<_>>();
    assert_eq!(keys(By::Day, "2026-11-01").await, pairs(&[("2026-11-25", 50), ("2026-11-24", 10)]));
    assert_eq!(keys(By::Day, "2026-11-25").await, pairs(&[("2026-11-25", 50)]));
    assert_eq!(keys(By::Room, "2026-11-01").await, pairs(&[("study", 40), ("typed", 20)]));
    assert_eq!(keys(By::Turn, "2026-11-01").await, pairs(&[("2", 30), ("-", 20), ("1", 10)]));
}

#[tokio::test]
async fn the_books_outlive_the_turns() {
    const DAY_MS: i64 = 86_400_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let id = reserved(&store, charge("2026-11-26", 10)).await.unwrap();
    store.release_cost(id).await.unwrap();
    let keep = super::super::Keep { words_ms: DAY_MS, turns_ms: DAY_MS, events_ms: DAY_MS };
    let lines = async || store.cost_figures(By::Day, day("2026-11-01")).await.unwrap().len();
    store.retain(keep, 61 * DAY_MS).await.unwrap();
    assert_eq!(lines().await, 1);
    store.retain(keep, 63 * DAY_MS).await.unwrap();
    assert_eq!(lines().await, 0);
}
