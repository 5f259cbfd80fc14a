//! The engine as the floor above sees it: starts and ends the threads, hands writes to one of them, answers reads.

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

use tokio::sync::oneshot;

use super::{
    OpenError, Options,
    checkpoint::{Checkpointer, Wish},
    commit::{Command, Committer, Pulse, QUEUE_BYTES_MAX, QUEUE_WRITES_MAX, Settle, Write},
    draft::Batch,
    forget,
    hot::Hot,
    mark, recovery,
    recovery::Recovered,
    register, roster,
    watchdog::{self, Work},
};
use crate::{
    domain::{
        Audience, ConversationId, MessageId, Order, Receipts, RegisterOutcome, Registration, RosterChange,
        Slot, Timestamp, UserId,
    },
    store::{
        Answer, Half, Mark, Marked, MessageReceipts, Read, ReadersPart, RosterPart, Store, StoreError,
        Unread, Vitals,
    },
};

/// A store in a directory of this machine. Dropping it without [`Store::close`] leaves it as a crash would.
pub struct EmbeddedStore {
    hot: Arc<Hot>,
    pulse: Arc<Pulse>,
    journal_bytes_refuse: u64,
    commands: SyncSender<Command>,
    wishes: SyncSender<Wish>,
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
        let Recovered { lock, base, journal, hot, tracker, next_sequence } = recovery::recover(path)?;
        let hot = Arc::new(hot);
        let pulse = Arc::new(Pulse::default());
        pulse.journal_bytes.store(journal.bytes(), Ordering::Relaxed);
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
            pulse: pulse.clone(),
            commands: commands.clone(),
            every: options.checkpoint_every,
        };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(OpenError::at(path))
        };
        let committer = spawn("commit", Box::new(move || committer.run(&commands_in)))?;
        let checkpointer = spawn("checkpoint", Box::new(move || checkpointer.run(&wishes_in)))?;
        let (watch, watch_in) = channel();
        let watchdog = spawn("watchdog", Box::new(move || watchdog::watch(works, &watch_in)))?;
        let threads = Mutex::new(Some(Threads { committer, checkpointer, watchdog, watch, lock }));
        let journal_bytes_refuse = options.journal_bytes_max.saturating_mul(4);
        Ok(Self { hot, pulse, journal_bytes_refuse, commands, wishes, threads })
    }

    /// Makes a checkpoint now, and returns when it is done (or has failed).
    pub async fn checkpoint(&self) {
        let (done, is_done) = sync_channel(1);
        let wishes = self.wishes.clone();
        let wait = move || wishes.send(Wish::CheckpointAndTell(done)).is_ok() && is_done.recv().is_ok();
        let _ = tokio::task::spawn_blocking(wait).await;
    }

    /// Puts a write that holds about `bytes` of memory into the queue.
    fn write<T: Send + 'static>(
        &self,
        bytes: usize,
        decide: impl FnOnce(&mut Batch<'_>) -> T + Send + 'static,
    ) -> Answer<'_, T> {
        let (answer, answered) = oneshot::channel();
        let Some(held) = Held::take(&self.pulse, bytes) else {
            return Box::pin(ready(Err(StoreError::Overloaded)));
        };
        let write: Write = Box::new(move |batch| {
            let decided = decide(batch);
            drop(held);
            let settle: Settle = Box::new(move |outcome| {
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

    fn send(&self, command: Command) -> Result<(), StoreError> {
        if self.pulse.has_failed() {
            return Err(StoreError::Failed);
        }
        if self.pulse.journal_bytes.load(Ordering::Relaxed) >= self.journal_bytes_refuse {
            return Err(StoreError::Overloaded);
        }
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    fn why_unanswered(&self) -> StoreError {
        if self.pulse.has_failed() { StoreError::Failed } else { StoreError::Closed }
    }

    fn read<'a, T: Send + 'a>(&'a self, read: impl FnOnce(&Hot) -> T) -> Answer<'a, T> {
        Box::pin(ready(Ok(read(&self.hot))))
    }

    /// What ends both threads, after a last checkpoint or without; nothing if they have ended.
    fn stop(&self, checkpoint: bool) -> impl FnOnce() + Send + 'static {
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

/// About what a list of ids takes: a pointer and a length each, the counters, and the text, shared by many.
fn bytes_of<T>(ids: &[T]) -> usize {
    64 * ids.len()
}

fn bytes_of_registrations(registrations: &[Registration]) -> usize {
    let audiences = registrations.iter().map(|sent| match &sent.audience {
        Audience::Roster => 0,
        Audience::Users(users) => bytes_of(users),
    });
    audiences.sum::<usize>() + 4 * bytes_of(registrations)
}

fn bytes_of_marks(marks: &[Mark]) -> usize {
    let read = marks.iter().map(|mark| match &mark.read {
        Read::Messages(messages) => bytes_of(messages),
        Read::UpTo(_) | Read::UpToOrder(_) => 0,
    });
    read.sum::<usize>() + 4 * bytes_of(marks)
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.stop(false)();
    }
}

impl Store for EmbeddedStore {
    fn replace_roster(&self, conversation: ConversationId, members: Vec<UserId>) -> Answer<'_, RosterChange> {
        self.write(bytes_of(&members), move |batch| roster::replace(batch, &conversation, &members))
    }

    fn change_roster(
        &self,
        conversation: ConversationId,
        add: Vec<UserId>,
        remove: Vec<UserId>,
        members_max: usize,
    ) -> Answer<'_, RosterChange> {
        self.write(bytes_of(&add) + bytes_of(&remove), move |batch| {
            roster::change(batch, &conversation, &add, &remove, members_max)
        })
    }

    fn roster<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Slot>,
        limit: usize,
    ) -> Answer<'a, Option<RosterPart>> {
        self.read(|hot| hot.with(conversation, |known| known?.roster(after, limit)))
    }

    fn conversations<'a>(
        &'a self,
        after: Option<&'a ConversationId>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<ConversationId>, bool)> {
        self.read(|hot| hot.conversations_after(after, limit, now))
    }

    fn forget_conversation(&self, conversation: ConversationId) -> Answer<'_, ()> {
        self.write(0, move |batch| batch.end(&conversation))
    }

    fn register(
        &self,
        conversation: ConversationId,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Answer<'_, Vec<RegisterOutcome>> {
        self.write(bytes_of_registrations(&registrations), move |batch| {
            register::register(batch, &conversation, &registrations, now)
        })
    }

    fn message<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        now: Timestamp,
    ) -> Answer<'a, Option<MessageReceipts>> {
        self.read(|hot| hot.with(conversation, |known| known?.message(message, now)))
    }

    fn messages<'a>(
        &'a self,
        conversation: &'a ConversationId,
        after: Option<Order>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, (Vec<MessageReceipts>, bool)> {
        self.read(|hot| {
            hot.with(conversation, |known| {
                known.map_or_else(Default::default, |known| known.messages(after, limit, now))
            })
        })
    }

    fn forget_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, ()> {
        self.write(0, move |batch| forget::forget_message(batch, &conversation, &message, now))
    }

    fn reset_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        self.write(0, move |batch| forget::reset_message(batch, &conversation, &message, now))
    }

    fn mark(&self, marks: Vec<Mark>, now: Timestamp) -> Answer<'_, Vec<Marked>> {
        self.write(bytes_of_marks(&marks), move |batch| mark::mark(batch, marks, now))
    }

    fn unread<'a>(
        &'a self,
        conversation: &'a ConversationId,
        reader: &'a UserId,
        now: Timestamp,
    ) -> Answer<'a, Unread> {
        self.read(|hot| {
            hot.with(conversation, |known| known.map(|known| known.unread(reader, now)).unwrap_or_default())
        })
    }

    fn receipts<'a>(
        &'a self,
        conversation: &'a ConversationId,
        messages: &'a [MessageId],
        now: Timestamp,
    ) -> Answer<'a, Vec<Option<Receipts>>> {
        self.read(|hot| {
            hot.with(conversation, |known| {
                messages.iter().map(|message| known?.receipts(message, now)).collect()
            })
        })
    }

    fn readers<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a MessageId,
        half: Half,
        after: Option<Slot>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, Option<ReadersPart>> {
        self.read(|hot| hot.with(conversation, |known| known?.readers(message, half, after, limit, now)))
    }

    fn sweep(&self, now: Timestamp) -> Answer<'_, usize> {
        let (answer, swept) = oneshot::channel();
        if let Err(error) = self.send(Command::Sweep(now, answer)) {
            return Box::pin(ready(Err(error)));
        }
        Box::pin(async move { swept.await.map_err(|_| self.why_unanswered()) })
    }

    fn vitals(&self) -> Vitals {
        Vitals {
            can_commit: !self.pulse.has_failed()
                && self.pulse.journal_bytes.load(Ordering::Relaxed) < self.journal_bytes_refuse
                && self.threads.lock().unwrap_or_else(PoisonError::into_inner).is_some(),
            conversations: self.hot.conversations(),
            messages: self.hot.messages(),
            commits: self.pulse.commits.load(Ordering::Relaxed),
            writes: self.pulse.writes.load(Ordering::Relaxed),
            journal_bytes: self.pulse.journal_bytes.load(Ordering::Relaxed),
            checkpoints: self.pulse.checkpoints.load(Ordering::Relaxed),
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            // Not on a thread of the runtime: the last checkpoint may take a while.
            let _ = tokio::task::spawn_blocking(self.stop(true)).await;
            if self.pulse.has_failed() { Err(StoreError::Failed) } else { Ok(()) }
        })
    }
}
