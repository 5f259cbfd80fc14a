//! How often a figure was how large: counted without a lock, by whoever has it, and read by whoever shows it.
//!
//! Knows no format in which it is shown.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many bounds a spread has.
pub const BOUNDS: usize = 12;

/// How often a figure was at most each of its bounds and above the one before, and at the last place how often it was
/// above all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// Each is part of what it bounds.
    pub bounds: [u64; BOUNDS],
    /// One more than there are bounds.
    pub counts: [u64; BOUNDS + 1],
    /// All that was counted, added up.
    pub sum: u64,
}

/// A spread that is being counted. Those who read it meanwhile may miss the last figure in part of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [AtomicU64; BOUNDS + 1],
    sum: AtomicU64,
}

impl Tally {
    /// Counts a figure. The bounds rise, and are the same each time.
    pub(super) fn count(&self, bounds: &[u64; BOUNDS], figure: u64) {
        let at = bounds.partition_point(|bound| *bound < figure);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(figure, Ordering::Relaxed);
    }

    /// What was counted with these bounds.
    pub(super) fn spread(&self, bounds: &[u64; BOUNDS]) -> Spread {
        let counts = std::array::from_fn(|at| self.counts[at].load(Ordering::Relaxed));
        Spread { bounds: *bounds, counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_counts_at_its_bound_and_past_the_last_one_at_the_end() {
        let bounds = std::array::from_fn(|at| 10 * (at as u64 + 1));
        let tally = Tally::default();
        [0, 10, 11, 120, 121].into_iter().for_each(|figure| tally.count(&bounds, figure));
        let spread = tally.spread(&bounds);
        assert_eq!((spread.counts[0], spread.counts[1]), (2, 1));
        assert_eq!((spread.counts[BOUNDS - 1], spread.counts[BOUNDS]), (1, 1));
        assert_eq!((spread.sum, spread.counts.iter().sum::<u64>()), (262, 5));
    }
}
