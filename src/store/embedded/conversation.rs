//! A conversation in memory, and what each record does to it.
//!
//! [`apply`] is the one place where records take effect: on a draft, when a commit decides them, and on the
//! conversation itself, when recovery replays them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::record::{Record, StoredAudience, position, shared};
use crate::domain::{
    Generation, Members, MessageId, Order, Page, Position, Positions, Slot, SlotSet, SlotTable, Timestamp,
    UserId,
};

/// Names a conversation in the journal and the base: the number of the record that began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub(super) u64);

/// The number of a page within its conversation; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PageNumber(pub(super) u32);

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) page: PageNumber,
    pub(super) position: Position,
}

/// What a conversation has besides pages and slots; small, so that drafts copy it.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) members: Option<Members>,
    pub(super) order_highest: Option<Order>,
    /// The number that the next page gets.
    pub(super) page_next: u32,
    /// The last record that changed it.
    pub(super) sequence: u64,
}

/// A page, and the last record that changed it.
#[derive(Debug, Clone, Default)]
pub(super) struct HotPage {
    pub(super) page: Page,
    pub(super) sequence: u64,
}

/// A conversation as all but the commit thread see it: durable, or it would not be here.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) key: Key,
    pub(super) head: Head,
    pub(super) slots: SlotTable,
    pub(super) pages: BTreeMap<PageNumber, HotPage>,
    /// Where each id was registered last. What stands there may have expired.
    pub(super) index: HashMap<MessageId, Place>,
}

impl Conversation {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            head: Head::default(),
            slots: SlotTable::default(),
            pages: BTreeMap::new(),
            index: HashMap::new(),
        }
    }

    /// The page and position of a live message.
    pub(super) fn find(&self, id: &MessageId, now: Timestamp) -> Option<(&Page, Position)> {
        let place = self.index.get(id)?;
        let page = &self.pages.get(&place.page)?.page;
        let message = page.message(place.position)?;
        (!message.expires_at.has_come(now)).then_some((page, place.position))
    }

    /// How many messages it holds, expired ones among them.
    pub(super) fn messages_held(&self) -> u64 {
        self.pages.values().map(|hot| hot.page.messages_held()).sum()
    }

    /// Whether the list of conversations shows it.
    pub(super) fn is_shown(&self, now: Timestamp) -> bool {
        self.head.members.is_some() || self.pages.values().any(|hot| !hot.page.live(now).is_empty())
    }

    /// Works out the index anew. Of two lives of an id, one of them expired, the later has the higher order.
    pub(super) fn rebuild_index(&mut self) {
        self.index.clear();
        for (number, hot) in &self.pages {
            for (position, message) in hot.page.messages() {
                let place = Place { page: *number, position };
                let before = self.index.get(&message.id).and_then(|known| {
                    self.pages.get(&known.page)?.page.message(known.position).map(|before| before.order)
                });
                if before < Some(message.order) {
                    self.index.insert(message.id.clone(), place);
                }
            }
        }
    }
}

/// What records change: a draft while a commit decides, a conversation while recovery replays.
pub(super) trait Target {
    /// The head, to be changed.
    fn head(&mut self) -> &mut Head;
    /// The page, to be changed; none if there is none (any more).
    fn page(&mut self, number: PageNumber) -> Option<&mut HotPage>;
    /// The page, to be changed, and made if there is none.
    fn page_or_new(&mut self, number: PageNumber) -> &mut HotPage;
    /// Gives `users` the slots from `first` on; false if that would leave a gap. Those that are known already
    /// are passed over.
    fn push_slots(&mut self, first: u32, users: Vec<UserId>) -> bool;
    /// `id` was registered at `place`.
    fn placed(&mut self, id: MessageId, place: Place);
    /// What stood at `place` under `id` is gone.
    fn displaced(&mut self, id: &MessageId, place: Place);
}

impl Target for Conversation {
    fn head(&mut self) -> &mut Head {
        &mut self.head
    }

    fn page(&mut self, number: PageNumber) -> Option<&mut HotPage> {
        self.pages.get_mut(&number)
    }

    fn page_or_new(&mut self, number: PageNumber) -> &mut HotPage {
        self.pages.entry(number).or_default()
    }

    fn push_slots(&mut self, first: u32, users: Vec<UserId>) -> bool {
        let Some(known) = self.slots.len().checked_sub(first as usize) else { return false };
        for user in users.into_iter().skip(known) {
            self.slots.push(user);
        }
        true
    }

    // Replay meets old and new lives of an id in any order, so the index is built at its end.
    fn placed(&mut self, _: MessageId, _: Place) {}

    fn displaced(&mut self, _: &MessageId, _: Place) {}
}

/// Lets a record of this conversation take effect, unless what it changes has it already. Fails with what is wrong
/// with a record that cannot have been written by us.
pub(super) fn apply(target: &mut impl Target, sequence: u64, record: Record) -> Result<(), &'static str> {
    match record {
        Record::Began { .. } | Record::Ended { .. } => Ok(()),
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
            register(target, sequence, Place { page: PageNumber(page), position }, message, &audience)
        }
        Record::Marked { reader, read, .. } => {
            for (number, row) in read {
                change_page(target, sequence, PageNumber(number), |hot| {
                    hot.page.mark(Slot(reader), Positions(row));
                });
            }
            Ok(())
        }
        Record::Reset { page, position: at, .. } => {
            let position = position(at).ok_or("a position is past the end of its page")?;
            change_page(target, sequence, PageNumber(page), |hot| {
                hot.page.reset(position, Generation(sequence));
            });
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
    message: crate::domain::Message,
    audience: &StoredAudience,
) -> Result<(), &'static str> {
    let head = target.head();
    head.sequence = head.sequence.max(sequence);
    head.order_highest = head.order_highest.max(Some(message.order));
    head.page_next = head.page_next.max(place.page.0 + 1);
    // The roster's own set, where it is the same one, so that both stand in memory once.
    let members = head.members.as_ref().map(|members| members.slots.clone());
    let hot = target.page_or_new(place.page);
    if hot.sequence >= sequence {
        return Ok(());
    }
    let audience = match audience {
        StoredAudience::Slots(slots) => shared(slots).ok_or("a set of slots does not read")?,
        StoredAudience::As(other) => match position(*other).and_then(|other| hot.page.audience(other)) {
            Some(audience) => audience.clone(),
            // What the other was is gone because a checkpoint had it and it expired; so had and did this one.
            None => return Ok(()),
        },
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
    if let Some(hot) = target.page(number)
        && hot.sequence < sequence
    {
        hot.sequence = sequence;
        change(hot);
    }
}

/// Forgets what stands at `positions`, whatever the number of the page's last change, and says how many messages
/// that were. Also how a sweep does it, which leaves no record: expiry is known from the message itself.
pub(super) fn forget(target: &mut impl Target, page: PageNumber, positions: Positions) -> usize {
    let Some(hot) = target.page(page) else { return 0 };
    let ids = positions.iter().filter_map(|at| hot.page.message(at).map(|message| (at, message.id.clone())));
    let gone: Vec<_> = ids.collect();
    hot.page.forget(positions);
    for (position, id) in &gone {
        target.displaced(id, Place { page, position: *position });
    }
    gone.len()
}
