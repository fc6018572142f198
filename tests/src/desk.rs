//! The house as its owner has it at his desk: the simulated cluster, a model that follows a script (`llmock`), `jarvisd` and `jarvisctl`;
//! no room and no sound.

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
    starts: u32,
    _mock: Aimock,
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
    let (protocol, model) = match kind {
        Kind::Local => ("openai", "qwen3"),
        Kind::Cloud => ("claude", "claude-opus-5-5"),
    };
    let section = format!(
        "[[minds.providers]]\nkind = \"{protocol}\"\nname = \"{MIND}\"\nurl = \"{}\"\nmodel = \"{model}\"\nkey_file = {key:?}\n\
         window_tokens = 32000\n",
        mock.url()
    );
    Ok((mock, section))
}

impl Desk {
    /// Sets it up.
    pub async fn start(config: DeskConfig) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (mock, section) = mind(dir.path(), &config.script, config.kind)?;
        let quick = Options { sensors: false, pace: PACE, ..Options::seed(config.seed) };
        let cluster = Simulator::with(quick).await?;
        cluster.calm();
        let path = dir.path().to_owned();
        let mut house = HouseConfig::new(config.root, config.programs, path, config.seed);
        house.minds = format!("{section}\n{}", config.sections);
        let page = format!("127.0.0.1:{}", house::free_port()?);
        std::fs::write(house.dir.join("jarvisd.toml"), house::daemon_toml(&house, &cluster, &page, &house.model)?)?;
        let daemon = launch(&house, "jarvisd", &[], 0)?;
        let mut desk = Self { daemon, cluster, config: house, starts: 0, _mock: mock, _dir: dir };
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
            Ok(house::ctl(&self.config, &["status", "--json"])?.status.success().then_some(()))
        })
    }

    /// Folder of the daemon's files.
    pub fn dir(&self) -> &Path {
        &self.config.dir
    }

    /// Types a request and waits for its turn.
    pub fn ask(&self, text: &str) -> Result<TurnRecord> {
        let told = self.ctl(&["ask", text])?;
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

    /// Kinds of the audit log's entries, oldest first; the log must hold.
    pub fn audit(&self) -> Result<Vec<String>> {
        let told = self.ctl(&["audit", "verify"])?;
        ensure!(told["entries"].is_u64(), "the audit log does not hold: {told}");
        let entries = self.ctl(&["audit", "-n", "200"])?;
        let kinds =
            entries.as_array().context("a list of entries")?.iter().map(|e| e["kind"].as_str().map(str::to_owned));
        kinds.collect::<Option<Vec<_>>>().context("kinds of entries")
    }

    /// Runs of the model as they are stored, newest first: state, ending, and kinds of steps.
    pub fn runs(&self) -> Result<Vec<StoredRun>> {
        let path = self.dir().join("state/jarvis.db");
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(path, flags)?;
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
