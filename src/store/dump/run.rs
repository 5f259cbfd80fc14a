//! A run of messages, whom they are for and who has read them: a page of the domain, to bytes and back.
//!
//! People read in order, so most readers of a run have read all of it that was for them, or nothing; of the others most
//! have stopped at some message. Those take a bit, nothing, and two or three bytes.

use std::sync::Arc;

use super::bytes::{Bytes, put_count, put_number, put_set, put_text};
use crate::domain::{
    ExpiresAt, Generation, Message, MessageId, Order, PAGE_MESSAGES_MAX, Page, Position, Positions, Slot,
    SlotSet,
};

const ORDER_ASKED: u8 = 1;
const AUDIENCE_ASKED: u8 = 2;
const EXPIRES_IN: u8 = 4;

/// Appends the messages of a page, as positions without gaps.
pub(super) fn put_run(bytes: &mut Vec<u8>, page: &Page) {
    let held: Vec<Position> = page.messages().map(|(position, _)| position).collect();
    put_count(bytes, held.len());
    page.messages().for_each(|(_, message)| put_message(bytes, &message));
    let audiences: Vec<_> = page.outline().audiences().collect();
    put_count(bytes, audiences.len());
    for (slots, positions) in audiences {
        bytes.extend_from_slice(&closed_up(positions, &held).0.to_le_bytes());
        put_set(bytes, slots);
    }
    put_rows(bytes, page, &held);
}

fn put_message(bytes: &mut Vec<u8>, message: &Message<&str>) {
    put_text(bytes, message.id);
    put_number(bytes, message.sender.0.into());
    put_number(bytes, message.order.0);
    let mut asked = 0;
    asked |= if message.order_asked { ORDER_ASKED } else { 0 };
    asked |= if message.audience_asked { AUDIENCE_ASKED } else { 0 };
    asked |= if message.expires_in_s.is_some() { EXPIRES_IN } else { 0 };
    bytes.push(asked);
    message.expires_in_s.into_iter().for_each(|expires_in_s| put_number(bytes, expires_in_s.into()));
    put_number(bytes, message.expires_at.unix_s);
    put_number(bytes, message.generation.0);
}

/// The same messages, numbered by their place among those that are held.
fn closed_up(positions: Positions, held: &[Position]) -> Positions {
    if held.last().is_none_or(|last| last.index() + 1 == held.len()) {
        return positions;
    }
    let bits = held.iter().enumerate().map(|(at, position)| u64::from(positions.contains(*position)) << at);
    Positions(bits.fold(0, |all, bit| all | bit))
}

fn put_rows(bytes: &mut Vec<u8>, page: &Page, held: &[Position]) {
    let each = page.outline().asked_each();
    let mut caught_up = SlotSet::default();
    let mut others: Vec<(Slot, Positions, Positions)> = Vec::new();
    for (slot, row) in page.rows() {
        let asked = each.asked(slot);
        if row == asked {
            caught_up.insert(slot);
        } else {
            others.push((slot, closed_up(row, held), closed_up(asked, held)));
        }
    }
    put_set(bytes, &caught_up);
    put_count(bytes, others.len());
    let mut end = 0;
    for (slot, row, asked) in others {
        put_number(bytes, u64::from(slot.0 - end));
        end = slot.0 + 1;
        let up_to = u64::BITS - row.0.leading_zeros();
        match u8::try_from(up_to) {
            Ok(up_to) if first(up_to) & asked.0 == row.0 => bytes.push(up_to),
            _ => {
                bytes.push(0);
                bytes.extend_from_slice(&row.0.to_le_bytes());
            }
        }
    }
}

/// The first so many positions.
fn first(count: u8) -> u64 {
    u64::MAX.checked_shr(u64::BITS - u32::from(count)).unwrap_or(0)
}

/// The page of a run, in a conversation with `slots` slots. Fails with what is wrong.
pub(super) fn read_run(bytes: &mut Bytes<'_>, slots: u32) -> Result<Page, &'static str> {
    let messages = read_messages(bytes, slots).ok_or("a message does not read")?;
    if messages.is_empty() || messages.len() > PAGE_MESSAGES_MAX {
        return Err("a run has no messages, or more than it may");
    }
    let audiences = read_audiences(bytes, slots).ok_or("an audience does not read")?;
    let mut page = Page::default();
    for (position, message) in (0..).map(Position).zip(messages) {
        let mut of = audiences.iter().filter(|(positions, _)| positions.contains(position));
        let (Some((_, audience)), None) = (of.next(), of.next()) else {
            return Err("a message has no audience, or two");
        };
        page.put(position, &message, audience.clone());
    }
    let rows = read_rows(bytes, &page, slots).ok_or("who has read does not read")?;
    if page.restore(rows) { Ok(page) } else { Err("somebody has read what they were not asked") }
}

fn read_messages(bytes: &mut Bytes<'_>, slots: u32) -> Option<Vec<Message>> {
    let count = bytes.count()?;
    (0..count).map(|_| read_message(bytes, slots)).collect()
}

fn read_message(bytes: &mut Bytes<'_>, slots: u32) -> Option<Message> {
    let id = MessageId::new(bytes.text()?).ok()?;
    let sender = Slot(bytes.small().filter(|sender| *sender < slots)?);
    let order = Order(bytes.number()?);
    let asked = bytes.byte().filter(|asked| asked & !(ORDER_ASKED | AUDIENCE_ASKED | EXPIRES_IN) == 0)?;
    let expires_in_s = if asked & EXPIRES_IN == 0 { None } else { Some(bytes.small()?) };
    Some(Message {
        id,
        sender,
        order_asked: asked & ORDER_ASKED != 0,
        order,
        audience_asked: asked & AUDIENCE_ASKED != 0,
        expires_in_s,
        expires_at: ExpiresAt { unix_s: bytes.number()? },
        generation: Generation(bytes.number()?),
    })
}

fn read_audiences(bytes: &mut Bytes<'_>, slots: u32) -> Option<Vec<(Positions, Arc<SlotSet>)>> {
    let count = bytes.count().filter(|count| *count <= PAGE_MESSAGES_MAX)?;
    let one = |bytes: &mut Bytes<'_>| {
        let positions = Positions(u64::from_le_bytes(bytes.fixed()?));
        Some((positions, Arc::new(bytes.set(slots)?)))
    };
    (0..count).map(|_| one(bytes)).collect()
}

fn read_rows(bytes: &mut Bytes<'_>, page: &Page, slots: u32) -> Option<Vec<(Slot, Positions)>> {
    let each = page.outline().asked_each();
    let caught_up = bytes.set(slots)?;
    let mut rows: Vec<_> = caught_up.iter().map(|slot| (slot, each.asked(slot))).collect();
    let count = bytes.count()?;
    let mut end = 0_u32;
    for _ in 0..count {
        let slot = Slot(end.checked_add(bytes.small()?).filter(|slot| *slot < slots)?);
        end = slot.0 + 1;
        let row = match bytes.byte()? {
            0 => Positions(u64::from_le_bytes(bytes.fixed()?)),
            up_to if usize::from(up_to) <= PAGE_MESSAGES_MAX => Positions(first(up_to) & each.asked(slot).0),
            _ => return None,
        };
        rows.push((slot, row));
    }
    Some(rows)
}
