//! Deciding what is forgotten: a message, who has read it, a conversation, and what has expired.

use crate::domain::{ConversationId, MessageId, Positions, Timestamp};
use crate::store::embedded::{
    commit::draft::Batch,
    commit::editing::Editing,
    hot::conversation::{PageNumber, Place},
    record::Record,
};

/// Forgets a message, if it is there.
pub(in crate::store::embedded) fn forget_message(
    batch: &mut Batch<'_>,
    id: &ConversationId,
    message: &MessageId,
    now: Timestamp,
) {
    batch.edit(id, |editing| {
        if let Some(place) = editing.find(message, now) {
            forget_at(editing, place);
        }
    });
}

/// Forgets what stands at `place`, for good.
pub(in crate::store::embedded) fn forget_at(editing: &mut Editing<'_>, place: Place) {
    let Place { page, position } = place;
    editing.record(Record::Forgotten { conversation: editing.key(), page: page.0, position: position.0 });
    editing.drop_empty(page);
}

/// Begins a new life of a message; false if it is unknown.
pub(in crate::store::embedded) fn reset_message(
    batch: &mut Batch<'_>,
    id: &ConversationId,
    message: &MessageId,
    now: Timestamp,
) -> bool {
    let reset = |editing: &mut Editing<'_>| {
        let place = editing.find(message, now);
        if let Some(Place { page, position }) = place {
            editing.record(Record::Reset { conversation: editing.key(), page: page.0, position: position.0 });
        }
        place.is_some()
    };
    batch.edit(id, reset).unwrap_or(false)
}

/// Forgets what has expired on some pages, and says how much.
pub(in crate::store::embedded) fn sweep(
    batch: &mut Batch<'_>,
    id: &ConversationId,
    pages: &[PageNumber],
    now: Timestamp,
) -> usize {
    let sweep = |editing: &mut Editing<'_>| pages.iter().map(|page| sweep_page(editing, *page, now)).sum();
    batch.edit(id, sweep).unwrap_or(0)
}

fn sweep_page(editing: &mut Editing<'_>, number: PageNumber, now: Timestamp) -> usize {
    let Some(outline) = editing.outline(number) else { return 0 };
    let expired = match outline.live(now) {
        Some(live) => Positions(outline.held().0 & !live.0),
        None => editing.look(number).map(|page| page.expired(now)).unwrap_or_default(),
    };
    if !expired.is_empty() {
        let conversation = editing.key();
        editing.record(Record::Swept { conversation, page: number.0, positions: expired.0 });
    }
    expired.len()
}
