//! The daemon put together: every part started in order, kept alive where another is broken, stopped in order.
//!
//! The store, the hub and the control socket are needed for anything at all: without one of them the daemon ends with a clear error. Ear,
//! speech, cluster and page may be broken; that is told as an event, and turns say sorry.

mod health;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use jarvis_core::ids::UnixSeconds;
use jarvis_core::intent::Grammar;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::agent::{self, Bounds};
use crate::board::{self, Picture};
use crate::cluster::{ClusterClient, ClusterConfig};
use crate::config::Config;
use crate::ctl::{self, Admission, Server};
use crate::ear::{Ear, EarConfig};
use crate::environment::Environment;
use crate::event::{Bus, EventKind, UnixMillis};
use crate::hub::{Hub, HubConfig, HubEvent};
use crate::mcp::{self, Mcp, Servers};
use crate::memory::Memories;
use crate::mind;
use crate::page::Page;
use crate::redaction;
use crate::safety::{Door, RECONCILE_EVERY, RunsConfig, Safety};
use crate::speech::{Speech, SpeechConfig};
use crate::status::House;
use crate::store::{ApprovalRow, CutRun, Keep, Probe, Store, enough_room};
use crate::systemd::Notifier;
use crate::turn::{LiveNames, Parts, Turns, lexicon, memory_work};
use health::{tell_ear, tell_nodes, tell_speech, watchdog};

/// Hub events that may wait for the turns: about ten seconds of one satellite's sound. While it is full the hub waits.
const HUB_EVENTS_MAX: usize = 512;
/// How often old words are looked for.
const RETENTION_EVERY: Duration = Duration::from_secs(3600);
/// On the way down, each step gets so long.
const STEP_MAX: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT.
pub fn run(config: Config, environment: Environment) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut int = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let stop = async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        };
        serve(config, environment, stop).await
    })
}

/// Runs until `stop`, or until a part without which nothing works has ended.
pub async fn serve(config: Config, environment: Environment, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    serve_observed(config, environment, stop, Probe::default()).await
}

/// The same with somebody watching the store's commits: for tests that kill the process inside one.
pub async fn serve_observed(
    config: Config,
    environment: Environment,
    stop: impl Future<Output = ()>,
    probe: Probe,
) -> anyhow::Result<()> {
    let notifier = Notifier::new(&environment);
    let mut tasks = JoinSet::new();
    let mut running = Running::start(config, &mut tasks, probe).await?;
    notifier.ready("listening");
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");

    let ended = tokio::select! {
        ended = until_over(stop, &mut tasks, &mut running.turns) => ended,
        () = watchdog(&running.house, &notifier) => Ok(()),
    };

    notifier.stopping();
    running.stop(tasks).await;
    tracing::info!("stopped");
    ended
}

/// A daemon that serves.
struct Running {
    house: House,
    turns: JoinSet<()>,
    stop_turns: oneshot::Sender<()>,
    doors: JoinSet<()>,
    /// Open to the last.
    stop_door: Door,
}

impl Running {
    async fn start(config: Config, tasks: &mut JoinSet<&'static str>, probe: Probe) -> anyhow::Result<Self> {
        let bus = Bus::new();
        let (picture, board) = watch::channel(Picture::default());
        tasks.spawn(named("board", board::keep(bus.listen(), picture)));
        let (store, cut_runs) = open_store(&config, &bus, probe).await?;
        let (memory, keeper) = Memories::start(store.clone(), redaction::where_found);
        tasks.spawn(named("memory", keeper.run()));
        let cluster = open_cluster(&config, &bus);
        let servers = Servers::new(&config.mcp, store.clone(), bus.clone());
        tasks.spawn(named("servers", servers.clone().watch()));
        let (state, rules) = (&config.daemon.state_dir, &config.safety);
        let (safety, runs) = Safety::open(state, rules, store.clone(), cluster.clone(), servers.clone(), bus.clone())
            .await
            .context("nothing may be changed without safety")?;
        let ear = open_ear(&config.ear, &bus, tasks).await?;
        tasks.spawn(named("node health", tell_nodes(cluster.clone(), bus.clone())));
        let speech = open_speech(&config.speech, &bus, tasks).await;
        let (names, keep_names) = LiveNames::keep(cluster.clone());
        tasks.spawn(named("names", keep_names));
        let (hub, hub_events) = open_hub(&config.link, tasks).await?;
        let (typed, typed_turns) = mpsc::channel(ctl::TYPED_WAITING_MAX);
        agent::tell_cut_runs(cut_runs, &store, &bus, &typed).await;
        let control_group = config.daemon.control_group.as_deref().and_then(ctl::group_id);
        let stop_door = open_stop_door(&config, control_group, &safety, &bus)?;
        let grammar = Arc::new(Grammar::embedded().context("the embedded intents")?);
        let changes = RunsConfig {
            typed: typed.clone(),
            words: announcement,
            look_every: RECONCILE_EVERY,
            memory: memory_work(memory.clone(), grammar.clone(), names.clone()),
        };
        tasks.spawn(named("changes", runs.run(changes)));
        let (minds, keeper) =
            mind::open(&config.minds, &config.daemon.state_dir, &store, &bus).map_err(anyhow::Error::msg)?;
        tasks.spawn(named("minds", keeper));
        let mcp = Mcp::open(&config.daemon.state_dir, &config.mcp);
        let (config, started) = (Arc::new(config), Instant::now());
        let house = House {
            config,
            hub,
            store,
            memory,
            bus,
            board,
            ear,
            speech,
            cluster,
            safety,
            mcp,
            servers,
            minds,
            typed,
            started,
        };
        tasks.spawn(named("retention", retain(house.store.clone(), house.config.retention.keep())));
        let (gleanings, gleaner) = agent::Gleanings::open();
        let parts = parts(&house, grammar, names, gleanings);
        tasks.spawn(named("gleaner", gleaner.run(house.config.memory, parts.clone())));
        let (stop_turns, stopping) = oneshot::channel();
        let mut turns = JoinSet::new();
        turns.spawn(Turns::new(parts).run(hub_events, typed_turns, stopping));
        let doors = open_doors(&house, control_group).await?;
        Ok(Self { house, turns, stop_turns, doors, stop_door })
    }

    /// In order: nobody new comes in, whoever is in is answered, what was learnt is written down.
    async fn stop(self, mut tasks: JoinSet<&'static str>) {
        let Self { house, mut turns, stop_turns, mut doors, stop_door } = self;
        doors.shutdown().await;
        if stop_turns.send(()).is_ok() {
            step("turns", async { while turns.join_next().await.is_some() {} }).await;
        }
        step("hub", house.hub.clone().shutdown()).await;
        step("memory", async {
            if let Err(error) = house.memory.flush().await {
                tracing::error!("uses of memories were not written: {error}");
            }
        })
        .await;
        tasks.shutdown().await;
        let store = house.store.clone();
        drop(house);
        step("store", async {
            if let Err(error) = store.close().await {
                tracing::error!("the store did not close: {error}");
            }
        })
        .await;
        drop(stop_door);
    }
}

/// What turns work with.
fn parts(house: &House, grammar: Arc<Grammar>, names: LiveNames, gleanings: agent::Gleanings) -> Parts {
    let personality = house.config.minds.personality;
    Parts {
        hub: house.hub.clone(),
        ear: house.ear.clone(),
        lexicon: lexicon(&house.config.ear.model),
        store: house.store.clone(),
        memory: house.memory.clone(),
        cluster: house.cluster.clone(),
        bounds: Bounds::new(&house.config.agent),
        gleanings,
        context: mind::Context::new(house.cluster.clone(), house.memory.clone(), personality),
        servers: house.servers.clone(),
        safety: house.safety.clone(),
        minds: house.minds.clone(),
        speech: house.speech.clone(),
        grammar,
        names,
        bus: house.bus.clone(),
        started: UnixSeconds(jiff::Timestamp::now().as_second()),
    }
}

/// The hub's name among the tasks.
const HUB: &str = "hub";

async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

async fn until_over(
    stop: impl Future<Output = ()>,
    tasks: &mut JoinSet<&'static str>,
    turns: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            ended = turns.join_next() => anyhow::bail!("the turns ended: {ended:?}"),
            Some(ended) = tasks.join_next() => match ended {
                Ok(HUB) => anyhow::bail!("the hub ended; satellites cannot be served any more"),
                Ok(name) => tracing::debug!(name, "a task is done"),
                Err(error) => anyhow::bail!("a part broke: {error}"),
            },
        }
    }
}

async fn step(name: &str, work: impl Future<Output = ()>) {
    if tokio::time::timeout(STEP_MAX, work).await.is_err() {
        tracing::warn!(name, "did not stop in time");
    }
}

async fn open_store(config: &Config, bus: &Bus, probe: Probe) -> anyhow::Result<(Store, Vec<CutRun>)> {
    let folder = &config.daemon.state_dir;
    std::fs::create_dir_all(folder).with_context(|| {
        format!("cannot make {}; give [daemon] state_dir a place that jarvisd may write to", folder.display())
    })?;
    enough_room(folder)?;
    let path = config.daemon.database();
    let (store, opened) =
        tokio::task::spawn_blocking(move || Store::open_observed(&path, probe)).await.context("the store broke")??;
    if let Some(aside) = opened.kept_aside {
        let reason = format!(
            "a damaged database was kept aside as {}: {}; `jarvisctl doctor` says what to do",
            aside.path.display(),
            aside.reason
        );
        tracing::error!("{reason}");
        bus.tell(EventKind::Degraded { part: "store".into(), reason, fallback: Some("a new database".into()) });
    }
    if opened.cut_turns > 0 {
        tracing::warn!(turns = opened.cut_turns, "turns were cut off by the end of the run before this one");
    }
    Ok((store, opened.cut_runs))
}

async fn open_ear(config: &EarConfig, bus: &Bus, tasks: &mut JoinSet<&'static str>) -> anyhow::Result<Ear> {
    let (ear, task) = Ear::start(config.clone()).await.context("the ear")?;
    tasks.spawn(named("ear", task.run()));
    tasks.spawn(named("ear status", tell_ear(ear.clone(), bus.clone())));
    Ok(ear)
}

/// The voice. Where an engine's settings can't work (its key was taken away, say), espeak-ng speaks alone: that is told, and nobody is left
/// without an answer.
async fn open_speech(config: &SpeechConfig, bus: &Bus, tasks: &mut JoinSet<&'static str>) -> Option<Speech> {
    let mut wanted = config.clone();
    let mut left_out = None;
    loop {
        match Speech::start(&wanted).await {
            Ok((speech, task)) => {
                tasks.spawn(named("speech", task.run()));
                tasks.spawn(named("speech status", tell_speech(speech.clone(), left_out, bus.clone())));
                return Some(speech);
            }
            Err(error) => {
                let others = !wanted.engines.is_empty();
                let reason = error.to_string();
                tracing::error!("the voice: {reason}");
                let fallback = others.then(|| "espeak-ng".to_owned());
                bus.tell(EventKind::Degraded { part: "speech".into(), reason: reason.clone(), fallback });
                if !others {
                    return None;
                }
                wanted.engines.clear();
                left_out = Some(reason);
            }
        }
    }
}

async fn open_hub(
    config: &HubConfig,
    tasks: &mut JoinSet<&'static str>,
) -> anyhow::Result<(Hub, mpsc::Receiver<HubEvent>)> {
    let (events, hub_events) = mpsc::channel(HUB_EVENTS_MAX);
    let (hub, task) = Hub::start(config.clone(), events).await.context("satellites cannot be served")?;
    tasks.spawn(async move {
        if let Err(error) = task.run().await {
            tracing::error!("the hub ended: {error}");
        }
        HUB
    });
    Ok((hub, hub_events))
}

fn open_cluster(config: &Config, bus: &Bus) -> ClusterClient {
    let broken = match ClusterClient::new(&config.cluster) {
        Ok(client) => return client,
        Err(error) => error.to_string(),
    };
    tracing::error!("no cluster: {broken}");
    bus.tell(EventKind::Degraded { part: "cluster".into(), reason: broken, fallback: None });
    #[expect(clippy::expect_used, reason = "the default names no node and no secret, so nothing of it can be wrong")]
    ClusterClient::new(&ClusterConfig::default()).expect("the empty cluster")
}

/// The end of a change that nobody in the room waits for, in words.
fn announcement(row: &ApprovalRow) -> String {
    crate::turn::change_over(row, row.row.id.0.unsigned_abs())
}

/// The way to stop that works while everything else hangs.
fn open_stop_door(config: &Config, group: Option<u32>, safety: &Safety, bus: &Bus) -> anyhow::Result<Door> {
    let (safety, bus, switch) = (safety.clone(), bus.clone(), safety.switch().clone());
    let told = move |by: &str| {
        tracing::warn!(by, "the kill switch was set");
        bus.tell(EventKind::Power { state: safety.switch().state() });
        safety.stopped_outside();
    };
    Door::open(&config.daemon.state_dir, switch, group, told).context("the stop door")
}

/// Control socket, page, and MCP where it is served. But for the socket all may be missing.
async fn open_doors(house: &House, group: Option<u32>) -> anyhow::Result<JoinSet<()>> {
    let mut doors = JoinSet::new();
    let socket = house.config.daemon.socket();
    let server = Server::bind(&socket, Admission::of_daemon(group)).await.context("no control socket")?;
    doors.spawn(server.run(house.clone()));
    doors.spawn(mcp::run(house.clone(), house.bus.clone()));
    match Page::bind(&house.config.page, &house.config.daemon.state_dir).await {
        Ok(page) => {
            tracing::info!(address = %page.address(), "the page is served");
            let house = house.clone();
            doors.spawn(async move {
                if let Err(error) = page.run(house).await {
                    tracing::error!("the page ended: {error}");
                }
            });
        }
        Err(error) => {
            tracing::error!("{error}");
            house.bus.tell(EventKind::Degraded {
                part: "page".into(),
                reason: error.to_string(),
                fallback: Some("jarvisctl".into()),
            });
        }
    }
    Ok(doors)
}

async fn retain(store: Store, keep: Keep) {
    let mut clock = tokio::time::interval(RETENTION_EVERY);
    loop {
        clock.tick().await;
        match store.retain(keep, UnixMillis::now().0).await {
            Ok(done) => tracing::debug!(?done, "retention"),
            Err(error) => tracing::error!("old words could not be forgotten: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
