//! A real llama-server with a scripted model, where `tests/llama/setup.sh` has put both in place.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::ports::free_port;
use crate::process::Process;

/// How long loading a model of 2 MB may take on a busy machine.
const START: Duration = Duration::from_secs(120);

/// A running server on loopback; it ends with its owner.
pub struct Llama {
    port: u16,
    // Ended on drop.
    _process: Process,
}

/// What a server is started with.
pub struct LlamaConfig<'a> {
    /// Workspace.
    pub root: &'a Path,
    /// Which of the models that `tests/llama/setup.sh` builds, without its ending.
    pub model: &'a str,
    /// Tokens of its window. The scripted models spell in bytes, so prompts are long.
    pub window: u64,
    /// Where it logs.
    pub log: &'a Path,
}

impl Llama {
    /// Starts one on a free port.
    pub fn start(config: &LlamaConfig) -> Result<Self> {
        Self::at(config, free_port()?)
    }

    /// Starts one in another's place, which has ended.
    pub fn at(config: &LlamaConfig, port: u16) -> Result<Self> {
        let folder: PathBuf = config.root.join("target/llama");
        let (program, model) = (folder.join("llama-server"), folder.join(config.model).with_extension("gguf"));
        ensure!(
            program.exists() && model.is_file(),
            "{} or {} is not there: run tests/llama/setup.sh",
            program.display(),
            model.display()
        );
        let mut command = Command::new(program);
        command.arg("--model").arg(model).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--jinja", "--no-warmup", "--ctx-size", &config.window.to_string()]);
        command.args(["--parallel", "1", "--threads", "1"]);
        let mut process = Process::start("llama-server", &mut command, config.log)?;
        process.wait_until_it_listens(port, START)?;
        Ok(Self { port, _process: process })
    }

    /// Base of its API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// Ends it, and gives its port.
    pub fn stop(self) -> u16 {
        self.port
    }
}
