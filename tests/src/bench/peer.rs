//! The peer of `a7.*`: wyoming-satellite and wyoming-openwakeword, listening to the same microphone in the same run.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::ports::free_port;
use crate::process::{Process, wait_for};

/// What is installed from PyPI, each into an environment of its own (their dependencies conflict; tflite-runtime needs numpy 1).
const PARTS: [(&str, &[&str]); 2] =
    [("satellite", &["wyoming-satellite==1.0.0"]), ("wake", &["wyoming-openwakeword==1.8.2", "numpy<2"])];

/// The running peer.
pub struct Peer {
    // Kept open: the satellite listens for its wake word as long as its server is there.
    _server: TcpStream,
    satellite: Process,
    wake: Process,
}

impl Peer {
    /// Installs the peer beneath `dir` if it is not there, and starts it on the microphone of `pulse_server`.
    pub fn start(dir: &Path, pulse_server: &str) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let [satellite, wake] = [install(dir, 0)?, install(dir, 1)?];
        let [wake_port, port] = [free_port()?, free_port()?];
        let mut command = Command::new(wake);
        command.args(["-m", "wyoming_openwakeword", "--preload-model", "hey_jarvis", "--uri"]);
        command.arg(format!("tcp://127.0.0.1:{wake_port}"));
        let mut wake = Process::start("wyoming-openwakeword", &mut command, &dir.join("wake.log"))?;
        drop(connect(wake_port, &mut wake)?);
        let mut command = Command::new(satellite);
        command
            .args(["-m", "wyoming_satellite", "--name", "peer", "--no-zeroconf", "--wake-word-name", "hey_jarvis"])
            .args(["--uri", &format!("tcp://127.0.0.1:{port}"), "--wake-uri", &format!("tcp://127.0.0.1:{wake_port}")])
            .args([
                "--mic-command",
                "parec --device=mic --rate=16000 --channels=1 --format=s16le --raw --latency-msec=64",
            ])
            .env("PULSE_SERVER", pulse_server);
        let mut satellite = Process::start("wyoming-satellite", &mut command, &dir.join("satellite.log"))?;
        let mut server = connect(port, &mut satellite)?;
        std::io::Write::write_all(&mut server, b"{\"type\": \"run-satellite\"}\n")?;
        wait_for("the peer to listen for its wake word", Duration::from_secs(30), || {
            satellite.check()?;
            Ok(satellite.tail().contains("Waiting for wake word").then_some(()))
        })?;
        Ok(Self { _server: server, satellite, wake })
    }

    /// Its processes, their children (the microphone's) included.
    pub fn pids(&self) -> Result<Vec<u32>> {
        let mut pids = vec![self.satellite.pid(), self.wake.pid()];
        let children = format!("/proc/{0}/task/{0}/children", self.satellite.pid());
        for child in std::fs::read_to_string(&children).with_context(|| children.clone())?.split_whitespace() {
            pids.push(child.parse()?);
        }
        Ok(pids)
    }
}

fn install(dir: &Path, part: usize) -> Result<PathBuf> {
    let (name, packages) = PARTS[part];
    let home = dir.join(name);
    let python = home.join("bin/python");
    let stamp = home.join("installed");
    if !stamp.exists() {
        eprintln!("bench: installing with pip, into {}: {}", home.display(), packages.join(" "));
        ensure!(Command::new("python3").args(["-m", "venv"]).arg(&home).status()?.success(), "python3 -m venv failed");
        let pip = Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages).status()?;
        ensure!(pip.success(), "pip install {} failed", packages.join(" "));
        std::fs::write(&stamp, packages.join("\n"))?;
    }
    Ok(python)
}

fn connect(port: u16, process: &mut Process) -> Result<TcpStream> {
    wait_for("the peer's port", Duration::from_secs(60), || {
        process.check()?;
        Ok(TcpStream::connect(("127.0.0.1", port)).ok())
    })
}
