//! A disk that really is full: a memory file system of a few megabytes.
//!
//! What is shown or spoken was committed first, so a daemon that can't commit has nothing to say but that. While it runs, each turn ends
//! in a word of regret and no change is begun; at its start it is refused, with what to do, and the room's satellite says by itself that
//! nobody is there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::time::Duration;

use jarvis_core::approval::Approver;
use jarvis_core::ids::{ApprovalId, TurnId};
use jarvis_tests::crash::{Bed, GUEST, ROOM};
use jarvis_tests::small_disk::SmallDisk;
use jarvisd::app::serve;
use jarvisd::config::Config;
use jarvisd::doctor::{self, Finding, Level};
use jarvisd::environment::Environment;
use jarvisd::store::{NewTurn, Source, Store, StoreError};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

/// However slow the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// One that is mounted at `folder`; `None` where that can't be.
fn small_disk(folder: &Path, size: &str) -> Option<SmallDisk> {
    SmallDisk::mount(folder, size, "0700", "disk-full", "what a full disk does to the daemon's records").unwrap()
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(small) = small_disk(folder.path(), "1m") else { return };
    let path = folder.path().join("jarvis.db");
    let (store, _) = Store::open(&path).unwrap();
    let turn = NewTurn { room: "study".into(), satellite: None, source: Source::Typed, started_ms: 1, wake: None };
    let id = store.begin_turn(turn).await.unwrap();
    let mut acknowledged = Vec::new();
    let error = loop {
        let sentence = format!("{} {}", acknowledged.len(), "and so on ".repeat(800));
        match store.sentence(id, 0, &sentence).await {
            Ok(()) => acknowledged.push(sentence),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 1000, "the disk is never full");
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(error.to_string().contains("free space"), "{error}");
    let spoken = |store: Store| async move {
        let row = store.turn(id).await.unwrap().unwrap();
        row.sentences.into_iter().map(|s| s.text).collect::<Vec<_>>()
    };
    assert_eq!(spoken(store.clone()).await, acknowledged);
    if let Err(error) = store.close().await {
        println!("closing on the full disk: {error}");
    }
    // Opened again as it is, it either holds all of it or says what is wrong; it is never taken for damaged.
    match Store::open(&path) {
        Ok((store, opened)) => {
            assert!(opened.kept_aside.is_none());
            assert_eq!(spoken(store.clone()).await, acknowledged);
            if let Err(error) = store.close().await {
                println!("closing on the full disk again: {error}");
            }
        }
        Err(error) => assert!(matches!(error, StoreError::Full), "{error:?}"),
    }
    small.grow("4m").unwrap();
    let (store, opened) = Store::open(&path).unwrap();
    assert!(opened.kept_aside.is_none());
    assert_eq!(spoken(store).await, acknowledged);
    drop(small);
}

fn config(state: &Path, elsewhere: &Path) -> Config {
    let mut config = Config::default();
    config.daemon.state_dir = state.to_owned();
    config.link.state_dir = state.to_owned();
    config.link.listen = ([127, 0, 0, 1], 0).into();
    config.page.listen = ([127, 0, 0, 1], 0).into();
    config.ear.worker = Some(elsewhere.join("no-ear"));
    config.speech.worker = Some(elsewhere.join("no-voice"));
    config
}

async fn ask(socket: &Path, text: &str) -> Value {
    let stream = loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let mut stream = BufReader::new(stream);
    let request = json!({"do": "ask", "text": text, "room": null});
    stream.write_all(format!("{request}\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    serde_json::from_str::<Value>(&line).unwrap()["ok"].clone()
}

/// Runs the daemon while `client` talks to its socket, then stops it.
async fn with_daemon<T>(config: &Config, client: impl AsyncFnOnce(&Path) -> T) -> T {
    let socket = config.daemon.socket();
    let (stop, stopped) = oneshot::channel::<()>();
    let daemon = serve(config.clone(), Environment::default(), async {
        assert!(stopped.await.is_ok());
    });
    let talk = async {
        let told = client(&socket).await;
        stop.send(()).unwrap();
        told
    };
    let (ended, told) = tokio::time::timeout(PATIENCE, async { tokio::join!(daemon, talk) }).await.unwrap();
    ended.unwrap();
    told
}

fn problems(found: &[Finding], part: &str) -> Vec<String> {
    let of_part = found.iter().filter(|finding| finding.part == part && finding.level == Level::Problem);
    of_part.map(|finding| format!("{} -> {}", finding.what, finding.remedy)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_whose_disk_fills_up_shows_nothing_that_it_can_not_keep_and_goes_on_when_there_is_room() {
    let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(small) = small_disk(state.path(), "8m") else { return };
    let config = config(state.path(), elsewhere.path());
    let (before, shown) = with_daemon(&config, async |socket| {
        let before = ask(socket, "what time is it").await;
        assert_eq!(before["error"], Value::Null, "{before}");
        let filler = small.fill().unwrap();
        // The log's file has room of its own for a while: what still fits is kept, and may be shown.
        let mut shown = Vec::new();
        let error = loop {
            let turn = ask(socket, "what time is it").await;
            let reply = turn["reply"].as_str().unwrap_or_default().to_owned();
            assert!(!reply.is_empty(), "every turn ends in a word: {turn}");
            if reply.contains("records") {
                break turn["error"].as_str().unwrap_or_default().to_owned();
            }
            shown.push((turn["turn_id"].as_u64().unwrap(), reply));
            assert!(shown.len() < 10_000, "the disk is never full");
        };
        assert!(error.contains("free space"), "the owner is told what to do: {error}");
        let found = doctor::files(&config, &Environment::default());
        let disk = problems(&found, "disk");
        assert!(disk.len() == 1 && disk[0].contains("free space"), "{disk:?}");
        std::fs::remove_file(filler).unwrap();
        let after = ask(socket, "what time is it").await;
        assert_eq!(after["error"], Value::Null, "{after}");
        (before, shown)
    })
    .await;
    let (store, _) = Store::open(&config.daemon.database()).unwrap();
    for (id, reply) in shown {
        let kept = store.turn(TurnId(id)).await.unwrap().and_then(|turn| turn.reply);
        assert_eq!(kept.as_deref(), Some(reply.as_str()), "turn {id} was shown, so it was committed first");
    }
    assert!(before["reply"].is_string());
    drop((store, small));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_that_can_not_be_written_down() {
    let bed = Bed::new(11).await.unwrap();
    let Some(small) = small_disk(bed.dir.path(), "8m") else { return };
    let daemon = bed.start().await.unwrap();
    bed.simulator.change(|state| state.guest_mut(GUEST).unwrap().running = false);
    let args = format!(r#"{{"vmid":{GUEST}}}"#);
    let first = ApprovalId(daemon.ask("guest_start", &args).await.unwrap().id);
    let filler = small.fill().unwrap();
    let mut asked = 0;
    let error = loop {
        match daemon.ask("guest_start", &args).await {
            Ok(_) => asked += 1,
            Err(error) => break format!("{error:#}"),
        }
        assert!(asked < 10_000, "the disk is never full");
    };
    assert!(error.contains("free space"), "{error}");
    let said_yes = daemon.safety.approve(first, Approver::Voice { room: ROOM.to_owned() }).await;
    if said_yes.is_ok() {
        // The yes still fitted: what it began is written down, or was not begun.
        daemon.safety.wait(first, Duration::from_secs(5)).await.ok();
    }
    std::fs::remove_file(filler).unwrap();
    drop(daemon);
    let daemon = bed.start().await.unwrap();
    let row = daemon.safety.row(first).await.unwrap().unwrap();
    assert!(bed.deeds() == 0 || row.started.is_some(), "begun, and not written down: {:?}", row.row.stage);
    assert!(said_yes.is_ok() || bed.deeds() == 0, "nobody's yes was kept");
    drop((daemon, small));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_does_not_start_on_a_full_disk_and_says_what_to_do() {
    let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(small) = small_disk(state.path(), "8m") else { return };
    let config = config(state.path(), elsewhere.path());
    with_daemon(&config, async |socket| {
        assert_eq!(ask(socket, "what time is it").await["error"], Value::Null);
    })
    .await;
    let filler = small.fill().unwrap();
    let refused = serve(config.clone(), Environment::default(), std::future::pending()).await.unwrap_err();
    let told = format!("{refused:#}");
    assert!(told.contains("is full") && told.contains("free space"), "{told}");
    let found = doctor::alone(&config, &Environment::default()).await;
    let disk = problems(&found, "disk");
    assert!(disk.len() == 1 && disk[0].contains("does not start") && disk[0].contains("free space"), "{disk:?}");
    for told in problems(&found, "store") {
        assert!(told.contains("free space"), "no other remedy than that: {told}");
    }
    std::fs::remove_file(filler).unwrap();
    with_daemon(&config, async |socket| {
        assert_eq!(ask(socket, "what time is it").await["error"], Value::Null);
    })
    .await;
    let (store, opened) = Store::open(&config.daemon.database()).unwrap();
    assert!(opened.kept_aside.is_none());
    assert_eq!(store.turns(10).await.unwrap().len(), 2, "nothing of before was lost");
    drop((store, small));
}
