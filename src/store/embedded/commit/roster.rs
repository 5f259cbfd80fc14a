//! Deciding what a write of a roster does.

use std::collections::BTreeSet;

use crate::domain::{ConversationId, RosterChange, SlotSet, UserId};
use crate::store::embedded::{
    commit::draft::Batch,
    commit::editing::Editing,
    record::{Record, StoredSlots},
};

/// Makes `members` the roster.
pub(in crate::store::embedded) fn replace(
    batch: &mut Batch<'_>,
    id: &ConversationId,
    members: &[UserId],
) -> RosterChange {
    batch.edit_or_begin(id, |editing| {
        let slots = editing.slots_or_new(members.iter());
        set_members(editing, &slots.into_iter().collect())
    })
}

/// Adds and removes members; who is in both lists is removed.
pub(in crate::store::embedded) fn change(
    batch: &mut Batch<'_>,
    id: &ConversationId,
    add: &[UserId],
    remove: &[UserId],
    members_max: usize,
) -> RosterChange {
    let removed: BTreeSet<_> = remove.iter().collect();
    let before = batch.edit(id, |editing| members_after(editing, add, &removed));
    let members = before
        .unwrap_or_else(|| add.iter().filter(|user| !removed.contains(user)).collect::<BTreeSet<_>>().len());
    if members > members_max {
        return RosterChange::TooManyMembers;
    }
    batch.edit_or_begin(id, |editing| {
        let slots = editing.slots_or_new(add.iter());
        let before = editing.head().members.as_ref();
        let mut members = before.map(|members| (*members.slots).clone()).unwrap_or_default();
        for slot in slots {
            members.insert(slot);
        }
        for slot in remove.iter().filter_map(|user| editing.slot(user)) {
            members.remove(slot);
        }
        set_members(editing, &members)
    })
}

/// How many members there would be.
fn members_after(editing: &Editing<'_>, add: &[UserId], removed: &BTreeSet<&UserId>) -> usize {
    let before = editing.head().members.as_ref();
    let mut members = before.map(|members| (*members.slots).clone()).unwrap_or_default();
    let mut strangers = BTreeSet::new();
    for user in add.iter().filter(|user| !removed.contains(user)) {
        match editing.slot(user) {
            Some(slot) => _ = members.insert(slot),
            None => _ = strangers.insert(user),
        }
    }
    for slot in removed.iter().filter_map(|user| editing.slot(user)) {
        members.remove(slot);
    }
    members.len() + strangers.len()
}

/// Makes these the roster, under a new version if they were not before.
pub(in crate::store::embedded) fn set_members(editing: &mut Editing<'_>, slots: &SlotSet) -> RosterChange {
    let members = slots.len();
    let before = editing.head().members.clone();
    let version = match &before {
        Some(before) if *before.slots == *slots => {
            return RosterChange::Now { members, version: before.version };
        }
        Some(before) => before.version + 1,
        None => 1,
    };
    let before = before.map(|before| before.slots).unwrap_or_default();
    let only_in = |one: &SlotSet, other: &SlotSet| {
        StoredSlots::of(&one.iter().filter(|slot| !other.contains(*slot)).collect())
    };
    let (joined, left) = (only_in(slots, &before), only_in(&before, slots));
    editing.record(Record::Roster { conversation: editing.key(), version, joined, left });
    RosterChange::Now { members, version }
}
