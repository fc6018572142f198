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
    EarConfig { worker: Some(path), model, max_call_ms: 300, load_ms: 5_000, ..EarConfig::default() }
}

/// `printf`'s argument for a frame.
fn frame(event: &jarvis_worker::EarEvent) -> String {
    jarvis_worker::frames::encode(event).unwrap().iter().map(|b| format!("\\{b:03o}")).collect()
}

fn ready() -> String {
    frame(&jarvis_worker::EarEvent::Ready { library: "scripted".into(), load_ms: 1 })
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
async fn a_worker_that_never_answers_is_lost_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("printf '{}'; exec cat >/dev/null", ready());
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
    let script =
        format!("printf '{}'; head -c 1 >/dev/null; printf '\\377\\377\\377\\377'; exec cat >/dev/null", ready());
    let (ear, task) = Ear::start(scripted(folder.path(), &script)).await.unwrap();
    let task = tokio::spawn(task.run());
    let mut session = ear.begin().await.unwrap();
    let EarHeard::Lost { reason } = session.next().await else { panic!("not lost") };
    assert!(reason.contains("frame"), "{reason}");
    task.abort();
}

#[tokio::test]
async fn a_second_session_at_a_time_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("printf '{}'; exec cat >/dev/null", ready());
    let (ear, task) = Ear::start(scripted(folder.path(), &script)).await.unwrap();
    let task = tokio::spawn(task.run());
    let first = ear.begin().await.unwrap();
    assert_eq!(ear.begin().await.unwrap_err(), EarError::Busy);
    drop(first);
    // The owner task sees the drop when it looks next.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while ear.begin().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "still busy");
        tokio::task::yield_now().await;
    }
    task.abort();
}
