//! Senders who look at what they sent: each pulls, and again after as long as the answer says. They share a gateway's
//! connections; who is due while all are taken waits.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    super::{BenchError, chats::Chats, open_loop::part},
    connection::Connection,
};

/// Messages in a pull: as many as there may be, so that the server has more to do than the load.
const MESSAGES: usize = 100;
/// Pulls that differ from each other, at most.
const SCREENS: usize = 64;
/// Senders pull up to so much later than they could, each time another part of it, so as not to come all at once.
const JITTER: f64 = 0.1;
/// How often those who are due are looked for.
const TICK: Duration = Duration::from_millis(1);
/// How long a client waits for an answer, from when it was due: as long as this crate's own.
const PATIENCE: Duration = Duration::from_secs(15);
/// What becomes of a sender whose pull fails: the base pace is all that it knows.
const AFTER_ERROR: Duration = Duration::from_secs(2);

/// Requests for screens of the chats, each as it goes over the wire.
pub(super) fn screens(chats: &Chats) -> Vec<Vec<u8>> {
    let messages = MESSAGES.min(chats.messages);
    let screen = |at: usize| {
        let conversation = at % chats.conversations;
        let first = chats.chance(&[11, at]).usize(..=chats.messages - messages);
        let ids: Vec<_> = (first..first + messages).map(|at| chats.message(conversation, at)).collect();
        let (name, query) = (chats.name(conversation), ids.join("&message="));
        let line = format!("GET /v1/conversations/{name}/receipts?message={query} HTTP/1.1");
        format!("{line}\r\nhost: localhost\r\n\r\n").into_bytes()
    };
    (0..SCREENS).map(screen).collect()
}

/// What became of the pulls.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    /// From when each that was answered was due until it was, in order.
    took: Vec<Duration>,
    pub(super) errors: usize,
    pub(super) first_error: Option<String>,
    /// How many were answered, second by second.
    pub(super) seconds: Vec<u64>,
    /// How much later than it wanted the load itself came to look for those who are due, of 100 times the second latest.
    pub(super) own_delay_p99_ms: f64,
}

impl Pulls {
    pub(super) fn answered(&self) -> u64 {
        self.took.len() as u64
    }

    /// In milliseconds, the time that so many of 100 do not exceed.
    pub(super) fn part(&self, per_cent: usize) -> f64 {
        part(&self.took, per_cent)
    }
}

/// Who is due when.
#[derive(Debug, Default)]
struct Queue {
    later: BinaryHeap<Reverse<(Instant, usize)>>,
    due: VecDeque<(Instant, usize)>,
    pulls: Pulls,
    own_delays: Vec<Duration>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// One for each in the queue who is due.
    due: Semaphore,
    address: String,
    requests: Vec<Vec<u8>>,
    /// None of who pulls again at once.
    base: Option<Duration>,
    began: Instant,
}

/// The senders. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Senders {
    shared: Arc<Shared>,
    running: JoinSet<()>,
}

impl Senders {
    /// So many `senders` who begin at any time within a `base` pace, and then obey what the server says. Without one, they
    /// pull again at once, whatever it says.
    pub(super) async fn begin(
        url: &str,
        requests: Vec<Vec<u8>>,
        connections: usize,
        senders: usize,
        base: Option<Duration>,
    ) -> Result<Self, BenchError> {
        let address = url.trim_start_matches("http://").to_owned();
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(&address).await.map_err(BenchError::io("connect"))?);
        }
        let began = Instant::now();
        let mut chance = fastrand::Rng::with_seed(12);
        let first = |at| Reverse((began + base.unwrap_or_default().mul_f64(chance.f64()), at));
        let queue = Queue { later: (0..senders).map(first).collect(), ..Queue::default() };
        let shared =
            Shared { queue: Mutex::new(queue), due: Semaphore::new(0), address, requests, base, began };
        let shared = Arc::new(shared);
        let mut running = JoinSet::new();
        running.spawn(shared.clone().look_for_due());
        for connection in open {
            running.spawn(shared.clone().pull_on(connection));
        }
        Ok(Self { shared, running })
    }

    /// Ends them, in the middle of what they do. What became of their pulls.
    pub(super) fn end(mut self) -> Result<Pulls, BenchError> {
        self.running.abort_all();
        let mut queue = self.shared.queue();
        queue.own_delays.sort_unstable();
        let own_delay_p99_ms = part(&queue.own_delays, 99);
        let mut pulls = std::mem::take(&mut queue.pulls);
        pulls.took.sort_unstable();
        if pulls.took.is_empty() {
            let why = pulls.first_error.unwrap_or_else(|| "no pull was answered".to_owned());
            return Err(BenchError::Wrong(why));
        }
        Ok(Pulls { own_delay_p99_ms, ..pulls })
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_for_due(self: Arc<Self>) {
        loop {
            let wake = Instant::now() + TICK;
            sleep_until(wake).await;
            let mut queue = self.queue();
            queue.own_delays.push(wake.elapsed());
            let now = Instant::now();
            let mut found = 0;
            while let Some(Reverse(next)) = queue.later.peek().copied().filter(|next| next.0.0 <= now) {
                queue.later.pop();
                queue.due.push_back(next);
                found += 1;
            }
            self.due.add_permits(found);
        }
    }

    async fn pull_on(self: Arc<Self>, mut connection: Connection) {
        while let Ok(turn) = self.due.acquire().await {
            turn.forget();
            let Some((due, sender)) = self.queue().due.pop_front() else { continue };
            let pulled =
                timeout_at(due + PATIENCE, connection.pull(&self.requests[sender % self.requests.len()]))
                    .await;
            let pulled = pulled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let failed = pulled.is_err();
            self.note(due, sender, pulled);
            if failed && let Ok(anew) = Connection::open(&self.address).await {
                connection = anew;
            }
        }
    }

    fn note(&self, due: Instant, sender: usize, pulled: io::Result<Duration>) {
        let now = Instant::now();
        let mut queue = self.queue();
        let every = match pulled {
            Ok(every) => {
                queue.pulls.took.push(now - due);
                let second = usize::try_from(self.began.elapsed().as_secs()).unwrap_or(usize::MAX);
                let seconds = queue.pulls.seconds.len().max(second + 1);
                queue.pulls.seconds.resize(seconds, 0);
                queue.pulls.seconds[second] += 1;
                every
            }
            Err(error) => {
                queue.pulls.errors += 1;
                queue.pulls.first_error.get_or_insert_with(|| error.to_string());
                AFTER_ERROR
            }
        };
        if self.base.is_some() {
            let next = now + every.mul_f64(1.0 + JITTER * fastrand::f64());
            queue.later.push(Reverse((next, sender)));
        } else {
            queue.due.push_back((now, sender));
            self.due.add_permits(1);
        }
    }
}
