//! Deciding what a registration does.

use std::sync::Arc;

use crate::domain::{
    Audience, ConversationId, Generation, Message, Refusal, RegisterOutcome, Registered, Registration, Slot,
    SlotSet, Timestamp, UserId, next_order,
};
use crate::store::embedded::{
    commit::draft::Batch,
    commit::editing::Editing,
    commit::forget::forget_at,
    hot::conversation::Place,
    record::{Record, StoredAudience, StoredMessage, StoredSlots},
};

/// Registers messages one after the other.
pub(in crate::store::embedded) fn register(
    batch: &mut Batch<'_>,
    id: &ConversationId,
    registrations: &[Registration],
    now: Timestamp,
) -> Vec<RegisterOutcome> {
    registrations.iter().map(|registration| register_one(batch, id, registration, now)).collect()
}

fn register_one(
    batch: &mut Batch<'_>,
    id: &ConversationId,
    sent: &Registration,
    now: Timestamp,
) -> RegisterOutcome {
    let known = batch.edit(id, |editing| decide(editing, sent, now));
    match (known, &sent.audience) {
        (Some(outcome), _) => outcome,
        // A conversation that nobody mentioned has no roster, and is not begun by asking for one.
        (None, Audience::Roster) => RegisterOutcome::Refused(Refusal::NoAudience),
        (None, Audience::Users(_)) => batch.edit_or_begin(id, |editing| decide(editing, sent, now)),
    }
}

fn decide(editing: &mut Editing<'_>, sent: &Registration, now: Timestamp) -> RegisterOutcome {
    if let Some(place) = editing.find(&sent.message, now) {
        return match same(editing, place, sent) {
            Some(registered) => RegisterOutcome::Same(registered),
            None => RegisterOutcome::Refused(Refusal::MessageDiffers),
        };
    }
    let roster = editing.head().members.as_ref().map(|members| members.slots.clone());
    if sent.audience == Audience::Roster && roster.is_none() {
        return RegisterOutcome::Refused(Refusal::NoAudience);
    }
    let Some(order) = next_order(editing.head().order_highest, sent.order) else {
        return RegisterOutcome::Refused(Refusal::OrderPassed);
    };
    if let Some(place) = editing.place(&sent.message) {
        // One that expired and that no sweep has met yet. Its id is another's now, even if the clock steps back.
        forget_at(editing, place);
    }
    let (sender, audience) = audience(editing, sent, roster);
    let message = Message {
        id: sent.message.clone(),
        sender,
        order_asked: sent.order.is_some(),
        order,
        audience_asked: sent.audience != Audience::Roster,
        expires_in_s: sent.expires_in_s,
        expires_at: sent.expires_at,
        // A record's number is the generation; the record below carries none.
        generation: Generation(0),
    };
    let place = editing.place_next();
    let like = editing.outline(place.page).and_then(|page| page.position_for(&audience));
    let audience = match like {
        Some(other) => StoredAudience::As(other.0),
        None => StoredAudience::Slots(StoredSlots::of(&audience)),
    };
    editing.record(Record::Registered {
        conversation: editing.key(),
        page: place.page.0,
        position: place.position.0,
        message: StoredMessage::of(&message),
        audience,
    });
    RegisterOutcome::New(registered(editing, place).expect("invariant: it was just put there"))
}

/// The sender's slot, and the audience's. The roster's own set has the sender, if a member: a page knows that.
fn audience(
    editing: &mut Editing<'_>,
    sent: &Registration,
    roster: Option<Arc<SlotSet>>,
) -> (Slot, Arc<SlotSet>) {
    let users: &[UserId] = match &sent.audience {
        Audience::Roster => &[],
        Audience::Users(users) => users,
    };
    let slots = editing.slots_or_new(std::iter::once(&sent.sender).chain(users));
    let sender = slots[0];
    let audience = match &sent.audience {
        Audience::Roster => roster.unwrap_or_default(),
        Audience::Users(_) => Arc::new(slots.into_iter().filter(|slot| *slot != sender).collect()),
    };
    (sender, audience)
}

fn registered(editing: &Editing<'_>, place: Place) -> Option<Registered> {
    let page = editing.look(place.page)?;
    let message = page.message(place.position)?;
    let audience = page.outline().audience(place.position)?;
    let mut asked = (**audience).clone();
    asked.remove(message.sender);
    let of = asked.len() - editing.hidden_of(&asked);
    let of = u32::try_from(of).expect("invariant: slots are u32");
    Some(Registered { of, order: message.order, expires_at: message.expires_at })
}

/// The first answer, if what was sent is what is registered at `place`.
fn same(editing: &Editing<'_>, place: Place, sent: &Registration) -> Option<Registered> {
    let page = editing.look(place.page)?;
    let message = page.message(place.position)?;
    let order = message.order_asked.then_some(message.order);
    let is_same = editing.slot(&sent.sender) == Some(message.sender)
        && sent.expires_in_s == message.expires_in_s
        && sent.order == order
        && match &sent.audience {
            Audience::Roster => !message.audience_asked,
            Audience::Users(users) => {
                message.audience_asked
                    && page.outline().audience(place.position).is_some_and(|audience| {
                        slots_of_others(editing, users, message.sender)
                            .is_some_and(|sent| is_same_but_for_nobodies(editing, audience, &sent))
                    })
            }
        };
    if is_same { registered(editing, place) } else { None }
}

/// Whether `sent` is what is left of `audience`: who was deleted is in it no more.
fn is_same_but_for_nobodies(editing: &Editing<'_>, audience: &SlotSet, sent: &SlotSet) -> bool {
    let left = || audience.iter().filter(|slot| !editing.is_nobody(*slot)).collect::<SlotSet>();
    audience == sent || left() == *sent
}

/// The slots of all `users` but the sender; none if one of them has none.
fn slots_of_others(editing: &Editing<'_>, users: &[UserId], sender: Slot) -> Option<SlotSet> {
    let slots: Option<Vec<_>> = users.iter().map(|user| editing.slot(user)).collect();
    Some(slots?.into_iter().filter(|slot| *slot != sender).collect())
}
