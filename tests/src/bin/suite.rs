//! `make test`'s runner; its argument is the cargo to build with.

use std::path::Path;

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    jarvis_tests::suite::run(&root, std::env::args().nth(1).as_deref().unwrap_or("cargo"))
}
