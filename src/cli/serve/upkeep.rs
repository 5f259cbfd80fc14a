//! What goes on by itself while a server serves: it gives up what has expired, looks at the machine, and says that it is
//! alive.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    process::{
        clock::Clock,
        metrics::{Machine, Metrics},
        systemd,
    },
    receipts::Ledger,
    store::StoreError,
};

/// Ticks at once, and then every so often; after work that took longer there is a whole pause.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Gives up the storage of expired messages every so often, for as long as the store takes writes.
pub(super) fn spawn_sweep(ledger: Ledger, clock: Clock, every: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = ticks(every);
        loop {
            ticks.tick().await;
            match ledger.sweep(clock.now()).await {
                Ok(0) => {}
                Ok(messages) => tracing::debug!(messages, "swept"),
                Err(error @ (StoreError::Failed | StoreError::Closed)) => {
                    tracing::error!(%error, "sweeping no more");
                    return;
                }
                Err(error) => tracing::debug!(%error, "not swept"),
            }
        }
    })
}

/// How often the machine is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks at the machine every so often. A disk that hangs is waited for, by nobody else.
pub(super) fn spawn_look(metrics: Arc<Metrics>, data: Option<PathBuf>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = ticks(LOOK_EVERY);
        let mut was_told = false;
        loop {
            ticks.tick().await;
            let data = data.clone();
            match tokio::task::spawn_blocking(move || Machine::look(data.as_deref())).await {
                Ok(Ok(found)) => metrics.looked(&found),
                Ok(Err(error)) if !was_told => {
                    tracing::warn!(%error, "what the disk has left cannot be told");
                    was_told = true;
                }
                Ok(Err(_)) => {}
                // The runtime ends.
                Err(_) => return,
            }
        }
    })
}

/// Tells the service manager that the server is alive, for as long as writes get through: a sweep goes to the commit
/// thread and back, as every write does, and writes nothing where nothing has expired. A store that failed is alive: it answers
/// reads, which a restart on the same disk might not.
pub(super) fn spawn_alive(ledger: Ledger, clock: Clock, every: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = ticks(every);
        let mut commits = None;
        loop {
            ticks.tick().await;
            let swept = ledger.sweep(clock.now()).await;
            // Where too much waits, others' writes show whether anything moves.
            let now = ledger.vitals().commits;
            let moved = commits.replace(now) != Some(now);
            if moved || !matches!(swept, Err(StoreError::Overloaded)) {
                systemd::alive();
            }
        }
    })
}
