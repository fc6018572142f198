//! Other servers of the owner's: looked at, compared with what he approved, offered to a model where his words call for one, and asked.
//!
//! What a server says of its tools is strangers' text ([`jarvis_core::foreign`]). Nothing of it reaches a model before its owner approved
//! it, and a call goes through the gate like any other: [`Servers::standing`] tells the gate how a tool stands, and [`Servers::call`]
//! takes nothing but what the gate cleared.

mod config;
mod line;
mod program;
mod session;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jarvis_core::foreign::{self, Approved, Described, Foreign, Standing, Taken, calls_for, fitting};
use jarvis_core::gate::{Cleared, Rights, Work};
use jarvis_core::mind::message::ToolSpec;
use jarvis_core::tool::Tier;
use jarvis_core::tools::{AskServer, Call, Effect};

pub use config::ServerConfig;
pub use line::{NotApproved, ServerLine, Shown, ToolLine};
pub use session::Called;
use session::Way;

use super::McpConfig;
use crate::event::{Bus, EventKind, UnixMillis};
use crate::store::{Store, StoreError, ToolApproval};

/// How often servers are looked at by themselves.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// Tools that are named in one sentence.
const NAMED_MAX: usize = 5;

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Servers(Arc<Inner>);

struct Inner {
    store: Store,
    bus: Bus,
    all: Vec<Server>,
}

struct Server {
    way: Way,
    seen: Mutex<Seen>,
    /// What was told last of what is wrong with it.
    told: Mutex<Option<String>>,
}

/// What a server was seen to be.
#[derive(Debug, Clone, Default)]
struct Seen {
    at: Option<UnixMillis>,
    /// What it listed last; `None` where it never did.
    taken: Option<Taken>,
    trouble: Option<String>,
}

/// What goes with a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Offer {
    /// Tools, in their servers' words.
    pub specs: Vec<ToolSpec>,
    /// What a model is told of servers that were called for, in Jarvis's own words.
    pub lines: Vec<String>,
}

impl Server {
    fn config(&self) -> &ServerConfig {
        &self.way.config
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each tool that is known, how it stands, and what is said and was approved of it.
    fn tools(&self, approved: &[Approved]) -> Vec<ToolLine> {
        let seen = self.seen().clone();
        // Before it was ever seen, what was approved is what is known; it is compared again before it is called.
        let now: Vec<Described> = match seen.taken {
            Some(taken) => taken.tools,
            None => approved.iter().map(|then| then.described.clone()).collect(),
        };
        let then = |name: &str| approved.iter().find(|then| then.described.name == name);
        let mut lines: Vec<ToolLine> = now.iter().filter_map(|tool| self.line(then(&tool.name), Some(tool))).collect();
        let gone = approved.iter().filter(|then| !now.iter().any(|tool| tool.name == then.described.name));
        lines.extend(gone.filter_map(|then| self.line(Some(then), None)));
        lines.sort_by(|a, b| a.name.cmp(&b.name));
        lines
    }

    fn line(&self, then: Option<&Approved>, now: Option<&Described>) -> Option<ToolLine> {
        let standing = foreign::standing(then, now, &self.config().address())?;
        let shown = now.or(then.map(|then| &then.described))?;
        let before = then.filter(|_| matches!(standing, Standing::Changed { .. })).map(|then| &then.described);
        Some(ToolLine {
            name: shown.name.clone(),
            tier: self.config().tier(&shown.name),
            // What a model is offered is what was approved, byte for byte.
            pin: now.map(Described::pin).or(then.map(|then| then.pin))?,
            about: shown.about.clone(),
            schema: shown.schema.clone(),
            about_then: before.filter(|before| before.about != shown.about).map(|before| before.about.clone()),
            schema_then: before.filter(|before| before.schema != shown.schema).map(|before| before.schema.clone()),
            standing,
        })
    }
}

impl Servers {
    /// Those of the configuration; nobody is asked yet.
    pub fn new(config: &McpConfig, store: Store, bus: Bus) -> Self {
        let server = |config: &ServerConfig| Server {
            way: Way::new(config.clone()),
            seen: Mutex::default(),
            told: Mutex::default(),
        };
        Self(Arc::new(Inner { store, bus, all: config.servers.iter().map(server).collect() }))
    }

    /// Looks at all of them, at once and every few minutes, until it is dropped.
    pub async fn watch(self) {
        if self.0.all.is_empty() {
            return;
        }
        let mut clock = tokio::time::interval(LOOK_EVERY);
        loop {
            clock.tick().await;
            self.look().await;
        }
    }

    /// Looks at all of them now.
    pub async fn look(&self) {
        join_all(self.0.all.iter().map(|server| self.look_at(server))).await;
    }

    async fn look_at(&self, server: &Server) {
        let approved = match self.approved(server).await {
            Ok(approved) => approved,
            Err(error) => {
                return tracing::error!("what was approved of {} cannot be read: {error}", server.config().name);
            }
        };
        let wanted = |name: &str| approved.iter().any(|then| then.described.name == name);
        let listed = Box::pin(server.way.list(wanted)).await;
        self.saw(server, listed, &approved);
    }

    fn saw(&self, server: &Server, listed: Result<Taken, String>, approved: &[Approved]) {
        {
            let mut seen = server.seen();
            seen.at = Some(UnixMillis::now());
            match listed {
                Ok(taken) => (seen.taken, seen.trouble) = (Some(taken), None),
                Err(why) => seen.trouble = Some(why),
            }
        }
        self.tell(server, approved);
    }

    /// Tells what is wrong with a server, or waits for its owner: once each.
    fn tell(&self, server: &Server, approved: &[Approved]) {
        let line = self.server_line(server, approved);
        let reason = line.trouble.clone().map(|why| format!("it cannot be asked: {why}")).or_else(|| waits(&line));
        let part = format!("mcp {}", server.config().name);
        let mut told = server.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == reason {
            return;
        }
        match &reason {
            Some(reason) => {
                tracing::warn!(server = server.config().name, "{reason}");
                self.0.bus.tell(EventKind::Degraded { part, reason: reason.clone(), fallback: None });
            }
            None => {
                self.0.bus.tell(EventKind::Restored { part });
            }
        }
        *told = reason;
    }

    async fn approved(&self, server: &Server) -> Result<Vec<Approved>, StoreError> {
        let rows = self.0.store.approved_tools(&server.config().name).await?;
        let kept = rows.into_iter().filter_map(|row| {
            let ToolApproval { tool, pin, text, address, .. } = row;
            let approved = Approved::kept(&text, pin, address).filter(|approved| approved.described.name == tool);
            if approved.is_none() {
                tracing::error!(
                    server = server.config().name,
                    tool,
                    "what was kept of an approval is not what was approved"
                );
            }
            approved
        });
        Ok(kept.collect())
    }

    fn server_line(&self, server: &Server, approved: &[Approved]) -> ServerLine {
        let tools = server.tools(approved);
        let Seen { at, taken, trouble } = server.seen().clone();
        let left_out = taken.map(|taken| taken.left_out).unwrap_or_default();
        let (name, url) = (server.config().name.clone(), server.config().address());
        ServerLine { name, url, looked: at, trouble, tools, left_out }
    }

    /// All of them, as they were seen last.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn list(&self) -> Result<Vec<ServerLine>, StoreError> {
        let mut all = Vec::new();
        for server in &self.0.all {
            all.push(self.server_line(server, &self.approved(server).await?));
        }
        Ok(all)
    }

    fn named(&self, name: &str) -> Option<&Server> {
        self.0.all.iter().find(|server| server.config().name == name)
    }

    /// How the tool stands that a call asks for; `None` for every other call, and for a tool that nobody knows.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn standing(&self, call: &Call) -> Result<Option<Foreign>, StoreError> {
        let Some(AskServer { server: name, tool, .. }) = call.args::<AskServer>() else { return Ok(None) };
        let Some(server) = self.named(name) else { return Ok(None) };
        let lines = server.tools(&self.approved(server).await?);
        Ok(lines.into_iter().find(|line| line.name == *tool).map(|line| Foreign {
            server: name.clone(),
            tool: line.name,
            pin: line.pin,
            tier: line.tier,
            standing: line.standing,
        }))
    }

    /// What goes with a request of somebody with these rights: approved tools of the servers that his own words call for, at most `limit`.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn offer(&self, request: &str, rights: Rights, limit: usize) -> Result<Offer, StoreError> {
        let mut offer = Offer::default();
        let called =
            self.0.all.iter().filter(|server| calls_for(request, &server.config().name, &server.config().about));
        let mut approved: Vec<(String, Described)> = Vec::new();
        for server in called {
            let line = self.server_line(server, &self.approved(server).await?);
            offer.lines.extend(told(&line));
            let may = |tool: &ToolLine| match tool.tier {
                Tier::Green => true,
                Tier::Yellow => rights >= Rights::Yellow,
                Tier::Red => rights >= Rights::All,
                Tier::Black => false,
            };
            let fit = line.tools.into_iter().filter(|tool| tool.standing == Standing::Approved && may(tool));
            approved.extend(fit.map(|tool| {
                (line.name.clone(), Described { name: tool.name, about: tool.about, schema: tool.schema })
            }));
        }
        let all = approved.iter().map(|(server, tool)| (server, tool)).collect();
        offer.specs = fitting(request, all, limit).into_iter().map(|(server, tool)| tool.spec(server)).collect();
        Ok(offer)
    }

    /// Looks at a server, and gives what is to be kept where each tool still is as it was shown.
    ///
    /// # Errors
    /// Where one of them is not; none of them is approved then.
    pub async fn approvable(&self, name: &str, shown: &[Shown]) -> Result<Vec<ToolApproval>, NotApproved> {
        let server = self.named(name).ok_or_else(|| NotApproved::NoServer(short(name)))?;
        self.look_at(server).await;
        let Seen { taken, trouble, .. } = server.seen().clone();
        let taken = match (taken, trouble) {
            (Some(taken), None) => taken,
            (_, why) => {
                let why = why.unwrap_or_else(|| "it was never looked at".to_owned());
                return Err(NotApproved::Away { server: name.to_owned(), why });
            }
        };
        let row = |shown: &Shown| {
            let (server_name, tool) = (name.to_owned(), short(&shown.tool));
            let Some(now) = taken.tools.iter().find(|tool| tool.name == shown.tool) else {
                return Err(NotApproved::NoTool { server: server_name, tool });
            };
            if now.pin() != shown.pin {
                return Err(NotApproved::Changed { server: server_name, tool });
            }
            let (text, address) = (now.text(), server.config().address());
            Ok(ToolApproval { server: server_name, tool: now.name.clone(), pin: shown.pin, text, address })
        };
        shown.iter().map(row).collect()
    }

    /// What was approved of a server is otherwise now: tells anew how it stands.
    pub async fn changed(&self, name: &str) {
        let Some(server) = self.named(name) else { return };
        match self.approved(server).await {
            Ok(approved) => self.tell(server, &approved),
            Err(error) => tracing::error!("what was approved of {name} cannot be read: {error}"),
        }
    }

    /// Asks a server, once. Spends the clearance. `may` is asked at the last moment before anything is sent that does something.
    pub async fn call(&self, cleared: Cleared<Work>, may: &(dyn Fn() -> bool + Send + Sync)) -> Called {
        let Effect::Foreign(call) = cleared.into_args().effect else {
            return Called::NotCalled("that asks no other server".to_owned());
        };
        let Some(server) = self.named(&call.server) else {
            return Called::NotCalled(format!("there is no server {} any more", short(&call.server)));
        };
        let approved = match self.approved(server).await {
            Ok(approved) => approved,
            Err(error) => return Called::NotCalled(format!("what was approved cannot be read: {error}")),
        };
        let wanted = |name: &str| approved.iter().any(|then| then.described.name == name);
        let (called, listed) = match Box::pin(server.way.call(call, wanted, may)).await {
            Ok((called, taken)) => (called, Ok(taken)),
            Err(why) => (Called::NotCalled(why.clone()), Err(why)),
        };
        self.saw(server, listed, &approved);
        called
    }
}

/// What waits for the owner; `None` where nothing does.
fn waits(line: &ServerLine) -> Option<String> {
    let named = |of: fn(&Standing) -> bool| {
        let names: Vec<&str> =
            line.tools.iter().filter(|tool| of(&tool.standing)).map(|tool| tool.name.as_str()).collect();
        let more = names.len().saturating_sub(NAMED_MAX);
        let list = names.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{list} and {more} more") } else { list }
    };
    let kinds = [
        ("new", named(|standing| *standing == Standing::New)),
        ("changed", named(|standing| matches!(standing, Standing::Changed { .. }))),
        ("gone", named(|standing| *standing == Standing::Gone)),
    ];
    let told: Vec<String> =
        kinds.iter().filter(|(_, names)| !names.is_empty()).map(|(kind, names)| format!("{kind}: {names}")).collect();
    (!told.is_empty()).then(|| format!("tools wait for you ({}); jarvisctl mcp servers shows them", told.join("; ")))
}

/// What a model is told of a server that was called for and cannot be used as its owner may expect: nothing of it is the server's.
fn told(line: &ServerLine) -> Option<String> {
    let (name, waiting) = (&line.name, line.waiting().count());
    if line.trouble.is_some() {
        return Some(format!("[The owner's server {name} did not answer when it was looked at last.]"));
    }
    (waiting > 0).then(|| {
        format!("[{waiting} tools of the owner's server {name} wait for his approval and cannot be used: jarvisctl mcp servers shows them.]")
    })
}

fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(foreign::NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
