//! Slots: the small numbers that stand for a conversation's users, and sets of them.

/// The number that stands for a user within one conversation. A user who leaves and comes back has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    /// The slot as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of slots, one bit each.
///
/// Two sets are equal if they hold the same slots: no zero words are kept at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotSet {
    words: Vec<u64>,
}

impl SlotSet {
    /// Whether `slot` is in the set.
    #[must_use]
    pub fn contains(&self, slot: Slot) -> bool {
        self.words.get(slot.index() / 64).is_some_and(|word| word >> (slot.0 % 64) & 1 == 1)
    }

    /// Puts `slot` in; false if it was there.
    pub fn insert(&mut self, slot: Slot) -> bool {
        let at = slot.index() / 64;
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        let bit = 1 << (slot.0 % 64);
        let new = self.words[at] & bit == 0;
        self.words[at] |= bit;
        new
    }

    /// Takes `slot` out; false if it was not there.
    pub fn remove(&mut self, slot: Slot) -> bool {
        if !self.contains(slot) {
            return false;
        }
        self.words[slot.index() / 64] &= !(1 << (slot.0 % 64));
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        true
    }

    /// Takes all of `others` out.
    pub fn remove_all(&mut self, others: &Self) {
        self.words.iter_mut().zip(&others.words).for_each(|(word, others)| *word &= !others);
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }

    /// How many slots the set holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether the set holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many slots are in both sets.
    #[must_use]
    pub fn count_common(&self, other: &Self) -> usize {
        self.words.iter().zip(&other.words).map(|(word, other)| (word & other).count_ones() as usize).sum()
    }

    /// The slots that are in both sets, in ascending order.
    pub fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Slot> + 'a {
        let words = self.words.iter().zip(&other.words).zip(0_u32..);
        words.flat_map(|((word, other), at)| Bits(word & other).map(move |bit| Slot(at * 64 + bit)))
    }

    /// The slots in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.iter_after(None)
    }

    /// The slots above `after` in ascending order, all of them without it.
    pub fn iter_after(&self, after: Option<Slot>) -> impl Iterator<Item = Slot> + '_ {
        let first = after.map_or(0, |slot| u64::from(slot.0) + 1);
        let first_word = usize::try_from(first / 64).unwrap_or(usize::MAX);
        self.words.iter().enumerate().skip(first_word).flat_map(move |(at, &word)| {
            let masked = if at == first_word { word & (u64::MAX << (first % 64)) } else { word };
            Bits(masked).map(move |bit| Slot(u32::try_from(at).unwrap_or(u32::MAX) * 64 + bit))
        })
    }

    /// The set as maximal runs of neighbouring slots: `(first, length)`, ascending. The compact form for
    /// storage, since most audiences are one run.
    #[must_use]
    pub fn runs(&self) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for slot in self.iter() {
            match runs.last_mut() {
                Some((first, length)) if *first + *length == slot.0 => *length += 1,
                _ => runs.push((slot.0, 1)),
            }
        }
        runs
    }

    /// The set as words of 64 slots, lowest first: the compact form where there are many runs.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The set that [`SlotSet::words`] gave the words of.
    #[must_use]
    pub fn from_words(mut words: Vec<u64>) -> Self {
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { words }
    }

    /// The set that [`SlotSet::runs`] gave the runs of; none if a run passes the end of the numbers.
    #[must_use]
    pub fn from_runs(runs: &[(u32, u32)]) -> Option<Self> {
        let mut set = Self::default();
        for &(first, length) in runs {
            let end = first.checked_add(length)?;
            (first..end).for_each(|slot| {
                set.insert(Slot(slot));
            });
        }
        Some(set)
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Self {
        let mut set = Self::default();
        for slot in slots {
            set.insert(slot);
        }
        set
    }
}

/// The numbers of the bits that are set in a word, ascending.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bits(pub(crate) u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(slots: &[u32]) -> SlotSet {
        slots.iter().copied().map(Slot).collect()
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_not_what_was_taken_out() {
        let mut slots = set(&[0, 63, 64, 2_000]);
        assert!(!slots.insert(Slot(64)));
        assert!(slots.remove(Slot(2_000)));
        assert!(!slots.remove(Slot(2_000)));
        assert!(!slots.remove(Slot(9_999)));
        assert_eq!(slots, set(&[0, 63, 64]), "equal although one was larger once");
        assert_eq!(slots.len(), 3);
        assert!(!slots.is_empty() && SlotSet::default().is_empty());
    }

    #[test]
    fn many_are_taken_out_at_once() {
        let mut slots = set(&[0, 5, 64, 300]);
        slots.remove_all(&set(&[5, 6, 300, 4_000]));
        assert_eq!(slots, set(&[0, 64]), "equal although it was longer once");
    }

    #[test]
    fn what_two_sets_have_in_common_is_in_both() {
        let (one, other) = (set(&[0, 5, 64, 300]), set(&[5, 6, 300, 4_000]));
        assert_eq!(one.common(&other).map(|slot| slot.0).collect::<Vec<_>>(), [5, 300]);
        assert_eq!((one.count_common(&other), one.count_common(&set(&[]))), (2, 0));
    }

    #[test]
    fn a_walk_goes_on_after_any_slot() {
        let slots = set(&[0, 63, 64, 65, 200]);
        let after = |slot| slots.iter_after(slot).map(|slot| slot.0).collect::<Vec<_>>();
        assert_eq!(after(None), [0, 63, 64, 65, 200]);
        assert_eq!(after(Some(Slot(0))), [63, 64, 65, 200]);
        assert_eq!(after(Some(Slot(63))), [64, 65, 200]);
        assert_eq!(after(Some(Slot(64))), [65, 200]);
        assert_eq!(after(Some(Slot(200))), [0_u32; 0]);
        assert_eq!(after(Some(Slot(u32::MAX))), [0_u32; 0]);
    }

    #[test]
    fn runs_say_the_same_as_the_set() {
        let slots = set(&[0, 1, 2, 5, 64, 65]);
        assert_eq!(slots.runs(), [(0, 3), (5, 1), (64, 2)]);
        assert_eq!(SlotSet::from_runs(&slots.runs()), Some(slots.clone()));
        assert_eq!(SlotSet::from_words([slots.words(), &[0]].concat()), slots);
        assert_eq!(SlotSet::from_runs(&[(u32::MAX, 2)]), None);
    }
}
