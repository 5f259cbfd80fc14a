//! The users a conversation knows, each under its slot.
//!
//! Most of a large store's rosters are cold most of the time and must be in memory all the same, since any mark may
//! name any member. So names stand one behind the other in one text, and a table of numbers leads to them: 7
//! to 13 bytes a user of a large roster besides the name, as the table is full or has just grown.

use std::ops::Range;

use hashbrown::HashTable;

use crate::domain::{ID_BYTES_MAX, Slot, UserId};
use crate::store::embedded::hot::keyed::hash_of;

/// Who has which slot. It only grows: a slot stands for one user for good, so sets of slots that were fixed in the
/// past keep their meaning. Once its user is deleted it stands for nobody, and its name is empty.
#[derive(Debug, Default, Clone)]
pub(in crate::store::embedded) struct Names {
    texts: Texts,
    slots: HashTable<Slot>,
}

/// The name of each slot.
#[derive(Debug, Default, Clone)]
struct Texts {
    all: String,
    /// Bytes of each name.
    lengths: Vec<u8>,
    /// Where the name of each [`STEP`]th slot begins.
    begins: Vec<usize>,
}

const _: () = assert!(ID_BYTES_MAX <= u8::MAX as usize, "a length is a byte");

/// Slots from one known beginning to the next.
const STEP: usize = 16;

impl Names {
    /// The user's slot, if the conversation knows the user.
    pub(in crate::store::embedded) fn slot(&self, user: &str) -> Option<Slot> {
        self.slots.find(hash_of(user), |slot| self.name(*slot) == Some(user)).copied()
    }

    /// The user under `slot`.
    pub(in crate::store::embedded) fn user(&self, slot: Slot) -> Option<UserId> {
        UserId::new(self.name(slot)?).ok()
    }

    /// The name of the user under `slot`, empty for one who was deleted.
    pub(in crate::store::embedded) fn name(&self, slot: Slot) -> Option<&str> {
        self.texts.get(slot)
    }

    /// Gives `user` the next slot. The caller has seen that the user has none.
    pub(in crate::store::embedded) fn push(&mut self, user: &UserId) {
        let slot = Slot(self.len());
        self.texts.push(user.as_str());
        let texts = &self.texts;
        self.slots.insert_unique(hash_of(user.as_str()), slot, |slot| {
            hash_of(texts.get(*slot).expect("invariant: what is in the table has a name"))
        });
    }

    /// The next slot is that of a user who was deleted.
    pub(in crate::store::embedded) fn push_nobody(&mut self) {
        self.texts.push("");
    }

    /// The slot stands for nobody from now on. False if it was never given out. Costs a look at all names.
    pub(in crate::store::embedded) fn forget(&mut self, slot: Slot) -> bool {
        let Some(gone) = self.name(slot) else { return false };
        if let Ok(found) = self.slots.find_entry(hash_of(gone), |known| *known == slot) {
            found.remove();
        }
        self.texts.clear(slot);
        true
    }

    /// Whether the slot's user was deleted.
    pub(in crate::store::embedded) fn is_nobody(&self, slot: Slot) -> bool {
        self.name(slot) == Some("")
    }

    /// How many slots are given out.
    pub(in crate::store::embedded) fn len(&self) -> u32 {
        u32::try_from(self.texts.lengths.len()).expect("invariant: memory ends before u32 slots do")
    }

    /// The names from slot `first` on.
    pub(in crate::store::embedded) fn names_from(&self, first: u32) -> impl Iterator<Item = &str> {
        (first..self.len()).filter_map(|slot| self.name(Slot(slot)))
    }

    /// Gives back what is held for more users than there are.
    pub(in crate::store::embedded) fn shrink(&mut self) {
        let Texts { all, lengths, begins } = &mut self.texts;
        all.shrink_to_fit();
        lengths.shrink_to_fit();
        begins.shrink_to_fit();
    }

    /// About how many bytes of memory it takes.
    pub(in crate::store::embedded) fn bytes(&self) -> usize {
        self.texts.bytes() + self.slots.capacity() * 6
    }
}

impl Texts {
    fn get(&self, slot: Slot) -> Option<&str> {
        self.all.get(self.place(slot)?)
    }

    fn place(&self, slot: Slot) -> Option<Range<usize>> {
        let at = slot.index();
        let length = usize::from(*self.lengths.get(at)?);
        let before = &self.lengths[at / STEP * STEP..at];
        let begin = self.begins[at / STEP] + before.iter().copied().map(usize::from).sum::<usize>();
        Some(begin..begin + length)
    }

    fn push(&mut self, name: &str) {
        if self.lengths.len().is_multiple_of(STEP) {
            self.begins.push(self.all.len());
        }
        self.lengths
            .push(u8::try_from(name.len()).expect("invariant: a name has at most ID_BYTES_MAX bytes"));
        self.all.push_str(name);
    }

    /// Makes the slot's name, if it has one, an empty one.
    fn clear(&mut self, slot: Slot) {
        let Some(place) = self.place(slot) else { return };
        self.begins[slot.index() / STEP + 1..].iter_mut().for_each(|begin| *begin -= place.len());
        self.lengths[slot.index()] = 0;
        self.all.replace_range(place, "");
    }

    /// About how many bytes of memory it takes.
    fn bytes(&self) -> usize {
        self.all.capacity() + self.lengths.capacity() + self.begins.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_stands_for_one_user_for_good() {
        let user = |name: &str| UserId::new(name).unwrap();
        let mut names = Names::default();
        assert_eq!((names.slot("alice"), names.user(Slot(0)), names.user(Slot(7))), (None, None, None));
        for number in 0..1_000 {
            names.push(&user(&format!("user-{number}")));
        }
        assert_eq!(names.slot("user-0"), Some(Slot(0)));
        assert_eq!(names.slot("user-999"), Some(Slot(999)));
        assert_eq!(names.user(Slot(17)), Some(user("user-17")));
        assert_eq!((names.slot("user-"), names.user(Slot(1_000))), (None, None));
        assert_eq!(names.len(), 1_000);
        assert!(names.forget(Slot(17)) && names.forget(Slot(17)) && !names.forget(Slot(1_000)));
        assert_eq!(
            (names.slot("user-17"), names.user(Slot(17)), names.is_nobody(Slot(17))),
            (None, None, true)
        );
        assert_eq!((names.slot("user-18"), names.user(Slot(18))), (Some(Slot(18)), Some(user("user-18"))));
        assert_eq!(names.names_from(16).take(3).collect::<Vec<_>>(), ["user-16", "", "user-18"]);
        assert!(!names.texts.all.contains("user-17user-18") && !names.is_nobody(Slot(18)));
        assert_eq!(names.names_from(998).collect::<Vec<_>>(), ["user-998", "user-999"]);
    }

    /// What each name is, kept by hand.
    fn check(names: &Names, known: &[String]) {
        let users: Vec<_> = (0..).map(Slot).map_while(|slot| names.name(slot)).collect();
        assert_eq!(users, known);
        for (slot, name) in (0..).map(Slot).zip(known) {
            assert_eq!(names.slot(name), (!name.is_empty()).then_some(slot), "{name}");
            assert_eq!(names.is_nobody(slot), name.is_empty());
        }
    }

    #[test]
    fn names_are_what_they_were_whoever_comes_and_goes() {
        let mut random = fastrand::Rng::with_seed(6);
        for _ in 0..50 {
            let (mut names, mut known) = (Names::default(), Vec::new());
            for number in 0..=random.usize(..4 * STEP) {
                match random.u8(..8) {
                    0 => {
                        names.push_nobody();
                        known.push(String::new());
                    }
                    1 | 2 if !known.is_empty() => {
                        let gone = random.usize(..known.len());
                        assert!(names.forget(Slot(u32::try_from(gone).unwrap())));
                        known[gone].clear();
                    }
                    3 => names.shrink(),
                    _ => {
                        let digits = number.to_string();
                        let name =
                            format!("{}{digits}", "u".repeat(random.usize(..=ID_BYTES_MAX - digits.len())));
                        names.push(&UserId::new(name.clone()).unwrap());
                        known.push(name);
                    }
                }
                check(&names, &known);
            }
        }
    }
}
