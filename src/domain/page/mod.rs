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

use std::sync::Arc;

use super::{ExpiresAt, Generation, Message, Order, Position, Positions, Receipts, Slot, SlotSet, Timestamp};

/// Messages in a full page: the bits of a row.
pub const PAGE_MESSAGES_MAX: usize = 64;

/// Rows that are copied together when one of them changes: 512 x 8 bytes = 4 KiB.
const BLOCK_ROWS: usize = 512;

/// The messages of a page that share one audience. The sender of each is in none, whatever `slots` says.
#[derive(Debug, Clone)]
struct SharedAudience {
    slots: Arc<SlotSet>,
    positions: u64,
}

/// A run of up to [`PAGE_MESSAGES_MAX`] messages in their order, whom each is for, and who has read it.
#[derive(Debug, Clone, Default)]
pub struct Page {
    messages: Arc<Vec<Option<Message>>>,
    audiences: Arc<Vec<SharedAudience>>,
    /// What each sender sent: in nobody's way but their own.
    sent: Arc<Vec<(Slot, u64)>>,
    /// Who was asked, by position: the size of the audience less the sender.
    of: Arc<Vec<u32>>,
    /// How many have read, by position.
    read: Vec<u32>,
    rows: Vec<Arc<Vec<u64>>>,
    /// Positions that hold a message.
    held: u64,
    /// The end of the first message to expire.
    expires_first: Option<ExpiresAt>,
    /// The orders of the first and the last message put in, whether or not they are still there.
    order_first: Option<Order>,
    order_last: Option<Order>,
}

impl Page {
    /// Whether the last position is taken. Messages that went leave gaps, which are not filled again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.messages.len() >= PAGE_MESSAGES_MAX
    }

    /// Whether it holds no message (any more).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// The position that the next message will get.
    #[must_use]
    pub fn next_position(&self) -> Position {
        Position(u8::try_from(self.messages.len()).expect("invariant: a page has at most 64 positions"))
    }

    /// Puts a message at `position`, with nobody having read it. Its order is above that of the ones before.
    pub fn put(&mut self, position: Position, message: Message, audience: Arc<SlotSet>) {
        assert!(position.index() < PAGE_MESSAGES_MAX, "invariant: a position is 0 to 63");
        self.forget(position.only());
        self.expires_first =
            Some(self.expires_first.map_or(message.expires_at, |end| end.min(message.expires_at)));
        self.order_first = Some(self.order_first.map_or(message.order, |first| first.min(message.order)));
        self.order_last = self.order_last.max(Some(message.order));
        let members = u32::try_from(audience.len()).expect("invariant: slots are u32");
        let of = members - u32::from(audience.contains(message.sender));
        let sent = Arc::make_mut(&mut self.sent);
        match sent.iter_mut().find(|(sender, _)| *sender == message.sender) {
            Some((_, positions)) => *positions |= position.only().0,
            None => sent.push((message.sender, position.only().0)),
        }
        let messages = Arc::make_mut(&mut self.messages);
        let ofs = Arc::make_mut(&mut self.of);
        if messages.len() <= position.index() {
            messages.resize(position.index() + 1, None);
            ofs.resize(position.index() + 1, 0);
            self.read.resize(position.index() + 1, 0);
        }
        messages[position.index()] = Some(message);
        ofs[position.index()] = of;
        self.held |= position.only().0;
        let audiences = Arc::make_mut(&mut self.audiences);
        match audiences.iter_mut().find(|known| known.slots == audience) {
            Some(known) => known.positions |= position.only().0,
            None => audiences.push(SharedAudience { slots: audience, positions: position.only().0 }),
        }
    }

    /// The message at `position`, if there is one, expired or not.
    #[must_use]
    pub fn message(&self, position: Position) -> Option<&Message> {
        self.messages.get(position.index())?.as_ref()
    }

    /// The messages of the page with their positions, in their order, expired ones among them.
    pub fn messages(&self) -> impl Iterator<Item = (Position, &Message)> {
        Positions(self.held).iter().filter_map(|position| Some((position, self.message(position)?)))
    }

    /// How many messages it holds, expired ones among them.
    #[must_use]
    pub fn messages_held(&self) -> u64 {
        u64::from(self.held.count_ones())
    }

    /// The positions of the messages that have not expired at `now`.
    #[must_use]
    pub fn live(&self, now: Timestamp) -> Positions {
        Positions(self.held & !self.expired(now).0)
    }

    /// The positions of the messages whose end has come at `now`.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> Positions {
        if self.expires_first.is_none_or(|first| !first.has_come(now)) {
            return Positions(0);
        }
        self.matching(|message| message.expires_at.has_come(now))
    }

    /// The positions of the messages up to and including `order`.
    #[must_use]
    pub fn up_to(&self, order: Order) -> Positions {
        if self.order_last <= Some(order) {
            return Positions(self.held);
        }
        self.matching(|message| message.order <= order)
    }

    fn matching(&self, test: impl Fn(&Message) -> bool) -> Positions {
        Positions(
            self.messages().filter(|(_, message)| test(message)).fold(0, |set, (at, _)| set | at.only().0),
        )
    }

    /// When the first of its messages expires.
    #[must_use]
    pub fn expires_first(&self) -> Option<ExpiresAt> {
        self.expires_first
    }

    /// The order of the first message it ever held: all it holds are at or behind it.
    #[must_use]
    pub fn order_first(&self) -> Option<Order> {
        self.order_first
    }

    /// The order of the last message it ever held: all it holds are at or before it.
    #[must_use]
    pub fn order_last(&self) -> Option<Order> {
        self.order_last
    }

    /// The positions of the messages whose audience `reader` is in.
    #[must_use]
    pub fn asked(&self, reader: Slot) -> Positions {
        let of = self.audiences.iter().filter(|audience| audience.slots.contains(reader));
        let asked = of.fold(0, |set, audience| set | audience.positions);
        let own = self.sent.iter().find(|(sender, _)| *sender == reader);
        Positions(asked & !own.map_or(0, |(_, positions)| *positions))
    }

    /// The audience of the message at `position`. The sender is not in it, even where the set has the sender.
    #[must_use]
    pub fn audience(&self, position: Position) -> Option<&Arc<SlotSet>> {
        let of = self.audiences.iter().find(|audience| audience.positions & position.only().0 != 0);
        of.map(|audience| &audience.slots)
    }

    /// The audiences of the page, each with the positions it is for.
    pub fn audiences(&self) -> impl Iterator<Item = (&Arc<SlotSet>, Positions)> {
        self.audiences.iter().map(|audience| (&audience.slots, Positions(audience.positions)))
    }

    /// The position of a message with this very audience, if there is one.
    #[must_use]
    pub fn position_for(&self, audience: &SlotSet) -> Option<Position> {
        let same = self.audiences.iter().find(|known| *known.slots == *audience);
        same.and_then(|known| Positions(known.positions).iter().next())
    }

    /// The positions of the messages that `reader` has read.
    #[must_use]
    pub fn read_by(&self, reader: Slot) -> Positions {
        let block = self.rows.get(reader.index() / BLOCK_ROWS);
        Positions(block.and_then(|rows| rows.get(reader.index() % BLOCK_ROWS)).copied().unwrap_or(0))
    }

    /// Marks the messages at `positions` as read by `reader`, and returns those that were not before. Positions
    /// without a message, or whose audience the reader is not in, are passed over.
    pub fn mark(&mut self, reader: Slot, positions: Positions) -> Positions {
        let new = positions.0 & self.asked(reader).0 & self.held & !self.read_by(reader).0;
        if new == 0 {
            return Positions(0);
        }
        *self.row_mut(reader) |= new;
        for position in Positions(new).iter() {
            self.read[position.index()] += 1;
        }
        Positions(new)
    }

    fn row_mut(&mut self, reader: Slot) -> &mut u64 {
        let (block, row) = (reader.index() / BLOCK_ROWS, reader.index() % BLOCK_ROWS);
        if self.rows.len() <= block {
            self.rows.resize_with(block + 1, Arc::default);
        }
        let rows = Arc::make_mut(&mut self.rows[block]);
        if rows.len() <= row {
            rows.resize(row + 1, 0);
        }
        &mut rows[row]
    }

    /// What is known of the message at `position`.
    #[must_use]
    pub fn receipts(&self, position: Position) -> Option<Receipts> {
        let generation = self.message(position)?.generation;
        Some(Receipts { generation, read: self.read[position.index()], of: self.of[position.index()] })
    }

    /// The users of one message's audience who have (`read`) or have not read it, above the slot `after`.
    pub fn readers(
        &self,
        position: Position,
        read: bool,
        after: Option<Slot>,
    ) -> impl Iterator<Item = Slot> + '_ {
        let sender = self.message(position).map(|message| message.sender);
        let slots = self.audience(position).into_iter().flat_map(move |audience| audience.iter_after(after));
        slots.filter(move |&slot| Some(slot) != sender && self.read_by(slot).contains(position) == read)
    }

    /// Begins a new life of the message at `position`: nobody has read it.
    pub fn reset(&mut self, position: Position, generation: Generation) {
        self.clear(position.only().0);
        if self.message(position).is_some()
            && let Some(message) = &mut Arc::make_mut(&mut self.messages)[position.index()]
        {
            message.generation = generation;
        }
    }

    /// Forgets the messages at `positions`, and who has read them.
    pub fn forget(&mut self, positions: Positions) {
        let gone = positions.0 & self.held;
        if gone == 0 {
            return;
        }
        self.clear(gone);
        self.held &= !gone;
        let messages = Arc::make_mut(&mut self.messages);
        let ofs = Arc::make_mut(&mut self.of);
        for position in Positions(gone).iter() {
            messages[position.index()] = None;
            ofs[position.index()] = 0;
        }
        let sent = Arc::make_mut(&mut self.sent);
        sent.iter_mut().for_each(|(_, positions)| *positions &= !gone);
        sent.retain(|(_, positions)| *positions != 0);
        let audiences = Arc::make_mut(&mut self.audiences);
        audiences.iter_mut().for_each(|audience| audience.positions &= !gone);
        audiences.retain(|audience| audience.positions != 0);
        self.expires_first = self.messages().map(|(_, message)| message.expires_at).min();
    }

    fn clear(&mut self, positions: u64) {
        if self.held & !positions == 0 {
            // Nothing is left that a row could be about.
            self.rows.clear();
        }
        for block in &mut self.rows {
            if block.iter().any(|row| row & positions != 0) {
                Arc::make_mut(block).iter_mut().for_each(|row| *row &= !positions);
            }
        }
        for position in Positions(positions).iter() {
            if let Some(read) = self.read.get_mut(position.index()) {
                *read = 0;
            }
        }
    }

    /// Every reader's row that is not empty, in slot order.
    pub fn rows(&self) -> impl Iterator<Item = (Slot, Positions)> + '_ {
        self.rows.iter().enumerate().flat_map(|(block, rows)| {
            let first = block * BLOCK_ROWS;
            rows.iter().enumerate().filter(|(_, row)| **row != 0).map(move |(at, row)| {
                let slot = u32::try_from(first + at).expect("invariant: slots are u32");
                (Slot(slot), Positions(*row))
            })
        })
    }
}

#[cfg(test)]
mod tests;
