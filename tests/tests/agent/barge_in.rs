//! What takes a question back from a model in the middle of its answer: the provider is hung up on, and the books are closed.

use std::time::Duration;

use jarvis_tests::desk::{Desk, Kind};
use jarvis_tests::model_server::{ModelServer, Script, Step};
use jarvis_tests::process::wait_for;
use jarvis_tests::seat::Seat;
use jarvisd::event::TurnRecord;
use serde_json::json;

use super::served;

const ROOM: &str = "study";
const WORDS: &str = "tell me a very long story about the house";
/// For what must come: so long that the machine's other work decides nothing.
const PATIENT: Duration = Duration::from_secs(60);

/// An answer of Claude's that goes on for longer than anybody waits: a sentence, and another every three seconds.
fn slowly() -> Script {
    let mut steps = vec![
        Step::event(
            &json!({"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": {"input_tokens": 9}}}),
        ),
        Step::event(&json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
    ];
    for n in 0..100 {
        let text = format!("This is sentence {n} of it, sir. ");
        let delta = json!({"type": "text_delta", "text": text});
        steps.push(Step::event(&json!({"type": "content_block_delta", "index": 0, "delta": delta})));
        steps.push(Step::Wait(Duration::from_secs(3)));
    }
    Script::stream(steps)
}

/// A desk with a seat in the study, before a cloud that answers slowly.
async fn house(seed: u64) -> (ModelServer, Desk, Seat) {
    let server = ModelServer::start([slowly()]).await.unwrap();
    let desk = served(seed, Kind::Cloud, &server).await;
    let seat = Seat::take(&desk, ROOM).await.unwrap();
    (server, desk, seat)
}

/// Asks, and once the answer is on its way does `this`. Gives the turn; the server must have seen the client go, the run must be
/// cancelled, and its money be settled.
async fn taken_back(server: &ModelServer, desk: &Desk, this: impl FnOnce()) -> TurnRecord {
    let before = desk.books().unwrap().len();
    let turn = std::thread::scope(|scope| {
        let asking = scope.spawn(|| desk.ask_in(ROOM, WORDS));
        wait_for("the answer to be on its way", PATIENT, || {
            let open = desk.books()?.get(before).is_some_and(|(state, at_most, _)| state == "open" && *at_most > 0);
            let asked = server.asked().len() > before && desk.runs()?.first().is_some_and(|run| run.state == "running");
            Ok((open && asked).then_some(()))
        })
        .unwrap();
        this();
        asking.join().unwrap().unwrap()
    });
    server.hung_up(before + 1).await.unwrap();
    let run = desk.runs().unwrap().remove(0);
    assert_eq!(run.state, "cancelled", "{run:?}");
    wait_for("the books to be closed", PATIENT, || {
        Ok(desk.books()?.iter().all(|(state, ..)| state != "open").then_some(()))
    })
    .unwrap();
    let books = desk.books().unwrap();
    let (state, at_most, cost) = &books[before];
    assert_eq!((state.as_str(), *cost), ("unknown", Some(*at_most)), "nobody can say what it cost: it counts in full");
    turn
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_a_button_a_wake_and_a_newer_request_take_the_question_back() {
    let (server, desk, seat) = house(91).await;
    let turn = taken_back(&server, &desk, || {
        desk.ask_in(ROOM, "stop").unwrap();
    })
    .await;
    assert_eq!(turn.error.as_deref(), Some("a newer turn began in the room"), "{turn:?}");
    let turn = taken_back(&server, &desk, || seat.press_stop().unwrap()).await;
    assert_eq!(turn.error, None, "whoever is stopped ends in order: {turn:?}");
    let turn = taken_back(&server, &desk, || {
        let newer = desk.ask_in(ROOM, "how many nodes are up").unwrap();
        assert!(newer.reply.is_some_and(|reply| !reply.is_empty()));
    })
    .await;
    assert_eq!(turn.error.as_deref(), Some("a newer turn began in the room"), "{turn:?}");
    let turn = taken_back(&server, &desk, || seat.wake().unwrap()).await;
    assert_eq!(turn.error.as_deref(), Some("a newer turn began in the room"), "{turn:?}");
    assert_eq!(server.asked().len(), 4, "nothing was asked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_takes_the_question_back_and_the_turn_says_so() {
    let (server, desk, _seat) = house(92).await;
    let turn = taken_back(&server, &desk, || {
        let told = desk.ctl(&["stop"]).unwrap();
        assert_eq!(told["stopped"], true, "{told}");
    })
    .await;
    let reply = turn.reply.unwrap_or_default();
    assert!(reply.ends_with("told to stand down, sir, and asked no further."), "{reply}");
}
