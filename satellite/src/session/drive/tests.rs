use super::*;
use crate::audio::mouth::{Throat, mouth};
use crate::audio::tape::tape;
use crate::net::AnswerEvent;
use crate::wake::Spotted;
use jarvis_link::message::{Generation, MIC_FRAME_SAMPLES, Mood, Settings, ToSatellite};
use std::time::Instant;
use tokio::sync::mpsc;

const RATE: u32 = 16_000;
const DEADLINE: Duration = Duration::from_secs(60);

/// Keeps what a session wanted.
#[derive(Default)]
struct Notes {
    speaker: Speaker,
    preroll: usize,
    frames: Vec<u64>,
    told: Vec<ToDaemon>,
    moods: Vec<Mood>,
    /// Told of the end of the answer with this generation.
    played: Option<(Generation, tokio::sync::oneshot::Sender<()>)>,
}

impl Notes {
    fn tell(&mut self, message: ToDaemon) {
        if let ToDaemon::PlaybackDone { generation, .. } = &message
            && let Some((_, played)) = self.played.take_if(|(wanted, _)| wanted == generation)
        {
            played.send(()).unwrap();
        }
        self.told.push(message);
    }
}

impl Outlet for Notes {
    fn speaker(&mut self) -> &mut Speaker {
        &mut self.speaker
    }

    fn open(&mut self, _opened: Opened, preroll: &[MicFrame]) -> Option<Utterance> {
        self.preroll = preroll.len();
        Some(Utterance(1))
    }

    fn control(&mut self, message: ToDaemon) {
        self.tell(message);
    }

    fn carry_out(&mut self, effect: Effect, now: SatMicros) {
        match effect {
            Effect::Frame(_, frame) => self.frames.push(frame.captured.0),
            Effect::Control(message) => self.tell(message),
            Effect::Show(mood) => self.moods.push(mood),
            Effect::Volume(percent) => self.speaker.volume(percent),
            Effect::Silence { generation, .. } => {
                self.speaker.silence(generation, now);
            }
            _ => {}
        }
    }
}

fn frame(n: u64) -> MicFrame {
    MicFrame { captured: SatMicros(n), voice: 0, samples: [0; MIC_FRAME_SAMPLES] }
}

fn up() -> NetEvent {
    let settings = Settings { volume_percent: 100, muted: false };
    NetEvent::Up { room: "kitchen".to_owned(), settings, new_daemon: true }
}

fn woken() -> Call {
    let spotted = Spotted { phrase: "hey jarvis".to_owned(), score: 0.7, enrolled: false };
    Call::Woken(Woken { spotted, heard: SatMicros(0), at: SatMicros(0) })
}

#[tokio::test]
async fn a_flooding_hub_costs_no_microphone_frame_and_no_wake_word() {
    const FRAMES: u64 = 3_000;
    let (hub, hub_out) = mpsc::channel(64);
    let (calls, calls_out) = mpsc::channel(CALLS_WAITING);
    let (front, front_out) = mpsc::channel(crate::sound::front::FRAMES_WAITING);
    let clock = Clock::start();
    let session = Session::new(Settings { volume_percent: 100, muted: false }, clock.now());
    let flood = tokio::spawn(async move {
        let mut sent = 0_u64;
        hub.send(up()).await.unwrap();
        let flood = ToSatellite::Show(Mood::Thinking);
        while hub.send(NetEvent::Control(flood.clone())).await.is_ok() {
            sent += 1;
        }
        sent
    });
    let feed = tokio::spawn(async move {
        calls.send(woken()).await.unwrap();
        let mut lost = 0;
        for n in 0..FRAMES {
            // What the sound thread does: it never waits for the session.
            lost += u32::from(front.try_send(FrontEvent::Frame(frame(n))).is_err());
            if n % 10 == 0 {
                tokio::task::yield_now().await;
            }
        }
        while front.capacity() < front.max_capacity() {
            tokio::task::yield_now().await;
        }
        drop((front, calls));
        lost
    });
    let mut notes = Notes::default();
    tokio::time::timeout(
        DEADLINE,
        drive(session, Ports { hub: hub_out, calls: calls_out, front: front_out }, &mut notes, clock, 0.6),
    )
    .await
    .unwrap();
    assert_eq!(feed.await.unwrap(), 0, "a frame found no room");
    assert!(flood.await.unwrap() > FRAMES / 2, "the hub did flood");
    let kept = notes.preroll + notes.frames.len();
    // The longest utterance may end within the feed; what came before its end is whole and in order.
    assert!(kept >= 1_500, "{kept} frames");
    assert!(notes.frames.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

/// Runs a loudspeaker's callback beside the session until it ends.
async fn sound_card(mut throat: Throat, clock: Clock, mut until: mpsc::Receiver<()>) -> Vec<i16> {
    let mut heard = Vec::new();
    while until.try_recv() == Err(mpsc::error::TryRecvError::Empty) {
        let mut out = [0; 160];
        throat.fill(&mut out, clock.at(Instant::now() + Duration::from_millis(5)));
        heard.extend_from_slice(&out);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    heard
}

#[tokio::test]
async fn answers_are_played_gapless_by_generation_and_reported_when_heard() {
    let (hub, hub_out) = mpsc::channel(64);
    let (calls, calls_out) = mpsc::channel(CALLS_WAITING);
    let (front, front_out) = mpsc::channel(16);
    let clock = Clock::start();
    let session = Session::new(Settings { volume_percent: 100, muted: false }, clock.now());
    let (writer, _reference) = tape(RATE, 10);
    let (mouth, throat) = mouth(RATE, writer, Box::new(|| ()));
    let (finish, finished) = mpsc::channel(1);
    let card = tokio::spawn(sound_card(throat, clock, finished));
    let script = tokio::spawn(async move {
        front.send(FrontEvent::Loudspeaker(mouth)).await.unwrap();
        hub.send(up()).await.unwrap();
        for (generation, level) in [(1, 100_i16), (2, 200)] {
            let generation = Generation(generation);
            let answer = |event| hub.send(NetEvent::Answer(event));
            answer(AnswerEvent::Start { generation, rate_hz: RATE }).await.unwrap();
            for index in 0..2 {
                answer(AnswerEvent::Sentence { generation, index }).await.unwrap();
                for _ in 0..10 {
                    answer(AnswerEvent::Pcm { generation, samples: vec![level; 320] }).await.unwrap();
                }
            }
            if generation.0 == 2 {
                answer(AnswerEvent::Pcm { generation: Generation(1), samples: vec![100; 320] }).await.unwrap();
                answer(AnswerEvent::End { generation }).await.unwrap();
            }
        }
        (hub, calls, front)
    });
    let (tell, played) = tokio::sync::oneshot::channel();
    let mut notes = Notes { played: Some((Generation(2), tell)), ..Notes::default() };
    let driving = drive(session, Ports { hub: hub_out, calls: calls_out, front: front_out }, &mut notes, clock, 0.6);
    let enough = async {
        let ends = script.await.unwrap();
        tokio::time::timeout(DEADLINE, played).await.expect("the answer is heard to its end").unwrap();
        drop(ends);
    };
    tokio::join!(driving, enough);
    finish.send(()).await.unwrap();
    let heard = card.await.unwrap();
    let newer = heard.iter().position(|&s| s == 200).unwrap();
    assert!(!heard[newer..].contains(&100), "a sample of the older answer came after the newer began");
    assert_eq!(heard.iter().filter(|&&s| s == 200).count(), 2 * 10 * 320);
    let last = heard.iter().rposition(|&s| s == 200).unwrap();
    assert_eq!(last - newer + 1, 2 * 10 * 320, "gapless across the sentences");
    let newest: Vec<&ToDaemon> = notes
        .told
        .iter()
        .filter(|told| {
            matches!(told,
                ToDaemon::PlaybackStarted { generation, .. }
                | ToDaemon::SentencePlayed { generation, .. }
                | ToDaemon::PlaybackDone { generation, .. } if generation.0 == 2)
        })
        .collect();
    assert!(
        matches!(
            newest.as_slice(),
            [
                ToDaemon::PlaybackStarted { .. },
                ToDaemon::SentencePlayed { index: 0, .. },
                ToDaemon::SentencePlayed { index: 1, .. },
                ToDaemon::PlaybackDone { underruns: 0, cut: false, .. }
            ]
        ),
        "{newest:?}"
    );
    assert!(
        notes
            .told
            .iter()
            .any(|told| matches!(told, ToDaemon::PlaybackDone { generation: Generation(1), cut: true, .. }))
    );
}
