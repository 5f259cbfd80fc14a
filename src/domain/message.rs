//! A message: what its registration says, where it stands in the order, and what became of the attempt.

use super::{ExpiresAt, MessageId, Slot, UserId};

/// The place of a message in its conversation: the chat's own running number, or one more than the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order(pub u64);

/// The highest order: 2^53-1, the largest whole number that every JSON reader keeps exactly.
pub const ORDER_MAX: Order = Order((1 << 53) - 1);

/// The order of a message that asks for `asked` when `highest` is the conversation's highest so far; none if the
/// order has passed it. Left out, it is one more than the highest, and 1 at first.
#[must_use]
pub fn next_order(highest: Option<Order>, asked: Option<Order>) -> Option<Order> {
    let order = asked.unwrap_or(Order(highest.map_or(1, |highest| highest.0.saturating_add(1))));
    (highest.is_none_or(|highest| order > highest) && order <= ORDER_MAX).then_some(order)
}

/// Tells one life of a message from the next: registering, and each reset, begins a new one. No two lives of
/// any messages of a store share a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// Whom a message is for, as its registration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Who is a member when it is registered, less the sender.
    Roster,
    /// These users, members or not, less the sender. A set: doubles do not count.
    Users(Vec<UserId>),
}

/// A message that wants receipts, as sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub message: MessageId,
    /// Who sent it; never among its readers.
    pub sender: UserId,
    /// Whom it is for.
    pub audience: Audience,
    /// Its own life in seconds, if it asked for one.
    pub expires_in_s: Option<u32>,
    /// When it expires, worked out from that or from the retention. Counts for a first registration only.
    pub expires_at: ExpiresAt,
    /// Its own order, if it asked for one.
    pub order: Option<Order>,
}

/// What a registered message's sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The size of its audience.
    pub of: u32,
    /// Its place.
    pub order: Order,
    /// When it expires.
    pub expires_at: ExpiresAt,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegisterOutcome {
    /// It is a new message.
    New(Registered),
    /// The same was registered before: the first answer again.
    Same(Registered),
    /// It was not registered.
    Refused(Refusal),
}

/// Why an entry of a call could not be done. It never stops the other entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A live message has the id, and was registered otherwise.
    MessageDiffers,
    /// The order asked for is not above the conversation's highest.
    OrderPassed,
    /// Neither roster nor audience: nobody to ask.
    NoAudience,
    /// Never registered, deleted, or expired.
    UnknownMessage,
    /// The reader was not asked.
    NotInAudience,
}

/// A registered message as a page holds it; whom it is for and who has read it stand beside it in the page, where its
/// id is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<Id = MessageId> {
    /// Its id.
    pub id: Id,
    /// The sender's slot.
    pub sender: Slot,
    /// Whether the order was asked for; `order` is what it got.
    pub order_asked: bool,
    /// Its place.
    pub order: Order,
    /// Whether the audience was its own, or the roster's.
    pub audience_asked: bool,
    /// The life in seconds that it asked for.
    pub expires_in_s: Option<u32>,
    /// When it expires.
    pub expires_at: ExpiresAt,
    /// Its present life.
    pub generation: Generation,
}

impl Message<&str> {
    /// The id of a message of a page, as what it is.
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        MessageId::new(self.id).expect("invariant: a page holds what was an id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_above_the_highest_and_at_most_2_to_the_53_less_1() {
        let after = |highest, asked: Option<u64>| next_order(Some(Order(highest)), asked.map(Order));
        assert_eq!(next_order(None, None), Some(Order(1)));
        assert_eq!(next_order(None, Some(Order(0))), Some(Order(0)), "a chat may count from 0");
        assert_eq!(after(0, None), Some(Order(1)));
        assert_eq!(after(0, Some(0)), None);
        assert_eq!(after(7, Some(7)), None);
        assert_eq!(after(7, Some(9)), Some(Order(9)));
        assert_eq!(after(ORDER_MAX.0 - 1, None), Some(ORDER_MAX));
        assert_eq!(after(ORDER_MAX.0, None), None);
        assert_eq!(next_order(None, Some(Order(ORDER_MAX.0 + 1))), None);
    }
}
