//! A real Chromium without a window, driven through the pipe of its own debugging protocol: JSON and a zero byte, on descriptors 3 and 4.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::process::{Process, wait_for};

/// Debian's name of it.
const PROGRAM: &str = "chromium";
/// Nothing of it asks anybody but the page.
const OPTIONS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                       --disable-component-update --disable-sync --disable-dev-shm-usage --remote-debugging-pipe";
/// What the browser says while one page has gone and the next is not there.
const NO_PAGE: &str = "execution context";
/// For what a loaded machine does in the end.
const PATIENT: Duration = Duration::from_secs(60);
/// Messages read ahead.
const MESSAGES_MAX: usize = 256;

/// A running browser with one page.
pub struct Browser {
    process: Process,
    requests: File,
    messages: Receiver<Value>,
    session: String,
    asked: u64,
    _profile: tempfile::TempDir,
}

/// Whether there is one here.
pub fn installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file())
}

impl Browser {
    /// Starts one with a fresh profile and opens `url`.
    pub fn open(url: &str) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let (requests, replies) = (profile.path().join("requests"), profile.path().join("replies"));
        let made = Command::new("mkfifo").args([&requests, &replies]).status().context("start mkfifo")?;
        ensure!(made.success(), "mkfifo ended with {made}");
        let mut command = Command::new("sh");
        let line = format!("exec {PROGRAM} {OPTIONS} --user-data-dir=\"$1\" 3<\"$2\" 4>\"$3\"");
        command.args(["-c", &line, PROGRAM]).arg(profile.path().join("data")).args([&requests, &replies]);
        let process = Process::start(PROGRAM, &mut command, &profile.path().join("log"))?;
        // Read and write, so that opening does not wait for a browser that may not come.
        let requests = File::options().read(true).write(true).open(requests)?;
        let messages = read(replies)?;
        let mut browser = Self { process, requests, messages, session: String::new(), asked: 0, _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": url}))?;
        let attached =
            browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}))?;
        browser.session = attached["sessionId"].as_str().context("a session")?.to_owned();
        Ok(browser)
    }

    /// What a JavaScript expression gives in the page; a promise is waited for.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let told = self.call("Runtime.evaluate", parameters)?;
        if let Some(thrown) = told.get("exceptionDetails") {
            bail!("{expression} threw {thrown}");
        }
        Ok(told["result"]["value"].clone())
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) -> Result<()> {
        let seen = wait_for(expression, PATIENT, || match self.evaluate(expression) {
            Ok(value) => Ok((value == true).then_some(())),
            // Between two pages there is nothing that could tell.
            Err(error) if error.to_string().contains(NO_PAGE) => Ok(None),
            Err(error) => Err(error),
        });
        seen.with_context(|| format!("the page: {}", self.evaluate("document.body.innerText").unwrap_or_default()))
    }

    /// Loads the page anew.
    pub fn reload(&mut self) -> Result<()> {
        self.evaluate("window.before = true")?;
        self.call("Page.reload", json!({}))?;
        self.until("window.before === undefined && document.readyState === 'complete'")
    }

    fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.asked += 1;
        let mut request = json!({"id": self.asked, "method": method, "params": parameters});
        if !self.session.is_empty() {
            request["sessionId"] = json!(self.session);
        }
        self.requests.write_all(format!("{request}\0").as_bytes())?;
        let until = Instant::now() + PATIENT;
        loop {
            match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(message) if message["id"] == self.asked => match message.get("error") {
                    Some(error) => bail!("{method}: {error}"),
                    None => return Ok(message["result"].clone()),
                },
                // What happens meanwhile.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    self.process.check()?;
                    bail!("{method}: {PROGRAM} does not answer; the end of its log:\n{}", self.process.tail());
                }
            }
        }
    }
}

/// Every message, until the browser ends.
fn read(replies: impl AsRef<Path>) -> Result<Receiver<Value>> {
    let replies = replies.as_ref().to_owned();
    let (sender, messages) = sync_channel(MESSAGES_MAX);
    std::thread::Builder::new().name("browser".into()).spawn(move || {
        // Waits until the browser opens its end.
        let Ok(file) = File::open(replies) else { return };
        for message in BufReader::new(file).split(0).map_while(Result::ok) {
            let Ok(message) = serde_json::from_slice(&message) else { continue };
            if sender.send(message).is_err() {
                return;
            }
        }
    })?;
    Ok(messages)
}
