//! The accept loop: how many connections there may be, and how they all end.
//!
//! Knows neither protocol nor route; `connection` is where a connection goes.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{JoinSet, yield_now},
    time::{sleep, timeout},
};

use super::{
    HttpLimits, Listener,
    addresses::household,
    body::BodyBudget,
    connection,
    cors::Cors,
    line::Line,
    listener::Socket,
    problem::Failure,
    rates::{Arrivals, Rates},
    reading::Reader,
    shares::{Share, Shares},
    stream::Streams,
    trail::RequestIds,
};
use crate::{
    access::Keyring,
    domain::Visibility,
    process::{
        clock::Clock,
        metrics::{Limit, Metrics},
    },
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
    pub(super) keys: Arc<Keyring>,
    pub(super) visibility: Visibility,
    pub(super) cors: Cors,
    pub(super) has_demo: bool,
    /// Whether it answers nothing but what shows how it is.
    pub(super) has_figures_alone: bool,
    pub(super) request_ids: Arc<RequestIds>,
    pub(super) rates: Rates,
    addresses: Arc<Shares<IpAddr>>,
    pub(super) streams: Streams,
    pub(super) reader: Reader,
    pub(super) line: Line,
    arrivals: Arrivals,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    draining: Arc<watch::Sender<bool>>,
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
            keys: Arc::default(),
            visibility: Visibility::default(),
            cors: Cors::default(),
            has_demo: false,
            has_figures_alone: false,
            request_ids: Arc::default(),
            rates: Rates::new(&limits),
            addresses: Arc::default(),
            streams: Streams::new(&limits),
            reader: Reader::start(),
            line: Line::default(),
            arrivals: Arrivals::new(&limits),
            connections: semaphore(limits.connections_max),
            refusals: semaphore(limits.refusals_max),
            draining: Arc::default(),
        }
    }

    /// The same, for callers who can show one of these `keys` (or none, if there is none), and users who may see the
    /// receipts that `visibility` says.
    #[must_use]
    pub fn with_access(self, keys: Arc<Keyring>, visibility: Visibility) -> Self {
        Self { keys, visibility, ..self }
    }

    /// The same, also for pages of these origins, each as browsers send it.
    #[must_use]
    pub fn with_origins(self, origins: &[String]) -> Self {
        Self { cors: Cors::new(origins), ..self }
    }

    /// The same, with or without the demo's page at `/demo`, which anybody may load and which acts without a key.
    #[must_use]
    pub fn with_demo(self, has_demo: bool) -> Self {
        Self { has_demo, ..self }
    }

    /// Another that answers `/metrics`, `/healthz` and `/readyz` of this one alone, to anybody, over at most
    /// [`Server::FIGURES_CONNECTIONS`] connections: more of them wait, with the system, and none may last for longer than
    /// [`Server::FIGURES_LIFE_MAX`] and then take as long for its answer, so that they soon have their turn. It tells of
    /// this one that it is on its way out.
    #[must_use]
    pub fn figures(&self) -> Self {
        let limits = HttpLimits {
            connections_max: Self::FIGURES_CONNECTIONS,
            connections_per_address_max: 0,
            head_timeout: self.limits.head_timeout.min(Self::FIGURES_LIFE_MAX),
            answer_timeout: self.limits.answer_timeout.min(Self::FIGURES_LIFE_MAX),
            idle_timeout: self.limits.idle_timeout.min(Self::FIGURES_LIFE_MAX),
            ..self.limits
        };
        Self {
            has_figures_alone: true,
            request_ids: self.request_ids.clone(),
            draining: self.draining.clone(),
            ..Self::new(self.ledger.clone(), self.clock.clone(), limits, self.metrics.clone())
        }
    }

    /// Connections that whoever asks for figures may take up.
    pub const FIGURES_CONNECTIONS: usize = 32;

    /// How long one of them takes requests, also where they come all the time. Who scrapes waits for 10 seconds as a rule.
    pub const FIGURES_LIFE_MAX: Duration = Duration::from_secs(4);

    /// Whether the server is on its way out. It still answers what comes over connections that are open.
    pub(super) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Tells when that changes.
    pub(super) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
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
    server.draining.send_replace(true);
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
    let mut may_come = false;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
            accepted = next(listener, server, &mut may_come) => match accepted {
                Ok((stream, address)) => {
                    may_come = false;
                    admit(server, stream, address, stopped, connections);
                    // Those who are in have their turn before the next comes in, however many knock.
                    yield_now().await;
                }
                Err(error) => pause(&error).await,
            },
        }
    }
}

/// The next connection, once it `may_come`. Those that come too fast wait with the system, and of those who ask for
/// figures those for whom there is no room.
async fn next(
    listener: &Listener,
    server: &Server,
    may_come: &mut bool,
) -> io::Result<(Socket, Option<IpAddr>)> {
    while !*may_come {
        match server.arrivals.check() {
            Ok(()) => *may_come = true,
            Err(wait) => sleep(wait).await,
        }
    }
    if server.has_figures_alone {
        // Only here are places taken. An error would say that there are none any more, which nobody closes.
        let _ = server.connections.acquire().await;
    }
    listener.accept().await
}

/// Takes a connection in, or says that there are too many. Also the saying is bounded: past that, the connection
/// is closed without a word.
fn admit(
    server: &Arc<Server>,
    stream: Socket,
    address: Option<IpAddr>,
    stopped: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let server = server.clone();
    match place(&server, address) {
        Ok(place) => {
            let stopped = stopped.clone();
            connections.spawn(async move {
                let open = server.metrics.connection_opened();
                connection::run(server.clone(), stream, stopped).await;
                drop((open, place));
            });
        }
        Err(failure) => {
            if let Some(limit) = failure.limit() {
                server.metrics.refused(limit);
            }
            if let Ok(permit) = server.refusals.clone().try_acquire_owned() {
                connections.spawn(async move {
                    connection::say(&server, stream, failure).await;
                    drop(permit);
                });
            }
        }
    }
}

/// What a connection takes up: one of all there may be, and one of its address.
type Place = (OwnedSemaphorePermit, Option<Share<IpAddr>>);

fn place(server: &Server, address: Option<IpAddr>) -> Result<Place, Failure> {
    let HttpLimits { connections_max, connections_per_address_max: most, .. } = server.limits;
    let counted = match address.filter(|_| most > 0) {
        Some(address) => Some(server.addresses.take(household(address), most).ok_or_else(|| {
            let detail = format!("{most} connections are open from this address");
            Failure::over(Limit::AddressConnections, Code::TooManyRequests, detail)
        })?),
        None => None,
    };
    let permit = server.connections.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{connections_max} connections are open");
        Failure::over(Limit::Connections, Code::Overloaded, detail)
    })?;
    Ok((permit, counted))
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
