//! A room that may only look: nothing is remembered for whoever speaks there, in whatever words, by rule or by a model.

use std::time::Duration;

use jarvis_tests::desk::{Desk, Kind};
use jarvis_tests::model_server::ModelServer;
use jarvis_tests::process::wait_for;
use jarvis_tests::seat::Seat;
use serde_json::json;

use super::{among, conversations, local, local_calls, minded, tools};

const ROOM: &str = "study";
const RIGHTS: &str = "[safety.rooms]\nstudy = \"reads\"";
/// Words that state something, in no form that a rule takes up.
const STATED: &str = "imagine my relief, old chap: the printer went down to the cellar";
/// What the gate says to whoever asks there for more than to look.
const REFUSED: &str = "I may not do that from the study.";
/// For what must come: so long that the machine's other work decides nothing.
const PATIENT: Duration = Duration::from_secs(60);

fn remembered(desk: &Desk) -> usize {
    desk.ctl(&["memory", "list"]).unwrap().as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_remembered_for_a_room_that_may_only_look() {
    let entry = json!({"text": "the printer stands in the cellar", "subject": "printer", "attribute": "place", "value": "cellar", "lifetime": "lasting"});
    let qwen = ModelServer::start([
        local_calls("", &[("memory_remember", json!({"text": "the printer stands in the attic"}))]),
        local("A relief indeed, sir."),
        local("A relief indeed, sir."),
        // To everything that comes after.
        local(&json!({"memories": [entry]}).to_string()),
    ]);
    let qwen = qwen.await.unwrap();
    let desk = among(101, &[(Kind::Local, &qwen)], RIGHTS).await;
    let _seat = Seat::take(&desk, ROOM).await.unwrap();
    for words in ["remember that the router is at 192.168.1.1", "the router is at 192.168.1.1"] {
        let turn = desk.ask_in(ROOM, words).unwrap();
        assert_eq!(turn.reply.as_deref(), Some(REFUSED), "{turn:?}");
    }
    let turn = desk.ask_in(ROOM, "make of the humming printer whatever you like, old chap").unwrap();
    assert_eq!(tools(&turn), [("memory_remember", format!("refused: {REFUSED}").as_str())], "{turn:?}");
    assert_eq!(minded(&desk.ask_in(ROOM, STATED).unwrap()), "A relief indeed, sir.");
    assert_eq!(remembered(&desk), 0);

    // The owner at his desk is under no such rule; what a model takes down goes one by one, so that of the room was over before.
    let turn = desk.ask(STATED).unwrap();
    wait_for("the memory", PATIENT, || Ok((remembered(&desk) > 0).then_some(()))).unwrap();
    let db = rusqlite::Connection::open(desk.dir().join("state/jarvis.db")).unwrap();
    let of: Vec<i64> = db
        .prepare("select turn_id from memories")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(of, [i64::try_from(turn.turn_id.0).unwrap()], "of what he said there, and of nothing before");
    let asked = conversations(&qwen).into_iter().filter(|told| told.contains("<data source=\\\"steward\\\">")).count();
    assert_eq!(asked, 1, "and no model was asked about what the room said");
    let told = desk.ask("remember that the router is at 192.168.1.1").unwrap();
    assert_eq!(remembered(&desk), 2, "{told:?}");
}
