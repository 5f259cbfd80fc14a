//! The users a conversation knows, each under its slot.
//!
//! Most of a large store's rosters are cold most of the time and must be in memory all the same, since any mark may
//! name any member. So names stand one behind the other in one text, and a table of numbers leads to them: about 15
//! bytes a user besides the name.

use hashbrown::HashTable;

use crate::domain::{Slot, UserId};
use crate::store::embedded::hot::keyed::hash_of;

/// Who has which slot. It only grows: a slot stands for one user for good, so sets of slots that were fixed in the
/// past keep their meaning. Once its user is deleted it stands for nobody, and its name is empty.
#[derive(Debug, Default, Clone)]
pub(in crate::store::embedded) struct Names {
    text: String,
    /// Where each slot's name ends.
    ends: Vec<usize>,
    slots: HashTable<Slot>,
}

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
        name(&self.text, &self.ends, slot)
    }

    /// Gives `user` the next slot. The caller has seen that the user has none.
    pub(in crate::store::embedded) fn push(&mut self, user: &UserId) {
        let slot = Slot(u32::try_from(self.ends.len()).expect("invariant: memory ends before u32 slots do"));
        self.text.push_str(user.as_str());
        self.ends.push(self.text.len());
        let (text, ends) = (&self.text, &self.ends);
        self.slots.insert_unique(hash_of(user.as_str()), slot, |slot| {
            hash_of(name(text, ends, *slot).expect("invariant: what is in the table has a name"))
        });
    }

    /// The next slot is that of a user who was deleted.
    pub(in crate::store::embedded) fn push_nobody(&mut self) {
        self.ends.push(self.text.len());
    }

    /// The slot stands for nobody from now on. False if it was never given out. Costs a look at all names.
    pub(in crate::store::embedded) fn forget(&mut self, slot: Slot) -> bool {
        let Some(gone) = self.name(slot).map(str::to_owned) else { return false };
        if !gone.is_empty() {
            if let Ok(found) = self.slots.find_entry(hash_of(&gone), |known| *known == slot) {
                found.remove();
            }
            let end = self.ends[slot.index()];
            self.text.replace_range(end - gone.len()..end, "");
            self.ends[slot.index()..].iter_mut().for_each(|end| *end -= gone.len());
        }
        true
    }

    /// Whether the slot's user was deleted.
    pub(in crate::store::embedded) fn is_nobody(&self, slot: Slot) -> bool {
        self.name(slot) == Some("")
    }

    /// How many slots are given out.
    pub(in crate::store::embedded) fn len(&self) -> u32 {
        u32::try_from(self.ends.len()).expect("invariant: memory ends before u32 slots do")
    }

    /// The names from slot `first` on.
    pub(in crate::store::embedded) fn names_from(&self, first: u32) -> impl Iterator<Item = &str> {
        (first..self.len()).filter_map(|slot| self.name(Slot(slot)))
    }

    /// About how many bytes of memory it takes.
    pub(in crate::store::embedded) fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<usize>() + self.slots.capacity() * 6
    }
}

fn name<'a>(text: &'a str, ends: &[usize], slot: Slot) -> Option<&'a str> {
    let end = *ends.get(slot.index())?;
    let first = slot.index().checked_sub(1).map_or(0, |before| ends[before]);
    text.get(first..end)
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
        assert!(!names.text.contains("user-17user-18") && !names.is_nobody(Slot(18)));
        assert_eq!(names.names_from(998).collect::<Vec<_>>(), ["user-998", "user-999"]);
    }
}
