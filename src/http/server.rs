//! The accept loop: how many connections there may be, and how they all end.
//!
//! Knows neither protocol nor route; `connection` is where a connection goes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{HttpLimits, Listener, body::BodyBudget, connection, listener::Stream, problem::Failure};
use crate::{
    process::{clock::Clock, metrics::Metrics},
    receipts::Ledger,
    wire::Code,
};

/// What all connections share. Several listeners may serve one server.
#[derive(Debug)]
pub struct Server {
    pub(super) ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) limits: HttpLimits,
    pub(super) metrics: Arc<Metrics>,
    pub(super) bodies: BodyBudget,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    draining: AtomicBool,
}

impl Server {
    /// A server of the use-cases of `ledger`, at the times that `clock` shows. What it counts, it counts in
    /// `metrics`, which others may count in as well.
    #[must_use]
    pub fn new(ledger: Ledger, clock: Clock, limits: HttpLimits, metrics: Arc<Metrics>) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self {
            ledger,
            clock,
            limits,
            metrics,
            bodies: semaphore(limits.bodies_bytes_max),
            connections: semaphore(limits.connections_max),
            refusals: semaphore(limits.refusals_max),
            draining: AtomicBool::new(false),
        }
    }

    /// Whether the server is on its way out. It still answers what comes over connections that are open.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because their requests were not answered, or their answers not taken, within the
    /// time for draining. 0: whatever was in flight was answered.
    pub connections_cut: usize,
}

/// Serves connections until `stop` is ready. From then on none is accepted, idle ones are closed, and requests in
/// flight are answered; what is left after `drain` is cut.
pub async fn serve(
    listener: Listener,
    server: Arc<Server>,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> Drained {
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    accept_all(&listener, &server, stop, &stopped, &mut connections).await;
    server.draining.store(true, Ordering::Relaxed);
    drop(listener);
    // Every connection holds a receiver or has ended.
    let _ = stopping.send(true);
    let drained = timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
    let connections_cut = if drained.is_ok() { 0 } else { connections.len() };
    connections.shutdown().await;
    Drained { connections_cut }
}

async fn accept_all(
    listener: &Listener,
    server: &Arc<Server>,
    stop: impl Future<Output = ()>,
    stopped: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok(stream) => admit(server, stream, stopped, connections),
                Err(error) => pause(&error).await,
            },
        }
    }
}

/// Takes a connection in, or says that there are too many. Also the saying is bounded: past that, the connection
/// is closed without a word.
fn admit(
    server: &Arc<Server>,
    stream: Stream,
    stopped: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let server = server.clone();
    if let Ok(permit) = server.connections.clone().try_acquire_owned() {
        let stopped = stopped.clone();
        connections.spawn(async move {
            let open = server.metrics.connection_opened();
            connection::run(server.clone(), stream, stopped).await;
            drop((open, permit));
        });
    } else {
        server.metrics.connection_refused();
        if let Ok(permit) = server.refusals.clone().try_acquire_owned() {
            connections.spawn(async move {
                let detail = format!("{} connections are open", server.limits.connections_max);
                connection::say(&server, stream, Failure::new(Code::Overloaded, detail)).await;
                drop(permit);
            });
        }
    }
}

/// Accepting fails for reasons that pass: a client that has gone, or no file descriptor left. For the latter it
/// would fail again at once.
async fn pause(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections; trying again");
    sleep(Duration::from_millis(100)).await;
}
