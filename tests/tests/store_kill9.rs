//! What the store acknowledged survives `kill -9`; `make bench ONLY=store` does the same 200 times.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::path::Path;

use jarvis_tests::bench::store::kill9;

#[test]
fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let child = Path::new(env!("CARGO_BIN_EXE_jarvis-store-writer"));
    let shown = kill9(child, folder.path(), 20, 7).unwrap();
    assert_eq!(shown.lost, Vec::<String>::new());
    assert_eq!(shown.kills, 20);
    assert!(shown.inside_commit >= 6, "a third of them by construction: {shown:?}");
}
