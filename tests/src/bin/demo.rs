//! `make demo`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use jarvis_tests::demo::variables::{self, Surroundings, Wanted};
use jarvis_tests::demo::{self, live, minds};
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
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() % 100_000;
    let given = variables::given(|name| std::env::var(name).ok());
    match variables::read(&given, Surroundings { root, programs: programs()?, seed })? {
        Wanted::Room(demo) => demo::run(&demo).await,
        Wanted::Person(live) => live::run(&live).await.map(|()| true),
        Wanted::Model(minded) => minds::run(&minded).await,
    }
}
