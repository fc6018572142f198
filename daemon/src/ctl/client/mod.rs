//! `jarvisctl`: parses its arguments, asks the daemon, prints for people or as JSON.
//!
//! Length: one line per command and the few lines that run it.

mod approvals;
mod costs;
mod fetch;
mod follow;
mod mcp;
mod memory;
mod servers;
mod show;
mod wire;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use jarvis_core::approval::Told;
use jarvis_core::cluster::Cluster;
use jarvis_core::intent::Grammar;
use jarvis_core::mind::date::Day;
use jarvis_core::names::Names;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::protocol::{ModelQuestion, Request, Trouble};
use crate::config::{Config, ConfigError, DEFAULT_PATH, DaemonConfig};
use crate::doctor::{self, Finding, Level};
use crate::ear::EarConfig;
use crate::environment::Environment;
use crate::event::TurnRecord;
use crate::model_words;
use crate::past::PastTurn;
use crate::safety::{Approval, DAEMON_STOPPED, SwitchState, stop_from_outside};
use crate::status::{SatelliteLine, Status};
use crate::store::{AuditShown, By};
pub(super) use costs::Costs;
use mcp::McpCommand;
use memory::MemoryCommand;
use wire::Line;

/// Where systemd puts the daemon's credentials, for a doctor that is run by hand.
const UNIT_CREDENTIALS: &str = "/run/credentials/jarvisd.service";
/// Mode of a file that holds an enrolment code.
const CODE_MODE: u32 = 0o600;

/// Jarvis, the voice of your Proxmox VE cluster: the owner's command.
#[derive(Parser)]
#[command(name = "jarvisctl", version)]
struct Arguments {
    /// The daemon's configuration, which says where its socket is.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH, global = true)]
    config: PathBuf,
    /// The socket itself, without a configuration.
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What the parts say of themselves.
    Status,
    /// The newest turns.
    Turns {
        /// How many.
        #[arg(short, long, value_name = "N", default_value_t = 10)]
        number: u32,
        /// Go on with what happens, until Ctrl-C.
        #[arg(short, long)]
        follow: bool,
    },
    /// Ask in writing; the answer takes the same way as a spoken one.
    Ask {
        /// The request.
        #[arg(required = true)]
        text: Vec<String>,
        /// Where it counts as asked; it is answered aloud there.
        #[arg(long)]
        room: Option<String>,
    },
    /// Have words spoken.
    Say {
        /// The words.
        #[arg(required = true)]
        text: Vec<String>,
        /// Where; without it in every room.
        #[arg(long)]
        room: Option<String>,
    },
    /// Enrolled satellites.
    Rooms,
    /// A code for a new satellite in ROOM.
    Enrol {
        /// Its room.
        room: String,
        /// Write the code into this new file (mode 0600) instead of showing it.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Take the key of ROOM's satellite away.
    Revoke {
        /// Its room.
        room: String,
    },
    /// About the ear's model.
    Model {
        /// What.
        what: ModelCommand,
        /// With `words`: make a model in this folder that hears the live cluster's names, of the one that comes with Jarvis. With
        /// `fetch`: where to put it.
        #[arg(long, value_name = "FOLDER")]
        into: Option<PathBuf>,
    },
    /// What Jarvis was told and keeps.
    Memory {
        /// What.
        #[command(subcommand)]
        command: MemoryCommand,
    },
    /// Other programs that ask Jarvis, and other servers that he asks: who is let in, and what is allowed.
    Mcp {
        /// What.
        #[command(subcommand)]
        command: McpCommand,
    },
    /// What was spent on models, since the first of the month.
    Costs {
        /// By what the figures are put together.
        #[arg(long, value_enum, default_value_t = CostsBy::Day)]
        by: CostsBy,
        /// Since this day, such as 2026-11-01.
        #[arg(long, value_name = "DAY")]
        since: Option<Day>,
    },
    /// Show where each request of FILE (one a line) would go, why, and what it is expected to cost; nothing is asked.
    ///
    /// By the configuration and the built-in rules and prices, as if every provider were well and nothing spent; it needs no daemon. A
    /// running one is asked for the names of the cluster alone: without them a request that names a guest is no plain one.
    Route {
        /// The file.
        file: PathBuf,
    },
    /// Look at everything and say what to do; works without the daemon as well.
    Doctor,
    /// What was asked before something is changed, and what became of it.
    Approvals,
    /// Say yes to a question; a grave one needs the two words that were spoken in the room, or that the page shows.
    Approve {
        /// Its number.
        id: i64,
        /// The words.
        words: Vec<String>,
    },
    /// Say no to a question, or take a yes back that has not begun.
    Deny {
        /// Its number.
        id: i64,
    },
    /// Stop every change at once; works while the daemon hangs or is down.
    Stop,
    /// Let changes run again.
    Resume,
    /// The audit log.
    Audit {
        /// Check it from its first entry to its last.
        #[command(subcommand)]
        what: Option<AuditCommand>,
        /// How many entries to show.
        #[arg(short, long, value_name = "N", default_value_t = 20)]
        number: u32,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Check it from its first entry to its last.
    Verify,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CostsBy {
    /// Days.
    Day,
    /// Models.
    Model,
    /// Rooms.
    Room,
    /// Turns.
    Turn,
}

impl From<CostsBy> for By {
    fn from(by: CostsBy) -> Self {
        match by {
            CostsBy::Day => Self::Day,
            CostsBy::Model => Self::Model,
            CostsBy::Room => Self::Room,
            CostsBy::Turn => Self::Turn,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModelCommand {
    /// Which one it is, and whether it works.
    Status,
    /// The words of the live cluster's names that it must know.
    Words,
    /// Every request the grammar knows, for its language model.
    Sentences,
    /// What the live cluster's nodes, guests and storages are called.
    Names,
    /// Offer to install a model that understands people; asks before anything is fetched.
    Fetch,
}

/// Runs the command.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut environment = Environment::read();
    environment.credentials.get_or_insert_with(|| UNIT_CREDENTIALS.into());
    let control = Control { arguments: &arguments, environment: &environment };
    match control.run() {
        Ok(code) => code,
        Err(trouble) => {
            if arguments.json {
                println!("{}", json!({"error": trouble}));
            } else {
                eprintln!("{}\n  remedy: {}", show::safe(&trouble.what), show::safe(&trouble.remedy));
            }
            ExitCode::FAILURE
        }
    }
}

struct Control<'a> {
    arguments: &'a Arguments,
    environment: &'a Environment,
}

impl Control<'_> {
    fn run(&self) -> Result<ExitCode, Trouble> {
        match &self.arguments.command {
            Command::Status => self.show::<Status>(&Request::Status {}, show::status),
            Command::Turns { number, follow: false } => {
                self.show::<Vec<PastTurn>>(&Request::Turns { limit: *number, follow: false }, show::turns)
            }
            Command::Turns { number, follow: true } => self.follow(*number),
            Command::Ask { text, room } => self.turn(&Request::Ask { text: text.join(" "), room: room.clone() }),
            Command::Say { text, room } => self.turn(&Request::Say { text: text.join(" "), room: room.clone() }),
            Command::Rooms => self.show::<Vec<SatelliteLine>>(&Request::Rooms {}, show::rooms),
            Command::Enrol { room, file } => self.enrol(room, file.as_ref()),
            Command::Revoke { room } => {
                let told = self.ask(&Request::Revoke { room: room.clone() })?;
                self.print(&told, |_: Value| format!("{}'s satellite is locked out.\n", show::safe(room)))
            }
            Command::Model { what: ModelCommand::Words, into: Some(into) } => self.rebuild(into),
            Command::Model { what: ModelCommand::Fetch, into } => self.fetch(into.as_deref()),
            Command::Model { what: ModelCommand::Status, .. } => self.model(ModelQuestion::Status),
            Command::Model { what: ModelCommand::Words, .. } => self.model(ModelQuestion::Words),
            Command::Model { what: ModelCommand::Sentences, .. } => self.model(ModelQuestion::Sentences),
            Command::Model { what: ModelCommand::Names, .. } => self.model(ModelQuestion::Names),
            Command::Memory { command } => self.memory(command),
            Command::Mcp { command } => self.mcp(command),
            Command::Costs { by, since } => {
                self.show::<Costs>(&Request::Costs { by: (*by).into(), since: *since }, costs::books)
            }
            Command::Route { file } => self.route(file),
            Command::Doctor => self.doctor(),
            Command::Approvals => self.show::<Vec<Approval>>(&Request::Approvals {}, approvals::list),
            Command::Approve { id, words } => self.approve(*id, words),
            Command::Deny { id } => {
                let told = self.ask(&Request::Deny { id: *id })?;
                self.print(&told, |_: Value| "Nothing will be done.\n".to_owned())
            }
            Command::Stop => self.stop(),
            Command::Resume => {
                self.show::<SwitchState>(&Request::Resume {}, |state| format!("{}\n", show::power(&state)))
            }
            Command::Audit { what: Some(AuditCommand::Verify), .. } => {
                let told = self.ask(&Request::AuditVerify {})?;
                self.print(&told, |told: Value| format!("The log holds: {} entries.\n", told["entries"]))
            }
            Command::Audit { what: None, number } => {
                self.show::<Vec<AuditShown>>(&Request::Audit { limit: *number }, approvals::log)
            }
        }
    }

    fn approve(&self, id: i64, words: &[String]) -> Result<ExitCode, Trouble> {
        let all: Vec<Approval> = shaped(&self.ask(&Request::Approvals {})?)?;
        let Some(question) = all.into_iter().find(|approval| approval.id == id) else {
            return Err(Trouble::new(format!("there is no question {id}"), "`jarvisctl approvals` lists them"));
        };
        if !self.arguments.json {
            out(&format!("{}\n", show::safe(&question.question)))?;
        }
        // Forgotten words are no wrong ones, of which there may be three.
        if question.needs_words && question.stage == "pending" && words.is_empty() {
            let told = match question.told {
                Told::Page => "the page shows them to its owner who is signed in",
                Told::Room => "they were spoken with it",
            };
            let what = format!("question {id} is grave: it needs its two words, and {told}");
            return Err(Trouble::new(what, format!("`jarvisctl approve {id} WORD WORD`")));
        }
        let words = (!words.is_empty()).then(|| words.join(" "));
        let told = self.ask(&Request::Approve { id, seal: question.seal, words })?;
        let failed = told["stage"] != "done";
        self.print(&told, approvals::ended)?;
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Past the daemon's control socket: through its stop door, or by the file where nobody answers.
    fn stop(&self) -> Result<ExitCode, Trouble> {
        let socket = self.socket();
        let state_dir = socket.parent().unwrap_or(Path::new("/"));
        let way = stop_from_outside(state_dir, "jarvisctl")
            .map_err(|e| Trouble::new(format!("cannot stop: {e}"), "run it with sudo, or `systemctl stop jarvisd`"))?;
        // A file stops only a daemon that keeps its state beside it.
        let elsewhere = self.usual_place().or_else(|| (!state_dir.is_dir()).then(|| "which is no folder".to_owned()));
        if let Some(why) = elsewhere.filter(|_| way != DAEMON_STOPPED) {
            let place = state_dir.display();
            return Err(Trouble::new(
                format!("no daemon answered in {place}, {why}: one that keeps its state elsewhere is not stopped"),
                "name its file with --config or its socket with --socket, or `systemctl stop jarvisd`",
            ));
        }
        self.print(&json!({"stopped": true, "how": way}), |_: Value| {
            format!("Stopped: {way}. `jarvisctl resume` lets changes run again.\n")
        })
    }

    fn socket(&self) -> PathBuf {
        if let Some(path) = &self.arguments.socket {
            return path.clone();
        }
        // A file that this user may not read, or with a mistake in it, leaves the place where packages put the socket.
        match self.config() {
            Ok(config) => config.daemon.socket(),
            Err(_) => DaemonConfig::default().socket(),
        }
    }

    fn config(&self) -> Result<Config, ConfigError> {
        Config::load(&self.arguments.config, self.environment)
    }

    /// Where nobody answers, and the file that would say where the daemon is can't be used, the one is told with the other.
    fn connect(&self) -> Result<wire::Connection, Trouble> {
        wire::Connection::open(&self.socket()).map_err(|trouble| match self.usual_place() {
            Some(place) => Trouble::new(format!("{}, {place}", trouble.what), trouble.remedy),
            None => trouble,
        })
    }

    /// Where the file that would say where the daemon is can't be used: that it is looked for at the usual place, and why.
    fn usual_place(&self) -> Option<String> {
        if self.arguments.socket.is_some() {
            return None;
        }
        let error = self.config().err()?.to_string();
        Some(format!("the usual place ({})", error.lines().next().unwrap_or_default()))
    }

    fn ask(&self, request: &Request) -> Result<Value, Trouble> {
        self.connect()?.ask(request)
    }

    fn show<T: DeserializeOwned>(&self, request: &Request, show: fn(T) -> String) -> Result<ExitCode, Trouble> {
        let told = self.ask(request)?;
        self.print(&told, show)
    }

    fn print<T: DeserializeOwned>(&self, told: &Value, show: impl FnOnce(T) -> String) -> Result<ExitCode, Trouble> {
        if self.arguments.json {
            out(&format!("{told}\n"))?;
        } else {
            out(&show(shaped(told)?))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn turn(&self, request: &Request) -> Result<ExitCode, Trouble> {
        let told = self.ask(request)?;
        let turn: TurnRecord = shaped(&told)?;
        let failed = turn.error.is_some();
        self.print(&told, show::answer)?;
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn follow(&self, number: u32) -> Result<ExitCode, Trouble> {
        let mut connection = self.connect()?;
        let past = connection.ask(&Request::Turns { limit: number, follow: true })?;
        self.print(&past, show::turns)?;
        loop {
            let line = match connection.next()? {
                None => return Err(Trouble::new("jarvisd hung up", "`jarvisctl status`")),
                Some(Line::Event(event)) if self.arguments.json => format!("{event}\n"),
                Some(Line::Event(event)) => follow::event(&shaped(&event)?),
                Some(Line::Lost(lost)) if self.arguments.json => format!("{}\n", json!({"lost": lost})),
                Some(Line::Lost(lost)) => format!("  ({lost} events were lost: this terminal was too slow)\n"),
                Some(Line::Ok(_)) => continue,
            };
            out(&line)?;
        }
    }

    fn enrol(&self, room: &str, file: Option<&PathBuf>) -> Result<ExitCode, Trouble> {
        let told = self.ask(&Request::Enrol { room: room.to_owned() })?;
        let code: Code = shaped(&told)?;
        let Some(file) = file else {
            return self.print(&told, |code: Code| show::code(&code.code, &code.room, code.valid_s));
        };
        write_code(file, &code.code).map_err(|e| {
            Trouble::new(format!("{}: {e}", file.display()), "name a file that does not exist, in a folder of yours")
        })?;
        self.print(&json!({"file": file, "room": code.room, "valid_s": code.valid_s}), |_: Value| {
            format!(
                "The code for {} is in {}, good for {}.\n",
                show::safe(room),
                file.display(),
                show::span(code.valid_s)
            )
        })
    }

    fn model(&self, what: ModelQuestion) -> Result<ExitCode, Trouble> {
        let told = self.ask(&Request::Model { what })?;
        match what {
            ModelQuestion::Status => self.print(&told, |ear| format!("{}\n", show::ear(&ear))),
            ModelQuestion::Words | ModelQuestion::Sentences => self.print(&told, show::lines),
            ModelQuestion::Names => self.print(&told, show::names),
        }
    }

    fn rebuild(&self, into: &Path) -> Result<ExitCode, Trouble> {
        let base = self.config().map(|config| config.ear.model).unwrap_or_else(|_| EarConfig::default().model);
        let told = self.ask(&Request::Model { what: ModelQuestion::Names })?;
        let names = Names::from_cluster(&shaped::<Cluster>(&told)?);
        let grammar = Grammar::embedded().map_err(|e| Trouble::new(e, "this is a fault of the program; report it"))?;
        let summary = model_words::rebuild(&base, into, &grammar, &names)
            .map_err(|e| Trouble::new(e, "then run this again; the model in use was not touched"))?;
        let in_use = std::path::absolute(into).is_ok_and(|into| into == base);
        let next =
            if in_use { "Restart jarvisd." } else { "Name it as `model` in the section [ear], and restart jarvisd." };
        self.print(&json!({"summary": summary, "model": into}), |_: Value| {
            format!("{}\n{next}\n", show::safe(&summary))
        })
    }

    fn doctor(&self) -> Result<ExitCode, Trouble> {
        let mut found = Vec::new();
        match self.config() {
            Err(error) => {
                let text = error.to_string();
                let remedy = text.lines().find_map(|line| line.trim().strip_prefix("remedy: ")).unwrap_or_default();
                let more = format!("jarvisd --config {} --check says more", self.arguments.config.display());
                let remedy = if remedy.is_empty() { more } else { format!("{remedy}; {more}") };
                found.push(Finding::problem("config", text.lines().next().unwrap_or_default(), remedy));
            }
            Ok(config) => self.examine(&config, &mut found)?,
        }
        let bad = found.iter().any(|f| f.level == Level::Problem);
        if self.arguments.json {
            out(&format!("{}\n", json!(found)))?;
        } else {
            out(&doctor::listed(&found))?;
        }
        Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn examine(&self, config: &Config, found: &mut Vec<Finding>) -> Result<(), Trouble> {
        found.push(Finding::good("config", self.arguments.config.display().to_string()));
        match self.ask(&Request::Doctor {}) {
            Ok(told) => {
                found.extend(doctor::files(config, self.environment));
                found.extend(shaped::<Vec<Finding>>(&told)?);
            }
            Err(trouble) => {
                let remedy = match trouble.remedy.as_str() {
                    wire::NOT_RUNNING => {
                        "systemctl start jarvisd; what keeps it from running may stand below".to_owned()
                    }
                    _ => trouble.remedy,
                };
                found.push(Finding::problem("daemon", trouble.what, remedy));
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .build()
                    .map_err(|e| Trouble::new(format!("no runtime: {e}"), "try again"))?;
                found.extend(runtime.block_on(doctor::alone(config, self.environment)));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Code {
    code: String,
    room: String,
    valid_s: u64,
}

fn write_code(path: &PathBuf, code: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(CODE_MODE).open(path)?;
    writeln!(file, "{code}")?;
    file.sync_all()
}

fn shaped<T: DeserializeOwned>(told: &Value) -> Result<T, Trouble> {
    T::deserialize(told).map_err(|e| {
        Trouble::new(format!("the answer is not understood: {e}"), "use the jarvisctl of the same release")
    })
}

/// A reader that went away (`| head`) is no error worth a message.
fn out(text: &str) -> Result<(), Trouble> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|e| Trouble::new(format!("cannot print: {e}"), "keep the reader of this output open"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_can_not_be_used_is_told_with_the_place_that_is_taken_instead() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("jarvisd.toml");
        let place = |text: &str, more: &[&str]| {
            std::fs::write(&file, text).unwrap();
            let words = ["jarvisctl", "status", "--config", file.to_str().unwrap()];
            let arguments = Arguments::parse_from(words.iter().chain(more).copied());
            let environment = Environment::default();
            let control = Control { arguments: &arguments, environment: &environment };
            control.usual_place()
        };
        assert_eq!(place("[daemon]\nstate_dir = '/srv/jarvis'\n", &[]), None);
        let told = place("[deamon]\n", &[]).unwrap();
        assert!(told.starts_with("the usual place (") && told.contains("`deamon`"), "{told}");
        assert_eq!(place("[deamon]\n", &["--socket", "/srv/jarvis/jarvisd.sock"]), None);
    }
}
