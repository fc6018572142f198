//! A server that is a program of this machine, asked over its standard input and output (`command`).
//!
//! It is started anew for each conversation, with an empty environment and as the leader of a process group. It is told to end by the end
//! of its input; where it does not listen, or the conversation is given up, the whole group is killed.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long it may take to end by itself, and its standard error after it.
const END_MAX: Duration = Duration::from_secs(1);
/// Where programs are looked for that it starts itself; nothing else is in its environment.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What is kept of its standard error, in bytes: the end.
const LAST_WORDS_BYTES: usize = 1 << 10;

/// A running program. Dropping it kills its group.
pub(super) struct Program {
    child: Child,
    /// What it says on standard error is read all the time: a full pipe would stop it.
    last_words: JoinHandle<Vec<u8>>,
}

impl Program {
    /// Starts it; its output and its input are the way to it.
    pub(super) fn start(command: &[String]) -> Result<(Self, ChildStdout, ChildStdin), String> {
        let (program, args) = command.split_first().ok_or("no program is configured")?;
        let mut process = Command::new(program);
        process.args(args).env_clear().env("PATH", PATH).process_group(0).kill_on_drop(true);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().map_err(|error| format!("{program} does not start: {error}"))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(format!("{program} was started without its pipes"));
        };
        Ok((Self { child, last_words: tokio::spawn(last_words(stderr)) }, stdout, stdin))
    }

    /// Waits for its end, now that its input has ended, and kills it where it stays. Gives the last line that it complained of.
    pub(super) async fn end(mut self) -> Option<String> {
        if timeout(END_MAX, self.child.wait()).await.is_err() {
            self.kill();
        }
        let said = timeout(END_MAX, &mut self.last_words).await.ok()?.ok()?;
        let text = String::from_utf8_lossy(&said);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }

    /// Kills it and what it started. Until it was waited for, its number is nobody else's.
    fn kill(&self) {
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(error) = group.and_then(|group| kill_process_group(group, Signal::KILL).err()) {
            tracing::debug!("a server's program could not be killed: {error}");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        self.last_words.abort();
    }
}

async fn last_words(mut from: ChildStderr) -> Vec<u8> {
    let (mut kept, mut piece) = (Vec::new(), [0; 512]);
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        kept.extend_from_slice(&piece[..read]);
        kept.drain(..kept.len().saturating_sub(LAST_WORDS_BYTES));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (Program, ChildStdout, ChildStdin) {
        Program::start(&["/bin/sh", "-c", script].map(str::to_owned)).unwrap()
    }

    #[tokio::test]
    async fn it_gets_nothing_of_the_daemons_environment_and_its_last_line_is_kept() {
        let (program, mut stdout, stdin) = shell("env; head -c 200000 /dev/zero >&2; echo >&2; echo no such list >&2");
        let mut said = String::new();
        stdout.read_to_string(&mut said).await.unwrap();
        drop(stdin);
        // The shell adds names of its own.
        let own = ["PATH=", "PWD=", "OLDPWD=", "SHLVL=", "_="];
        assert!(said.lines().all(|line| own.iter().any(|name| line.starts_with(name))), "{said}");
        assert!(said.contains(&format!("PATH={PATH}\n")), "{said}");
        assert_eq!(program.end().await.as_deref(), Some("no such list"));
        assert!(Program::start(&["/nowhere/notes".to_owned()]).is_err_and(|why| why.contains("does not start")));
    }

    #[tokio::test]
    async fn what_it_started_ends_with_it_whether_it_listens_or_not() {
        // It ignores the end of its input; the sleeper holds its output open for as long as it lives.
        for given_up in [true, false] {
            let (program, mut stdout, stdin) = shell("sleep 600 & echo $!; wait");
            let mut first = [0; 1];
            stdout.read_exact(&mut first).await.unwrap();
            drop(stdin);
            if given_up {
                drop(program);
            } else {
                program.end().await;
            }
            let mut rest = String::new();
            timeout(Duration::from_secs(60), stdout.read_to_string(&mut rest))
                .await
                .expect("all of them ended")
                .unwrap();
        }
    }
}
