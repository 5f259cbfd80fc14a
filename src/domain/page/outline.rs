//! The outline of a page: all that is known of it without its messages' names and its rows.
//!
//! It is small, so a store can keep it in memory when the rest of the page is not, and tell from it which pages an
//! operation has nothing to do with.

use std::sync::Arc;

use crate::domain::{ExpiresAt, Message, Order, Position, Positions, Slot, SlotSet, Timestamp};

/// The messages of a page that share one audience. The sender of each is in none, whatever `slots` says.
#[derive(Debug, Clone)]
pub(super) struct SharedAudience {
    pub(super) slots: Arc<SlotSet>,
    positions: u64,
}

/// Which positions of a page hold a message, whom those are for, who sent them, and between which orders and ends they
/// lie.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    audiences: Arc<Vec<SharedAudience>>,
    /// Who sent the message at each position; of no meaning where none is held.
    senders: Arc<Vec<Slot>>,
    held: u64,
    expires_first: Option<ExpiresAt>,
    expires_last: Option<ExpiresAt>,
    order_first: Option<Order>,
    order_last: Option<Order>,
}

impl Outline {
    /// Puts a message at `position`, which holds none.
    pub(super) fn put(&mut self, position: Position, message: &Message, audience: Arc<SlotSet>) {
        self.expires_first =
            Some(self.expires_first.map_or(message.expires_at, |end| end.min(message.expires_at)));
        self.expires_last = self.expires_last.max(Some(message.expires_at));
        self.order_first = Some(self.order_first.map_or(message.order, |first| first.min(message.order)));
        self.order_last = self.order_last.max(Some(message.order));
        let senders = Arc::make_mut(&mut self.senders);
        if senders.len() <= position.index() {
            senders.resize(position.index() + 1, message.sender);
        }
        senders[position.index()] = message.sender;
        self.held |= position.only().0;
        let audiences = Arc::make_mut(&mut self.audiences);
        match audiences.iter_mut().find(|known| known.slots == audience) {
            Some(known) => known.positions |= position.only().0,
            None => audiences.push(SharedAudience { slots: audience, positions: position.only().0 }),
        }
    }

    /// Who sent the message at `position`, if there is one.
    pub(super) fn sender(&self, position: Position) -> Option<Slot> {
        let sender = || self.senders.get(position.index()).copied();
        self.held().contains(position).then(sender).flatten()
    }

    /// Takes the messages at `gone` out; the ends of those that are left are as given.
    pub(super) fn take(&mut self, gone: Positions, left: impl Iterator<Item = ExpiresAt> + Clone) {
        self.held &= !gone.0;
        let audiences = Arc::make_mut(&mut self.audiences);
        audiences.iter_mut().for_each(|audience| audience.positions &= !gone.0);
        audiences.retain(|audience| audience.positions != 0);
        self.expires_first = left.clone().min();
        self.expires_last = left.max();
    }

    /// The positions that hold a message, expired ones among them.
    #[must_use]
    pub fn held(&self) -> Positions {
        Positions(self.held)
    }

    /// The positions of the messages that have not expired at `now`; none if only the messages tell.
    #[must_use]
    pub fn live(&self, now: Timestamp) -> Option<Positions> {
        if self.expires_first.is_none_or(|first| !first.has_come(now)) {
            return Some(self.held());
        }
        self.expires_last.is_some_and(|last| last.has_come(now)).then_some(Positions(0))
    }

    /// The positions of the messages up to and including `order`; none if only the messages tell.
    #[must_use]
    pub fn up_to(&self, order: Order) -> Option<Positions> {
        if self.order_last <= Some(order) {
            return Some(self.held());
        }
        self.order_first.is_none_or(|first| first > order).then_some(Positions(0))
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
        Positions(self.in_audience(reader) & !self.sent_by(reader))
    }

    /// Of `positions`, those of messages whose audience `reader` is in. Costs less than [`Outline::asked`] for a few.
    #[must_use]
    pub fn asked_of(&self, reader: Slot, positions: Positions) -> Positions {
        const FEW: usize = 8;
        let mut asked = Positions(self.in_audience(reader) & positions.0);
        if asked.len() > FEW {
            asked.0 &= !self.sent_by(reader);
            return asked;
        }
        for position in asked.iter() {
            if self.senders[position.index()] == reader {
                asked.0 &= !position.only().0;
            }
        }
        asked
    }

    /// Who was sent any of its messages.
    #[must_use]
    pub fn asked_any(&self) -> SlotSet {
        let longest = self.audiences.iter().map(|audience| audience.slots.words().len()).max().unwrap_or(0);
        let mut words = vec![0; longest];
        for audience in self.audiences.iter() {
            words.iter_mut().zip(audience.slots.words()).for_each(|(word, more)| *word |= more);
        }
        let mut any = SlotSet::from_words(words);
        for position in self.held().iter() {
            // Who sent all that they would have been sent was sent nothing.
            let sender = self.senders[position.index()];
            if self.asked(sender).is_empty() {
                any.remove(sender);
            }
        }
        any
    }

    /// [`Outline::asked`] for many slots in turn, at less for each.
    #[must_use]
    pub fn asked_each(&self) -> AskedEach<'_> {
        let mut own: Vec<(Slot, u64)> = Vec::new();
        for position in self.held().iter() {
            let sender = self.senders[position.index()];
            match own.binary_search_by_key(&sender, |(sender, _)| *sender) {
                Ok(at) => own[at].1 |= position.only().0,
                Err(at) => own.insert(at, (sender, position.only().0)),
            }
        }
        AskedEach { outline: self, own }
    }

    fn in_audience(&self, reader: Slot) -> u64 {
        let of = self.audiences.iter().filter(|audience| audience.slots.contains(reader));
        of.fold(0, |set, audience| set | audience.positions)
    }

    fn sent_by(&self, reader: Slot) -> u64 {
        // Most readers sent nothing on a page. Without an early end this is done for many positions at once.
        if self.senders.iter().fold(0, |any, sender| any | u32::from(*sender == reader)) == 0 {
            return 0;
        }
        let sent = self.senders.iter().enumerate().map(|(at, sender)| u64::from(*sender == reader) << at);
        sent.fold(0, |set, bit| set | bit)
    }

    /// The positions of the messages that `sender` sent.
    #[must_use]
    pub fn sent(&self, sender: Slot) -> Positions {
        Positions(self.sent_by(sender) & self.held)
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
}

/// Who was asked what on a page: [`Outline::asked`] for many slots in turn.
#[derive(Debug)]
pub struct AskedEach<'a> {
    outline: &'a Outline,
    /// What each sender sent, by sender.
    own: Vec<(Slot, u64)>,
}

impl AskedEach<'_> {
    /// The positions of the messages whose audience `reader` is in.
    #[must_use]
    pub fn asked(&self, reader: Slot) -> Positions {
        let own =
            self.own.binary_search_by_key(&reader, |(sender, _)| *sender).map_or(0, |at| self.own[at].1);
        Positions(self.outline.in_audience(reader) & !own)
    }
}
