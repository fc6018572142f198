//! The ear with its real worker, real library and real model: what it hears, and what becomes of a turn whose worker dies or hangs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use jarvis_tests::process;
use jarvis_tests::trial::{root, spoken};
use jarvisd::ear::{Ear, EarConfig, EarError, EarHeard, EarSession, EarStatus};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// For anything that real processes do; never what a test is about.
const LIMIT: Duration = Duration::from_secs(60);
const VOICE: &str = "en-gb-x-rp";

/// A worker that is given whatever time it needs: only what hangs is to be found late.
fn config() -> EarConfig {
    EarConfig {
        max_call_ms: 60_000,
        worker: Some(process::programs().unwrap().join("jarvis-ear")),
        model: root().join("daemon/models/en-commands"),
        library_dir: Some(root().join("target/native")),
        ..EarConfig::default()
    }
}

async fn started(config: EarConfig) -> (Ear, JoinHandle<()>) {
    let (ear, task) = Ear::start(config).await.unwrap();
    (ear, tokio::spawn(task.run()))
}

async fn settled(ear: &mut Ear) -> EarStatus {
    timeout(LIMIT, async {
        loop {
            match ear.status() {
                EarStatus::Starting => ear.status_changed().await,
                other => return other,
            };
        }
    })
    .await
    .expect("the ear never settled")
}

/// A session, however long the worker's restart takes.
async fn begin(ear: &Ear) -> EarSession {
    timeout(LIMIT, async {
        loop {
            match ear.begin().await {
                Ok(session) => return session,
                Err(EarError::Starting | EarError::Broken(_)) => sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
    .expect("no session")
}

async fn hear(session: &mut EarSession, samples: &[i16]) -> (Vec<String>, EarHeard) {
    for frame in samples.chunks(320) {
        session.audio(frame).await.unwrap();
    }
    session.finish().await.unwrap();
    let mut partials = Vec::new();
    loop {
        match timeout(LIMIT, session.next()).await.expect("no word") {
            EarHeard::Partial { text, .. } => partials.push(text),
            last => return (partials, last),
        }
    }
}

fn request(text: &str) -> Vec<i16> {
    let speech = spoken(VOICE, text);
    [vec![0; 8_000], speech, vec![0; 8_000]].concat()
}

fn pause(samples: usize) -> Vec<i16> {
    vec![0; samples]
}

/// Waits until so many workers have their model loaded.
async fn loaded(ear: &mut Ear, wanted: usize) {
    let all = async {
        while !matches!(ear.status(), EarStatus::Ready { loaded, .. } if loaded == wanted) {
            ear.status_changed().await;
        }
    };
    timeout(LIMIT, all).await.unwrap_or_else(|_| panic!("never {wanted} workers"));
}

/// Workers with this model that this test's ear has started.
fn worker_pids(model: &Path) -> Vec<Pid> {
    let me = std::process::id();
    let found = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let folder = entry.ok()?.path();
        let command = std::fs::read(folder.join("cmdline")).ok()?;
        let mut words = command.split(|b| *b == 0);
        let program = String::from_utf8_lossy(words.next()?).into_owned();
        let argument = String::from_utf8_lossy(words.next()?).into_owned();
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let ours = status.lines().any(|l| l.strip_prefix("PPid:").is_some_and(|p| p.trim() == me.to_string()));
        let fits = program.ends_with("jarvis-ear") && Path::new(&argument) == model && ours;
        fits.then(|| folder.file_name()?.to_str()?.parse().ok()).flatten().and_then(Pid::from_raw)
    });
    found.collect()
}

/// A copy of the model, so that a test finds its own worker by it.
fn own_model(folder: &Path) -> PathBuf {
    let (from, to) = (root().join("daemon/models/en-commands"), folder.join("model"));
    copy(&from, &to);
    to
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

#[tokio::test]
async fn a_request_is_heard_with_partials_and_the_wake_word() {
    let (mut ear, task) = started(config()).await;
    let EarStatus::Ready { model, tried_on_people, workers, .. } = settled(&mut ear).await else { panic!("broken") };
    assert_eq!((model.as_str(), tried_on_people, workers), ("en-commands", false, 2));
    let mut session = begin(&ear).await;
    let (partials, last) = hear(&mut session, &request("hey jarvis, how hot is node two")).await;
    let EarHeard::Final { text, words, .. } = last else { panic!("{last:?}") };
    assert_eq!(text, "hey jarvis how hot is node two");
    assert_eq!(words.len(), 7);
    assert!(words.is_sorted_by_key(|w| w.start_ms), "{words:?}");
    assert!(partials.iter().any(|p| p.starts_with("hey jarvis") && p.len() < text.len()), "{partials:?}");
    task.abort();
}

#[tokio::test]
async fn a_pause_does_not_end_the_utterance() {
    let (ear, task) = started(config()).await;
    let mut session = begin(&ear).await;
    let first = spoken(VOICE, "how is the cluster");
    let second = spoken(VOICE, "and how hot is node two");
    // Digital zeros for four seconds: libvosk as it is shipped ends after one, and invents words under zeros.
    let (_, last) = hear(&mut session, &[pause(8_000), first, pause(64_000), second, pause(8_000)].concat()).await;
    let EarHeard::Final { text, words, .. } = last else { panic!("{last:?}") };
    assert!(text.starts_with("how is the cluster") && text.ends_with("how hot is node two"), "{text}");
    let far = words.iter().find(|w| w.text == "hot").expect("hot");
    assert!(far.start_ms > 5_000, "times count from the first sample: {words:?}");
    task.abort();
}

#[tokio::test]
async fn silence_has_no_words() {
    let (ear, task) = started(config()).await;
    let mut session = begin(&ear).await;
    let (_, last) = hear(&mut session, &pause(5 * 16_000)).await;
    let EarHeard::Final { text, .. } = last else { panic!("{last:?}") };
    assert_eq!(text, "");
    task.abort();
}

#[tokio::test]
async fn an_utterance_of_a_minute_is_heard_to_its_end() {
    let (ear, task) = started(config()).await;
    let mut session = begin(&ear).await;
    let sentence = request("how hot is node two");
    let sound: Vec<i16> =
        sentence.iter().copied().cycle().take(60 * 16_000 / sentence.len() * sentence.len()).collect();
    let (_, last) = hear(&mut session, &sound).await;
    let EarHeard::Final { words, .. } = last else { panic!("{last:?}") };
    assert!(words.last().is_some_and(|w| w.end_ms > 50_000), "{words:?}");
    task.abort();
}

#[tokio::test]
async fn a_grammar_of_the_moment_hears_nothing_else() {
    let (ear, task) = started(config()).await;
    settled(&mut ear.clone()).await;
    let grammar = ["yes", "no", "[unk]", "not\"escaped"].map(str::to_owned).to_vec();
    let mut session = ear.begin_with(grammar).await.unwrap();
    let (_, last) = hear(&mut session, &request("yes")).await;
    let EarHeard::Final { text, .. } = last else { panic!("{last:?}") };
    assert_eq!(text, "yes");
    task.abort();
}

#[tokio::test]
async fn rooms_at_once_get_their_own_words_and_one_beyond_the_workers_waits_for_its_turn() {
    let (mut ear, task) = started(config()).await;
    loaded(&mut ear, 2).await;
    let said = ["how hot is node two", "which node is home assistant on", "how much memory is the database using"];
    let rooms = said.map(|text| {
        let ear = ear.clone();
        async move {
            // The last of three waits here, with its sound.
            let mut session = begin(&ear).await;
            hear(&mut session, &request(text)).await.1
        }
    });
    let heard = futures_util::future::join_all(rooms).await;
    for (heard, said) in heard.into_iter().zip(said) {
        let EarHeard::Final { text, .. } = heard else { panic!("{said:?}: {heard:?}") };
        assert_eq!(text, said);
    }
    task.abort();
}

/// A session with half of a request in it, and what then became of it, its sound going on as from a live microphone.
async fn half(ear: &Ear, sound: &[i16]) -> EarSession {
    let mut session = begin(ear).await;
    for frame in sound[..sound.len() / 2].chunks(320) {
        session.audio(frame).await.unwrap();
    }
    session
}

async fn other_half(mut session: EarSession, sound: &[i16]) -> EarHeard {
    for frame in sound[sound.len() / 2..].chunks(320) {
        // It is refused once the session is lost.
        if session.audio(frame).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    // Refused as well then: the session's own last word says why.
    session.finish().await.ok();
    timeout(LIMIT, async {
        loop {
            match session.next().await {
                EarHeard::Partial { .. } => {}
                last => return last,
            }
        }
    })
    .await
    .expect("never told")
}

/// Two rooms speak; one of the two workers is struck by `signal`: that utterance is lost, the other is heard to its end, the next works.
async fn struck_by(signal: Signal) {
    let folder = tempfile::tempdir().unwrap();
    let model = own_model(folder.path());
    let config = EarConfig { model: model.clone(), max_call_ms: 5_000, workers: 2, ..config() };
    let (mut ear, task) = started(config).await;
    loaded(&mut ear, 2).await;
    let said = "how hot is node two";
    let sound = request(said);
    let (one, other) = (half(&ear, &sound).await, half(&ear, &sound).await);
    let workers = worker_pids(&model);
    assert_eq!(workers.len(), 2);
    kill_process(workers[0], signal).unwrap();
    let (one, other) = tokio::join!(other_half(one, &sound), other_half(other, &sound));
    let (lost, heard): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(|h| matches!(h, EarHeard::Lost { .. }));
    assert_eq!(lost.len(), 1, "{lost:?} and {heard:?}");
    assert!(matches!(&heard[0], EarHeard::Final { text, .. } if text == said), "{heard:?}");
    loaded(&mut ear, 2).await;
    for _ in 0..2 {
        let mut session = begin(&ear).await;
        let (_, last) = hear(&mut session, &sound).await;
        assert!(matches!(&last, EarHeard::Final { text, .. } if text == said), "{last:?}");
    }
    task.abort();
}

#[tokio::test]
async fn a_killed_worker_loses_one_utterance_and_no_other() {
    struck_by(Signal::KILL).await;
}

#[tokio::test]
async fn a_hanging_worker_loses_one_utterance_and_no_other() {
    struck_by(Signal::STOP).await;
}

#[tokio::test]
async fn a_damaged_model_is_told_with_its_file_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let model = own_model(folder.path());
    let graph = model.join("graph/Gr.fst");
    let whole = std::fs::read(&graph).unwrap();
    std::fs::write(&graph, &whole[..whole.len() / 2]).unwrap();
    let (mut ear, task) = started(EarConfig { model: model.clone(), ..config() }).await;
    let EarStatus::Broken { reason } = settled(&mut ear).await else { panic!("it works") };
    assert!(reason.contains("graph/Gr.fst") && reason.contains("put it there again"), "{reason}");
    assert!(matches!(ear.begin().await, Err(EarError::Broken(_))));
    // Repaired, it works without a restart of the daemon.
    std::fs::write(&graph, &whole).unwrap();
    begin(&ear).await;
    task.abort();
}

#[tokio::test]
async fn a_model_of_others_is_used_or_named_damaged_by_its_structure() {
    let folder = tempfile::tempdir().unwrap();
    let model = own_model(folder.path());
    for ours in ["model.toml", "SHA256SUMS", "lexicon.tsv", "phone_bigrams.tsv"] {
        std::fs::remove_file(model.join(ours)).unwrap();
    }
    let (mut ear, task) = started(EarConfig { model: model.clone(), tried_on_people: Some(true), ..config() }).await;
    let EarStatus::Ready { model: name, tried_on_people, .. } = settled(&mut ear).await else { panic!("broken") };
    assert_eq!((name.as_str(), tried_on_people), ("model", true));
    task.abort();
    std::fs::write(model.join("am/final.mdl"), "a web page that says not found").unwrap();
    let (mut ear, task) = started(EarConfig { model, ..config() }).await;
    let EarStatus::Broken { reason } = settled(&mut ear).await else { panic!("it works") };
    assert!(reason.contains("final.mdl"), "{reason}");
    task.abort();
}

#[tokio::test]
async fn a_missing_library_is_told_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    // The program alone, away from the build's libraries: as if libvosk had never been put there.
    let program = folder.path().join("jarvis-ear");
    let built = std::fs::read(process::programs().unwrap().join("jarvis-ear")).unwrap();
    let path = root().join("target/native").canonicalize().unwrap();
    std::fs::write(&program, without(&built, path.to_str().unwrap())).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (mut ear, task) =
        started(EarConfig { worker: Some(program), library_dir: Some(folder.path().to_owned()), ..config() }).await;
    let EarStatus::Broken { reason } = settled(&mut ear).await else { panic!("it works") };
    assert!(reason.contains("libvosk.so") && reason.contains("library_dir"), "{reason}");
    task.abort();
}

/// The program with the folder in its run path made to lead nowhere.
fn without(program: &[u8], folder: &str) -> Vec<u8> {
    let mut program = program.to_vec();
    let at = program.windows(folder.len()).position(|w| w == folder.as_bytes()).expect("no run path");
    program[at + 1..at + folder.len()].fill(b'x');
    program
}
