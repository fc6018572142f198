use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::*;

/// However slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(dir: &Path) -> Config {
    let mut config = Config::default();
    config.daemon.state_dir = dir.join("state");
    config.link.state_dir = config.daemon.state_dir.clone();
    config.link.listen = ([127, 0, 0, 1], 0).into();
    config.page.listen = ([127, 0, 0, 1], 0).into();
    config.ear.worker = Some(dir.join("no-ear"));
    config.speech.worker = Some(dir.join("no-voice"));
    config
}

async fn ask(socket: &Path, request: Value) -> Value {
    let stream = loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let mut stream = BufReader::new(stream);
    stream.write_all(format!("{request}\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Runs the daemon while `client` talks to its socket, then stops it.
async fn with_daemon<T>(config: Config, client: impl AsyncFnOnce(&Path) -> T) -> T {
    let socket = config.daemon.socket();
    let (stop, stopped) = oneshot::channel::<()>();
    let daemon = serve(config, Environment::default(), async {
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

#[tokio::test]
async fn an_engine_that_can_not_be_set_up_takes_nobodys_voice_away_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    let engine = "kind = 'openai'\nname = 'kokoro'\nurl = 'http://127.0.0.1:9/v1'\nkey_file = '/nonexistent/key'";
    config.speech.engines = vec![toml::from_str(engine).unwrap()];
    let status = with_daemon(config, async |socket| ask(socket, json!({"do": "status"})).await).await;
    let engines = status["ok"]["speech"]["engines"].as_array().unwrap();
    assert!(engines.iter().any(|engine| engine["name"] == "espeak-ng"), "{status}");
    let degraded = status["ok"]["degraded"].as_array().unwrap();
    let speech = degraded.iter().find(|part| part["part"] == "speech").expect("the loss is told");
    assert!(speech["reason"].as_str().is_some_and(|reason| reason.contains("/nonexistent/key")), "{speech}");
    assert_eq!(speech["fallback"], "espeak-ng");
}

#[tokio::test]
async fn typed_turns_are_answered_while_ear_voice_and_cluster_are_missing_and_their_loss_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let (time, hot, nonsense, status) = with_daemon(config.clone(), async |socket| {
        (
            ask(socket, json!({"do": "ask", "text": "what time is it", "room": null})).await,
            ask(socket, json!({"do": "ask", "text": "how hot is node two", "room": null})).await,
            ask(socket, json!({"do": "ask", "text": "colourless green ideas", "room": null})).await,
            ask(socket, json!({"do": "status"})).await,
        )
    })
    .await;
    let time = &time["ok"];
    assert_eq!((&time["route"]["kind"], &time["error"]), (&json!("intent"), &Value::Null), "{time}");
    assert!(time["reply"].as_str().is_some_and(|r| !r.is_empty()), "{time}");
    assert_eq!(time["transcript"], "what time is it");
    let unknown = hot["ok"]["reply"].as_str().unwrap_or_default();
    assert!(unknown.starts_with("No node has answered me yet"), "what is unknown is said as unknown: {hot}");
    assert_eq!(nonsense["ok"]["route"]["kind"], "not_understood", "{nonsense}");
    assert!(nonsense["ok"]["reply"].is_string(), "{nonsense}");
    let parts: Vec<_> = status["ok"]["degraded"].as_array().unwrap().iter().map(|d| d["part"].clone()).collect();
    assert!(parts.contains(&json!("ear")), "{status}");

    let (store, opened) = Store::open(&config.daemon.database()).unwrap();
    assert_eq!(opened.cut_turns, 0, "every turn ended before the store closed");
    let turns = store.turns(10).await.unwrap();
    assert_eq!(turns.len(), 3);
    let first = turns.last().unwrap();
    assert_eq!(first.transcript.as_deref(), Some("what time is it"));
    assert_eq!(first.reply.as_deref(), time["reply"].as_str());
    assert!(!first.sentences.is_empty() && first.finished_ms.is_some());
}

#[tokio::test]
async fn what_is_told_in_writing_is_remembered_superseded_recalled_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let say = async |socket: &Path, text: &str| {
        let told = ask(socket, json!({"do": "ask", "text": text, "room": null})).await;
        assert_eq!(told["ok"]["error"], Value::Null, "{told}");
        told["ok"]["reply"].as_str().unwrap().to_owned()
    };
    let list = async |socket: &Path, all: bool| {
        let what = json!({"ask": "list", "limit": 10, "all": all});
        let told = ask(socket, json!({"do": "memory", "what": what})).await;
        told["ok"].as_array().unwrap_or_else(|| panic!("{told}")).clone()
    };
    with_daemon(config.clone(), async |socket| {
        let noted = say(socket, "Remember that the router is at 192.168.1.10.").await;
        assert!(noted.contains("192.168.1.10"), "{noted}");
        // A plain statement is taken up as well, and says what it changes.
        let changed = say(socket, "the router is at 192.168.1.12").await;
        assert!(changed.contains("192.168.1.12") && changed.contains("192.168.1.10 today"), "{changed}");
        assert!(say(socket, "remember please").await.contains("remember what"));
        assert_eq!((list(socket, false).await.len(), list(socket, true).await.len()), (1, 2));
    })
    .await;
    let (store, _) = Store::open(&config.daemon.database()).unwrap();
    let turns = store.turns(10).await.unwrap();
    let written: Vec<&str> = turns.iter().flat_map(|t| &t.tools).map(|t| t.name.as_str()).collect();
    assert_eq!(written, ["memory_remember", "memory_remember"]);
    store.close().await.unwrap();
    with_daemon(config.clone(), async |socket| {
        let known = say(socket, "what do you know about the router?").await;
        assert!(known.contains("192.168.1.12") && known.contains("192.168.1.10 today"), "{known}");
        let nothing = say(socket, "what do you know about the swimming pool").await;
        assert!(nothing.contains("nothing") && nothing.contains("the swimming pool"), "{nothing}");
        let question = say(socket, "forget what I told you about the router").await;
        assert!(question.contains("forget that the router is at 192.168.1.12"), "it names what goes: {question}");
        assert_eq!(list(socket, true).await.len(), 2, "nothing goes before the yes");
        say(socket, "no").await;
        assert_eq!(list(socket, true).await.len(), 2);
        say(socket, "forget what I told you about the router").await;
        let done = say(socket, "yes").await;
        assert!(done.contains("orgotten"), "{done}");
        assert_eq!(list(socket, true).await, [Value::Null; 0]);
        assert!(say(socket, "forget about the router").await.contains("nothing"));
    })
    .await;
    // Its words are in no question and no entry any more; that something was asked, approved and done stays, and the chain holds.
    let (store, _) = Store::open(&config.daemon.database()).unwrap();
    let kinds: Vec<String> = store.audit_tail(50).await.unwrap().into_iter().map(|entry| entry.kind).collect();
    for kind in ["ruled", "asked", "denied", "approved", "started", "verified"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind} is not in {kinds:?}");
    }
    let left = store
        .run(|tx| {
            let count = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, i64>(0));
            Ok((
                count("select count(*) from audit_contents where content like '%192.168.1.1%'")?,
                count("select count(*) from approvals where bound like '%192.168.1.1%'")?,
            ))
        })
        .await
        .unwrap();
    assert_eq!(left, (0, 0));
    store.close().await.unwrap();
    with_daemon(config.clone(), async |socket| {
        say(socket, "my provider is alder").await;
        say(socket, "what do you know about my provider").await;
    })
    .await;
    // What was of use was counted before the end.
    with_daemon(config, async |socket| assert_eq!(list(socket, false).await[0]["uses"], 1)).await;
}

#[tokio::test]
async fn a_yes_that_nobody_may_have_said_stands_in_the_status_as_long_as_the_daemon_runs() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    for loud in [false, true] {
        config.safety.untried_ear_approves = loud;
        let status = with_daemon(config.clone(), async |socket| ask(socket, json!({"do": "status"})).await).await;
        let degraded = status["ok"]["degraded"].as_array().unwrap_or_else(|| panic!("{status}"));
        let told = degraded.iter().find(|part| part["part"] == "untried ear");
        assert_eq!(told.is_some(), loud, "{status}");
        assert!(told.is_none_or(|part| part["reason"].as_str().unwrap().contains("untried_ear_approves")), "{status}");
    }
}

#[tokio::test]
async fn saying_something_in_a_room_that_is_not_there_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (there, all) = with_daemon(config(dir.path()), async |socket| {
        (
            ask(socket, json!({"do": "say", "text": "hello", "room": "attic"})).await,
            ask(socket, json!({"do": "say", "text": "hello", "room": null})).await,
        )
    })
    .await;
    assert!(there["error"]["what"].as_str().is_some_and(|w| w.contains("attic")), "{there}");
    assert!(all["error"].is_object(), "{all}");
}

#[tokio::test]
async fn a_taken_page_port_does_not_stop_the_daemon_but_a_taken_link_port_does() {
    let dir = tempfile::tempdir().unwrap();
    let page = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut without_page = config(dir.path());
    without_page.page.listen = page.local_addr().unwrap();
    let time = with_daemon(without_page, async |socket| {
        ask(socket, json!({"do": "ask", "text": "what time is it", "room": null})).await
    })
    .await;
    assert!(time["ok"]["reply"].is_string(), "{time}");

    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut without_link = config(dir.path());
    without_link.link.listen = taken.local_addr().unwrap();
    let ended = serve(without_link, Environment::default(), std::future::pending()).await;
    assert!(ended.is_err(), "nobody could ever be heard");
}
