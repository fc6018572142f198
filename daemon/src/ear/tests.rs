//! The seam against scripted workers; with the real one and the real model in `tests/tests/ear.rs`.

use std::path::Path;

use super::*;

/// A worker that is a shell script; it gets no frames, it only writes some.
fn scripted(folder: &Path, script: &str) -> EarConfig {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("worker");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let model = folder.join("model");
    std::fs::create_dir_all(&model).unwrap();
    EarConfig { worker: Some(path), model, max_call_ms: 300, load_ms: 60_000, ..EarConfig::default() }
}

/// `printf`'s argument for a frame.
fn frame(event: &jarvis_worker::EarEvent) -> String {
    jarvis_worker::frames::encode(event).unwrap().iter().map(|b| format!("\\{b:03o}")).collect()
}

fn ready() -> String {
    frame(&jarvis_worker::EarEvent::Ready { library: "scripted".into(), load_ms: 1 })
}

/// A worker that is ready, answers the first ping, and then runs `then`.
fn answers(then: &str) -> String {
    let pong = frame(&jarvis_worker::EarEvent::Pong(1));
    format!("printf '{}'; head -c 1 >/dev/null; printf '{pong}'; {then}", ready())
}

async fn broken(ear: &mut Ear) -> String {
    loop {
        if let EarStatus::Broken { reason } = ear.status_changed().await {
            return reason;
        }
    }
}

#[tokio::test]
async fn a_missing_library_is_a_status_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let complaint = "worker: error while loading shared libraries: libvosk.so: cannot open shared object file";
    let (mut ear, task) =
        Ear::start(scripted(folder.path(), &format!("echo '{complaint}' >&2; exit 127"))).await.unwrap();
    let task = tokio::spawn(task.run());
    let reason = broken(&mut ear).await;
    assert!(reason.contains("libvosk.so") && reason.contains("library_dir"), "{reason}");
    assert!(matches!(ear.begin().await, Err(EarError::Broken(_))));
    drop(ear);
    task.await.unwrap();
}

#[tokio::test]
async fn what_the_worker_says_of_a_damaged_model_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let said = frame(&jarvis_worker::EarEvent::Unusable { reason: "the model is damaged; put it there again".into() });
    let (mut ear, task) = Ear::start(scripted(folder.path(), &format!("printf '{said}'"))).await.unwrap();
    let task = tokio::spawn(task.run());
    assert_eq!(broken(&mut ear).await, "the model is damaged; put it there again");
    task.abort();
}

#[tokio::test]
async fn a_worker_that_goes_on_hearing_is_never_late_however_much_lies_before_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let partial = frame(&jarvis_worker::EarEvent::Partial { session: 1, text: "how hot".into(), heard_ms: 500 });
    let last = frame(&jarvis_worker::EarEvent::Final {
        session: 1,
        text: "how hot is node two".into(),
        words: Vec::new(),
        worst_call_ms: 1,
    });
    // Five limits long it hears what came before the end.
    let hears = format!("end=$(($(date +%s) + 5)); while [ $(date +%s) -lt $end ]; do printf '{partial}'; done");
    let script = answers(&format!("{hears}; printf '{last}'; exec sleep 600"));
    let config = EarConfig { max_call_ms: 1_000, ..scripted(folder.path(), &script) };
    let (ear, task) = Ear::start(config).await.unwrap();
    let task = tokio::spawn(task.run());
    let mut session = ear.begin().await.unwrap();
    session.audio(&[0; 320]).await.unwrap();
    session.finish().await.unwrap();
    let heard = loop {
        match session.next().await {
            EarHeard::Partial { .. } => {}
            last => break last,
        }
    };
    assert!(matches!(&heard, EarHeard::Final { text, .. } if text == "how hot is node two"), "{heard:?}");
    task.abort();
}

#[tokio::test]
async fn a_worker_that_never_answers_is_lost_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let script = answers("exec sleep 600");
    let (ear, task) = Ear::start(scripted(folder.path(), &script)).await.unwrap();
    let task = tokio::spawn(task.run());
    for _ in 0..2 {
        let mut session = ear.begin().await.unwrap();
        session.audio(&[0; 320]).await.unwrap();
        let EarHeard::Lost { reason } = session.next().await else { panic!("not lost") };
        assert!(reason.contains("300 ms"), "{reason}");
        // For ever after.
        assert!(matches!(session.next().await, EarHeard::Lost { .. }));
    }
    task.abort();
}

#[tokio::test]
async fn garbage_from_the_worker_is_lost_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let script = answers("printf '\\377\\377\\377\\377'; exec sleep 600");
    // It is given up for its garbage, not for its silence.
    let config = EarConfig { max_call_ms: 60_000, ..scripted(folder.path(), &script) };
    let (ear, task) = Ear::start(config).await.unwrap();
    let task = tokio::spawn(task.run());
    let mut session = ear.begin().await.unwrap();
    let EarHeard::Lost { reason } = session.next().await else { panic!("not lost") };
    assert!(reason.contains("frame"), "{reason}");
    task.abort();
}

#[tokio::test]
async fn beyond_the_workers_a_session_waits_for_the_first_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let script = answers("exec sleep 600");
    let (ear, task) = Ear::start(EarConfig { workers: 2, ..scripted(folder.path(), &script) }).await.unwrap();
    let task = tokio::spawn(task.run());
    let first = ear.begin().await.unwrap();
    let _second = ear.begin().await.unwrap();
    let (mut third, mut fourth) = (std::pin::pin!(ear.begin()), std::pin::pin!(ear.begin()));
    tokio::select! {
        biased;
        begun = &mut third => panic!("a third of two: {begun:?}"),
        begun = &mut fourth => panic!("a fourth of two: {begun:?}"),
        () = tokio::time::sleep(Duration::from_millis(100)) => {}
    }
    drop(first);
    tokio::select! {
        begun = &mut third => drop(begun.unwrap()),
        begun = &mut fourth => panic!("out of order: {begun:?}"),
    }
    task.abort();
}

#[tokio::test]
async fn a_spare_that_hung_while_it_was_idle_costs_no_utterance() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("hung").display().to_string();
    let hangs = format!("if mkdir {mark} 2>/dev/null; then printf '{}'; exec sleep 600; fi", ready());
    let counted = format!("echo start >>{}", folder.path().join("starts").display());
    let script = format!("{counted}; {hangs}; {}", answers("exec sleep 600"));
    let (ear, task) = Ear::start(EarConfig { workers: 1, ..scripted(folder.path(), &script) }).await.unwrap();
    let task = tokio::spawn(task.run());
    let _session = ear.begin().await.unwrap();
    assert!(starts(folder.path()) >= 2, "the session is on one that answers");
    task.abort();
}

#[tokio::test]
async fn who_waits_in_vain_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let script = answers("exec sleep 600");
    let (ear, task) = Ear::start(EarConfig { workers: 1, ..scripted(folder.path(), &script) }).await.unwrap();
    let task = tokio::spawn(task.run());
    let first = ear.begin().await.unwrap();
    let refused = ear.begin().await.unwrap_err();
    assert_eq!(refused, EarError::Busy { workers: 1 });
    assert!(refused.to_string().contains("[ear]"), "{refused}");
    // Who gave up waiting takes no worker from the next.
    drop(first);
    ear.begin().await.unwrap();
    task.abort();
}

/// Times the scripted worker was started.
fn starts(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("starts")).map_or(0, |text| text.lines().count())
}

#[tokio::test]
async fn all_workers_are_loaded_before_anybody_speaks_and_one_that_dies_idle_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("died").display().to_string();
    let script = format!(
        "echo start >>{starts}; printf '{ready}'; if mkdir {mark} 2>/dev/null; then exit 1; fi; exec sleep 600",
        starts = folder.path().join("starts").display(),
        ready = ready()
    );
    let (ear, task) = Ear::start(EarConfig { workers: 3, ..scripted(folder.path(), &script) }).await.unwrap();
    let task = tokio::spawn(task.run());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while starts(folder.path()) < 4 || !matches!(ear.status(), EarStatus::Ready { loaded: 3, workers: 3, .. }) {
        assert!(tokio::time::Instant::now() < deadline, "{:?}, {} starts", ear.status(), starts(folder.path()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    task.abort();
}

#[tokio::test]
async fn what_is_wrong_with_all_workers_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let said = frame(&jarvis_worker::EarEvent::Unusable { reason: "the model is damaged".into() });
    let script = format!("echo start >>{}; printf '{said}'", folder.path().join("starts").display());
    let (mut ear, task) = Ear::start(EarConfig { workers: 4, ..scripted(folder.path(), &script) }).await.unwrap();
    let task = tokio::spawn(task.run());
    assert_eq!(broken(&mut ear).await, "the model is damaged");
    // The first restart comes at once.
    assert!(starts(folder.path()) <= 2, "one worker tries, not four: {}", starts(folder.path()));
    task.abort();
}
