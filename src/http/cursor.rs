//! The `after` and `next` of the lists: where the next part begins, as text that only we read.
//!
//! ```text
//!  byte 0       which list: 'm'embers, 'r'eaders, 'o'rder of messages, 'c'onversations
//!  bytes 1..    a slot (4 bytes) or an order (8 bytes), high byte first; or a conversation's id
//! ```
//!
//! in lower-case hexadecimal, so that it needs no encoding in a query. A cursor of another list, or one that we
//! did not write, is refused: a client that lost its place must not be given another one silently.

use super::{
    problem::Failure,
    query::{Query, hex_digit},
};
use crate::{
    domain::{ConversationId, ORDER_MAX, Order, Slot},
    wire::Code,
};

/// A place in a list that can be written down.
pub(super) trait Cursor: Sized {
    /// The bytes of the place.
    fn to_bytes(&self) -> Vec<u8>;
    /// Reads what `to_bytes` wrote.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Cursor for Slot {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u32::from_be_bytes).map(Self)
    }
}

impl Cursor for Order {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u64::from_be_bytes).map(Self).filter(|order| *order <= ORDER_MAX)
    }
}

impl Cursor for ConversationId {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::new(str::from_utf8(bytes).ok()?).ok()
    }
}

/// Which list a place is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Members,
    Readers,
    Messages,
    Conversations,
}

impl List {
    fn letter(self) -> u8 {
        match self {
            Self::Members => b'm',
            Self::Readers => b'r',
            Self::Messages => b'o',
            Self::Conversations => b'c',
        }
    }

    /// A place in this list as text.
    pub(super) fn write(self, place: &impl Cursor) -> String {
        let mut bytes = vec![self.letter()];
        bytes.extend(place.to_bytes());
        bytes
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|digit| char::from(HEX[usize::from(digit)]))
            .collect()
    }

    /// The place that the query's `after` names, if it names one.
    pub(super) fn after<C: Cursor>(self, query: &Query) -> Result<Option<C>, Failure> {
        let Some(text) = query.one("after") else { return Ok(None) };
        self.read(text).map(Some).ok_or_else(|| {
            Failure::new(Code::BadRequest, "'after' is not the 'next' of an earlier part of this list")
        })
    }

    fn read<C: Cursor>(self, text: &str) -> Option<C> {
        let whole = text.len().is_multiple_of(2) && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let bytes: Vec<u8> = text
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?))
            .collect::<Option<_>>()?;
        let (letter, place) = bytes.split_first()?;
        if whole && *letter == self.letter() { C::from_bytes(place) } else { None }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_as_written() {
        for slot in [Slot(0), Slot(17), Slot(u32::MAX)] {
            assert_eq!(List::Members.read(&List::Members.write(&slot)), Some(slot));
        }
        for order in [Order(0), ORDER_MAX] {
            assert_eq!(List::Messages.read(&List::Messages.write(&order)), Some(order));
        }
        let conversation = ConversationId::new("消 /?").unwrap();
        let text = List::Conversations.write(&conversation);
        assert_eq!(List::Conversations.read(&text), Some(conversation));
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn what_we_did_not_write_for_this_list_is_not_a_place() {
        let text = List::Members.write(&Slot(1));
        assert_eq!(List::Readers.read::<Slot>(&text), None);
        for bad in
            ["", "6", "6d", "6d0000000", "6d000000001", "6d00000001 ", "6D00000001", "zz", "6d000000é1"]
        {
            assert_eq!(List::Members.read::<Slot>(bad), None, "{bad:?}");
        }
        assert_eq!(List::Messages.read::<Order>(&List::Messages.write(&Order(1 << 53))), None);
        assert_eq!(List::Conversations.read::<ConversationId>("63"), None, "no id is empty");
        assert_eq!(List::Conversations.read::<ConversationId>("63ff"), None, "an id is UTF-8");
    }
}
