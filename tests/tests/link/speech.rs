//! Utterances and answers between honest ends, and the times in them.

use jarvis_link::frame::encode;
use jarvis_link::message::{Generation, Mic, MicEnd, Opened, SatMicros, Settings, ToDaemon, ToSatellite, Utterance};
use jarvis_satellite::net::{AnswerEvent, NetEvent};
use jarvisd::hub::{EndReason, HubError, HubEvent, Opening, PlaybackNews};

use crate::hostile::{greeted, impostor};
use crate::house::{Room, house, kitchen};

const RATE_HZ: u32 = 22_050;

/// Collects an answer to its end: which, its samples, its sentences, and whether it was complete.
async fn answer(room: &mut Room) -> (Generation, Vec<i16>, Vec<u16>, bool) {
    let (mut sound, mut sentences) = (Vec::new(), Vec::new());
    loop {
        match room.event().await {
            NetEvent::Answer(AnswerEvent::Start { rate_hz, .. }) => assert_eq!(rate_hz, RATE_HZ),
            NetEvent::Answer(AnswerEvent::Sentence { index, .. }) => sentences.push(index),
            NetEvent::Answer(AnswerEvent::Pcm { samples, .. }) => sound.extend(samples),
            NetEvent::Answer(AnswerEvent::End { generation }) => return (generation, sound, sentences, true),
            NetEvent::Answer(AnswerEvent::Cut { generation }) => return (generation, sound, sentences, false),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_utterance_and_its_answer_arrive_whole() {
    let (_state, mut daemon, mut room) = house().await;
    let at = room.net.micros();
    let wake = Opened::Wake { phrase: String::from("hey jarvis"), score: 0.7, sure: true, enrolled: false, at };
    let utterance = room.net.begin(wake, 75).unwrap();
    room.say(utterance, 0..200);
    room.close(utterance);
    let opened = daemon.event_where(|event| matches!(event, HubEvent::Opened { .. })).await;
    let HubEvent::Opened { opened: Opening::Wake { phrase, .. }, preroll_frames, .. } = opened else {
        panic!("{opened:?}");
    };
    assert_eq!((phrase.as_str(), preroll_frames), ("hey jarvis", 75));
    let (ended, frames, reason) = daemon.utterance().await;
    assert_eq!((ended, reason), (utterance, EndReason::Mic(MicEnd::Closed)));
    assert_eq!(frames, (0..200).collect::<Vec<i16>>());

    let sound: Vec<i16> = (0..RATE_HZ as i16 / 4).collect();
    let mut writer = daemon.hub.answer(&kitchen(), Generation(1), RATE_HZ).await.unwrap();
    writer.sentence(0).await.unwrap();
    writer.pcm(&sound).await.unwrap();
    writer.sentence(1).await.unwrap();
    writer.pcm(&sound).await.unwrap();
    writer.finish().await.unwrap();
    let (generation, heard, sentences, complete) = answer(&mut room).await;
    assert_eq!((generation, sentences, complete), (Generation(1), vec![0, 1], true));
    assert_eq!(heard, [sound.clone(), sound].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_its_end_frame_is_cut() {
    let (_state, daemon, mut room) = house().await;
    let mut writer = daemon.hub.answer(&kitchen(), Generation(1), RATE_HZ).await.unwrap();
    writer.pcm(&[1; 441]).await.unwrap();
    room.event_where(|event| matches!(event, NetEvent::Answer(AnswerEvent::Pcm { .. }))).await;
    drop(writer);
    let (generation, _, _, complete) = answer(&mut room).await;
    assert_eq!((generation, complete), (Generation(1), false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_answer_silences_the_older_and_generations_count_up() {
    let (_state, daemon, mut room) = house().await;
    let mut older = daemon.hub.answer(&kitchen(), Generation(3), RATE_HZ).await.unwrap();
    older.pcm(&[1; 441]).await.unwrap();
    room.event_where(|event| matches!(event, NetEvent::Answer(AnswerEvent::Pcm { .. }))).await;
    let mut newer = daemon.hub.answer(&kitchen(), Generation(4), RATE_HZ).await.unwrap();
    assert!(matches!(older.pcm(&[1; 441]).await, Err(HubError::Stopped)));
    newer.pcm(&[2; 441]).await.unwrap();
    newer.finish().await.unwrap();
    let (generation, heard, _, complete) = answer(&mut room).await;
    assert_eq!((generation, complete), (Generation(4), true));
    assert_eq!(heard, vec![2; 441]);
    let stale = daemon.hub.answer(&kitchen(), Generation(4), RATE_HZ).await;
    assert!(matches!(stale, Err(HubError::StaleGeneration(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn barge_in_stops_the_writer_and_nothing_of_the_answer_comes_after() {
    let (_state, daemon, mut room) = house().await;
    let mut writer = daemon.hub.answer(&kitchen(), Generation(1), RATE_HZ).await.unwrap();
    let speaking = tokio::spawn(async move {
        loop {
            if let Err(error) = writer.pcm(&[1; 441]).await {
                return error;
            }
        }
    });
    room.event_where(|event| matches!(event, NetEvent::Answer(AnswerEvent::Pcm { .. }))).await;
    room.net.stop_answer(Generation(1)).unwrap();
    let stopped = tokio::time::timeout(crate::house::LONG, speaking).await.unwrap().unwrap();
    assert!(matches!(stopped, HubError::Stopped), "{stopped}");
    daemon.hub.send(&kitchen(), ToSatellite::Listen { window_ms: 7 }).await.unwrap();
    // What was in the channel before the stop is out with this; a Pcm after the writer's end would be a sample too many.
    room.event_where(|event| matches!(event, NetEvent::Control(ToSatellite::Listen { .. }))).await;
    while let Ok(event) = room.events.try_recv() {
        assert!(!matches!(event, NetEvent::Answer(AnswerEvent::Pcm { .. })), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_of_the_loudspeaker_and_settings_travel_and_are_kept() {
    let (state, mut daemon, mut room) = house().await;
    let generation = Generation(5);
    let at = room.net.micros();
    room.net.control(ToDaemon::PlaybackStarted { generation, at }).unwrap();
    room.net.control(ToDaemon::StopPressed).unwrap();
    let started = daemon.event().await;
    let HubEvent::Playback { generation: told, news: PlaybackNews::Started { .. }, .. } = started else {
        panic!("{started:?}");
    };
    assert_eq!(told, generation);
    assert!(matches!(daemon.event().await, HubEvent::StopPressed { .. }));

    let louder = Settings { volume_percent: 81, muted: false };
    daemon.hub.settings(&kitchen(), louder).await.unwrap();
    let told = room.event_where(|event| matches!(event, NetEvent::Control(ToSatellite::Settings(_)))).await;
    assert_eq!(told, NetEvent::Control(ToSatellite::Settings(louder)));
    let muted = Settings { volume_percent: 12, muted: true };
    room.net.control(ToDaemon::Settings(muted)).unwrap();
    daemon.event_where(|event| matches!(event, HubEvent::Settings { .. })).await;
    let status = daemon.hub.satellites().await;
    assert_eq!(status.len(), 1);
    assert_eq!((status[0].settings, status[0].connected, status[0].software.as_str()), (muted, true, "test"));
    let kept = std::fs::read_to_string(state.path().join("link/satellites.toml")).unwrap();
    assert!(kept.contains("volume_percent = 12"), "{kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellites_times_are_told_on_the_daemons_clock() {
    // A peer whose clock is an hour ahead, as a single ping of it tells: what it names is that much later than the ping's arrival.
    let (_state, mut daemon, peer) = impostor().await;
    let (connection, mut control, _receive) = greeted(&mut daemon, &peer).await;
    let sent = SatMicros(3_600_000_000);
    let before = daemon.hub.now();
    let ping = ToDaemon::Ping { seq: 0, sent, clock: None };
    let started = ToDaemon::PlaybackStarted { generation: Generation(1), at: sent };
    control.write_all(&[encode(&ping).unwrap(), encode(&started).unwrap()].concat()).await.unwrap();
    let told = daemon.event_where(|event| matches!(event, HubEvent::Playback { .. })).await;
    let HubEvent::Playback { news: PlaybackNews::Started { at: arrived }, .. } = told else { panic!("{told:?}") };
    assert!(before <= arrived && arrived <= daemon.hub.now(), "{arrived:?} is not after {before:?}");

    let at = SatMicros(sent.0 + 1_000);
    let opened = Opened::Wake { phrase: String::from("hey jarvis"), score: 0.7, sure: true, enrolled: false, at };
    let start = Mic::Start { utterance: Utterance(1), opened, preroll_frames: 0 };
    let mut stream = connection.open_uni().await.unwrap();
    stream.write_all(&encode(&start).unwrap()).await.unwrap();
    let told = daemon.event_where(|event| matches!(event, HubEvent::Opened { .. })).await;
    let HubEvent::Opened { opened: Opening::Wake { at, .. }, .. } = told else { panic!("{told:?}") };
    assert_eq!(at.0, arrived.0 + 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_says_why() {
    let (_state, mut daemon, room) = house().await;
    let message = || ToSatellite::Listen { window_ms: 1 };
    let nobody = daemon.hub.send(&"attic".into(), message()).await;
    assert!(matches!(nobody, Err(HubError::Unknown(_))));
    room.stop().await;
    daemon.event_where(|event| matches!(event, HubEvent::Disconnected { .. })).await;
    assert!(matches!(daemon.hub.send(&kitchen(), message()).await, Err(HubError::NotConnected(_))));
    let rate = daemon.hub.answer(&kitchen(), Generation(1), 1).await;
    assert!(rate.is_err());
}
