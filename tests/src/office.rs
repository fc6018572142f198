//! The daemon as a process before a simulated cluster, with nobody in a room: for what comes over the network and the owner's socket. With
//! [`Office::heard`] somebody may sit in it and be heard, word for word.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jarvisd::event::TurnRecord;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::owner;
use crate::parrot;
use crate::ports::free_port;
use crate::process::{Process, programs, wait_for};
use crate::pve::{Options, Simulator, State};
use crate::seat::Seat;

/// The VM that is changed; nothing stands in the way of it.
pub const GUEST: u32 = 112;
/// For what a loaded machine does in the end.
const PATIENT: Duration = Duration::from_secs(60);
/// A task takes so long.
const PACE: Duration = Duration::from_millis(20);

/// A running daemon, and the cluster it sees.
pub struct Office {
    /// The cluster.
    pub cluster: Simulator,
    /// The daemon.
    pub daemon: Process,
    dir: tempfile::TempDir,
    page: String,
    mcp: String,
}

/// Of whom an office is made that hear and speak: where satellites come in, and lines of the sections of ear and speech.
struct Voices {
    link: String,
    ear: String,
    speech: String,
}

impl Office {
    /// With MCP served, and more in its configuration: `mcp` within that section, `rest` after it.
    pub async fn start(mcp: &str, rest: &str) -> Result<Self> {
        let nobody = "worker = \"/bin/true\"";
        let voices = Voices { link: "127.0.0.1:0".to_owned(), ear: nobody.to_owned(), speech: nobody.to_owned() };
        Self::open(mcp, rest, voices, |_| ()).await
    }

    /// The same before a cluster that `change` has changed, and with somebody in `room` who hears what is answered there. People were
    /// understood with its ear, which hears what it is told.
    pub async fn heard(mcp: &str, rest: &str, room: &str, change: impl FnOnce(&mut State)) -> Result<(Self, Seat)> {
        let programs = programs()?;
        let voices = Voices {
            link: format!("127.0.0.1:{}", free_port()?),
            ear: format!("worker = {:?}\ntried_on_people = true", programs.join(parrot::PROGRAM)),
            // What is answered is heard to its end, and so spoken as fast as can be.
            speech: format!("worker = {:?}\nrate = 450", programs.join("jarvis-voice")),
        };
        let office = Self::open(mcp, rest, voices, change).await?;
        let told = office.ctl_json(&["enrol", room])?;
        let seat = Seat::enrolled(told["code"].as_str().context("a code")?, room).await?;
        wait_for("turns to know the room", PATIENT, || {
            Ok(office.ctl(&["ask", "--room", room, "stop"])?.status.success().then_some(()))
        })?;
        Ok((office, seat))
    }

    async fn open(mcp: &str, rest: &str, voices: Voices, change: impl FnOnce(&mut State)) -> Result<Self> {
        let quick = Options { sensors: false, pace: PACE, ..Options::seed(11) };
        let cluster = Simulator::with(quick).await?;
        cluster.calm();
        cluster.change(|state| {
            state.guests.iter_mut().filter(|guest| guest.vmid == GUEST).for_each(|guest| guest.running = false);
            change(state);
        });
        let dir = tempfile::tempdir()?;
        for name in ["state", "model"] {
            std::fs::create_dir(dir.path().join(name))?;
        }
        let (page, at) = (format!("127.0.0.1:{}", free_port()?), format!("127.0.0.1:{}", free_port()?));
        let Voices { link, ear, speech } = voices;
        let text = format!(
            "[daemon]\nstate_dir = {:?}\n[link]\nlisten = \"{link}\"\n[page]\nlisten = \"{page}\"\n\
             [ear]\nmodel = {:?}\n{ear}\n[speech]\n{speech}\n[safety]\nown_guest = 100\n\
             [mcp]\nlisten = \"{at}\"\n{mcp}\n{}\n{rest}\n",
            dir.path().join("state"),
            dir.path().join("model"),
            cluster.toml()?,
        );
        std::fs::write(dir.path().join("jarvisd.toml"), text)?;
        let mut command = Command::new(programs()?.join("jarvisd"));
        command.env_clear().arg("--config").arg(dir.path().join("jarvisd.toml"));
        let daemon = Process::start("jarvisd", &mut command, &dir.path().join("jarvisd.log"))?;
        let mut office = Self { cluster, daemon, dir, page, mcp: at };
        wait_for("jarvisd and its doors", PATIENT, || {
            office.daemon.check()?;
            let open = |address: &str| std::net::TcpStream::connect(address).is_ok();
            // Guests are known by name once a node has answered.
            let ready = open(&office.page) && open(&office.mcp) && office.ctl(&["model", "names"])?.status.success();
            Ok(ready.then_some(()))
        })?;
        Ok(office)
    }

    /// Where the page is: `http://127.0.0.1:1`.
    pub fn page(&self) -> String {
        format!("http://{}", self.page)
    }

    /// Where MCP is served.
    pub fn mcp(&self) -> String {
        format!("http://{}/mcp", self.mcp)
    }

    /// What the daemon keeps.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// A place for a test's own files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A command line of `jarvisctl` for this daemon.
    pub fn ctl_line(&self) -> Result<Vec<String>> {
        let program = programs()?.join("jarvisctl").display().to_string();
        Ok(vec![program, "--config".to_owned(), self.dir.path().join("jarvisd.toml").display().to_string()])
    }

    /// The two words of a question, as its owner sees them who is signed in at the page.
    pub async fn words(&self, id: i64) -> Result<Vec<String>> {
        owner::words(&self.page(), &self.state_dir(), id).await
    }

    /// Runs `jarvisctl`.
    pub fn ctl(&self, arguments: &[&str]) -> Result<Output> {
        let line = self.ctl_line()?;
        Command::new(&line[0]).env_clear().args(&line[1..]).args(arguments).output().context("start jarvisctl")
    }

    /// Runs `jarvisctl --json` and gives what it printed.
    pub fn ctl_json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.ctl(&[&["--json"], arguments].concat())?;
        // What went wrong is JSON as well, and so on the other stream.
        let told = [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream)).concat();
        ensure!(output.status.success(), "jarvisctl {arguments:?} ended with {}: {told}", output.status);
        serde_json::from_slice(&output.stdout).with_context(|| format!("jarvisctl {arguments:?}"))
    }

    /// Types a request and waits for its turn.
    pub fn ask(&self, text: &str) -> Result<TurnRecord> {
        let told = self.ctl_json(&["ask", "--", text])?;
        serde_json::from_value(told.clone()).with_context(|| format!("no turn: {told}"))
    }

    /// What the ear hears from now on, whatever is said.
    pub fn hears(&self, words: &str) -> Result<()> {
        parrot::hears(&self.dir.path().join("model"), words)
    }

    /// What the daemon keeps, to be looked at past it.
    pub fn db(&self) -> Result<Connection> {
        let path = self.state_dir().join("jarvis.db");
        Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
    }

    /// A new token.
    pub fn token(&self, name: &str, changes: bool) -> Result<String> {
        let mut line = vec!["mcp", "token", "add", name];
        line.extend(changes.then_some("--changes"));
        Ok(self.ctl_json(&line)?["token"].as_str().context("a token")?.to_owned())
    }

    /// Whether the guest runs.
    pub fn running(&self) -> bool {
        self.cluster.state().guests.iter().any(|guest| guest.vmid == GUEST && guest.running)
    }

    /// How often the guest was really started or stopped so far.
    pub fn deeds(&self) -> usize {
        self.cluster.state().works.history.iter().filter(|deed| deed.vmid == GUEST).count()
    }

    /// Kinds of the audit log's entries, oldest first.
    pub fn audited(&self) -> Result<Vec<String>> {
        let log = self.ctl_json(&["audit", "-n", "200"])?;
        let kinds = log.as_array().context("entries")?.iter();
        Ok(kinds.filter_map(|entry| entry["kind"].as_str().map(str::to_owned)).collect())
    }
}
