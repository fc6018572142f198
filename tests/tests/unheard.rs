//! A house that cannot hear to the end: its ear is struck, or somebody does not stop speaking.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::time::{Duration, Instant};

use jarvis_tests::house::House;
use jarvis_tests::process::{Running, wait_for};
use jarvis_tests::sound;
use jarvis_tests::trial::{assert_heard, assert_regret, config, holds, spoken};
use jarvisd::event::EventKind;
use rustix::process::Signal;

/// One house at a time: two would take the processor from each other and sound would break up.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Processes of the ear, the spare ones too.
fn ears(house: &House) -> Vec<Running> {
    let all = Running::beneath(house.daemon.pid()).into_iter().filter(|process| process.name == "jarvis-ear");
    let ears: Vec<Running> = all.collect();
    assert!(!ears.is_empty(), "jarvisd has an ear");
    ears
}

/// Those of the ear that work: a spare one runs nothing that could hang.
fn at_work(before: &[(Running, u64)]) -> Vec<Running> {
    let used = |(ear, ticks): &(Running, u64)| ear.processor_ticks().unwrap_or_default().saturating_sub(*ticks);
    let busiest = before.iter().max_by_key(|ear| used(ear)).filter(|ear| used(ear) > 0);
    vec![busiest.expect("the ear hears").0.clone()]
}

/// The ear is struck while somebody speaks: that turn says sorry, the next one works.
async fn an_ear_is_struck(signal: Signal, seed: u64) {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), seed)).await.unwrap();
    let request = spoken("en-gb", "hey jarvis, how much memory is the database using");
    // Whoever still loads its model would be taken for the one that hears.
    house.wait_hearing().unwrap();
    let before: Vec<_> =
        ears(&house).into_iter().filter_map(|ear| Some((ear.clone(), ear.processor_ticks()?))).collect();
    let mut struck = false;
    let from = house.room.now().unwrap();
    house.room.say(&request).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let record = loop {
        assert!(
            Instant::now() < deadline,
            "the turn ends; struck: {struck}; the satellite: {}",
            house.satellite.tail()
        );
        let Some(event) = house.event(Duration::from_secs(1)).unwrap() else { continue };
        match event.kind {
            EventKind::Partial { .. } if !struck => {
                let whom = if signal == Signal::KILL { ears(&house) } else { at_work(&before) };
                whom.iter().for_each(|ear| ear.signal(signal).unwrap());
                struck = true;
            }
            EventKind::TurnDone(record) => break record,
            _ => {}
        }
    };
    assert!(struck, "it was heard before: {record:?}");
    assert!(record.error.is_some(), "the owner is told: {record:?}");
    house.wait_quiet().unwrap();
    let recording = house.room.recording(from).unwrap();
    let end = sound::last_audible(&recording.said).unwrap();
    let sorry = record.reply.expect("it says sorry");
    assert_regret(&sorry);
    assert_heard(&sorry, &recording.heard[end..]);
    let next = house.ask(&request, |_| ()).unwrap().turn.expect("the next turn wakes");
    assert_eq!(next.error, None);
    let wanted = house.cluster.expected("guest.memory", &[("guest", "103")]);
    let reply = next.reply.unwrap_or_default();
    assert!(!wanted.is_empty() && wanted.iter().all(|figure| holds(&reply, figure)), "{reply:?} holds {wanted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ear_killed_in_mid_utterance_costs_one_turn() {
    an_ear_is_struck(Signal::KILL, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ear_hung_in_mid_utterance_costs_one_turn() {
    an_ear_is_struck(Signal::STOP, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_utterance_of_a_minute_ends_in_a_word_and_the_next_request_is_answered() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let mut house = House::start(config(dir.path(), 9)).await.unwrap();
    let mut minute =
        spoken("en-gb", "hey jarvis, and then the garden and the kitchen and the weather in the evening and");
    let more = spoken("en-gb", "and then the garden and the kitchen and the weather in the evening and");
    while minute.len() < 60 * 16_000 {
        minute.extend(&more);
    }
    house.wait_hearing().unwrap();
    let from = house.room.now().unwrap();
    house.room.say(&minute).unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut closed = None;
    let turn = loop {
        assert!(Instant::now() < deadline, "the turn ends by itself");
        let Some(event) = house.event(Duration::from_secs(1)).unwrap() else { continue };
        println!("{event:?}");
        match event.kind {
            // The microphone was closed before, with its sound: what is heard from here on is the voice.
            EventKind::Sentence { .. } => closed = closed.or(Some(house.room.now().unwrap())),
            EventKind::TurnDone(record) => break *record,
            _ => {}
        }
    };
    let said = turn.reply.clone().unwrap_or_default();
    assert_regret(&said);
    wait_for("the person to fall silent", Duration::from_secs(90), || {
        house.check()?;
        Ok((house.room.now()? > from + minute.len() + 16_000).then_some(()))
    })
    .unwrap();
    house.wait_quiet().unwrap();
    let heard = house.room.recording(closed.expect("something was said of it")).unwrap().heard;
    assert_heard(&said, &heard);
    let next = house.ask(&spoken("en-gb", "hey jarvis, how much memory is the database using"), |_| ()).unwrap();
    let next = next.turn.expect("the next request wakes");
    assert!(next.error.is_none() && next.reply.is_some_and(|reply| reply.contains("database")));
}
