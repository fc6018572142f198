//! `make bench`.

use std::path::PathBuf;

use clap::Parser;
use jarvis_tests::bench::{self, Bench};

/// Measures Jarvis and writes target/bench/bench.json.
#[derive(Parser)]
struct Arguments {
    /// Beginnings of the figures' ids, such as v18 or v18.llm,s5.
    #[arg(long)]
    only: Option<String>,
    /// Seed of everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let programs = jarvis_tests::process::programs()?;
    let bench = Bench { dir: root.join("target/bench"), root, programs, seed: arguments.seed };
    bench::run(&bench, arguments.only.as_deref())
}
