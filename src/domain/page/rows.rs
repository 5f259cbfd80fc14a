//! The rows of a page: who has read what, one bit each.

use std::sync::Arc;

use crate::domain::{Positions, Slot};

/// Rows that are copied together when one of them changes: 512 x 8 bytes = 4 KiB.
const BLOCK_ROWS: usize = 512;

/// A row of 64 bits a slot, in shared blocks: a copy costs little, and a change to it leaves the original as it was.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows(Vec<Arc<Vec<u64>>>);

impl Rows {
    pub(super) fn get(&self, slot: Slot) -> u64 {
        let block = self.0.get(slot.index() / BLOCK_ROWS);
        block.and_then(|rows| rows.get(slot.index() % BLOCK_ROWS)).copied().unwrap_or(0)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut u64 {
        let (block, row) = (slot.index() / BLOCK_ROWS, slot.index() % BLOCK_ROWS);
        if self.0.len() <= block {
            self.0.resize_with(block + 1, Arc::default);
        }
        let rows = Arc::make_mut(&mut self.0[block]);
        if rows.len() <= row {
            rows.resize(row + 1, 0);
        }
        &mut rows[row]
    }

    /// Clears the bits at `positions` in all rows.
    pub(super) fn clear(&mut self, positions: Positions) {
        for block in &mut self.0 {
            if block.iter().any(|row| row & positions.0 != 0) {
                Arc::make_mut(block).iter_mut().for_each(|row| *row &= !positions.0);
            }
        }
    }

    pub(super) fn clear_all(&mut self) {
        self.0.clear();
    }

    /// Every row that is not empty, in slot order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, Positions)> + '_ {
        self.0.iter().enumerate().flat_map(|(block, rows)| {
            let first = block * BLOCK_ROWS;
            rows.iter().enumerate().filter(|(_, row)| **row != 0).map(move |(at, row)| {
                let slot = u32::try_from(first + at).expect("invariant: slots are u32");
                (Slot(slot), Positions(*row))
            })
        })
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let blocks =
            self.0.iter().map(|rows| rows.capacity() * size_of::<u64>() + size_of::<Vec<u64>>() + 16);
        blocks.sum::<usize>() + self.0.capacity() * size_of::<Arc<Vec<u64>>>()
    }
}

/// Counts the bits of each column over many rows.
///
/// Six words count upright, a binary digit of all 64 columns each: adding a row is a ripple of carries that is two
/// steps long on average, where going through its bits would be 64.
#[derive(Debug)]
pub(super) struct Columns {
    digits: [u64; 6],
    rows: u32,
    counts: [u32; 64],
}

impl Columns {
    /// What six binary digits hold.
    const ROWS_MAX: u32 = (1 << 6) - 1;

    pub(super) fn new() -> Self {
        Self { digits: [0; 6], rows: 0, counts: [0; 64] }
    }

    pub(super) fn add(&mut self, row: Positions) {
        if self.rows == Self::ROWS_MAX {
            self.spill();
        }
        self.rows += 1;
        let mut carry = row.0;
        for digit in &mut self.digits {
            (*digit, carry) = (*digit ^ carry, *digit & carry);
        }
    }

    fn spill(&mut self) {
        for (power, digit) in self.digits.iter_mut().enumerate() {
            for position in Positions(*digit).iter() {
                self.counts[position.index()] += 1 << power;
            }
            *digit = 0;
        }
        self.rows = 0;
    }

    pub(super) fn counts(mut self) -> [u32; 64] {
        self.spill();
        self.counts
    }
}
