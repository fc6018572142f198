//! A real OpenSSH server on loopback, as a node has one: it lets one key in and makes it run one command.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::ports::free_port;
use crate::process::{Process, Running};

/// Where Debian puts it.
const SSHD: &str = "/usr/sbin/sshd";
/// How long it may take to greet.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A key pair made by ssh-keygen.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// File with the private key.
    pub private: PathBuf,
    /// The public key's line, without its comment.
    pub public: String,
}

impl KeyPair {
    /// Makes an ed25519 pair in `dir`, or takes the one there.
    pub fn make(dir: &Path, name: &str) -> Result<Self> {
        Self::make_of("ed25519", dir, name)
    }

    /// Likewise of another kind, as ssh-keygen calls it.
    pub fn make_of(kind: &str, dir: &Path, name: &str) -> Result<Self> {
        let private = dir.join(name);
        if !private.exists() {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-N", "", "-C", name, "-f"])
                .arg(&private)
                .output()
                .context("ssh-keygen (apt install openssh-client)")?;
            ensure!(made.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&made.stderr));
        }
        let line = fs::read_to_string(private.with_extension("pub"))?;
        let public = line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        Ok(Self { private, public })
    }
}

/// A running server; it ends, sessions and all, when dropped.
pub struct Sshd {
    process: Process,
    address: SocketAddr,
}

impl Sshd {
    /// Starts a server in `dir` that shows `host_key`, lets `user_key` in and answers every command with the content of `answer`; at
    /// `port`, where another had it before.
    pub fn start(dir: &Path, host_key: &KeyPair, user_key: &str, answer: &Path, port: Option<u16>) -> Result<Self> {
        ensure!(Path::new(SSHD).exists(), "{SSHD} is missing (apt install openssh-server)");
        // Its unprivileged part insists on this folder, which only the service's unit makes.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").context("make /run/sshd")?;
        }
        let authorized = dir.join("authorized_keys");
        fs::write(&authorized, format!("restrict {user_key}\n"))?;
        fs::set_permissions(&authorized, fs::Permissions::from_mode(0o600))?;
        let port = port.map_or_else(free_port, Ok)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let config = dir.join("sshd_config");
        fs::write(&config, configuration(address, host_key, &authorized, answer))?;
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(&config);
        let process = Process::start("sshd", &mut command, &dir.join("sshd.log"))?;
        let mut sshd = Self { process, address };
        sshd.wait_until_it_greets()?;
        Ok(sshd)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The user to log in as: sshd without root's rights serves its own user only.
    pub fn user() -> Result<String> {
        let id = Command::new("id").arg("-un").output().context("id -un")?;
        Ok(String::from_utf8(id.stdout)?.trim().to_owned())
    }

    fn wait_until_it_greets(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            self.process.check()?;
            let mut greeting = [0; 4];
            let greeted = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(2)))?;
                stream.read_exact(&mut greeting)
            });
            if greeted.is_ok() && &greeting == b"SSH-" {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("sshd did not greet within {START_LIMIT:?}; the end of its log:\n{}", self.process.tail());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Sessions are processes of their own, which outlive the listener; a dead node has none.
        let sessions = Running::beneath(self.process.pid());
        if let Err(error) = self.process.kill() {
            eprintln!("could not end sshd: {error}");
        }
        for session in sessions {
            if let Some(pid) = i32::try_from(session.pid).ok().and_then(Pid::from_raw) {
                // One that ended by itself is what is wanted.
                kill_process(pid, Signal::KILL).ok();
            }
        }
    }
}

/// `SHLVL`: bash reads ~/.bashrc where it is started by sshd as the outermost shell, and what whoever runs the tests has in there
/// (a second of it, with some) is no part of a node.
fn configuration(address: SocketAddr, host_key: &KeyPair, authorized: &Path, answer: &Path) -> String {
    format!(
        "Port {}\nListenAddress {}\nHostKey {}\nAuthorizedKeysFile {}\nForceCommand /bin/cat {}\n\
         PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nAllowTcpForwarding no\nX11Forwarding no\nMaxStartups 100\nSetEnv SHLVL=1\nLogLevel ERROR\n",
        address.port(),
        address.ip(),
        host_key.private.display(),
        authorized.display(),
        answer.display(),
    )
}
