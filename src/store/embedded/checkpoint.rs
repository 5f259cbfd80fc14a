//! The checkpoint thread: brings what has changed from the hot state to the page files and the base, so that the
//! journal can go.
//!
//! ```text
//!   dirty pages ─► page files: append, fdatasync ─► base: heads, slots, shelves ─► seal ─► old files and segments go
//! ```
//!
//! It reads the hot state like any other reader, an object at a time, so an object may be newer in the base than
//! the moment the checkpoint began. That is safe: the object says which record changed it last, and recovery
//! skips the records that it has.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use crate::domain::{ConversationId, UserId};
use crate::store::embedded::{
    base::Base,
    base::object::{Kind, Object},
    commit::{Command, Pulse, Rotated},
    hot::Hot,
    hot::conversation::{Conversation, HotPage, Key, PageNumber},
    pages::{Book, Extent, Moved, PageName},
    stored::{
        BLOCK_SLOTS, SHELF_PAGES, head_bytes, hidden_bucket, hidden_bytes, page_bytes, shelf_bytes,
        slots_bytes,
    },
};

/// A page that has changed, as it is when its turn comes.
enum Seen {
    /// It went, or its conversation did.
    Gone,
    /// The last checkpoint met it after it had changed.
    Clean,
    /// It is not in memory, which must not be.
    Lost,
    /// It is to be written.
    Dirty(Arc<HotPage>, u32),
}

/// A page that was written, and which change of it.
struct Written {
    id: ConversationId,
    name: PageName,
    stamp: u32,
    extent: Extent,
}

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
    /// Buckets of hidden users.
    hidden: BTreeSet<u32>,
    /// Whether a user was deleted, whose name must leave the disk.
    erased: bool,
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

    /// Slots from `first` on are new, or not what they were.
    pub(super) fn slots(&mut self, key: Key, id: &ConversationId, first: u32) {
        let from = &mut self.of(key, id).slots_from;
        *from = Some(from.map_or(first, |before| before.min(first)));
    }

    /// A user was deleted.
    pub(super) fn erased(&mut self) {
        self.erased = true;
    }

    /// The user was hidden, or is shown again.
    pub(super) fn hidden(&mut self, user: &UserId) {
        self.hidden.insert(hidden_bucket(user.as_str()));
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
        let is_clean = self.conversations.is_empty() && self.ended.is_empty() && self.hidden.is_empty();
        (!is_clean || self.erased).then(|| std::mem::take(self))
    }
}

/// The state of the checkpoint thread.
pub(super) struct Checkpointer {
    pub(super) hot: Arc<Hot>,
    pub(super) base: Base,
    pub(super) book: Book,
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
        let written = match dirty.recv() {
            Ok(Some(Rotated { dirty, next_sequence })) => self.write(&dirty, next_sequence).map(|()| true),
            // Names of deleted users must not stay on the disk because nothing else happens.
            Ok(None) => self.base.renew_if_dead().map(|()| false),
            Err(_) => return,
        };
        self.base.work().rest();
        match written {
            Ok(true) => {}
            Ok(false) => {
                self.pulse.checkpointed();
                return;
            }
            Err(error) => {
                self.pulse.fail("the base could not be written", &error);
                return;
            }
        }
        self.pulse.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.pulse.checkpointed();
        // Nobody is there any more while the store closes; then the next start drops them.
        let _ = self.commands.send(Command::DropOlder);
    }

    fn write(&mut self, dirty: &Dirty, next_sequence: u64) -> io::Result<()> {
        for key in &dirty.ended {
            self.book.remove_conversation(*key);
            self.base.remove_conversation(*key)?;
        }
        self.write_hidden(dirty)?;
        self.base.note_erasure(dirty.erased)?;
        let mut shelves = BTreeSet::new();
        let mut written = Vec::new();
        for (key, changed) in &dirty.conversations {
            self.write_conversation(*key, changed)?;
            for number in &changed.pages {
                let name = PageName { conversation: *key, number: *number };
                written.extend(self.write_page(name, changed)?);
                shelves.insert((*key, number.0 / SHELF_PAGES));
            }
        }
        let moved = self.book.clean(|| self.base.work().step())?;
        shelves
            .extend(moved.iter().map(|moved| (moved.name.conversation, moved.name.number.0 / SHELF_PAGES)));
        self.base.work().step();
        self.book.sync()?;
        for (key, shelf) in shelves {
            self.write_shelf(key, shelf)?;
        }
        self.base.finish(next_sequence)?;
        self.settle(&written, &moved);
        self.base.work().step();
        // What is being exported may stand in any file that there was when it began. Once nothing is, the next
        // checkpoint removes what has become empty meanwhile.
        if !self.hot.snapshots.has_some() {
            self.book.remove_empty()?;
        }
        self.pulse.page_bytes.store(self.book.bytes(), Ordering::Relaxed);
        self.base.renew_if_dead()
    }

    fn write_hidden(&mut self, dirty: &Dirty) -> io::Result<()> {
        if dirty.hidden.is_empty() {
            return Ok(());
        }
        let mut buckets: BTreeMap<u32, Vec<String>> =
            dirty.hidden.iter().map(|bucket| (*bucket, Vec::new())).collect();
        for user in self.hot.hidden_users(|user| dirty.hidden.contains(&hidden_bucket(user))) {
            buckets.entry(hidden_bucket(&user)).or_default().push(user);
        }
        for (bucket, users) in buckets {
            let object = Object { kind: Kind::Hidden, conversation: Key(0), number: bucket };
            match users.as_slice() {
                [] => self.base.remove(object)?,
                _ => self.base.put(object, hidden_bytes(users))?,
            }
        }
        Ok(())
    }

    fn write_conversation(&mut self, key: Key, changed: &DirtyConversation) -> io::Result<()> {
        let object = |kind, number| Object { kind, conversation: key, number };
        if changed.head {
            let head = self.look(key, changed, |known| (known.head.clone(), known.names.len()));
            // A conversation that has ended meanwhile is the next checkpoint's to remove.
            let Some((head, slots)) = head else { return Ok(()) };
            self.base.put(object(Kind::Head, 0), head_bytes(&changed.id, &head, slots))?;
        }
        if let Some(first) = changed.slots_from {
            let from = first / BLOCK_SLOTS * BLOCK_SLOTS;
            let names = self.look(key, changed, |known| {
                known.names.names_from(from).map(str::to_owned).collect::<Vec<_>>()
            });
            for (block, names) in
                (from / BLOCK_SLOTS..).zip(names.unwrap_or_default().chunks(BLOCK_SLOTS as usize))
            {
                self.base.put(object(Kind::Slots, block), slots_bytes(names))?;
            }
        }
        Ok(())
    }

    /// Appends a page as it is now; nothing if the page files have it already.
    fn write_page(&mut self, name: PageName, changed: &DirtyConversation) -> io::Result<Option<Written>> {
        self.base.work().step();
        let seen = self.look(name.conversation, changed, |known| match known.cells.get(name.number) {
            None => Seen::Gone,
            Some(cell) if cell.is_clean() => Seen::Clean,
            // A copy shares all with the original, so that the bytes are made without holding anyone up.
            Some(cell) => cell.page().map_or(Seen::Lost, |page| Seen::Dirty(page.clone(), cell.stamp())),
        });
        match seen.unwrap_or(Seen::Gone) {
            Seen::Gone => {
                self.book.remove(name);
                Ok(None)
            }
            Seen::Clean => Ok(None),
            Seen::Lost => Err(io::Error::other("a page that has changed is not in memory")),
            Seen::Dirty(page, stamp) => {
                let extent = self.book.put(&changed.id, name, &page_bytes(&page))?;
                Ok(Some(Written { id: changed.id.clone(), name, stamp, extent }))
            }
        }
    }

    fn write_shelf(&mut self, key: Key, shelf: u32) -> io::Result<()> {
        let object = Object { kind: Kind::Shelf, conversation: key, number: shelf };
        let first = shelf * SHELF_PAGES;
        match self.book.pages(key, first..first.saturating_add(SHELF_PAGES)) {
            [] => self.base.remove(object),
            pages => self.base.put(object, shelf_bytes(pages)),
        }
    }

    /// What was written is clean from now on, and is read from where it stands.
    fn settle(&self, written: &[Written], moved: &[Moved]) {
        for Written { id, name, stamp, extent } in written {
            let packed = self.packed(id, *name, *stamp);
            self.hot.change_cell(id, *name, |cell| cell.settle(*stamp, *extent, packed));
            self.base.work().step();
        }
        for Moved { id, name, from, to } in moved {
            self.hot.change_cell(id, *name, |cell| cell.moved(*from, *to));
        }
        self.hot.make_room();
    }

    /// A page in little memory, made while nobody waits; none if it has changed since it was written.
    fn packed(&self, id: &ConversationId, name: PageName, stamp: u32) -> Option<Arc<HotPage>> {
        let page =
            self.hot.with_cell(id, name, |cell| cell.page().filter(|_| cell.stamp() == stamp).cloned())??;
        let mut packed = HotPage::clone(&page);
        packed.page.pack();
        Some(Arc::new(packed))
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
