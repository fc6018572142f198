//! A simulated four-node Proxmox VE cluster over HTTPS, with each node's sensors behind a real sshd.
//!
//! [`Simulator::start`] draws a cluster from a seed ([`state`]) and serves it (`serve`) with answers shaped like a real cluster's
//! ([`answers`], `tasks`); what is asked for by [`changes`] becomes tasks that take time and go wrong as planned ([`work`]).
//! [`expected`] computes from the same state, without Jarvis's code, what a right answer holds.
//!
//! Length: what is served, and what a test may do to it, in one list.

pub mod answers;
mod calm;
pub mod changes;
mod deeds;
mod dice;
pub mod expected;
pub mod rights;
mod serve;
pub mod shapes;
pub mod state;
mod tasks;
pub mod work;
mod written;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use jarvis_core::intent::Intent;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use dice::Dice;
pub use rights::Rights;
pub use state::State;
pub use work::{Deed, Fate, Mishap, Plan};
pub use written::Written;

use crate::ports::{bound_again, free_port};
use crate::sshd::{KeyPair, Sshd};
use expected::Figure;
use serve::Identity;

/// What a node does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is gone: nobody listens, and others answer 595 for it.
    Dead,
    /// It takes connections and never answers.
    Hangs,
    /// It answers so much later.
    Slow(Duration),
    /// It answers with what is no JSON.
    Garbage,
    /// It answers with 10 MB.
    Huge,
}

/// How the simulator behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the cluster is drawn from.
    pub seed: u64,
    /// Whether each node has an sshd.
    pub sensors: bool,
    /// How long a node takes to answer 595 for a dead one (a real one: 20 s, later 3 s).
    pub proxy_delay: Duration,
    /// How long a wrong token's 401 takes (a real one: 3 s).
    pub refusal_delay: Duration,
    /// How long a task takes.
    pub pace: Duration,
    /// How long high availability takes to do what it was asked for (a real one: about 10 s).
    pub ha_delay: Duration,
    /// How long a node that a task's fate kills stays away; `None`: until it is brought back.
    pub away: Option<Duration>,
    /// How far the nodes' clocks are ahead, in seconds.
    pub clock_ahead_s: i64,
}

impl Options {
    /// As a real cluster behaves.
    pub fn seed(seed: u64) -> Self {
        Self {
            seed,
            sensors: true,
            proxy_delay: Duration::from_secs(3),
            refusal_delay: Duration::from_secs(3),
            pace: Duration::from_millis(1500),
            ha_delay: Duration::from_secs(6),
            away: None,
            clock_ahead_s: 0,
        }
    }
}

pub(crate) struct Shared {
    state: Mutex<State>,
    faults: Mutex<Vec<Fault>>,
    names: Vec<String>,
    token: String,
    token_without_backups: String,
    token_without_rights: String,
    tokens: Mutex<Vec<Token>>,
    options: Options,
}

/// A token: `user@realm!id=secret`, and what it may.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    whole: String,
    rights: Rights,
}

impl Shared {
    /// The cluster as it is by now.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(self.now_ms());
        state
    }

    /// What the nodes' clocks show, in milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX) + self.options.clock_ahead_s * 1000
    }

    fn fault(&self, node: usize) -> Fault {
        if !self.state().nodes[node].alive {
            return Fault::Dead;
        }
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)[node]
    }

    fn token(&self, shown: &str) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().find(|token| token.whole == shown).cloned()
    }

    fn index(&self, node: &str) -> Option<usize> {
        self.names.iter().position(|name| name == node)
    }
}

/// How to reach a simulated node.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its name.
    pub name: String,
    /// Its API.
    pub api: SocketAddr,
    /// SHA-256 of its certificate, as Proxmox VE writes it.
    pub fingerprint: String,
    /// Its sshd, where it has one.
    pub ssh: Option<SocketAddr>,
    /// Its SSH host key's line, where it has one.
    pub ssh_host_key: Option<String>,
}

struct Served {
    access: Access,
    identity: Arc<Identity>,
    task: Option<JoinHandle<()>>,
    sshd: Option<Sshd>,
    host_key: Option<KeyPair>,
    dir: PathBuf,
}

/// The cluster, while it is served; its processes, sockets and files go with it.
pub struct Simulator {
    nodes: Vec<Served>,
    shared: Arc<Shared>,
    user_key: Option<KeyPair>,
    dir: TempDir,
}

impl Simulator {
    /// Starts a cluster drawn from `seed`, as real as it gets.
    pub async fn start(seed: u64) -> Result<Self> {
        Self::with(Options::seed(seed)).await
    }

    /// Starts a cluster as `options` say.
    pub async fn with(options: Options) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("jarvis-pve-").tempdir()?;
        let mut state = State::new(options.seed);
        state.works.pace = options.pace;
        state.works.ha_delay = options.ha_delay;
        state.works.away = options.away;
        let user_key = options.sensors.then(|| KeyPair::make(dir.path(), "sensors_key")).transpose()?;
        let mut dice = dice::Dice::new(options.seed, "tokens");
        let mut secret =
            || format!("{:08x}-{:04x}-4000-8000-{:012x}", dice.any() as u32, dice.any() as u16, dice.any() >> 16);
        let token = format!("jarvis@pve!jarvis={}", secret());
        let token_without_backups = format!("jarvis@pve!auditor={}", secret());
        let token_without_rights = format!("jarvis@pve!empty={}", secret());
        let tokens = [
            (&token, Rights::all()),
            (&token_without_backups, Rights::audit()),
            (&token_without_rights, Rights::none()),
        ];
        let tokens = tokens.map(|(whole, rights)| Token { whole: whole.clone(), rights });
        let shared = Arc::new(Shared {
            names: state.nodes.iter().map(|node| node.name.clone()).collect(),
            faults: Mutex::new(vec![Fault::None; state.nodes.len()]),
            tokens: Mutex::new(tokens.into()),
            token,
            token_without_backups,
            token_without_rights,
            state: Mutex::new(state),
            options,
        });
        let mut simulator = Self { nodes: Vec::new(), shared, user_key, dir };
        fs::write(simulator.token_file(), format!("{}\n", simulator.shared.token))?;
        for n in 0..simulator.shared.names.len() {
            simulator.add(n).await?;
        }
        Ok(simulator)
    }

    async fn add(&mut self, n: usize) -> Result<()> {
        let name = self.shared.names[n].clone();
        let dir = self.dir.path().join(&name);
        fs::create_dir(&dir)?;
        let identity = Arc::new(Identity::new(&name)?);
        let host_key = self.user_key.is_some().then(|| KeyPair::make(&dir, "host_key")).transpose()?;
        // A port that nobody takes while the node is dead.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?)).await?;
        let access = Access {
            api: listener.local_addr()?,
            fingerprint: identity.fingerprint.clone(),
            ssh: None,
            ssh_host_key: host_key.as_ref().map(|key| key.public.clone()),
            name,
        };
        self.nodes.push(Served { access, identity, task: None, sshd: None, host_key, dir });
        self.serve(n, listener)?;
        Ok(())
    }

    fn serve(&mut self, n: usize, listener: TcpListener) -> Result<()> {
        let node = &mut self.nodes[n];
        let task = serve::serve(listener, n, Arc::clone(&node.identity), Arc::clone(&self.shared));
        node.task = Some(tokio::spawn(task));
        if let (Some(user_key), Some(host_key)) = (&self.user_key, &node.host_key) {
            let answer = node.dir.join("sensors.json");
            fs::write(&answer, answers::sensors(&self.shared.state().nodes[n]).to_string())?;
            let port = node.access.ssh.map(|address| address.port());
            let sshd = Sshd::start(&node.dir, host_key, &user_key.public, &answer, port)?;
            node.access.ssh = Some(sshd.address());
            node.sshd = Some(sshd);
        }
        Ok(())
    }

    /// How each node is reached.
    pub fn access(&self) -> Vec<Access> {
        self.nodes.iter().map(|node| node.access.clone()).collect()
    }

    /// The token that may read everything and change guests.
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// Makes a token `jarvis@pve!ID` with these rights.
    pub fn token_with(&self, id: &str, rights: Rights) -> String {
        let whole = format!("jarvis@pve!{id}=00000000-0000-4000-8000-{:012x}", id.len());
        let mut tokens = self.shared.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.push(Token { whole: whole.clone(), rights });
        whole
    }

    /// A token that may read everything but backups, and change nothing.
    pub fn token_without_backups(&self) -> &str {
        &self.shared.token_without_backups
    }

    /// A token that exists and has no rights.
    pub fn token_without_rights(&self) -> &str {
        &self.shared.token_without_rights
    }

    /// A file that holds [`Self::token`].
    pub fn token_file(&self) -> PathBuf {
        self.dir.path().join("token")
    }

    /// The private key that every sshd lets in, where there are sshds.
    pub fn ssh_key_file(&self) -> Option<&Path> {
        self.user_key.as_ref().map(|key| key.private.as_path())
    }

    /// The cluster as it is now.
    pub fn state(&self) -> State {
        self.shared.state().clone()
    }

    /// What the nodes' clocks show, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.shared.now_ms()
    }

    /// Plans what happens to the next change of a guest.
    pub fn plan(&self, vmid: u32, plan: impl Into<Plan>) {
        self.shared.state().works.plan(vmid, plan);
    }

    /// Changes the cluster.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.state());
    }

    /// What a right answer to a request holds, all of it: see [`expected::expected`].
    pub fn expected(&self, kind: &str, slots: &[(&str, &str)]) -> Vec<Figure> {
        expected::expected(&self.shared.state(), now(), kind, slots)
    }

    /// Likewise, of a request that was understood.
    pub fn wanted(&self, intent: &Intent) -> Vec<Figure> {
        expected::wanted(&self.shared.state(), now(), intent)
    }

    /// The `[cluster]` section of jarvisd.toml for this cluster.
    pub fn toml(&self) -> Result<String> {
        let mut text = format!("[cluster]\ntoken_file = {:?}\n", self.token_file());
        for node in &self.nodes {
            let access = &node.access;
            text += &format!(
                "\n[[cluster.nodes]]\nname = {:?}\naddress = {:?}\nfingerprint = {:?}\n",
                access.name,
                access.api.to_string(),
                access.fingerprint
            );
            if let (Some(ssh), Some(key)) = (access.ssh, &access.ssh_host_key) {
                text += &format!("ssh_address = {:?}\nssh_host_key = {key:?}\n", ssh.to_string());
            }
        }
        if let Some(key) = self.ssh_key_file() {
            text += &format!("\n[cluster.sensors]\nuser = {:?}\nkey_file = {key:?}\n", Sshd::user()?);
        }
        Ok(text)
    }

    /// Kills a node: its sockets and sessions are gone, the others say so.
    pub async fn kill(&mut self, node: &str) -> Result<()> {
        self.silence(node).await?;
        self.change(|state| state.nodes.iter_mut().filter(|n| n.name == node).for_each(|n| n.alive = false));
        Ok(())
    }

    /// Kills a node and leaves the others thinking that it lives, as in the seconds after a death.
    pub async fn silence(&mut self, node: &str) -> Result<()> {
        let n = self.shared.index(node).with_context(|| format!("no node {node}"))?;
        self.misbehave(node, Fault::Dead)?;
        if let Some(task) = self.nodes[n].task.take() {
            task.abort();
            // It ends by being aborted.
            task.await.ok();
        }
        self.nodes[n].sshd = None;
        Ok(())
    }

    /// Brings a killed node back where it was.
    pub async fn revive(&mut self, node: &str) -> Result<()> {
        let n = self.shared.index(node).with_context(|| format!("no node {node}"))?;
        self.misbehave(node, Fault::None)?;
        let now = self.now_ms();
        self.change(|state| state.bring_back(node, now));
        if self.nodes[n].task.is_none() {
            self.serve(n, bound_again(self.nodes[n].access.api).await?)?;
        }
        Ok(())
    }

    /// Whether a node answers as it should.
    pub fn is_well(&self, node: &str) -> bool {
        self.shared.index(node).is_some_and(|n| self.shared.fault(n) == Fault::None)
    }

    /// Gives a node a fault, or takes it away.
    pub fn misbehave(&self, node: &str, fault: Fault) -> Result<()> {
        let n = self.shared.index(node).with_context(|| format!("no node {node}"))?;
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner)[n] = fault;
        Ok(())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for node in &self.nodes {
            if let Some(task) = &node.task {
                task.abort();
            }
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
