//! The satellite's ALSA host, really opened: `libasound2-plugins` makes ALSA devices of the simulated room's microphone and loudspeaker.
//! What a sound card's own driver does is not shown by this; none is here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::process::Command;
use std::time::Duration;

use jarvis_tests::demo::referee::Referee;
use jarvis_tests::demo::request::Request;
use jarvis_tests::house::House;
use jarvis_tests::place::Place;
use jarvis_tests::process::programs;
use jarvis_tests::room::{Room, RoomConfig};
use jarvis_tests::trial::config;

/// A room whose devices are ALSA's.
fn room(dir: &std::path::Path) -> Room {
    let mut room =
        Room::open(&dir.join("room"), &RoomConfig { echo_db: Some(-10.0), seed: 8, late: Duration::ZERO }).unwrap();
    room.through_alsa().unwrap();
    room
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_through_alsa_is_heard_and_its_answer_is_right_in_the_room() {
    let dir = tempfile::tempdir().unwrap();
    let room = room(dir.path());
    let config = config(dir.path(), 8);
    let mut referee = Referee::new(&config.root, &config.programs).unwrap();
    let mut house = House::around(room, config).await.unwrap();
    house.wait_quiet().unwrap();
    for (voice, text) in
        [("en-gb-x-rp", "hey jarvis, how hot is node two"), ("en-us", "hey jarvis, is the mail server up")]
    {
        let request = Request::Spoken { voice: voice.into(), text: text.into() };
        let judged = referee.ask(&mut house, &request, |_| ()).unwrap();
        assert_eq!(judged.miss, None, "{request}: {:?}; the satellite: {}", judged.asked.turn, house.satellite.tail());
        assert!(judged.asked.turn.unwrap().wake.is_some(), "the wake word came through the microphone");
    }
}

#[test]
fn the_devices_of_alsa_are_listed_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let room = room(dir.path());
    let mut command = Command::new(programs().unwrap().join("jarvis-satellite"));
    let output = command.arg("--list-devices").envs(room.environment()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = told.lines().skip_while(|line| *line != "alsa").skip(1).take(2).collect();
    for (line, device) in lines.iter().zip(["mic", "speaker"]) {
        let (_, names) = line.split_once(':').unwrap();
        assert!(names.split(',').any(|name| name.trim() == device), "{device}: {told}");
    }
    assert_eq!(lines.len(), 2, "{told}");
}
