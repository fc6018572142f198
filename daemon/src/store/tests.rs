use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::json;

use super::*;
use jarvis_core::tool::Tier;

const T0: i64 = 1_800_000_000_000;
const HOUR_MS: i64 = 3_600_000;

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("jarvis.db")
    }

    fn store(&self) -> Store {
        Store::open(&self.database()).unwrap().0
    }
}

fn turn_at(room: &str, started_ms: i64) -> NewTurn {
    NewTurn { room: room.into(), satellite: Some("study".into()), source: Source::Voice, started_ms, wake: None }
}

/// A turn with everything in it.
async fn whole_turn(store: &Store, started_ms: i64) -> TurnId {
    let wake = Some(WakeRow { phrase: "hey jarvis".into(), score: 0.75, check: None });
    let turn = store.begin_turn(NewTurn { wake, ..turn_at("study", started_ms) }).await.unwrap();
    store.wake_check(turn, "confirmed").await.unwrap();
    store.transcript(turn, "how hot is").await.unwrap();
    store.transcript(turn, "how hot is node two").await.unwrap();
    store.route(turn, "intent", "node.temperature").await.unwrap();
    let args = json!({"nodes": ["pve2"]});
    let tool = ToolRow { name: "temperatures".into(), args, tier: Tier::Green, outcome: "ok".into(), ms: 12 };
    store.answered(turn, vec![tool], "It is 61 degrees, sir.").await.unwrap();
    store.sentence(turn, 0, "It is 61 degrees, sir.").await.unwrap();
    store.sentence(turn, 0, "I meant 62.").await.unwrap();
    store.reply(turn, "I meant 62.").await.unwrap();
    store.marks(turn, vec![("wake".into(), 0), ("played".into(), 10)]).await.unwrap();
    store.marks(turn, vec![("played".into(), 3200)]).await.unwrap();
    store.finish(turn, None).await.unwrap();
    turn
}

#[tokio::test]
async fn a_turn_comes_back_as_it_was_told() {
    let home = Home::new();
    let store = home.store();
    let id = whole_turn(&store, T0).await;
    store.close().await.unwrap();
    let row = home.store().turn(id).await.unwrap().unwrap();
    assert_eq!(row.transcript.as_deref(), Some("how hot is node two"));
    assert_eq!(row.wake.unwrap().check.as_deref(), Some("confirmed"));
    assert_eq!(row.route, Some(("intent".into(), "node.temperature".into())));
    assert_eq!(row.tools[0].args, json!({"nodes": ["pve2"]}));
    let spoken: Vec<_> = row.sentences.iter().map(|s| (s.place, s.text.as_str())).collect();
    assert_eq!(spoken, [(0, "It is 61 degrees, sir."), (0, "I meant 62.")]);
    assert_eq!(row.marks, [("played".to_owned(), 3200), ("wake".to_owned(), 0)]);
    assert!(row.finished_ms.is_some() && row.error.is_none());
}

#[tokio::test]
async fn turns_of_a_room_share_a_conversation_until_they_pause() {
    let home = Home::new();
    let store = home.store();
    let mut seen = Vec::new();
    for (room, at) in [("a", 0), ("a", 9), ("b", 9), ("a", 18), ("a", 29)] {
        let id = store.begin_turn(turn_at(room, T0 + at * 60_000)).await.unwrap();
        seen.push(store.turn(id).await.unwrap().unwrap().conversation);
    }
    assert_eq!(seen, [1, 1, 2, 1, 3]);
}

#[tokio::test]
async fn a_write_to_no_turn_is_told() {
    let store = Home::new().store();
    let error = store.sentence(TurnId(9), 0, "x").await.unwrap_err();
    assert!(matches!(error, StoreError::NoTurn(9)), "{error}");
    assert!(matches!(store.transcript(TurnId(u64::MAX), "x").await, Err(StoreError::NoTurn(_))));
}

#[tokio::test]
async fn a_discarded_turn_leaves_nothing_and_its_number_is_not_used_again() {
    let home = Home::new();
    let store = home.store();
    let id = whole_turn(&store, T0).await;
    store.discard(id).await.unwrap();
    assert_eq!(store.turn(id).await.unwrap(), None);
    let next = store.begin_turn(turn_at("study", T0)).await.unwrap();
    assert!(next > id);
    store.discard(next).await.unwrap();
    store.close().await.unwrap();
    let bytes = std::fs::read(home.database()).unwrap();
    let left = bytes.windows(8).any(|w| w == b"node two");
    assert!(!left, "the words are still in the file");
}

#[tokio::test]
async fn words_are_forgotten_before_turns_and_then_nothing_is_left_in_the_file() {
    let home = Home::new();
    let store = home.store();
    let old = whole_turn(&store, T0).await;
    let new = whole_turn(&store, T0 + 5 * HOUR_MS).await;
    store.page(old, Some("node two, in writing")).await.unwrap();
    assert_eq!(store.turn(old).await.unwrap().unwrap().page.as_deref(), Some("node two, in writing"));
    let keep = Keep { words_ms: 2 * HOUR_MS, turns_ms: 8 * HOUR_MS, events_ms: i64::MAX / 2 };
    let done = store.retain(keep, T0 + 3 * HOUR_MS).await.unwrap();
    assert_eq!(done, Retained { forgotten: 1, ..Retained::default() });
    let row = store.turn(old).await.unwrap().unwrap();
    assert_eq!((row.transcript, row.reply, row.page, row.sentences.len()), (None, None, None, 0));
    assert_eq!(row.tools[0].args, serde_json::Value::Null);
    assert_eq!(row.route.unwrap().0, "intent");
    assert!(row.forgotten_ms.is_some());
    assert_eq!(store.retain(keep, T0 + 3 * HOUR_MS).await.unwrap(), Retained::default());
    let done = store.retain(keep, T0 + 14 * HOUR_MS).await.unwrap();
    assert_eq!(done, Retained { forgotten: 1, deleted: 2, ..Retained::default() });
    assert_eq!(store.turn(new).await.unwrap(), None);
    let folder = std::fs::read_dir(home.folder.path()).unwrap();
    for file in folder.map(|f| f.unwrap().path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(8).any(|w| w == b"node two"), "{file:?} still holds the words");
    }
}

#[tokio::test]
async fn events_are_kept_for_their_time() {
    let store = Home::new().store();
    store.event("satellite.connected", "study", json!({"software": "0.1.0"})).await.unwrap();
    let event = store.events(9).await.unwrap().remove(0);
    assert_eq!((event.kind.as_str(), event.subject.as_str()), ("satellite.connected", "study"));
    let keep = Keep { words_ms: 1, turns_ms: 1, events_ms: HOUR_MS };
    assert_eq!(store.retain(keep, event.at_ms + HOUR_MS).await.unwrap().events, 0);
    assert_eq!(store.retain(keep, event.at_ms + HOUR_MS + 1).await.unwrap().events, 1);
}

#[tokio::test]
async fn a_turn_cut_by_the_daemons_end_says_so() {
    let home = Home::new();
    let store = home.store();
    let id = store.begin_turn(turn_at("study", T0)).await.unwrap();
    store.close().await.unwrap();
    let (store, opened) = Store::open(&home.database()).unwrap();
    assert_eq!(opened.cut_turns, 1);
    let row = store.turn(id).await.unwrap().unwrap();
    assert!(row.error.unwrap().contains("the daemon ended"));
}

#[tokio::test]
async fn a_corrupt_database_is_kept_aside_and_a_new_one_begun() {
    let garbage: [fn(&mut Vec<u8>); 4] = [
        |bytes| *bytes = b"this is a letter to my aunt, and no database at all".repeat(100),
        |bytes| bytes[4096..].fill(0x5a),
        |bytes| bytes.truncate(5000),
        |bytes| bytes[100..200].fill(0xff),
    ];
    for (case, damage) in garbage.into_iter().enumerate() {
        let home = Home::new();
        let store = home.store();
        whole_turn(&store, T0).await;
        store.close().await.unwrap();
        let mut bytes = std::fs::read(home.database()).unwrap();
        damage(&mut bytes);
        std::fs::write(home.database(), &bytes).unwrap();
        let (store, opened) = Store::open(&home.database()).unwrap();
        let kept = opened.kept_aside.unwrap_or_else(|| panic!("case {case} was not seen"));
        assert_eq!(std::fs::read(&kept.path).unwrap(), bytes, "case {case}: kept as it was");
        assert_eq!(kept_aside_beside(&home.database()), [kept.path]);
        assert!(store.turns(9).await.unwrap().is_empty());
        whole_turn(&store, T0).await;
    }
}

#[tokio::test]
async fn damage_that_shows_later_is_told_as_damage() {
    let home = Home::new();
    let store = home.store();
    for n in 0..200 {
        whole_turn(&store, T0 + n).await;
    }
    assert_eq!(store.integrity().await.unwrap(), None);
    store.close().await.unwrap();
    let store = home.store();
    // Pages that the check at the start read are in memory still.
    store.run(|tx| Ok(tx.execute_batch("pragma shrink_memory")?)).await.unwrap();
    let mut bytes = std::fs::read(home.database()).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..].fill(0x5a);
    std::fs::write(home.database(), bytes).unwrap();
    let Err(error) = store.turns(MAX_ROWS).await else { panic!("read through the damage") };
    assert!(error.is_damage(), "{error}");
    assert!(error.to_string().contains("restart jarvisd"));
}

#[tokio::test]
async fn a_second_owner_is_refused_with_the_firsts_process() {
    let home = Home::new();
    let store = home.store();
    let Err(error) = Store::open(&home.database()) else { panic!("two owners") };
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    store.close().await.unwrap();
    home.store();
}

#[test]
fn another_programs_lock_is_told_with_the_remedy() {
    let home = Home::new();
    drop(home.store());
    let other = Connection::open(home.database()).unwrap();
    other.execute_batch("pragma locking_mode=exclusive; begin exclusive; create table mine (x)").unwrap();
    let Err(error) = Store::open(&home.database()) else { panic!("opened through a lock") };
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("stop it"), "{error}");
    assert!(kept_aside_beside(&home.database()).is_empty(), "a locked database is not a damaged one");
}

#[tokio::test]
async fn a_lock_taken_later_fails_the_write_and_only_that() {
    let home = Home::new();
    let store = home.store();
    let id = store.begin_turn(turn_at("study", T0)).await.unwrap();
    let other = Connection::open(home.database()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let error = store.transcript(id, "lost?").await.unwrap_err();
    assert!(matches!(error, StoreError::Busy), "{error:?}");
    other.execute_batch("rollback").unwrap();
    store.transcript(id, "kept").await.unwrap();
    assert_eq!(store.turn(id).await.unwrap().unwrap().transcript.as_deref(), Some("kept"));
}

#[tokio::test]
async fn a_full_disk_is_a_typed_error_and_nothing_earlier_is_lost() {
    let home = Home::new();
    let store = home.store();
    let id = whole_turn(&store, T0).await;
    store
        .run(|tx| {
            let pages: i64 = tx.query_row("pragma page_count", [], |row| row.get(0))?;
            Ok(tx.query_row(&format!("pragma max_page_count = {pages}"), [], |_| Ok(()))?)
        })
        .await
        .unwrap();
    let error = store.reply(id, &"long ".repeat(100_000)).await.unwrap_err();
    assert!(matches!(error, StoreError::Full), "{error:?}");
    let row = store.turn(id).await.unwrap().unwrap();
    assert_eq!(row.reply.as_deref(), Some("I meant 62."), "as it was before the write that failed");
    store.run(|tx| Ok(tx.query_row("pragma max_page_count = 1000000", [], |_| Ok(()))?)).await.unwrap();
    store.reply(id, &"long ".repeat(100_000)).await.unwrap();
    assert_eq!(store.integrity().await.unwrap(), None);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = Home::new().store();
    let other = store.clone();
    store.close().await.unwrap();
    assert!(matches!(other.turns(1).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn commits_are_synchronised_and_foreign_keys_hold() {
    let store = Home::new().store();
    let read = |pragma: &'static str| {
        let store = store.clone();
        async move { store.run(move |tx| Ok(tx.query_row(pragma, [], |row| row.get::<_, i64>(0))?)).await.unwrap() }
    };
    assert_eq!(read("pragma synchronous").await, 2, "FULL");
    assert_eq!(read("pragma foreign_keys").await, 1);
    let mode =
        store.run(|tx| Ok(tx.query_row("pragma journal_mode", [], |row| row.get::<_, String>(0))?)).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn nobody_else_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let store = home.store();
    whole_turn(&store, T0).await;
    for file in std::fs::read_dir(home.folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn earlier_turns_are_those_of_the_conversation_and_words_of_strangers_stay_out() {
    let home = Home::new();
    let store = home.store();
    let begin = async |room: &str, at: i64| store.begin_turn(turn_at(room, T0 + at)).await.unwrap();
    let over = async |turn: TurnId, asked: &str| {
        store.transcript(turn, asked).await.unwrap();
        store.finish(turn, None).await.unwrap();
    };
    whole_turn(&store, T0).await;
    let clean = begin("study", 1_000).await;
    store.route(clean, "cloud_model", "asked claude").await.unwrap();
    store.untainted_reply(clean, "There are none about quorum, sir.").await.unwrap();
    over(clean, "tell me a joke").await;
    // What was said last counts: a clean answer that was replaced is none any more.
    let replaced = begin("study", 2_000).await;
    store.untainted_reply(replaced, "Well, sir.").await.unwrap();
    store.reply(replaced, "Well, evil-name runs.").await.unwrap();
    over(replaced, "is it up").await;
    let elsewhere = begin("kitchen", 2_500).await;
    store.untainted_reply(elsewhere, "In the kitchen, sir.").await.unwrap();
    over(elsewhere, "where am I").await;
    let said = NewTurn { source: Source::Said, ..turn_at("study", T0 + 2_600) };
    let said = store.begin_turn(said).await.unwrap();
    store.reply(said, "Supper is served.").await.unwrap();
    over(said, "supper").await;
    // Not over, and not answered.
    let open = begin("study", 2_700).await;
    store.transcript(open, "hm").await.unwrap();
    over(begin("study", 2_800).await, "hm").await;
    let now = begin("study", 3_000).await;

    let row = |asked: &str, reply: Option<&str>, tools: &[&str]| EarlierRow {
        transcript: asked.to_owned(),
        untainted_reply: reply.map(str::to_owned),
        tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
        by_cloud: asked == "tell me a joke",
    };
    let told = [
        row("how hot is node two", None, &["temperatures"]),
        row("tell me a joke", Some("There are none about quorum, sir."), &[]),
        row("is it up", None, &[]),
    ];
    assert_eq!(store.earlier(now, 12).await.unwrap(), told);
    assert_eq!(store.earlier(now, 2).await.unwrap(), told[1..], "the newest, oldest first");
    let other = begin("kitchen", 3_100).await;
    assert_eq!(store.earlier(other, 12).await.unwrap().len(), 1, "a room hears nothing of another");
    let later = begin("study", 3_000 + HOUR_MS).await;
    assert_eq!(store.earlier(later, 12).await.unwrap(), [], "another conversation");
    let keep = Keep { words_ms: 0, turns_ms: HOUR_MS, events_ms: HOUR_MS };
    store.retain(keep, T0 + 10_000).await.unwrap();
    assert_eq!(store.earlier(now, 12).await.unwrap(), [], "what was forgotten is not told");
}
