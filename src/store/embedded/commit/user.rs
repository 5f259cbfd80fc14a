//! Deciding what becomes of a user: receipts off and on, and a deletion.

use crate::domain::{ConversationId, SlotSet, UserId};
use crate::store::embedded::{
    commit::draft::Batch, commit::editing::Editing, commit::roster::set_members,
    hot::conversation::PageNumber, record::Record,
};

/// Forgets messages that the user sent in one conversation, on up to `pages_max` pages; says on how many.
pub(in crate::store::embedded) fn forget_sent(
    batch: &mut Batch<'_>,
    id: &ConversationId,
    user: &UserId,
    pages_max: usize,
) -> usize {
    batch.edit(id, |editing| forget_sent_here(editing, user, pages_max)).unwrap_or(0)
}

fn forget_sent_here(editing: &mut Editing<'_>, user: &UserId, pages_max: usize) -> usize {
    let Some(slot) = editing.slot(user) else { return 0 };
    let sent = editing.outlines(PageNumber(0)).map(|(number, outline)| (number, outline.sent(slot)));
    let sent: Vec<_> = sent.filter(|(_, positions)| !positions.is_empty()).take(pages_max).collect();
    let conversation = editing.key();
    for (number, positions) in &sent {
        editing.record(Record::Swept { conversation, page: number.0, positions: positions.0 });
    }
    sent.len()
}

/// Deletes the user everywhere, with what is left of the messages that the user sent.
pub(in crate::store::embedded) fn forget(batch: &mut Batch<'_>, user: &UserId) {
    for id in batch.knowing(user) {
        batch.step();
        batch.edit(&id, |editing| forget_here(editing, user));
    }
    // Last: if a large deletion is cut in two, nobody sees a hidden user again.
    batch.hide(user, false);
    batch.erase();
}

fn forget_here(editing: &mut Editing<'_>, user: &UserId) {
    forget_sent_here(editing, user, usize::MAX);
    let Some(slot) = editing.slot(user) else { return };
    if let Some(members) = editing.head().members.as_ref().filter(|members| members.slots.contains(slot)) {
        let left: SlotSet = members.slots.iter().filter(|member| *member != slot).collect();
        set_members(editing, &left);
    }
    editing.record(Record::Unnamed { conversation: editing.key(), slot: slot.0 });
}
