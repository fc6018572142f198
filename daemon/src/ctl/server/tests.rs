use std::path::PathBuf;

use serde_json::Value;
use tokio::io::BufReader;
use tokio::sync::mpsc;

use super::*;
use crate::ctl::Typed;
use crate::event::{EventKind, MarksMs, TurnRecord};
use crate::status::testing::quiet_house;
use jarvis_core::ids::TurnId;

struct Home {
    folder: tempfile::TempDir,
    house: House,
    typed: mpsc::Receiver<Typed>,
}

impl Home {
    async fn new(admission: Admission) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (house, typed) = quiet_house(folder.path()).await;
        let server = Server::bind(&house.config.daemon.socket(), admission).await.unwrap();
        tokio::spawn(server.run(house.clone()));
        Self { folder, house, typed }
    }

    async fn open() -> Self {
        Self::new(Admission::of_daemon(None)).await
    }

    fn socket(&self) -> PathBuf {
        self.house.config.daemon.socket()
    }

    async fn connect(&self) -> Client {
        Client(BufReader::new(UnixStream::connect(self.socket()).await.unwrap()))
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    async fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
    }

    async fn ask(&mut self, line: &str) -> Value {
        self.send(line).await;
        self.line().await
    }
}

fn record(text: &str) -> TurnRecord {
    TurnRecord {
        turn_id: TurnId(1),
        satellite: None,
        wake: None,
        transcript: Some(text.to_owned()),
        route: None,
        tools: Vec::new(),
        reply: Some("Quite, sir.".into()),
        page: None,
        marks_ms: MarksMs::default(),
        error: None,
    }
}

#[tokio::test]
async fn the_status_is_told_over_the_socket() {
    let home = Home::open().await;
    let told = home.connect().await.ask(r#"{"do":"status"}"#).await;
    assert_eq!(told["ok"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["ok"]["satellites"], serde_json::json!([]));
    assert_eq!(told["ok"]["ear"]["state"], "broken", "the model is missing: {told}");
}

#[tokio::test]
async fn a_peer_that_is_not_admitted_is_told_so_and_gets_nothing() {
    let home = Home::new(Admission::new(vec![u32::MAX - 1], Some(u32::MAX - 2))).await;
    let mut client = home.connect().await;
    let told = client.line().await;
    assert!(told["error"]["what"].as_str().unwrap().contains("may not control"), "{told}");
    assert!(told["error"]["remedy"].as_str().unwrap().contains("control_group"), "{told}");
    let mut rest = String::new();
    assert_eq!(client.0.read_line(&mut rest).await.unwrap(), 0, "{rest}");
}

#[tokio::test]
async fn the_sockets_file_is_for_owner_and_group_only() {
    let home = Home::open().await;
    let mode = std::fs::metadata(home.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[tokio::test]
async fn a_typed_turn_goes_to_the_driver_and_its_record_comes_back() {
    let mut home = Home::open().await;
    let mut client = home.connect().await;
    client.send(r#"{"do":"ask","text":" how hot is node two ","room":"study"}"#).await;
    let Some(Typed::Ask { text, room, done }) = home.typed.recv().await else { panic!("a turn was due") };
    assert_eq!((text.as_str(), room.as_deref()), ("how hot is node two", Some("study")));
    done.send(Ok(record(&text))).unwrap();
    assert_eq!(client.line().await["ok"]["reply"], "Quite, sir.");

    client.send(r#"{"do":"say","text":"dinner","room":null}"#).await;
    let Some(Typed::Say { done, .. }) = home.typed.recv().await else { panic!("words were due") };
    drop(done);
    let told = client.line().await;
    assert_eq!(told["error"]["what"], "the turn was lost");
}

#[tokio::test]
async fn bad_requests_are_answered_and_the_next_one_works() {
    let home = Home::open().await;
    let mut client = home.connect().await;
    let long = format!(r#"{{"do":"ask","text":"{}","room":null}}"#, "a".repeat(3000));
    for bad in [
        "garbage",
        "",
        "{}",
        r#"{"do":"reboot"}"#,
        r#"{"do":"ask","text":"","room":null}"#,
        r#"{"do":"ask","text":"a\u0007b","room":null}"#,
        &long,
    ] {
        let told = client.ask(bad).await;
        assert!(told["error"]["remedy"].as_str().is_some_and(|r| !r.is_empty()), "{bad}: {told}");
    }
    let told = client.ask(r#"{"do":"revoke","room":" Attic"}"#).await;
    assert_eq!(told["error"]["what"], "no satellite \"attic\" is enrolled", "it is looked for by its own name");
    assert!(client.ask(r#"{"do":"rooms"}"#).await["ok"].is_array());
}

#[tokio::test]
async fn memories_are_taken_in_listed_found_carried_away_and_forgotten() {
    let home = Home::open().await;
    let mut client = home.connect().await;
    let line = json!({
        "v": 1, "id": 5, "lifetime": "lasting", "subject": {"topic": "router"}, "label": "router", "attribute": "address",
        "text": "the router is at 192.168.1.1", "value": "192.168.1.1", "single": true, "source": "said", "tainted": false,
        "importance": 3, "room": "", "told_ms": 1000, "from_ms": 1000, "uses": 0
    });
    let import = json!({"do": "memory", "what": {"ask": "import", "lines": [line.to_string(), "garbage"]}});
    let told = client.ask(&import.to_string()).await;
    assert_eq!((&told["ok"]["added"], told["ok"]["refused"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{told}");
    let about = json!({"do": "memory", "what": {"ask": "about", "text": "what ip has the router"}});
    let told = client.ask(&about.to_string()).await;
    assert_eq!(told["ok"][0]["value"], "192.168.1.1", "{told}");
    assert_eq!(told["ok"][0]["source"], "imported");
    let told = client.ask(r#"{"do":"memory","what":{"ask":"export","after":0}}"#).await;
    assert_eq!((told["ok"]["lines"].as_array().map(Vec::len), &told["ok"]["next"]), (Some(1), &Value::Null), "{told}");
    let told = client.ask(r#"{"do":"memory","what":{"ask":"forget","id":1}}"#).await;
    assert_eq!(told["ok"]["forgotten"], 1, "{told}");
    let told = client.ask(r#"{"do":"memory","what":{"ask":"forget","id":1}}"#).await;
    assert!(told["error"]["remedy"].as_str().is_some_and(|r| r.contains("memory list")), "{told}");
    let told = client.ask(r#"{"do":"memory","what":{"ask":"list","limit":9,"all":true}}"#).await;
    assert_eq!(told["ok"], json!([]));
}

#[tokio::test]
async fn an_endless_line_ends_the_connection() {
    let home = Home::open().await;
    let (reader, mut writer) = UnixStream::connect(home.socket()).await.unwrap().into_split();
    let flood = tokio::spawn(async move { while writer.write_all(&[b'a'; 65_536]).await.is_ok() {} });
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).await.unwrap();
    assert!(line.contains("too long"), "{line}");
    flood.await.unwrap();
}

#[tokio::test]
async fn following_gives_the_past_and_then_what_happens() {
    let home = Home::open().await;
    let turn = crate::store::NewTurn {
        room: "study".into(),
        satellite: None,
        source: crate::store::Source::Typed,
        started_ms: 5,
        wake: None,
    };
    let id = home.house.store.begin_turn(turn).await.unwrap();
    home.house.store.transcript(id, "is all well").await.unwrap();
    let mut client = home.connect().await;
    let past = client.ask(r#"{"do":"turns","limit":5,"follow":true}"#).await;
    assert_eq!(past["ok"][0]["transcript"], "is all well");
    home.house.bus.tell(EventKind::Restored { part: "ear".into() });
    // The part whose model is missing may be told of first.
    loop {
        let told = client.line().await;
        if told["event"]["kind"] == "restored" {
            break;
        }
    }
}

#[tokio::test]
async fn one_client_too_many_is_told_to_wait() {
    let home = Home::open().await;
    let mut clients = Vec::new();
    for _ in 0..MAX_CLIENTS {
        let mut client = home.connect().await;
        client.ask(r#"{"do":"rooms"}"#).await;
        clients.push(client);
    }
    let full = |told: &Value| told["error"]["what"].as_str().is_some_and(|what| what.contains("clients are connected"));
    let told = home.connect().await.ask(r#"{"do":"rooms"}"#).await;
    assert!(full(&told), "{told}");
    // Whoever holds the places keeps nobody from resuming and from saying no; those that are kept for that are nobody's for long.
    let told = home.connect().await.ask(r#"{"do":"resume"}"#).await;
    assert_eq!(told["ok"]["power"], "on", "{told}");
    let told = home.connect().await.ask(r#"{"do":"deny","id":7}"#).await;
    assert!(told.is_object() && !full(&told), "{told}");
    let mut silent = Vec::new();
    for _ in 0..MAX_URGENT {
        silent.push(home.connect().await);
    }
    let told = home.connect().await.line().await;
    assert!(full(&told), "{told}");
    for client in &mut silent {
        let told = client.line().await;
        assert!(full(&told), "it is hung up on after a moment: {told}");
    }
}

#[tokio::test]
async fn a_dead_daemons_socket_is_replaced_a_living_ones_is_not() {
    let home = Home::open().await;
    let taken = Server::bind(&home.socket(), Admission::of_daemon(None)).await.unwrap_err();
    assert!(matches!(taken, CtlError::Taken(_)), "{taken}");
    let stale = home.folder.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    Server::bind(&stale, Admission::of_daemon(None)).await.unwrap();
    // Alive, and no daemon's.
    let journal = home.folder.path().join("journal");
    let _others = std::os::unix::net::UnixDatagram::bind(&journal).unwrap();
    let kept = Server::bind(&journal, Admission::of_daemon(None)).await.unwrap_err();
    assert!(matches!(kept, CtlError::File { .. }), "{kept}");
    assert!(journal.exists());
    let letter = home.folder.path().join("letter");
    std::fs::write(&letter, "dear aunt").unwrap();
    let kept = Server::bind(&letter, Admission::of_daemon(None)).await.unwrap_err();
    assert!(matches!(kept, CtlError::InTheWay(_)), "{kept}");
    assert!(letter.exists());
}

#[tokio::test]
async fn the_doctor_of_a_running_daemon_has_findings_with_remedies() {
    let home = Home::open().await;
    let told = home.connect().await.ask(r#"{"do":"doctor"}"#).await;
    let findings: Vec<crate::doctor::Finding> = serde_json::from_value(told["ok"].clone()).unwrap();
    let bad = |f: &&crate::doctor::Finding| f.level != crate::doctor::Level::Good;
    assert!(findings.iter().filter(bad).all(|f| !f.remedy.is_empty()), "{findings:?}");
    assert!(findings.iter().any(|f| f.part == "store" && f.what.contains("sound")), "{findings:?}");
}
