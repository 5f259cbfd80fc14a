//! Between memory and disk: heads, blocks of slots, shelves, and pages as bytes, and back.

pub(super) mod rows;

use std::sync::Arc;

use crate::domain::{ConversationId, Generation, Members, Order, Positions, SlotSet, UserId};
use crate::store::embedded::{
    hot::conversation::{Conversation, Head, HotPage, Key, PageNumber},
    pages::Extent,
    record::{
        StoredHead, StoredHidden, StoredMessage, StoredPage, StoredShelf, StoredSlots, decode, encode,
        position, shared,
    },
    stored::rows::{Reach, StoredRows},
};

/// Slots of a block: names are written again only in the blocks that got new ones.
pub(super) const BLOCK_SLOTS: u32 = 256;

/// The bytes of a conversation's head.
pub(super) fn head_bytes(id: &ConversationId, head: &Head, slots: u32) -> Vec<u8> {
    let stored = StoredHead {
        id: id.as_str().to_owned(),
        sequence: head.sequence,
        members: head.members.as_ref().map(|members| (members.version, StoredSlots::of(&members.slots))),
        order_highest: head.order_highest.map(|order| order.0),
        page_next: head.page_next,
        slots,
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

/// The bytes of a block of slots; the name of a deleted user is empty.
pub(super) fn slots_bytes(names: &[String]) -> Vec<u8> {
    bytes(&names.to_vec())
}

/// Hidden users are stored in so many objects, by a hash of their names: switching one on or off writes one of them.
const HIDDEN_BUCKETS: u32 = 256;

/// The object that a hidden user is stored in.
pub(super) fn hidden_bucket(user: &str) -> u32 {
    crc32fast::hash(user.as_bytes()) % HIDDEN_BUCKETS
}

/// The bytes of a bucket of hidden users.
pub(super) fn hidden_bytes(users: Vec<String>) -> Vec<u8> {
    bytes(&StoredHidden { users })
}

/// The users of a bucket.
pub(super) fn read_hidden(bytes: &[u8]) -> Result<Vec<UserId>, &'static str> {
    let stored: StoredHidden = whole(bytes).ok_or("a bucket of hidden users does not read")?;
    let users: Result<_, _> = stored.users.into_iter().map(UserId::new).collect();
    users.map_err(|_| "a user's name is no id")
}

/// Puts a block of slots behind those that are there.
pub(super) fn read_slots(into: &mut Conversation, block: u32, bytes: &[u8]) -> Result<(), &'static str> {
    if Some(into.names.len()) != block.checked_mul(BLOCK_SLOTS) {
        return Err("a block of slots is missing");
    }
    let users: Vec<String> = whole(bytes).ok_or("a block of slots does not read")?;
    for user in users {
        if user.is_empty() {
            into.names.push_nobody();
        } else {
            into.names.push(&UserId::new(user).map_err(|_| "a user's name is no id")?);
        }
    }
    Ok(())
}

/// The bytes of a page.
pub(super) fn page_bytes(hot: &HotPage) -> Vec<u8> {
    let page = &hot.page;
    let messages = page
        .messages()
        .map(|(position, message)| (position.0, message.generation.0, StoredMessage::of(&message)));
    let audiences =
        page.outline().audiences().map(|(slots, positions)| (positions.0, StoredSlots::of(slots)));
    let stored = StoredPage {
        sequence: hot.sequence,
        messages: messages.collect(),
        audiences: audiences.collect(),
        rows: StoredRows::of(page),
    };
    bytes(&stored)
}

/// The page in `bytes`. Its audiences are those of `shared` where they are equal, so that each stands in memory once.
pub(super) fn read_page<'a>(
    bytes: &[u8],
    shared: impl IntoIterator<Item = &'a Arc<SlotSet>>,
) -> Result<HotPage, &'static str> {
    let (mut hot, rows) = read_messages(bytes, shared)?;
    let rows = rows.rows(&hot.page).ok_or("the rows of a page do not read")?;
    if hot.page.restore(rows) { Ok(hot) } else { Err("a page has readers who were not asked") }
}

/// The page in `bytes` without its rows, and how far readers are on it; quicker than all of it.
pub(super) fn read_outline<'a>(
    bytes: &[u8],
    shared: impl IntoIterator<Item = &'a Arc<SlotSet>>,
) -> Result<(HotPage, Reach), &'static str> {
    let (hot, rows) = read_messages(bytes, shared)?;
    let reach = rows.reach(&hot.page).ok_or("the rows of a page do not read")?;
    Ok((hot, reach))
}

fn read_messages<'a>(
    bytes: &[u8],
    shared: impl IntoIterator<Item = &'a Arc<SlotSet>>,
) -> Result<(HotPage, StoredRows), &'static str> {
    let stored: StoredPage = whole(bytes).ok_or("a page does not read")?;
    let shared: Vec<&Arc<SlotSet>> = shared.into_iter().collect();
    let mut audiences: Vec<(Positions, Arc<SlotSet>)> = Vec::new();
    for (positions, slots) in &stored.audiences {
        let slots = slots.slots().ok_or("a set of slots does not read")?;
        let known = shared.iter().copied().find(|known| ***known == slots).cloned();
        audiences.push((Positions(*positions), known.unwrap_or_else(|| Arc::new(slots))));
    }
    let mut hot = HotPage { sequence: stored.sequence, ..HotPage::default() };
    for (at, generation, message) in stored.messages {
        let position = position(at).ok_or("a position is past the end of its page")?;
        let audience = audiences.iter().find(|(positions, _)| positions.contains(position));
        let (_, audience) = audience.ok_or("a message has no audience")?;
        let message = message.message(Generation(generation)).map_err(|_| "a message's name is no id")?;
        hot.page.put(position, &message, audience.clone());
    }
    Ok((hot, stored.rows))
}

/// Pages of a shelf: those of a conversation of ordinary length stand on one.
pub(super) const SHELF_PAGES: u32 = 64;

/// The bytes of a shelf.
pub(super) fn shelf_bytes(pages: &[(PageNumber, Extent)]) -> Vec<u8> {
    let extents =
        pages.iter().map(|(number, at)| (number.0 % SHELF_PAGES, at.file, at.offset, at.length)).collect();
    bytes(&StoredShelf { extents })
}

/// The pages of a shelf.
pub(super) fn read_shelf(shelf: u32, bytes: &[u8]) -> Result<Vec<(PageNumber, Extent)>, &'static str> {
    let stored: StoredShelf = whole(bytes).ok_or("a shelf does not read")?;
    let first = shelf.checked_mul(SHELF_PAGES).ok_or("a shelf is past the last page")?;
    let page = |(at, file, offset, length): (u32, u32, u32, u32)| {
        (at < SHELF_PAGES).then_some((PageNumber(first + at), Extent { file, offset, length }))
    };
    stored.extents.into_iter().map(page).collect::<Option<_>>().ok_or("a shelf holds another's page")
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
