//! The house as its owner has it at his desk: the simulated cluster, a model that follows a script (`llmock`), `jarvisd` and `jarvisctl`;
//! no room and no sound.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jarvisd::event::TurnRecord;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::aimock::Aimock;
use crate::crash;
use crate::house::{self, HouseConfig};
use crate::owner;
use crate::process::{Process, wait_for};
use crate::pve::{Options, Simulator};

/// Longest time until the control socket answers.
const START: Duration = Duration::from_secs(60);
/// A task takes so long.
const PACE: Duration = Duration::from_millis(40);
/// Name of the scripted model among the providers.
pub const MIND: &str = "script";

/// Where a scripted model is said to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the house, by the protocol of OpenAI's servers.
    Local,
    /// At somebody else's, by Claude's protocol.
    Cloud,
}

/// What a desk is set up with.
pub struct DeskConfig {
    /// Workspace.
    pub root: PathBuf,
    /// Where the programs lie.
    pub programs: PathBuf,
    /// Of the cluster's state.
    pub seed: u64,
    /// Where the model is said to run.
    pub kind: Kind,
    /// What it answers: fixtures of `llmock`.
    pub script: Value,
    /// Further sections of the daemon's file.
    pub sections: String,
}

/// A running house without a room.
pub struct Desk {
    /// The daemon's process.
    pub daemon: Process,
    /// The cluster.
    pub cluster: Simulator,
    config: HouseConfig,
    page: String,
    starts: u32,
    // Ended on drop.
    _mock: Option<Aimock>,
    _dir: TempDir,
}

/// Starts a scripted model with its files in `dir`, and gives the section of the daemon's file that names it.
pub fn mind(dir: &Path, script: &Value, kind: Kind) -> Result<(Aimock, String)> {
    let fixtures = dir.join("script.json");
    std::fs::write(&fixtures, json!({"fixtures": script}).to_string())?;
    let mock = Aimock::start(&fixtures, &dir.join("llmock.log"), &[])?;
    let key = dir.join("mind.key");
    std::fs::write(&key, "sk-test-key\n")?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
    let section = entry(kind, &mock.url(), &format!("key_file = {key:?}\n"));
    Ok((mock, section))
}

/// A provider in the daemon's file.
fn entry(kind: Kind, url: &str, more: &str) -> String {
    let (protocol, model) = match kind {
        Kind::Local => ("openai", "qwen3"),
        Kind::Cloud => ("claude", "claude-opus-5-5"),
    };
    // A script has one answer to a request, and none to what is asked after it.
    format!(
        "[memory]\nby_model = false\n[[minds.providers]]\nkind = \"{protocol}\"\nname = \"{MIND}\"\nurl = \"{url}\"\nmodel = \"{model}\"\n\
         window_tokens = 32000\n{more}"
    )
}

impl Desk {
    /// Sets it up.
    pub async fn start(config: DeskConfig) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (mock, section) = mind(dir.path(), &config.script, config.kind)?;
        Self::scripted(config, dir, Some(mock), &section).await
    }

    /// The same with a provider that the test has, at `url`, and further lines of its entry; the configuration's script is not played.
    pub async fn served(config: DeskConfig, url: &str, more: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let section = entry(config.kind, url, more);
        Self::scripted(config, dir, None, &section).await
    }

    async fn scripted(config: DeskConfig, dir: TempDir, mock: Option<Aimock>, section: &str) -> Result<Self> {
        let mut house = HouseConfig::new(config.root, config.programs, dir.path().to_owned(), config.seed);
        house.minds = format!("{section}\n{}", config.sections);
        Self::set_up(house, dir, mock).await
    }

    /// Sets it up among models that are there already: `minds` are their sections of the daemon's file.
    pub async fn among(root: PathBuf, programs: PathBuf, seed: u64, minds: String) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let house = HouseConfig { minds, ..HouseConfig::new(root, programs, dir.path().to_owned(), seed) };
        Self::set_up(house, dir, None).await
    }

    async fn set_up(house: HouseConfig, dir: TempDir, mock: Option<Aimock>) -> Result<Self> {
        let quick = Options { sensors: false, pace: PACE, ..Options::seed(house.seed) };
        let cluster = Simulator::with(quick).await?;
        cluster.calm();
        let page = format!("127.0.0.1:{}", crate::ports::free_port()?);
        std::fs::write(house.dir.join("jarvisd.toml"), house::daemon_toml(&house, &cluster, &page, &house.model)?)?;
        let daemon = launch(&house, "jarvisd", &[], 0)?;
        let mut desk = Self { daemon, cluster, config: house, page, starts: 0, _mock: mock, _dir: dir };
        desk.wait_up()?;
        Ok(desk)
    }

    /// Starts a program in the daemon's place, after it ended.
    pub fn restart(&mut self, program: &str, arguments: &[&str]) -> Result<()> {
        self.starts += 1;
        self.daemon = launch(&self.config, program, arguments, self.starts)?;
        self.wait_up()
    }

    fn wait_up(&mut self) -> Result<()> {
        wait_for("the daemon's control socket", START, || {
            self.daemon.check()?;
            // Guests are known by name once a node has answered.
            Ok(house::ctl(&self.config, &["model", "names", "--json"])?.status.success().then_some(()))
        })
    }

    /// Folder of the daemon's files.
    pub fn dir(&self) -> &Path {
        &self.config.dir
    }

    /// What the page answers to a GET, its headers before it.
    pub fn page(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.page).context("the page")?;
        stream.set_read_timeout(Some(START))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.page)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Types a request and waits for its turn.
    pub fn ask(&self, text: &str) -> Result<TurnRecord> {
        let told = self.ctl(&["ask", text])?;
        serde_json::from_value(told.clone()).with_context(|| format!("no turn: {told}"))
    }

    /// Types a request that counts as asked in `room`, and is answered aloud there.
    pub fn ask_in(&self, room: &str, text: &str) -> Result<TurnRecord> {
        let told = self.ctl(&["ask", "--room", room, text])?;
        serde_json::from_value(told.clone()).with_context(|| format!("no turn: {told}"))
    }

    /// Types a request; whatever becomes of it.
    pub fn try_ask(&self, text: &str) -> Result<bool> {
        Ok(house::ctl(&self.config, &["ask", text, "--json"])?.status.success())
    }

    /// Runs `jarvisctl ... --json` and gives what it printed.
    pub fn ctl(&self, arguments: &[&str]) -> Result<Value> {
        let output = house::ctl(&self.config, &[arguments, &["--json"]].concat())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.trim().is_empty() {
            bail!("jarvisctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_str(&text).with_context(|| format!("jarvisctl {arguments:?}: {text}"))
    }

    /// The newest questions, newest first.
    pub fn approvals(&self) -> Result<Vec<Value>> {
        self.ctl(&["approvals"])?.as_array().cloned().context("a list of approvals")
    }

    /// The two words of a question, as its owner sees them who is signed in at the page.
    pub async fn words(&self, id: i64) -> Result<Vec<String>> {
        owner::words(&format!("http://{}", self.page), &self.dir().join("state"), id).await
    }

    /// Kinds of the audit log's entries, oldest first; the log must hold.
    pub fn audit(&self) -> Result<Vec<String>> {
        let told = self.ctl(&["audit", "verify"])?;
        ensure!(told["entries"].is_u64(), "the audit log does not hold: {told}");
        let entries = self.ctl(&["audit", "-n", "200"])?;
        let kinds =
            entries.as_array().context("a list of entries")?.iter().map(|e| e["kind"].as_str().map(str::to_owned));
        kinds.collect::<Option<Vec<_>>>().context("kinds of entries")
    }

    fn database(&self) -> Result<rusqlite::Connection> {
        let path = self.dir().join("state/jarvis.db");
        Ok(rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?)
    }

    /// What a turn said aloud, sentence by sentence, as it was committed before each was heard.
    pub fn sentences(&self, turn: u64) -> Result<Vec<String>> {
        let db = self.database()?;
        let mut query = db.prepare("select text from sentences where turn_id = ?1 order by seq")?;
        let rows = query.query_map([i64::try_from(turn)?], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The books, oldest first: state, the most that was set aside, and the cost, in micro-dollars.
    pub fn books(&self) -> Result<Vec<(String, i64, Option<i64>)>> {
        let db = self.database()?;
        let mut query = db.prepare("select state, at_most, cost from costs order by id")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Where the newest question stands.
    pub fn stage(&self) -> Result<String> {
        let db = self.database()?;
        Ok(db.query_row("select stage from approvals order by id desc limit 1", [], |row| row.get(0))?)
    }

    /// Runs of the model as they are stored, newest first: state, ending, and kinds of steps.
    pub fn runs(&self) -> Result<Vec<StoredRun>> {
        let db = self.database()?;
        let mut query = db.prepare(
            "select state, coalesce(ending, ''),
                    (select group_concat(kind, ' ') from (select kind from agent_steps where run_id = id order by seq)),
                    (select group_concat(content, '\n') from (select content from agent_steps where run_id = id order by seq))
             from agent_runs order by id desc",
        )?;
        let rows = query.query_map([], |row| {
            Ok(StoredRun {
                state: row.get(0)?,
                ending: row.get(1)?,
                steps: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                content: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether the guest of the tests runs, and how often it was really started or stopped.
    pub fn guest(&self) -> (bool, usize) {
        let state = self.cluster.state();
        let running = state.guests.iter().any(|guest| guest.vmid == crash::GUEST && guest.running);
        (running, state.works.history.iter().filter(|deed| deed.vmid == crash::GUEST).count())
    }
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRun {
    /// `ended`, `cancelled`, `interrupted`, `running`.
    pub state: String,
    /// JSON of how it ended.
    pub ending: String,
    /// Kinds of its steps, a space between.
    pub steps: String,
    /// All of them, JSON.
    pub content: String,
}

fn launch(config: &HouseConfig, program: &str, arguments: &[&str], nth: u32) -> Result<Process> {
    let mut command = Command::new(config.programs.join(program));
    command.arg("--config").arg(config.dir.join("jarvisd.toml")).args(arguments);
    Process::start(program, &mut command, &config.dir.join(format!("{program}.{nth}.log")))
}
