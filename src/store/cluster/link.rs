//! The way to a key's node, as often as it takes within the time that a call has.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use redis::{Cmd, RedisError, ServerError, ServerErrorKind, Value};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Options,
    keys::{Keys, slot_of},
    lane::Shared,
    node::{Connector, Node},
    topology::Topology,
    url,
};
use crate::store::StoreError;

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The node is gone, or is not the one any more, or cannot at the moment. It may have been carried out.
    Again(String),
    /// The node does not have the script.
    NoScript,
    /// It was carried out, and too few replicas have it.
    TooFewReplicas,
    /// The node's memory is full. Nothing was carried out.
    Full,
    /// Too much waits here already. Nothing was carried out.
    Overloaded,
    /// What must not happen.
    Broken(String),
}

impl Failure {
    /// What a node answered.
    pub(super) fn from_server(error: &ServerError) -> Self {
        use ServerErrorKind as Kind;
        let details = error.details().unwrap_or_default();
        match error.kind() {
            Some(Kind::NoScript) => Self::NoScript,
            Some(
                Kind::Moved
                | Kind::Ask
                | Kind::TryAgain
                | Kind::ClusterDown
                | Kind::MasterDown
                | Kind::BusyLoading
                | Kind::ReadOnly
                | Kind::CrossSlot,
            ) => Self::Again(error.to_string()),
            _ if error.code() == "OOM" || details.contains("OOM command not allowed") => Self::Full,
            _ if ["NOREPLICAS", "UNBLOCKED", "BUSY"].contains(&error.code()) => {
                Self::Again(error.to_string())
            }
            // What a script says that met a key whose slot is on its way to another node, or a node that is none any more.
            _ if PASSING.iter().any(|passing| details.contains(passing)) => Self::Again(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }

    /// What the connection said.
    pub(super) fn from_error(error: &RedisError) -> Self {
        Self::Again(error.to_string())
    }
}

/// Parts of what a script says when only the moment is wrong.
const PASSING: [&str; 5] = ["non local key", "MOVED", "CLUSTERDOWN", "READONLY", "NOREPLICAS"];

/// How long one try may take: a node that does not answer is asked again, or another in its place.
pub(super) const TRY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long it is waited between two tries, at first and at the most.
const PAUSE: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// How often it is logged that calls come to nothing.
const COMPLAIN_EVERY: Duration = Duration::from_secs(1);

/// How often the cluster is looked at unasked, and how long a view may be old for writes to be thought possible.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOKS_APART: Duration = Duration::from_millis(20);
const VIEW_AGE_MAX: Duration = Duration::from_secs(4);

/// On which of a node's connections a command goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Shared,
    Lane,
}

/// The cluster, as this process knows it.
pub(super) struct Link {
    pub(super) keys: Keys,
    pub(super) shared: Arc<Shared>,
    connector: Connector,
    seeds: Vec<url::Node>,
    view: RwLock<View>,
    nodes: Mutex<HashMap<url::Node, Arc<Node>>>,
    is_stale: Notify,
    is_closed: AtomicBool,
    complained_at: Mutex<Option<Instant>>,
    timeout: Duration,
}

#[derive(Clone)]
struct View {
    topology: Arc<Topology>,
    seen_at: Option<Instant>,
}

impl Link {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            keys: Keys::new(&options.url.prefix),
            shared: Arc::new(Shared::new(options)),
            connector: Connector::new(options),
            seeds: options.url.nodes.clone(),
            view: RwLock::new(View { topology: Arc::default(), seen_at: None }),
            nodes: Mutex::default(),
            is_stale: Notify::new(),
            is_closed: AtomicBool::new(false),
            complained_at: Mutex::new(None),
            timeout: options.timeout,
        }
    }

    /// Sends what only reads to the node that has `key`.
    pub(super) async fn read(&self, key: &str, command: Cmd) -> Result<Value, StoreError> {
        self.call(key, &command, Way::Shared).await
    }

    /// Has the node that has `key` carry out a write, and as many replicas as are asked for take it.
    pub(super) async fn write(&self, key: &str, command: Cmd) -> Result<Value, StoreError> {
        if self.is_closed() {
            return Err(StoreError::Closed);
        }
        self.call(key, &command, Way::Lane).await
    }

    async fn call(&self, key: &str, command: &Cmd, way: Way) -> Result<Value, StoreError> {
        let slot = slot_of(key);
        let deadline = Instant::now() + self.timeout;
        let mut pause = PAUSE;
        loop {
            let failure = match self.owner(slot) {
                None => Failure::Again("no node has the hash slot".to_owned()),
                Some(node) => {
                    let until = deadline.min(Instant::now() + TRY_TIMEOUT);
                    match timeout_at(until, attempt(&node, key, command, way)).await {
                        Ok(Ok(value)) => return Ok(value),
                        Ok(Err(failure)) => failure,
                        Err(_) => Failure::Again("no answer in time".to_owned()),
                    }
                }
            };
            let Failure::Again(what) = failure else {
                if failure == Failure::Full {
                    self.complain(slot, "a node's memory is full (maxmemory); give it more, or add nodes");
                }
                return Err(Self::give_up(&failure));
            };
            self.is_stale.notify_one();
            if self.is_closed() || Instant::now() + pause >= deadline {
                self.complain(slot, &what);
                return Err(StoreError::Unreachable);
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// What an answer stands for.
    pub(super) fn expect<'a, T>(
        value: &'a Value,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, StoreError> {
        // What it is is not told: it may be names, or a secret.
        let broken = || Failure::Broken("an answer of a node does not read".to_owned());
        read(value).ok_or_else(|| Self::give_up(&broken()))
    }

    /// What is told above of a failure that trying again does not heal.
    fn give_up(failure: &Failure) -> StoreError {
        match failure {
            Failure::TooFewReplicas => StoreError::TooFewReplicas,
            Failure::Full => StoreError::Full,
            Failure::Overloaded => StoreError::Overloaded,
            Failure::Again(what) | Failure::Broken(what) => {
                tracing::error!("the cluster answers what it should not: {what}");
                StoreError::Unreachable
            }
            Failure::NoScript => {
                tracing::error!("a node forgets its scripts as fast as it is given them");
                StoreError::Unreachable
            }
        }
    }

    /// Logs why calls come to nothing, once in a while: while a node is gone there are many.
    fn complain(&self, slot: u16, what: &str) {
        let mut last = self.complained_at.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|at| at.elapsed() > COMPLAIN_EVERY) {
            *last = Some(Instant::now());
            tracing::warn!(slot, "calls to the cluster come to nothing: {what}");
        }
    }

    fn owner(&self, slot: u16) -> Option<Arc<Node>> {
        let view = self.view().topology;
        view.owner(slot).map(|address| self.node(address))
    }

    fn node(&self, address: &url::Node) -> Arc<Node> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.get(address) {
            return node.clone();
        }
        let node = Arc::new(Node::new(address.clone(), self.connector.clone(), &self.shared));
        nodes.insert(address.clone(), node.clone());
        node
    }

    fn view(&self) -> View {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks all nodes known what the cluster looks like, and believes the one that has come furthest.
    pub(super) async fn look(&self) -> Result<(), Failure> {
        let known = self.view().topology;
        let mut asked: Vec<_> = known.nodes.iter().chain(&self.seeds).collect();
        asked.sort();
        asked.dedup();
        let answers = join_all(asked.into_iter().map(|address| self.ask(address))).await;
        let mut failure = Failure::Again("there are no nodes to ask".to_owned());
        let mut best: Option<Topology> = None;
        for answer in answers {
            match answer {
                Err(error) => failure = error,
                Ok(view) => {
                    let further = |best: &Topology| (view.is_ok, view.epoch) > (best.is_ok, best.epoch);
                    if best.as_ref().is_none_or(further) {
                        best = Some(view);
                    }
                }
            }
        }
        let Some(topology) = best else { return Err(failure) };
        self.forget_all_but(&topology);
        let view = View { topology: Arc::new(topology), seen_at: Some(Instant::now()) };
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
        Ok(())
    }

    async fn ask(&self, address: &url::Node) -> Result<Topology, Failure> {
        let node = self.node(address);
        let ask = async |what: &str| {
            let mut command = redis::cmd("CLUSTER");
            command.arg(what);
            let until = Instant::now() + TRY_TIMEOUT;
            let answer = timeout_at(until, node.read(&command)).await;
            answer.unwrap_or_else(|_| Err(Failure::Again(format!("{address} does not answer"))))
        };
        let (info, slots) = (ask("INFO").await?, ask("SLOTS").await?);
        Topology::read(&info, &slots, address)
            .ok_or_else(|| Failure::Broken(format!("what {address} says of its cluster does not read")))
    }

    /// Ends the connections to nodes that are gone.
    fn forget_all_but(&self, topology: &Topology) {
        let is_known = |address: &url::Node| topology.nodes.contains(address) || self.seeds.contains(address);
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).retain(|address, _| is_known(address));
    }

    /// Looks at the cluster now and then, and as soon as something says that the view is old.
    pub(super) async fn keep_looking(&self) {
        loop {
            tokio::select! {
                () = self.is_stale.notified() => {}
                () = sleep(LOOK_EVERY) => {}
            }
            if let Err(failure) = self.look().await {
                tracing::debug!(?failure, "no node of the cluster answers");
            }
            sleep(LOOKS_APART).await;
        }
    }

    /// Whether writes are thought to come through.
    pub(super) fn can_commit(&self) -> bool {
        let View { topology, seen_at } = self.view();
        let is_fresh = seen_at.is_some_and(|at| at.elapsed() < VIEW_AGE_MAX);
        !self.is_closed() && is_fresh && topology.is_whole() && !self.shared.refuses()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }
}

async fn attempt(node: &Node, key: &str, command: &Cmd, way: Way) -> Result<Value, Failure> {
    match send(node, key, command, way).await {
        Err(Failure::NoScript) => {
            node.load_scripts().await?;
            send(node, key, command, way).await
        }
        tried => tried,
    }
}

async fn send(node: &Node, key: &str, command: &Cmd, way: Way) -> Result<Value, Failure> {
    match way {
        Way::Shared => node.read(command).await,
        Way::Lane => node.write(slot_of(key), key, command.clone()).await,
    }
}
