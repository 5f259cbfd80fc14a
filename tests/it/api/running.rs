//! A server in this process, over whichever store, on a free port, with a clock that the test sets.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use seenby::{
    domain::{Limits, Pace, Retention, Visibility},
    http::{Drained, HttpLimits, Listener, Server, serve},
    process::{clock::Clock, metrics::Metrics},
    receipts::Ledger,
    store::{
        AnyStore,
        embedded::{EmbeddedStore, Options},
        model::ModelStore,
    },
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{guards::Guards, wire::Client};

/// 2027-01-15T08:00:00Z
pub(crate) const BEGIN_MS: u64 = 1_800_000_000_000;

/// How long requests under way have when it stops.
const DRAIN: Duration = Duration::from_secs(5);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// The use-cases behind it.
    pub(crate) ledger: Ledger,
    clock: Clock,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Drained>,
    /// Where its store is, if it brought one.
    _directory: Option<tempfile::TempDir>,
}

impl Running {
    /// A server over the embedded engine, with the limits of production.
    pub(crate) async fn start() -> Self {
        Self::within(HttpLimits::default()).await
    }

    /// A server over the embedded engine, with limits of its own.
    pub(crate) async fn within(limits: HttpLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
        let running = Self::over(Arc::new(store), limits, Limits::default()).await;
        Self { _directory: Some(directory), ..running }
    }

    /// A server over any store.
    pub(crate) async fn over(store: AnyStore, http: HttpLimits, limits: Limits) -> Self {
        Self::draining(store, http, limits, DRAIN).await
    }

    /// A server over any store that takes its own time to stop.
    pub(crate) async fn draining(store: AnyStore, http: HttpLimits, limits: Limits, drain: Duration) -> Self {
        Self::serving(store, http, limits, drain, |server| server).await
    }

    /// A server over the embedded engine with access control, and limits of its own.
    pub(crate) async fn guarded(guards: &Guards, visibility: Visibility, http: HttpLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path(), Options::default()).unwrap();
        let guard = |server: Server| server.with_access(guards.keys.clone(), visibility);
        let running = Self::serving(Arc::new(store), http, Limits::default(), DRAIN, guard).await;
        Self { _directory: Some(directory), ..running }
    }

    /// A server over the model, as `dress` makes it.
    pub(crate) async fn dressed(http: HttpLimits, dress: impl FnOnce(Server) -> Server) -> Self {
        Self::serving(Arc::new(ModelStore::default()), http, Limits::default(), DRAIN, dress).await
    }

    async fn serving(
        store: AnyStore,
        http: HttpLimits,
        limits: Limits,
        drain: Duration,
        dress: impl FnOnce(Server) -> Server,
    ) -> Self {
        let clock = Clock::manual(BEGIN_MS);
        let ledger = Ledger::new(store, Retention::default(), Pace::default(), limits);
        let server = Server::new(ledger.clone(), clock.clone(), http, Arc::new(Metrics::new()));
        let server = Arc::new(dress(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(serve(Listener::Tcp(listener), server, stopped, drain));
        Self { address, ledger, clock, stop, served, _directory: None }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Moves the clock on.
    pub(crate) fn pass(&self, time: Duration) {
        let Clock::Manual(unix_ms) = &self.clock else { unreachable!("the clock is set by hand") };
        unix_ms.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Sets the clock, back as well as ahead.
    pub(crate) fn set_clock(&self, to_ms: u64) {
        let Clock::Manual(unix_ms) = &self.clock else { unreachable!("the clock is set by hand") };
        unix_ms.store(to_ms, Ordering::SeqCst);
    }

    /// Begins to stop; the result is there when the server has.
    pub(crate) fn stop(self) -> JoinHandle<Drained> {
        self.stop.send(()).unwrap();
        self.served
    }
}

/// A server with a chat of three, `c`, and a message `m1` that alice sent to bob and carol.
pub(crate) async fn small_chat() -> (Running, Client) {
    let running = Running::start().await;
    let mut client = running.client().await;
    client.put("/v1/conversations/c/members", r#"{"members":["alice","bob","carol"]}"#).await.expect(200);
    client.put("/v1/conversations/c/messages/m1", r#"{"sender":"alice"}"#).await.expect(201);
    (running, client)
}
