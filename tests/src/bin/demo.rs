//! `make demo`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use jarvis_tests::demo::live::{self, Live};
use jarvis_tests::demo::minds::{self, Minded};
use jarvis_tests::demo::request::{self, Request};
use jarvis_tests::demo::{self, Demo};
use jarvis_tests::process::programs;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool> {
    let given = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let on = |name: &str| given(name).is_some_and(|v| v != "0");
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let dir = given("OUT").map_or_else(|| root.join("target/demo"), PathBuf::from);
    let seed = match given("SEED") {
        Some(text) => text.parse().context("SEED is a whole number")?,
        None => std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() % 100_000,
    };
    if on("MIC") {
        let live = Live {
            dir,
            root,
            programs: programs()?,
            seed,
            model: given("MODEL").map(PathBuf::from),
            microphone: given("MICROPHONE").unwrap_or_default(),
            loudspeaker: given("LOUDSPEAKER").unwrap_or_default(),
        };
        return live::run(&live).await.map(|()| true);
    }
    if let Some(mind) = given("MIND") {
        let mind = mind.parse()?;
        return minds::run(&Minded { mind, dir, root, programs: programs()?, seed }).await;
    }
    let (say, wav, script) = (given("SAY"), given("WAV"), given("SCRIPT"));
    ensure!(
        [&say, &wav, &script].iter().filter(|g| g.is_some()).count() <= 1,
        "SAY, WAV and SCRIPT are three ways to say what is said: give one"
    );
    let requests = match (wav, script) {
        (Some(file), _) => vec![Request::Recorded(file.into())],
        (_, Some(file)) => request::script(&PathBuf::from(file))?,
        _ => {
            let text = say.unwrap_or_else(|| request::SAY.to_owned());
            vec![Request::Spoken { voice: given("VOICE").unwrap_or_else(|| request::VOICE.to_owned()), text }]
        }
    };
    let echo_db =
        given("ECHO").map_or(Ok(-10.0), |e| e.parse()).context("ECHO is a level in decibels, such as -10 or 0")?;
    demo::run(&Demo { dir, root, programs: programs()?, seed, echo_db, requests, stay: on("STAY") }).await
}
