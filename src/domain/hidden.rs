//! Who counts in no receipts: users who have switched theirs off, and users who were deleted.
//!
//! Whom a message is for and who has read it are facts, and stay as they are in its page; who is *hidden* is left out
//! when they are counted or listed. So switching receipts off and on again changes no message, however many there are.

use super::{Slot, SlotSet, mix};

/// The slots of one conversation that count in no receipts.
#[derive(Debug, Clone, Default)]
pub struct Hidden {
    slots: SlotSet,
    /// Rises with each change: what was counted for an earlier one does not hold any more.
    revision: u64,
}

impl Hidden {
    /// Whether nobody is hidden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether `slot` is hidden.
    #[must_use]
    pub fn contains(&self, slot: Slot) -> bool {
        self.slots.contains(slot)
    }

    /// Hides `slot`, or shows it again.
    pub fn set(&mut self, slot: Slot, is_hidden: bool) {
        let changed = if is_hidden { self.slots.insert(slot) } else { self.slots.remove(slot) };
        self.revision += u64::from(changed);
    }

    /// What an asked user who is hidden adds to [`Receipts::hidden`](super::Receipts::hidden). Sums of these do not depend on
    /// the order, and differ for different sets of users.
    #[must_use]
    pub fn digest(slot: Slot) -> u64 {
        mix(u64::from(slot.0) + 1)
    }

    /// How many of `slots` are hidden.
    #[must_use]
    pub fn count(&self, slots: &SlotSet) -> usize {
        self.slots.count_common(slots)
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The slots of `slots` that are hidden, ascending.
    pub(super) fn of<'a>(&'a self, slots: &'a SlotSet) -> impl Iterator<Item = Slot> + 'a {
        self.slots.common(slots)
    }

    /// About how many bytes of memory it takes beside itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.slots.words())
    }
}
