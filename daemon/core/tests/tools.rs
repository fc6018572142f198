//! One file per tool, and one line in the table.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;

use jarvis_core::tools::TOOLS;

#[test]
fn the_table_and_the_files_match() {
    let names: BTreeSet<_> = TOOLS.iter().map(|tool| tool.name()).collect();
    assert_eq!(names.len(), TOOLS.len(), "a name stands twice");
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools");
    let shared = ["mod", "asked", "call", "effect", "guest", "read", "ruling", "tests"];
    let files: BTreeSet<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| !shared.contains(&name.as_str()))
        .collect();
    assert_eq!(files, names.iter().map(|name| (*name).to_owned()).collect(), "one file per tool, called as the tool");
}
