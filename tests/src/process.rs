//! Processes the harness starts: logged to files, ended by their own pid, never outliving it, however it ends.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::Pid;

/// How long a process may take to end after SIGTERM before it is killed: on a loaded machine one that ends in order takes a while.
const GRACE: Duration = Duration::from_secs(30);

/// Nice value of what plays and hears: in a real room it has a machine of its own, and sound that is a moment late is broken sound.
const SOUND_NICE: i32 = -10;

/// A child process that ends with its owner.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, its output going to `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("create {}", log.display()))?;
        let err = out.try_clone()?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let program = command.get_program().to_owned();
        let child = spawn(command).with_context(|| format!("start {name} ({program:?})"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it go before others, as what plays or hears ([`sounds`]).
    pub fn sounds(self) -> Result<Self> {
        sounds(self.pid())?;
        Ok(self)
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// An error with the end of its log if it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended with {status}; the end of its log:\n{}", self.name, self.tail());
        }
        Ok(())
    }

    /// Waits until it listens on a port of this machine.
    pub fn wait_until_it_listens(&mut self, port: u16, limit: Duration) -> Result<()> {
        let name = format!("{} to listen", self.name);
        wait_for(&name, limit, || {
            self.check()?;
            Ok(TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
        })
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("pid")?;
        rustix::process::kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Hangs it as a whole (SIGSTOP), until it gets SIGCONT. A signal is taken by one thread after another: this waits for the last.
    pub fn hang(&self) -> Result<()> {
        self.signal(rustix::process::Signal::STOP)?;
        wait_for("every thread to stand still", GRACE, || {
            let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid()))?;
            let stand = |thread: std::io::Result<std::fs::DirEntry>| -> Result<bool> {
                let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
                Ok(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
            };
            let all: Vec<bool> = threads.map(stand).collect::<Result<_>>()?;
            Ok(all.iter().all(|stands| *stands).then_some(()))
        })
    }

    /// Kills it at once (SIGKILL) and waits.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill().with_context(|| format!("kill {}", self.name))?;
        Ok(self.child.wait()?)
    }

    /// Asks it to end (SIGTERM) and waits; kills it after half a minute.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        self.signal(rustix::process::Signal::TERM)?;
        let deadline = Instant::now() + GRACE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return self.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("could not end {}: {error:#}", self.name);
        }
    }
}

/// A child to be started, and who waits for it.
struct Order {
    command: Command,
    reply: SyncSender<io::Result<Child>>,
}

/// Starts a child that the kernel kills when this process ends, in whatever way; `command` is used up. The child has a process group
/// of its own, so that Ctrl-C at the terminal ends the harness, and the harness its children in order.
///
/// The kernel's promise is tied to the *thread* that starts the child, and threads of tests and runtimes come and go: one thread that
/// never ends starts them all.
///
/// # Errors
/// The program can't be started.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    static STARTER: OnceLock<SyncSender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, orders) = sync_channel(1);
        std::thread::spawn(move || start_all(&orders));
        sender
    });
    let mut command = std::mem::replace(command, Command::new("false"));
    command.process_group(0);
    let (reply, child) = sync_channel(1);
    let gone = || io::Error::other("the thread that starts children has ended");
    starter.send(Order { command, reply }).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

fn start_all(orders: &Receiver<Order>) {
    let me = Some(rustix::process::getpid());
    for Order { mut command, reply } in orders {
        let die_with_me = move || {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            // A parent that died before that line was reached is noticed here.
            if rustix::process::getppid() == me { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
        };
        // SAFETY: between fork and exec it makes two system calls; it allocates nothing and takes no lock.
        #[expect(unsafe_code, reason = "nothing else runs code in the child before its program does")]
        unsafe {
            command.pre_exec(die_with_me);
        }
        if reply.send(command.spawn()).is_err() {
            return;
        }
    }
}

/// Lets a process that was just started go before others on a busy machine, as what plays or hears. Only root may: without, it stays as
/// others are.
pub fn sounds(pid: u32) -> Result<()> {
    // The first thread, before it has started others, which take its priority over.
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("pid")?;
    go_first(Some(pid))
}

/// The same for the thread that calls it.
pub fn this_thread_sounds() -> Result<()> {
    go_first(None)
}

fn go_first(pid: Option<Pid>) -> Result<()> {
    match rustix::process::setpriority_process(pid, SOUND_NICE) {
        Ok(()) | Err(Errno::ACCESS | Errno::PERM) => Ok(()),
        Err(error) => Err(error).context("give what sounds its priority"),
    }
}

/// Lets the timers of a process come late by so much, so that it wakes seldomer; threads that it starts later are as late as the one that
/// starts them. Only root may: without, it wakes as often as it wants to (proc(5), `/proc/PID/timerslack_ns`).
pub fn wakes_late(pid: u32, by: Duration) -> Result<()> {
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // Each thread has a folder there, though none is listed.
        let file = Path::new("/proc").join(thread?.file_name()).join("timerslack_ns");
        match std::fs::write(&file, by.as_nanos().to_string()) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        }
    }
    Ok(())
}

/// A process as it was seen: another one that gets its number later is not taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// Its name, as far as the kernel keeps it.
    pub name: String,
    parent: u32,
    /// When it was started, in the kernel's ticks.
    started: u64,
}

impl Running {
    /// Every process that `pid` started, and those that they started.
    pub fn beneath(pid: u32) -> Vec<Self> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let all: Vec<Self> = pids.filter_map(Self::look).collect();
        let mut found: Vec<Self> = Vec::new();
        let mut parents = vec![pid];
        while let Some(parent) = parents.pop() {
            for child in all.iter().filter(|p| p.parent == parent) {
                parents.push(child.pid);
                found.push(child.clone());
            }
        }
        found
    }

    /// Whether it still runs. One that ended and was not asked for its status yet does not.
    pub fn lives(&self) -> bool {
        Self::look(self.pid).is_some_and(|now| now.started == self.started)
    }

    /// Processor time it has used, in the kernel's ticks; `None` where it has ended.
    pub fn processor_ticks(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    }

    /// Sends it a signal; one that has ended takes none.
    pub fn signal(&self, signal: rustix::process::Signal) -> Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("pid")?;
        match rustix::process::kill_process(pid, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("signal {}", self.name)),
        }
    }

    fn look(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; what follows the last one does not.
        let (head, tail) = stat.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let (state, parent, started) = (fields.first()?, fields.get(1)?, fields.get(19)?);
        if *state == "Z" || *state == "X" {
            return None;
        }
        Some(Self { pid, name: name.to_owned(), parent: parent.parse().ok()?, started: started.parse().ok()? })
    }
}

/// Polls `probe` until it gives a value, at most `limit`; `what` names the wait in the error.
pub fn wait_for<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folder that holds the programs of this build: where this program, or the test it belongs to, was built.
pub fn programs() -> Result<PathBuf> {
    let me = std::env::current_exe()?;
    let dir = me.ancestors().skip(1).find(|dir| dir.join("jarvisd").is_file());
    dir.map(Path::to_owned)
        .with_context(|| format!("no jarvisd beside {}: cargo build --workspace --bins", me.display()))
}
