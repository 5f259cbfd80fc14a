//! Positions: the places of a page, and sets of them.

use super::slot::Bits;

/// The place of a message in its page, 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u8);

impl Position {
    /// The position as an index.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The set of this position alone.
    #[must_use]
    pub fn only(self) -> Positions {
        Positions(1 << self.0)
    }
}

/// A set of positions of one page, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Positions(pub u64);

impl Positions {
    /// How many.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `position` is one of them.
    #[must_use]
    pub fn contains(self, position: Position) -> bool {
        self.0 >> position.0 & 1 == 1
    }

    /// The positions, ascending.
    pub fn iter(self) -> impl Iterator<Item = Position> {
        Bits(self.0).map(|bit| Position(u8::try_from(bit).expect("invariant: a u64 has 64 bits")))
    }
}
