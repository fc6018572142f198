//! An answer that a satellite cannot play.

use jarvis_tests::desk::Kind;
use jarvis_tests::seat::Seat;
use serde_json::json;

use super::{desk, says, to};

const ROOM: &str = "study";

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_not_played_to_its_end_is_told_and_no_yes_starts_anything() {
    let desk = desk(98, Kind::Local, json!([says(to("never"), "never")])).await;
    desk.cluster.change(|state| state.guest_mut(112).unwrap().running = false);
    let seat = Seat::take(&desk, ROOM).await.unwrap();
    seat.loses_its_loudspeaker();
    let turn = desk.ask_in(ROOM, "start the test machine").unwrap();
    assert_eq!(turn.error.as_deref(), Some("the satellite did not play the answer to its end"), "{turn:?}");
    assert!(turn.reply.is_some_and(|reply| reply.contains("test-machine")), "the page has the question");
    assert_eq!(desk.stage().unwrap(), "cancelled");
    desk.ask_in(ROOM, "yes").unwrap();
    assert_eq!(desk.guest(), (false, 0), "nobody had heard what it was for");
}
