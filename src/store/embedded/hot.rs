//! The hot state: every conversation as it is durable, for reads. Only the commit thread publishes into it.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    ops::Bound,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    conversation::{Conversation, HotPage, Key, PageNumber},
    draft::{ConversationDraft, Draft},
};
use crate::domain::{ConversationId, ExpiresAt, Timestamp};

/// Locks that conversations are spread over, so that a publication holds up few reads.
const SHARDS: usize = 64;

type Shard = RwLock<HashMap<ConversationId, Conversation>>;

/// All conversations, sharded by id.
pub(super) struct Hot {
    shards: Vec<Shard>,
    hasher: RandomState,
    /// The ids of all conversations, for the list.
    ids: RwLock<BTreeSet<ConversationId>>,
    messages: AtomicU64,
}

/// What a publication changed, for checkpoint and expiry to know.
pub(super) trait Watch {
    /// The conversation's head changed.
    fn head(&mut self, key: Key, id: &ConversationId);
    /// Slots from `first` on were given out.
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
    /// The conversation went, with these pages and ends.
    fn ended(&mut self, key: Key, pages: &mut dyn Iterator<Item = (PageNumber, Option<ExpiresAt>)>);
}

impl Hot {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
            ids: RwLock::default(),
            messages: AtomicU64::new(0),
        }
    }

    fn shard(&self, id: &ConversationId) -> &Shard {
        let hash = self.hasher.hash_one(id);
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
    pub(super) fn insert(&self, id: ConversationId, conversation: Conversation) {
        self.messages.fetch_add(conversation.messages_held(), Ordering::Relaxed);
        self.ids.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        self.shard(&id).write().unwrap_or_else(PoisonError::into_inner).insert(id, conversation);
    }

    /// Shows what a commit made durable.
    pub(super) fn publish(&self, id: ConversationId, change: ConversationDraft, watch: &mut impl Watch) {
        let mut shard = self.shard(&id).write().unwrap_or_else(PoisonError::into_inner);
        let was_there = shard.contains_key(&id);
        if change.ended.is_some()
            && let Some(ended) = shard.remove(&id)
        {
            self.messages.fetch_sub(ended.messages_held(), Ordering::Relaxed);
            watch.ended(
                ended.key,
                &mut ended.pages.iter().map(|(number, hot)| (*number, hot.page.expires_first())),
            );
        }
        if let Some(draft) = change.draft {
            let conversation = shard.entry(id.clone()).or_insert_with(|| Conversation::new(draft.key));
            self.merge(&id, conversation, draft, watch);
        }
        let is_there = shard.contains_key(&id);
        drop(shard);
        if was_there != is_there {
            let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
            if is_there {
                ids.insert(id)
            } else {
                ids.remove(&id)
            };
        }
    }

    fn merge(&self, id: &ConversationId, into: &mut Conversation, draft: Draft, watch: &mut impl Watch) {
        let key = into.key;
        if draft.is_new || draft.head.sequence != into.head.sequence {
            into.head = draft.head;
            watch.head(key, id);
        }
        if !draft.users.is_empty() {
            watch.slots(key, id, u32::try_from(into.slots.len()).expect("invariant: slots are u32"));
            for user in draft.users {
                into.slots.push(user);
            }
        }
        for (number, page) in draft.pages {
            let count = |hot: Option<&HotPage>| hot.map_or(0, |hot| hot.page.messages_held());
            self.messages.fetch_add(count(page.as_ref()), Ordering::Relaxed);
            let after = page.as_ref().and_then(|hot| hot.page.expires_first());
            let before = match page {
                Some(page) => into.pages.insert(number, page),
                None => into.pages.remove(&number),
            };
            self.messages.fetch_sub(count(before.as_ref()), Ordering::Relaxed);
            watch.page(key, id, number, before.and_then(|hot| hot.page.expires_first()), after);
        }
        for (message, place) in draft.index {
            match place {
                Some(place) => into.index.insert(message, place),
                None => into.index.remove(&message),
            };
        }
    }
}
