//! Where a conversation's messages stand, by id.
//!
//! The index knows no ids, only 32 bits of a hash of each: 9 bytes a message and the table's own room, however long
//! ids are. What it names are *candidates*; whether the message there has the id, its page tells. Two ids share those
//! 32 bits in about one of 40,000 lookups among 100,000 messages, which costs a look at another page.

use hashbrown::HashTable;

use crate::domain::{MessageIdRef, Position};
use crate::store::embedded::hot::{
    conversation::{PageNumber, Place},
    keyed::hash_of,
};

/// What the index keeps of an id. Good for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::embedded) struct Hint(u32);

impl Hint {
    pub(in crate::store::embedded) fn of(id: &str) -> Self {
        Self((hash_of(id) >> 32) as u32)
    }

    /// Spread over 64 bits, as the table wants it.
    fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// In bytes, so that nothing lies between one and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    hint: [u8; 4],
    page: [u8; 4],
    position: u8,
}

const _: () = assert!(size_of::<Entry>() == 9);

impl Entry {
    fn new(hint: Hint, place: Place) -> Self {
        Self { hint: hint.0.to_le_bytes(), page: place.page.0.to_le_bytes(), position: place.position.0 }
    }

    fn hint(&self) -> Hint {
        Hint(u32::from_le_bytes(self.hint))
    }

    fn place(&self) -> Place {
        Place { page: PageNumber(u32::from_le_bytes(self.page)), position: Position(self.position) }
    }
}

/// Where messages may stand, by what is kept of their ids.
#[derive(Debug, Default)]
pub(in crate::store::embedded) struct Index(HashTable<Entry>);

impl Index {
    /// The places whose message may have the id.
    pub(in crate::store::embedded) fn candidates(&self, id: MessageIdRef<'_>) -> impl Iterator<Item = Place> {
        let hint = Hint::of(id.as_str());
        self.0.iter_hash(hint.spread()).filter(move |entry| entry.hint() == hint).map(Entry::place)
    }

    pub(in crate::store::embedded) fn insert(&mut self, hint: Hint, place: Place) {
        self.0.insert_unique(hint.spread(), Entry::new(hint, place), |entry| entry.hint().spread());
    }

    pub(in crate::store::embedded) fn remove(&mut self, hint: Hint, place: Place) {
        let entry = Entry::new(hint, place);
        if let Ok(found) = self.0.find_entry(hint.spread(), |known| *known == entry) {
            found.remove();
        }
    }

    /// Drops the entries of places that hold nothing any more.
    pub(in crate::store::embedded) fn retain(&mut self, is_held: impl Fn(Place) -> bool) {
        self.0.retain(|entry| is_held(entry.place()));
        self.0.shrink_to_fit(|entry| entry.hint().spread());
    }

    pub(in crate::store::embedded) fn len(&self) -> usize {
        self.0.len()
    }

    /// About how many bytes of memory it takes.
    pub(in crate::store::embedded) fn bytes(&self) -> usize {
        // Seven of eight places are used at the most, and each has a byte beside it.
        self.0.capacity() * 8 / 7 * (size_of::<Entry>() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MessageId;

    #[test]
    fn an_id_leads_to_its_place_until_that_is_removed() {
        let id = |number: u32| MessageId::new(format!("m{number}")).unwrap();
        let place =
            |number: u32| Place { page: PageNumber(number / 64), position: Position((number % 64) as u8) };
        let mut index = Index::default();
        let far = Place { page: PageNumber(u32::MAX - 1), position: Position(63) };
        index.insert(Hint::of("far"), far);
        assert_eq!(index.candidates(MessageId::new("far").unwrap().borrowed()).collect::<Vec<_>>(), [far]);
        index.remove(Hint::of("far"), far);
        for number in 0..1_000 {
            index.insert(Hint::of(id(number).as_str()), place(number));
        }
        let found = |index: &Index, number| index.candidates(id(number).borrowed()).collect::<Vec<_>>();
        assert_eq!(found(&index, 7), [place(7)]);
        index.remove(Hint::of(id(7).as_str()), place(8));
        assert_eq!(found(&index, 7), [place(7)], "another place is another entry");
        index.remove(Hint::of(id(7).as_str()), place(7));
        assert_eq!(found(&index, 7), []);
        index.retain(|place| place.page.0 == 3);
        assert_eq!((index.len(), found(&index, 200)), (64, vec![place(200)]));
    }
}
