//! What goes on by itself while a server serves: it gives up what has expired, and says that it is alive.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    process::{clock::Clock, systemd},
    receipts::Ledger,
    store::StoreError,
};

/// Gives up the storage of expired messages every so often, for as long as the store takes writes.
pub(super) fn spawn_sweep(ledger: Ledger, clock: Clock, every: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match ledger.sweep(clock.now()).await {
                Ok(0) => {}
                Ok(messages) => tracing::debug!(messages, "swept"),
                Err(error @ StoreError::Overloaded) => tracing::debug!(%error, "not swept"),
                Err(error) => {
                    tracing::error!(%error, "sweeping no more");
                    return;
                }
            }
        }
    })
}
/// Tells the service manager that the server is alive, for as long as writes get through: a sweep goes to the commit
/// thread and back, as every write does, and writes nothing where nothing has expired. A store that failed is alive: it answers
/// reads, which a restart on the same disk might not.
pub(super) fn spawn_alive(ledger: Ledger, clock: Clock, every: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut commits = None;
        loop {
            ticks.tick().await;
            let swept = ledger.sweep(clock.now()).await;
            // Where too much waits, others' writes show whether anything moves.
            let moved = commits.replace(ledger.vitals().commits) != Some(ledger.vitals().commits);
            if moved || !matches!(swept, Err(StoreError::Overloaded)) {
                systemd::alive();
            }
        }
    })
}
