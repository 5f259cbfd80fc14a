//! A message as it stands in a key: a header of fixed length, and behind it a bit for each slot that has read it.
//!
//! ```text
//!   flags:1  generation:8  order:8  expires_at_unix_s:8  expires_in_s:4  sender:4  asked:4  audience:20   bits…
//! ```
//!
//! Numbers are big-endian, order and end as floating-point numbers, which is what scripts reckon with and exact up to 2^53.
//! `asked` is the size of the audience less the sender; `audience` is the SHA-1 of the audience's bits, by which it is found.
//! Of a byte of bits the highest is the first slot, as SETBIT has it.

use crate::domain::{ExpiresAt, Generation, Hidden, Message, MessageId, Order, Receipts, Slot, SlotSet};

/// Bytes of a header, and of the audience's name at its end.
const HEADER: usize = 57;
const NAME: usize = 20;

const ORDER_ASKED: u8 = 1;
const AUDIENCE_ASKED: u8 = 2;
const EXPIRES_IN: u8 = 4;

/// A message that was read from its key.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) message: Message,
    pub(super) audience: [u8; NAME],
    pub(super) read: SlotSet,
}

impl Stored {
    /// What stands in the key of `id`; none if it does not read.
    pub(super) fn read(id: MessageId, raw: &[u8]) -> Option<Self> {
        let (header, bits) = raw.split_first_chunk::<HEADER>()?;
        let at = |from: usize| -> [u8; 8] {
            header[from..from + 8].try_into().expect("invariant: within the header")
        };
        let small =
            |from: usize| u32::from_be_bytes(header[from..from + 4].try_into().expect("invariant: within"));
        let flags = header[0];
        let message = Message {
            id,
            sender: Slot(small(29)),
            order_asked: flags & ORDER_ASKED != 0,
            order: Order(whole(f64::from_be_bytes(at(9)))),
            audience_asked: flags & AUDIENCE_ASKED != 0,
            expires_in_s: (flags & EXPIRES_IN != 0).then(|| small(25)),
            expires_at: ExpiresAt { unix_s: whole(f64::from_be_bytes(at(17))) },
            generation: Generation(u64::from_be_bytes(at(1))),
        };
        let audience = header[HEADER - NAME..].try_into().expect("invariant: the end of the header");
        Some(Self { message, audience, read: slots(bits) })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole numbers up to 2^53, which scripts wrote"
)]
fn whole(float: f64) -> u64 {
    float as u64
}

/// The header of a message without the audience's name.
pub(super) fn header<Id>(message: &Message<Id>, asked: u32) -> Vec<u8> {
    let mut flags = 0;
    flags |= if message.order_asked { ORDER_ASKED } else { 0 };
    flags |= if message.audience_asked { AUDIENCE_ASKED } else { 0 };
    flags |= if message.expires_in_s.is_some() { EXPIRES_IN } else { 0 };
    let mut header = vec![flags];
    header.extend(message.generation.0.to_be_bytes());
    header.extend(float(message.order.0).to_be_bytes());
    header.extend(float(message.expires_at.unix_s).to_be_bytes());
    for small in [message.expires_in_s.unwrap_or(0), message.sender.0, asked] {
        header.extend(small.to_be_bytes());
    }
    header
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which is past every order and every end")]
fn float(whole: u64) -> f64 {
    whole as f64
}

/// The bits of a key as a set of slots.
pub(super) fn slots(bits: &[u8]) -> SlotSet {
    let word =
        |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(byte.reverse_bits()));
    SlotSet::from_words(bits.chunks(8).map(word).collect())
}

/// A set of slots as the bits of a key, without zeros at its end.
pub(super) fn bits(slots: &SlotSet) -> Vec<u8> {
    let words = slots.words().iter().flat_map(|word| word.to_le_bytes());
    let mut bits: Vec<_> = words.map(u8::reverse_bits).collect();
    while bits.last() == Some(&0) {
        bits.pop();
    }
    bits
}

/// What scripts answer of a message: generation, asked, marks, and of each asked slot that counts nowhere its number and
/// whether it has read. None if it does not read.
pub(super) fn receipts(known: &[u8]) -> Option<Receipts> {
    let (generation, rest) = known.split_first_chunk()?;
    let (of, rest) = rest.split_first_chunk()?;
    let (marks, rest) = rest.split_first_chunk()?;
    let (of, marks) = (u32::from_be_bytes(*of), u32::from_be_bytes(*marks));
    let mut known = Receipts {
        generation: Generation(u64::from_be_bytes(*generation)),
        read: marks,
        of,
        marks,
        hidden: 0,
    };
    let (quiet, []) = rest.as_chunks::<5>() else { return None };
    for [a, b, c, d, has_read] in quiet {
        known.of = known.of.checked_sub(1)?;
        known.read = known.read.checked_sub(u32::from(*has_read))?;
        known.hidden = known.hidden.wrapping_add(Hidden::digest(Slot(u32::from_be_bytes([*a, *b, *c, *d]))));
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_slots_is_its_bits_and_back() {
        for (slots_in, bits_out) in [
            (&[][..], &[][..]),
            (&[0], &[0x80]),
            (&[7, 8], &[1, 0x80]),
            (&[65], &[0, 0, 0, 0, 0, 0, 0, 0, 0x40]),
        ] {
            let set: SlotSet = slots_in.iter().copied().map(Slot).collect();
            assert_eq!(bits(&set), bits_out);
            assert_eq!(slots(bits_out), set);
        }
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let message = Message {
            id: MessageId::new("m").unwrap(),
            sender: Slot(70_000),
            order_asked: true,
            order: crate::domain::ORDER_MAX,
            audience_asked: false,
            expires_in_s: Some(u32::MAX),
            expires_at: ExpiresAt { unix_s: 2_000_000_001 },
            generation: Generation(1 << 60 | 1),
        };
        let mut raw = header(&message, 9);
        raw.extend([3; NAME]);
        assert_eq!(raw.len(), HEADER);
        raw.push(0x81);
        let read = Stored::read(message.id.clone(), &raw).unwrap();
        assert_eq!((read.message, read.audience), (message, [3; NAME]));
        assert_eq!(read.read, [0, 7].map(Slot).into_iter().collect());
        assert!(Stored::read(MessageId::new("m").unwrap(), &raw[..HEADER - 1]).is_none());
    }

    #[test]
    fn who_counts_nowhere_is_taken_off() {
        let mut known = [&7_u64.to_be_bytes()[..], &9_u32.to_be_bytes(), &4_u32.to_be_bytes()].concat();
        let all = receipts(&known).unwrap();
        assert_eq!((all.generation, all.read, all.of, all.marks, all.hidden), (Generation(7), 4, 9, 4, 0));
        known.extend([0, 0, 0, 5, 1, 0, 0, 0, 6, 0]);
        let some = receipts(&known).unwrap();
        assert_eq!((some.read, some.of, some.marks), (3, 7, 4));
        assert_eq!(some.hidden, Hidden::digest(Slot(5)).wrapping_add(Hidden::digest(Slot(6))));
        assert!(receipts(&known[..known.len() - 1]).is_none());
    }
}
