//! What the journal and the base are made of: records of single changes, and the parts they share, in bincode.
//!
//! A record says what happened *physically*: this page, this position, these slots. Replaying it needs nothing
//! but the thing it changes, so pages, slots and heads can be checkpointed each at its own time.
//!
//! Stored types are their own: changing a domain type never changes what is on disk. Changing one of these needs
//! a new [`FORMAT`]; the golden test below guards the bytes.

use std::{borrow::Borrow, sync::Arc};

use bincode::{
    Decode, Encode,
    config::{Configuration, Limit, LittleEndian, Varint},
};

use crate::domain::{ExpiresAt, Generation, IdError, Message, MessageId, Order, Position, Slot, SlotSet};
use crate::store::embedded::stored::rows::StoredRows;

/// The version of everything in a data directory. Stands in the file `FORMAT`.
pub(super) const FORMAT: u8 = 3;

/// No record and no object of the base is larger: a bound on what damaged lengths can make us allocate.
pub(super) const STORED_BYTES_MAX: usize = 256 << 20;

type Coding = Configuration<LittleEndian, Varint, Limit<STORED_BYTES_MAX>>;

fn coding() -> Coding {
    bincode::config::standard().with_limit::<STORED_BYTES_MAX>()
}

/// Appends the bytes of `stored` to `bytes`.
pub(super) fn encode(stored: &impl Encode, bytes: &mut Vec<u8>) {
    bincode::encode_into_std_write(stored, bytes, coding())
        .expect("invariant: stored types always encode, and a Vec takes all");
}

/// Reads one value from the head of `bytes`, and how many bytes it took; none if there is none.
pub(super) fn decode<T: Decode<()>>(bytes: &[u8]) -> Option<(T, usize)> {
    bincode::decode_from_slice(bytes, coding()).ok()
}

/// A change that was decided, as the journal keeps it. Its sequence number is its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum Record {
    /// A conversation began. Its key is this record's sequence number, so that a later one of the same id is
    /// another.
    Began { id: String },
    /// Users got slots, consecutive from `first` on.
    Slots { conversation: u64, first: u32, users: Vec<String> },
    /// The roster changed, or began.
    Roster { conversation: u64, version: u64, joined: StoredSlots, left: StoredSlots },
    /// A message was registered. Its generation is this record's sequence number.
    Registered {
        conversation: u64,
        page: u32,
        position: u8,
        message: StoredMessage,
        audience: StoredAudience,
    },
    /// A reader read messages: per page one bit a position.
    Marked { conversation: u64, reader: u32, read: Vec<(u32, u64)> },
    /// A message was reset. Its new generation is this record's sequence number.
    Reset { conversation: u64, page: u32, position: u8 },
    /// A message was deleted.
    Forgotten { conversation: u64, page: u32, position: u8 },
    /// The conversation was deleted.
    Ended { conversation: u64 },
    /// Messages were given up, one bit a position: they had expired, or their sender was deleted. Once they are, no clock
    /// brings them back.
    Swept { conversation: u64, page: u32, positions: u64 },
    /// A user was hidden, or is shown again.
    Hidden { user: String, is_hidden: bool },
    /// The user under the slot was deleted: it stands for nobody any more.
    Unnamed { conversation: u64, slot: u32 },
    /// A user was deleted everywhere: the name must leave the disk, also where it was removed before.
    Erased,
}

/// A set of slots, whichever way is shorter.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum StoredSlots {
    /// Runs: the gap since the end of the last one, and the length.
    Runs(Vec<(u32, u32)>),
    /// One bit a slot.
    Words(Vec<u64>),
}

impl StoredSlots {
    /// Bytes that a run takes at most in most groups, against 9 of a word in bincode's varint.
    const RUN_BYTES: usize = 4;
    const WORD_BYTES: usize = 9;

    pub(super) fn of(slots: &SlotSet) -> Self {
        let runs = slots.runs();
        if runs.len() * Self::RUN_BYTES > slots.words().len() * Self::WORD_BYTES {
            return Self::Words(slots.words().to_vec());
        }
        let mut end = 0;
        let gaps = runs.into_iter().map(|(first, length)| {
            let gap = first - end;
            end = first + length;
            (gap, length)
        });
        Self::Runs(gaps.collect())
    }

    /// None if the runs pass the end of the numbers.
    pub(super) fn slots(&self) -> Option<SlotSet> {
        match self {
            Self::Words(words) => Some(SlotSet::from_words(words.clone())),
            Self::Runs(gaps) => {
                let mut end = 0_u32;
                let mut runs = Vec::with_capacity(gaps.len());
                for &(gap, length) in gaps {
                    let first = end.checked_add(gap)?;
                    end = first.checked_add(length)?;
                    runs.push((first, length));
                }
                SlotSet::from_runs(&runs)
            }
        }
    }
}

/// Whom a message is for, given in full or as that of another message of the page.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum StoredAudience {
    /// These slots.
    Slots(StoredSlots),
    /// As the message at this position of the same page.
    As(u8),
}

/// A message without what changes: its generation stands beside it, or is the record's own number.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct StoredMessage {
    id: String,
    sender: u32,
    order: u64,
    order_asked: bool,
    audience_asked: bool,
    expires_in_s: Option<u32>,
    expires_at_unix_s: u64,
}

impl StoredMessage {
    pub(super) fn of<Id: Borrow<str>>(message: &Message<Id>) -> Self {
        Self {
            id: message.id.borrow().to_owned(),
            sender: message.sender.0,
            order: message.order.0,
            order_asked: message.order_asked,
            audience_asked: message.audience_asked,
            expires_in_s: message.expires_in_s,
            expires_at_unix_s: message.expires_at.unix_s,
        }
    }

    pub(super) fn message(self, generation: Generation) -> Result<Message, IdError> {
        Ok(Message {
            id: MessageId::new(self.id)?,
            sender: Slot(self.sender),
            order: Order(self.order),
            order_asked: self.order_asked,
            audience_asked: self.audience_asked,
            expires_in_s: self.expires_in_s,
            expires_at: ExpiresAt { unix_s: self.expires_at_unix_s },
            generation,
        })
    }
}

/// The head of a conversation in the base.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct StoredHead {
    pub(super) id: String,
    pub(super) sequence: u64,
    pub(super) members: Option<(u64, StoredSlots)>,
    pub(super) order_highest: Option<u64>,
    pub(super) page_next: u32,
    pub(super) slots: u32,
}

/// Some of the users who are hidden.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct StoredHidden {
    pub(super) users: Vec<String>,
}

/// Where pages stand: the place on the shelf, the file, the offset and the length.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct StoredShelf {
    pub(super) extents: Vec<(u32, u32, u32, u32)>,
}

/// A page in a page file.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct StoredPage {
    pub(super) sequence: u64,
    /// Position, generation, message.
    pub(super) messages: Vec<(u8, u64, StoredMessage)>,
    /// Audiences, each with the positions it is for.
    pub(super) audiences: Vec<(u64, StoredSlots)>,
    pub(super) rows: StoredRows,
}

/// A position as stored; none if a page has no such position.
pub(super) fn position(stored: u8) -> Option<Position> {
    (usize::from(stored) < crate::domain::PAGE_MESSAGES_MAX).then_some(Position(stored))
}

/// A set of slots as stored, to be shared.
pub(super) fn shared(stored: &StoredSlots) -> Option<Arc<SlotSet>> {
    stored.slots().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(record: &Record) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(record, &mut bytes);
        assert_eq!(decode(&bytes), Some((record.clone(), bytes.len())));
        bytes
    }

    #[test]
    fn the_bytes_of_a_record_stay_as_they_are() {
        assert_eq!(bytes(&Record::Began { id: "c1".into() }), b"\x00\x02c1");
        assert_eq!(
            bytes(&Record::Slots { conversation: 1, first: 7, users: vec!["bob".into()] }),
            b"\x01\x01\x07\x01\x03bob"
        );
        let joined = StoredSlots::of(&(0..300).map(Slot).collect());
        let roster = Record::Roster { conversation: 1, version: 2, joined, left: StoredSlots::Runs(vec![]) };
        assert_eq!(bytes(&roster), b"\x02\x01\x02\x00\x01\x00\xfb\x2c\x01\x00\x00");
        let message = StoredMessage {
            id: "m1".into(),
            sender: 3,
            order: 9,
            order_asked: true,
            audience_asked: false,
            expires_in_s: Some(60),
            expires_at_unix_s: 250,
        };
        let registered = Record::Registered {
            conversation: 1,
            page: 2,
            position: 63,
            message,
            audience: StoredAudience::As(62),
        };
        assert_eq!(bytes(&registered), b"\x03\x01\x02\x3f\x02m1\x03\x09\x01\x00\x01\x3c\xfa\x01\x3e");
        assert_eq!(
            bytes(&Record::Marked { conversation: 1, reader: 5, read: vec![(2, 7)] }),
            b"\x04\x01\x05\x01\x02\x07"
        );
        assert_eq!(bytes(&Record::Reset { conversation: 1, page: 2, position: 4 }), b"\x05\x01\x02\x04");
        assert_eq!(bytes(&Record::Forgotten { conversation: 1, page: 2, position: 4 }), b"\x06\x01\x02\x04");
        assert_eq!(bytes(&Record::Ended { conversation: 1 }), b"\x07\x01");
        assert_eq!(bytes(&Record::Swept { conversation: 1, page: 2, positions: 5 }), b"\x08\x01\x02\x05");
        assert_eq!(bytes(&Record::Hidden { user: "bob".into(), is_hidden: true }), b"\x09\x03bob\x01");
        assert_eq!(bytes(&Record::Unnamed { conversation: 1, slot: 7 }), b"\x0a\x01\x07");
        assert_eq!(bytes(&Record::Erased), b"\x0b");
    }

    #[test]
    fn sets_of_slots_are_stored_the_shorter_way() {
        let run: SlotSet = (5..2_000).map(Slot).collect();
        let scattered: SlotSet = (0..1_000).map(|slot| Slot(slot * 2)).collect();
        assert_eq!(StoredSlots::of(&run), StoredSlots::Runs(vec![(5, 1_995)]));
        assert!(matches!(StoredSlots::of(&scattered), StoredSlots::Words(_)));
        for slots in [run, scattered, SlotSet::default()] {
            assert_eq!(StoredSlots::of(&slots).slots(), Some(slots));
        }
        assert_eq!(StoredSlots::Runs(vec![(u32::MAX, 2)]).slots(), None);
    }

    #[test]
    fn what_is_cut_or_foreign_is_no_record() {
        let bytes = bytes(&Record::Slots { conversation: 1, first: 7, users: vec!["bob".into()] });
        for length in 0..bytes.len() {
            assert_eq!(decode::<Record>(&bytes[..length]), None, "cut to {length}");
        }
        assert_eq!(decode::<Record>(b"\x0c\x01"), None, "an unknown kind");
        assert_eq!(
            decode::<Record>(b"\x01\x01\x07\xfd\xff\xff\xff\xff\xff\xff\xff\xff"),
            None,
            "a huge length"
        );
    }
}
