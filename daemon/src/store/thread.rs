//! The thread that owns the connection.

use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::open::Held;

/// Calls that may wait for the thread. Beyond that the callers wait; nothing is dropped.
const MAX_WAITING: usize = 256;

type Seen = Option<Box<dyn Fn() + Send>>;
type Job = Box<dyn FnOnce(&mut Connection, &Seen) + Send>;

enum Order {
    Run(Job),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// Closures called on the store's thread around each commit, for tests that kill the process there.
#[derive(Default)]
pub struct Probe {
    /// Before the first page of a commit is written.
    pub committing: Seen,
    /// After the commit is durable, before anybody is told.
    pub committed: Seen,
}

pub(super) struct Thread {
    orders: Option<mpsc::Sender<Order>>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    pub(super) fn start(held: Held, probe: Probe) -> Result<Self, StoreError> {
        let (orders, inbox) = mpsc::channel(MAX_WAITING);
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let handle =
            std::thread::Builder::new().name("store".into()).spawn(move || work(held, probe, inbox, &ready)).map_err(
                |source| StoreError::File { doing: "cannot start the thread of", path: "the store".into(), source },
            )?;
        started.recv().map_err(|_| StoreError::Closed)??;
        Ok(Self { orders: Some(orders), handle: Some(handle) })
    }

    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection, committed| {
            let done = in_transaction(connection, committed, work);
            if answer.send(done).is_err() {
                tracing::debug!("nobody waited for a write of the store");
            }
        });
        self.order(Order::Run(job)).await?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Folds the log into the database, so that what was forgotten is not in the log any more either.
    pub(super) async fn fold_log(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection, _| {
            if answer.send(fold(connection)).is_err() {
                tracing::debug!("nobody waited for the log to be folded");
            }
        });
        self.order(Order::Run(job)).await?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Close(answer)).await?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    async fn order(&self, order: Order) -> Result<(), StoreError> {
        let orders = self.orders.as_ref().ok_or(StoreError::Closed)?;
        orders.send(order).await.map_err(|_| StoreError::Closed)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(handle) = self.handle.take()
            && handle.join().is_err()
        {
            tracing::error!("the store's thread panicked");
        }
    }
}

fn work(held: Held, probe: Probe, mut inbox: mpsc::Receiver<Order>, ready: &SyncSender<Result<(), StoreError>>) {
    let Held { mut connection, owner, .. } = held;
    let Probe { committing, committed } = probe;
    let watched = watch(&mut connection, committing);
    let failed = watched.is_err();
    if ready.send(watched).is_err() || failed {
        return;
    }
    let mut closing = None;
    while let Some(order) = inbox.blocking_recv() {
        match order {
            Order::Run(job) => job(&mut connection, &committed),
            Order::Close(answer) => {
                closing = Some(answer);
                inbox.close();
            }
        }
    }
    let folded = fold(&mut connection);
    let closed = folded.and(connection.close().map_err(|(_, e)| e.into()));
    // Whoever is told that it is closed may open it.
    drop(owner);
    match closing {
        Some(answer) => {
            if answer.send(closed).is_err() {
                tracing::debug!("nobody waited for the store to close");
            }
        }
        None => {
            if let Err(error) = closed {
                tracing::warn!(%error, "closing the store");
            }
        }
    }
}

fn watch(connection: &mut Connection, committing: Seen) -> Result<(), StoreError> {
    if let Some(seen) = committing {
        connection.commit_hook(Some(move || {
            seen();
            false
        }))?;
    }
    Ok(())
}

fn in_transaction<T>(
    connection: &mut Connection,
    committed: &Seen,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&tx)?;
    tx.commit()?;
    if let Some(seen) = committed {
        seen();
    }
    Ok(done)
}

fn fold(connection: &mut Connection) -> Result<(), StoreError> {
    // A reader (`jarvisctl doctor`) may hold the log's end: then it is folded next time.
    connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    Ok(())
}
