//! Rosters: who is a member of a conversation, under which slot, and how that changes.

use std::{collections::HashMap, sync::Arc};

use super::{Slot, SlotSet, UserId};

/// The users a conversation knows, each under its slot. It only grows: a slot stands for one user for good, so
/// sets of slots that were fixed in the past keep their meaning.
#[derive(Debug, Clone, Default)]
pub struct SlotTable {
    users: Vec<UserId>,
    slots: HashMap<UserId, Slot>,
}

impl SlotTable {
    /// The user's slot, if the conversation knows the user.
    #[must_use]
    pub fn slot(&self, user: &str) -> Option<Slot> {
        self.slots.get(user).copied()
    }

    /// The user under `slot`.
    #[must_use]
    pub fn user(&self, slot: Slot) -> Option<&UserId> {
        self.users.get(slot.index())
    }

    /// Gives `user` the next slot. The caller has seen that the user has none.
    pub fn push(&mut self, user: UserId) -> Slot {
        let slot = Slot(u32::try_from(self.users.len()).expect("invariant: memory ends before u32 slots do"));
        self.users.push(user.clone());
        self.slots.insert(user, slot);
        slot
    }

    /// How many slots are given out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether no slot is given out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The users in slot order.
    #[must_use]
    pub fn users(&self) -> &[UserId] {
        &self.users
    }
}

/// The members of a roster, and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// Begins with 1 and rises by one with each real change.
    pub version: u64,
    /// The members' slots. Shared with the audiences of the messages that were registered meanwhile.
    pub slots: Arc<SlotSet>,
}

/// What a write of a roster came to: how many members, under which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterChange {
    /// The roster is as asked for now, whether or not it was before.
    Now {
        /// How many members it has.
        members: usize,
        /// Its version.
        version: u64,
    },
    /// It would have more members than a roster may have; nothing was changed.
    TooManyMembers,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_stands_for_one_user_for_good() {
        let user = |name: &str| UserId::new(name).unwrap();
        let mut table = SlotTable::default();
        assert_eq!(table.push(user("alice")), Slot(0));
        assert_eq!(table.push(user("bob")), Slot(1));
        assert_eq!(table.slot("alice"), Some(Slot(0)));
        assert_eq!(table.user(Slot(1)), Some(&user("bob")));
        assert_eq!((table.slot("carol"), table.user(Slot(2))), (None, None));
        assert_eq!(table.len(), 2);
    }
}
