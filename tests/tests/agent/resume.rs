//! Kills in the middle of a run: whatever the moment, nothing runs twice, and what was cut off is told.

use jarvis_tests::process::programs;
use jarvis_tests::resume;
use jarvis_tests::trial::root;

/// Every so many commits; `make bench ONLY=m6` takes each.
const STRIDE: u64 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_the_end_is_the_same_and_what_was_cut_is_told() {
    let found = resume::kills(&root(), &programs().unwrap(), 81, STRIDE).await.unwrap();
    assert!(found.kills >= 4, "{found:?}");
    assert!(found.in_a_run > 0, "no kill fell into a run: {found:?}");
    assert!(found.spoken > 0, "no room was told aloud: {found:?}");
    assert!(found.mismatches.is_empty(), "{found:#?}");
}
