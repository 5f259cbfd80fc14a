//! Snapshots: the state of one instant, for as long as it is being exported, while writes go on.
//!
//! To take one is to note the number of the next record; nothing is copied. From then on the commit thread, before it
//! publishes a change to what the export has not come to yet, keeps what the change replaces: of a page, where it stands
//! in the page files, or the page itself if no checkpoint has written it. The export walks conversations in the order of
//! their ids, puts back what was kept of each, and what it has passed is kept no longer.
//!
//! So a snapshot takes memory for the pages that were dirty at its instant, which are bounded, and some bytes for each
//! page that changed since. Page files that it may need stay until it is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::Bound,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::domain::{ConversationId, Outline, Slot, UserId};
use crate::store::embedded::{
    commit::draft::Draft,
    hot::Hot,
    hot::cell::Cell,
    hot::conversation::{Conversation, Head, HotPage, Key, PageNumber},
    hot::names::Names,
    pages::Extent,
};

/// So many exports may be under way at once: each keeps memory and disk.
const SNAPSHOTS_MAX: usize = 4;

/// A page as it was.
#[derive(Debug, Clone)]
pub(in crate::store::embedded) enum PageThen {
    /// It stands there.
    Filed(Extent, Outline),
    /// No checkpoint had written it.
    Held(Arc<HotPage>),
}

impl PageThen {
    fn of(cell: &Cell) -> Option<Self> {
        match cell.extent().filter(|_| cell.is_clean()) {
            Some(extent) => Some(Self::Filed(extent, cell.outline.clone())),
            None => cell.page().cloned().map(Self::Held),
        }
    }
}

/// A conversation as it was.
#[derive(Debug)]
pub(in crate::store::embedded) struct ConversationThen {
    pub(in crate::store::embedded) id: ConversationId,
    pub(in crate::store::embedded) key: Key,
    pub(in crate::store::embedded) head: Head,
    names: Names,
    /// How many slots there were.
    pub(in crate::store::embedded) slots: u32,
    /// Who was deleted since.
    unnamed: BTreeMap<Slot, UserId>,
    /// In the order of their messages.
    pub(in crate::store::embedded) pages: Vec<(PageNumber, PageThen)>,
}

impl ConversationThen {
    /// The user under a slot; none if the user had been deleted.
    pub(in crate::store::embedded) fn user(&self, slot: Slot) -> Option<UserId> {
        self.unnamed.get(&slot).cloned().or_else(|| self.names.user(slot))
    }

    fn of(id: &ConversationId, now: &Conversation, names: Names, before: Option<Before>) -> Self {
        let before = before.unwrap_or_else(|| Before::of(now));
        let mut pages: BTreeMap<_, _> =
            now.cells.iter().filter_map(|cell| Some((cell.number, PageThen::of(cell)?))).collect();
        for (number, then) in before.pages {
            match then {
                Some(then) => pages.insert(number, then),
                None => pages.remove(&number),
            };
        }
        Self {
            id: id.clone(),
            key: now.key,
            head: before.head,
            names,
            slots: before.slots,
            unnamed: before.unnamed,
            pages: pages.into_iter().collect(),
        }
    }
}

/// What changes have replaced of a conversation.
#[derive(Debug)]
struct Before {
    head: Head,
    slots: u32,
    unnamed: BTreeMap<Slot, UserId>,
    /// None for a page that was not there.
    pages: BTreeMap<PageNumber, Option<PageThen>>,
}

impl Before {
    fn of(now: &Conversation) -> Self {
        let (head, slots) = (now.head.clone(), now.names.len());
        Self { head, slots, unnamed: BTreeMap::new(), pages: BTreeMap::new() }
    }
}

/// What was kept of a conversation.
#[derive(Debug)]
enum Was {
    Changed(Before),
    Ended(ConversationThen),
}

/// One instant, as far as it is not exported yet.
#[derive(Debug)]
struct Snapshot {
    number: usize,
    /// The first record that is not in it.
    sequence: u64,
    /// Conversations up to this one are exported.
    passed: Option<ConversationId>,
    only: Option<ConversationId>,
    kept: BTreeMap<ConversationId, Was>,
    /// Users who were switched since, and whether they were hidden.
    hidden: BTreeMap<UserId, bool>,
}

impl Snapshot {
    fn wants(&self, id: &ConversationId) -> bool {
        self.passed.as_ref().is_none_or(|passed| passed < id)
            && self.only.as_ref().is_none_or(|only| only == id)
    }
}

/// All snapshots that there are.
#[derive(Debug, Default)]
pub(in crate::store::embedded) struct Snapshots {
    /// How many, for those who publish to see without the lock.
    count: AtomicUsize,
    open: Mutex<Vec<Snapshot>>,
    next: AtomicUsize,
}

impl Snapshots {
    fn lock(&self) -> MutexGuard<'_, Vec<Snapshot>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are any.
    pub(in crate::store::embedded) fn has_some(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// For the commit thread, before it publishes to the conversation under `id`, whose shard it has locked.
    pub(super) fn keep(&self, id: &ConversationId) -> Kept<'_> {
        let open = self.has_some().then(|| self.lock());
        Kept { id: id.clone(), open }
    }

    /// For the commit thread, before it hides or shows a user.
    pub(super) fn hides(&self, user: &UserId, was_hidden: bool) {
        if self.has_some() {
            for snapshot in self.lock().iter_mut() {
                snapshot.hidden.entry(user.clone()).or_insert(was_hidden);
            }
        }
    }
}

/// The snapshots, while something is published.
pub(super) struct Kept<'a> {
    id: ConversationId,
    open: Option<MutexGuard<'a, Vec<Snapshot>>>,
}

impl Kept<'_> {
    fn of(&mut self, key: Key) -> impl Iterator<Item = &mut Snapshot> {
        let id = self.id.clone();
        let open = self.open.iter_mut().flat_map(|open| open.iter_mut());
        open.filter(move |snapshot| key.0 < snapshot.sequence && snapshot.wants(&id))
    }

    /// The conversation is about to become what `draft` says.
    pub(super) fn changes(&mut self, now: &Conversation, draft: &Draft) {
        let id = self.id.clone();
        for snapshot in self.of(now.key) {
            let was = snapshot.kept.entry(id.clone()).or_insert_with(|| Was::Changed(Before::of(now)));
            let Was::Changed(before) = was else { continue };
            for slot in draft.unnamed.iter().filter(|slot| slot.0 < before.slots) {
                if let Some(user) = now.names.user(slot) {
                    before.unnamed.entry(slot).or_insert(user);
                }
            }
            for number in draft.pages.keys() {
                let then = || now.cells.get(*number).and_then(PageThen::of);
                before.pages.entry(*number).or_insert_with(then);
            }
        }
    }

    /// The conversation has ended.
    pub(super) fn ended(&mut self, ended: &Conversation) {
        let id = self.id.clone();
        for snapshot in self.of(ended.key) {
            let before = match snapshot.kept.remove(&id) {
                Some(Was::Changed(before)) => Some(before),
                _ => None,
            };
            let then = ConversationThen::of(&id, ended, ended.names.clone(), before);
            snapshot.kept.insert(id.clone(), Was::Ended(then));
        }
    }
}

/// A snapshot, for who exports it. Dropped, nothing is kept for it any more.
pub(in crate::store::embedded) struct Taken {
    hot: Arc<Hot>,
    number: usize,
    sequence: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut open = self.hot.snapshots.lock();
        open.retain(|snapshot| snapshot.number != self.number);
        self.hot.snapshots.count.store(open.len(), Ordering::SeqCst);
    }
}

impl Taken {
    /// Takes the state before the record `sequence`, all of it or `only` one conversation; none if there are too many. For
    /// the commit thread, between two commits.
    pub(in crate::store::embedded) fn take(
        hot: &Arc<Hot>,
        sequence: u64,
        only: Option<ConversationId>,
    ) -> Option<Self> {
        let number = hot.snapshots.next.fetch_add(1, Ordering::Relaxed);
        let mut open = hot.snapshots.lock();
        if open.len() >= SNAPSHOTS_MAX {
            return None;
        }
        let (kept, hidden) = (BTreeMap::new(), BTreeMap::new());
        open.push(Snapshot { number, sequence, passed: None, only, kept, hidden });
        hot.snapshots.count.store(open.len(), Ordering::SeqCst);
        Some(Self { hot: hot.clone(), number, sequence })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Snapshot) -> T) -> T {
        let mut open = self.hot.snapshots.lock();
        let snapshot = open.iter_mut().find(|snapshot| snapshot.number == self.number);
        look(snapshot.expect("invariant: it is there for as long as this"))
    }

    /// Up to `limit` users above `after` who were hidden.
    pub(in crate::store::embedded) fn hidden(&self, after: Option<&UserId>, limit: usize) -> Vec<UserId> {
        // Nobody is switched while the snapshots are locked but whom they know of.
        self.with(|snapshot| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let now = self.hot.hidden.read().unwrap_or_else(PoisonError::into_inner);
            let unchanged = now.range::<UserId, _>((from, Bound::Unbounded));
            let unchanged = unchanged.filter(|user| !snapshot.hidden.contains_key(*user)).take(limit);
            let changed = snapshot.hidden.range::<UserId, _>((from, Bound::Unbounded));
            let changed = changed.filter(|(_, was_hidden)| **was_hidden).map(|(user, _)| user).take(limit);
            let both: BTreeSet<_> = unchanged.chain(changed).collect();
            both.into_iter().take(limit).cloned().collect()
        })
    }

    /// The next conversation that there was.
    pub(in crate::store::embedded) fn next(&self) -> Option<ConversationThen> {
        loop {
            let (passed, only) = self.with(|snapshot| (snapshot.passed.clone(), snapshot.only.clone()));
            let there = match only {
                Some(only) => Some(only).filter(|only| passed.as_ref() != Some(only)),
                None => self.hot.ids_after(passed.as_ref(), 1).pop(),
            };
            // In this order: one that ends in between was kept before it left the ids.
            let kept = self.with(|snapshot| {
                let from = passed.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                snapshot
                    .kept
                    .range::<ConversationId, _>((from, Bound::Unbounded))
                    .next()
                    .map(|(id, _)| id.clone())
            });
            let id = there.into_iter().chain(kept).min()?;
            if let Some(then) = self.pass(&id) {
                return Some(then);
            }
        }
    }

    /// The conversation under `id` as it was, and what was kept of it is given up; none if there was none.
    fn pass(&self, id: &ConversationId) -> Option<ConversationThen> {
        self.hot.with(id, |now| {
            let was = self.with(|snapshot| {
                snapshot.passed = Some(id.clone());
                let later = snapshot.kept.split_off(id);
                mem::replace(&mut snapshot.kept, later).clear();
                snapshot.kept.remove(id)
            });
            let before = match was {
                Some(Was::Ended(then)) => return Some(then),
                Some(Was::Changed(before)) => Some(before),
                None => None,
            };
            let now = now.filter(|now| now.key.0 < self.sequence)?;
            Some(ConversationThen::of(id, now, now.names.clone(), before))
        })
    }
}
