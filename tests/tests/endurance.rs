//! What happens again and again: the daemon's death under a satellite that lives on, and wakes without end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use jarvis_link::message::{MIC_FRAME_SAMPLES, MicEnd, Opened, SatMicros, ToSatellite, Utterance};
use jarvis_satellite::net::{Net, NetConfig, NetEvent, NetHandle};
use jarvis_tests::house::House;
use jarvis_tests::judge::as_heard;
use jarvis_tests::process::wait_for;
use jarvis_tests::pve::Simulator;
use jarvis_tests::pve::expected::Figure;
use jarvis_tests::rooms::Rooms;
use jarvis_tests::sound::{self, Random};
use jarvis_tests::trial::{config, spoken};
use jarvisd::event::{EventKind, TurnRecord};
use jarvisd::past::PastTurn;
use rustix::process::Signal;
use tokio::task::JoinSet;

/// One house at a time: two would take the processor from each other and sound would break up.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const KILLS: usize = 20;
const WAKES: usize = 100;
const ROOMS: [&str; 4] = ["study", "kitchen", "hall", "cellar"];
/// All of the wakes come within a minute, with room for a slow machine: in less than half of one, by the clock that paces them.
const PACE: Duration = Duration::from_millis(1_000);
const _: () = assert!(PACE.as_millis() as usize * (WAKES / ROOMS.len()) < 60_000);
/// Everything that is waited for comes long before this.
const LONG: Duration = Duration::from_secs(60);
/// Sound before the moment at which the wake word was recognised, as a satellite keeps it.
const PREROLL_FRAMES: usize = 75;

fn assert_holds(reply: Option<&str>, wanted: &[Figure]) {
    let heard = as_heard(reply.unwrap_or_default());
    assert!(!wanted.is_empty() && wanted.iter().all(|figure| figure.is_in(&[&heard])), "{heard:?} holds {wanted:?}");
}

/// When lines with `what` were logged.
fn logged(log: &Path, what: &str) -> Vec<jiff::Timestamp> {
    let text = std::fs::read_to_string(log).unwrap();
    let lines = text.lines().filter(|line| line.contains(what));
    lines.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

/// How long after the newest daemon was ready its satellite was connected for the `nth` time, by what both wrote down; at once, where it
/// was so before.
fn return_time(house: &House, nth: usize) -> Duration {
    let ready = logged(house.daemon.log(), ": ready version=")[0];
    // The daemon knows of it before the satellite has written it down.
    let ups = wait_for("the satellite to say that it is connected", LONG, || {
        let ups = logged(house.satellite.log(), "link up");
        Ok((ups.len() > nth).then_some(ups))
    });
    Duration::try_from(ups.unwrap()[nth].duration_since(ready)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_at_any_moment_twenty_times_is_found_again_and_answers() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let mut house = House::start(config(dir.path(), seed)).await.unwrap();
    let satellite = house.satellite.pid();
    let right = house.cluster.expected("node.temperature", &[("node", "pve2")]);
    // What the daemon is busy with when it dies: nothing, a question, and speech.
    let errands: [Option<&[&str]>; 3] = [
        None,
        Some(&["ask", "how hot is node two"]),
        Some(&["say", "--room", "study", "Dinner is served in the hall."]),
    ];
    let mut slowest = Duration::ZERO;
    for kill in 0..KILLS {
        let errand = errands[kill % errands.len()].map(|arguments| {
            let mut command = house.ctl_command(arguments);
            std::thread::spawn(move || command.output())
        });
        // A seeded moment: whatever the daemon has come to by then is what the kill falls into.
        std::thread::sleep(Duration::from_millis(random.between(0, 600)));
        house.daemon.signal(Signal::KILL).unwrap();
        house.daemon.kill().unwrap();
        if let Some(errand) = errand {
            assert_told(&errand.join().unwrap().unwrap());
        }
        house.restart_daemon().unwrap();
        // How soon is decided on a virtual clock in satellite/link/tests/both_ends.rs; here it comes back at all.
        slowest = slowest.max(return_time(&house, kill + 1));
        let typed = house.ctl_json(&["ask", "how hot is node two"]).unwrap();
        assert_holds(typed["reply"].as_str(), &right);
    }
    println!("slowest return after {KILLS} kills: {} ms", slowest.as_millis());
    assert_eq!(house.satellite.pid(), satellite, "the satellite lives on");
    house.check().unwrap();
    let asked = house.ask(&spoken("en-gb", "hey jarvis, how hot is node two"), |_| ()).unwrap();
    let turn = asked.turn.expect("it wakes");
    assert_eq!(turn.error, None, "{turn:?}");
    assert_holds(turn.reply.as_deref(), &right);
    assert!(asked.first_audio_ms.is_some(), "and it is heard");
    assert_all_over(&house.ctl_json(&["turns", "--number", "200"]).unwrap());
}

/// Whoever was asking when the daemon died was answered before, or told.
fn assert_told(output: &Output) {
    assert!(output.status.success() || !output.stderr.is_empty(), "neither an answer nor a word: {output:?}");
}

fn assert_all_over(turns: &serde_json::Value) {
    let turns: Vec<PastTurn> = serde_json::from_value(turns.clone()).unwrap();
    let open: Vec<&PastTurn> = turns.iter().filter(|turn| !turn.finished).collect();
    assert!(open.is_empty(), "turns that never ended: {open:?}");
}

/// A satellite's link, without sound: what its microphone hears is given.
struct Room {
    net: NetHandle,
    tasks: JoinSet<()>,
}

impl Room {
    async fn enrolled(rooms: &Rooms, room: &str, state: PathBuf) -> Self {
        let told: serde_json::Value = serde_json::from_str(&rooms.ctl(&["enrol", room, "--json"]).unwrap()).unwrap();
        jarvis_satellite::net::enrol(told["code"].as_str().unwrap(), &state).await.unwrap();
        let phrases = vec!["hey jarvis".to_owned()];
        let about = NetConfig { state_dir: state, software: "test".to_owned(), phrases, echo_cancelled: true };
        let (net, mut events, task) = Net::start(about).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { task.run().await.unwrap() });
        let (up, mut is_up) = tokio::sync::mpsc::channel(1);
        let session = net.clone();
        // As a satellite's session: it closes the microphone when it is told to.
        tasks.spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    // Nobody waits for it a second time.
                    NetEvent::Up { .. } => drop(up.try_send(())),
                    NetEvent::Control(ToSatellite::CloseMic { utterance, .. }) => {
                        session.end(utterance, MicEnd::Closed).unwrap();
                    }
                    _ => {}
                }
            }
        });
        tokio::time::timeout(LONG, is_up.recv()).await.expect("it connects");
        Self { net, tasks }
    }

    /// The wake word was heard; `called` is what the microphone heard until then.
    fn wake(&self, called: &[i16]) -> Utterance {
        let at = self.net.micros();
        let opened = Opened::Wake { phrase: "hey jarvis".to_owned(), score: 0.7, sure: true, enrolled: false, at };
        let utterance = self.net.begin(opened, PREROLL_FRAMES as u16).unwrap();
        let mut preroll = sound::noise(PREROLL_FRAMES * MIC_FRAME_SAMPLES - called.len(), 16.0, 1);
        preroll.extend_from_slice(called);
        let ages = (0..PREROLL_FRAMES as u64).rev();
        for (frame, age) in preroll.as_chunks::<MIC_FRAME_SAMPLES>().0.iter().zip(ages) {
            let captured = SatMicros(at.0.saturating_sub(age * 20_000));
            self.net.frame(utterance, captured, voice(frame), frame).unwrap();
        }
        utterance
    }

    /// What the microphone hears next, as it hears it.
    async fn hear(&self, utterance: Utterance, sound: &[i16]) {
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for frame in sound.as_chunks::<MIC_FRAME_SAMPLES>().0 {
            clock.tick().await;
            self.net.frame(utterance, self.net.micros(), voice(frame), frame).unwrap();
        }
    }

    async fn leave(mut self) {
        self.net.shutdown();
        self.tasks.shutdown().await;
    }
}

/// Whether a frame holds speech: clean sound makes that easy to tell.
fn voice(frame: &[i16; MIC_FRAME_SAMPLES]) -> u8 {
    if frame.iter().any(|sample| sample.saturating_abs() > 500) { 220 } else { 5 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_wakes_within_a_minute_all_end_and_the_next_request_is_answered() {
    let _alone = ALONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let cluster = Simulator::start(21).await.unwrap();
    let mut rooms = Rooms::start(config(dir.path(), 21), cluster).await.unwrap();
    let mut fleet = Vec::new();
    for room in ROOMS {
        fleet.push(Room::enrolled(&rooms, room, dir.path().join(room)).await);
    }
    let called = spoken("en-gb", "hey jarvis");
    let mut waking = JoinSet::new();
    for room in fleet {
        let called = called.clone();
        waking.spawn(async move {
            let mut pace = tokio::time::interval(PACE);
            for nth in 0..WAKES / ROOMS.len() {
                pace.tick().await;
                let utterance = room.wake(&called);
                room.hear(utterance, &sound::noise(8_000, 16.0, nth as u64)).await;
                // Half of them are closed by the satellite; the others find their end in the next, or by the daemon's word.
                if nth % 2 == 0 {
                    room.net.end(utterance, MicEnd::Closed).unwrap();
                }
            }
            room
        });
    }
    let mut fleet = waking.join_all().await;
    let mut ended = 0;
    let deadline = Instant::now() + LONG;
    while ended < WAKES {
        assert!(Instant::now() < deadline, "{ended} of {WAKES} turns ended");
        let event = rooms.event(Duration::from_millis(500)).unwrap();
        ended += usize::from(event.is_some_and(|event| matches!(event.kind, EventKind::TurnDone(_))));
    }
    let past: serde_json::Value =
        serde_json::from_str(&rooms.ctl(&["turns", "--number", "500", "--json"]).unwrap()).unwrap();
    // Of those in which nobody said a thing, nothing is kept.
    assert!((1..=WAKES).contains(&past.as_array().unwrap().len()), "{past}");
    assert_all_over(&past);
    rooms.check().unwrap();

    let room = fleet.pop().unwrap();
    let mut called = spoken("en-gb", "hey jarvis, how hot is node two");
    let mut request = called.split_off(16_000);
    request.extend(sound::noise(5 * 16_000, 16.0, 3));
    let utterance = room.wake(&called);
    let (turn, ()) = tokio::join!(next_turn(&mut rooms), room.hear(utterance, &request));
    // This room has no loudspeaker, and the turn says so.
    assert_eq!(turn.transcript.as_deref(), Some("how hot is node two"), "{turn:?}");
    assert_holds(turn.reply.as_deref(), &rooms.cluster.expected("node.temperature", &[("node", "pve2")]));
    for room in fleet.into_iter().chain([room]) {
        room.leave().await;
    }
}

async fn next_turn(rooms: &mut Rooms) -> TurnRecord {
    let deadline = Instant::now() + LONG;
    loop {
        assert!(Instant::now() < deadline, "the turn ends");
        // The wait itself blocks: it is short, so that the speaker beside it keeps its pace.
        if let Some(event) = rooms.event(Duration::from_millis(1)).unwrap()
            && let EventKind::TurnDone(record) = event.kind
        {
            return *record;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
