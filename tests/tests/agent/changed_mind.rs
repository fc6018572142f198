//! A mind that is changed right after "yes", in words that are really spoken.

use std::time::Duration;

use jarvis_link::message::Opened;
use jarvis_tests::desk::Kind;
use jarvis_tests::process::wait_for;
use jarvis_tests::seat::Seat;
use jarvis_tests::trial::spoken;
use serde_json::json;

use super::{desk, says, to};

/// For what must come: so long that the machine's other work decides nothing.
const PATIENT: Duration = Duration::from_secs(60);

fn said(text: &str) -> Vec<i16> {
    spoken("en-gb-x-rp", text)
}

#[tokio::test(flavor = "multi_thread")]
async fn hey_jarvis_cancel_that_comes_in_time() {
    let desk = desk(97, Kind::Local, json!([says(to("never"), "never")])).await;
    desk.cluster.change(|state| state.guest_mut(112).unwrap().running = false);
    let seat = Seat::take(&desk, "study").await.unwrap();
    let stage = || desk.stage().unwrap_or_default();
    let heard = seat.heard();
    let asks = said("hey jarvis, start the test machine");
    // Made before they are wanted: there is a second for them.
    let (yes, second_thought) = (said("yes"), said("hey jarvis, cancel that"));
    seat.say(seat.woken(), &asks, || stage() == "pending").await.unwrap();
    wait_for("the question to be heard", PATIENT, || Ok((seat.heard() > heard).then_some(()))).unwrap();
    seat.say(Opened::FollowUp, &yes, || stage() == "approved").await.unwrap();
    let heard = seat.heard();
    seat.say(seat.woken(), &second_thought, || stage() != "approved").await.unwrap();
    assert_eq!(stage(), "cancelled");
    wait_for("the room to be told", PATIENT, || Ok((seat.heard() > heard).then_some(()))).unwrap();
    assert_eq!((desk.guest(), stage().as_str()), ((false, 0), "cancelled"), "nothing was started");
}
