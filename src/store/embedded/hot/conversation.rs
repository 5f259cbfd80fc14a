//! A conversation in memory, and what each record does to it.
//!
//! [`apply`] is the one place where records take effect: on a draft, when a commit decides them, and on the
//! conversation itself, when recovery replays them.

use std::sync::Arc;

use crate::domain::{
    ExpiresAt, Generation, Hidden, Members, MessageId, Order, Page, Position, Positions, Slot, SlotSet,
    Timestamp, UserId,
};
use crate::store::embedded::{
    hot::cell::{Cell, Cells},
    hot::index::Index,
    hot::names::Names,
    hot::span::{Epoch, Spans},
    record::{Record, StoredAudience, position, shared},
};

/// Names a conversation in the journal and the base: the number of the record that began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store::embedded) struct Key(pub(in crate::store::embedded) u64);

/// The number of a page within its conversation; never used twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store::embedded) struct PageNumber(pub(in crate::store::embedded) u32);

impl PageNumber {
    /// The one after it. Numbers end where only a damaged one could be.
    pub(in crate::store::embedded) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::embedded) struct Place {
    pub(in crate::store::embedded) page: PageNumber,
    pub(in crate::store::embedded) position: Position,
}

/// What a conversation has besides pages and slots; small, so that drafts copy it.
#[derive(Debug, Clone, Default)]
pub(in crate::store::embedded) struct Head {
    pub(in crate::store::embedded) members: Option<Members>,
    pub(in crate::store::embedded) order_highest: Option<Order>,
    /// The number that the next page gets.
    pub(in crate::store::embedded) page_next: u32,
    /// The last record that changed it.
    pub(in crate::store::embedded) sequence: u64,
}

/// A page, and the last record that changed it.
#[derive(Debug, Clone, Default)]
pub(in crate::store::embedded) struct HotPage {
    pub(in crate::store::embedded) page: Page,
    pub(in crate::store::embedded) sequence: u64,
}

/// A conversation as all but the commit thread see it: durable, or it would not be here.
#[derive(Debug)]
pub(in crate::store::embedded) struct Conversation {
    pub(in crate::store::embedded) key: Key,
    pub(in crate::store::embedded) head: Head,
    pub(in crate::store::embedded) names: Names,
    /// Whose receipts are off, and whom slots no longer stand for.
    pub(in crate::store::embedded) hidden: Hidden,
    pub(in crate::store::embedded) cells: Cells,
    pub(in crate::store::embedded) index: Index,
    pub(in crate::store::embedded) spans: Spans,
    pub(in crate::store::embedded) epoch: Epoch,
    /// No message expires before this.
    pub(in crate::store::embedded) expires_first: Option<ExpiresAt>,
}

impl Conversation {
    pub(in crate::store::embedded) fn new(key: Key) -> Self {
        Self {
            key,
            head: Head::default(),
            names: Names::default(),
            hidden: Hidden::default(),
            cells: Cells::default(),
            index: Index::default(),
            spans: Spans::default(),
            epoch: Epoch::FIRST,
            expires_first: None,
        }
    }

    /// How many messages it holds, expired ones among them.
    pub(in crate::store::embedded) fn messages_held(&self) -> u64 {
        self.cells.iter().map(|cell| cell.outline.held().len() as u64).sum()
    }

    /// Whether the list of conversations shows it.
    pub(in crate::store::embedded) fn is_shown(&self, now: Timestamp) -> bool {
        // Where only the messages tell, some have expired and some have not.
        let is_live = |cell: &Cell| cell.outline.live(now).is_none_or(|live| !live.is_empty());
        self.head.members.is_some() || self.cells.iter().any(is_live)
    }

    /// About how many bytes of memory it takes beside its pages.
    pub(in crate::store::embedded) fn bytes(&self) -> u64 {
        /// Its own place, in a table that is two thirds full, its name, the roster's set, and the allocations of its
        /// parts; and a cell with its outline's, and when it expires.
        const OWN_BYTES: usize = size_of::<Conversation>() * 3 / 2 + 640;
        const CELL_BYTES: usize = size_of::<Cell>() + 64 * size_of::<Slot>() + 256;
        let parts = [self.names.bytes(), self.hidden.bytes(), self.index.bytes(), self.spans.bytes()];
        (OWN_BYTES + self.cells.len() * CELL_BYTES + parts.iter().sum::<usize>()) as u64
    }

    /// Messages have gone: what was counted and noted of them is worked out anew.
    pub(in crate::store::embedded) fn lost_messages(&mut self) {
        self.epoch = self.epoch.next();
        self.expires_first = self.cells.iter().filter_map(|cell| cell.outline.expires_first()).min();
        self.tidy_index();
    }

    /// Drops what the index still has of messages that went with their whole page.
    fn tidy_index(&mut self) {
        let held = self.messages_held();
        if self.index.len() as u64 > 2 * held + 64 {
            let cells = &self.cells;
            let is_held = |place: Place| {
                cells.get(place.page).is_some_and(|cell| cell.outline.held().contains(place.position))
            };
            self.index.retain(is_held);
        }
    }
}

/// What records change: a draft while a commit decides, a conversation while recovery replays.
pub(in crate::store::embedded) trait Target {
    /// The head, to be changed.
    fn head(&mut self) -> &mut Head;
    /// The page, to be changed by the record `sequence`; none if there is none (any more), or it has the record.
    fn page(&mut self, number: PageNumber, sequence: u64) -> Option<&mut HotPage>;
    /// The page, to be changed by the record `sequence`, and made if there is none; none if it has the record.
    fn page_or_new(&mut self, number: PageNumber, sequence: u64) -> Option<&mut HotPage>;
    /// Which positions of the page hold a message; none if there is no page, or it has the record `sequence`.
    fn held(&self, number: PageNumber, sequence: u64) -> Option<Positions>;
    /// The page goes, with all that it holds.
    fn drop_page(&mut self, number: PageNumber);
    /// Gives `users` the slots from `first` on; false if that would leave a gap. Those that are known already
    /// are passed over.
    fn push_slots(&mut self, first: u32, users: Vec<UserId>) -> bool;
    /// The slot stands for nobody from now on; false if it was never given out.
    fn unname(&mut self, slot: Slot) -> bool;
    /// `id` was registered at `place`.
    fn placed(&mut self, id: MessageId, place: Place);
    /// What stood at `place` under `id` is gone.
    fn displaced(&mut self, id: &MessageId, place: Place);
    /// `reader` has read something on the page.
    fn read(&mut self, reader: Slot, number: PageNumber);
    /// A message on the page is unread again.
    fn reopened(&mut self, number: PageNumber);
}

/// Lets a record of this conversation take effect, unless what it changes has it already. Fails with what is wrong
/// with a record that cannot have been written by us.
pub(in crate::store::embedded) fn apply(
    target: &mut impl Target,
    sequence: u64,
    record: Record,
) -> Result<(), &'static str> {
    match record {
        Record::Began { .. } | Record::Ended { .. } | Record::Hidden { .. } | Record::Erased => Ok(()),
        Record::Unnamed { slot, .. } => {
            if target.unname(Slot(slot)) {
                Ok(())
            } else {
                Err("slots are missing before it")
            }
        }
        Record::Slots { first, users, .. } => {
            let users: Result<_, _> = users.into_iter().map(UserId::new).collect();
            let users = users.map_err(|_| "a user's name is no id")?;
            if target.push_slots(first, users) { Ok(()) } else { Err("slots are missing before it") }
        }
        Record::Roster { version, joined, left, .. } => {
            let (joined, left) = (joined.slots(), left.slots());
            let (Some(joined), Some(left)) = (joined, left) else {
                return Err("a set of slots does not read");
            };
            let head = target.head();
            if head.sequence < sequence {
                head.sequence = sequence;
                change_members(head, version, &joined, &left);
            }
            Ok(())
        }
        Record::Registered { page, position: at, message, audience, .. } => {
            let position = position(at).ok_or("a position is past the end of its page")?;
            let message = message.message(Generation(sequence)).map_err(|_| "a message's name is no id")?;
            register(target, sequence, Place { page: PageNumber(page), position }, &message, &audience)
        }
        Record::Marked { reader, read, .. } => {
            for (number, row) in read {
                change_page(target, sequence, PageNumber(number), |hot| {
                    hot.page.mark(Slot(reader), Positions(row));
                });
                target.read(Slot(reader), PageNumber(number));
            }
            Ok(())
        }
        Record::Reset { page, position: at, .. } => {
            let position = position(at).ok_or("a position is past the end of its page")?;
            change_page(target, sequence, PageNumber(page), |hot| {
                hot.page.reset(position, Generation(sequence));
            });
            target.reopened(PageNumber(page));
            Ok(())
        }
        Record::Forgotten { page, position: at, .. } => {
            let position = position(at).ok_or("a position is past the end of its page")?;
            let page = PageNumber(page);
            let mut is_new = false;
            change_page(target, sequence, page, |_| is_new = true);
            if is_new {
                forget(target, page, position.only());
            }
            Ok(())
        }
        Record::Swept { page, positions, .. } => {
            sweep(target, sequence, PageNumber(page), Positions(positions));
            Ok(())
        }
    }
}

fn change_members(head: &mut Head, version: u64, joined: &SlotSet, left: &SlotSet) {
    let mut slots = head.members.take().map(|members| members.slots).unwrap_or_default();
    let set = Arc::make_mut(&mut slots);
    for slot in joined.iter() {
        set.insert(slot);
    }
    for slot in left.iter() {
        set.remove(slot);
    }
    head.members = Some(Members { version, slots });
}

fn register(
    target: &mut impl Target,
    sequence: u64,
    place: Place,
    message: &crate::domain::Message,
    audience: &StoredAudience,
) -> Result<(), &'static str> {
    let head = target.head();
    head.sequence = head.sequence.max(sequence);
    head.order_highest = head.order_highest.max(Some(message.order));
    head.page_next = head.page_next.max(place.page.next().0);
    // The roster's own set, where it is the same one, so that both stand in memory once.
    let members = head.members.as_ref().map(|members| members.slots.clone());
    let hot = target.page_or_new(place.page, sequence).filter(|hot| hot.sequence < sequence);
    let Some(hot) = hot else { return Ok(()) };
    let audience = match audience {
        StoredAudience::Slots(slots) => shared(slots).ok_or("a set of slots does not read")?,
        StoredAudience::As(other) => {
            match position(*other).and_then(|other| hot.page.outline().audience(other)) {
                Some(audience) => audience.clone(),
                // What the other was is gone because a checkpoint had it and it expired; so had and did this one.
                None => return Ok(()),
            }
        }
    };
    let audience = members.filter(|members| *members == audience).unwrap_or(audience);
    hot.sequence = sequence;
    let id = message.id.clone();
    hot.page.put(place.position, message, audience);
    target.placed(id, place);
    Ok(())
}

/// A page that is not there held only messages that expired, and a checkpoint had it: then nothing is to be done.
fn change_page(
    target: &mut impl Target,
    sequence: u64,
    number: PageNumber,
    change: impl FnOnce(&mut HotPage),
) {
    if let Some(hot) = target.page(number, sequence)
        && hot.sequence < sequence
    {
        hot.sequence = sequence;
        change(hot);
    }
}

/// Gives up messages. A page of which nothing is left need not be in memory for that.
fn sweep(target: &mut impl Target, sequence: u64, page: PageNumber, positions: Positions) {
    match target.held(page, sequence) {
        None => {}
        Some(held) if held.0 & !positions.0 == 0 => target.drop_page(page),
        Some(_) => {
            change_page(target, sequence, page, |_| {});
            forget(target, page, positions);
        }
    }
}

/// Forgets what stands at `positions`, whatever the number of the page's last change.
fn forget(target: &mut impl Target, page: PageNumber, positions: Positions) {
    let Some(hot) = target.page(page, u64::MAX) else { return };
    let ids =
        positions.iter().filter_map(|at| hot.page.message(at).map(|message| (at, message.message_id())));
    let gone: Vec<_> = ids.collect();
    hot.page.forget(positions);
    for (position, id) in &gone {
        target.displaced(id, Place { page, position: *position });
    }
}
