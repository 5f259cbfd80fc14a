//! The payloads' parts: numbers, texts and sets, to bytes and back.

use crate::domain::{Slot, SlotSet};

/// What a payload is read from. Every read is `None` at the end of the bytes, or for what was never written.
#[derive(Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (fixed, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*fixed)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.fixed().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && part > 1 {
                return None;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    /// How many of something follow, each of which takes a byte at least.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(text).ok()
    }

    /// A number that may be left out.
    #[expect(clippy::option_option, reason = "whether it reads, and whether it is there")]
    pub(super) fn option(&mut self) -> Option<Option<u64>> {
        match self.byte()? {
            0 => Some(None),
            1 => self.number().map(Some),
            _ => None,
        }
    }

    /// A set of slots below `end`: what it takes in memory is in proportion to what was read before.
    pub(super) fn set(&mut self, end: u32) -> Option<SlotSet> {
        match self.byte()? {
            0 => {
                let count = self.count()?;
                let mut at = 0_u32;
                let mut runs = Vec::new();
                for _ in 0..count {
                    let first = at.checked_add(self.small()?)?;
                    let length = self.small()?;
                    at = first.checked_add(length).filter(|at| *at <= end)?;
                    runs.push((first, length));
                }
                SlotSet::from_runs(&runs)
            }
            1 => {
                let count = self.count()?;
                let words: Option<Vec<u64>> =
                    (0..count).map(|_| Some(u64::from_le_bytes(self.fixed()?))).collect();
                let set = SlotSet::from_words(words?);
                let is_inside = end
                    .checked_sub(1)
                    .map_or(set.is_empty(), |last| set.iter_after(Some(Slot(last))).next().is_none());
                is_inside.then_some(set)
            }
            _ => None,
        }
    }
}

pub(super) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

pub(super) fn put_count(bytes: &mut Vec<u8>, count: usize) {
    put_number(bytes, count as u64);
}

pub(super) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_count(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

pub(super) fn put_option(bytes: &mut Vec<u8>, number: Option<u64>) {
    bytes.push(number.is_some().into());
    number.into_iter().for_each(|number| put_number(bytes, number));
}

/// The shorter way of the two.
pub(super) fn put_set(bytes: &mut Vec<u8>, set: &SlotSet) {
    /// What a run takes in most groups.
    const RUN_BYTES: usize = 3;
    let (runs, words) = (set.runs(), set.words());
    if runs.len() * RUN_BYTES > size_of_val(words) {
        bytes.push(1);
        put_count(bytes, words.len());
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        return;
    }
    bytes.push(0);
    put_count(bytes, runs.len());
    let mut end = 0;
    for (first, length) in runs {
        put_number(bytes, u64::from(first - end));
        put_number(bytes, u64::from(length));
        end = first + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back_as_written() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            let mut read = Bytes(&bytes);
            assert_eq!((read.number(), read.is_empty()), (Some(number), true));
        }
        assert_eq!(Bytes(&[0xff; 9]).number(), None, "cut");
        assert_eq!(Bytes(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02").number(), None, "above 64 bits");
    }

    #[test]
    fn sets_are_read_back_either_way_and_only_inside_their_bounds() {
        let run: SlotSet = (5..2_000).map(Slot).collect();
        let scattered: SlotSet = (0..1_000).map(|slot| Slot(slot * 2)).collect();
        for set in [run, scattered, SlotSet::default()] {
            let mut bytes = Vec::new();
            put_set(&mut bytes, &set);
            assert_eq!(Bytes(&bytes).set(2_000), Some(set.clone()));
            assert_eq!(Bytes(&bytes).set(1_998).is_some(), set.is_empty());
            assert_eq!(Bytes(&bytes).set(0).is_some(), set.is_empty());
        }
        assert_eq!(Bytes(b"\x00\x01\x00\xff\xff\xff\xff\x0f").set(9), None, "a run of nearly all numbers");
    }
}
