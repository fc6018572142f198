use super::*;
use crate::audio::mouth::{LentThroat, Played};
use crate::audio::{Devices, Loudspeaker, Microphone, backend};
use jarvis_link::message::Generation;

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A silent room whose loudspeaker tells this fault when it is opened, and then takes sound or does not.
struct Faulty {
    over: bool,
    goes_on: bool,
}

static HICCUPS: Faulty = Faulty { over: false, goes_on: true };
static DIES_UNNAMED: Faulty = Faulty { over: false, goes_on: false };
static ENDS: Faulty = Faulty { over: true, goes_on: true };

struct FaultyLoudspeaker {
    sound: Box<dyn Loudspeaker>,
    fault: Fault,
    goes_on: bool,
}

struct Deaf {
    _throat: LentThroat,
}

impl Stream for Deaf {}

impl Backend for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn devices(&self) -> Result<Devices, AudioError> {
        backend("null")?.devices()
    }

    fn microphone(&self, config: &AudioConfig) -> Result<Box<dyn Microphone>, AudioError> {
        backend("null")?.microphone(config)
    }

    fn loudspeaker(&self, config: &AudioConfig) -> Result<Box<dyn Loudspeaker>, AudioError> {
        let fault = Fault { which: Which::Loudspeaker, reason: "I/O error (5)".to_owned(), over: self.over };
        Ok(Box::new(FaultyLoudspeaker { sound: backend("null")?.loudspeaker(config)?, fault, goes_on: self.goes_on }))
    }
}

impl Loudspeaker for FaultyLoudspeaker {
    fn rate_hz(&self) -> u32 {
        self.sound.rate_hz()
    }

    fn open(&self, throat: LentThroat, clock: Clock, faults: SyncSender<Fault>) -> Result<Box<dyn Stream>, AudioError> {
        faults.try_send(self.fault.clone()).unwrap();
        if self.goes_on { self.sound.open(throat, clock, faults) } else { Ok(Box::new(Deaf { _throat: throat })) }
    }
}

/// A front whose loudspeaker is this, and what it tells.
fn front(backend: &'static Faulty) -> (Front, mpsc::Receiver<FrontEvent>) {
    let (events, told) = mpsc::channel(FRAMES_WAITING);
    let (wake, _woken) = sync_channel(WAKE_FRAMES_WAITING);
    (Front::start(backend, AudioConfig::default(), Clock::start(), events, wake).unwrap(), told)
}

/// The next event that is not the microphone's.
async fn next(told: &mut mpsc::Receiver<FrontEvent>) -> FrontEvent {
    loop {
        match tokio::time::timeout(DEADLINE, told.recv()).await.unwrap().unwrap() {
            FrontEvent::Frame(_) | FrontEvent::MicrophoneBack | FrontEvent::Dropped(_) => {}
            event => return event,
        }
    }
}

#[tokio::test]
async fn an_answer_is_heard_to_its_end_through_a_fault_that_the_loudspeaker_survives() {
    let (front, mut told) = front(&HICCUPS);
    let FrontEvent::Loudspeaker(mut mouth) = next(&mut told).await else { panic!("there is no loudspeaker") };
    let answer = Generation(1);
    assert_eq!(mouth.say(answer, &[1_000; 16_000]), 0);
    assert!(mouth.ends(answer));
    loop {
        let event = tokio::time::timeout(DEADLINE, told.recv()).await.unwrap().unwrap();
        assert!(!matches!(event, FrontEvent::LoudspeakerLost { .. }), "it took sound all the time");
        if let Some(Played::Ended { generation, .. }) = std::iter::from_fn(|| mouth.report()).last() {
            assert_eq!(generation, answer);
            break;
        }
    }
    front.stop();
}

#[tokio::test]
async fn a_loudspeaker_that_takes_no_sound_after_its_fault_is_lost_with_its_words() {
    for backend in [&DIES_UNNAMED, &ENDS] {
        let (front, mut told) = front(backend);
        let reason = loop {
            if let FrontEvent::LoudspeakerLost { reason } = next(&mut told).await {
                break reason;
            }
        };
        assert_eq!(reason, "I/O error (5)");
        front.stop();
    }
}
