//! The embedded engine: one machine, one directory, nothing beside it.
//!
//! ```text
//!   writes ─► commit ─► journal      our append-only file: what makes a write durable
//!                │
//!                ▼ publishes
//!   reads ◄──── hot                  all conversations in memory: what reads see
//!                │
//!                ▼ checkpoint
//!              base                  sled: what recovery starts from, so that the journal can go
//! ```
//!
//! What must hold:
//!
//! - A write is published only once the journal has it on disk, and answered only once it is published.
//! - One thread decides and publishes, another calls sled. Requests never touch a disk, nor sled.
//! - A record is physical and numbered; whatever it changes remembers the last number, so replaying one twice, or
//!   on top of a newer checkpoint, changes nothing.
//! - After the first failed write nothing is acknowledged any more; `fdatasync` is never tried again.
//!
//! A data directory:
//!
//! ```text
//!   LOCK  FORMAT  journal/00000000000000000001.journal …  base/ (sled's own)
//! ```
//!
//! Read `commit` next, then `draft`, `conversation`, `journal`; `checkpoint`, `base` and `recovery` are the other
//! half. All messages are held in memory.

mod base;
mod checkpoint;
mod commit;
mod conversation;
mod draft;
mod forget;
mod hot;
mod journal;
mod mark;
mod read;
mod record;
mod recovery;
mod register;
mod roster;
mod stored;

use std::{
    fmt,
    fs::File,
    future::ready,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use self::{
    checkpoint::{Checkpointer, Wish},
    commit::{Command, Committer, Pulse, QUEUE_WRITES_MAX, Settle, Write},
    draft::Batch,
    hot::Hot,
    recovery::Recovered,
};
use super::{
    Answer, Half, Mark, Marked, MessageReceipts, ReadersPart, RosterPart, Store, StoreError, Unread, Vitals,
};
use crate::domain::{
    ConversationId, MessageId, Order, Receipts, RegisterOutcome, Registration, RosterChange, Slot, Timestamp,
    UserId,
};

/// How the engine is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A checkpoint begins when the journal has so many bytes. At four times as many, writes are refused with
    /// [`StoreError::Overloaded`] until one is done.
    pub journal_bytes_max: u64,
    /// A checkpoint begins when the last one is so long ago, if anything has changed.
    pub checkpoint_every: Duration,
}

impl Default for Options {
    /// 64 MiB, 60 seconds.
    fn default() -> Self {
        Self { journal_bytes_max: 64 << 20, checkpoint_every: Duration::from_mins(1) }
    }
}

/// Why a data directory cannot be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has it open.
    #[error(
        "{}: another server is using this data directory; stop it, or give this one another with --data",
        path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// It has files in it, and they are not seenby's.
    #[error(
        "{}: this directory is not empty and is not seenby's; give an empty or a new one with --data",
        path.display()
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// A newer version wrote it.
    #[error(
        "{}: written in format {format}, and this version knows formats up to {}; use the newer version",
        path.display(), record::FORMAT
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u8,
    },
    /// A file does not say what we wrote.
    #[error("{}: damaged at byte {at}: {what}; restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file, as near as is known.
        at: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// sled cannot open the base.
    #[error("{}: the base cannot be opened: {what}", path.display())]
    Base {
        /// sled's directory.
        path: PathBuf,
        /// What sled says.
        what: String,
    },
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl OpenError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    fn damaged(path: &Path, at: u64, what: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), at, what }
    }

    fn base(path: &Path, error: &dyn fmt::Display) -> Self {
        Self::Base { path: path.to_owned(), what: error.to_string() }
    }
}

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
        let committer = Committer {
            hot: hot.clone(),
            journal,
            pulse: pulse.clone(),
            tracker,
            next_sequence,
            journal_bytes_max: options.journal_bytes_max,
            wishes: wishes.clone(),
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
        let threads = Mutex::new(Some(Threads { committer, checkpointer, lock }));
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

    fn write<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Batch<'_>) -> T + Send + 'static,
    ) -> Answer<'_, T> {
        let (answer, answered) = oneshot::channel();
        let write: Write = Box::new(move |batch| {
            let decided = decide(batch);
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
            let Some(Threads { committer, checkpointer, lock }) = threads else { return };
            // The checkpoint thread first: its last checkpoint needs the other. A thread that is gone is fine.
            let _ = wishes.send(Wish::Stop { checkpoint });
            let _ = checkpointer.join();
            let _ = commands.send(Command::Stop);
            let _ = committer.join();
            drop(lock);
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.stop(false)();
    }
}

impl Store for EmbeddedStore {
    fn replace_roster(&self, conversation: ConversationId, members: Vec<UserId>) -> Answer<'_, RosterChange> {
        self.write(move |batch| roster::replace(batch, &conversation, &members))
    }

    fn change_roster(
        &self,
        conversation: ConversationId,
        add: Vec<UserId>,
        remove: Vec<UserId>,
        members_max: usize,
    ) -> Answer<'_, RosterChange> {
        self.write(move |batch| roster::change(batch, &conversation, &add, &remove, members_max))
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
        self.write(move |batch| batch.end(&conversation))
    }

    fn register(
        &self,
        conversation: ConversationId,
        registrations: Vec<Registration>,
        now: Timestamp,
    ) -> Answer<'_, Vec<RegisterOutcome>> {
        self.write(move |batch| register::register(batch, &conversation, &registrations, now))
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
        self.write(move |batch| forget::forget_message(batch, &conversation, &message, now))
    }

    fn reset_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        now: Timestamp,
    ) -> Answer<'_, bool> {
        self.write(move |batch| forget::reset_message(batch, &conversation, &message, now))
    }

    fn mark(&self, marks: Vec<Mark>, now: Timestamp) -> Answer<'_, Vec<Marked>> {
        self.write(move |batch| mark::mark(batch, marks, now))
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
