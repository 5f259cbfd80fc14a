//! The messages of a page, in little memory: a column for each thing that is known of them.

use super::numbers::Numbers;
use crate::domain::{ExpiresAt, Generation, Message, Order, Position, Positions, Slot};

/// What stands at each position, without its sender. Where no message is held, nothing of it means anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Messages {
    /// Their ids, one behind the other.
    ids: String,
    /// Where each id ends: after at most 64 x 128 bytes.
    ends: Vec<u16>,
    orders: Numbers,
    ends_of_life: Numbers,
    generations: Numbers,
    /// The life that each asked for and one more, or 0.
    lives_asked: Numbers,
    orders_asked: u64,
    audiences_asked: u64,
    /// Who was asked: the size of the audience less the sender.
    asked: Numbers,
}

impl Messages {
    /// How many positions there are, taken or not.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Puts a message that so many were asked about at a position that has none.
    pub(super) fn put(&mut self, position: Position, message: &Message, asked: u32) {
        let at = position.index();
        if self.ends.len() <= at {
            self.ends.resize(at + 1, self.ends.last().copied().unwrap_or(0));
        }
        self.name(at, message.id.as_str());
        self.orders.set(at, message.order.0);
        self.ends_of_life.set(at, message.expires_at.unix_s);
        self.generations.set(at, message.generation.0);
        self.lives_asked.set(at, message.expires_in_s.map_or(0, |life| u64::from(life) + 1));
        self.asked.set(at, asked.into());
        let bit = position.only().0;
        self.orders_asked = self.orders_asked & !bit | if message.order_asked { bit } else { 0 };
        self.audiences_asked = self.audiences_asked & !bit | if message.audience_asked { bit } else { 0 };
    }

    /// The message at a position that has one. It cannot panic, so that a caller pays only for what it looks at.
    #[inline]
    pub(super) fn get(&self, position: Position, sender: Slot) -> Message<&str> {
        let at = position.index();
        let life_asked = self.lives_asked.get(at).checked_sub(1);
        Message {
            id: self.id(position),
            sender,
            order_asked: Positions(self.orders_asked).contains(position),
            order: self.order(position),
            audience_asked: Positions(self.audiences_asked).contains(position),
            expires_in_s: life_asked.and_then(|life| u32::try_from(life).ok()),
            expires_at: self.expires_at(position),
            generation: self.generation(position),
        }
    }

    pub(super) fn id(&self, position: Position) -> &str {
        let at = position.index();
        self.ids.get(self.begin(at)..self.end(at)).unwrap_or_default()
    }

    pub(super) fn order(&self, position: Position) -> Order {
        Order(self.orders.get(position.index()))
    }

    pub(super) fn expires_at(&self, position: Position) -> ExpiresAt {
        ExpiresAt { unix_s: self.ends_of_life.get(position.index()) }
    }

    pub(super) fn generation(&self, position: Position) -> Generation {
        Generation(self.generations.get(position.index()))
    }

    pub(super) fn asked(&self, position: Position) -> u32 {
        u32::try_from(self.asked.get(position.index())).expect("invariant: it was a u32")
    }

    pub(super) fn reset(&mut self, position: Position, generation: Generation) {
        self.generations.set(position.index(), generation.0);
    }

    /// Forgets the ids at `positions`.
    pub(super) fn forget(&mut self, positions: Positions) {
        positions.iter().for_each(|position| self.name(position.index(), ""));
    }

    fn begin(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.end(before))
    }

    fn end(&self, at: usize) -> usize {
        self.ends.get(at).copied().unwrap_or(0).into()
    }

    fn name(&mut self, at: usize, id: &str) {
        let (begin, end) = (self.begin(at), self.end(at));
        self.ids.replace_range(begin..end, id);
        for known in &mut self.ends[at..] {
            let moved = usize::from(*known) - (end - begin) + id.len();
            *known = u16::try_from(moved).expect("invariant: 64 ids of 128 bytes");
        }
    }

    fn columns(&self) -> [&Numbers; 5] {
        [&self.orders, &self.ends_of_life, &self.generations, &self.lives_asked, &self.asked]
    }

    /// Whether it takes more memory than it must.
    pub(super) fn is_loose(&self) -> bool {
        self.ids.capacity() > self.ids.len()
    }

    pub(super) fn shrink(&mut self) {
        self.ids.shrink_to_fit();
        self.ends.shrink_to_fit();
        let Self { orders, ends_of_life, generations, lives_asked, asked, .. } = self;
        [orders, ends_of_life, generations, lives_asked, asked].into_iter().for_each(Numbers::shrink);
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let columns = self.columns().iter().map(|column| column.bytes()).sum::<usize>();
        size_of::<Self>() + self.ids.capacity() + self.ends.capacity() * size_of::<u16>() + columns
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{ID_BYTES_MAX, MessageId};

    fn message(random: &mut fastrand::Rng) -> Message {
        Message {
            id: MessageId::new("é".repeat(random.usize(1..=ID_BYTES_MAX / 2))).unwrap(),
            sender: Slot(random.u32(..)),
            order_asked: random.bool(),
            order: Order(random.u64(..)),
            audience_asked: random.bool(),
            expires_in_s: random.bool().then(|| random.u32(..)),
            expires_at: ExpiresAt { unix_s: random.u64(..) },
            generation: Generation(random.u64(..)),
        }
    }

    fn of_page(message: &Message) -> Message<&str> {
        let Message { sender, order_asked, order, audience_asked, .. } = *message;
        let Message { expires_in_s, expires_at, generation, .. } = *message;
        let id = message.id.as_str();
        Message { id, sender, order_asked, order, audience_asked, expires_in_s, expires_at, generation }
    }

    #[test]
    fn what_was_put_is_there_whatever_comes_and_goes_around_it() {
        let mut random = fastrand::Rng::with_seed(9);
        let (mut messages, mut known) = (Messages::default(), BTreeMap::new());
        for _ in 0..1_000 {
            let position = Position(random.u8(..64));
            match known.get_mut(&position) {
                None => {
                    let (message, asked) = (message(&mut random), random.u32(..));
                    messages.put(position, &message, asked);
                    known.insert(position, (message, asked));
                }
                Some((message, _)) if random.bool() => {
                    message.generation = Generation(random.u64(..));
                    messages.reset(position, message.generation);
                }
                Some(_) => {
                    messages.forget(position.only());
                    known.remove(&position);
                }
            }
            if random.u8(..10) == 0 {
                messages.shrink();
            }
            for (&position, (message, asked)) in &known {
                let found = messages.get(position, message.sender);
                assert_eq!((found, messages.asked(position)), (of_page(message), *asked));
                assert_eq!(found.message_id(), message.id);
            }
        }
    }
}
