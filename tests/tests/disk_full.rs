//! A disk that really is full: a memory file system of one megabyte.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::process::Command;

use jarvisd::store::{NewTurn, Source, Store, StoreError};

/// A mounted file system that goes with its owner.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(folder: &'a Path) -> Option<Self> {
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "jarvis-test"]).arg(folder).output();
        done.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Small<'_> {
    /// Its owner makes room.
    fn grow(&self) {
        let done = Command::new("mount").args(["-o", "remount,size=4m"]).arg(self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "the file system grows");
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(self.0).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.0.display());
        }
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(folder.path()) else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let path = folder.path().join("jarvis.db");
    let (store, _) = Store::open(&path).unwrap();
    let turn = NewTurn { room: "study".into(), satellite: None, source: Source::Typed, started_ms: 1, wake: None };
    let id = store.begin_turn(turn).await.unwrap();
    let mut acknowledged = Vec::new();
    let error = loop {
        let sentence = format!("{} {}", acknowledged.len(), "and so on ".repeat(800));
        match store.sentence(id, 0, &sentence).await {
            Ok(()) => acknowledged.push(sentence),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 1000, "the disk is never full");
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(error.to_string().contains("free space"), "{error}");
    let spoken = |store: Store| async move {
        let row = store.turn(id).await.unwrap().unwrap();
        row.sentences.into_iter().map(|s| s.text).collect::<Vec<_>>()
    };
    assert_eq!(spoken(store.clone()).await, acknowledged);
    if let Err(error) = store.close().await {
        println!("closing on the full disk: {error}");
    }
    small.grow();
    let (store, opened) = Store::open(&path).unwrap();
    assert!(opened.kept_aside.is_none());
    assert_eq!(spoken(store).await, acknowledged);
    drop(small);
}
