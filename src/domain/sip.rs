//! `SipHash` (Aumasson and Bernstein, INDOCRYPT 2012) of what is there as a whole: the hash that std's tables have as well,
//! without what it takes there to be fed bit by bit, which is most of it for an id.

/// The secret of a hash.
pub(crate) type SipKey = [u64; 2];

struct State([u64; 4]);

impl State {
    fn new([first, second]: SipKey) -> Self {
        Self([
            first ^ 0x736f_6d65_7073_6575,
            second ^ 0x646f_7261_6e64_6f6d,
            first ^ 0x6c79_6765_6e65_7261,
            second ^ 0x7465_6462_7974_6573,
        ])
    }

    fn round(&mut self) {
        let [a, b, c, d] = &mut self.0;
        *a = a.wrapping_add(*b);
        *b = b.rotate_left(13) ^ *a;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*d);
        *d = d.rotate_left(16) ^ *c;
        *a = a.wrapping_add(*d);
        *d = d.rotate_left(21) ^ *a;
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *c = c.rotate_left(32);
    }

    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    fn end(mut self) -> u64 {
        self.0[2] ^= 0xff;
        (0..3).for_each(|_| self.round());
        self.0.into_iter().fold(0, |hash, part| hash ^ part)
    }
}

/// [`sip13`] of two words, low byte first.
pub(crate) fn sip13_of_words(key: SipKey, words: [u64; 2]) -> u64 {
    /// The length of what is hashed closes it.
    const END: u64 = (size_of::<[u64; 2]>() as u64) << 56;
    let mut state = State::new(key);
    words.into_iter().chain([END]).for_each(|word| state.take(word));
    state.end()
}

/// `SipHash-1-3`.
pub(crate) fn sip13(key: SipKey, bytes: &[u8]) -> u64 {
    let mut state = State::new(key);
    let (words, rest) = bytes.as_chunks();
    words.iter().for_each(|word| state.take(u64::from_le_bytes(*word)));
    let end = rest.iter().rev().fold(0, |end, byte| end << 8 | u64::from(*byte));
    state.take((bytes.len() as u64) << 56 | end);
    state.end()
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::*;

    #[test]
    fn two_words_have_the_hash_of_their_bytes() {
        let (key, words) = ([1, 2], [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        assert_eq!(sip13_of_words(key, words), sip13(key, words.map(u64::to_le_bytes).as_flattened()));
    }

    #[test]
    fn bytes_have_the_hash_that_std_has() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..=bytes.len() {
            let mut hasher = DefaultHasher::new();
            hasher.write(&bytes[..length]);
            assert_eq!(sip13([0, 0], &bytes[..length]), hasher.finish(), "{length}");
        }
    }
}
