//! The voice as the turn uses it: real worker, real server, real disk, and what goes wrong with each.
//!
//! Length: one fake server and every way it can misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jarvis_tests::desk::Desk;
use jarvis_tests::process::programs;
use jarvis_tests::seat::Seat;
use jarvis_tests::small_disk::SmallDisk;
use jarvis_tests::speech_server::{Fault, SpeechServer};
use jarvis_tests::trial::root;
use jarvisd::speech::{RATE_HZ, Speech, SpeechConfig, SpeechError, Spoken};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;

/// Everything that is waited for comes long before this.
const LONG: Duration = Duration::from_secs(60);
const SENTENCE: &str = "node two runs five guests, and all of them are well.";

/// The worker's program, which `make` builds beside the tests.
fn worker() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let target = tests.ancestors().nth(2).unwrap();
    let worker = target.join("jarvis-voice");
    assert!(worker.exists(), "{} is missing: cargo build -p jarvis-voice", worker.display());
    worker
}

struct House {
    speech: Speech,
    task: JoinHandle<()>,
    state: tempfile::TempDir,
}

impl House {
    async fn start(more: &str) -> Self {
        Self::in_folder(more, tempfile::tempdir().unwrap()).await
    }

    async fn in_folder(more: &str, state: tempfile::TempDir) -> Self {
        let mut config: SpeechConfig = toml::from_str(more).unwrap();
        config.worker.get_or_insert_with(worker);
        config.state_dir = state.path().to_owned();
        // The machine's other work is no slow disk.
        config.cache_wait = LONG;
        let (speech, task) = Speech::start(&config).await.unwrap();
        Self { speech, task: tokio::spawn(task.run()), state }
    }

    /// With a server in front of espeak-ng.
    async fn with(server: &SpeechServer, more: &str) -> Self {
        let url = server.url();
        // The server runs a program for each sentence, on a busy machine: long limits where they are not what is tested.
        let limits = if more.contains("_ms") { "" } else { "first_chunk_ms = 30000\nbetween_chunks_ms = 30000" };
        Self::start(&format!("cache_bytes = 0\n[[engines]]\nkind = 'openai'\nurl = '{url}'\n{limits}\n{more}")).await
    }

    async fn say(&self, text: &str) -> (Spoken, Vec<i16>) {
        let mut spoken = self.speech.speak(text).await.unwrap();
        let sound = spoken.whole().await.unwrap();
        (spoken, sound)
    }

    async fn end(self) -> tempfile::TempDir {
        drop(self.speech);
        self.task.await.unwrap();
        self.state
    }

    fn cache(&self) -> PathBuf {
        self.state.path().join("speech")
    }
}

fn seconds(sound: &[i16]) -> f64 {
    sound.len() as f64 / f64::from(RATE_HZ)
}

/// It is this sentence, once and whole.
fn assert_whole(sound: &[i16]) {
    assert!((2.0..4.5).contains(&seconds(sound)), "{} s of sound", seconds(sound));
    assert!(sound.iter().any(|s| s.unsigned_abs() > 2000), "it is loud");
}

/// Workers of this test's own process tree: children named jarvis-voice.
fn workers() -> Vec<Pid> {
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<_> = tail.split(' ').collect();
        if head.ends_with("(jarvis-voice") && fields[1] == own && fields[0] != "Z" {
            found.extend(head.split(' ').next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)));
        }
    }
    found
}

/// The worker of this house, found by being there only after it spoke. Tests run in processes of their own threads: each house must
/// find its own, so the worker's program is a copy with a name of its own folder.
fn worker_of(program: &Path) -> Option<Pid> {
    workers()
        .into_iter()
        .find(|pid| fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero())).is_ok_and(|exe| exe == program))
}

/// A copy of the worker, so that its process can be told from those of other tests.
fn own_worker(folder: &Path) -> PathBuf {
    let copy = folder.join("jarvis-voice");
    fs::copy(worker(), &copy).unwrap();
    copy
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn espeak_speaks_a_sentence_whole_and_nothing_that_is_none() {
    let house = House::start("").await;
    let (spoken, sound) = house.say(SENTENCE).await;
    assert_eq!((spoken.engine.as_str(), spoken.fallback, spoken.cached), ("espeak-ng", None, false));
    assert_eq!(spoken.rate_hz, RATE_HZ);
    assert_whole(&sound);
    assert_eq!(house.speech.speak("...").await.unwrap_err(), SpeechError::NothingToSay);
    assert!(house.speech.speak(&"word ".repeat(10_000)).await.is_err());
    house.end().await;
}

#[tokio::test]
async fn the_first_sound_is_heard_before_the_last_is_made() {
    // A worker that gives the beginning of a sentence and nothing after it, so that whoever waited for the end would wait in vain.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("jarvis-voice");
    // Byte by byte, since head keeps what it reads until a page is full.
    let first = "dd bs=1 count=60000 status=none";
    let script = format!("#!/bin/sh\n'{}' | {{ {first}; cat >/dev/null; }}\n", worker().display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let house = House::start(&format!("cache_bytes = 0\nworker = '{}'", program.display())).await;
    let mut spoken = house.speech.speak(SENTENCE).await.unwrap();
    let mut heard = Vec::new();
    while heard.iter().all(|s: &i16| s.unsigned_abs() < 2000) {
        heard.extend(spoken.next().await.unwrap().unwrap());
    }
    assert!(seconds(&heard) < 2.0, "{} s", seconds(&heard));
    drop(spoken);
    house.end().await;

    let server = SpeechServer::start(None).await.unwrap();
    let house = House::with(&server, "").await;
    server.fails(Fault::Stalls(48_000));
    let mut spoken = house.speech.speak(SENTENCE).await.unwrap();
    assert_eq!(spoken.engine, "openai");
    assert!(!spoken.next().await.unwrap().unwrap().is_empty());
    drop(spoken);
    house.end().await;
}

#[tokio::test]
async fn what_was_spoken_once_comes_from_the_disk_also_after_a_restart() {
    let house = House::start("").await;
    let (_, first) = house.say(SENTENCE).await;
    until("it is kept", || house.speech.status().cache.sentences == 1).await;
    let (spoken, second) = house.say(SENTENCE).await;
    assert!(spoken.cached && second == first);
    let state = house.end().await;
    // No worker can be started now: the disk alone speaks.
    let house = House::in_folder("worker = '/nonexistent/jarvis-voice'", state).await;
    let (spoken, third) = house.say(SENTENCE).await;
    assert!(spoken.cached && third == first);
    until("the hit is counted", || house.speech.status().cache.hits == 1).await;
    let error = house.speech.speak("something new").await.unwrap_err().to_string();
    assert!(error.contains("/nonexistent/jarvis-voice"), "{error}");
    house.end().await;
}

#[tokio::test]
async fn a_changed_voice_is_another_sentence() {
    let house = House::start("").await;
    house.say(SENTENCE).await;
    let state = house.end().await;
    for changed in ["pitch = 60", "rate = 200", "voice = 'en-us'"] {
        let house = House::in_folder(changed, tempfile::tempdir_in(state.path()).unwrap()).await;
        fs::create_dir_all(house.cache()).unwrap();
        for file in fs::read_dir(state.path().join("speech")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), house.cache().join(file.file_name())).unwrap();
        }
        let (spoken, _) = house.say(SENTENCE).await;
        assert!(!spoken.cached, "{changed}");
        house.end().await;
    }
}

#[tokio::test]
async fn a_killed_worker_costs_nothing_but_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let program = own_worker(folder.path());
    let house = House::start(&format!("cache_bytes = 0\nworker = '{}'", program.display())).await;
    house.say("good evening.").await;
    let before = worker_of(&program).unwrap();
    kill_process(before, Signal::KILL).unwrap();
    let (_, sound) = house.say(SENTENCE).await;
    assert_whole(&sound);
    assert_ne!(worker_of(&program).unwrap(), before);
    house.end().await;
    until("no worker outlives the house", || worker_of(&program).is_none()).await;
}

#[tokio::test]
async fn a_worker_killed_in_mid_sentence_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let program = own_worker(folder.path());
    let house = House::start(&format!("cache_bytes = 0\nrate = 80\nworker = '{}'", program.display())).await;
    let long = "every guest of the cluster is well, ".repeat(12);
    let (_, whole) = house.say(&long).await;
    let mut spoken = house.speech.speak(&long).await.unwrap();
    let mut sound = spoken.next().await.unwrap().unwrap();
    kill_process(worker_of(&program).unwrap(), Signal::KILL).unwrap();
    sound.extend(spoken.whole().await.unwrap());
    // Either the whole sentence had left the worker already, or the next worker took over.
    assert!(spoken.fallback.as_ref().is_none_or(|reason| reason.contains("signal 9")), "{:?}", spoken.fallback);
    assert!(sound.len().abs_diff(whole.len()) < RATE_HZ as usize / 20, "{} of {} s", seconds(&sound), seconds(&whole));
    house.say(SENTENCE).await;
    house.end().await;
}

#[tokio::test]
async fn a_hung_worker_is_replaced_and_the_sentence_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let program = own_worker(folder.path());
    let house = House::start(&format!("cache_bytes = 0\nworker = '{}'", program.display())).await;
    house.say("good evening.").await;
    let hung = worker_of(&program).unwrap();
    kill_process(hung, Signal::STOP).unwrap();
    let (spoken, sound) = house.say(SENTENCE).await;
    assert!(
        spoken.fallback.as_ref().is_some_and(|reason| reason.contains("said nothing for")),
        "{:?}",
        spoken.fallback
    );
    assert_whole(&sound);
    until("the hung one is gone", || worker_of(&program) != Some(hung)).await;
    let (spoken, _) = house.say("and again.").await;
    assert_eq!(spoken.fallback, None);
    assert_eq!(house.speech.status().engines[0].trouble, None);
    house.end().await;
}

#[tokio::test]
async fn whoever_stops_listening_stops_the_engine() {
    let house = House::start("cache_bytes = 0\nrate = 80").await;
    for _ in 0..20 {
        let mut spoken = house.speech.speak(&"it goes on and on, ".repeat(20)).await.unwrap();
        spoken.next().await.unwrap().unwrap();
    }
    let (_, sound) = house.say("good evening.").await;
    assert!(seconds(&sound) < 4.0);
    house.end().await;
}

#[tokio::test]
async fn several_rooms_are_answered_at_once() {
    let house = House::start("cache_bytes = 0").await;
    let mut rooms = tokio::task::JoinSet::new();
    for room in 0..30 {
        let speech = house.speech.clone();
        rooms.spawn(async move {
            let mut spoken = speech.speak(&format!("{SENTENCE} {}", "indeed ".repeat(room % 3))).await.unwrap();
            assert_whole(&spoken.whole().await.unwrap()[..]);
        });
    }
    while let Some(ended) = rooms.join_next().await {
        ended.unwrap();
    }
    house.end().await;
}

#[tokio::test]
async fn a_server_speaks_in_either_format_and_with_its_key() {
    let server = SpeechServer::start(Some("sesame")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    fs::write(&key, "sesame\n").unwrap();
    let key = format!("key_file = '{}'", key.display());
    for format in ["pcm", "wav"] {
        let house =
            House::with(&server, &format!("name = 'kokoro'\nvoice = 'fable'\nformat = '{format}'\n{key}")).await;
        let (spoken, sound) = house.say(SENTENCE).await;
        assert_eq!((spoken.engine.as_str(), &spoken.fallback), ("kokoro", &None));
        assert_whole(&sound);
        house.end().await;
    }
    let house = House::with(&server, "voice = 'fable'").await;
    let (spoken, sound) = house.say(SENTENCE).await;
    assert_eq!(spoken.engine, "espeak-ng");
    assert!(spoken.fallback.unwrap().contains("Incorrect API key"));
    assert_whole(&sound);
    house.end().await;
}

#[tokio::test]
async fn headers_that_lie_and_odd_rates_are_played_whole() {
    let server = SpeechServer::start(None).await.unwrap();
    let house = House::with(&server, "format = 'wav'").await;
    let (_, whole) = house.say(SENTENCE).await;
    for stated in [0, 10, 44, 20_001, 0x7fff_ffff] {
        server.fails(Fault::Stated(stated));
        let (spoken, sound) = house.say(SENTENCE).await;
        assert_eq!(spoken.fallback, None);
        assert!(sound == whole, "stated {stated}: {} of {} s", seconds(&sound), seconds(&whole));
    }
    for rate_hz in [16_000, 22_050, 37_123, 48_000] {
        server.fails(Fault::Rate(rate_hz));
        let (spoken, sound) = house.say(SENTENCE).await;
        assert_eq!(spoken.fallback, None);
        let wanted = seconds(&whole) * 24_000.0 / f64::from(rate_hz);
        assert!((seconds(&sound) - wanted).abs() < 0.1, "{rate_hz}: {} of {wanted} s", seconds(&sound));
    }
    server.fails(Fault::Rate(12));
    let (spoken, _) = house.say(SENTENCE).await;
    assert!(spoken.fallback.unwrap().contains("12 Hz"));
    house.end().await;
}

/// Each of these faults ends in espeak-ng's voice, whole, with a reason that names it.
#[tokio::test]
async fn whatever_a_server_does_the_sentence_is_spoken() {
    let server = SpeechServer::start(None).await.unwrap();
    for (fault, reason) in [
        (Fault::Late(Duration::from_secs(60)), "no sound within 200 ms"),
        (Fault::Mute, "no sound within 200 ms"),
        (Fault::Stalls(0), "no sound within 200 ms"),
        (Fault::Status(500), "CUDA out of memory"),
        (Fault::Html, "text/html"),
        (Fault::HtmlAsSound, "text instead of sound"),
        (Fault::Mp3, "audio/mpeg"),
    ] {
        // Short for what never comes alone: what comes may take its time.
        let house =
            House::with(&server, if reason.starts_with("no sound") { "first_chunk_ms = 200" } else { "" }).await;
        server.fails(fault.clone());
        let (spoken, sound) = house.say(SENTENCE).await;
        assert_eq!(spoken.engine, "espeak-ng", "{fault:?}");
        let told = spoken.fallback.unwrap();
        assert!(told.starts_with("openai: ") && told.contains(reason), "{fault:?}: {told}");
        assert_whole(&sound);
        let status = house.speech.status();
        until("the page shows it", || house.speech.status().engines[0].trouble.is_some()).await;
        assert_eq!(status.engines.len(), 2);
        house.end().await;
    }
    for (fault, reason) in [(Fault::Silence, "nothing but silence"), (Fault::Cuts(0), "broke off")] {
        let house = House::with(&server, "").await;
        server.fails(fault.clone());
        let (spoken, sound) = house.say(SENTENCE).await;
        assert!(spoken.fallback.as_ref().unwrap().contains(reason), "{fault:?}: {:?}", spoken.fallback);
        assert_whole(&sound);
        house.end().await;
    }
}

#[tokio::test]
async fn a_server_that_breaks_off_is_replaced_in_mid_sentence() {
    let server = SpeechServer::start(None).await.unwrap();
    for (fault, reason) in [(Fault::Cuts(48_000), "broke off"), (Fault::Stalls(48_000), "no more sound for 700 ms")] {
        let between = if matches!(fault, Fault::Cuts(_)) { 30_000 } else { 700 };
        let house = House::with(&server, &format!("first_chunk_ms = 30000\nbetween_chunks_ms = {between}")).await;
        server.fails(fault.clone());
        let mut spoken = house.speech.speak(SENTENCE).await.unwrap();
        assert_eq!((spoken.engine.as_str(), &spoken.fallback), ("openai", &None));
        let sound = spoken.whole().await.unwrap();
        assert_eq!(spoken.engine, "espeak-ng");
        assert!(spoken.fallback.as_ref().unwrap().contains(reason), "{:?}", spoken.fallback);
        // One second of it was heard, a breath, and then the whole sentence.
        assert!((3.0..5.8).contains(&seconds(&sound)), "{} s", seconds(&sound));
        house.end().await;
    }
}

/// All the way to a room: whoever hears another voice than before is told why, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_voice_is_a_word_in_the_answer_an_event_and_a_line_of_the_status() {
    let server = SpeechServer::start(None).await.unwrap();
    let limits = "first_chunk_ms = 30000\nbetween_chunks_ms = 30000";
    let section = format!("[[speech.engines]]\nkind = 'openai'\nname = 'kokoro'\nurl = '{}'\n{limits}\n", server.url());
    let desk = Desk::among(root(), programs().unwrap(), 31, section).await.unwrap();
    let seat = Seat::take(&desk, "study").await.unwrap();
    let said = |text: &str| {
        let turn = desk.ask_in("study", text).unwrap();
        assert_eq!(turn.error, None, "{turn:?}");
        desk.sentences(turn.turn_id.0).unwrap()
    };
    let told = |sentences: &[String]| sentences.iter().filter(|sentence| sentence.contains("kokoro")).count();
    let before = said("what time is it");
    assert!(told(&before) == 0 && server.requests() > 0, "{before:?}");
    server.fails(Fault::Status(500));
    let changed = said("who are you");
    assert_eq!(told(&changed), 1, "{changed:?}");
    assert!(changed.len() > 1 && changed.last().is_some_and(|last| last.contains("kokoro")), "{changed:?}");
    until("the status tells it", || {
        let status = desk.ctl(&["status"]).unwrap();
        let degraded = status["degraded"].as_array().unwrap();
        degraded.iter().any(|d| d["part"] == "speech" && d["fallback"] == "espeak-ng")
    })
    .await;
    let after = said("how is the cluster");
    assert!(told(&after) == 0 && !after.is_empty(), "it was told: {after:?}");
    assert!(seat.heard() >= 3, "{} answers were heard", seat.heard());
}

#[tokio::test]
async fn endless_sound_is_cut() {
    let server = SpeechServer::start(None).await.unwrap();
    let house = House::with(&server, "").await;
    server.fails(Fault::Endless);
    let mut spoken = house.speech.speak("good evening.").await.unwrap();
    let sound = spoken.whole().await.unwrap();
    assert!(spoken.fallback.unwrap().contains("for one sentence"));
    assert!(seconds(&sound) < 20.0, "{} s", seconds(&sound));
    house.end().await;
}

#[tokio::test]
async fn an_engine_that_failed_is_passed_over_for_a_while() {
    let server = SpeechServer::start(None).await.unwrap();
    let house = House::with(&server, "").await;
    server.fails(Fault::Status(503));
    house.say("one.").await;
    until("the failure is known", || house.speech.status().engines[0].trouble.is_some()).await;
    let requests = server.requests();
    let (spoken, _) = house.say("two.").await;
    assert_eq!(server.requests(), requests);
    assert!(spoken.fallback.unwrap().contains("passed over"));
    house.end().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_no_time() {
    let house = House::start("[[engines]]\nkind = 'openai'\nname = 'kokoro'\nurl = 'http://127.0.0.1:9/v1'").await;
    let (spoken, sound) = house.say(SENTENCE).await;
    assert!(spoken.fallback.unwrap().starts_with("kokoro: can't be reached"));
    assert_whole(&sound);
    house.end().await;
}

#[tokio::test]
async fn a_url_or_key_that_cannot_work_is_told_at_the_start() {
    for (line, part) in [
        ("url = 'kokoro:8880'", "write http://host:port/v1"),
        ("url = 'file:///tmp'", "write http://host:port/v1"),
        ("url = 'http://127.0.0.1:9/v1'\nkey_file = '/nonexistent'", "/nonexistent"),
    ] {
        let config: SpeechConfig = toml::from_str(&format!("[[engines]]\nkind = 'openai'\n{line}")).unwrap();
        let error = Speech::start(&config).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn the_cache_keeps_its_limit_and_a_folder_it_cannot_write_only_costs_time() {
    let house = House::start("cache_bytes = 400000").await;
    for n in 0..8 {
        house.say(&format!("{SENTENCE} {}", "indeed ".repeat(n))).await;
        let used: u64 = fs::read_dir(house.cache())
            .map(|files| files.flatten().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum())
            .unwrap_or(0);
        assert!(used <= 400_000, "{used} bytes");
    }
    until("some are kept", || house.speech.status().cache.sentences > 0).await;
    assert!(house.speech.status().cache.bytes <= 400_000);
    let state = house.end().await;

    let blocked = tempfile::tempdir_in(state.path()).unwrap();
    fs::write(blocked.path().join("speech"), "a file where the folder should be").unwrap();
    let house = House::in_folder("", blocked).await;
    let (spoken, sound) = house.say(SENTENCE).await;
    assert!(!spoken.cached);
    assert_whole(&sound);
    until("it is told", || house.speech.status().cache.trouble.is_some()).await;
    house.end().await;
}

/// A file system of its own that is smaller than what is spoken.
#[tokio::test]
async fn a_full_disk_only_costs_time() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let what = "what a full disk does to the sentences that are kept";
    let Some(_disk) = SmallDisk::mount(&small, "96k", "0700", "disk-full-speech", what).unwrap() else { return };
    let house = House::in_folder("", tempfile::tempdir_in(&small).unwrap()).await;
    for n in 0..3 {
        let (spoken, sound) = house.say(&format!("{SENTENCE} {}", "indeed ".repeat(n))).await;
        assert!(!spoken.cached && seconds(&sound) > 2.0);
    }
    until("it is told", || house.speech.status().cache.trouble.is_some()).await;
    let trouble = house.speech.status().cache.trouble.unwrap();
    assert!(trouble.contains("No space left"), "{trouble}");
    let left: Vec<_> = fs::read_dir(house.cache()).unwrap().flatten().collect();
    assert!(left.is_empty(), "nothing half-written stays: {left:?}");
    drop(house.end().await);
}
