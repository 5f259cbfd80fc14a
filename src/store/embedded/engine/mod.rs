//! The engine: starts and ends the threads, hands writes to one of them, looks up what is read. `calls` has what the
//! floor above asks for.

mod calls;
mod turn;

use std::{
    fmt,
    fs::File,
    future::ready,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{Sender, SyncSender, TrySendError, channel, sync_channel},
    },
    thread::JoinHandle,
};

use tokio::sync::{Semaphore, oneshot};

use crate::store::embedded::{
    OpenError, Options,
    checkpoint::{Checkpointer, Wish},
    commit::draft::Batch,
    commit::{Command, Committer, Pulse, QUEUE_BYTES_MAX, QUEUE_WRITES_MAX, Settle, Write},
    hot::Hot,
    hot::reading::{Reading, View},
    recovery,
    recovery::Recovered,
    watchdog::{self, Work},
};
use crate::{
    domain::{ConversationId, MessageId, Timestamp},
    store::{Answer, Mark, StoreError},
};

/// How many reads may wait for pages from disk at once; one more waits for its turn. They are among the files that the
/// process may have open beside its connections.
const FETCHES_MAX: usize = 32;

/// How many marks' pages are looked for at once, and how often at the most.
const MARKS_AHEAD: usize = 64;
const LOOKS_AHEAD: usize = 64;

/// A store in a directory of this machine. Dropping it without [`Store::close`](crate::store::Store::close) leaves it as a crash would.
pub struct EmbeddedStore {
    pub(super) hot: Arc<Hot>,
    pub(super) pulse: Arc<Pulse>,
    journal_bytes_refuse: u64,
    commands: SyncSender<Command>,
    wishes: SyncSender<Wish>,
    /// Reads that may have the disk bring them pages at once: each has a file open, and memory for what it brings.
    fetches: Semaphore,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    committer: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
    watchdog: JoinHandle<()>,
    /// Dropped to end the watchdog.
    watch: Sender<()>,
    /// Held as long as a thread of ours may write.
    lock: File,
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("EmbeddedStore").field("pulse", &self.pulse).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the data directory at `path`, and makes one if there is none.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let Recovered { lock, base, book, journal, hot, tracker, next_sequence } =
            recovery::recover(path, options.hot_bytes_max)?;
        let hot = Arc::new(hot);
        let pulse = Arc::new(Pulse::default());
        pulse.journal_bytes.store(journal.bytes(), Ordering::Relaxed);
        pulse.page_bytes.store(book.bytes(), Ordering::Relaxed);
        pulse.checkpointed();
        let (commands, commands_in) = sync_channel(QUEUE_WRITES_MAX);
        let (wishes, wishes_in) = sync_channel(4);
        let work = Work::new("a commit", options.commit_timeout);
        let works = vec![work.clone(), base.work().clone()];
        let committer = Committer {
            hot: hot.clone(),
            journal,
            pulse: pulse.clone(),
            tracker,
            next_sequence,
            journal_bytes_max: options.journal_bytes_max,
            wishes: wishes.clone(),
            work,
        };
        let checkpointer = Checkpointer {
            hot: hot.clone(),
            base,
            book,
            pulse: pulse.clone(),
            commands: commands.clone(),
            every: options.checkpoint_every,
        };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(OpenError::at(path))
        };
        let committer = spawn(
            "commit",
            Box::new(move || {
                turn::stand_back();
                committer.run(&commands_in);
            }),
        )?;
        let checkpointer = spawn(
            "checkpoint",
            Box::new(move || {
                turn::stand_back();
                checkpointer.run(&wishes_in);
            }),
        )?;
        let (watch, watch_in) = channel();
        let watchdog = spawn("watchdog", Box::new(move || watchdog::watch(works, &watch_in)))?;
        let threads = Mutex::new(Some(Threads { committer, checkpointer, watchdog, watch, lock }));
        let journal_bytes_refuse = options.journal_bytes_max.saturating_mul(4);
        Ok(Self {
            hot,
            pulse,
            journal_bytes_refuse,
            commands,
            wishes,
            fetches: Semaphore::new(FETCHES_MAX),
            threads,
        })
    }

    /// Makes a checkpoint now, and returns when it is done (or has failed).
    pub async fn checkpoint(&self) {
        let (done, is_done) = sync_channel(1);
        let wishes = self.wishes.clone();
        let wait = move || wishes.send(Wish::CheckpointAndTell(done)).is_ok() && is_done.recv().is_ok();
        let _ = tokio::task::spawn_blocking(wait).await;
    }

    /// Puts a write that holds about `bytes` of memory into the queue.
    pub(super) fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        decide: impl FnOnce(&mut Batch<'_>) -> T + Send + 'static,
    ) -> Answer<'_, T> {
        let (answer, answered) = oneshot::channel();
        let Some(held) = Held::take(&self.pulse, bytes) else {
            return Box::pin(ready(Err(StoreError::Overloaded)));
        };
        let waiting = Waiting::begin(&self.pulse);
        let write: Write = Box::new(move |batch| {
            let decided = decide(batch);
            drop(held);
            let settle: Settle = Box::new(move |outcome| {
                drop(waiting);
                // Nobody waits any more if the client hung up; the write is made all the same.
                let _ = answer.send(outcome.map(|()| decided));
            });
            settle
        });
        if let Err(error) = self.send(Command::Write(write)) {
            return Box::pin(ready(Err(error)));
        }
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(self.why_unanswered())) })
    }

    /// Asks the commit thread for what it does in slices between its commits.
    pub(super) fn command<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Answer<'_, T> {
        let (answer, answered) = oneshot::channel();
        if let Err(error) = self.send(command(answer)) {
            return Box::pin(ready(Err(error)));
        }
        Box::pin(async move { answered.await.map_err(|_| self.why_unanswered()) })
    }

    pub(super) fn send(&self, command: Command) -> Result<(), StoreError> {
        if self.pulse.has_failed() {
            return Err(StoreError::Failed);
        }
        if self.is_waiting_for_a_checkpoint() {
            return Err(StoreError::Overloaded);
        }
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    pub(super) fn is_waiting_for_a_checkpoint(&self) -> bool {
        self.pulse.journal_bytes.load(Ordering::Relaxed) >= self.journal_bytes_refuse
            || self.hot.is_overfull()
    }

    pub(super) fn why_unanswered(&self) -> StoreError {
        if self.pulse.has_failed() { StoreError::Failed } else { StoreError::Closed }
    }

    /// Looks at a conversation until all that the look needs is in memory.
    pub(super) fn read<'a, T: Send + 'a>(
        &'a self,
        conversation: &'a ConversationId,
        mut look: impl FnMut(Option<View<'_>>) -> T + Send + 'a,
    ) -> Answer<'a, T> {
        let reading = Reading::default();
        let seen = reading.with(&self.hot, conversation, &mut look);
        if reading.is_done() {
            return Box::pin(ready(Ok(seen)));
        }
        Box::pin(async move {
            let mut reading = reading;
            loop {
                reading = self.fetch(reading).await?;
                let seen = reading.with(&self.hot, conversation, &mut look);
                if reading.is_done() {
                    return Ok(seen);
                }
            }
        })
    }

    /// Reads from disk what the last look missed.
    async fn fetch(&self, mut reading: Reading) -> Result<Reading, StoreError> {
        let hot = self.hot.clone();
        let fetch = move || match reading.fetch(&hot) {
            Ok(()) => Ok(reading),
            Err(error) => {
                // What was answered is as durable as before: this call fails, and no other.
                tracing::error!("a page could not be read: {error}");
                Err(StoreError::Unreadable)
            }
        };
        let Ok(_turn) = self.fetches.acquire().await else { return Err(StoreError::Closed) };
        tokio::task::spawn_blocking(fetch).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Brings the pages into memory that marks are about to change, so that the commit thread need not wait for a
    /// disk. What it misses all the same, it reads itself.
    pub(super) async fn fetch_for_marks(&self, marks: &[Mark], now: Timestamp) -> Result<(), StoreError> {
        for marks in marks.chunks(MARKS_AHEAD) {
            self.fetch_ahead(|reading| {
                for mark in marks {
                    reading.with(&self.hot, &mark.conversation, |known| {
                        known.iter().for_each(|view| view.ahead_of_mark(mark, now));
                    });
                }
            })
            .await?;
        }
        Ok(())
    }

    /// The same for messages that are about to be registered or to go.
    pub(super) async fn fetch_for_messages(
        &self,
        conversation: &ConversationId,
        messages: impl Iterator<Item = &MessageId> + Clone,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.fetch_ahead(|reading| {
            reading.with(&self.hot, conversation, |known| {
                known.iter().for_each(|view| view.ahead_of_messages(messages.clone(), now));
            });
        })
        .await
    }

    async fn fetch_ahead(&self, look: impl Fn(&Reading)) -> Result<(), StoreError> {
        if !self.hot.has_cold() {
            return Ok(());
        }
        let mut reading = Reading::default();
        for _ in 0..LOOKS_AHEAD {
            look(&reading);
            if reading.is_done() {
                break;
            }
            reading = self.fetch(reading).await?;
        }
        Ok(())
    }

    /// Whether it has not been closed.
    pub(super) fn is_open(&self) -> bool {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What ends both threads, after a last checkpoint or without; nothing if they have ended.
    pub(super) fn stop(&self, checkpoint: bool) -> impl FnOnce() + Send + 'static {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (wishes, commands) = (self.wishes.clone(), self.commands.clone());
        move || {
            let Some(Threads { committer, checkpointer, watchdog, watch, lock }) = threads else { return };
            // The checkpoint thread first: its last checkpoint needs the other. A thread that is gone is fine.
            let _ = wishes.send(Wish::Stop { checkpoint });
            let _ = checkpointer.join();
            let _ = commands.send(Command::Stop);
            let _ = committer.join();
            drop(watch);
            let _ = watchdog.join();
            drop(lock);
        }
    }
}

/// The memory that a write holds while it waits.
struct Held {
    pulse: Arc<Pulse>,
    bytes: usize,
}

impl Held {
    fn take(pulse: &Arc<Pulse>, bytes: usize) -> Option<Self> {
        let held = Self { pulse: pulse.clone(), bytes };
        let before = pulse.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        // One write alone is always let in, however large.
        (before == 0 || before + bytes <= QUEUE_BYTES_MAX).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pulse.queued_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A write that waits for its answer.
struct Waiting(Arc<Pulse>);

impl Waiting {
    fn begin(pulse: &Arc<Pulse>) -> Self {
        pulse.waiting.fetch_add(1, Ordering::Relaxed);
        Self(pulse.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.stop(false)();
    }
}
