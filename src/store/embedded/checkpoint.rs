//! The checkpoint thread: brings what has changed from the hot state to the base, so that the journal can go.
//!
//! It reads the hot state like any other reader, an object at a time, so an object may be newer in the base than
//! the moment the checkpoint began. That is safe: the object says which record changed it last, and recovery
//! skips the records that it has.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use super::{
    base::Base,
    commit::{Command, Pulse, Rotated},
    conversation::{Conversation, Key, PageNumber},
    hot::Hot,
    object::{Kind, Object},
    stored::{BLOCK_SLOTS, head_bytes, page_bytes, slots_bytes},
};
use crate::domain::ConversationId;

/// What the checkpoint thread is asked for.
pub(super) enum Wish {
    /// A checkpoint, soon.
    Checkpoint,
    /// A checkpoint, and a word when it is done.
    CheckpointAndTell(SyncSender<()>),
    /// The end, with a last checkpoint or without.
    Stop {
        /// Whether to make one.
        checkpoint: bool,
    },
}

/// What has changed since the last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    conversations: HashMap<Key, DirtyConversation>,
    ended: Vec<Key>,
}

#[derive(Debug)]
struct DirtyConversation {
    id: ConversationId,
    head: bool,
    /// The first slot that the base does not have.
    slots_from: Option<u32>,
    pages: BTreeSet<PageNumber>,
}

impl Dirty {
    fn of(&mut self, key: Key, id: &ConversationId) -> &mut DirtyConversation {
        self.conversations.entry(key).or_insert_with(|| DirtyConversation {
            id: id.clone(),
            head: false,
            slots_from: None,
            pages: BTreeSet::new(),
        })
    }

    /// The head changed.
    pub(super) fn head(&mut self, key: Key, id: &ConversationId) {
        self.of(key, id).head = true;
    }

    /// Slots from `first` on are new.
    pub(super) fn slots(&mut self, key: Key, id: &ConversationId, first: u32) {
        let from = &mut self.of(key, id).slots_from;
        *from = Some(from.map_or(first, |before| before.min(first)));
    }

    /// The page changed, or went.
    pub(super) fn page(&mut self, key: Key, id: &ConversationId, page: PageNumber) {
        self.of(key, id).pages.insert(page);
    }

    /// The conversation went.
    pub(super) fn ended(&mut self, key: Key) {
        self.conversations.remove(&key);
        self.ended.push(key);
    }

    /// Hands over what has changed, and begins anew; none if nothing has.
    pub(super) fn take(&mut self) -> Option<Self> {
        let is_clean = self.conversations.is_empty() && self.ended.is_empty();
        (!is_clean).then(|| std::mem::take(self))
    }
}

/// The state of the checkpoint thread.
pub(super) struct Checkpointer {
    pub(super) hot: Arc<Hot>,
    pub(super) base: Base,
    pub(super) pulse: Arc<Pulse>,
    pub(super) commands: SyncSender<Command>,
    pub(super) every: Duration,
}

impl Checkpointer {
    /// Works until it is told to stop, or nobody is left to tell it anything.
    pub(super) fn run(mut self, wishes: &Receiver<Wish>) {
        self.work_off(wishes);
        if let Err(error) = self.base.close(self.pulse.has_failed()) {
            self.pulse.fail("the base could not be closed", &error);
        }
    }

    fn work_off(&mut self, wishes: &Receiver<Wish>) {
        loop {
            match wishes.recv_timeout(self.every) {
                Ok(Wish::Checkpoint) | Err(RecvTimeoutError::Timeout) => self.checkpoint(),
                Ok(Wish::CheckpointAndTell(done)) => {
                    self.checkpoint();
                    let _ = done.send(());
                }
                Ok(Wish::Stop { checkpoint }) => {
                    if checkpoint {
                        self.checkpoint();
                    }
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Brings what has changed to the base and lets the journal go; nothing if nothing has changed.
    fn checkpoint(&mut self) {
        self.pulse.wished.store(false, Ordering::SeqCst);
        if self.pulse.has_failed() {
            return;
        }
        let (answer, dirty) = sync_channel(1);
        if self.commands.send(Command::Rotate(answer)).is_err() {
            return;
        }
        let Ok(Some(Rotated { dirty, next_sequence })) = dirty.recv() else { return };
        let written = self.write(&dirty, next_sequence);
        self.base.work().rest();
        if let Err(error) = written {
            self.pulse.fail("the base could not be written", &error);
            return;
        }
        self.pulse.checkpoints.fetch_add(1, Ordering::Relaxed);
        // Nobody is there any more while the store closes; then the next start drops them.
        let _ = self.commands.send(Command::DropOlder);
    }

    fn write(&mut self, dirty: &Dirty, next_sequence: u64) -> io::Result<()> {
        for key in &dirty.ended {
            self.base.remove_conversation(*key)?;
        }
        for (key, changed) in &dirty.conversations {
            self.write_conversation(*key, changed)?;
        }
        self.base.finish(next_sequence)
    }

    fn write_conversation(&mut self, key: Key, changed: &DirtyConversation) -> io::Result<()> {
        let object = |kind, number| Object { kind, conversation: key, number };
        if changed.head {
            let head = self.look(key, changed, |known| (known.head.clone(), known.slots.len()));
            // A conversation that has ended meanwhile is the next checkpoint's to remove.
            let Some((head, slots)) = head else { return Ok(()) };
            self.base.put(object(Kind::Head, 0), head_bytes(&changed.id, &head, slots))?;
        }
        if let Some(first) = changed.slots_from {
            let from = first / BLOCK_SLOTS * BLOCK_SLOTS;
            let users = self.look(key, changed, |known| known.slots.users()[from as usize..].to_vec());
            for (block, users) in
                (from / BLOCK_SLOTS..).zip(users.unwrap_or_default().chunks(BLOCK_SLOTS as usize))
            {
                self.base.put(object(Kind::Slots, block), slots_bytes(users))?;
            }
        }
        for &number in &changed.pages {
            // A copy shares all with the original, so that the bytes are made without holding anyone up.
            let page = self.look(key, changed, |known| known.pages.get(&number).cloned());
            match page.flatten() {
                Some(page) => self.base.put(object(Kind::Page, number.0), page_bytes(&page))?,
                None => self.base.remove(object(Kind::Page, number.0))?,
            }
        }
        Ok(())
    }

    fn look<T>(
        &self,
        key: Key,
        changed: &DirtyConversation,
        look: impl FnOnce(&Conversation) -> T,
    ) -> Option<T> {
        self.hot.with(&changed.id, |known| known.filter(|known| known.key == key).map(look))
    }
}
