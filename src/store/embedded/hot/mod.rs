//! The hot state: every conversation as it is durable, for reads. Only the commit thread publishes into it.
//!
//! Heads, names, the index and the outlines of pages are always in memory. Pages are as far as there is room; `room`
//! sees to that, and `reading` brings back those that are asked for.

pub(super) mod cell;
pub(super) mod conversation;
mod hidden;
pub(super) mod index;
pub(super) mod keyed;
pub(super) mod names;
pub(super) mod read;
pub(super) mod reading;
pub(super) mod room;
pub(super) mod snapshot;
pub(super) mod span;

use std::{
    collections::BTreeSet,
    ops::Bound,
    path::PathBuf,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::domain::{ConversationId, ExpiresAt, Slot, Timestamp, UserId};
use crate::store::changes::Watchers;
use crate::store::embedded::{
    commit::draft::{ConversationDraft, Draft},
    hot::cell::Cell,
    hot::conversation::{Conversation, HotPage, Key, PageNumber},
    hot::keyed::{ById, hash_of},
    hot::room::Room,
    hot::snapshot::{Kept, Snapshots},
};

/// Locks that conversations are spread over, so that a publication holds up few reads.
const SHARDS: usize = 64;

pub(super) type Shard = RwLock<ById<ConversationId, Conversation>>;

/// All conversations, sharded by id.
pub(super) struct Hot {
    pub(super) shards: Vec<Shard>,
    /// The ids of all conversations, for the list.
    ids: RwLock<BTreeSet<ConversationId>>,
    messages: AtomicU64,
    /// Users whose receipts are off.
    hidden: RwLock<BTreeSet<UserId>>,
    pub(super) room: Room,
    pub(super) watchers: Watchers,
    /// Instants that are being exported.
    pub(super) snapshots: Snapshots,
    /// Where the page files are.
    pub(super) pages: PathBuf,
}

/// What a publication changed, for checkpoint and expiry to know.
pub(super) trait Watch {
    /// The conversation's head changed.
    fn head(&mut self, key: Key, id: &ConversationId);
    /// Slots from `first` on were given out, or the first of them stands for nobody any more.
    fn slots(&mut self, key: Key, id: &ConversationId, first: u32);
    /// A page changed, or went. Its first message expired at `before` and expires at `after`.
    fn page(
        &mut self,
        key: Key,
        id: &ConversationId,
        page: PageNumber,
        before: Option<ExpiresAt>,
        after: Option<ExpiresAt>,
    );
    /// The user was hidden, or is shown again.
    fn hidden(&mut self, user: &UserId);
    /// The conversation went, with these pages and ends.
    fn ended(&mut self, key: Key, pages: &mut dyn Iterator<Item = (PageNumber, Option<ExpiresAt>)>);
}

impl Hot {
    /// Nothing yet; pages that are cold are in the page files of the directory `pages`. No more than `bytes_max` is
    /// held, as near as it is counted.
    pub(super) fn new(pages: PathBuf, bytes_max: u64) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            ids: RwLock::default(),
            messages: AtomicU64::new(0),
            hidden: RwLock::default(),
            room: Room::new(bytes_max),
            watchers: Watchers::default(),
            snapshots: Snapshots::default(),
            pages,
        }
    }

    pub(super) fn shard(&self, id: &ConversationId) -> &Shard {
        // Tables take the highest and the lowest bits.
        let hash = hash_of(id.as_str()) >> 32;
        &self.shards[usize::try_from(hash % SHARDS as u64).expect("invariant: below 64")]
    }

    /// Looks at the conversation under `id`. Publications to its shard wait meanwhile.
    pub(super) fn with<T>(&self, id: &ConversationId, look: impl FnOnce(Option<&Conversation>) -> T) -> T {
        let shard = self.shard(id).read().unwrap_or_else(PoisonError::into_inner);
        look(shard.get(id))
    }

    /// Conversations with a roster or a message, live or not.
    pub(super) fn conversations(&self) -> u64 {
        self.ids.read().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Messages, live or not.
    pub(super) fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Up to `limit` conversations above `after` that the list shows, in byte order, and whether there are more.
    pub(super) fn conversations_after(
        &self,
        after: Option<&ConversationId>,
        limit: usize,
        now: Timestamp,
    ) -> (Vec<ConversationId>, bool) {
        let mut shown = Vec::new();
        let mut last = after.cloned();
        // The ids are copied out a part at a time: no two locks are ever held at once.
        loop {
            let ids = self.ids_after(last.as_ref(), limit + 1);
            let is_end = ids.len() <= limit;
            last = ids.last().cloned();
            for id in ids {
                if self.with(&id, |known| known.is_some_and(|known| known.is_shown(now))) {
                    if shown.len() == limit {
                        return (shown, true);
                    }
                    shown.push(id);
                }
            }
            if is_end {
                return (shown, false);
            }
        }
    }

    /// Up to `limit` ids above `after`, in byte order.
    fn ids_after(&self, after: Option<&ConversationId>, limit: usize) -> Vec<ConversationId> {
        let ids = self.ids.read().unwrap_or_else(PoisonError::into_inner);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        ids.range::<ConversationId, _>((from, Bound::Unbounded)).take(limit).cloned().collect()
    }

    /// Puts in what recovery found.
    pub(super) fn insert(&self, id: ConversationId, mut conversation: Conversation) {
        self.hide_in(&mut conversation);
        self.messages.fetch_add(conversation.messages_held(), Ordering::Relaxed);
        self.room.came(&conversation);
        self.ids.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        self.shard(&id).write().unwrap_or_else(PoisonError::into_inner).insert(id, conversation);
    }

    /// Shows what a commit made durable.
    pub(super) fn publish(&self, id: ConversationId, change: ConversationDraft, watch: &mut impl Watch) {
        let mut shard = self.shard(&id).write().unwrap_or_else(PoisonError::into_inner);
        let was_there = shard.contains_key(&id);
        let may_show = change.may_show();
        let mut kept = self.snapshots.keep(&id);
        if change.ended.is_some()
            && let Some(ended) = shard.remove(&id)
        {
            kept.ended(&ended);
            self.messages.fetch_sub(ended.messages_held(), Ordering::Relaxed);
            self.room.went(&ended);
            let ends = &mut ended.cells.iter().map(|cell| (cell.number, cell.outline.expires_first()));
            watch.ended(ended.key, ends);
        }
        if let Some(draft) = change.draft {
            let is_new = draft.is_new;
            let conversation = shard.entry(id.clone()).or_insert_with(|| Conversation::new(draft.key));
            let before = if is_new { 0 } else { conversation.bytes() };
            self.merge(&id, conversation, draft, watch, &mut kept);
            self.room.grew(before, conversation.bytes());
        }
        let is_there = shard.contains_key(&id);
        drop(kept);
        drop(shard);
        if may_show {
            self.watchers.tell(&id);
        }
        if was_there != is_there {
            let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
            if is_there {
                ids.insert(id)
            } else {
                ids.remove(&id)
            };
        }
    }

    fn merge(
        &self,
        id: &ConversationId,
        into: &mut Conversation,
        draft: Draft,
        watch: &mut impl Watch,
        kept: &mut Kept<'_>,
    ) {
        let key = into.key;
        kept.changes(into, &draft);
        if draft.is_new || draft.head.sequence != into.head.sequence {
            into.head = draft.head;
            watch.head(key, id);
        }
        if !draft.users.is_empty() {
            watch.slots(key, id, into.names.len());
            let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
            for user in draft.users {
                into.hidden.set(Slot(into.names.len()), hidden.contains(&user));
                into.names.push(&user);
            }
        }
        for slot in draft.unnamed.iter() {
            watch.slots(key, id, slot.0);
            into.names.forget(slot);
            into.hidden.set(slot, true);
        }
        for (hint, place, is_there) in draft.places {
            if is_there {
                into.index.insert(hint, place);
            } else {
                into.index.remove(hint, place);
            }
        }
        for (number, page) in draft.pages {
            self.merge_page(id, into, number, page, watch);
        }
        if draft.loses {
            into.lost_messages();
        }
        if let Some(page) = draft.reopened {
            into.spans.reopen(page);
        }
        for (slot, span) in draft.spans {
            into.spans.set(slot, span);
        }
    }

    fn merge_page(
        &self,
        id: &ConversationId,
        into: &mut Conversation,
        number: PageNumber,
        page: Option<HotPage>,
        watch: &mut impl Watch,
    ) {
        let mut before = None;
        if let Some(cell) = into.cells.get(number) {
            before = cell.outline.expires_first();
            self.messages.fetch_sub(cell.outline.held().len() as u64, Ordering::Relaxed);
            self.room.left(cell);
        }
        let mut after = None;
        if let Some(page) = page {
            after = page.page.outline().expires_first();
            into.expires_first = into.expires_first.into_iter().chain(after).min();
            self.messages.fetch_add(page.page.outline().held().len() as u64, Ordering::Relaxed);
            match into.cells.get_mut(number) {
                Some(cell) => cell.change(page),
                None => into.cells.insert(Cell::new(number, page)),
            }
            if let Some(cell) = into.cells.get(number) {
                self.room.entered(cell);
            }
        } else {
            into.cells.remove(number);
        }
        watch.page(into.key, id, number, before, after);
    }
}
