//! Other servers of the owner's, that speak MCP: an honest one made with the official Python package, and one that does whatever a
//! server should not.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::Path as UrlPath;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::mcp_clients::python_program;
use crate::ports::free_port;
use crate::process::{Process, wait_for};

/// Longest until it listens: Python takes a while on a busy machine.
const START: Duration = Duration::from_secs(60);
/// The token that it wants.
const TOKEN: &str = "notes-5f1c2b7a9d";
/// More than any answer that is taken.
const VAST_BYTES: usize = 5 << 20;
/// More tools than anybody needs.
const MANY: usize = 10_000;

/// A list of lines, as a server. Ends with its owner.
pub struct Notes {
    port: u16,
    dir: PathBuf,
    process: Process,
    starts: u32,
}

impl Notes {
    /// Starts it with its files in `dir`.
    pub fn start(dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let token = dir.join("notes.token");
        std::fs::write(&token, format!("{TOKEN}\n"))?;
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600))?;
        let process = launch(port, dir, 0, None)?;
        let mut notes = Self { port, dir: dir.to_owned(), process, starts: 0 };
        notes.wait_up()?;
        Ok(notes)
    }

    /// Starts it anew, at the same place, saying `about` of its tool `add`.
    pub fn restart(&mut self, about: &str) -> Result<()> {
        self.process.stop()?;
        self.starts += 1;
        self.process = launch(self.port, &self.dir, self.starts, Some(about))?;
        self.wait_up()
    }

    /// Ends it.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop().map(|_| ())
    }

    fn wait_up(&mut self) -> Result<()> {
        wait_for("the server of notes", START, || {
            self.process.check()?;
            Ok(std::net::TcpStream::connect(("127.0.0.1", self.port)).ok().map(|_| ()))
        })
    }

    /// The section of the daemon's file that names it.
    pub fn section(&self) -> String {
        format!(
            "[[mcp.servers]]\nname = \"notes\"\nurl = \"http://127.0.0.1:{}/mcp\"\nabout = [\"shopping list\"]\n\
             token_file = {:?}\ngreen = [\"search\"]\n",
            self.port,
            self.dir.join("notes.token"),
        )
    }

    /// The lines of its list: what was really done.
    pub fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.join("notes.txt")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// The section of the daemon's file that names the same server as a program, with its list in `dir`.
pub fn notes_program(dir: &Path) -> Result<String> {
    let command = [python_program()?, script(), PathBuf::from("stdio"), dir.join("notes.txt")];
    // It is started for each question, which takes Python a while on a busy machine.
    Ok(format!(
        "[[mcp.servers]]\nname = \"notes\"\ncommand = {command:?}\nabout = [\"shopping list\"]\n\
         green = [\"search\"]\nseconds = 60\n"
    ))
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/server.py")
}

fn launch(port: u16, dir: &Path, nth: u32, about: Option<&str>) -> Result<Process> {
    let mut command = Command::new(python_program()?);
    command.arg(script()).arg(port.to_string()).arg(dir.join("notes.txt")).arg(TOKEN).args(about);
    Process::start("notes", &mut command, &dir.join(format!("notes.{nth}.log")))
}

/// A server that does what it should not; each path of it something else. Ends with its owner.
pub struct Odd {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Odd {
    /// What each path does: too many tools, a list beyond all bounds, garbage, silence; and `calls`, whose tools do that when called.
    pub const PATHS: [&str; 5] = ["many", "vast", "garbage", "silent", "calls"];

    /// Starts it.
    pub async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().route("/{path}", post(answer));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the odd server ended: {error}");
            }
        });
        Ok(Self { address, task })
    }

    /// The sections of the daemon's file that name it, once for each path.
    pub fn sections(&self) -> String {
        let one = |path: &str| {
            // Only silence is to be found out by the clock.
            let seconds = if ["silent", "calls"].contains(&path) { 2 } else { 30 };
            format!(
                "[[mcp.servers]]\nname = \"{path}\"\nurl = \"http://{}/{path}\"\nseconds = {seconds}\n\
                 green = [\"vast\", \"garbage\", \"silent\"]\n",
                self.address
            )
        };
        Self::PATHS.map(one).concat()
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(UrlPath(path): UrlPath<String>, Json(request): Json<Value>) -> Response {
    if let Some(greeting) = greeted(&request) {
        return greeting;
    }
    let id = request["id"].clone();
    let result = |result: Value| Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response();
    let tool = |name: &str, about: &str| json!({"name": name, "description": about, "inputSchema": {"type": "object"}});
    match (request["method"].as_str().unwrap_or_default(), path.as_str()) {
        ("tools/list", "many") => {
            let tools: Vec<Value> = (0..MANY).map(|n| tool(&format!("t{n:05}"), "Does it.")).collect();
            result(json!({"tools": tools}))
        }
        ("tools/list", "calls") => {
            let tools = ["vast", "garbage", "silent"].map(|name| tool(name, "Does it."));
            result(json!({"tools": tools}))
        }
        ("tools/list", what) => {
            wrong(what, |text| json!({"jsonrpc": "2.0", "id": id, "result": {"tools": [tool("a", text)]}})).await
        }
        ("tools/call", _) => {
            let what = request["params"]["name"].as_str().unwrap_or_default();
            wrong(
                what,
                |text| json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}}),
            )
            .await
        }
        _ => unknown(&request),
    }
}

/// How a server begins a conversation; `None` to whatever else is asked.
pub(crate) fn greeted(request: &Value) -> Option<Response> {
    match request["method"].as_str().unwrap_or_default() {
        "initialize" => {
            let told = json!({
                "protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "odd", "version": "1"},
            });
            Some(Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": told})).into_response())
        }
        method if method.starts_with("notifications/") => Some(StatusCode::ACCEPTED.into_response()),
        _ => None,
    }
}

/// The answer to what a server does not know.
pub(crate) fn unknown(request: &Value) -> Response {
    let error = json!({"code": -32601, "message": "Method not found"});
    Json(json!({"jsonrpc": "2.0", "id": request["id"], "error": error})).into_response()
}

async fn wrong(what: &str, body: impl Fn(&str) -> Value) -> Response {
    match what {
        "vast" => Json(body(&"x".repeat(VAST_BYTES))).into_response(),
        "silent" => std::future::pending().await,
        _ => ([(header::CONTENT_TYPE, "application/json")], Body::from("{\u{1}[2J not JSON at all </data>"))
            .into_response(),
    }
}

/// The tools of a server, as `jarvisctl mcp servers --json` tells of them: `add new`, `search approved`.
pub fn standings(all: &Value, server: &str) -> Result<Vec<String>> {
    let all = all.as_array().context("a list of servers")?;
    let line = all.iter().find(|line| line["name"] == server).context("the server")?;
    let tools = line["tools"].as_array().context("its tools")?;
    let told = |tool: &Value| Some(format!("{} {}", tool["name"].as_str()?, tool["standing"]["state"].as_str()?));
    tools.iter().map(told).collect::<Option<Vec<_>>>().context("names and states")
}

/// The pin of a tool, as it is shown.
pub fn pin(all: &Value, server: &str, tool: &str) -> Result<String> {
    let all = all.as_array().context("a list of servers")?;
    let tools = all
        .iter()
        .find(|line| line["name"] == server)
        .and_then(|line| line["tools"].as_array())
        .context("its tools")?;
    let found =
        tools.iter().find(|line| line["name"] == tool).and_then(|line| line["pin"].as_str()).context("the tool")?;
    Ok(found.to_owned())
}
