//! The satellite as its own process, against a real hub: in the simulated room where loudspeaker and microphone matter, on files elsewhere.
//!
//! Length: one satellite and one kind of house serve all of these tests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jarvis_core::ids::SatelliteId;
use jarvis_link::message::{MIC_FRAME_BYTES, MicEnd, ToSatellite, Utterance};
use jarvis_tests::judge;
use jarvis_tests::likeness::likeness;
use jarvis_tests::music::music;
use jarvis_tests::process::{Process, programs, wait_for};
use jarvis_tests::room::{Room, RoomConfig, UNHURRIED};
use jarvis_tests::sound;
use jarvisd::hub::{EndReason, Hub, HubConfig, HubEvent, Opening, PlaybackNews};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// One house with sound in a room at a time: two would take the processor from each other and it would break up. One whose sound comes from
/// a file, or that has none, takes little and may stand beside it.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Everything that is waited for comes long before this.
const DEADLINE: Duration = Duration::from_secs(60);
/// What is sent in so short a time tells pings, a hundred bytes or two, from sound.
const WIRE_WINDOW: Duration = Duration::from_millis(200);
/// Two frames of the microphone, of the ten in that time.
const WIRE_BYTES_MAX: usize = 2 * MIC_FRAME_BYTES;
/// What a satellite says by itself (satellite/wake/make_sounds.sh).
const AWAY: &str = "I am afraid I cannot reach the house.";
/// Bytes of a .wav file before its samples.
const WAV_HEADER: usize = 44;
/// A voice that is not among the wake word's references.
const VOICE: &str = "en-gb";

/// A hub, a relay that counts what the satellite sends, and the satellite.
struct House {
    dir: tempfile::TempDir,
    hub: Hub,
    events: mpsc::Receiver<HubEvent>,
    tasks: JoinSet<()>,
    wire: Arc<Wire>,
    satellite: Option<Process>,
}

/// What the satellite sent, datagram by datagram.
#[derive(Default)]
struct Wire(Mutex<Vec<(Instant, usize)>>);

impl Wire {
    fn add(&self, bytes: usize) {
        self.0.lock().unwrap().push((Instant::now(), bytes));
    }

    /// Most bytes within any time of that length since `from`.
    fn busiest(&self, from: Instant, length: Duration) -> usize {
        let mut sent = self.0.lock().unwrap().clone();
        sent.retain(|(at, _)| *at >= from);
        // The busiest one begins with a datagram.
        let bytes = |first: usize, begins: Instant| -> usize {
            let within = sent[first..].iter().take_while(|(at, _)| *at < begins + length);
            within.map(|(_, bytes)| bytes).sum()
        };
        sent.iter().enumerate().map(|(first, (begins, _))| bytes(first, *begins)).max().unwrap_or(0)
    }
}

/// What was sent in one utterance.
#[derive(Debug, Default)]
struct Heard {
    score: f32,
    preroll: usize,
    samples: Vec<i16>,
    end: Option<EndReason>,
    troubles: Vec<String>,
}

impl House {
    async fn build(audio: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let relay = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let config = HubConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertise: Some(relay.local_addr().unwrap()),
            volume_percent: 100,
            state_dir: dir.path().join("daemon"),
        };
        let (sender, events) = mpsc::channel(4096);
        let (hub, task) = Hub::start(config, sender).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { task.run().await.unwrap() });
        let wire = Arc::new(Wire::default());
        tasks.spawn(carry(relay, hub.local_addr(), Arc::clone(&wire)));
        let state = dir.path().join("satellite");
        let text = format!(
            "state_dir = {state:?}\n[audio]\n{audio}\n[led]\nbackend = \"file\"\npath = {:?}\n[control]\nsocket = {:?}\n",
            dir.path().join("led"),
            dir.path().join("control.sock"),
        );
        std::fs::write(dir.path().join("satellite.toml"), text).unwrap();
        let house = Self { dir, hub, events, tasks, wire, satellite: None };
        let code = house.hub.enrol("kitchen").await.unwrap().code;
        let mut enrol = house.command();
        let enrolled = tokio::task::spawn_blocking(move || enrol.args(["enrol", &code]).output().unwrap());
        let enrolled = enrolled.await.unwrap();
        assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
        house
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.arg("--config").arg(self.path("satellite.toml")).env("JARVIS_LOG", "info");
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn start(&mut self, pulse_server: Option<String>) {
        let mut command = self.command();
        command.env("PULSE_SERVER", pulse_server.unwrap_or_else(|| "unix:/nowhere".to_owned()));
        let satellite = Process::start("jarvis-satellite", &mut command, &self.path("log")).unwrap();
        self.satellite = Some(satellite.sounds().unwrap());
        self.wait(|event| matches!(event, HubEvent::Connected { .. }).then_some(())).await;
    }

    async fn wait<T>(&mut self, mut wanted: impl FnMut(&HubEvent) -> Option<T>) -> T {
        let found = tokio::time::timeout(DEADLINE, async {
            while let Some(event) = self.events.recv().await {
                if let Some(found) = wanted(&event) {
                    return Some(found);
                }
            }
            None
        });
        match found.await {
            Ok(Some(found)) => found,
            _ => panic!("it never came; the satellite's log:\n{}", self.log()),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Follows the next utterance to its end, closing it when `enough`.
    async fn utterance(&mut self, mut enough: impl FnMut(&Heard) -> bool) -> Heard {
        let mut heard = Heard::default();
        let mut which = None;
        let mut closed = false;
        let until = Instant::now() + DEADLINE;
        while heard.end.is_none() {
            let event = tokio::time::timeout_at(until.into(), self.events.recv()).await;
            let Ok(Some(event)) = event else {
                panic!("the utterance never ended; the satellite's log:\n{}", self.log());
            };
            match event {
                HubEvent::Opened { utterance, opened, preroll_frames, .. } => {
                    which = Some(utterance);
                    heard.preroll = usize::from(preroll_frames);
                    if let Opening::Wake { score, .. } = opened {
                        heard.score = score;
                    }
                }
                HubEvent::Frame { samples, seq, .. } => {
                    assert_eq!(seq as usize, heard.samples.len() / 320, "frames come whole and in order");
                    heard.samples.extend(samples);
                }
                HubEvent::Ended { reason, .. } => heard.end = Some(reason),
                HubEvent::Trouble { text, .. } => heard.troubles.push(text),
                _ => {}
            }
            if let Some(utterance) = which
                && !closed
                && enough(&heard)
            {
                closed = true;
                self.close(utterance).await;
            }
        }
        if let Some(utterance) = which {
            self.hub.settle(&kitchen(), utterance).await.unwrap();
        }
        heard
    }

    async fn close(&self, utterance: Utterance) {
        self.hub.send(&kitchen(), ToSatellite::CloseMic { utterance, silent: false }).await.unwrap();
    }

    async fn end(mut self) {
        if let Some(mut satellite) = self.satellite.take() {
            let status = tokio::task::spawn_blocking(move || satellite.stop().unwrap()).await.unwrap();
            assert!(status.success(), "{status}: {}", self.log());
        }
        self.tasks.shutdown().await;
    }
}

fn kitchen() -> SatelliteId {
    SatelliteId::from("kitchen")
}

fn program() -> PathBuf {
    programs().unwrap().join("jarvis-satellite")
}

/// Carries datagrams between one satellite and the hub, writing down the satellite's.
async fn carry(relay: tokio::net::UdpSocket, hub: SocketAddr, wire: Arc<Wire>) {
    let mut satellite = None;
    let mut datagram = vec![0; 65_536];
    while let Ok((length, from)) = relay.recv_from(&mut datagram).await {
        let to = if from == hub {
            satellite
        } else {
            satellite = Some(from);
            wire.add(length);
            Some(hub)
        };
        if let Some(to) = to {
            // A lost datagram is the network's right.
            let _lost = relay.send_to(&datagram[..length], to).await.is_err();
        }
    }
}

fn write_wav(path: &Path, samples: &[i16], rate_hz: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        file.write_sample(sample).unwrap();
    }
    file.finalize().unwrap();
}

fn pulse(dir: &str) -> String {
    format!("backend = \"pulse\"\nmicrophone = \"mic\"\nloudspeaker = \"speaker\"\n{dir}")
}

fn room(dir: &Path, echo_db: Option<f64>) -> Room {
    Room::open(dir, &RoomConfig { echo_db, seed: 7, late: UNHURRIED }).unwrap()
}

/// Waits until so many record in the room: its own recorder, and the satellite while its microphone is open.
fn ears(air: &Room, wanted: usize) {
    wait_for(&format!("{wanted} ears"), DEADLINE, || {
        let list = ["list", "short", "source-outputs"];
        let out = Command::new("pactl").args(list).env("PULSE_SERVER", air.pulse_server()).output()?;
        let list = String::from_utf8_lossy(&out.stdout).into_owned();
        // The room's own plumbing records as well, but is no client.
        let clients = list.lines().filter(|line| line.contains("protocol-native")).count();
        Ok((clients == wanted).then_some(()))
    })
    .unwrap();
}

/// Waits until the satellite's microphone is open and sound flows: it is there before it flows, and what a satellite keeps of the time
/// before a wake word is a second and a half.
fn listens(air: &Room) {
    ears(air, 2);
    let from = air.now().unwrap();
    wait_for("sound to flow", DEADLINE, || Ok((air.now()? > from + 2 * 16_000).then_some(()))).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_one_breath_arrives_whole_and_the_answer_is_heard() {
    let _alone = ALONE.lock().await;
    let mut house = House::build(&pulse("")).await;
    let air = room(&house.path("").join("."), Some(-10.0));
    house.start(Some(air.pulse_server())).await;
    listens(&air);
    let said = sound::espeak(VOICE, "hey jarvis, how hot is node two").unwrap();
    let length = said.len();
    let begun = air.now().unwrap();
    air.say(&said).unwrap();
    let heard = house.utterance(|heard| heard.samples.len() > heard.preroll * 320 + length + 8_000).await;
    assert_eq!(heard.end, Some(EndReason::Mic(MicEnd::Closed)));
    assert!(heard.score >= 0.55 && heard.preroll >= 75, "score {}, pre-roll {}", heard.score, heard.preroll);
    // As it was in the air: a loaded machine may leave a gap in what the room says.
    let trimmed = sound::trim(&air.recording(begun).unwrap().said);
    let first_second = likeness(&trimmed[..16_000.min(trimmed.len())], &heard.samples);
    assert!(first_second > 0.975, "the wake word and the first word are found with {first_second:.2}");
    let from = air.now().unwrap();
    let mut answer = house.hub.answer(&kitchen(), jarvis_link::message::Generation(1), 22_050).await.unwrap();
    let tone: Vec<i16> = (0..22_050)
        .map(|n| ((f64::from(n) * 500.0 * std::f64::consts::TAU / 22_050.0).sin() * 8_000.0) as i16)
        .collect();
    answer.sentence(0).await.unwrap();
    answer.pcm(&tone).await.unwrap();
    answer.finish().await.unwrap();
    let mut started = None;
    let done = house
        .wait(|event| match event {
            HubEvent::Playback { news: PlaybackNews::Started { at }, .. } => {
                started = Some(at.0);
                None
            }
            HubEvent::Playback { news: PlaybackNews::Done { at, underruns, cut }, .. } => {
                Some((at.0, *underruns, *cut))
            }
            _ => None,
        })
        .await;
    // A busy machine may let it falter, but nothing of it is left out or heard twice.
    let lasted = done.0 - started.unwrap();
    assert!(lasted > 950_000, "a second lasted {lasted} us");
    assert!(!done.2, "{done:?}");
    wait_for("what is heard to be recorded", DEADLINE, || {
        let heard = air.recording(from)?.heard;
        Ok(sound::last_audible(&heard).is_some_and(|last| last + 8_000 < heard.len()).then_some(()))
    })
    .unwrap();
    let heard = air.recording(from).unwrap().heard;
    let ms = heard.iter().filter(|sample| sample.saturating_abs() > sound::AUDIBLE).count() / 16;
    assert!((950..1_030).contains(&ms), "{ms} ms were heard with {} underruns", done.1);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_wake_word_does_not_leave_the_room() {
    // Dithered silence, then noise, then music, then speech.
    let mut noise = sound::noise(2 * 16_000, 1.0, 4);
    noise.extend(sound::noise(2 * 16_000, 2_000.0, 5));
    noise.extend(music(8, 9_000, 7));
    for text in ["what's for dinner tonight", "turn the television down please", "he carves the turkey"] {
        noise.extend(sound::espeak("en-us", text).unwrap());
        noise.extend(sound::noise(4_000, 10.0, 6));
    }
    let seconds = noise.len() as u64 / 16_000;
    let mut house = House::build("backend = \"wav\"").await;
    let (said, heard) = (house.path("said.wav"), house.path("heard.wav"));
    // A rate that is not the house's, so that resampling is part of it.
    let mut resampler = jarvis_satellite::audio::resample::Resampler::new(16_000, 44_100).unwrap();
    let mut at_44100 = Vec::new();
    resampler.push(&noise, &mut at_44100);
    write_wav(&said, &at_44100, 44_100);
    let config = std::fs::read_to_string(house.path("satellite.toml")).unwrap();
    let with_files = config
        .replace("backend = \"wav\"", &format!("backend = \"wav\"\nmicrophone = {said:?}\nloudspeaker = {heard:?}"));
    std::fs::write(house.path("satellite.toml"), with_files).unwrap();
    house.start(None).await;
    // A new connection tries how long datagrams may be: that is over once none was long for a second.
    let over = async {
        while house.wire.busiest(Instant::now() - Duration::from_secs(1), WIRE_WINDOW) >= WIRE_BYTES_MAX {
            tokio::time::sleep(WIRE_WINDOW).await;
        }
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::time::timeout(DEADLINE, over).await.expect("the connection never comes to rest");
    let quiet = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let most = house.wire.busiest(quiet, WIRE_WINDOW);
    println!("at most {most} bytes in {} ms left the room", WIRE_WINDOW.as_millis());
    assert!(most < WIRE_BYTES_MAX, "{most} bytes in {} ms left the room", WIRE_WINDOW.as_millis());
    while let Ok(event) = house.events.try_recv() {
        assert!(
            !matches!(event, HubEvent::Opened { .. } | HubEvent::Frame { .. }),
            "{event:?}; the satellite's log:\n{}",
            house.log()
        );
    }
    // What is written so far: the header tells of less.
    let sound = std::fs::read(&heard).unwrap().split_off(WAV_HEADER);
    assert!(sound.len() > 5 * 16_000 * 2, "its loudspeaker plays: {} bytes", sound.len());
    assert!(sound.iter().all(|byte| *byte == 0), "and it kept quiet");

    // An open microphone would have been seen on the wire.
    let open = Instant::now();
    let mut socket = UnixStream::connect(house.path("control.sock")).unwrap();
    writeln!(socket, "ptt down").unwrap();
    house.utterance(|heard| heard.samples.len() > 8_000).await;
    let most = house.wire.busiest(open, WIRE_WINDOW);
    assert!(most > 2 * WIRE_BYTES_MAX, "an open microphone sent {most} bytes");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_go_in_mid_utterance_end_it_and_are_told() {
    let _alone = ALONE.lock().await;
    let mut house = House::build(&pulse("")).await;
    let mut air = room(&house.path("").join("."), None);
    house.start(Some(air.pulse_server())).await;
    listens(&air);
    air.say(&sound::espeak(VOICE, "hey jarvis, how hot is node two").unwrap()).unwrap();
    let mut unplugged = false;
    let heard = house
        .utterance(|heard| {
            if !unplugged && !heard.samples.is_empty() {
                unplugged = true;
                air.unplug().unwrap();
            }
            false
        })
        .await;
    assert_eq!(heard.end, Some(EndReason::Mic(MicEnd::MicLost)));
    let mut troubles = heard.troubles;
    while !troubles.iter().any(|text| text.contains("microphone")) {
        let text = house
            .wait(|event| match event {
                HubEvent::Trouble { text, .. } => Some(text.clone()),
                _ => None,
            })
            .await;
        troubles.push(text);
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_microphone_it_stays_connected_and_says_so() {
    let mut house = House::build(&pulse("")).await;
    house.start(None).await;
    let text = house
        .wait(|event| match event {
            HubEvent::Trouble { text, .. } if text.contains("microphone") => Some(text.clone()),
            _ => None,
        })
        .await;
    assert!(text.contains("PulseAudio can't be reached"), "{text}");
    let led = house.path("led");
    // It is written anew each time: somebody may look while it is empty.
    wait_for("the LED to show trouble", DEADLINE, || Ok((std::fs::read_to_string(&led)? == "trouble\n").then_some(())))
        .unwrap();
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_device_name_lists_what_there_is() {
    let house = House::build("backend = \"pulse\"\nmicrophone = \"nothing\"").await;
    let air = room(&house.path("").join("."), None);
    let mut check = house.command();
    check.arg("--check").env("PULSE_SERVER", air.pulse_server());
    let output = tokio::task::spawn_blocking(move || check.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains("no microphone \"nothing\"") && told.contains("mic"), "{told}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_no_device_has_is_refused_with_what_would_do() {
    for (rate, told) in [("48000", "microphone: pulse at 48000 Hz"), ("7", "7 Hz"), ("4000000000", "4000000000 Hz")] {
        let house = House::build(&pulse(&format!("microphone_rate_hz = {rate}"))).await;
        let air = room(&house.path("").join("."), None);
        let mut check = house.command();
        check.arg("--check").env("PULSE_SERVER", air.pulse_server());
        let output = tokio::task::spawn_blocking(move || check.output().unwrap()).await.unwrap();
        let said = [output.stdout, output.stderr].map(|out| String::from_utf8_lossy(&out).into_owned()).concat();
        assert_eq!(output.status.success(), rate == "48000", "{said}");
        assert!(said.contains(told), "{said}");
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_open_and_close_the_microphone_mute_it_really_and_set_the_volume() {
    let _alone = ALONE.lock().await;
    let mut house = House::build(&pulse("")).await;
    let air = room(&house.path("").join("."), None);
    house.start(Some(air.pulse_server())).await;
    let mut socket = UnixStream::connect(house.path("control.sock")).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut answers = BufReader::new(socket.try_clone().unwrap());
    let mut press = |line: &str| {
        writeln!(socket, "{line}").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "ok\n", "{line}");
    };
    ears(&air, 2);
    press("ptt down");
    let mut held = true;
    let heard = house
        .utterance(|heard| {
            if held && heard.samples.len() > 16_000 {
                held = false;
                press("ptt up");
            }
            false
        })
        .await;
    assert_eq!(heard.end, Some(EndReason::Mic(MicEnd::Released)));

    press("volume 35");
    let settings = |event: &HubEvent| match event {
        HubEvent::Settings { settings, .. } => Some(*settings),
        _ => None,
    };
    assert_eq!(house.wait(settings).await.volume_percent, 35);
    press("mute on");
    assert!(house.wait(settings).await.muted);
    ears(&air, 1);
    let called = sound::espeak(VOICE, "hey jarvis").unwrap();
    let from = air.now().unwrap();
    air.say(&called).unwrap();
    wait_for("the call to fade", DEADLINE, || Ok((air.now()? > from + called.len() + 32_000).then_some(()))).unwrap();
    while let Ok(event) = house.events.try_recv() {
        assert!(!matches!(event, HubEvent::Opened { .. }), "{event:?}");
    }
    press("mute off");
    assert!(!house.wait(settings).await.muted);
    listens(&air);
    air.say(&called).unwrap();
    let heard = house.utterance(|heard| heard.samples.len() > 48_000).await;
    assert!(heard.score > 0.0, "it is heard again");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_daemon_a_call_is_answered_by_the_satellite_itself() {
    let _alone = ALONE.lock().await;
    let mut house = House::build(&pulse("")).await;
    let air = room(&house.path("").join("."), None);
    house.start(Some(air.pulse_server())).await;
    listens(&air);
    house.hub.clone().shutdown().await;
    let led = house.path("led");
    wait_for("the LED to show trouble", DEADLINE, || {
        Ok(std::fs::read_to_string(&led)?.contains("trouble").then_some(()))
    })
    .unwrap();
    // A link that was lost just now is expected back while one speaks.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let from = air.now().unwrap();
    assert!(sound::first_audible(&air.recording(0).unwrap().heard).is_none(), "silent until somebody speaks");
    air.say(&sound::espeak(VOICE, "hey jarvis").unwrap()).unwrap();
    let heard = wait_for("the local message, and silence after it", DEADLINE, || {
        let heard = air.recording(from)?.heard;
        let over = sound::last_audible(&heard).is_some_and(|last| last + 16_000 < heard.len());
        Ok(over.then(|| sound::trim(&heard)))
    })
    .unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (_, hearings) = judge::heard_of(AWAY, &heard, &programs().unwrap(), root).unwrap();
    // Of the sentence's words, the recogniser knows these for certain.
    assert!(hearings.iter().any(|words| words.contains("not reach the")), "{AWAY:?} was heard as {hearings:?}");
    let alike = likeness(&sound::trim(&sound::read_wav(&root.join("satellite/wake/away.wav")).unwrap()), &heard);
    assert!(alike > 0.9, "that very sound is found with {alike:.2}");
    // How soon is measured by `make bench ONLY=v14`. That it waits for no dial to be given up is the session's own rule: it says so at the
    // wake itself, whose time is the only one it knows.
    let told = house.log().lines().filter(|line| line.contains("the daemon is away")).count();
    assert_eq!(told, 1, "told once, and by the satellite itself: {}", house.log());
    house.satellite.as_mut().unwrap().stop().unwrap();
}
