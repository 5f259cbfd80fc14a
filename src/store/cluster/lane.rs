//! A lane: a connection of its own on which writes go in groups.
//!
//! While a group is on its way the next one gathers. Behind a group stands one WAIT, which answers once the replicas have
//! what this connection last wrote, and all that the node wrote before. A script that found everything as it should be wrote
//! nothing, and may vouch for what another connection wrote that has not come through: so before each WAIT a key is set
//! that nobody reads. Since WAIT holds up its whole connection, no read and no other lane uses it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{Arg, Cmd, Pipeline, Value, aio::MultiplexedConnection};
use tokio::sync::{mpsc, oneshot};

use super::{Options, ReplicasMissing, link::Failure, node::Connector, url};
use crate::store::spread::{BOUNDS, Tally};

/// The most writes in one group, and about how many bytes they may have: each may be a script of a millisecond, and all of
/// them have to come back within one try.
const GROUP_WRITES_MAX: usize = 128;
const GROUP_BYTES_MAX: usize = 4 << 20;

/// How many writes may wait in one lane, and how many bytes in all of them.
const QUEUE_WRITES_MAX: usize = 4_096;
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// How long a group waits for its replicas; less while they are known to be missing, but for one group in so long: a replica
/// that is back and slow must be found.
const WAIT: Duration = Duration::from_secs(1);
const WAIT_MISSING: Duration = Duration::from_millis(50);
const WAIT_LONG_EVERY: Duration = Duration::from_secs(3);

/// For how long a group without its replicas speaks for those to come. Its node may be none any more.
const SHORT_FOR: Duration = Duration::from_secs(15);

/// How long the key lasts that is set before a WAIT, in milliseconds.
const FENCE_MS: u32 = 1_000;
const FENCE: &str = "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], '', 'PX', ARGV[1])";
/// Beside how many conversations it is tried.
const FENCES_MAX: usize = 4;

/// Bounds of how long a group takes, in microseconds, and of how many writes it has.
pub(super) const COMMIT_US: [u64; BOUNDS] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];
pub(super) const GROUP_WRITES: [u64; BOUNDS] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048];

/// What all lanes count, and go by.
pub(super) struct Shared {
    min_replicas: u32,
    replicas_missing: ReplicasMissing,
    queued_bytes: AtomicUsize,
    pub(super) waiting: AtomicU64,
    pub(super) groups: AtomicU64,
    pub(super) writes: AtomicU64,
    /// Writes that were answered although too few replicas had them.
    pub(super) short: AtomicU64,
    /// When a group last had too few replicas; none once one on that lane had enough.
    short_at: Mutex<Option<Instant>>,
    pub(super) commit_us: Tally,
    pub(super) group_writes: Tally,
}

impl Shared {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            min_replicas: options.min_replicas,
            replicas_missing: options.replicas_missing,
            queued_bytes: AtomicUsize::new(0),
            waiting: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            short: AtomicU64::new(0),
            short_at: Mutex::new(None),
            commit_us: Tally::default(),
            group_writes: Tally::default(),
        }
    }

    /// Whether writes are refused at present, for want of replicas.
    pub(super) fn refuses(&self) -> bool {
        let short_at = *self.short_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.replicas_missing == ReplicasMissing::Refuse
            && short_at.is_some_and(|at| at.elapsed() < SHORT_FOR)
    }
}

/// A write that waits for its group.
struct Job {
    /// What the names of all keys of its conversation begin with.
    head: String,
    command: Cmd,
    answer: oneshot::Sender<Result<Value, Failure>>,
    held: Held,
}

pub(super) struct Lane {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
}

impl Lane {
    /// Starts a lane to a node. It ends when it is dropped.
    pub(super) fn start(node: url::Node, connector: Connector, shared: Arc<Shared>) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE_WRITES_MAX);
        let driver = Driver {
            node,
            connector,
            shared: shared.clone(),
            connection: None,
            is_short: false,
            waited_long: None,
        };
        tokio::spawn(driver.run(waiting));
        Self { jobs, shared }
    }

    /// Has a write go with the next group; not if by then nobody waits for it any more: whoever gave it up may have sent it
    /// again.
    pub(super) async fn write(&self, head: &str, command: Cmd) -> Result<Value, Failure> {
        let held = Held::take(&self.shared, bytes_of(&command)).ok_or(Failure::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        let job = Job { head: head.to_owned(), command, answer, held };
        self.jobs.try_send(job).map_err(|_| Failure::Overloaded)?;
        answered.await.unwrap_or_else(|_| Err(Failure::Again("the connection's task ended".to_owned())))
    }
}

struct Driver {
    node: url::Node,
    connector: Connector,
    shared: Arc<Shared>,
    connection: Option<MultiplexedConnection>,
    is_short: bool,
    /// When a group was last given all the time there is for its replicas.
    waited_long: Option<Instant>,
}

impl Driver {
    async fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.recv().await {
            let (mut next, mut bytes, mut group) = (Some(first), 0, Vec::new());
            while let Some(job) = next {
                if !job.answer.is_closed() {
                    bytes += job.held.bytes;
                    group.push(job);
                }
                let has_room = group.len() < GROUP_WRITES_MAX && bytes < GROUP_BYTES_MAX;
                next = if has_room { waiting.try_recv().ok() } else { None };
            }
            if !group.is_empty() {
                self.carry_out(group).await;
            }
        }
    }

    async fn carry_out(&mut self, group: Vec<Job>) {
        let begun = Instant::now();
        let mut pipeline = Pipeline::with_capacity(group.len() + 1);
        let mut answers = Vec::with_capacity(group.len());
        let mut heads: Vec<String> = Vec::new();
        for Job { head, command, answer, held } in group {
            if heads.len() < FENCES_MAX && !heads.contains(&head) {
                heads.push(head);
            }
            pipeline.add_command(command);
            answers.push((answer, held));
        }
        match self.send(pipeline, answers.len(), &heads).await {
            Ok(Sent { values, is_replicated }) => {
                self.count(begun, answers.len() as u64);
                self.note(is_replicated);
                for ((answer, _), value) in answers.into_iter().zip(values) {
                    let _ = answer.send(self.judge(value, is_replicated));
                }
            }
            Err(failure) => {
                answers.into_iter().for_each(|(answer, _)| drop(answer.send(Err(failure.clone()))));
            }
        }
    }

    /// Sends a group of so many writes to the conversations at `heads`, and maybe others. After an error the next one goes on a
    /// fresh connection.
    async fn send(
        &mut self,
        mut pipeline: Pipeline,
        writes: usize,
        heads: &[String],
    ) -> Result<Sent, Failure> {
        let lost = |error| Failure::from_error(&error);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connector.connect(&self.node).await.map_err(lost)?,
        };
        let wanted = self.shared.min_replicas;
        if wanted == 0 {
            let values = connection.send_packed_commands(&pipeline, 0, writes).await.map_err(lost)?;
            self.connection = Some(connection);
            return Ok(Sent { values, is_replicated: true });
        }
        let mut heads = heads.iter();
        self.fence(&mut pipeline, heads.next().map_or("", String::as_str));
        let mut values = connection.send_packed_commands(&pipeline, 0, writes + 2).await.map_err(lost)?;
        let mut said = values.split_off(writes);
        // The slot of that conversation may be on its way to another node; those of others stay.
        while let ([Value::ServerError(_), _], Some(head)) = (said.as_slice(), heads.next()) {
            let mut again = Pipeline::new();
            self.fence(&mut again, head);
            said = connection.send_packed_commands(&again, 0, 2).await.map_err(lost)?;
        }
        self.connection = Some(connection);
        match said.as_slice() {
            [Value::Okay, Value::Int(replicas)] => {
                Ok(Sent { values, is_replicated: *replicas >= i64::from(wanted) })
            }
            // Nobody knows what the replicas have.
            other => Err(other.iter().find_map(failed).unwrap_or(Failure::TooFewReplicas)),
        }
    }

    /// Sets a key beside the conversation at `head`, and waits for the replicas. By a script: so it is also set where memory is
    /// full, and what gives memory back comes to its end.
    fn fence(&mut self, pipeline: &mut Pipeline, head: &str) {
        let patience = self.patience();
        pipeline.cmd("EVAL").arg(FENCE).arg(1).arg(format!("{head}w")).arg(FENCE_MS);
        pipeline.cmd("WAIT").arg(self.shared.min_replicas).arg(patience.as_millis().to_string());
    }

    fn patience(&mut self) -> Duration {
        if self.is_short && self.waited_long.is_some_and(|at| at.elapsed() < WAIT_LONG_EVERY) {
            return WAIT_MISSING;
        }
        self.waited_long = Some(Instant::now());
        WAIT
    }

    fn count(&self, begun: Instant, writes: u64) {
        let us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.commit_us.count(&COMMIT_US, us);
        self.shared.group_writes.count(&GROUP_WRITES, writes);
        self.shared.groups.fetch_add(1, Ordering::Relaxed);
        self.shared.writes.fetch_add(writes, Ordering::Relaxed);
    }

    /// Notes whether there were replicas enough, and tells when that changes.
    fn note(&mut self, is_replicated: bool) {
        let changed = self.is_short == is_replicated;
        if changed || !is_replicated {
            let short_at = (!is_replicated).then(Instant::now);
            *self.shared.short_at.lock().unwrap_or_else(PoisonError::into_inner) = short_at;
        }
        if !changed {
            return;
        }
        self.is_short = !is_replicated;
        let (node, wanted) = (&self.node, self.shared.min_replicas);
        if is_replicated {
            tracing::info!(%node, wanted, "replicas have what is written again");
        } else {
            tracing::warn!(%node, wanted, "too few replicas have what is written");
        }
    }

    fn judge(&self, value: Value, is_replicated: bool) -> Result<Value, Failure> {
        match value {
            Value::ServerError(error) => Err(Failure::from_server(&error)),
            value if is_replicated => Ok(value),
            _ if self.shared.replicas_missing == ReplicasMissing::Refuse => Err(Failure::TooFewReplicas),
            value => {
                self.shared.short.fetch_add(1, Ordering::Relaxed);
                Ok(value)
            }
        }
    }
}

fn failed(value: &Value) -> Option<Failure> {
    if let Value::ServerError(error) = value { Some(Failure::from_server(error)) } else { None }
}

/// About how many bytes a command has.
fn bytes_of(command: &Cmd) -> usize {
    command.args_iter().map(|arg| if let Arg::Simple(bytes) = arg { bytes.len() + 16 } else { 0 }).sum()
}

/// What became of a group.
struct Sent {
    values: Vec<Value>,
    is_replicated: bool,
}

/// The memory that a write holds while it waits.
struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Held {
    fn take(shared: &Arc<Shared>, bytes: usize) -> Option<Self> {
        let held = Self { shared: shared.clone(), bytes };
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        let before = shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        // One write alone is always let in, however large.
        (before == 0 || before + bytes <= QUEUE_BYTES_MAX).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.queued_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
