//! Between memory and base: heads, blocks of slots, and pages as objects of bytes, and back.

use std::sync::Arc;

use super::rows::StoredRows;
use super::{
    conversation::{Conversation, Head, HotPage, Key, PageNumber},
    record::{StoredHead, StoredMessage, StoredPage, StoredSlots, decode, encode, position, shared},
};
use crate::domain::{ConversationId, Generation, Members, Order, Positions, SlotSet, UserId};

/// Slots of a block: names are written again only in the blocks that got new ones.
pub(super) const BLOCK_SLOTS: u32 = 256;

/// The bytes of a conversation's head.
pub(super) fn head_bytes(id: &ConversationId, head: &Head, slots: usize) -> Vec<u8> {
    let stored = StoredHead {
        id: id.as_str().to_owned(),
        sequence: head.sequence,
        members: head.members.as_ref().map(|members| (members.version, StoredSlots::of(&members.slots))),
        order_highest: head.order_highest.map(|order| order.0),
        page_next: head.page_next,
        slots: u32::try_from(slots).expect("invariant: slots are u32"),
    };
    bytes(&stored)
}

/// A conversation that has its head, and the number of slots that it knew.
pub(super) fn read_head(key: Key, bytes: &[u8]) -> Result<(ConversationId, Conversation, u32), &'static str> {
    let stored: StoredHead = whole(bytes).ok_or("a head does not read")?;
    let mut conversation = Conversation::new(key);
    let members = match stored.members {
        Some((version, slots)) => {
            Some(Members { version, slots: shared(&slots).ok_or("a set of slots does not read")? })
        }
        None => None,
    };
    conversation.head = Head {
        members,
        order_highest: stored.order_highest.map(Order),
        page_next: stored.page_next,
        sequence: stored.sequence,
    };
    let id = ConversationId::new(stored.id).map_err(|_| "a conversation's name is no id")?;
    Ok((id, conversation, stored.slots))
}

/// The bytes of a block of slots.
pub(super) fn slots_bytes(users: &[UserId]) -> Vec<u8> {
    bytes(&users.iter().map(|user| user.as_str().to_owned()).collect::<Vec<_>>())
}

/// Puts a block of slots behind those that are there.
pub(super) fn read_slots(into: &mut Conversation, block: u32, bytes: &[u8]) -> Result<(), &'static str> {
    if into.slots.len() != (block * BLOCK_SLOTS) as usize {
        return Err("a block of slots is missing");
    }
    let users: Vec<String> = whole(bytes).ok_or("a block of slots does not read")?;
    for user in users {
        into.slots.push(UserId::new(user).map_err(|_| "a user's name is no id")?);
    }
    Ok(())
}

/// The bytes of a page.
pub(super) fn page_bytes(hot: &HotPage) -> Vec<u8> {
    let page = &hot.page;
    let messages = page
        .messages()
        .map(|(position, message)| (position.0, message.generation.0, StoredMessage::of(message)));
    let audiences = page.audiences().map(|(slots, positions)| (positions.0, StoredSlots::of(slots)));
    let stored = StoredPage {
        sequence: hot.sequence,
        messages: messages.collect(),
        audiences: audiences.collect(),
        rows: StoredRows::of(page),
    };
    bytes(&stored)
}

/// Puts a page in its place.
pub(super) fn read_page(into: &mut Conversation, number: u32, bytes: &[u8]) -> Result<(), &'static str> {
    let stored: StoredPage = whole(bytes).ok_or("a page does not read")?;
    let mut audiences: Vec<(Positions, Arc<SlotSet>)> = Vec::new();
    for (positions, slots) in &stored.audiences {
        let slots = shared(slots).ok_or("a set of slots does not read")?;
        // The roster's own set, where it is the same one, so that both stand in memory once.
        let members = into.head.members.as_ref().filter(|members| members.slots == slots);
        audiences.push((Positions(*positions), members.map_or(slots, |members| members.slots.clone())));
    }
    let mut hot = HotPage { sequence: stored.sequence, ..HotPage::default() };
    for (at, generation, message) in stored.messages {
        let position = position(at).ok_or("a position is past the end of its page")?;
        let audience = audiences.iter().find(|(positions, _)| positions.contains(position));
        let (_, audience) = audience.ok_or("a message has no audience")?;
        let message = message.message(Generation(generation)).map_err(|_| "a message's name is no id")?;
        hot.page.put(position, message, audience.clone());
    }
    for (slot, row) in stored.rows.rows(&hot.page).ok_or("the rows of a page do not read")? {
        if hot.page.mark(slot, row) != row {
            return Err("a page has readers who were not asked");
        }
    }
    into.pages.insert(PageNumber(number), hot);
    Ok(())
}

fn bytes(stored: &impl bincode::Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(stored, &mut bytes);
    bytes
}

fn whole<T: bincode::Decode<()>>(bytes: &[u8]) -> Option<T> {
    let (stored, taken) = decode(bytes)?;
    (taken == bytes.len()).then_some(stored)
}
