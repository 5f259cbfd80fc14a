//! The rows of a page as the base keeps them: who has read what, in little space.
//!
//! People read in order. So most readers have read all of a page they were sent, or nothing of it; of the others
//! most have stopped at some message. Those take a bit, nothing, and three bytes. Where reading has no order, rows
//! stand as they are, 8 bytes a slot.

use bincode::{Decode, Encode};

use crate::domain::{PAGE_MESSAGES_MAX, Page, Positions, Slot, SlotSet};
use crate::store::embedded::record::StoredSlots;

/// The rows of a page, whichever way is shorter. Says nothing without the page's messages and audiences.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(in crate::store::embedded) enum StoredRows {
    /// By what is usual.
    Sparse {
        /// Who has read all that they were sent.
        caught_up: StoredSlots,
        /// Who has read some of it: the gap since the slot after the last one, and the row.
        others: Vec<(u32, StoredRow)>,
    },
    /// Each slot's row from 0 on, 8 bytes, low byte first.
    Dense(Vec<u8>),
}

/// How far readers are on a page.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store::embedded) struct Reach {
    /// Who was sent something that they have not read.
    pub(in crate::store::embedded) behind: SlotSet,
    /// Who has read something.
    pub(in crate::store::embedded) read: SlotSet,
}

/// The row of a reader who has read some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(in crate::store::embedded) enum StoredRow {
    /// All that they were sent at positions below this one.
    Below(u8),
    /// One bit a position.
    Bits(u64),
}

impl StoredRow {
    /// Bytes that bincode takes for either kind, the gap among them.
    const BELOW_BYTES: usize = 1 + 1 + 1;
    const BITS_BYTES: usize = 1 + 1 + 9;

    fn of(row: Positions, asked: Positions) -> Self {
        let below = u64::BITS - row.0.leading_zeros();
        match u8::try_from(below) {
            Ok(below) if bits_below(below) & asked.0 == row.0 => Self::Below(below),
            _ => Self::Bits(row.0),
        }
    }

    fn row(self, asked: Positions) -> Option<Positions> {
        match self {
            Self::Below(below) if usize::from(below) <= PAGE_MESSAGES_MAX => {
                Some(Positions(bits_below(below) & asked.0))
            }
            Self::Below(_) => None,
            Self::Bits(row) => Some(Positions(row)),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Below(_) => Self::BELOW_BYTES,
            Self::Bits(_) => Self::BITS_BYTES,
        }
    }
}

fn bits_below(position: u8) -> u64 {
    u64::MAX.checked_shr(u64::BITS - u32::from(position)).unwrap_or(0)
}

impl StoredRows {
    /// The rows of `page`.
    pub(in crate::store::embedded) fn of(page: &Page) -> Self {
        let mut caught_up = SlotSet::default();
        let mut others = Vec::new();
        let mut end = 0;
        let each = page.outline().asked_each();
        for (slot, row) in page.rows() {
            let asked = each.asked(slot);
            if row == asked {
                caught_up.insert(slot);
                continue;
            }
            others.push((slot.0 - end, StoredRow::of(row, asked)));
            end = slot.0 + 1;
        }
        let slots = page.rows().last().map_or(0, |(slot, _)| slot.index() + 1);
        let sparse = caught_up.words().len() * 8 + others.iter().map(|(_, row)| row.bytes()).sum::<usize>();
        if sparse <= slots * 8 {
            return Self::Sparse { caught_up: StoredSlots::of(&caught_up), others };
        }
        let mut bytes = vec![0; slots * 8];
        for (slot, row) in page.rows() {
            bytes[slot.index() * 8..][..8].copy_from_slice(&row.0.to_le_bytes());
        }
        Self::Dense(bytes)
    }

    /// How far readers are on `page`, with its messages and audiences in place; none if the rows do not read.
    pub(in crate::store::embedded) fn reach(&self, page: &Page) -> Option<Reach> {
        let mut behind = page.outline().asked_any();
        match self {
            Self::Dense(_) => {
                let each = page.outline().asked_each();
                let rows = self.rows(page)?;
                rows.iter().filter(|(slot, row)| *row == each.asked(*slot)).for_each(|(slot, _)| {
                    behind.remove(*slot);
                });
                Some(Reach { behind, read: rows.into_iter().map(|(slot, _)| slot).collect() })
            }
            Self::Sparse { caught_up, others } => {
                let mut read = caught_up.slots()?;
                behind.remove_all(&read);
                let mut end = 0_u32;
                for (gap, _) in others {
                    let slot = Slot(end.checked_add(*gap)?);
                    end = slot.0.checked_add(1)?;
                    read.insert(slot);
                }
                Some(Reach { behind, read })
            }
        }
    }

    /// Each reader's row, for `page` with its messages and audiences in place; none if they do not read.
    pub(in crate::store::embedded) fn rows(&self, page: &Page) -> Option<Vec<(Slot, Positions)>> {
        match self {
            Self::Dense(bytes) => {
                let (rows, rest) = bytes.as_chunks();
                let rows =
                    (0..).zip(rows).map(|(slot, row)| (Slot(slot), Positions(u64::from_le_bytes(*row))));
                rest.is_empty().then(|| rows.filter(|(_, row)| !row.is_empty()).collect())
            }
            Self::Sparse { caught_up, others } => {
                let caught_up = caught_up.slots()?;
                let each = page.outline().asked_each();
                let mut rows: Vec<_> = caught_up.iter().map(|slot| (slot, each.asked(slot))).collect();
                let mut end = 0_u32;
                for (gap, row) in others {
                    let slot = Slot(end.checked_add(*gap)?);
                    end = slot.0.checked_add(1)?;
                    rows.push((slot, row.row(each.asked(slot))?));
                }
                Some(rows)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{ExpiresAt, Generation, Message, MessageId, Order, Position},
        store::embedded::record::{decode, encode},
    };

    const MEMBERS: u32 = 500;

    /// 64 messages, by four senders in turn.
    fn page() -> Page {
        let audience = Arc::new((0..MEMBERS).map(Slot).collect::<SlotSet>());
        let mut page = Page::default();
        for at in 0..64_u8 {
            let message = Message {
                id: MessageId::new(format!("m{at}")).unwrap(),
                sender: Slot(u32::from(at % 4)),
                order_asked: false,
                order: Order(u64::from(at) + 1),
                audience_asked: false,
                expires_in_s: None,
                expires_at: ExpiresAt { unix_s: 1 },
                generation: Generation(1),
            };
            page.put(Position(at), &message, audience.clone());
        }
        page
    }

    /// Writes and reads the rows, and returns how many bytes they took.
    fn through(page: &Page) -> usize {
        let mut bytes = Vec::new();
        encode(&StoredRows::of(page), &mut bytes);
        let (stored, _): (StoredRows, _) = decode(&bytes).unwrap();
        let mut rows = stored.rows(page).unwrap();
        rows.sort_unstable_by_key(|(slot, _)| *slot);
        assert_eq!(rows, page.rows().collect::<Vec<_>>());
        let behind = (0..MEMBERS).map(Slot).filter(|slot| page.asked(*slot) != page.read_by(*slot));
        let read = rows.iter().map(|(slot, _)| *slot);
        assert_eq!(stored.reach(page), Some(Reach { behind: behind.collect(), read: read.collect() }));
        bytes.len()
    }

    #[test]
    fn reading_in_order_takes_a_bit_a_reader_and_a_few_bytes_for_who_stopped() {
        let mut page = page();
        assert!(through(&page) <= 4, "nobody has read anything");
        for slot in 0..MEMBERS {
            page.mark(Slot(slot), Positions(u64::MAX));
        }
        assert!(through(&page) <= 8, "all have read everything, their own aside: one run");
        let mut page = self::page();
        for slot in 0..MEMBERS {
            let stopped = slot % 10 == 0;
            page.mark(Slot(slot), Positions(if stopped { bits_below(17) } else { u64::MAX }));
        }
        assert!(through(&page) <= 9 * 8 + 50 * 3 + 8, "of 4,000 as they stand: {}", through(&page));
    }

    #[test]
    fn reading_without_order_takes_8_bytes_a_slot() {
        let mut page = page();
        let mut random = fastrand::Rng::with_seed(1);
        for slot in 0..MEMBERS {
            page.mark(Slot(slot), Positions(random.u64(..)));
        }
        assert!(through(&page) <= MEMBERS as usize * 8 + 4);
    }

    #[test]
    fn rows_that_cannot_be_are_not_read() {
        let page = page();
        let sparse = |others| StoredRows::Sparse { caught_up: StoredSlots::Runs(vec![]), others };
        assert_eq!(sparse(vec![(0, StoredRow::Below(65))]).rows(&page), None);
        assert_eq!(sparse(vec![(u32::MAX, StoredRow::Bits(1))]).rows(&page), None);
        assert_eq!(StoredRows::Dense(vec![0; 9]).rows(&page), None);
    }
}
