//! The commit thread: the one place where writes are decided, made durable, shown and answered, in this order.
//!
//! It takes whatever has gathered while the last commit was on its way to the disk, so batches grow with the load
//! and a lone write waits for nobody. There is no timer.
//!
//! ```text
//!   writes ──► queue ──► decide on a draft ──► journal: write, fdatasync ──► publish ──► answer
//! ```

mod chore;
pub(super) mod draft;
mod editing;
mod fetched;
pub(super) mod forget;
pub(super) mod mark;
pub(super) mod register;
pub(super) mod roster;
pub(super) mod user;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::store::embedded::{
    checkpoint::{Dirty, Wish},
    commit::chore::Chores,
    commit::draft::{Batch, Decided},
    export::Exported,
    hot::conversation::{Key, PageNumber},
    hot::{Hot, Watch},
    journal::Journal,
    watchdog::Work,
};
use crate::{
    domain::{ConversationId, ExpiresAt, Timestamp, UserId},
    store::{BOUNDS, StoreError, spread::Tally},
};

/// Writes that wait at the most; one more is answered with [`StoreError::Overloaded`].
pub(super) const QUEUE_WRITES_MAX: usize = 16_384;

/// Memory that waiting writes hold at the most, as near as it is counted; one more is answered likewise.
pub(super) const QUEUE_BYTES_MAX: usize = 256 << 20;

/// A commit takes no more than so many writes, so that the first is not held up by the last.
const COMMIT_WRITES: usize = 4_096;

/// Bounds of how long commits take, in microseconds: 250 to 8 seconds.
pub(super) const COMMIT_US: [u64; BOUNDS] =
    [250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 2_000_000, 8_000_000];

/// Bounds of how many writes go together, up to [`COMMIT_WRITES`].
pub(super) const BATCH_WRITES: [u64; BOUNDS] =
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, COMMIT_WRITES as u64];

/// Decides a write on the draft, and returns what answers it.
pub(super) type Write = Box<dyn FnOnce(&mut Batch<'_>) -> Settle + Send>;

/// Answers a write, once it is durable or has failed.
pub(super) type Settle = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What the commit thread is asked to do.
pub(super) enum Command {
    /// Commit this.
    Write(Write),
    /// Forget what has expired, a slice between two commits at a time, and tell how much that was.
    Sweep(Timestamp, oneshot::Sender<usize>),
    /// Delete a user, likewise, and tell when it is done.
    ForgetUser(UserId, oneshot::Sender<()>),
    /// Keep this instant for an export, of all or of one conversation; none if too many are kept.
    Snapshot(Option<ConversationId>, oneshot::Sender<Option<Exported>>),
    /// Begin a new segment, and hand over what has changed since the last time; none if nothing has.
    Rotate(SyncSender<Option<Rotated>>),
    /// A checkpoint has what the older segments hold.
    DropOlder,
    /// End after what came before this.
    Stop,
}

/// What has changed before a new segment began.
pub(super) struct Rotated {
    pub(super) dirty: Dirty,
    /// The first record that is not among the changes.
    pub(super) next_sequence: u64,
}

/// What the commit thread shows of itself.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) failed: AtomicBool,
    /// Whether a checkpoint was asked for that has not begun yet.
    pub(super) wished: AtomicBool,
    pub(super) queued_bytes: AtomicUsize,
    /// Writes that were let in and are not answered yet.
    pub(super) waiting: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) journal_bytes: AtomicU64,
    pub(super) checkpoints: AtomicU64,
    pub(super) page_bytes: AtomicU64,
    pub(super) commit_us: Tally,
    pub(super) batch_writes: Tally,
    /// When the first message expires, as seconds since the Unix epoch; 0 if there is none.
    expires_first_s: AtomicU64,
    /// When nothing was left for a checkpoint.
    checkpointed: Mutex<Option<Instant>>,
}

impl Pulse {
    /// Accepts no more writes. The first cause is logged, and later ones are of no interest.
    pub(super) fn fail(&self, what: &str, cause: &dyn std::fmt::Display) {
        if !self.failed.swap(true, Ordering::SeqCst) {
            tracing::error!("the store accepts no more writes: {what}: {cause}");
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// A checkpoint has all that there was when it began.
    pub(super) fn checkpointed(&self) {
        *self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(super) fn since_checkpoint(&self) -> Option<Duration> {
        self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    pub(super) fn expires_first(&self) -> Option<ExpiresAt> {
        let unix_s = self.expires_first_s.load(Ordering::Relaxed);
        (unix_s > 0).then_some(ExpiresAt { unix_s })
    }
}

/// The state of the commit thread.
pub(super) struct Committer {
    pub(super) hot: Arc<Hot>,
    pub(super) journal: Journal,
    pub(super) pulse: Arc<Pulse>,
    pub(super) tracker: Tracker,
    pub(super) next_sequence: u64,
    /// Ask for a checkpoint when the journal has grown to so many bytes.
    pub(super) journal_bytes_max: u64,
    pub(super) wishes: SyncSender<Wish>,
    pub(super) work: Arc<Work>,
}

impl Committer {
    /// Works until it is told to stop, or nobody is left to tell it anything.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut chores = Chores::default();
        // What was left by the last process counts as well.
        self.wish_if_full();
        self.show_first_end();
        loop {
            let command = if chores.has_some() {
                match commands.try_recv() {
                    Ok(command) => Some(command),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                }
            } else {
                match commands.recv() {
                    Ok(command) => Some(command),
                    Err(_) => return,
                }
            };
            self.work.step();
            let left_over = match command {
                Some(Command::Write(first)) => self.commit(first, commands),
                other => other,
            };
            match left_over {
                None => {}
                Some(Command::Stop) => return,
                Some(Command::Sweep(now, answer)) => chores.sweep(now, answer),
                Some(Command::ForgetUser(user, answer)) => chores.forget_user(user, answer),
                Some(other) => self.tend(other),
            }
            self.do_slice(&mut chores);
            self.work.rest();
        }
    }

    /// Commits `first` and the writes that wait behind it; returns the command that ended the batch, if one did.
    fn commit(&mut self, first: Write, commands: &Receiver<Command>) -> Option<Command> {
        let (hot, work) = (self.hot.clone(), self.work.clone());
        let mut batch = Batch::new(&hot, self.next_sequence, &work);
        let mut settles = Vec::new();
        let mut left_over = None;
        let mut next = Some(first);
        while let Some(write) = next.take() {
            if self.pulse.has_failed() {
                // Dropping a write answers it: its sender finds that the store has failed.
                continue;
            }
            settles.push(write(&mut batch));
            if !batch.is_full() && settles.len() < COMMIT_WRITES {
                match commands.try_recv() {
                    Ok(Command::Write(write)) => next = Some(write),
                    Ok(other) => left_over = Some(other),
                    Err(_) => {}
                }
            }
        }
        let outcome = self.finish(batch);
        let writes = settles.len() as u64;
        self.pulse.writes.fetch_add(writes, Ordering::Relaxed);
        if writes > 0 {
            self.pulse.batch_writes.count(&BATCH_WRITES, writes);
        }
        for settle in settles {
            settle(outcome);
        }
        left_over
    }

    /// Makes a batch durable, then shows it.
    fn finish(&mut self, batch: Batch<'_>) -> Result<(), StoreError> {
        let begun = Instant::now();
        let Decided { mut frame, drafts, hidden, erases } = batch.finish().map_err(|error| {
            self.pulse.fail("a page could not be read", &error);
            StoreError::Failed
        })?;
        let commits = !frame.is_empty();
        if commits {
            frame.seal();
            if let Err(error) = self.journal.append(&frame) {
                self.pulse.fail("the journal could not be written", &error);
                return Err(StoreError::Failed);
            }
            self.next_sequence = frame.next_sequence();
            self.pulse.commits.fetch_add(1, Ordering::Relaxed);
        }
        // Who is shown again counts before their marks do, so that no more have read than were asked; a user who goes
        // is not shown before the name is gone.
        if !erases {
            self.publish_hidden(&hidden);
        }
        for (id, change) in drafts {
            self.work.step();
            self.hot.publish(id, change, &mut self.tracker);
        }
        if erases {
            self.publish_hidden(&hidden);
            self.tracker.dirty.erased();
        }
        if commits {
            let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.pulse.commit_us.count(&COMMIT_US, took_us);
        }
        self.pulse.journal_bytes.store(self.journal.bytes(), Ordering::Relaxed);
        self.show_first_end();
        self.wish_if_full();
        self.hot.make_room();
        Ok(())
    }

    fn show_first_end(&self) {
        let first = self.tracker.ends.first_key_value();
        let unix_s = first.map_or(0, |((end, _, _), _)| end.unix_s);
        self.pulse.expires_first_s.store(unix_s, Ordering::Relaxed);
    }

    fn publish_hidden<'a>(&mut self, hidden: impl IntoIterator<Item = (&'a UserId, &'a bool)>) {
        for (user, is_hidden) in hidden {
            self.hot.publish_hidden(user, *is_hidden, &mut self.tracker, || self.work.step());
        }
    }

    /// Asks for a checkpoint if the journal has grown to its bound, or so much has changed that there is little room
    /// left for what has not; unless one was asked for already.
    fn wish_if_full(&self) {
        if (self.journal.bytes() >= self.journal_bytes_max || self.hot.is_dirty())
            && !self.pulse.wished.swap(true, Ordering::SeqCst)
            && self.wishes.try_send(Wish::Checkpoint).is_err()
        {
            // Others have asked for one and wait for it.
            self.pulse.wished.store(false, Ordering::SeqCst);
        }
    }

    fn tend(&mut self, command: Command) {
        match command {
            Command::Rotate(answer) => {
                // Records that cancel each other out leave nothing to write, and must go all the same.
                let dirty =
                    self.tracker.dirty.take().or_else(|| (!self.journal.is_empty()).then(Dirty::default));
                if let Some(Err(error)) = dirty.as_ref().map(|_| self.journal.rotate(self.next_sequence)) {
                    self.pulse.fail("a segment of the journal could not be begun", &error);
                    return;
                }
                let _ = answer.send(dirty.map(|dirty| Rotated { dirty, next_sequence: self.next_sequence }));
            }
            Command::DropOlder => {
                if let Err(error) = self.journal.drop_older() {
                    self.pulse.fail("a segment of the journal could not be removed", &error);
                }
                self.pulse.journal_bytes.store(self.journal.bytes(), Ordering::Relaxed);
            }
            Command::Snapshot(only, answer) => {
                let began = Instant::now();
                let exported = Exported::begin(&self.hot, self.next_sequence, only);
                tracing::debug!(took = ?began.elapsed(), "an instant is kept for an export");
                let _ = answer.send(exported);
            }
            Command::Write(_) | Command::Sweep(..) | Command::ForgetUser(..) | Command::Stop => {
                unreachable!("invariant: the loop takes these itself")
            }
        }
    }
}

/// What the commit thread remembers of its publications: what a checkpoint has to write, and what expires when.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    pub(super) dirty: Dirty,
    ends: BTreeMap<(ExpiresAt, Key, PageNumber), ConversationId>,
}

impl Tracker {
    /// Up to `pages_max` pages with something that has expired at `now`, by conversation.
    fn due(&self, now: Timestamp, pages_max: usize) -> BTreeMap<ConversationId, Vec<PageNumber>> {
        let mut due: BTreeMap<ConversationId, Vec<PageNumber>> = BTreeMap::new();
        let expired = self.ends.iter().take_while(|((end, _, _), _)| end.has_come(now));
        for ((_, _, page), id) in expired.take(pages_max) {
            due.entry(id.clone()).or_default().push(*page);
        }
        due
    }

    /// Remembers when a page that recovery found begins to expire.
    pub(super) fn ends_at(&mut self, end: ExpiresAt, key: Key, page: PageNumber, id: ConversationId) {
        self.ends.insert((end, key, page), id);
    }
}

impl Watch for Tracker {
    fn head(&mut self, key: Key, id: &ConversationId) {
        self.dirty.head(key, id);
    }

    fn slots(&mut self, key: Key, id: &ConversationId, first: u32) {
        self.dirty.slots(key, id, first);
    }

    fn hidden(&mut self, user: &UserId) {
        self.dirty.hidden(user);
    }

    fn page(
        &mut self,
        key: Key,
        id: &ConversationId,
        page: PageNumber,
        before: Option<ExpiresAt>,
        after: Option<ExpiresAt>,
    ) {
        self.dirty.page(key, id, page);
        if before != after {
            if let Some(before) = before {
                self.ends.remove(&(before, key, page));
            }
            if let Some(after) = after {
                self.ends.insert((after, key, page), id.clone());
            }
        }
    }

    fn ended(&mut self, key: Key, pages: &mut dyn Iterator<Item = (PageNumber, Option<ExpiresAt>)>) {
        self.dirty.ended(key);
        for (page, end) in pages {
            if let Some(end) = end {
                self.ends.remove(&(end, key, page));
            }
        }
    }
}
