//! What a model takes down after a turn, and what it does not.

use std::time::Duration;

use jarvis_tests::desk::{Desk, Kind};
use jarvis_tests::model_server::ModelServer;
use jarvis_tests::process::wait_for;
use serde_json::{Value, json};

use super::{among, conversations, local, local_calls, minded, tools};

/// For what a loaded machine does in the end.
const PATIENT: Duration = Duration::from_secs(60);
/// Words that state something, in no form that a rule takes up.
const STATED: &str = "imagine my relief, old chap: the printer went down to the cellar";

fn taken_down() -> String {
    let memory = json!({"text": "the printer stands in the cellar", "subject": "printer", "attribute": "place", "value": "cellar", "lifetime": "lasting"});
    json!({"memories": [memory]}).to_string()
}

fn memories(desk: &Desk) -> Vec<Value> {
    desk.ctl(&["memory", "list"]).unwrap().as_array().unwrap().clone()
}

fn until_remembered(desk: &Desk) -> Value {
    wait_for("the memory", PATIENT, || Ok(memories(desk).pop())).unwrap()
}

/// Requests that were asked after a turn.
fn gleanings(server: &ModelServer) -> Vec<String> {
    conversations(server).into_iter().filter(|told| told.contains("<data source=\\\"steward\\\">")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_said_is_taken_down_with_its_source_and_its_cost() {
    let qwen = ModelServer::start([local("A relief indeed, sir."), local(&taken_down())]).await.unwrap();
    let desk = among(97, &[(Kind::Local, &qwen)], "").await;
    let turn = desk.ask(STATED).unwrap();
    assert_eq!(minded(&turn), "A relief indeed, sir.");
    let memory = until_remembered(&desk);
    assert_eq!((&memory["text"], &memory["source"]), (&json!("the printer stands in the cellar"), &json!("by_model")));
    assert_eq!((&memory["tainted"], memory["told_ms"].is_i64()), (&json!(false), true), "{memory}");
    let db = rusqlite::Connection::open(desk.dir().join("state/jarvis.db")).unwrap();
    let id = i64::try_from(turn.turn_id.0).unwrap();
    let count = |sql: &str| db.query_row(sql, [id], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(
        count("select count(*) from costs where turn_id = ?1"),
        2,
        "the answer, and what was taken down after it"
    );
    assert_eq!(count("select count(*) from memories where turn_id = ?1"), 1);
    assert!(qwen.asked()[1].body.get("tools").is_none(), "nothing can be called there");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_down_of_what_strangers_may_have_written_or_while_the_house_stands_down() {
    let qwen = ModelServer::start([
        local_calls("", &[("read_version", json!({}))]),
        local("We are on some release, sir."),
        local("Standing down, sir."),
        local("Still standing down, sir."),
        // To everything that comes after.
        local(&taken_down()),
    ]);
    let qwen = qwen.await.unwrap();
    let desk = among(98, &[(Kind::Local, &qwen)], "").await;
    let read = desk.ask("enlighten me about the release we are on, and the cellar").unwrap();
    assert_eq!(tools(&read), [("read_version", "ok")]);
    desk.ctl(&["stop"]).unwrap();
    desk.ask("imagine my relief in the meantime, old chap").unwrap();
    desk.ask("and once more with feeling, old chap").unwrap();
    assert!(gleanings(&qwen).is_empty(), "{:?}", gleanings(&qwen));
    desk.ctl(&["resume"]).unwrap();
    let turn = desk.ask(STATED).unwrap();
    until_remembered(&desk);
    let db = rusqlite::Connection::open(desk.dir().join("state/jarvis.db")).unwrap();
    let of: i64 = db.query_row("select turn_id from memories", [], |row| row.get(0)).unwrap();
    assert_eq!(u64::try_from(of).unwrap(), turn.turn_id.0, "only what the owner said there holds it");
    assert!(gleanings(&qwen).iter().all(|told| !told.contains("release")), "{:?}", gleanings(&qwen));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_costs_the_turn_nothing_and_is_seen_until_it_is_well_again() {
    let qwen = ModelServer::start([
        local("A relief indeed, sir."),
        local("Certainly! Here is a poem instead."),
        local("And again, sir."),
        local(r#"{"memories": []}"#),
    ]);
    let qwen = qwen.await.unwrap();
    let desk = among(99, &[(Kind::Local, &qwen)], "").await;
    let degraded = || desk.ctl(&["status"]).unwrap()["degraded"].to_string();
    let turn = desk.ask(STATED).unwrap();
    assert_eq!((minded(&turn), &turn.error), ("A relief indeed, sir.", &None), "the turn is as well as any");
    wait_for("the failure to be seen", PATIENT, || Ok(degraded().contains("memory by model").then_some(()))).unwrap();
    assert!(memories(&desk).is_empty());
    desk.ask("and once more with feeling, old chap").unwrap();
    wait_for("it to be well again", PATIENT, || Ok((!degraded().contains("memory by model")).then_some(()))).unwrap();
    assert_eq!(gleanings(&qwen).len(), 2);
}
