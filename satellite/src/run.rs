//! A satellite that runs: threads for sound and wake word, one task each for link and control, one loop for the session.

use std::path::PathBuf;

use anyhow::{Context, Result};
use jarvis_link::message::Settings;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::Config;
use crate::control::Control;
use crate::environment::Environment;
use crate::net::{Net, NetConfig, NetError, NetEvent, NetHandle, NetTask};
use crate::session::drive::{CALLS_WAITING, Ports, drive};
use crate::session::{House, Session, Speaker};
use crate::sound::front::{FRAMES_WAITING, Front};
use crate::wake::listen::Listener;
use crate::{audio, led, wake};

/// Runs until SIGTERM or SIGINT.
pub fn run(config: &Config, environment: &Environment) -> Result<()> {
    // One thread is enough for link and session; sound and wake word have their own.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(serve(config, environment))
}

async fn serve(config: &Config, environment: &Environment) -> Result<()> {
    let backend = audio::backend(&config.audio.backend)?;
    let (spotter, phrases) = wake::spotter(config)?;
    let (net, hub, net_task) = start_net(config, phrases)?;
    let clock = Clock::reading(net.micros());
    let (calls, calls_out) = mpsc::channel(CALLS_WAITING);
    let (front_events, front_out) = mpsc::channel(FRAMES_WAITING);
    let (listener, feed) = Listener::start(Box::new(spotter), clock, calls.clone()).context("start the wake thread")?;
    let front =
        Front::start(backend, config.audio.clone(), clock, front_events, feed).context("start the sound thread")?;

    let mut tasks = JoinSet::new();
    let net_ended = tasks.spawn(async move { net_task.run().await.context("the link ended") }).id();
    if let Some(control) = control(config, environment)? {
        tasks.spawn(async move {
            control.serve(calls).await;
            Ok(())
        });
    }
    let settings = Settings { volume_percent: config.audio.volume_percent, muted: false };
    let mut house =
        House { net: net.clone(), speaker: Speaker::default(), front: front.handle(), led: led::led(&config.led)? };
    let ports = Ports { hub, calls: calls_out, front: front_out };
    let session = Session::new(settings, clock.now());
    tracing::info!(backend = backend.name(), "listening");

    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::select! {
        () = drive(session, ports, &mut house, clock, config.wake.sure) => tracing::error!("a port of the session closed"),
        _ = terminate.recv() => tracing::info!("asked to end"),
        _ = interrupt.recv() => tracing::info!("asked to end"),
    }
    net.shutdown();
    drop(house);
    let ended = tokio::task::spawn_blocking(move || {
        front.stop();
        listener.join();
    });
    let mut result = Ok(());
    while let Some(done) = tasks.join_next_with_id().await {
        match done {
            Ok((id, outcome)) if id == net_ended => result = outcome,
            Ok((_, outcome)) => outcome?,
            Err(error) => tracing::error!(%error, "a task broke"),
        }
    }
    ended.await.context("end the threads")?;
    result
}

/// Reads the keys and opens the link's socket.
pub(crate) fn start_net(
    config: &Config,
    phrases: Vec<String>,
) -> Result<(NetHandle, mpsc::Receiver<NetEvent>, NetTask), NetError> {
    Net::start(NetConfig {
        state_dir: config.state_dir.clone(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        phrases,
        echo_cancelled: config.audio.echo_canceller,
    })
}

fn control(config: &Config, environment: &Environment) -> Result<Option<Control>> {
    let path: PathBuf = match (&config.control.socket, &environment.runtime_dir) {
        (path, _) if !path.as_os_str().is_empty() => path.clone(),
        (_, Some(dir)) => dir.join("control.sock"),
        (_, None) => return Ok(None),
    };
    let control =
        Control::open(&path).with_context(|| format!("[control] socket {} can't be opened", path.display()))?;
    Ok(Some(control))
}
