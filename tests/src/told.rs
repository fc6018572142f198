//! What a run of the tests has to tell at its end: the test harness swallows what tests print, so they leave a line here and `make test`
//! prints them last.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where the lines lie, a file each; `make test` clears it first.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/told")
}

/// Leaves a line; `name` is its file's.
pub fn tell(name: &str, line: &str) -> Result<()> {
    let folder = folder();
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    println!("{line}");
    std::fs::write(&file, format!("{line}\n")).with_context(|| format!("write {}", file.display()))
}

/// Leaves word of a check that could not be made here.
pub fn not_run(name: &str, what_and_why: &str) -> Result<()> {
    tell(name, &format!("NOT RUN: {what_and_why}"))
}
