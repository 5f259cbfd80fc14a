//! A block of a page's rows, plain or packed.
//!
//! People read in order, so most rows of a page are alike: those who have read all of it, and those who have read
//! nothing. Packed, a slot takes two bits that say which of these its row is, and only a row unlike them stands in full.
//!
//! ```text
//!   codes   2 bits a slot, 32 slots a word:  0 nothing   1, 2 the first or the second usual row   3 a row of its own
//!   own     the rows of those with a 3, 8 bytes each, in slot order
//! ```

/// Rows of a block, at most.
pub(super) const BLOCK_ROWS: usize = 512;

/// Codes in a word.
const WORD_CODES: usize = 32;

/// The code of a slot whose row stands in full.
const OWN: u64 = 3;

/// The lower bit of every code.
const LOWER_BITS: u64 = u64::MAX / 3;

/// With this share of rows of their own or less a block is packed, which makes it less than half as large…
const OWN_PACKED_SHARE: (usize, usize) = (3, 8);

/// …and with more than this it is plain again. Between the two lies room for what changes.
const OWN_SHARE: (usize, usize) = (1, 2);

/// With more than this other rows may have become the usual ones, so it is packed anew.
const OWN_ANEW_SHARE: (usize, usize) = (1, 4);

/// Up to [`BLOCK_ROWS`] rows.
#[derive(Debug, Clone)]
pub(super) enum Block {
    Plain(Vec<u64>),
    Packed(Packed),
}

/// Rows of which most are alike.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// Codes, and behind them rows of their own.
    words: Vec<u64>,
    /// How many words are codes.
    codes: usize,
    usual: [u64; 2],
}

impl Default for Block {
    fn default() -> Self {
        Self::Plain(Vec::new())
    }
}

impl Block {
    /// The row at `at`; nothing behind the last one.
    pub(super) fn get(&self, at: usize) -> u64 {
        match self {
            Self::Plain(rows) => rows.get(at).copied().unwrap_or(0),
            Self::Packed(packed) => packed.get(at),
        }
    }

    /// Puts `row` at `at`.
    pub(super) fn set(&mut self, at: usize, row: u64) {
        if let Self::Packed(packed) = self {
            packed.set(at, row);
            if packed.has_more_own_than(OWN_SHARE) {
                *self = Self::Plain(packed.rows().collect());
            }
            return;
        }
        if let Self::Plain(rows) = self {
            if rows.len() <= at {
                rows.resize(at + 1, 0);
            }
            rows[at] = row;
        }
    }

    /// Every row, from the first slot's on.
    pub(super) fn rows(&self) -> impl Iterator<Item = u64> + '_ {
        let (plain, packed) = match self {
            Self::Plain(rows) => (Some(rows.iter().copied()), None),
            Self::Packed(packed) => (None, Some(packed.rows())),
        };
        plain.into_iter().flatten().chain(packed.into_iter().flatten())
    }

    /// Whether any row has a bit of `bits`.
    pub(super) fn has_any(&self, bits: u64) -> bool {
        self.rows().any(|row| row & bits != 0)
    }

    /// Clears these bits in all rows.
    pub(super) fn clear(&mut self, bits: u64) {
        match self {
            Self::Plain(rows) => rows.iter_mut().for_each(|row| *row &= !bits),
            Self::Packed(packed) => {
                let own = &mut packed.words[packed.codes..];
                own.iter_mut().chain(&mut packed.usual).for_each(|row| *row &= !bits);
            }
        }
    }

    /// The same rows in less memory, if there is a way.
    pub(super) fn smaller(&self) -> Option<Self> {
        match self {
            Self::Plain(rows) => Packed::of(rows).map(Self::Packed),
            Self::Packed(packed) if packed.has_more_own_than(OWN_ANEW_SHARE) => {
                let anew = Packed::of(&packed.rows().collect::<Vec<_>>())?;
                (anew.words.len() < packed.words.len()).then_some(Self::Packed(anew))
            }
            Self::Packed(_) => None,
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let words = match self {
            Self::Plain(rows) => rows.capacity(),
            Self::Packed(packed) => packed.words.capacity(),
        };
        size_of::<Self>() + words * size_of::<u64>()
    }
}

impl Packed {
    /// None if that would not make them much smaller.
    fn of(rows: &[u64]) -> Option<Self> {
        let usual = usual(rows);
        let own = || rows.iter().copied().filter(|row| code(*row, usual) == OWN);
        let (codes, count) = (rows.len().div_ceil(WORD_CODES), own().count());
        let is_half = 2 * (codes + count) + size_of::<Self>() / size_of::<u64>() <= rows.len();
        if !is_half || is_more_than(OWN_PACKED_SHARE, count, rows.len()) {
            return None;
        }
        let mut words = Vec::with_capacity(codes + count);
        words.extend(
            rows.chunks(WORD_CODES)
                .map(|rows| rows.iter().rev().fold(0, |word, row| word << 2 | code(*row, usual))),
        );
        words.extend(own());
        Some(Self { words, codes, usual })
    }

    fn own(&self) -> &[u64] {
        &self.words[self.codes..]
    }

    fn has_more_own_than(&self, share: (usize, usize)) -> bool {
        is_more_than(share, self.own().len(), self.codes * WORD_CODES)
    }

    fn code(&self, at: usize) -> u64 {
        self.words[..self.codes].get(at / WORD_CODES).map_or(0, |word| word >> (2 * (at % WORD_CODES)) & OWN)
    }

    /// How many slots before `at`, which has a code, have a row of their own.
    fn own_before(&self, at: usize) -> usize {
        let count = |word: u64| (word & word >> 1 & LOWER_BITS).count_ones() as usize;
        let (word, bits) = (at / WORD_CODES, 2 * (at % WORD_CODES));
        let whole: usize = self.words[..word].iter().copied().map(count).sum();
        whole + count(self.words[word] & ((1 << bits) - 1))
    }

    fn get(&self, at: usize) -> u64 {
        match self.code(at) {
            0 => 0,
            OWN => self.own()[self.own_before(at)],
            usual => self.usual[usize::from(usual == 2)],
        }
    }

    fn set(&mut self, at: usize, row: u64) {
        let word = at / WORD_CODES;
        if self.codes <= word {
            let missing = word + 1 - self.codes;
            self.words.splice(self.codes..self.codes, std::iter::repeat_n(0, missing));
            self.codes = word + 1;
        }
        let (before, after) = (self.code(at), code(row, self.usual));
        let own = self.codes + self.own_before(at);
        match (before, after) {
            (OWN, OWN) => self.words[own] = row,
            (OWN, _) => _ = self.words.remove(own),
            (_, OWN) => {
                // A copy is as large as what is in it, and most are changed once.
                self.words.reserve_exact(1);
                self.words.insert(own, row);
            }
            _ => {}
        }
        let shift = 2 * (at % WORD_CODES);
        self.words[word] = self.words[word] & !(OWN << shift) | after << shift;
    }

    fn rows(&self) -> impl Iterator<Item = u64> + '_ {
        let mut own = self.own().iter().copied();
        (0..self.codes * WORD_CODES).map(move |at| match self.code(at) {
            0 => 0,
            OWN => own.next().expect("invariant: a row for each slot that has its own"),
            usual => self.usual[usize::from(usual == 2)],
        })
    }
}

/// Whether `count` is more than a share of `all`.
fn is_more_than((part, of): (usize, usize), count: usize, all: usize) -> bool {
    of * count > part * all
}

/// What stands for `row` where these rows are usual.
fn code(row: u64, usual: [u64; 2]) -> u64 {
    match row {
        0 => 0,
        _ if row == usual[0] => 1,
        _ if row == usual[1] => 2,
        _ => OWN,
    }
}

/// The two rows that most slots have, beside the empty one.
fn usual(rows: &[u64]) -> [u64; 2] {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    let mut most = [(0, 0); 2];
    for alike in sorted.chunk_by(u64::eq).filter(|alike| alike[0] != 0) {
        let found = (alike.len(), alike[0]);
        if found.0 > most[0].0 {
            most = [found, most[0]];
        } else if found.0 > most[1].0 {
            most[1] = found;
        }
    }
    most.map(|(_, row)| row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as people leave them who read in order: all, nothing, or some; and a few read here and there.
    fn rows(random: &mut fastrand::Rng, count: usize) -> Vec<u64> {
        let row = |random: &mut fastrand::Rng| match random.u8(..10) {
            0..=5 => u64::MAX,
            6..=7 => 0,
            8 => (1 << random.u8(..64)) - 1,
            _ => random.u64(..),
        };
        (0..count).map(|_| row(random)).collect()
    }

    #[test]
    fn packed_rows_are_the_same_rows_through_all_changes() {
        let mut random = fastrand::Rng::with_seed(3);
        for count in [BLOCK_ROWS, 300, 97] {
            let mut plain = Block::Plain(rows(&mut random, count));
            let mut packed = plain.smaller().unwrap();
            assert!(matches!(packed, Block::Packed(_)) && packed.bytes() * 2 < plain.bytes());
            let mut rounds_packed = 0;
            for change in 0..2_000 {
                if change % 50 == 0 {
                    packed = packed.smaller().unwrap_or(packed);
                    rounds_packed += usize::from(matches!(packed, Block::Packed(_)));
                }
                if change % 500 == 499 {
                    let bits = 1 << random.u8(..64);
                    assert_eq!(packed.has_any(bits), plain.has_any(bits));
                    plain.clear(bits);
                    packed.clear(bits);
                } else {
                    let (at, row) = (random.usize(..BLOCK_ROWS), rows(&mut random, 1)[0]);
                    plain.set(at, row);
                    packed.set(at, row);
                }
                if change % 10 == 0 {
                    let each = |block: &Block| (0..BLOCK_ROWS).map(|at| block.get(at)).collect::<Vec<_>>();
                    assert_eq!(each(&packed), each(&plain), "{count} rows, change {change}");
                    let in_turn = packed.rows().chain(std::iter::repeat(0)).take(BLOCK_ROWS);
                    assert!(in_turn.eq(each(&plain)), "{count} rows, change {change}");
                }
            }
            assert!(rounds_packed > 20, "{count} rows were packed in {rounds_packed} of 40 rounds");
        }
    }

    #[test]
    fn rows_are_packed_anew_once_others_are_usual() {
        let mut block = Block::Plain(vec![1; 200]).smaller().unwrap();
        let small = block.bytes();
        (0..200).for_each(|at| block.set(at, 3));
        assert!(matches!(block, Block::Plain(_)), "more than half have a row of their own");
        block = block.smaller().unwrap();
        (0..60).for_each(|at| block.set(at, 7));
        (60..100).for_each(|at| block.set(at, 9));
        assert!(matches!(block, Block::Packed(_)), "fewer than half have");
        let large = block.bytes();
        block = block.smaller().unwrap();
        assert!(small < block.bytes() && block.bytes() < large);
        let row = |at| {
            if at < 60 {
                7
            } else if at < 100 {
                9
            } else {
                3
            }
        };
        assert!((0..200).all(|at| block.get(at) == row(at)));
    }

    #[test]
    fn rows_without_order_stay_plain_and_become_so() {
        let mut random = fastrand::Rng::with_seed(4);
        let unlike = Block::Plain((0..BLOCK_ROWS).map(|_| random.u64(..)).collect());
        assert!(unlike.smaller().is_none());
        assert!(Block::Plain(vec![u64::MAX; 2]).smaller().is_none(), "two rows are smaller as they are");
        let mut packed = Block::Plain(vec![u64::MAX; BLOCK_ROWS]).smaller().unwrap();
        (0..BLOCK_ROWS).for_each(|at| packed.set(at, unlike.get(at)));
        assert!(matches!(packed, Block::Plain(_)));
        assert!(packed.rows().eq(unlike.rows()));
    }
}
