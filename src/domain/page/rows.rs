//! The rows of a page: who has read what, one bit each.

use std::sync::Arc;

use super::block::{BLOCK_ROWS, Block};
use crate::domain::{Positions, Slot};

/// A row of 64 bits a slot, in shared blocks: a copy costs little, and a change to it leaves the original as it was.
/// Rows that are copied together when one of them changes take 4 KiB, and mostly a tenth of that once they are packed.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows(Vec<Arc<Block>>);

impl Rows {
    pub(super) fn get(&self, slot: Slot) -> u64 {
        let block = self.0.get(slot.index() / BLOCK_ROWS);
        block.map_or(0, |rows| rows.get(slot.index() % BLOCK_ROWS))
    }

    pub(super) fn set(&mut self, slot: Slot, row: u64) {
        let (block, at) = (slot.index() / BLOCK_ROWS, slot.index() % BLOCK_ROWS);
        if self.0.len() <= block {
            self.0.resize_with(block + 1, Arc::default);
        }
        Arc::make_mut(&mut self.0[block]).set(at, row);
    }

    /// Brings the rows into little memory. Costs a look at each that is not there yet.
    pub(super) fn pack(&mut self) {
        self.0.shrink_to_fit();
        for block in &mut self.0 {
            if let Some(smaller) = block.smaller() {
                *block = Arc::new(smaller);
            }
        }
    }

    /// Clears the bits at `positions` in all rows.
    pub(super) fn clear(&mut self, positions: Positions) {
        for block in &mut self.0 {
            if block.has_any(positions.0) {
                Arc::make_mut(block).clear(positions.0);
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
            rows.rows().enumerate().filter(|(_, row)| *row != 0).map(move |(at, row)| {
                let slot = u32::try_from(first + at).expect("invariant: slots are u32");
                (Slot(slot), Positions(row))
            })
        })
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        /// The counters of a block that is shared.
        const COUNTERS_BYTES: usize = 16;
        let blocks = self.0.iter().map(|block| block.bytes() + COUNTERS_BYTES);
        blocks.sum::<usize>() + self.0.capacity() * size_of::<Arc<Block>>()
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
