//! Numbers by position, in as few bytes each as tell them apart.

/// Up to 64 numbers. Most are near each other, so each is kept as what it is above the least of them, in 0 to 8 bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    least: u64,
    /// Bytes of each, and the bits of so many.
    width: usize,
    mask: u64,
    len: usize,
    /// Low byte first, and behind the last so many zeros that eight bytes can be read of each.
    bytes: Vec<u8>,
}

/// Bytes that are read at once.
const READ_BYTES: usize = 8;

impl Numbers {
    /// The number at a position below the length.
    #[inline]
    pub(super) fn get(&self, at: usize) -> u64 {
        let bytes = self.bytes.get(at * self.width..).and_then(<[u8]>::first_chunk::<READ_BYTES>);
        let read = bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        self.least.wrapping_add(read & self.mask)
    }

    /// Puts a number at a position; what lies between it and the others has any.
    pub(super) fn set(&mut self, at: usize, number: u64) {
        let above =
            number.checked_sub(self.least).filter(|above| self.width >= width(*above) && self.len > 0);
        match above {
            Some(above) => {
                self.len = self.len.max(at + 1);
                self.reach();
                self.put(at, above);
            }
            None => self.widen(at, number),
        }
    }

    /// Makes room for as many as there are.
    fn reach(&mut self) {
        let padding = if self.width == 0 { 0 } else { READ_BYTES };
        self.bytes.resize(self.len * self.width + padding, 0);
    }

    fn put(&mut self, at: usize, above: u64) {
        let (first, width) = (at * self.width, self.width);
        self.bytes[first..first + width].copy_from_slice(&above.to_le_bytes()[..width]);
    }

    fn widen(&mut self, at: usize, number: u64) {
        let mut all: Vec<u64> = (0..self.len).map(|at| self.get(at)).collect();
        if all.len() <= at {
            all.resize(at + 1, number);
        }
        all[at] = number;
        self.least = all.iter().copied().min().unwrap_or(number);
        self.width = all.iter().map(|number| width(number - self.least)).max().unwrap_or(0);
        self.len = all.len();
        self.mask = u64::MAX.checked_shr(u64::BITS - 8 * u32::try_from(self.width).unwrap_or(0)).unwrap_or(0);
        self.bytes.clear();
        self.reach();
        (0..).zip(all).for_each(|(at, number)| self.put(at, number - self.least));
    }

    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Bytes of memory beside itself.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// How many bytes a number takes.
fn width(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()).div_ceil(8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_they_were_however_far_apart() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..200 {
            let (mut numbers, mut known) = (Numbers::default(), Vec::new());
            for _ in 0..100 {
                let number = random.u64(..) >> random.u32(..64);
                let at = random.usize(..=known.len().min(63));
                numbers.set(at, number);
                if at == known.len() {
                    known.push(number);
                } else {
                    known[at] = number;
                }
                assert!((0..known.len()).map(|at| numbers.get(at)).eq(known.iter().copied()), "{known:?}");
            }
        }
        let mut alike = Numbers::default();
        (0..64).for_each(|at| alike.set(at, 1_999));
        assert_eq!((alike.get(63), alike.bytes()), (1_999, 0), "what is the same for all takes nothing");
    }
}
