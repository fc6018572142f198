//! A house of real parts in which nothing happens by itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::House;
use crate::board::{self, Picture};
use crate::cluster::ClusterClient;
use crate::config::Config;
use crate::ctl::Typed;
use crate::ear::Ear;
use crate::event::Bus;
use crate::hub::Hub;
use crate::mcp::{Mcp, Servers};
use crate::memory::Memories;
use crate::mind;
use crate::safety::{RECONCILE_EVERY, RunsConfig, Safety};
use crate::store::Store;

/// A house below `folder`, and where its typed turns arrive.
pub(crate) async fn quiet_house(folder: &Path) -> (House, mpsc::Receiver<Typed>) {
    let mut config = Config::default();
    config.daemon.state_dir = folder.to_owned();
    config.link.state_dir = folder.to_owned();
    config.link.listen = ([127, 0, 0, 1], 0).into();
    config.page.listen = ([127, 0, 0, 1], 0).into();
    config.ear.model = folder.join("no-model");
    let bus = Bus::new();
    let (picture, board) = watch::channel(Picture::default());
    tokio::spawn(board::keep(bus.listen(), picture));
    let (events, _) = mpsc::channel(1);
    let (hub, hub_task) = Hub::start(config.link.clone(), events).await.unwrap();
    tokio::spawn(hub_task.run());
    let (ear, ear_task) = Ear::start(config.ear.clone()).await.unwrap();
    tokio::spawn(ear_task.run());
    let (store, _) = Store::open(&config.daemon.database()).unwrap();
    let (memory, keeper) = Memories::start(store.clone(), |_| None);
    tokio::spawn(keeper.run());
    let cluster = ClusterClient::new(&config.cluster).unwrap();
    let (typed, requests) = mpsc::channel(4);
    let servers = Servers::new(&config.mcp, store.clone(), bus.clone());
    let (state, parts) = (&config.daemon.state_dir, (store.clone(), cluster.clone(), servers.clone()));
    let safety = Safety::open(state, &config.safety, parts.0, parts.1, parts.2, bus.clone());
    let (safety, runs) = safety.await.unwrap();
    let changes = RunsConfig {
        typed: typed.clone(),
        words: |_| String::new(),
        look_every: RECONCILE_EVERY,
        memory: Arc::new(|_, _| Box::pin(async { Err("nobody does it here".to_owned()) })),
    };
    tokio::spawn(runs.run(changes));
    let (minds, keeper) = mind::open(&config.minds, &config.daemon.state_dir, &store, &bus).unwrap();
    tokio::spawn(keeper);
    let mcp = Mcp::open(&config.daemon.state_dir, &config.mcp);
    let config = Arc::new(config);
    let started = Instant::now();
    (
        House {
            config,
            hub,
            store,
            memory,
            bus,
            board,
            ear,
            speech: None,
            cluster,
            safety,
            mcp,
            servers,
            minds,
            typed,
            started,
        },
        requests,
    )
}
