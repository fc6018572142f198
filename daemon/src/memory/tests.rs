//! Length: one house of memory serves every test; apart, each file would build it again.

use std::path::PathBuf;
use std::sync::LazyLock;

use jarvis_core::cluster::Cluster;
use jarvis_core::intent::Grammar;
use jarvis_core::memory::{EPISODIC_MS, Reader, Source, WORKING_MS};
use jarvis_core::names::Names;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;

const T0: UnixMillis = UnixMillis(3_562_668_420_000);
const DAY_MS: i64 = 86_400_000;

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| Grammar::embedded().unwrap());
static NAMES: LazyLock<Names> = LazyLock::new(|| Names::from_cluster(&Cluster::default()));

fn redact(text: &str) -> Option<String> {
    text.contains("hunter2").then(|| text.replace("hunter2", "[secret]"))
}

fn reader(now: UnixMillis) -> Reader<'static> {
    Reader { grammar: &GRAMMAR, names: &NAMES, aliases: &[], now, local_offset_s: 0 }
}

struct Home {
    folder: tempfile::TempDir,
    store: Store,
    memories: Memories,
    keeper: JoinHandle<()>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&folder.path().join("jarvis.db")).unwrap();
        let (memories, keeper) = Memories::start(store.clone(), redact);
        Self { folder, store, memories, keeper: tokio::spawn(keeper.run()) }
    }

    async fn tell(&self, text: &str, now: UnixMillis) -> Remembered {
        let draft = reader(now).told(text).unwrap_or_else(|| panic!("nothing in {text:?}"));
        self.memories.remember(draft, occasion(now)).await.unwrap()
    }

    async fn kept(&self, text: &str, now: UnixMillis) -> MemoryId {
        match self.tell(text, now).await {
            Remembered::Kept { memory, .. } => memory.id,
            known @ Remembered::Known(_) => panic!("{text}: {known:?}"),
        }
    }

    async fn recall(&self, question: &str, now: UnixMillis) -> Vec<String> {
        let ranked = self.memories.recall(reader(now).question(question), now).await.unwrap();
        ranked.into_iter().map(|r| r.memory.fact.text).collect()
    }

    /// Every file of the database.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let all = std::fs::read_dir(self.folder.path()).unwrap().map(|f| f.unwrap().path());
        all.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }

    fn holds(&self, word: &str) -> bool {
        self.files().iter().any(|(_, bytes)| bytes.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes())))
    }
}

fn occasion(now: UnixMillis) -> Occasion {
    Occasion { room: "study".to_owned(), turn: Some(TurnId(7)), now }
}

#[tokio::test]
async fn what_was_told_is_recalled_by_other_forms_of_its_words() {
    let home = Home::new();
    home.kept("the backups of the kitchen tablet are encrypted", T0).await;
    home.kept("the router is at 192.168.1.1", T0).await;
    assert_eq!(home.recall("does the tablet's backup use encryption in the kitchen", T0).await.len(), 1);
    assert_eq!(home.recall("what ip does the router have", T0).await, ["the router is at 192.168.1.1"]);
    assert_eq!(home.recall("where is the lawn mower", T0).await, [""; 0]);
    assert_eq!(home.recall("", T0).await, [""; 0]);
}

#[tokio::test]
async fn a_newer_fact_takes_an_olders_place_and_the_older_is_kept_closed() {
    let home = Home::new();
    let old = home.kept("the router is at 192.168.1.10", T0).await;
    let now = T0.plus(DAY_MS);
    let Remembered::Kept { memory, closed, beside } = home.tell("the router is at 192.168.1.12", now).await else {
        panic!("known")
    };
    assert_eq!((closed.iter().map(|m| m.id).collect::<Vec<_>>(), beside), (vec![old], vec![]));
    assert_eq!(home.recall("router address", now).await, ["the router is at 192.168.1.12"]);
    let former = home.memories.former(&memory).await.unwrap();
    assert_eq!(former.len(), 1);
    assert_eq!(former[0].validity.closed, Some(jarvis_core::memory::Closed { at: now, by: Some(memory.id) }));
    assert_eq!(former[0].fact.text, "the router is at 192.168.1.10");
    // As it stood a millisecond before.
    assert_eq!(home.recall("router address", now.plus(-1)).await, ["the router is at 192.168.1.10"]);
    assert!(
        matches!(home.tell("The router is at 192.168.1.12!", now).await, Remembered::Known(m) if m.id == memory.id)
    );
    assert_eq!(home.memories.list(Which::Current, 10, now).await.unwrap().len(), 1);
    assert_eq!(home.memories.list(Which::All, 10, now).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_memory_is_never_rewritten_not_even_by_a_mistake() {
    let home = Home::new();
    home.kept("the router is at 192.168.1.10", T0).await;
    for column in ["text = 'x'", "value = 'x'", "keys = 'x'", "subject = 'x'"] {
        let sql = format!("update memories set {column}");
        let error = home.store.run(move |tx| Ok(tx.execute(&sql, [])?)).await.unwrap_err();
        assert!(error.to_string().contains("never rewritten"), "{error}");
    }
}

#[tokio::test]
async fn each_lifetime_ends_in_its_millisecond_and_a_sweep_takes_what_is_left() {
    let home = Home::new();
    for (text, question, ms) in [
        ("for now that the lift is stuck", "is the lift stuck", WORKING_MS),
        ("i painted the fence today", "who painted the fence", EPISODIC_MS),
        ("for the next two hours that the oven is hot", "is the oven hot", 7_200_000),
    ] {
        home.kept(text, T0).await;
        assert_eq!(home.recall(question, T0.plus(ms - 1)).await.len(), 1, "{text}");
        assert_eq!(home.recall(question, T0.plus(ms)).await.len(), 0, "{text}");
    }
    home.kept("the router is at 192.168.1.1", T0).await;
    assert_eq!(keeper::sweep(&home.store, T0.plus(7_200_000 - 1)).await.unwrap(), 0);
    assert_eq!(keeper::sweep(&home.store, T0.plus(7_200_000)).await.unwrap(), 1);
    assert!(!home.holds("oven"), "swept words are still in a file");
    assert_eq!(keeper::sweep(&home.store, T0.plus(1000 * DAY_MS)).await.unwrap(), 2);
    assert_eq!(home.memories.list(Which::All, 10, T0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_forgotten_is_in_no_file_any_more() {
    let home = Home::new();
    let neighbours = ["kombi bus is red", "kombu soup is green"];
    for text in neighbours {
        home.kept(&format!("the {text}"), T0).await;
    }
    home.kept("the kombucha jar stands in the zymurgarium", T0).await;
    let now = home.kept("the kombucha jar is in the fermentorium now", T0.plus(1)).await;
    assert!(home.holds("zymurgarium") && home.holds("fermentorium"));
    assert_eq!(home.memories.forget(vec![now]).await.unwrap(), 2, "with it goes what it had superseded");
    for word in ["zymurg", "fermentor", "ucha", "192.168.77"] {
        assert!(!home.holds(word), "{word} is still in a file");
    }
    assert_eq!(home.recall("where is the kombucha jar", T0.plus(2)).await, [""; 0]);
    assert_eq!(home.recall("what colour is the kombi bus", T0.plus(2)).await.len(), 1);
    assert_eq!(home.memories.forget(vec![now]).await.unwrap(), 0);
    assert_eq!(home.store.integrity().await.unwrap(), None);
}

#[tokio::test]
async fn the_index_holds_through_many_changes() {
    let home = Home::new();
    let mut ids = Vec::new();
    for n in 0..300 {
        ids.push(home.kept(&format!("shelf {n} holds crate {} of the attic", n * 7), T0.plus(n)).await);
    }
    let odd: Vec<MemoryId> = ids.iter().copied().filter(|id| id.0 % 2 == 1).collect();
    home.memories.forget(odd).await.unwrap();
    home.store
        .run(|tx| Ok(tx.execute("insert into memory_words (memory_words, rank) values ('integrity-check', 1)", [])?))
        .await
        .unwrap();
    assert_eq!(home.memories.list(Which::All, 1000, T0.plus(DAY_MS)).await.unwrap().len(), 150);
}

#[tokio::test]
async fn uses_are_written_in_batches_on_demand_and_at_the_end() {
    let home = Home::new();
    let id = home.kept("the router is at 192.168.1.1", T0).await;
    let uses = async |store: &Store| {
        store.run(|tx| Ok(tx.query_row("select uses from memories", [], |row| row.get::<_, i64>(0))?)).await.unwrap()
    };
    home.memories.touch(vec![id], T0);
    home.memories.touch(vec![id, id], T0.plus(5));
    home.memories.flush().await.unwrap();
    assert_eq!(uses(&home.store).await, 3);
    let row = home.memories.list(Which::Current, 1, T0.plus(9)).await.unwrap().remove(0);
    assert_eq!((row.uses, row.last_used), (3, Some(T0.plus(5))));
    // A full batch is written without being asked for.
    home.memories.touch(vec![id; TOUCHES_MAX], T0.plus(6));
    let mut written = uses(&home.store).await;
    while written == 3 {
        tokio::task::yield_now().await;
        written = uses(&home.store).await;
    }
    assert_eq!(written, 3 + TOUCHES_MAX as i64);
    // And what is left, when the last handle goes.
    home.memories.touch(vec![id], T0.plus(1));
    let Home { memories, keeper, store, folder: _folder, .. } = home;
    drop(memories);
    keeper.await.unwrap();
    assert_eq!(uses(&store).await, 4 + TOUCHES_MAX as i64);
}

#[tokio::test]
async fn secrets_are_taken_out_or_refused_before_they_reach_a_file() {
    let home = Home::new();
    let draft = reader(T0).told("my wifi password is hunter2").unwrap();
    let error = home.memories.remember(draft, occasion(T0)).await.unwrap_err();
    assert!(matches!(error, MemoryError::Secret(_)) && error.to_string().contains("password manager"), "{error}");
    home.kept("the mail gate must be told hunter2 when it starts", T0).await;
    assert_eq!(
        home.recall("what must the mail gate be told", T0).await,
        ["the mail gate must be told [secret] when it starts"]
    );
    assert!(!home.holds("hunter2"));
}

#[tokio::test]
async fn a_poisoned_memory_takes_no_ones_place_and_gives_no_names() {
    let home = Home::new();
    home.kept("the router is at 192.168.1.1", T0).await;
    let mut poison = reader(T0.plus(1)).told("the router is at 6.6.6.6").unwrap();
    (poison.fact.tainted, poison.fact.source) = (true, Source::ByModel);
    let kept = home.memories.remember(poison, occasion(T0.plus(1))).await.unwrap();
    let Remembered::Kept { closed, beside, .. } = kept else { panic!("{kept:?}") };
    assert_eq!((closed.len(), beside.len()), (0, 1));
    assert_eq!(home.recall("router address", T0.plus(2)).await.len(), 2, "both, and the contradiction can be said");
    let mut name = reader(T0).told("my printer is called scribe").unwrap();
    name.fact.tainted = true;
    home.memories.remember(name, occasion(T0)).await.unwrap();
    assert_eq!(home.memories.aliases(T0.plus(2)).await.unwrap(), []);
    home.kept("my scanner is called argus", T0).await;
    let names: Vec<String> = home.memories.aliases(T0).await.unwrap().into_iter().map(|a| a.name).collect();
    assert_eq!(names, ["argus"]);
}

async fn exported(home: &Home, now: UnixMillis) -> Vec<String> {
    let (mut lines, mut after) = (Vec::new(), Some(MemoryId(0)));
    while let Some(from) = after {
        let (more, next) = home.memories.export(from, now).await.unwrap();
        lines.extend(more);
        after = next;
    }
    lines
}

/// What an export and an import leave as it was.
fn comparable(memory: &Memory) -> (Fact, String, UnixMillis, UnixMillis, Option<UnixMillis>, Option<UnixMillis>, u32) {
    let fact = Fact { source: Source::Imported, ..memory.fact.clone() };
    let validity = memory.validity;
    (
        fact,
        memory.room.clone(),
        memory.told,
        validity.from,
        validity.closed.map(|c| c.at),
        validity.expires,
        memory.uses,
    )
}
use jarvis_core::memory::Fact;

#[tokio::test]
async fn an_export_makes_the_same_memories_elsewhere_and_only_once() {
    let home = Home::new();
    for (n, text) in [
        "the router is at 192.168.1.10",
        "my provider is alder",
        "the router is at 192.168.1.12",
        "i painted the fence today",
        "the router is at 192.168.1.14",
        "home needs bread",
        "home needs milk",
        "for now that the lift is stuck",
    ]
    .into_iter()
    .enumerate()
    {
        home.kept(text, T0.plus(n as i64 * 1000)).await;
    }
    let now = T0.plus(DAY_MS);
    let lines = exported(&home, now).await;
    assert_eq!(lines.len(), 7, "what has expired is not exported");
    let other = Home::new();
    let done = other.memories.import(lines.clone(), now).await.unwrap();
    assert_eq!(done, Imported { added: 7, ..Imported::default() });
    let all = async |home: &Home| {
        let mut all = home.memories.list(Which::All, 100, now).await.unwrap();
        all.sort_by_key(|m| (m.told, m.fact.text.clone()));
        all
    };
    let (here, there) = (all(&home).await, all(&other).await);
    assert_eq!(here.iter().map(comparable).collect::<Vec<_>>(), there.iter().map(comparable).collect::<Vec<_>>());
    let successor = |all: &[Memory]| -> Vec<Option<String>> {
        let text = |id| all.iter().find(|m| m.id == id).map(|m| m.fact.text.clone());
        all.iter().map(|m| text(m.validity.closed?.by?)).collect()
    };
    assert_eq!(successor(&here), successor(&there));
    assert!(there.iter().all(|m| m.fact.source == Source::Imported));
    let again = other.memories.import(lines.clone(), now).await.unwrap();
    assert_eq!(again, Imported { known: 7, ..Imported::default() });
    // And in the house it came from.
    assert_eq!(home.memories.import(lines, now).await.unwrap().known, 7);
}

#[tokio::test]
async fn an_import_never_makes_a_newer_word_obsolete() {
    let home = Home::new();
    home.kept("the router is at 192.168.1.10", T0).await;
    let lines = exported(&home, T0).await;
    let other = Home::new();
    other.kept("the router is at 192.168.1.12", T0.plus(DAY_MS)).await;
    let done = other.memories.import(lines, T0.plus(DAY_MS)).await.unwrap();
    assert_eq!(done.added, 1);
    assert_eq!(other.recall("router address", T0.plus(DAY_MS)).await, ["the router is at 192.168.1.12"]);
    assert_eq!(other.recall("router address", T0).await, ["the router is at 192.168.1.10"]);
}

#[tokio::test]
async fn hostile_lines_are_refused_one_by_one_with_a_reason() {
    let home = Home::new();
    home.kept("the router is at 192.168.1.10", T0).await;
    let good: Value = serde_json::from_str(&exported(&home, T0).await[0]).unwrap();
    let with = |field: &str, value: Value| {
        let mut line = good.clone();
        line[field] = value;
        line.to_string()
    };
    let mut bad = vec![
        String::new(),
        "garbage".to_owned(),
        "[]".to_owned(),
        "[".repeat(LINE_BYTES_MAX),
        "x".repeat(LINE_BYTES_MAX + 1),
        with("authority", json!(true)),
        with("text", json!("")),
        with("text", json!("a\u{0}b")),
        with("text", json!("x".repeat(301))),
        with("label", json!("x".repeat(61))),
        with("subject", json!({"person": "anna"})),
        with("subject", json!({"topic": "x".repeat(61)})),
        with("subject", json!({"guest": -1})),
        with("source", json!("root")),
        with("importance", json!(0)),
        with("importance", json!(6)),
        with("lifetime", json!("for ever")),
        with("lifetime", json!("working")),
        with("expires_ms", json!(T0.0 + 1)),
        with("told_ms", json!(-1)),
        with("told_ms", json!(i64::MAX)),
        with("to_ms", json!(0)),
        with("value", Value::Null),
        with("attribute", Value::Null),
        with("mentions", json!(vec![json!({"guest": 104}); 9])),
        with("uses", json!(-1)),
        with("room", json!("a\nb")),
        with("v", json!(2)),
        with("value", json!("hunter2")),
    ];
    let count = bad.len();
    let other = Home::new();
    bad.push(good.to_string());
    let done = other.memories.import(bad, T0).await.unwrap();
    assert_eq!((done.refused.len(), done.added), (count, 1), "{done:?}");
    assert_eq!(done.refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), (1..=count).collect::<Vec<_>>());
    assert!(done.refused.iter().all(|(_, why)| !why.is_empty()));
    let flood = vec![good.to_string(); LINES_MAX + 10];
    assert_eq!(other.memories.import(flood, T0).await.unwrap().refused.len(), 10);
}

#[tokio::test]
async fn odd_words_do_not_break_the_index() {
    let home = Home::new();
    for text in [
        "the \"quoted\" NEAR(x) AND * thing is odd",
        "the ünïcödé Straße is long",
        "the 💡 lamp is bright",
        "the a-b:c^d is queer",
    ] {
        home.kept(text, T0).await;
    }
    for question in
        ["\"quoted\" NEAR", "AND OR NOT", "ünïcödé", "unicode strasse", "* ^ :", "lamp 💡 bright", "''", "\u{0}x"]
    {
        home.recall(question, T0).await;
    }
    assert_eq!(home.recall("the unicode straße", T0).await.len(), 1);
}

#[tokio::test]
async fn a_full_house_takes_nothing_more_and_says_so() {
    let home = Home::new();
    home.kept("the router is at 192.168.1.10", T0).await;
    home.store
        .run(|tx| {
            tx.execute(
                "with recursive n (i) as (select 1 union all select i + 1 from n where i < ?1)
                 insert into memories (lifetime, subject_kind, subject, label, text, single, mentions, keys, source, tainted, importance,
                   room, told_ms, from_ms)
                 select 'lasting', 'topic', 'x' || i, 'x', 'x', 0, '[]', '', 'said', 0, 3, '', 0, 0 from n",
                [MEMORIES_MAX as i64 - 1],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    let draft = reader(T0).told("the switch is at 192.168.1.2").unwrap();
    let error = home.memories.remember(draft, occasion(T0)).await.unwrap_err();
    assert!(matches!(error, MemoryError::Full) && error.to_string().contains("memory forget"), "{error}");
    // What is known already is still known, and a question still finds it among all.
    assert!(matches!(home.tell("the router is at 192.168.1.10", T0).await, Remembered::Known(_)));
    assert_eq!(home.recall("router address", T0).await.len(), 1);
}

#[tokio::test]
async fn a_failed_write_changes_nothing() {
    let home = Home::new();
    home.kept("the router is at 192.168.1.10", T0).await;
    // The new row is refused by the table after the plan was made.
    let mut draft = reader(T0.plus(1)).told("the router is at 192.168.1.12").unwrap();
    draft.fact.importance = 200;
    assert!(home.memories.remember(draft, occasion(T0.plus(1))).await.is_err());
    assert_eq!(home.recall("router address", T0.plus(2)).await, ["the router is at 192.168.1.10"]);
    let all = home.memories.list(Which::All, 9, T0).await.unwrap();
    assert_eq!((all.len(), all[0].validity.closed), (1, None));
}
