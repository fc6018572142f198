//! `build.*`: `make test` in a fresh clone, first with nothing built, then again.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{Bench, Goal, Row};

/// Clones what is committed, and times `make test` there twice.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir_in(&bench.dir)?;
    let clone = dir.path().join("jarvis");
    let status = Command::new("git").arg("clone").arg("--quiet").arg(&bench.root).arg(&clone).status()?;
    ensure!(status.success(), "git clone ended with {status}");
    let test = || -> Result<f64> {
        let started = Instant::now();
        let output = Command::new("make")
            .arg("test")
            .current_dir(&clone)
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("JARVIS_LIBVOSK_DIR")
            .env_remove("MAKEFLAGS")
            .output()
            .context("start make")?;
        ensure!(output.status.success(), "make test: {}", String::from_utf8_lossy(&output.stdout));
        Ok(started.elapsed().as_secs_f64())
    };
    Ok(vec![
        Row::new("build.cold_s", test()?, "s", Goal::AtMost(2400.0), 1),
        Row::new("build.warm_s", test()?, "s", Goal::AtMost(300.0), 1),
    ])
}
