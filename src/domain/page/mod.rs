//! A page: a run of up to 64 messages of one conversation, and who has read which of them.
//!
//! The reader sets of a page's messages stand together, crosswise: one *row* a slot, one bit of it a message. A
//! message's reader set is a column. So "bob has read everything up to here" is one OR for 64 messages, and
//! neighbouring messages, which nearly the same people have read, lie where a compact code finds them alike.
//!
//! ```text
//!             messages of the page, by position
//!               0 1 2 3 4 ...           63
//!  slot 0     [ 1 1 1 1 0 0 0 0 ...      0 ]   row of slot 0: read the first four
//!  slot 1     [ 1 1 1 1 1 1 1 0 ...      0 ]
//!  slot 2     [ 0 0 0 0 0 0 0 0 ...      0 ]
//!  ...            ^ the reader set of message 1
//! ```
//!
//! Rows are kept in shared blocks, so that a copy of a page costs little and a change to the copy leaves the
//! original as it was: the store shows one while it makes the other durable.

mod block;
mod hidden;
mod messages;
mod numbers;
mod outline;
mod rows;

use std::sync::Arc;

use super::{
    Generation, Hidden, Message, MessageIdRef, Order, Position, Positions, Receipts, Slot, SlotSet, Timestamp,
};
use hidden::LastCounts;
use messages::Messages;
pub use outline::{AskedEach, Outline};
use rows::{Columns, Rows};

/// Messages in a full page: the bits of a row.
pub const PAGE_MESSAGES_MAX: usize = 64;

/// A run of up to [`PAGE_MESSAGES_MAX`] messages in their order, whom each is for, and who has read it.
#[derive(Debug, Clone, Default)]
pub struct Page {
    outline: Outline,
    messages: Arc<Messages>,
    /// How many have read, by position.
    read: Vec<u32>,
    rows: Rows,
    hidden: LastCounts,
}

impl Page {
    /// What is known of it without its messages and its rows.
    #[must_use]
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Whether the last position is taken. Messages that went leave gaps; one at the end is filled once the
    /// page was read back from where it was stored.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.messages.len() >= PAGE_MESSAGES_MAX
    }

    /// Whether it holds no message (any more).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outline.held().is_empty()
    }

    /// The position that the next message will get.
    #[must_use]
    pub fn next_position(&self) -> Position {
        Position(u8::try_from(self.messages.len()).expect("invariant: a page has at most 64 positions"))
    }

    /// Puts a message at `position`, with nobody having read it. Its order is above that of the ones before.
    pub fn put(&mut self, position: Position, message: &Message, audience: Arc<SlotSet>) {
        assert!(position.index() < PAGE_MESSAGES_MAX, "invariant: a position is 0 to 63");
        self.forget(position.only());
        let members = u32::try_from(audience.len()).expect("invariant: slots are u32");
        let of = members - u32::from(audience.contains(message.sender));
        self.outline.put(position, message, audience);
        self.hidden = LastCounts::default();
        Arc::make_mut(&mut self.messages).put(position, message, of);
        if self.read.len() <= position.index() {
            self.read.resize(position.index() + 1, 0);
        }
    }

    /// The message at `position`, if there is one, expired or not.
    #[must_use]
    pub fn message(&self, position: Position) -> Option<Message<&str>> {
        self.outline.sender(position).map(|sender| self.messages.get(position, sender))
    }

    /// Whether the message at `position` has the id.
    #[must_use]
    pub fn has(&self, id: MessageIdRef<'_>, position: Position) -> bool {
        self.outline.held().contains(position) && self.messages.id(position) == id.as_str()
    }

    /// The order of the message at `position`, if there is one.
    #[must_use]
    pub fn order(&self, position: Position) -> Option<Order> {
        self.outline.held().contains(position).then(|| self.messages.order(position))
    }

    /// Whether there is a message at `position` that has not expired at `now`.
    #[must_use]
    pub fn is_live(&self, position: Position, now: Timestamp) -> bool {
        let by_itself = || !self.messages.expires_at(position).has_come(now);
        self.outline.held().contains(position)
            && self.outline.live(now).map_or_else(by_itself, |live| live.contains(position))
    }

    /// The messages of the page with their positions, in their order, expired ones among them.
    pub fn messages(&self) -> impl Iterator<Item = (Position, Message<&str>)> {
        let held = self.outline.held().iter();
        held.filter_map(|position| Some((position, self.message(position)?)))
    }

    /// The positions of the messages that have not expired at `now`.
    #[must_use]
    pub fn live(&self, now: Timestamp) -> Positions {
        self.outline.live(now).unwrap_or_else(|| self.matching(|message| !message.expires_at.has_come(now)))
    }

    /// The positions of the messages whose end has come at `now`.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> Positions {
        Positions(self.outline.held().0 & !self.live(now).0)
    }

    /// The positions of the messages up to and including `order`.
    #[must_use]
    pub fn up_to(&self, order: Order) -> Positions {
        self.outline.up_to(order).unwrap_or_else(|| self.matching(|message| message.order <= order))
    }

    fn matching(&self, test: impl Fn(Message<&str>) -> bool) -> Positions {
        Positions(
            self.messages().filter(|(_, message)| test(*message)).fold(0, |set, (at, _)| set | at.only().0),
        )
    }

    /// The positions of the messages whose audience `reader` is in.
    #[must_use]
    pub fn asked(&self, reader: Slot) -> Positions {
        self.outline.asked(reader)
    }

    /// The positions of the messages that `reader` has read.
    #[must_use]
    pub fn read_by(&self, reader: Slot) -> Positions {
        Positions(self.rows.get(reader))
    }

    /// Marks the messages at `positions` as read by `reader`, and returns those that were not before. Positions
    /// without a message, or whose audience the reader is not in, are passed over.
    pub fn mark(&mut self, reader: Slot, positions: Positions) -> Positions {
        let read = self.read_by(reader);
        let new = self.outline.asked_of(reader, Positions(positions.0 & !read.0));
        if !new.is_empty() {
            self.rows.set(reader, read.0 | new.0);
            new.iter().for_each(|position| self.read[position.index()] += 1);
        }
        new
    }

    /// Gives a page that nobody has read its rows, one a slot. False if one has read what it was not asked, or has two;
    /// the page is of no use then.
    #[must_use]
    pub fn restore(&mut self, rows: impl IntoIterator<Item = (Slot, Positions)>) -> bool {
        let outline = self.outline.clone();
        let asked = outline.asked_each();
        let mut columns = Columns::new();
        for (slot, row) in rows {
            if row.0 & !asked.asked(slot).0 != 0 || self.rows.get(slot) != 0 {
                return false;
            }
            if !row.is_empty() {
                self.rows.set(slot, row.0);
                columns.add(row);
            }
        }
        let counts = columns.counts();
        self.read.iter_mut().zip(counts).for_each(|(read, count)| *read = count);
        self.pack();
        true
    }

    /// Brings it into less memory, where many readers have read the same. Nothing else changes; worth it for a page that
    /// is not marked all the time.
    pub fn pack(&mut self) {
        self.rows.pack();
        if self.messages.is_loose() {
            Arc::make_mut(&mut self.messages).shrink();
        }
        self.read.shrink_to_fit();
    }

    /// What is known of the message at `position`, without those who are hidden.
    #[must_use]
    pub fn receipts(&self, position: Position, hidden: &Hidden) -> Option<Receipts> {
        if !self.outline.held().contains(position) {
            return None;
        }
        let generation = self.messages.generation(position);
        let at = position.index();
        let (marks, of) = (self.read[at], self.messages.asked(position));
        if hidden.is_empty() {
            return Some(Receipts { generation, read: marks, of, marks, hidden: 0 });
        }
        let counts = self.hidden.of(self, hidden);
        let (read, of) = (marks - counts.read[at], of - counts.of[at]);
        Some(Receipts { generation, read, of, marks, hidden: counts.digest[at] })
    }

    /// The users of one message's audience who have (`read`) or have not read it, above the slot `after`, without those
    /// who are hidden.
    pub fn readers<'a>(
        &'a self,
        position: Position,
        read: bool,
        after: Option<Slot>,
        hidden: &'a Hidden,
    ) -> impl Iterator<Item = Slot> + 'a {
        let sender = self.message(position).map(|message| message.sender);
        let audience = self.outline.audience(position).into_iter();
        let slots = audience.flat_map(move |audience| audience.iter_after(after));
        let is_among = move |slot| Some(slot) != sender && self.read_by(slot).contains(position) == read;
        slots.filter(move |&slot| is_among(slot) && !hidden.contains(slot))
    }

    /// Begins a new life of the message at `position`: nobody has read it.
    pub fn reset(&mut self, position: Position, generation: Generation) {
        self.clear(position.only());
        if self.outline.held().contains(position) {
            Arc::make_mut(&mut self.messages).reset(position, generation);
        }
    }

    /// Forgets the messages at `positions`, and who has read them.
    pub fn forget(&mut self, positions: Positions) {
        let gone = Positions(positions.0 & self.outline.held().0);
        if gone.is_empty() {
            return;
        }
        self.clear(gone);
        let messages = Arc::make_mut(&mut self.messages);
        messages.forget(gone);
        let left: Vec<_> = Positions(self.outline.held().0 & !gone.0)
            .iter()
            .map(|position| messages.expires_at(position))
            .collect();
        self.outline.take(gone, left.into_iter());
    }

    fn clear(&mut self, positions: Positions) {
        self.hidden = LastCounts::default();
        if self.outline.held().0 & !positions.0 == 0 {
            // Nothing is left that a row could be about.
            self.rows.clear_all();
        }
        self.rows.clear(positions);
        for position in positions.iter() {
            if let Some(read) = self.read.get_mut(position.index()) {
                *read = 0;
            }
        }
    }

    /// Every reader's row that is not empty, in slot order.
    pub fn rows(&self) -> impl Iterator<Item = (Slot, Positions)> + '_ {
        self.rows.iter()
    }

    /// About how many bytes of memory it takes, itself and all that it does not share with the roster.
    #[must_use]
    pub fn bytes(&self) -> usize {
        /// What a dozen allocations take beside what they are for.
        const PARTS_BYTES: usize = 512;
        let counts = size_of::<u32>() * self.read.capacity();
        size_of::<Self>() + PARTS_BYTES + self.messages.bytes() + counts + self.rows.bytes()
    }
}

#[cfg(test)]
mod tests;
