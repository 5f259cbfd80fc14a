//! Room: how much memory the hot state takes, and which pages make way.
//!
//! What counts is kept as it changes, so that knowing it costs nothing. When there is more than may be, pages go that
//! are clean and were not looked at since the last search, shard by shard: the clock algorithm. What is dirty has to be
//! written first, so a checkpoint is asked for long before it fills the room.

use std::sync::{
    Mutex, PoisonError, TryLockError,
    atomic::{AtomicU64, Ordering},
};

use crate::domain::ConversationId;
use crate::store::embedded::{hot::Hot, hot::cell::Cell, hot::conversation::Conversation, pages::PageName};

/// The share of the room that pages may take however much the rest takes.
const PAGES_SHARE: u64 = 8;

/// What is dirty is written when it fills this share of the room; more becomes dirty while that goes on.
const DIRTY_SHARE: u64 = 8;

/// When what is dirty fills this share, more must wait.
const OVERFULL_SHARE: u64 = 2;

/// A search is not begun for less than this share of what pages may take.
const CLEAN_SHARE: u64 = 32;

/// So much may be dirty however little room there is.
const DIRTY_LEAST: u64 = 16 << 20;

/// What is counted of the hot state, in bytes.
#[derive(Debug)]
pub(in crate::store::embedded) struct Room {
    bytes_max: u64,
    /// Pages in memory.
    pages: AtomicU64,
    /// Those among them that must stay.
    dirty: AtomicU64,
    /// All else.
    rest: AtomicU64,
    /// Pages that are on disk alone.
    cold: AtomicU64,
    /// Where the next search begins.
    hand: Mutex<usize>,
}

impl Room {
    pub(in crate::store::embedded) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            pages: AtomicU64::new(0),
            dirty: AtomicU64::new(0),
            rest: AtomicU64::new(0),
            cold: AtomicU64::new(0),
            hand: Mutex::new(0),
        }
    }

    /// A page is there from now on.
    pub(in crate::store::embedded) fn entered(&self, cell: &Cell) {
        self.pages.fetch_add(cell.bytes(), Ordering::Relaxed);
        self.dirty.fetch_add(cell.dirty_bytes(), Ordering::Relaxed);
        self.cold.fetch_add(u64::from(cell.is_cold()), Ordering::Relaxed);
    }

    /// A page is not there any more, or about to be another.
    pub(in crate::store::embedded) fn left(&self, cell: &Cell) {
        self.pages.fetch_sub(cell.bytes(), Ordering::Relaxed);
        self.dirty.fetch_sub(cell.dirty_bytes(), Ordering::Relaxed);
        self.cold.fetch_sub(u64::from(cell.is_cold()), Ordering::Relaxed);
    }

    /// A page changes in `change`, in what is counted.
    pub(in crate::store::embedded) fn changes<T>(
        &self,
        cell: &mut Cell,
        change: impl FnOnce(&mut Cell) -> T,
    ) -> T {
        self.left(cell);
        let changed = change(cell);
        self.entered(cell);
        changed
    }

    /// A conversation is there from now on.
    pub(in crate::store::embedded) fn came(&self, conversation: &Conversation) {
        self.rest.fetch_add(conversation.bytes(), Ordering::Relaxed);
        conversation.cells.iter().for_each(|cell| self.entered(cell));
    }

    /// A conversation is not there any more.
    pub(in crate::store::embedded) fn went(&self, conversation: &Conversation) {
        self.rest.fetch_sub(conversation.bytes(), Ordering::Relaxed);
        conversation.cells.iter().for_each(|cell| self.left(cell));
    }

    /// A conversation takes another amount beside its pages.
    pub(in crate::store::embedded) fn grew(&self, before: u64, after: u64) {
        self.rest.fetch_add(after, Ordering::Relaxed);
        self.rest.fetch_sub(before, Ordering::Relaxed);
    }

    /// How much pages may take.
    fn pages_max(&self) -> u64 {
        let rest = self.rest.load(Ordering::Relaxed);
        self.bytes_max.saturating_sub(rest).max(self.bytes_max / PAGES_SHARE)
    }

    /// Whether there is more than may be, and enough of it is clean to be worth a search.
    fn is_full(&self) -> bool {
        let (pages, pages_max) = (self.pages.load(Ordering::Relaxed), self.pages_max());
        let clean = pages.saturating_sub(self.dirty.load(Ordering::Relaxed));
        pages > pages_max && clean > pages_max / CLEAN_SHARE
    }
}

impl Hot {
    /// Looks at what is kept of a page, if it is still there.
    pub(in crate::store::embedded) fn with_cell<T>(
        &self,
        id: &ConversationId,
        name: PageName,
        look: impl FnOnce(&Cell) -> T,
    ) -> Option<T> {
        self.with(id, |known| {
            let known = known.filter(|known| known.key == name.conversation)?;
            known.cells.get(name.number).map(look)
        })
    }

    /// Changes what is kept of a page, if it is still there, and counts what that changes.
    pub(in crate::store::embedded) fn change_cell(
        &self,
        id: &ConversationId,
        name: PageName,
        change: impl FnOnce(&mut Cell),
    ) {
        let mut shard = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
        let known = shard.get_mut(id).filter(|known| known.key == name.conversation);
        if let Some(cell) = known.and_then(|known| known.cells.get_mut(name.number)) {
            self.room.changes(cell, change);
        }
    }

    /// Bytes of memory, as near as they are counted.
    pub(in crate::store::embedded) fn bytes(&self) -> u64 {
        self.room.pages.load(Ordering::Relaxed) + self.room.rest.load(Ordering::Relaxed)
    }

    /// Whether a checkpoint should write what is dirty.
    pub(in crate::store::embedded) fn is_dirty(&self) -> bool {
        self.room.dirty.load(Ordering::Relaxed) > self.room.bytes_max / DIRTY_SHARE
    }

    /// Whether what is dirty fills so much room that more must wait for a checkpoint.
    pub(in crate::store::embedded) fn is_overfull(&self) -> bool {
        let dirty_max = (self.room.bytes_max / OVERFULL_SHARE).max(DIRTY_LEAST);
        self.room.dirty.load(Ordering::Relaxed) > dirty_max
    }

    /// Whether any page is on disk alone.
    pub(in crate::store::embedded) fn has_cold(&self) -> bool {
        self.room.cold.load(Ordering::Relaxed) > 0
    }

    /// Drops pages until there is room again, if any can be dropped. Nothing to do costs nothing.
    pub(in crate::store::embedded) fn make_room(&self) {
        if !self.room.is_full() {
            return;
        }
        let mut hand = match self.room.hand.try_lock() {
            Ok(hand) => hand,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody is at it.
            Err(TryLockError::WouldBlock) => return,
        };
        // The first round only forgets what was used; the second drops.
        for _ in 0..2 * self.shards.len() {
            let room = &self.room;
            let mut shard = self.shards[*hand].write().unwrap_or_else(PoisonError::into_inner);
            for cell in shard.values_mut().flat_map(|conversation| conversation.cells.iter_mut()) {
                room.changes(cell, Cell::cool);
            }
            *hand = (*hand + 1) % self.shards.len();
            if !self.room.is_full() {
                return;
            }
        }
    }
}
